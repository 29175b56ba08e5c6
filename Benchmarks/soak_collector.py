"""The collector of the soak: takes OTLP over HTTP, behaves well and badly in turn, and keeps count of every span by its id."""
import gzip
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What it does with a request for so many seconds, in turn. `lost` takes the spans and says nothing, so they come again.
PHASES = (("up", 40), ("unavailable", 12), ("up", 20), ("slow", 15), ("too many", 12), ("up", 20), ("broken", 15), ("lost", 8), ("up", 20),
          ("down", 20), ("up", 20), ("too slow", 10), ("partial", 8), ("refused", 6))
SLOW_SECONDS = 0.7
TOO_SLOW_SECONDS = 4            # longer than the exporter's timeout, which the soak sets to 2 s
REJECTED_OF_PARTIAL = 3
PROTOBUF = "application/x-protobuf"


class Collector:
    """Listens on a free port. `phases` are its moods with their seconds; after the last one comes the first again."""

    def __init__(self, phases=PHASES):
        self._phases, self._lock = phases, threading.Lock()
        self.taken = set()          # ids of spans whose acceptance was answered
        self.unanswered = set()     # taken, but the answer was kept back or came too late; they may come again
        self.rejected = set()       # refused in an answer of success
        self.repeated = 0           # taken a second time although the answer to the first one was sent
        self.repeated_rightly = 0   # taken a second time because that answer was not
        self.requests = {}          # by mood
        self.counted = 0            # requests in the last metrics that arrived
        self.problems = []
        self.mood = "up"
        self._connections, self._server = set(), None
        self._stopping = threading.Event()
        self._listen(0)
        self.port = self._server.server_port

    # Listening

    def _listen(self, port):
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with collector._lock:
                    collector._connections.add(self.connection)

            def finish(self):
                with collector._lock:
                    collector._connections.discard(self.connection)
                try:
                    super().finish()
                except OSError:
                    pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass

            def do_POST(self):
                collector._take(self)

            def log_message(self, *_):
                pass

        for attempt in range(100):
            try:
                self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
                break
            except OSError:
                if attempt == 99:
                    raise
                time.sleep(0.1)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def _hang_up(self):
        """Stops listening and ends every connection."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def follow_phases(self):
        """Changes moods until `behave`; for a thread of its own."""
        while True:
            for mood, seconds in self._phases:
                self._change(mood)
                if self._stopping.wait(seconds):
                    self._change("up")
                    return

    def behave(self):
        """Takes everything from now on."""
        self._stopping.set()

    def _change(self, mood):
        if mood == "down":
            self._hang_up()
        elif self.mood == "down":
            self._listen(self.port)
        self.mood = mood

    # Taking

    def _take(self, handler):
        mood = self.mood
        body = handler.rfile.read(int(handler.headers["content-length"]))
        if handler.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        with self._lock:
            self.requests[mood] = self.requests.get(mood, 0) + 1
        try:
            kind = handler.headers["content-type"]
            if handler.path.endswith("/metrics"):
                take, content = self._take_metrics, self._request_count(body, kind)
            else:
                take, content = self._take_spans, self._span_ids(body, kind)
        except Exception as problem:        # whatever the body is, the soak goes on and tells
            self.problems.append(f"{handler.path}: {problem!r}: {body[:200]!r}")
            return self._answer(handler, 400)
        if mood == "up" or mood == "down":
            self._answer(handler, 200) and take(content)
        elif mood == "unavailable":
            self._answer(handler, 503, {"retry-after": "2"})
        elif mood == "too many":
            self._answer(handler, 429, {"retry-after": "1"})
        elif mood == "refused":
            self._answer(handler, 400)
        elif mood == "slow":
            time.sleep(SLOW_SECONDS)
            self._answer(handler, 200) and take(content)
        elif mood == "too slow":
            time.sleep(TOO_SLOW_SECONDS)
            take(content, answered=False)
            self._answer(handler, 200)
        elif mood == "lost":
            take(content, answered=False)
            self._reset(handler)
        elif mood == "broken":
            self._reset(handler)
        elif mood == "partial":
            self._take_partly(handler, take, content)

    def _take_partly(self, handler, take, ids):
        if take != self._take_spans:
            return self._answer(handler, 200) and take(ids)
        count = min(REJECTED_OF_PARTIAL, len(ids))
        answer = {"partialSuccess": {"rejectedSpans": str(count), "errorMessage": "these are too many"}}
        if self._answer(handler, 200, body=answer):
            with self._lock:
                self.rejected.update(ids[:count])
            take(ids[count:])

    def _span_ids(self, body, kind):
        if kind == PROTOBUF:
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
            message = ExportTraceServiceRequest.FromString(body)
            return [int.from_bytes(span.span_id, "big") for group in message.resource_spans for scope in group.scope_spans for span in scope.spans]
        groups = json.loads(body)["resourceSpans"]
        return [int(span["spanId"], 16) for group in groups for scope in group["scopeSpans"] for span in scope["spans"]]

    def _request_count(self, body, kind):
        """How many requests the histogram of an export of metrics tells of."""
        if kind == PROTOBUF:
            from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
            message = ExportMetricsServiceRequest.FromString(body)
            return sum(point.count for group in message.resource_metrics for scope in group.scope_metrics for metric in scope.metrics
                       for point in metric.histogram.data_points)
        return sum(int(point["count"]) for group in json.loads(body)["resourceMetrics"] for scope in group["scopeMetrics"]
                   for metric in scope["metrics"] for point in metric["histogram"]["dataPoints"])

    def _take_spans(self, ids, answered=True):
        with self._lock:
            for one in ids:
                if one in self.taken:
                    self.repeated += 1
                elif one in self.unanswered:
                    self.repeated_rightly += 1
                if answered:
                    self.taken.add(one)
                    self.unanswered.discard(one)
                elif one not in self.taken:
                    self.unanswered.add(one)

    def _take_metrics(self, count, answered=True):
        self.counted = max(self.counted, count)

    # Answering

    def _answer(self, handler, status, headers=None, body=None):
        """Whether the answer could be written."""
        text = json.dumps(body or {}).encode()
        if handler.headers["content-type"] == PROTOBUF:
            text = partial_success(body)
        try:
            handler.send_response(status)
            for name, value in {"content-type": handler.headers["content-type"], "content-length": str(len(text)), **(headers or {})}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(text)
            return True
        except OSError:
            handler.close_connection = True
            return False

    def _reset(self, handler):
        """Ends the connection the hard way."""
        handler.close_connection = True
        try:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
        except OSError:
            pass


def partial_success(body):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
    answer = ExportTraceServiceResponse()
    if body:
        answer.partial_success.rejected_spans = int(body["partialSuccess"]["rejectedSpans"])
        answer.partial_success.error_message = body["partialSuccess"]["errorMessage"]
    return answer.SerializeToString()
