"""The program under test, from outside: one-shot commands, and a server with its HTTP port and its probe socket."""

import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: No single step of a test may take longer than this many seconds, on a slow machine with a debug build.
PATIENCE = 60


def binary() -> str:
    """The binary that the variable SX names, relative to the project root."""
    return str(ROOT / os.environ.get("SX", ".build/debug/sx"))


def environment(home: Path, **extra: str) -> dict[str, str]:
    """What a process under test sees: our own environment, without what would change its behaviour."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OTEL_") and name not in ("TRACEPARENT", "TRACESTATE", "BAGGAGE", "XDG_STATE_HOME", "INPUTRC")
    }
    return {**inherited, "HOME": str(home), "NO_COLOR": "1", **extra}


def wait_until(condition, what: str, seconds: float = PATIENCE):
    """Polls until the condition gives something true, and gives that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        time.sleep(0.03)


# ── One-shot commands ────────────────────────────────────────────────────────────────────────────


@dataclass
class Outcome:
    """What a command left behind. A signal gives a negative status."""

    status: int
    out: str
    err: str


class Command:
    """Runs `sx` in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(
        self, *arguments: str, stdin: str = "", stack_kib: int | None = None, **extra: str
    ) -> Outcome:
        def shrink_stack():
            resource.setrlimit(resource.RLIMIT_STACK, (stack_kib * 1024, stack_kib * 1024))

        finished = subprocess.run(
            [binary(), *arguments],
            input=stdin.encode(),
            capture_output=True,
            cwd=self.folder,
            env=environment(self.folder, **extra),
            timeout=PATIENCE,
            preexec_fn=shrink_stack if stack_kib else None,
        )
        return Outcome(finished.returncode, finished.stdout.decode(), finished.stderr.decode())

    def write(self, name: str, text: str) -> Path:
        """Puts a file into the command's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


# ── A server ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: str

    def json(self):
        return json.loads(self.body)


class Server:
    """An `sx serve` on a free port, with a probe socket."""

    def __init__(self, folder: Path, application: str | None = None, probe: Path | None = None, workers: int | None = None, files: int | None = None, **extra: str):
        self.folder = folder
        self.probe_path = probe or folder / "probe"
        self._out = folder / f"serve-{time.monotonic_ns()}.out"
        self._err = self._out.with_suffix(".err")
        arguments = [binary(), "serve", "--port", "0", "--probe", str(self.probe_path)]
        if workers is not None:
            arguments += ["--workers", str(workers)]
        if application is not None:
            source = folder / "application.sx"
            source.write_text(application)
            arguments.append(str(source))
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder, env=environment(folder, **extra),
                preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None,
            )
        self.port = None
        self._was_killed = False

    def wait_for_port(self) -> "Server":
        self.port = wait_until(self._announced_port, "the server to announce its port")
        return self

    def _announced_port(self) -> int | None:
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}: {self.err}")
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", self.out)
        return int(found[1]) if found else None

    @property
    def out(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # HTTP

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, body: str | None = None) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=None if body is None else body.encode(), headers=headers or {})
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Response:
        return self.request("GET", path, headers)

    def post(self, path: str, body: str, headers: dict[str, str] | None = None) -> Response:
        return self.request("POST", path, headers, body)

    def connect(self) -> socket.socket:
        """A bare connection, for what a well-behaved client would not send."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    # The probe

    def evaluate(self, expression: str, worker: int | None = None) -> Outcome:
        """What `sx eval --connect` does with an expression, and with `--worker` when a worker is named."""
        choice = () if worker is None else ("--worker", str(worker))
        return Command(self.folder)("eval", "--connect", str(self.probe_path), *choice, expression)

    def value(self, expression: str, worker: int | None = None):
        """The value of an expression inside the server, by way of JSON."""
        outcome = self.evaluate(f"(json-encode {expression})", worker)
        assert outcome.status == 0, outcome.err
        # The printer writes a string as JSON does.
        return json.loads(json.loads(outcome.out))

    def spans(self, trace: str | None = None) -> list[dict]:
        """The spans in the ring, oldest first; those of one trace when it is given."""
        spans = self.value("(otel/recent)")
        return spans if trace is None else [span for span in spans if span["trace"] == trace]

    def wait_for_spans(self, count: int, trace: str | None = None) -> list[dict]:
        """The spans, once there are at least so many: a response may arrive before its span is recorded."""

        def enough():
            spans = self.spans(trace)
            return spans if len(spans) >= count else None

        return wait_until(enough, f"{count} spans", seconds=60)

    # The end

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """Asks the server to stop, and gives its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)

    def kill(self) -> int | None:
        """Ends the process in any case, and gives the status with which it had ended before, if it had."""
        if self._was_killed:
            return None
        status = self.process.poll()
        if status is None:
            self._was_killed = True
            self.process.kill()
            self.process.wait(timeout=PATIENCE)
        return status


def read_response(stream) -> Response:
    """The next response on a connection, from a binary file object; the connection stays usable."""
    status = int(stream.readline().split()[1])
    headers = http.client.parse_headers(stream)
    return Response(status, headers, stream.read(int(headers["content-length"])).decode())
