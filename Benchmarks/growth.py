#!/usr/bin/env python3
"""How time grows with the work: each program of growth/ at 1, 2, 4 and 8 times a size, in a process of its own.

usage: growth.py [--only append,str,…] [--scale FACTOR] [-n RUNS]

A factor per doubling of 2 is linear. What lies above a program's limit is flagged: 2.35 allows for caches that
overflow and for collections of a larger heap, and the programs that sort or must copy have limits of their own."""
import argparse
import math
import os

import measure

LINEAR = 2.35
PROGRAMS = {  # name: (size at 1x, limit of the factor per doubling, what the size counts)
    "append": (250_000, LINEAR, "append!"),
    "assoc": (25_000, 2.6, "assoc of a fresh key; log n levels"),
    "str": (20_000, LINEAR, "str of a growing string; 4 if every step copies it"),
    "buffer": (250_000, LINEAR, "string-buffer-append!"),
    "nth": (500_000, LINEAR, "nth of a range"),
    "nth-appended": (250_000, LINEAR, "nth of a list grown by append!"),
    "set-nth": (250_000, LINEAR, "set-nth!"),
    "reduce": (500_000, LINEAR, "reduce over a range"),
    "pipeline": (250_000, LINEAR, "map, filter, reduce"),
    "concat": (100_000, LINEAR, "mapcat"),
    "sort": (100_000, 2.5, "sort; n log n"),
    "dict": (100_000, LINEAR, "dict-set! and get"),
    "dict-deleted": (100_000, LINEAR, "dict-delete! and dict-set! in turn"),
    "string-index": (250_000, LINEAR, "nth of an ASCII string"),
    "string-index-wide": (5_000, LINEAR, "nth of a string with other characters"),
    "deep": (500_000, LINEAR, "recursion not in tail position"),
    "guards": (50_000, LINEAR, "guards inside one another"),
    "continuations": (50_000, LINEAR, "let/ec and an escape"),
    "coroutines": (12_500, LINEAR, "live coroutines"),
    "fibers": (12_500, LINEAR, "live sleeping fibers"),
    "json": (12_500, LINEAR, "json-encode and json-decode"),
    "regexp-all": (12_500, LINEAR, "matches of regexp-match-all"),
    "regexp-catastrophe": (2_000, LINEAR, "^(a+)+$ on a…a!"),
    "compile": (1_000, LINEAR, "forms in one function body"),
    "waterfall": (1_250, 2.5, "spans of one waterfall; sorted by start"),
}
HEAPS = (125, 250, 500, 1000)     # live megabytes
PARKED = 100_000                  # fibers and coroutines whose memory is weighed


def command(name, size):
    folder = os.path.join(measure.HERE, "growth")
    return [measure.SX, "run", os.path.join(folder, "measure.sx"), os.path.join(folder, name + ".sx"), str(size)]


def growth_of(name, scale, runs):
    """One row of the table: milliseconds at each size, the factor per doubling over all three, the worst single one."""
    size, limit, what = PROGRAMS[name]
    sizes = [max(1, int(size * scale)) * factor for factor in (1, 2, 4, 8)]
    found = measure.in_turn({n: (command(name, n), None) for n in sizes}, runs,
                            lambda output, seconds: measure.named_numbers(output)["time"][0] / 1e6)
    times = [measure.median(found[n]) for n in sizes]
    for n in sizes:
        if isinstance(found[n], measure.Failed):
            measure.progress(f"growth {name} at {n}: {found[n]}")
    known = [time for time in times if time is not None]
    if len(known) < 4:
        return [name, f"{sizes[0]:,}", *[measure.figure(time, 1) for time in times], None, None, "FAILED", what]
    factor = math.pow(times[3] / times[0], 1 / 3)
    worst = max(b / a for a, b in zip(times, times[1:]))
    verdict = "" if factor <= limit else f"**above {limit}**"
    return [name, f"{sizes[0]:,}", *[measure.figure(time, 1) for time in times], f"{factor:.2f}", f"{worst:.2f}", verdict, what]


def parked_rows(count):
    """Bytes of the process per live coroutine and per sleeping fiber: peak memory with many, less that with one."""
    rows = []
    for name in ("coroutines", "fibers"):
        try:
            few, many = (measure.weigh(command(name, n))[1] for n in (1, count))
            rows.append([name, f"{count:,}", f"{(many - few) / count:,.0f}"])
        except measure.Failed as failure:
            measure.progress(f"growth {failure}")
            rows.append([name, f"{count:,}", None])
    return rows


def heap_rows(megabytes):
    """Pauses with a live heap of so many megabytes: a collection that was asked for, and the longest gap in a loop that allocates."""
    rows = []
    for live in megabytes:
        try:
            output, peak = measure.weigh([measure.SX, "run", os.path.join(measure.HERE, "growth/heap.sx"), str(live)])
        except measure.Failed as failure:
            measure.progress(f"growth {failure}")
            rows.append([live] + [None] * 5)
            continue
        found = {name: number for name, (number, _) in measure.named_numbers(output).items()}
        full, gap, heap = found["full"] / 1e6, found["gap"] / 1e6, found["heap"] / 1e6
        rows.append([f"{heap:,.0f}", f"{peak / 1e6:,.0f}", f"{found['build'] / 1e9:.2f}", f"{full:,.1f}", f"{gap:,.1f}",
                     f"{max(full, gap) * 4 / heap:.2f}"])
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("-n", type=int, default=3)
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(PROGRAMS)
    rows = []
    for name in names:
        rows.append(growth_of(name, options.scale, options.n))
        measure.progress("growth " + " ".join(str(cell) for cell in rows[-1][:8]))
    blocks = [measure.table(["program", "size", "1× ms", "2× ms", "4× ms", "8× ms", "per doubling", "worst", "", "what is counted"], rows)]
    if not options.only:
        blocks.append(measure.table(["parked", "how many", "bytes each"], parked_rows(int(PARKED * options.scale))))
        blocks.append(measure.table(["live heap MB", "peak MB", "built in s", "full collection ms", "longest pause ms", "ms per 4 MB"],
                                    heap_rows([max(10, int(live * options.scale)) for live in HEAPS])))
    measure.write("growth", "Growth", *blocks)


main()
