"""The clients of the soak: threads that ask a server for one thing after the other, well and badly, and count what it must have seen."""
import gzip
import http.client
import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import threading
import time

import measure
from receiver import batch, protobuf

# Requests of well-behaved clients: a path, how often, the status of its answer, and the spans that it starts.
ROUTES = (("/hello/you", 40, 200, 1), ("/work/7", 15, 200, 4), ("/fail/3", 10, 500, 2), ("/missing/path", 10, 404, 1), ("/chain", 8, 200, 3),
          ("/crowded", 3, 200, 2), ("POST /echo", 8, 200, 1), ("/health", 6, 200, 1))
LENGTHS = (100, 100, 1_000, 1_000, 10_000, 100_000)
BODIES = (10, 1_000, 50_000, 200_000)
TIMEOUT = 60
SPANS_IN_A_BATCH = 20


class Load:
    """What all clients share. Counts are of what has been answered, or must have been taken although nobody read the answer."""

    def __init__(self, port, probe):
        self.port, self.probe = port, probe
        self.requests = self.spans = self.instrumented = self.imported = self.evaluations = self.events = self.missed = 0
        self.problems = {}
        self.stopping = threading.Event()
        self._lock = threading.Lock()

    def add(self, **counts):
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def problem(self, text):
        with self._lock:
            if text not in self.problems:
                measure.progress(f"soak: {text}")
            self.problems[text] = self.problems.get(text, 0) + 1

    def start(self):
        """All clients together make about 150 requests a second."""
        random.seed(1)
        jobs = [(kept_alive, 22)] * 4 + [(unkept, 14)] * 2 + [(long_texts, 8), (importing, 5), (malformed, 5), (impatient, 3), (pages, 2), (probing, 0.5)]
        jobs += [(following, None)] * 2 + [(stalling, None), (leaving, 0.5)]
        self._threads = [threading.Thread(target=self._run, args=job, daemon=True) for job in jobs]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT)
            if thread.is_alive():
                self.problem("a client does not come to its end")

    def _run(self, job, rate):
        """Calls what the job yields so many times a second; without a rate the job keeps its own time."""
        steps = job(self)
        due = time.monotonic()
        while not self.stopping.is_set():
            try:
                next(steps)
            except Exception as problem:
                self.problem(f"{job.__name__}: {problem!r}")
                steps = job(self)
            if rate:
                due = max(due + random.uniform(0.5, 1.5) / rate, time.monotonic() - 1)
                self.stopping.wait(max(0, due - time.monotonic()))
        steps.close()

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def expect(self, answer, status, what):
        if answer.status != status:
            self.problem(f"{what} is answered with {answer.status}, not {status}")

    def socket(self, request, receive_buffer=None):
        """A connection over which a request has been sent."""
        made = socket.socket()
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.settimeout(TIMEOUT)
        made.connect(("127.0.0.1", self.port))
        made.sendall(request)
        return made


# Each client is a generator, of which one step is one request.

def ask(load, connection):
    path, _, status, spans = random.choices(ROUTES, [route[1] for route in ROUTES])[0]
    method, path = path.split() if " " in path else ("GET", path)
    body = b"z" * random.choice(BODIES) if method == "POST" else None
    headers = {"traceparent": f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"} if random.random() < 0.5 else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    load.expect(answer, status, path)
    if body and text != body:
        load.problem("/echo says something else")
    load.add(requests=1, spans=spans, instrumented=2 if path == "/chain" else 1)


def kept_alive(load):
    connection = load.connection()
    while True:
        for _ in range(random.randint(1, 500)):
            ask(load, connection)
            yield
        connection.close()


def unkept(load):
    while True:
        connection = load.connection()
        ask(load, connection)
        connection.close()
        yield


def long_texts(load):
    connection = load.connection()
    while True:
        connection.request("GET", f"/long/{random.choice(LENGTHS)}")
        answer = connection.getresponse()
        answer.read()
        load.expect(answer, 200, "/long")
        load.add(requests=1, spans=2, instrumented=1)
        yield


def importing(load):
    """Spans of other programs, in both encodings, plain and packed; now and then the same again, which must not be recorded twice."""
    connection = load.connection()
    while True:
        data = batch(SPANS_IN_A_BATCH)
        binary, packed = random.random() < 0.5, random.random() < 0.5
        body = protobuf(data) if binary else json.dumps(data).encode()
        headers = {"content-type": "application/x-protobuf" if binary else "application/json"}
        if packed:
            body, headers["content-encoding"] = gzip.compress(body), "gzip"
        for _ in range(random.choice((1, 1, 1, 2))):
            connection.request("POST", "/v1/traces", body, headers)
            answer = connection.getresponse()
            if answer.read() not in (b"{}", b"") or answer.status != 200:
                load.problem(f"an import is answered with {answer.status}")
            load.add(requests=1)
        load.add(imported=SPANS_IN_A_BATCH)
        yield


def malformed(load):
    """What is no request, or no export: each is answered with an error of the client, or by the end of the connection."""
    text, binary = json.dumps(batch(10)).encode(), protobuf(batch(10))
    packed = gzip.compress(text)
    head = b"POST /v1/traces HTTP/1.1\r\nhost: soak\r\ncontent-type: %s\r\n"
    json_head, binary_head = head % b"application/json", head % b"application/x-protobuf"

    def whole(head, body, extra=b""):
        return head + extra + b"content-length: %d\r\n\r\n" % len(body) + body

    while True:
        cut = random.randint(1, len(text) - 2)
        kinds = (
            whole(json_head, text[:cut]),
            whole(json_head, os.urandom(500)),
            whole(json_head, b'{"resourceSpans": 7}'),
            whole(binary_head, binary[:random.randint(1, len(binary) - 1)] + b"\xff"),
            whole(binary_head, text),
            whole(json_head, packed[:random.randint(1, len(packed) - 9)], b"content-encoding: gzip\r\n"),
            whole(head % b"text/plain", text),
            b"GET /hello/you HTTP/1.1\r\nbad header\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            json_head + b"transfer-encoding: chunked\r\n\r\nnonsense\r\n",
        )
        with load.socket(random.choice(kinds)) as made:
            answer = received(made)
            if answer and not answer.startswith(b"HTTP/1.1 4"):
                load.problem(f"what is malformed is answered with {answer[:80]}")
        # A body that ends before its end is no request at all.
        with load.socket(json_head + b"content-length: %d\r\n\r\n" % len(text) + text[:cut]):
            pass
        load.add(requests=2)
        yield


def received(made):
    """What comes in answer, up to the end of the connection or the first pause behind something."""
    answer = b""
    while part := made.recv(65536):
        answer += part
        if not select.select([made], [], [], 0.02)[0]:
            break
    return answer


def impatient(load):
    """Leaves before the answer. The request is handled all the same."""
    while True:
        with load.socket(b"GET /slow HTTP/1.1\r\nhost: soak\r\n\r\n"):
            time.sleep(random.uniform(0.05, 0.2))
        load.add(requests=1, spans=2, instrumented=1)
        yield


def pages(load):
    """The dashboard and its data, the metrics for Prometheus; sometimes only the beginning is read."""
    while True:
        path = random.choice(("/otel", "/otel/traces.json", "/otel/metrics", "/otel/metrics", "/otel/trace/{id}", "/otel/trace/{id}.svg", "/otel/trace/{id}.json"))
        connection = load.connection()
        if "{id}" in path:
            connection.request("GET", "/otel/traces.json")
            traces = json.loads(connection.getresponse().read())["traces"]
            path = path.replace("{id}", random.choice(traces)["trace"] if traces else "0" * 32)
            load.add(requests=1)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read(1000 if random.random() < 0.2 else None)
        # The ring may have forgotten a trace meanwhile.
        if answer.status != 200 and not (answer.status == 404 and "/trace/" in path):
            load.problem(f"{path} is answered with {answer.status}")
        connection.close()
        load.add(requests=1)
        yield


def following(load):
    """Reads the live stream, leaves in the middle and comes back with the last id: nothing may be missing that no otel.gap tells."""
    last = None
    while True:
        connection = load.connection()
        connection.request("GET", "/otel/stream", headers={"last-event-id": str(last)} if last is not None else {})
        last, is_open = read_stream(load, connection.getresponse(), last, random.uniform(5, 40))
        if not is_open:
            load.problem("the stream has ended")
        connection.close()
        if random.random() < 0.3:
            last = None
        yield
        load.stopping.wait(random.uniform(0, 3))


def read_stream(load, answer, last, seconds):
    """Reads for so long: the id of the last span then, and whether the stream goes on."""
    until, rest = time.monotonic() + seconds, b""
    while time.monotonic() < until and not load.stopping.is_set():
        part = answer.read1(1 << 16)
        if not part:
            return last, False
        *blocks, rest = (rest + part).split(b"\n\n")
        for block in blocks:
            last = heard(load, block, last)
    return last, True


EVENT, ID, MISSED = re.compile(rb"event: ?(\S+)"), re.compile(rb"^id: ?(\d+)", re.M), re.compile(rb'"missed": ?(\d+)')


def heard(load, block, last):
    """The id of the last span after this event."""
    event, number = EVENT.search(block), ID.search(block)
    kind = event.group(1) if event else b""
    if kind == b"otel.gap":
        missed = int(MISSED.search(block).group(1))
        load.add(missed=missed)
        return last + missed if last is not None else None
    if kind == b"otel.span":
        number = int(number.group(1))
        if last is not None and number != last + 1:
            load.problem(f"the stream goes from span {last} to {number}")
        load.add(events=1)
        return number
    return last


def stalling(load):
    """Begins to read the stream and stops: until the server has cut it off, or until it reads on and hears how much it has missed."""
    while True:
        connection = load.connection()
        connection.sock = load.socket(b"", receive_buffer=4096)
        connection.request("GET", "/otel/stream?after=0")
        answer = connection.getresponse()
        load.stopping.wait(random.choice((5, 15, 45)))
        try:
            read_stream(load, answer, 0, 10)
        except (OSError, http.client.HTTPException):
            pass
        connection.close()
        yield


def leaving(load):
    """Opens streams and leaves at once."""
    while True:
        made = [load.socket(b"GET /otel/stream HTTP/1.1\r\nhost: soak\r\n\r\n") for _ in range(3)]
        time.sleep(random.uniform(0, 0.5))
        for one in made:
            one.close()
        yield


def probing(load):
    """Evaluates inside of the server, also what fails, and what is given up while it waits."""
    while True:
        source, status = random.choice((("(otel/stats)", 0), ("(len (otel/recent 10))", 0), ("(otel/open-spans)", 0), ("(car 7)", 1), ("(sleep 60000)", None)))
        command = [measure.SX, "eval", "--connect", load.probe, source]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if status is None:
            time.sleep(0.2)
            process.send_signal(random.choice((signal.SIGKILL, signal.SIGINT)))
        process.communicate(timeout=TIMEOUT)
        if status is not None and process.returncode != status:
            load.problem(f"{source} ends with {process.returncode}")
        load.add(evaluations=1)
        yield
