#!/usr/bin/env python3
"""A long time under mixed load: whether memory and file descriptors of `sx serve` stay level, and whether every span is where the counters say.

usage: soak.py [--seconds S] [--row S] [--workers N] [--protocol P] [--compression C] [--name NAME]

Clients (soak_clients.py) make about 150 requests a second of all sorts; a collector (soak_collector.py) takes the spans, refuses them, keeps
them waiting, breaks connections, and is away, in turn. Measured is what /proc and /otel/metrics say, once a second and once a row. At the end
the load stops, the exporter's queue runs empty, and the books are closed: started, recorded, exported and dropped must be what the clients have
asked for and what the collector has taken, span by span; then SIGTERM, with spans still queued. Ends with 1 when something is not as it should be.

All rows are kept in .build/bench/NAME.csv; the table has a dozen of them. Run with the Python that has the peers of requirements.txt."""
import argparse
import csv
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import measure
from soak_clients import Load
from soak_collector import Collector, PHASES

LAST_REQUESTS = 50
# Memory and descriptors are level when they are no more in the last third than they were in the first, but for so much.
MEMORY_SLACK_MB = 4
MEMORY_SLACK = 1.05
DESCRIPTOR_SLACK = 10
REASONS = ("queue", "ring", "bytes", "limits", "unsampled")
COLUMNS = ("minute", "RSS MB", "RSS MB, most", "descriptors", "descriptors, most", "threads", "CPU %", "requests", "spans started", "recorded", "exported",
           "failed", "rejected", *(f"dropped: {reason}" for reason in REASONS), "events read", "events missed")
SHOWN = ("minute", "RSS MB", "RSS MB, most", "descriptors", "descriptors, most", "threads", "CPU %", "requests", "spans started", "exported", "failed",
         "rejected", "dropped: queue", "dropped: limits")


class Server:
    """`sx serve` with the program of the soak, and what /proc tells of it."""

    def __init__(self, options, collector):
        # The program wants to know its own port before it has one.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.probe = os.path.join(tempfile.mkdtemp(), "probe")
        environment = {"SOAK_PORT": str(self.port), "OTEL_SERVICE_NAME": "soak", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
                       "OTEL_EXPORTER_OTLP_TIMEOUT": "2000", "OTEL_EXPORTER_OTLP_PROTOCOL": options.protocol,
                       "OTEL_EXPORTER_OTLP_COMPRESSION": options.compression}
        command = [measure.SX, "serve", os.path.join(measure.HERE, "server/soak.sx"), "--port", str(self.port), "--probe", self.probe,
                   "--workers", str(options.workers)]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)
        for _ in range(400):
            try:
                self.get("/otel/metrics")
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise measure.Failed("sx serve does not answer")

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return answer.read().decode()

    def counters(self):
        """The counters of /otel/metrics by their names, drops by their reason."""
        text = self.get("/otel/metrics")
        found = {name: int(value) for name, value in re.findall(r"^otel_spans_(\w+?)(?:_total)? (\d+)$", text, re.M)}
        return found | {f"dropped: {reason}": int(value) for reason, value in re.findall(r'^otel_spans_dropped_total\{reason="(\w+)"\} (\d+)$', text, re.M)}

    def statistics(self):
        """What (otel/stats) says inside."""
        text, _ = measure.run([measure.SX, "eval", "--connect", self.probe, "(json-encode (otel/stats))"])
        return json.loads(json.loads(text))

    def memory(self):
        """Resident memory in MB, and the number of threads."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            text = status.read()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) * 1024 / 1e6, int(re.search(r"Threads:\s+(\d+)", text).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def sockets(self):
        """How many of the descriptors are connections, or wait for some."""
        folder, count = f"/proc/{self.process.pid}/fd", 0
        for name in os.listdir(folder):
            try:
                count += os.readlink(os.path.join(folder, name)).startswith("socket:")
            except OSError:         # closed meanwhile
                pass
        return count

    def error_lines(self):
        """How often it wrote which line, whatever numbers are in it; without the log of the route that fails."""
        self.errors.seek(0)
        found = {}
        for line in self.errors.read().decode(errors="replace").splitlines():
            if not line.startswith(("  in ", 'GET "/fail/')):
                line = re.sub(r"\d+", "N", line)
                found[line] = found.get(line, 0) + 1
        return found

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def observe(server, load, options):
    """The rows: what is asked every second, gathered for so long."""
    rows, start, cpu = [], time.monotonic(), measure.cpu_seconds(server.process.pid)
    end, last = start + options.seconds, start
    while last < end:
        memories, descriptors = [], []
        until = min(last + options.row, end)
        while (now := time.monotonic()) < until:
            memory, threads = server.memory()
            memories.append(memory)
            descriptors.append(server.descriptors())
            time.sleep(max(0, min(1, until - now)))
        spent, now = measure.cpu_seconds(server.process.pid), time.monotonic()
        counters = server.counters()
        row = {"minute": round((now - start) / 60, 1), "RSS MB": round(measure.median(memories), 1), "RSS MB, most": round(max(memories), 1),
               "descriptors": round(measure.median(descriptors)), "descriptors, most": max(descriptors), "threads": threads,
               "CPU %": round((spent - cpu) / (now - last) * 100, 1), "requests": load.requests, "spans started": counters["started"],
               "failed": counters["export_failed"], "events read": load.events, "events missed": load.missed}
        row |= {name: counters[name] for name in COLUMNS if name in counters}
        rows.append(row)
        measure.progress("soak " + ", ".join(f"{name} {row[name]}" for name in COLUMNS))
        cpu, last = spent, now
    return rows


def settle(server, seconds=90):
    """The counters when nothing moves any more: no span is open, and what was queued has found its end."""
    until = time.monotonic() + seconds
    while True:
        found = server.counters()
        if found["open"] == 0 and ended(found) == accounted(found) or time.monotonic() > until:
            return found
        time.sleep(0.5)


def ended(counters):
    return counters["started"] - counters["open"]


def accounted(counters):
    return counters["exported"] + counters["export_failed"] + counters["rejected"] + counters["dropped: queue"]


class Books:
    """What was held against what, and whether it came out even."""

    def __init__(self):
        self.lines, self.are_even = [], True

    def check(self, what, found, holds):
        self.lines.append([what, found, "yes" if holds else "**no**"])
        self.are_even = self.are_even and holds

    def same(self, what, one, other):
        self.check(what, f"{one:,} = {other:,}" if one == other else f"{one:,} ≠ {other:,}", one == other)


def level(rows, column):
    """The most of the first third behind the warming up, which is a sixth, and of the last third."""
    values = [row[column] for row in rows[len(rows) // 6:]]
    third = max(1, len(values) // 3)
    return max(values[:third]), max(values[-third:])


def close_books(server, load, collector, rows, quiet, options):
    """Everything that is known when the load has stopped. The server is told to end on the way."""
    books = Books()
    found, stats = settle(server), server.statistics()
    books.same("spans started = those that the clients asked for", found["started"], load.spans)
    books.same("recorded = started and ended + imported", found["recorded"], ended(found) + load.imported)
    books.same("started and ended = exported + failed + rejected + dropped for want of room in the queue", ended(found), accounted(found))
    books.same("/otel/metrics and (otel/stats) say the same",
               accounted(found) + found["started"] + found["recorded"],
               sum(stats[name] for name in ("exported", "failed", "rejected", "started", "recorded")) + stats["dropped"]["queue"])
    # An answer that comes too late has been sent, and was heard as a failure.
    taken = len(collector.taken)
    late = taken - found["exported"]
    books.check("exported ≤ ids whose acceptance the collector answered ≤ exported + failed",
                f"{found['exported']:,}; {taken:,}", 0 <= late <= found["export_failed"])
    books.same("rejected = ids that the collector rejected", found["rejected"], len(collector.rejected))
    books.same("ids taken again although the answer was sent = none", collector.repeated, 0)
    missing = ended(found) - taken - len(collector.rejected) - len(collector.unanswered - collector.taken)
    books.check("ids that the collector never took ≤ failed + dropped", f"{missing:,} of {found['export_failed'] + found['dropped: queue']:,}",
                0 <= missing <= found["export_failed"] + found["dropped: queue"])
    first, last = level(rows, "RSS MB, most")
    books.check("memory: most of the last third ≤ most of the first", f"{last:.0f} MB; {first:.0f} MB", last <= first * MEMORY_SLACK + MEMORY_SLACK_MB)
    first, last = level(rows, "descriptors, most")
    books.check("descriptors: most of the last third ≤ most of the first", f"{last}; {first}", last <= first + DESCRIPTOR_SLACK)
    # Connections that nobody uses are closed after a minute.
    for _ in range(90):
        if server.sockets() <= quiet:
            break
        time.sleep(1)
    books.same("sockets behind the load = before it", server.sockets(), quiet)
    end_with_spans(server, load, collector, books)
    books.check("clients that had something to say", "; ".join(f"{count}× {text}" for text, count in load.problems.items()) or "none", not load.problems)
    books.check("bodies that the collector could not read", "; ".join(collector.problems[:5]) or "none", not collector.problems)
    strange = [line for line in server.error_lines() if not line.startswith("otel: ")]
    books.check("lines on standard error that are no warning of the telemetry", "; ".join(strange[:5]) or "none", not strange)
    return books


def end_with_spans(server, load, collector, books):
    """Asks a little more and ends the server at once: it must hand over what it has."""
    before = len(collector.taken)
    for _ in range(LAST_REQUESTS):
        server.get("/hello/end")
    load.add(instrumented=LAST_REQUESTS)
    server.process.send_signal(signal.SIGTERM)
    try:
        status = server.process.wait(60)
    except subprocess.TimeoutExpired:
        status = "none"
    books.check("exit status of SIGTERM", status, status == 0)
    books.same("spans of the last moment that arrived", len(collector.taken) - before, LAST_REQUESTS)
    books.same("requests that the last metrics tell of = those that the clients made", collector.counted, load.instrumented)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--row", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--protocol", choices=("http/json", "http/protobuf"), default="http/json")
    parser.add_argument("--compression", choices=("none", "gzip"), default="none")
    parser.add_argument("--name", default="soak")
    options = parser.parse_args()
    # A short soak sees all moods twice as well.
    scale = min(1, options.seconds / 2 / sum(seconds for _, seconds in PHASES))
    collector = Collector([(mood, seconds * scale) for mood, seconds in PHASES])
    server = Server(options, collector)
    try:
        time.sleep(1)
        quiet = server.sockets()
        load = Load(server.port, server.probe)
        threading.Thread(target=collector.follow_phases, daemon=True).start()
        load.start()
        rows = observe(server, load, options)
        load.stop()
        collector.behave()
        books = close_books(server, load, collector, rows, quiet, options)
    finally:
        server.end()
    report(options, rows, books, server, load, collector)
    raise SystemExit(0 if books.are_even else 1)


def report(options, rows, books, server, load, collector):
    os.makedirs(measure.WORK, exist_ok=True)
    with open(os.path.join(measure.WORK, options.name + ".csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    step = -(-len(rows) // 12)
    shown = [row for index, row in enumerate(rows) if (index + 1) % step == 0 or index in (0, len(rows) - 1)]
    moods = ", ".join(f"{mood} {count:,}" for mood, count in sorted(collector.requests.items()))
    measure.write(options.name, "Soak",
                  f"`sx serve --workers {options.workers}`, {options.seconds:,} s, {load.requests / options.seconds:.0f} requests a second; spans go out as "
                  f"{options.protocol}, compression {options.compression}.",
                  measure.table(SHOWN, [[f"{row[name]:,}" for name in SHOWN] for row in shown]),
                  measure.table(("at the end", "", "as it should be"), books.lines),
                  f"Exports that the collector saw, by its mood: {moods}; {collector.repeated_rightly:,} spans came again because the answer was kept back. "
                  f"The clients read {load.events:,} events of the live stream and were told of {load.missed:,} missed ones, evaluated "
                  f"{load.evaluations:,} expressions through the probe, and brought {load.imported:,} spans of other programs.",
                  "Standard error: " + ("; ".join(f"`{line}` {count}×" for line, count in server.error_lines().items()) or "nothing") + ".")


if __name__ == "__main__":
    main()
