#!/usr/bin/env python3
"""How long it takes to start and evaluate `1`, beside other interpreters; medians of many runs in turn.

usage: startup.py [-n RUNS]"""
import argparse
import shutil
import statistics

import measure

COMMANDS = {  # name: command
    "sx eval 1": [measure.SX, "eval", "1"],
    "sx, the telemetry library": [measure.SX, "eval", "(otel/recent)"],
    "python3 -c 1": [measure.DEBIAN_PYTHON, "-c", "1"],
    "python3 -I -S -c 1": [measure.DEBIAN_PYTHON, "-I", "-S", "-c", "1"],
    "lua5.4 -e 1": ["lua5.4", "-e", "return 1"],
    "luajit -e 1": ["luajit", "-e", "return 1"],
    "guile -c 1": ["guile", "-c", "1"],
    "node -e 1": ["node", "-e", "1"],
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=41)
    options = parser.parse_args()
    found = measure.in_turn({name: (command, None) for name, command in COMMANDS.items() if shutil.which(command[0])}, options.n)
    python = measure.median(found["python3 -c 1"])
    rows = []
    for name, values in found.items():
        if isinstance(values, measure.Failed):
            measure.progress(f"startup {values}")
            rows.append([name] + [None] * 4)
            continue
        low, middle, high = statistics.quantiles(values, n=4)
        rows.append([name, *[measure.figure(value * 1e3, 1) for value in (low, middle, high)], measure.ratio(middle, python)])
    measure.write("startup", "Start-up", f"{options.n} runs in turn.",
                  measure.table(["command", "lower quartile ms", "median ms", "upper quartile ms", "to python3 -c 1"], rows))


main()
