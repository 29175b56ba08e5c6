"""A collector in miniature: takes OTLP over HTTP and reads it strictly, with the message types of the protocol and with
the validator of the tools."""

import base64
import gzip
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sx_process import PATIENCE, ROOT


def parse_strictly(text: str, message=ExportTraceServiceRequest):
    """The message that the JSON stands for; an unknown field is an error."""
    return json_format.ParseDict(_with_ids_as_bytes(json.loads(text)), message(), ignore_unknown_fields=False)


def validate(payload: str, kind: str = "traces"):
    """Raises unless the strict validator has nothing to say about the payload."""
    verdict = subprocess.run(
        [sys.executable, str(ROOT / "Tests/Tools/otlp_validate.py"), kind], input=payload, capture_output=True, text=True, timeout=PATIENCE
    )
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def _with_ids_as_bytes(value):
    """OTLP writes ids in hex where the JSON mapping of protobuf has base64."""
    if isinstance(value, list):
        return [_with_ids_as_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else _with_ids_as_bytes(item)
        for key, item in value.items()
    }


def spans_of(message: ExportTraceServiceRequest) -> list:
    return [span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]


def attributes(carrier) -> dict:
    """Attributes of simple types as a dict."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in carrier.attributes}


@dataclass
class Export:
    path: str
    headers: dict[str, str]
    #: The body as it was, when it was JSON.
    text: str
    message: ExportTraceServiceRequest


#: An answer that is none: the connection ends after the request was read.
BROKEN = (0, {}, "")


class Receiver:
    """Listens on a free port of loopback. Answers with the given statuses in turn, and with 200 after that; a header `delay`
    is not sent but waited for, in seconds. The answers are for traces, `metric_answers` for metrics."""

    def __init__(self, answers: tuple[tuple[int, dict[str, str], str | bytes], ...] = (), metric_answers=(), port: int = 0):
        self.exports: list[Export] = []
        self.metric_exports: list[Export] = []
        self.problems: list[str] = []
        #: All bodies that arrived, whatever the answer was, and when.
        self.arrivals: list[tuple[float, ExportTraceServiceRequest]] = []
        self.attempts = self.metric_attempts = 0
        self._answers = list(answers)
        self._metric_answers = list(metric_answers)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver._take(self)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def _take(self, handler):
        metrics = handler.path.endswith("/metrics")
        if metrics:
            self.metric_attempts += 1
        else:
            self.attempts += 1
        body = handler.rfile.read(int(handler.headers["content-length"]))
        if handler.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        answers = self._metric_answers if metrics else self._answers
        status, headers, answer = answers.pop(0) if answers else (200, {}, "{}")
        headers = dict(headers)
        answer = answer if isinstance(answer, bytes) else answer.encode()
        try:
            kind = ExportMetricsServiceRequest if metrics else ExportTraceServiceRequest
            binary = handler.headers.get("content-type") == "application/x-protobuf"
            message = kind.FromString(body) if binary else parse_strictly(body.decode(), kind)
            text = "" if binary else body.decode()
            if not binary:
                validate(text, "metrics" if metrics else "traces")
            if not metrics:
                self.arrivals.append((time.monotonic(), message))
            if status == 200:
                names = {name.lower(): value for name, value in handler.headers.items()}
                (self.metric_exports if metrics else self.exports).append(Export(handler.path, names, text, message))
        except Exception as problem:
            self.problems.append(f"{problem}: {body[:2000]!r}")
            status = 400
        time.sleep(float(headers.pop("delay", 0)))
        if status == 0:
            handler.close_connection = True
            handler.connection.close()
            return
        try:
            handler.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(answer)), **headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(answer)
        except OSError:
            # Whoever asked has gone.
            handler.close_connection = True

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list:
        """All spans that were accepted, in the order of arrival."""
        assert not self.problems, self.problems
        return [span for export in list(self.exports) for span in spans_of(export.message)]

    @property
    def points(self) -> list:
        """The data points of the metrics that arrived last."""
        assert not self.problems, self.problems
        if not self.metric_exports:
            return []
        message = self.metric_exports[-1].message
        return [
            point
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.histogram.data_points
        ]

    @property
    def ids(self) -> list[tuple[str, str]]:
        return [(span.trace_id.hex(), span.span_id.hex()) for span in self.spans]
