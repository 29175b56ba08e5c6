"""usage: peer.py CASE FOLDER: the cases of primitives.sx in Python, with the same checks."""
import json
import re
import sys
import time

case, folder = sys.argv[1:3]


def contents(file):
    with open(f"{folder}/{file}", encoding="utf-8") as port:
        return port.read()


def numbers():
    return [int(line) for line in contents("numbers.txt").split("\n")]


def ends(items):
    return f"{len(items)} {items[0]} {items[-1]}"


def text():
    return contents("text.txt")


def same(value):
    return value


CASES = {  # name: (what makes the input, what is measured, what is printed of its value)
    "sort-numbers": (numbers, sorted, ends),
    "sort-floats": (lambda: [n + 0.5 for n in numbers()], sorted, ends),
    "sort-strings": (lambda: [f"k{n}" for n in numbers()], sorted, ends),
    "sort-by": (numbers, lambda items: sorted(items, key=lambda n: -n), ends),
    "sort-sorted": (lambda: list(range(1000000)), sorted, ends),
    "read-file": (lambda: "text.txt", contents, len),
    "split": (text, lambda s: s.split(" "), len),
    "split-space": (text, lambda s: s.split(), len),
    "join": (lambda: text().split(" "), " ".join, len),
    "replace": (text, lambda s: s.replace("the", "THAT"), len),
    "replace-rare": (text, lambda s: s.replace("no such word", "x"), len),
    "upper": (text, str.upper, len),
    "find-last": (text, lambda s: s.find("the end of it"), same),
    "regexp-words": (lambda: text()[:5000000], lambda s: list(re.finditer("[a-z]+ing", s)), len),
    "regexp-replace": (lambda: text()[:5000000], lambda s: re.sub("[aeiou]+", "-", s), len),
    "regexp-catastrophe": (lambda: "a" * 24 + "!", lambda s: re.search("^(a+)+$", s), lambda v: 1 if v else 0),
    "json-decode": (lambda: contents("document.json"), json.loads, len),
    "json-encode": (lambda: json.loads(contents("document.json")),
                    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")), len),
    "str-integers": (numbers, lambda items: list(map(str, items)), len),
    "parse-integers": (lambda: contents("numbers.txt").split("\n"), lambda items: list(map(int, items)), len),
    "bytes": (text, lambda s: len(s.encode()), same),
}
make, work, check = CASES[case]
given = make()
start = time.perf_counter_ns()
value = work(given)
print(case, time.perf_counter_ns() - start, check(value))
