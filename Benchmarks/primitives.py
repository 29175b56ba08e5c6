#!/usr/bin/env python3
"""Primitives on large input, beside the same in Python's standard library, which is C.

usage: primitives.py [--only sort-numbers,…] [--scale FACTOR] [-n RUNS]

Every case is a process of its own; only the work is timed, inside it, and the answers are compared."""
import argparse
import json
import os
import sys

import measure

CASES = ["sort-numbers", "sort-floats", "sort-strings", "sort-by", "sort-sorted", "read-file", "split", "split-space", "join", "replace",
         "replace-rare", "upper", "find-last", "bytes", "str-integers", "parse-integers", "regexp-words", "regexp-replace",
         "regexp-catastrophe", "json-decode", "json-encode"]
MEGABYTES = 50
NUMBERS = 1_000_000
LICENCE = "/usr/share/common-licenses/GPL-3"


def random_numbers(count, seed=42):
    """Numbers in no order, the same on every machine."""
    state = seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def write_input(folder, scale):
    """Writes the numbers, the text and the JSON document, unless they stand there already."""
    os.makedirs(folder, exist_ok=True)
    size = int(MEGABYTES * 1_000_000 * scale)
    path = os.path.join(folder, "numbers.txt")
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(map(str, random_numbers(int(NUMBERS * scale)))))
    path = os.path.join(folder, "text.txt")
    if not os.path.exists(path):
        with open(LICENCE, encoding="utf-8") as file:
            licence = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write((licence * (size // len(licence) + 1))[:size] + " the end of it\n")
    path = os.path.join(folder, "document.json")
    if not os.path.exists(path):
        entries, length = [], 0
        for i, number in enumerate(random_numbers(size)):
            entries.append(json.dumps({"id": i, "name": f"entry {number}", "price": number / 1024, "tags": ["a", "b\n\"c\"", "été"],
                                       "stock": {"here": number % 100, "there": None, "open": number % 2 == 0}},
                                      ensure_ascii=False, separators=(",", ":")))
            length += len(entries[-1]) + 1
            if length >= size:
                break
        with open(path, "w", encoding="utf-8") as file:
            file.write("[" + ",".join(entries) + "]")


def same(a, b):
    """Two checks agree: word by word, numbers by value."""
    a, b = a.split(), b.split()
    number = lambda word: float(word) if word.replace(".", "", 1).lstrip("-").isdigit() else word
    return len(a) == len(b) and all(number(x) == number(y) for x, y in zip(a, b))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("-n", type=int, default=3)
    options = parser.parse_args()
    folder = os.path.join(measure.WORK, f"input-{options.scale:g}")
    write_input(folder, options.scale)
    here = os.path.join(measure.HERE, "primitives")
    rows, wrong = [], []
    for case in options.only.split(",") if options.only else CASES:
        found = measure.in_turn({"sx": ([measure.SX, "run", os.path.join(here, "primitives.sx"), case, folder], None),
                                 "python": ([measure.DEBIAN_PYTHON, os.path.join(here, "peer.py"), case, folder], None)},
                                options.n, lambda output, peak: (*measure.named_numbers(output)[case], peak), start=measure.weigh)
        row = [case]
        medians = {}
        for name, values in found.items():
            if isinstance(values, measure.Failed):
                wrong.append(f"{case}: {values}")
                medians[name] = (None, None, None)
            else:
                medians[name] = (measure.median([v[0] / 1e6 for v in values]), values[0][1], max(v[2] for v in values))
        (a, check_a, memory_a), (b, check_b, memory_b) = medians["sx"], medians["python"]
        if check_a is not None and check_b is not None and not same(check_a, check_b):
            wrong.append(f"{case}: sx says {check_a}, python says {check_b}")
        row += [measure.figure(a, 1), measure.figure(b, 1), measure.ratio(a, b)]
        row += [measure.figure(memory and memory / 1e6, 0) for memory in (memory_a, memory_b)]
        rows.append(row)
        measure.progress("primitives " + " ".join(map(str, row)))
    text = f"{NUMBERS * options.scale:,.0f} numbers, {MEGABYTES * options.scale:,.0f} MB of text, {MEGABYTES * options.scale:,.0f} MB of JSON; the regexps read at most 5 MB."
    measure.write("primitives", "Primitives", text,
                  measure.table(["case", "SX ms", "Python ms", "ratio", "SX peak MB", "Python peak MB"], rows),
                  "\n".join("DIFFERENT " + line for line in wrong))
    sys.exit(1 if wrong else 0)


main()
