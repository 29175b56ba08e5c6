#!/usr/bin/env python3
"""An instrumented hello route under load: `sx serve`, uvicorn with Starlette and the OpenTelemetry SDK, and Hummingbird with its own
tracing middleware; each also without tracing. wrk asks, all servers take turns, and every one runs alone.

Then `sx serve --workers`, traced, with routes that compute: how much more two interpreters do than one.

usage: server.py [--seconds S] [--connections C] [--threads T] [-n RUNS] [--port FIRST] [--part servers|workers|all]

run.sh builds the Hummingbird peer; it is measured when it is there."""
import argparse
import os
import re
import resource
import signal
import subprocess
import time
import urllib.error
import urllib.request

import measure

HUMMINGBIRD = os.path.join(measure.WORK, "hummingbird/release/Hello")
UNTRACED = {"OTEL_SDK_DISABLED": "true"}
# fib of these: about 4,000, 30,000 and 120,000 calls a request.
COMPUTED = {18: 2584, 22: 17711, 25: 75025}
WORKERS = (1, 2)
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


def load(port, seconds, options, path="/hello/you"):
    """Lets wrk ask for so long: requests per second, milliseconds at the median and at 99 %, answers that were no success."""
    output, _ = measure.run(["wrk", f"-t{options.threads}", f"-c{options.connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"])
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


def once_computing(number, workers, port, options):
    """One server that computes: requests per second, milliseconds at 99 %, failures, and how many cores the server and wrk had."""
    command = [measure.SX, "serve", os.path.join(measure.HERE, "server/hello.sx"), "--port", "PORT", "--workers", str(workers)]
    path = f"/fib/{number}"
    with Running(command, {}, port) as running:
        answer = ask(port, path).replace(" ", "")
        if answer != f'{{"ok":true,"data":{COMPUTED[number]}}}':
            raise measure.Failed(f"{path} answers {answer}")
        load(port, 1, options, path)
        pid, before, asking = running.process.pid, int(ask(port, "/spans")), resource.getrusage(resource.RUSAGE_CHILDREN)
        serving = measure.cpu_seconds(pid)
        rate, _, high, bad, requests = load(port, options.seconds, options, path)
        serving, asked = measure.cpu_seconds(pid) - serving, resource.getrusage(resource.RUSAGE_CHILDREN)
        recorded = int(ask(port, "/spans")) - before
        if recorded < requests:
            raise measure.Failed(f"{workers} workers recorded {recorded} spans of {requests} requests")
        asking = asked.ru_utime + asked.ru_stime - asking.ru_utime - asking.ru_stime
        return rate, high, bad, serving / options.seconds, asking / options.seconds


def measure_workers(options):
    """The blocks about `--workers`: a row for each route that computes."""
    found, port = {(number, workers): [] for number in COMPUTED for workers in WORKERS}, options.port + 200
    for _ in range(options.n):
        for (number, workers), runs in found.items():
            runs.append(once_computing(number, workers, port, options))
            measure.progress(f"server fib {number}, {workers} workers {runs[-1][0]:,.0f}/s")
            port += 1
    rows = []
    for number in COMPUTED:
        one, two = ([measure.median([run[i] for run in found[number, workers]]) for i in range(5)] for workers in WORKERS)
        rows.append([f"fib {number}", f"{one[0]:,.0f}", f"{two[0]:,.0f}", measure.ratio(two[0], one[0]), measure.figure(one[1], 2), measure.figure(two[1], 2),
                     f"{one[2]:.0f}, {two[2]:.0f}", f"{one[3]:.2f}, {two[3]:.2f}", f"{one[4]:.2f}, {two[4]:.2f}"])
    return ["Routes that compute, traced, with one and two workers. wrk runs on the same cores; what it takes of them, the workers do not have.",
            measure.table(["route", "requests/s, 1 worker", "2 workers", "2 to 1", "p99 ms, 1", "p99 ms, 2", "failed", "cores of the server", "cores of wrk"], rows)]


def measure_servers(options):
    """The blocks about the instrumented hello route."""
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
    return [measure.table(["server", "requests/s", "SX to it", "p50 ms", "p99 ms", "failed", "peak MB", "spans a request"], rows),
            "What tracing costs, in microseconds of wall clock a request:",
            measure.table(["server", "traced", "not traced", "difference"], tracing)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--port", type=int, default=18480)
    parser.add_argument("-n", type=int, default=3)
    parser.add_argument("--part", choices=("servers", "workers", "all"), default="all")
    options = parser.parse_args()
    blocks = measure_servers(options) if options.part != "workers" else []
    blocks += measure_workers(options) if options.part != "servers" else []
    name = "server" if options.part == "all" else f"server-{options.part}"
    measure.write(name, "Server",
                  f"wrk with {options.connections} connections and {options.threads} thread, {options.seconds} s after 1 s of warming up, on the machine that serves; medians of {options.n} runs in turn.",
                  *blocks)


if __name__ == "__main__":
    main()
