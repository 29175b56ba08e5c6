# Counting the words of a real text, the most frequent ones first.
import re

with open("/usr/share/common-licenses/GPL-3", encoding="utf-8") as file:
    TEXT = file.read() * 60
counts = {}
for match in re.finditer("[a-z]+", TEXT.lower()):
    word = match.group()
    counts[word] = counts.get(word, 0) + 1
top = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:10]
print(" ".join(f"{word}={n}" for word, n in top))
