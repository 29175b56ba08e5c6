# Searching a real text for words with what the language has for that.
with open("/usr/share/common-licenses/GPL-3", encoding="utf-8") as file:
    TEXT = file.read() * 20


def occurrences(word):
    n, at = 0, TEXT.find(word)
    while at >= 0:
        n += 1
        at = TEXT.find(word, at + len(word))
    return n


WORDS = ["license", "covered work", "you may", "software", "conveying", "the", "source code", "Corresponding", "patent", "nowhere at all"]
print(sum(occurrences(word) for _ in range(60) for word in WORDS))
