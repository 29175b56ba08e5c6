"""POST /v1/traces as others use it: the OpenTelemetry SDK for Python, the examples of the protocol, and senders that get everything wrong."""

import gzip
import http.client
import json
import os
import socket
import struct
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.rpc import status_pb2
from opentelemetry import trace
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JSONExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ProtobufExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags

from otlp_receiver import Receiver, attributes, parse_strictly, spans_of, validate
from sx_process import PATIENCE, ROOT, wait_until

#: The examples that the protocol's own repository has.
EXAMPLES = Path(os.environ.get("OTLP_EXAMPLES", ROOT.parent / "shared/data/otlp"))

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
MIB = 1 << 20


@dataclass
class Answer:
    status: int
    type: str
    body: bytes


def post(server, body: bytes, type: str = PROTOBUF, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", "/v1/traces", body=body, headers={"content-type": type, **named})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers["content-type"], answer.read())
    finally:
        connection.close()


def export(*spans: dict) -> dict:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def json_span(**changes) -> dict:
    return {"traceId": TRACE, "spanId": SPAN, "name": "s", "startTimeUnixNano": "1000", "endTimeUnixNano": "2000", **changes}


def message(**changes) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    values = {"trace_id": bytes.fromhex(TRACE), "span_id": bytes.fromhex(SPAN), "name": "s", "start_time_unix_nano": 1000, "end_time_unix_nano": 2000}
    request.resource_spans.add().scope_spans.add().spans.add(**{**values, **changes})
    return request


def goes_on(server) -> bool:
    """Whether the server still takes a sound export."""
    before = server.value("(otel/sequence)")
    # With an id of its own: what the ring holds is not taken again.
    return post(server, message(span_id=os.urandom(8)).SerializeToString()).status == 200 and server.value("(otel/sequence)") == before + 1


def peak_memory(server) -> int:
    """The most memory that the process has ever had, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


# ── The real SDK ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip], ids=["plain", "gzip"])
@pytest.mark.parametrize("exporter", [ProtobufExporter, JSONExporter], ids=["protobuf", "json"])
def test_what_the_sdk_for_python_exports_arrives_whole(serve, exporter, compression):
    server = serve()
    by_name = {"compression": compression} if exporter is ProtobufExporter else {"compression": type_of_json(compression)}
    provider = TracerProvider(resource=Resource.create({"service.name": "kiosk", "service.version": "1.2"}))
    provider.add_span_processor(BatchSpanProcessor(exporter(endpoint=f"{server.url}/v1/traces", **by_name)))
    tracer = provider.get_tracer("kiosk.lib", "0.9", attributes={"scope": True})
    remote = SpanContext(int("1" * 32, 16), int("2" * 16, 16), is_remote=True, trace_flags=TraceFlags(1))
    with tracer.start_as_current_span("sell", kind=SpanKind.SERVER, links=[Link(remote, {"why": "batch"})]) as root:
        root.set_attributes({"text": "Grüße", "whole": -(2**60), "half": 0.5, "yes": True, "many": [1, 2], "none": []})
        root.add_event("halfway", {"percent": 50})
        with tracer.start_as_current_span("ask", kind=SpanKind.CLIENT):
            pass
        with pytest.raises(ZeroDivisionError), tracer.start_as_current_span("divide"):
            1 / 0
    provider.shutdown()
    spans = {span["name"]: span for span in server.wait_for_spans(3)}
    assert spans.keys() == {"sell", "ask", "divide"}
    sell = spans["sell"]
    assert sell["attrs"] == {"text": "Grüße", "whole": -(2**60), "half": 0.5, "yes": True, "many": [1, 2], "none": []}
    assert (sell["kind"], sell["parent"], sell["status"]) == ("server", None, "unset")
    assert sell["trace"] == trace.format_trace_id(root.get_span_context().trace_id)
    assert (sell["t0"], sell["t1"]) == (root.start_time, root.end_time)
    assert sell["resource"]["service.name"] == "kiosk"
    assert sell["resource"]["telemetry.sdk.language"] == "python"
    assert sell["scope"] == {"name": "kiosk.lib", "version": "0.9", "attrs": {"scope": True}}
    (event,) = sell["events"]
    assert (event["name"], event["attrs"]) == ("halfway", {"percent": 50})
    (link,) = sell["links"]
    assert (link["trace"], link["span"], link["attrs"]) == ("1" * 32, "2" * 16, {"why": "batch"})
    assert (spans["ask"]["kind"], spans["ask"]["parent"]) == ("client", sell["span"])
    assert (spans["divide"]["status"], spans["divide"]["status-message"]) == ("error", "ZeroDivisionError: division by zero")
    assert spans["divide"]["events"][0]["attrs"]["exception.type"] == "ZeroDivisionError"


def type_of_json(compression: Compression):
    """The JSON exporter has a type of its own for the same thing."""
    from opentelemetry.exporter.otlp.common.http import Compression as Other

    return Other(compression.value)


def test_the_sdk_hears_of_a_refusal(serve):
    server = serve()
    exporter = ProtobufExporter(endpoint=f"{server.url}/v1/logs")
    assert exporter.export([]).name == "FAILURE"
    assert ProtobufExporter(endpoint=f"{server.url}/v1/traces").export([]).name == "SUCCESS"


# ── The examples of the protocol ─────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the examples of the protocol are not at {EXAMPLES}")
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_example_of_a_trace_is_taken(serve, compress):
    server = serve()
    headers = {} if compress is bytes else {"content_encoding": "gzip"}
    assert post(server, compress((EXAMPLES / "trace.json").read_bytes()), JSON, **headers) == Answer(200, JSON, b"{}")
    (span,) = server.spans()
    assert span["name"] == "I'm a server span"
    assert (span["trace"], span["span"], span["parent"]) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173")
    assert span["attrs"] == {"my.span.attr": "some value"}
    assert span["resource"] == {"service.name": "my.service"}


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the examples of the protocol are not at {EXAMPLES}")
@pytest.mark.parametrize("name", ["metrics.json", "logs.json"])
def test_the_examples_of_other_signals_hold_no_spans(serve, name):
    server = serve()
    assert post(server, (EXAMPLES / name).read_bytes(), JSON).status == 200
    assert server.spans() == []


# ── In and out again ─────────────────────────────────────────────────────────────────────────────


def normal(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """With every message there, which may as well be left out when nothing is in it."""
    for resource in request.resource_spans:
        resource.resource.SetInParent()
        for scope in resource.scope_spans:
            scope.scope.SetInParent()
            for span in scope.spans:
                span.status.SetInParent()
    return request


def rich() -> ExportTraceServiceRequest:
    """A request that says whatever a request can say."""

    def describe(carrier):
        carrier.attributes.add(key="text").value.string_value = "Grüße"
        carrier.attributes.add(key="bytes").value.bytes_value = b"\0\xff"
        carrier.attributes.add(key="empty").value.SetInParent()
        carrier.attributes.add(key="half").value.double_value = 0.5
        carrier.attributes.add(key="many").value.array_value.values.add().kvlist_value.values.add(key="k").value.int_value = -(2**63)
        carrier.dropped_attributes_count = 7

    request = ExportTraceServiceRequest()
    for n in range(2):
        resource = request.resource_spans.add(schema_url=f"https://example.org/{n}")
        resource.resource.attributes.add(key="service.name").value.string_value = "kiosk"
        describe(resource.resource)
        for m in range(2):
            scope = resource.scope_spans.add(schema_url=f"https://example.com/{m}")
            scope.scope.name, scope.scope.version = "lib", f"1.{m}"
            describe(scope.scope)
            for k in range(2):
                span = scope.spans.add(
                    trace_id=bytes.fromhex(TRACE), span_id=bytes([1, 0, 0, 0, 0, n, m, k]), parent_span_id=bytes.fromhex(SPAN) if k else b"",
                    trace_state="a=1", name="s", kind=k + 4, start_time_unix_nano=2**60 + 1, end_time_unix_nano=2**60 + 3,
                    dropped_events_count=2, dropped_links_count=3, flags=(0x301, 0x101)[m] if k else 0xFFFF00FF,
                )  # fmt: skip
                span.status.code, span.status.message = k + 1, "said"
                describe(span)
                describe(span.events.add(name="e", time_unix_nano=2**60 + 2))
                describe(span.links.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), trace_state="b=2", flags=0x301 if k else 1))
    return request


def given_back(server, sx) -> ExportTraceServiceRequest:
    outcome = sx("export", "back.json", "--connect", str(server.probe_path))
    assert outcome.status == 0, outcome.err
    text = (sx.folder / "back.json").read_text()
    return normal(parse_strictly(text))


def test_what_is_imported_is_exported_as_it_came(serve, sx):
    first, second = serve(), serve(probe=sx.folder / "second")
    assert post(first, rich().SerializeToString()) == Answer(200, PROTOBUF, b"")
    assert given_back(first, sx) == normal(rich())
    validate((sx.folder / "back.json").read_text())
    # From the file once more, in JSON this time.
    outcome = sx("import", "back.json", "--connect", str(second.probe_path))
    assert (outcome.status, outcome.err) == (0, "8 spans put into the server\n")
    assert given_back(second, sx) == normal(rich())


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the examples of the protocol are not at {EXAMPLES}")
def test_the_example_of_a_trace_is_exported_as_it_came(serve, sx):
    server = serve()
    outcome = sx("import", str(EXAMPLES / "trace.json"), "--connect", str(server.probe_path))
    assert (outcome.status, outcome.err) == (0, "1 span put into the server\n")
    assert given_back(server, sx) == normal(parse_strictly((EXAMPLES / "trace.json").read_text()))


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_has_the_encoding_of_the_request(serve):
    server = serve()
    assert post(server, message().SerializeToString()) == Answer(200, PROTOBUF, b"")
    assert post(server, json.dumps(export(json_span())).encode(), JSON) == Answer(200, JSON, b"{}")
    assert post(server, json.dumps(export(json_span())).encode(), JSON + "; charset=utf-8") == Answer(200, JSON, b"{}")
    refusal = post(server, b"\x0a\x05")
    assert (refusal.status, refusal.type) == (400, PROTOBUF)
    status = status_pb2.Status.FromString(refusal.body)
    assert (status.code, "beyond the end" in status.message) == (3, True)
    refusal = post(server, b"{", JSON)
    assert (refusal.status, refusal.type) == (400, JSON)
    assert json.loads(refusal.body)["code"] == 3


def test_spans_with_ids_of_a_wrong_length_are_left_out_and_counted(serve):
    server = serve()
    request = message()
    spans = request.resource_spans[0].scope_spans[0].spans
    for trace_id, span_id in ((b"", b"12345678"), (b"1" * 15, b"12345678"), (b"1" * 17, b"12345678"), (b"1" * 16, b"1234567"), (b"1" * 16, bytes(8))):
        spans.add(trace_id=trace_id, span_id=span_id, name="bad")
    answer = post(server, request.SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_spans, partial.error_message) == (200, 5, "spans without valid ids were left out")
    assert [span["name"] for span in server.spans()] == ["s"]
    answer = post(server, json.dumps(export(json_span(spanId="1" * 16), json_span(traceId=TRACE[1:]), json_span(spanId="g" * 16))).encode(), JSON)
    assert json.loads(answer.body)["partialSuccess"]["rejectedSpans"] == "2"
    assert len(server.spans()) == 2


@pytest.mark.parametrize("encode", [lambda spans: (spans.SerializeToString(), PROTOBUF), None], ids=["protobuf", "json"])
def test_a_span_that_ends_before_it_starts_lasts_for_no_time(serve, encode):
    server = serve()
    body, type = encode(message(end_time_unix_nano=5)) if encode else (json.dumps(export(json_span(endTimeUnixNano="5"))).encode(), JSON)
    assert post(server, body, type).status == 200
    (span,) = server.spans()
    assert (span["t0"], span["t1"]) == (1000, 1000)
    assert server.get(f"/otel/trace/{TRACE}").status == 200


def test_ten_thousand_attributes_are_taken(serve):
    server = serve()
    request = message()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    for i in range(10_000):
        span.attributes.add(key=f"k{i}").value.int_value = i
    assert post(server, request.SerializeToString()).status == 200
    attrs = server.value(f'(get (first (otel/trace-spans "{TRACE}")) :attrs)')
    assert len(attrs) == 10_000
    assert attrs["k9999"] == 9999
    assert server.get(f"/otel/trace/{TRACE}").status == 200


# ── Bad input ────────────────────────────────────────────────────────────────────────────────────


def nested(levels: int) -> bytes:
    """An export whose only attribute has a value inside a list inside a list …"""

    def block(number: int, content: bytes) -> bytes:
        length, left = b"", len(content)
        while True:
            length += bytes([left & 127 | (128 if left > 127 else 0)])
            left >>= 7
            if not left:
                return bytes([number << 3 | 2]) + length + content

    value = b"\x10\x01"
    for _ in range(levels):
        value = block(5, block(1, value))
    span = block(1, bytes.fromhex(TRACE)) + block(2, bytes.fromhex(SPAN)) + block(9, block(1, b"k") + block(2, value))
    return block(1, block(2, block(2, span)))


def nested_json(levels: int) -> bytes:
    opening, closing = '{"arrayValue":{"values":[' * levels, "]}}" * levels
    span = json.dumps(json_span(attributes=[{"key": "k", "value": "HERE"}])).replace('"HERE"', opening + '{"boolValue":true}' + closing)
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}'.encode()


SOUND = message().SerializeToString()
PACKED = gzip.compress(SOUND)

BAD = {
    "protobuf cut off": (SOUND[:-3], PROTOBUF, None, 400),
    "protobuf with a length beyond the end": (b"\x0a\xff\xff\xff\xff\x07" + SOUND, PROTOBUF, None, 400),
    "protobuf with a number without end": (b"\xff" * 40, PROTOBUF, None, 400),
    "resource_spans as a number": (b"\x08\x01", PROTOBUF, None, 400),
    "start time as text": (message(start_time_unix_nano=0).SerializeToString().replace(b"\x41\xd0\x07", b"\x42\xd0\x07"), PROTOBUF, None, 400),
    "a name that is not UTF-8": (SOUND.replace(b"*\x01s", b"*\x01\xff"), PROTOBUF, None, 400),
    "JSON sent as protobuf": (b'{"resourceSpans":[]}', PROTOBUF, None, 400),
    "protobuf sent as JSON": (SOUND, JSON, None, 400),
    "values in values, protobuf": (nested(2000), PROTOBUF, None, 400),
    "values in values, JSON": (nested_json(2000), JSON, None, 400),
    "JSON that is not UTF-8": (b'{"resourceSpans":[{"x":"\xff"}]}', JSON, None, 400),
    "JSON of another shape": (b'{"resourceSpans":{"a":1}}', JSON, None, 400),
    "gzip cut off": (PACKED[:-6], PROTOBUF, "gzip", 400),
    "gzip cut off in its header": (PACKED[:5], PROTOBUF, "gzip", 400),
    "gzip without content": (b"", PROTOBUF, "gzip", 400),
    "gzip with a wrong checksum": (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], PROTOBUF, "gzip", 400),
    "gzip with more behind it": (PACKED + b"xxxx", PROTOBUF, "gzip", 400),
    "zlib for gzip": (zlib.compress(SOUND), PROTOBUF, "gzip", 400),
    "no gzip although it says so": (SOUND, PROTOBUF, "gzip", 400),
    "another compression": (SOUND, PROTOBUF, "br", 415),
    "another content type": (SOUND, "application/octet-stream", None, 415),
    "no content type": (SOUND, "", None, 415),
}


@pytest.fixture(scope="module")
def one_server(tmp_path_factory):
    """A server that outlives all of it."""
    from sx_process import Server

    server = Server(tmp_path_factory.mktemp("receiver")).wait_for_port()
    yield server
    assert server.kill() is None, server.err


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_and_the_server_goes_on(one_server, name):
    body, type, encoding, status = BAD[name]
    before = one_server.value("(otel/sequence)")
    answer = post(one_server, body, type, **({"content_encoding": encoding} if encoding else {}))
    assert answer.status == status, answer.body
    if answer.type == PROTOBUF:
        assert status_pb2.Status.FromString(answer.body).message
    else:
        assert json.loads(answer.body)["message"]
    assert one_server.value("(otel/sequence)") == before
    assert goes_on(one_server)


def test_every_cut_of_a_message_is_refused_or_a_message_itself(one_server):
    """Nothing between the first byte and the last makes the server stumble."""
    for end in range(len(SOUND)):
        expected = 200 if end == 0 else 400
        assert post(one_server, SOUND[:end]).status == expected, end
    assert goes_on(one_server)


def test_some_depth_is_fine(one_server):
    assert post(one_server, nested(40)).status == 200
    assert post(one_server, nested_json(40), JSON).status == 200
    assert one_server.get(f"/otel/trace/{TRACE}").status == 200


def test_a_bomb_is_refused_before_it_unfolds(serve):
    server = serve()
    assert goes_on(server)
    # A gigabyte of zeros in one megabyte.
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(1024)) + packer.flush()
    assert len(bomb) < 2 * MIB
    before = peak_memory(server)
    # It even lies about its size.
    for body in (bomb, bomb[:-4] + struct.pack("<I", 100)):
        answer = post(server, body, content_encoding="gzip")
        assert answer.status == 413
        assert status_pb2.Status.FromString(answer.body).code == 8
    assert peak_memory(server) - before < 200 * MIB
    assert goes_on(server)


def test_a_large_body_that_unpacks_to_less_than_the_limit_is_taken(serve):
    server = serve()
    body = json.dumps(export(json_span(attributes=[{"key": "k", "value": {"stringValue": "x" * (40 * MIB)}}]))).encode()
    assert post(server, gzip.compress(body), JSON, content_encoding="gzip").status == 200
    assert server.value(f'(string-length (get-in (first (otel/trace-spans "{TRACE}")) (list "attrs" "k")))') == 40 * MIB


def test_a_body_that_is_too_large_as_it_comes_is_refused(serve):
    server = serve()
    assert post(server, bytes(65 * MIB)).status == 413
    assert goes_on(server)


def test_others_are_served_while_bombs_unfold(serve):
    server = serve()
    bomb = gzip.compress(bytes(200 * MIB))
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(post(server, bomb, content_encoding="gzip").status)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert server.get("/health").status == 200
    for thread in threads:
        thread.join(PATIENCE)
    assert statuses == [413] * 4
    assert goes_on(server)


def many_spans(count: int) -> bytes:
    request = message()
    spans = request.resource_spans[0].scope_spans[0].spans
    for n in range(count):
        spans.add(trace_id=bytes.fromhex(TRACE), span_id=struct.pack(">Q", n + 1), name="s", start_time_unix_nano=1000, end_time_unix_nano=2000)
    return request.SerializeToString()


def test_others_are_served_while_a_long_import_goes_on(serve):
    server = serve()
    body = many_spans(100_000)
    # Where this process gets no time for so long that the import is over, it proves nothing.
    assert any(served_before_the_end(server, body) for _ in range(5))
    assert server.value("(get (otel/stats) :recorded)") >= 100_001


def served_before_the_end(server, body: bytes) -> bool:
    """Whether ten requests, one after the other, are answered between the last byte of an import and its answer."""
    head = f"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {len(body)}\r\n\r\n"
    with server.connect() as connection, connection.makefile("rb") as stream:
        connection.sendall(head.encode() + body)
        assert [server.get("/health").status for _ in range(10)] == [200] * 10
        connection.setblocking(False)
        try:
            connection.recv(1, socket.MSG_PEEK)
            goes_on = False
        except BlockingIOError:
            goes_on = True
        connection.settimeout(PATIENCE)
        assert stream.readline().split()[1] == b"200"
        return goes_on


# ── The other way: our own export in protobuf ────────────────────────────────────────────────────


def test_the_exporter_speaks_protobuf_when_the_environment_says_so(serve):
    with Receiver() as receiver:
        server = serve(
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_BSP_SCHEDULE_DELAY="100",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        )
        server.get("/boom", {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=1"})
        wait_until(lambda: len(receiver.spans) == 2, "2 spans at the receiver", seconds=60)
        headers = receiver.exports[0].headers
        assert (headers["content-type"], headers["content-encoding"]) == (PROTOBUF, "gzip")
        spans = {span.name: span for span in receiver.spans}
        root, child = spans["GET /boom"], spans["check the boiler"]
        assert (root.trace_id.hex(), root.parent_span_id.hex(), root.trace_state) == (TRACE, SPAN, "a=1")
        assert (root.kind, root.status.code, root.flags) == (2, 2, 0x301)
        assert attributes(root)["http.response.status_code"] == 500
        assert child.parent_span_id == root.span_id
        (event,) = child.events
        assert attributes(event)["exception.message"] == "the boiler has burst"
        ours = {(span["trace"], span["span"], span["t0"], span["t1"]) for span in server.spans()}
        assert ours == {(s.trace_id.hex(), s.span_id.hex(), s.start_time_unix_nano, s.end_time_unix_nano) for s in receiver.spans}


def test_a_partial_success_in_protobuf_is_reported(serve):
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 1
    answer.partial_success.error_message = "too long a name"
    with Receiver(answers=((200, {"content-type": PROTOBUF}, answer.SerializeToString()),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        server.get("/health")
        wait_until(lambda: "rejected 1 of 1 spans: too long a name" in server.err, "the collector's message", seconds=60)
        assert receiver.attempts == 1


def test_values_of_every_type_survive_in_protobuf(sx):
    source = """
      (otel/with-span "work" {:text "Grüße" :whole -9007199254740993 :fraction 0.5 :truth true :many (list 1 "two" nil)
                              :nested {:inner (list false)} :bytes (bytevector 0 255)}
        (fn () nil))"""
    with Receiver() as receiver:
        program = sx.write("program.sx", source)
        outcome = sx("run", str(program), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        assert outcome.status == 0, outcome.err
        (span,) = receiver.spans
        values = attributes(span)
        assert (values["text"], values["whole"], values["fraction"], values["truth"]) == ("Grüße", -9007199254740993, 0.5, True)
        assert [value.WhichOneof("value") for value in values["many"].values] == ["int_value", "string_value", None]
        assert values["nested"].values[0].value.array_value.values[0].bool_value is False
        assert values["bytes"] == b"\0\xff"
        assert spans_of(receiver.exports[0].message) == [span]


# ── Bodies ───────────────────────────────────────────────────────────────────────────────────────


ECHO = """
(define app
  (host/make-app
    (list (dream-post "/bytes" (fn (request) (dream-response 200 {} (dream-body-bytes request))))
          (dream-post "/text" (fn (request) (dream-text (dream-body request)))))))
"""


def send(server, path: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.request("POST", path, body=body)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_bodies_are_bytes_for_who_wants_them_and_text_for_the_others(serve):
    server = serve(ECHO)
    everything = bytes(range(256)) * 3
    assert send(server, "/bytes", everything) == everything
    assert send(server, "/bytes", "Grüße".encode()) == "Grüße".encode()
    assert send(server, "/text", b"a\xffb") == "a\ufffdb".encode()
    assert send(server, "/bytes", b"") == b""
    port = server.port
    answer = f'(http/request {{:method "POST" :url "http://127.0.0.1:{port}/bytes" :body (bytevector 0 255 7)}})'
    assert server.value(f"(bytevector->list (get {answer} :body))") == [0, 255, 7]
