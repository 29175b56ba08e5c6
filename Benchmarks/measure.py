"""What every part of the benchmarks shares: running commands in turn, medians, Markdown tables, machine and versions."""
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SX = os.path.abspath(os.environ.get("SX", os.path.join(ROOT, ".build/release/sx")))
WORK = os.path.join(ROOT, ".build/bench")           # generated input, peers from PyPI, results
PEER_PYTHON = os.path.join(WORK, "python/bin/python")
DEBIAN_PYTHON = "/usr/bin/python3"                  # the peer is Debian's, not whatever stands first in PATH
TIMEOUT = 300


class Failed(Exception):
    """A command that did not do what it was run for."""


def run(command, env=None, timeout=TIMEOUT):
    """Runs a command. Gives its standard output and its seconds."""
    errors = tempfile.TemporaryFile()                # a pipe that nobody reads could fill up
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                               env={**os.environ, **(env or {})})
    timer = deadline(timeout, process)
    try:
        out = process.stdout.read()
        process.wait()
    finally:
        timer.cancel()
    seconds = time.perf_counter() - start
    process.stdout.close()
    if process.returncode != 0:
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().split("\n")
        raise Failed(f"{' '.join(command)}: exit status {process.returncode}: {lines[0]}")
    return out.decode(errors="replace"), seconds


def weigh(command, env=None):
    """Runs a command under GNU time. Gives its standard output and its peak memory in bytes.

    The kernel counts what a process was before its exec, so a child of this script would weigh as much as the script."""
    with tempfile.NamedTemporaryFile("r") as report:
        out, _ = run(["/usr/bin/time", "-q", "-f", "%M", "-o", report.name, *command], env)
        return out, int(report.read()) * 1024


def cpu_seconds(pid):
    """The processor time that a running process has had, in the system and outside of it."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        words = stat.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def deadline(timeout, process):
    """Ends a command that takes longer than it may; its exit status then tells."""
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    return timer


def in_turn(commands, runs, read=lambda output, seconds: seconds, start=run):
    """Runs every command once a round (A B C A B C), one round more than asked, the first of which does not count.

    `commands` maps a name to (command, environment); `read(output, seconds)` makes of a run what is collected;
    with `weigh` in the place of `start` it gets bytes instead of seconds.
    Gives a dict from each name to the list of what was read, or to a Failed."""
    found = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, (command, env) in commands.items():
            if isinstance(found[name], Failed):
                continue
            try:
                value = read(*start(command, env))
            except Failed as failure:
                found[name] = failure
                continue
            if turn:
                found[name].append(value)
    return found


def median(values):
    """The median, or None for a failure or nothing at all."""
    return statistics.median(values) if isinstance(values, list) and values else None


def named_numbers(output):
    """Reads the lines `name number check…` that the programs of the parts print: a dict from name to (number, check)."""
    found = {}
    for line in output.splitlines():
        words = line.split(" ", 2)
        if len(words) >= 2:
            found[words[0]] = (float(words[1]), words[2] if len(words) > 2 else "")
    return found


def table(headings, rows):
    """A Markdown table; every column but the first is aligned to the right."""
    text = lambda cell: "–" if cell is None else str(cell)
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "--:|" * (len(headings) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(text, row)) + " |" for row in rows])


def figure(value, digits=3):
    """A number as tables show it, or nothing for nothing."""
    return None if value is None else f"{value:,.{digits}f}"


def ratio(a, b):
    """a / b as a table shows it, or nothing where one is missing."""
    return figure(a / b, 2) if a is not None and b else None


def write(part, title, *blocks):
    """Prints a part's result and keeps it under .build/bench, with the machine and the versions."""
    text = "\n\n".join([f"## {title}", *[block for block in blocks if block], machine()]) + "\n"
    os.makedirs(WORK, exist_ok=True)
    with open(os.path.join(WORK, part + ".md"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text, flush=True)


def machine():
    """The machine, the day, and the versions of everything that was compared, in one paragraph."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.release()}, load {load:.1f} at the end; "
            f"{time.strftime('%Y-%m-%d')}; SX {commit()}; " + ", ".join(versions()) + ".")


def commit():
    """The commit whose binary is measured, as far as the work tree tells."""
    asked = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return asked.stdout.strip() or "of unknown version"


def versions():
    """The versions of the peers that are there, Debian's by package and PyPI's by distribution."""
    found = []
    if shutil.which("dpkg-query"):
        for package in ("lua5.4", "luajit", "guile-3.0", "python3", "wrk"):
            asked = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
            if asked.returncode == 0:
                found.append(f"{package} {asked.stdout}")
    if shutil.which("node"):
        found.append("node " + subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip())
    if os.path.exists(PEER_PYTHON):
        ask = ("from importlib.metadata import version as v\n"
               "print(', '.join(n + ' ' + v(n) for n in ('uvicorn', 'starlette', 'opentelemetry-sdk')))")
        found.append(subprocess.run([PEER_PYTHON, "-c", ask], capture_output=True, text=True).stdout.strip())
    return [text for text in found if text]


def progress(text):
    """A line for whoever waits; results go to standard output."""
    print(text, file=sys.stderr, flush=True)
