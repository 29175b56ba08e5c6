#!/usr/bin/env python3
"""An instrumented hello route under load: `sx serve`, uvicorn with Starlette and the OpenTelemetry SDK, and Hummingbird with its own
tracing middleware; each also without tracing. wrk asks, all servers take turns, and every one runs alone.

usage: server.py [--seconds S] [--connections C] [--threads T] [-n RUNS] [--port FIRST]

run.sh builds the Hummingbird peer; it is measured when it is there."""
import argparse
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import measure

HUMMINGBIRD = os.path.join(measure.WORK, "hummingbird/release/Hello")
UNTRACED = {"OTEL_SDK_DISABLED": "true"}
UNITS = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}


def servers():
    """name: (command with the port still to come, environment, whether it is traced)."""
    folder = os.path.join(measure.HERE, "server")
    sx = [measure.SX, "serve", os.path.join(folder, "hello.sx"), "--port", "PORT"]
    uvicorn = [measure.PEER_PYTHON, "-m", "uvicorn", "--app-dir", folder, "hello:app", "--port", "PORT", "--log-level", "error", "--no-access-log"]
    found = {"SX": (sx, {}, True), "SX, not traced": (sx, UNTRACED, False)}
    if os.path.exists(measure.PEER_PYTHON):
        found |= {"Starlette": (uvicorn, {}, True), "Starlette, one span": (uvicorn, {"HELLO_ONE_SPAN": "true"}, True),
                  "Starlette, not traced": (uvicorn, UNTRACED, False)}
    if os.path.exists(HUMMINGBIRD):
        found |= {"Hummingbird": ([HUMMINGBIRD, "PORT"], {}, True), "Hummingbird, not traced": ([HUMMINGBIRD, "PORT", "untraced"], {}, False)}
    return found


def ask(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


class Running:
    """A server that runs for as long as the block does."""

    def __init__(self, command, env, port):
        self.command = [str(port) if word == "PORT" else word for word in command]
        self.env, self.port = env, port

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                ask(self.port, "/hello/you")
                return self
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        self.__exit__()
        raise measure.Failed(f"{' '.join(self.command)} does not answer")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def memory(self):
        """Peak memory so far, in MB."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) * 1024 / 1e6


def load(port, seconds, options):
    """Lets wrk ask for so long: requests per second, milliseconds at the median and at 99 %, answers that were no success."""
    output, _ = measure.run(["wrk", f"-t{options.threads}", f"-c{options.connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}/hello/you"])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    def percentile(which):
        number, unit = re.search(rf"^\s+{which}%\s+([\d.]+)(us|ms|s|m)\s*$", output, re.M).groups()
        return float(number) * UNITS[unit]
    bad = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", output))) \
        + sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", output)))
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    return rate, percentile(50), percentile(99), bad, requests


def once(name, server, port, options):
    """One server, warmed up and asked; the answer and the number of spans are checked too."""
    command, env, traced = server
    with Running(command, env, port) as running:
        answer = ask(port, "/hello/you").replace(" ", "")
        if answer != '{"ok":true,"data":"Hello,you!"}':
            raise measure.Failed(f"{name} answers {answer}")
        load(port, 1, options)
        before = int(ask(port, "/spans"))
        rate, middle, high, bad, requests = load(port, options.seconds, options)
        recorded = int(ask(port, "/spans")) - before
        if traced and recorded < requests:
            raise measure.Failed(f"{name} recorded {recorded} spans of {requests} requests")
        if not traced and recorded > 1:
            raise measure.Failed(f"{name} is not to trace and recorded {recorded} spans")
        return rate, middle, high, bad, running.memory(), recorded / requests


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--port", type=int, default=18480)
    parser.add_argument("-n", type=int, default=3)
    options = parser.parse_args()
    found, port = {name: [] for name in servers()}, options.port
    for _ in range(options.n):
        for name, server in servers().items():
            if isinstance(found[name], measure.Failed):
                continue
            try:
                found[name].append(once(name, server, port, options))
                measure.progress(f"server {name} {found[name][-1][0]:,.0f}/s")
            except measure.Failed as failure:
                measure.progress(f"server {failure}")
                found[name] = failure
            port += 1
    rows, rates = [], {}
    for name, runs in found.items():
        if isinstance(runs, measure.Failed):
            rows.append([name] + [None] * 7)
            continue
        rate, middle, high, bad, memory, spans = (measure.median([run[i] for run in runs]) for i in range(6))
        rates[name] = rate
        rows.append([name, f"{rate:,.0f}", None, measure.figure(middle, 2), measure.figure(high, 2), f"{bad:.0f}", f"{memory:.0f}", f"{spans:.1f}"])
    for row in rows:
        row[2] = measure.ratio(rates.get("SX, not traced" if "not traced" in row[0] else "SX"), rates.get(row[0]))
    tracing = [[name, f"{1 / rates[name] * 1e6:,.1f}", f"{1 / rates[plain] * 1e6:,.1f}", f"{(1 / rates[name] - 1 / rates[plain]) * 1e6:,.1f}"]
               for name in rates if "not traced" not in name and (plain := name.split(",")[0] + ", not traced") in rates]
    measure.write("server", "Server",
                  f"wrk with {options.connections} connections and {options.threads} thread, {options.seconds} s after 1 s of warming up, on the machine that serves; medians of {options.n} runs in turn.",
                  measure.table(["server", "requests/s", "SX to it", "p50 ms", "p99 ms", "failed", "peak MB", "spans a request"], rows),
                  "What tracing costs, in microseconds of wall clock a request:",
                  measure.table(["server", "traced", "not traced", "difference"], tracing))


if __name__ == "__main__":
    main()
