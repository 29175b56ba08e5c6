#!/usr/bin/env python3
"""Peak memory of whole processes, beside Lua and Python.

usage: memory.py [--only fib35,…] [-n RUNS]"""
import argparse
import os

import measure

PROGRAMS = ["hello", "fib35", "tak", "loop", "dict", "strings", "hof", "trees"]
SYSTEMS = {"sx": ([measure.SX, "run"], "sx", "sx"), "lua5.4": (["lua5.4"], "lua", "lua"), "python3": ([measure.DEBIAN_PYTHON], "py", "py")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("-n", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for program in options.only.split(",") if options.only else PROGRAMS:
        commands = {name: ([*command, os.path.join(measure.HERE, folder, f"{program}.{extension}")], None)
                    for name, (command, folder, extension) in SYSTEMS.items()}
        found = measure.in_turn(commands, options.n, lambda output, peak: peak / 1e6, start=measure.weigh)
        for values in found.values():
            if isinstance(values, measure.Failed):
                measure.progress(f"memory {values}")
        sx, lua, python = (measure.median(found[name]) for name in SYSTEMS)
        more = measure.figure(sx - lua, 1) if sx is not None and lua is not None else None
        rows.append([program, *[measure.figure(value, 1) for value in (sx, lua, python)], more, measure.ratio(sx, lua), measure.ratio(sx, python)])
        measure.progress("memory " + " ".join(map(str, rows[-1])))
    measure.write("memory", "Peak memory", measure.table(["program", "SX MB", "Lua MB", "Python MB", "SX − Lua", "SX / Lua", "SX / Python"], rows))


main()
