#!/usr/bin/env python3
"""What telemetry costs, beside the OpenTelemetry SDK for Python.

usage: telemetry.py [--spans N] [-n RUNS]

Nanoseconds a span with the empty loop taken off, the steps of a span one by one, and what is made of a trace of 5,000 spans."""
import argparse
import os

import measure

TRACE = 5000
WHOLE = {
    "span-3-attributes": "`otel/with-span`, three attributes",
    "span-no-attributes": "the same without attributes",
    "span-inside-another": "three attributes, inside another span",
    "span-and-set-attr": "one attribute, two more by `otel/set-attr!`",
    "span-and-event": "a span with an event",
    "part-ring-push": "`ring-push!`",
}
PARTS = {
    "part-trace-id": "trace id (roots only)",
    "part-span-id": "span id",
    "part-clock": "the clock, twice",
    "part-attributes": "making the dict of attributes",
    "part-copy-attributes": "copying it into the span",
    "part-span-dict": "making the span",
    "part-open-spans": "noting it as open, and no longer",
    "part-dynamic-wind": "`dynamic-wind`",
    "part-parameterize": "`parameterize`",
    "part-guard": "`guard`",
    "part-ring-push": "`ring-push!`",
}
TIMES = {"part-clock": 2}       # how often a span takes a step, where that is not once
FOLDS = {
    "waterfall-rects": "waterfall, as rects",
    "waterfall-svg": "waterfall, as SVG text",
    "flame-rects": "flame graph, as rects",
    "metrics": "metrics",
    "export": "OTLP: encoding into data (Python: protobuf objects)",
    "export-json": "OTLP: encoding into bytes (SX: JSON; Python: protobuf)",
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("-n", type=int, default=5)
    options = parser.parse_args()
    folder = os.path.join(measure.HERE, "telemetry")
    commands = {"sx": ([measure.SX, "run", os.path.join(folder, "telemetry.sx"), str(options.spans)], None),
                "python": ([measure.PEER_PYTHON, os.path.join(folder, "peer.py"), str(options.spans)], None)}
    found = measure.in_turn(commands, options.n, lambda output, seconds: measure.named_numbers(output))
    for values in found.values():
        if isinstance(values, measure.Failed):
            raise SystemExit(str(values))

    def cost(system, case, loop=True):
        """The median of a case's nanoseconds a turn, less the turn of an empty loop; nothing where a system has no such case."""
        if case not in found[system][0]:
            return None
        value = measure.median([run[case][0] for run in found[system]])
        return value - measure.median([run["loop"][0] for run in found[system]]) if loop else value

    rows = []
    for case, what in WHOLE.items():
        sx, python = cost("sx", case), cost("python", case)
        rows.append([what, measure.figure(sx, 0), measure.figure(python, 0), measure.ratio(sx, python)])
    whole = cost("sx", "span-3-attributes")
    parts = {case: cost("sx", case) * TIMES.get(case, 1) for case in PARTS}
    steps = [[PARTS[case], measure.figure(value, 0), f"{100 * value / whole:.0f} %"] for case, value in parts.items()]
    rest = whole - sum(parts.values())
    steps.append(["all else: calls, sampler, limits", measure.figure(rest, 0), f"{100 * rest / whole:.0f} %"])
    folds = []
    for case, what in FOLDS.items():
        sx, python = cost("sx", case, loop=False), cost("python", case, loop=False)
        per_second = lambda value: None if value is None else measure.figure(TRACE / (value / 1e9), 0)
        folds.append([what, measure.figure(sx / 1e6, 1), measure.figure(python and python / 1e6, 1), per_second(sx), per_second(python)])
    measure.write("telemetry", "Telemetry",
                  f"{options.spans:,} turns each; both sides keep the last 1,000 spans in a ring and export nothing.",
                  measure.table(["one turn", "SX ns", "Python SDK ns", "ratio"], rows),
                  "Where the time of a root span with three attributes goes, each step in a loop of its own:",
                  measure.table(["step", "ns", "share"], steps),
                  f"A trace of {TRACE:,} spans:",
                  measure.table(["what is made", "SX ms", "Python SDK ms", "SX spans/s", "Python SDK spans/s"], folds))


main()
