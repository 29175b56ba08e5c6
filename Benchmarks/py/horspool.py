# Horspool's search over a real text, character by character.
with open("/usr/share/common-licenses/GPL-3", encoding="utf-8") as file:
    TEXT = file.read() * 40


def skips(word):
    m = len(word)
    table = [m] * 256
    for i in range(m - 1):
        table[ord(word[i])] = m - i - 1
    return table


def occurrences(word):
    text = TEXT
    n, m, table = len(text), len(word), skips(word)
    at = found = 0
    while at + m <= n:
        j = m - 1
        while j >= 0 and text[at + j] == word[j]:
            j -= 1
        if j < 0:
            found += 1
            at += m
        else:
            at += table[ord(text[at + m - 1])]
    return found


WORDS = ["license", "covered work", "you may", "software", "conveying", "the", "source code", "Corresponding", "patent", "nowhere at all"]
print(sum(map(occurrences, WORDS)))
