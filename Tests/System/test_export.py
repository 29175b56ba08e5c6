"""OTLP/JSON as others read it: a strict validator, and a collector at the other end of a real connection."""

import json
import signal
import subprocess
import threading
import time
from email.utils import formatdate

import pytest

from otlp_receiver import BROKEN, Receiver, attributes, parse_strictly, spans_of, validate
from sx_process import PATIENCE, ROOT, binary, environment, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"

#: Attributes of every type, an event, a link, a status.
EVERYTHING = """
(define (everything request)
  (otel/with-span "everything" {:text "Grüße \\"quoted\\"\\n"
                                :whole 9007199254740993
                                :fraction 0.5
                                :truth true
                                :falsehood false
                                :many (list 1 "two" 3.5)
                                :nested {:inner (list true)}}
    (fn ()
      (otel/add-event! "halfway" {:percent 50})
      (otel/add-link! {:trace "11111111111111111111111111111111" :span "2222222222222222"})
      (otel/set-status! "ok" nil)
      (host/ok nil))
    {:kind "producer"}))

(define app
  (host/make-app (list (dream-get "/everything" everything))))
"""


def exported(server) -> str:
    """What otel/export-otlp-json makes of the ring, asked through the probe."""
    outcome = server.evaluate("(otel/export-otlp-json (otel/recent))")
    assert outcome.status == 0, outcome.err
    return json.loads(outcome.out)


def ids_in_ring(server) -> list[tuple[str, str]]:
    return [(span["trace"], span["span"]) for span in server.spans()]


# ── The payload ──────────────────────────────────────────────────────────────────────────────────


def test_the_payload_of_the_shop_passes_the_strict_validator(serve):
    server = serve()
    for path in ("/health", "/boom", "/api/products", "/api/products/cup/price?currency=jpy", "/nowhere"):
        server.get(path, {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=1"})
    # 1 + 2 + 3 (query, rendering) + 7 + 1
    assert len(server.wait_for_spans(14)) == 14
    payload = exported(server)
    validate(payload)
    assert len(spans_of(parse_strictly(payload))) == 14


def test_the_payload_of_values_of_every_type_passes_the_strict_validator(serve):
    server = serve(EVERYTHING)
    server.get("/everything")
    server.wait_for_spans(2)
    validate(exported(server))


def test_the_payload_of_no_spans_passes_the_strict_validator(serve):
    server = serve()
    payload = exported(server)
    validate(payload)
    assert spans_of(parse_strictly(payload)) == []


def test_values_of_every_type_survive(serve):
    server = serve(EVERYTHING)
    server.get("/everything")
    server.wait_for_spans(2)
    (span,) = [span for span in spans_of(parse_strictly(exported(server))) if span.name == "everything"]
    values = attributes(span)
    assert values["text"] == 'Grüße "quoted"\n'
    assert values["whole"] == 9007199254740993
    assert values["fraction"] == 0.5
    assert values["truth"] is True
    assert values["falsehood"] is False
    assert [value.WhichOneof("value") for value in values["many"].values] == ["int_value", "string_value", "double_value"]
    assert values["nested"].values[0].key == "inner"
    assert span.kind == 4
    assert span.status.code == 1
    (event,) = span.events
    assert (event.name, attributes(event)) == ("halfway", {"percent": 50})
    assert span.start_time_unix_nano <= event.time_unix_nano <= span.end_time_unix_nano
    (link,) = span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == ("1" * 32, "2" * 16)


def test_a_root_has_no_parent_and_a_child_has(serve):
    server = serve()
    server.get("/boom")
    server.wait_for_spans(2)
    spans = {span.name: span for span in spans_of(parse_strictly(exported(server)))}
    root, child = spans["GET /boom"], spans["check the boiler"]
    assert root.parent_span_id == b""
    assert child.parent_span_id == root.span_id
    assert (root.kind, child.kind) == (2, 1)
    assert root.status.code == 2
    assert "parentSpanId\":null" not in exported(server)


def test_the_resource_says_who_speaks(serve):
    server = serve(OTEL_SERVICE_NAME="tea house", OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,owner=A%20B")
    server.get("/health")
    server.wait_for_spans(1)
    (resource,) = parse_strictly(exported(server)).resource_spans
    values = attributes(resource.resource)
    assert values["service.name"] == "tea house"
    assert values["deployment.environment.name"] == "test"
    assert values["owner"] == "A B"
    assert values["process.pid"] == server.process.pid
    assert {"telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version", "host.name"} <= values.keys()


def test_the_trace_as_a_file_passes_the_strict_validator(serve):
    server = serve()
    server.get("/boom", {"traceparent": f"00-{TRACE}-{PARENT}-01"})
    server.wait_for_spans(2)
    payload = server.get(f"/otel/trace/{TRACE}.json").body
    validate(payload)
    assert len(spans_of(parse_strictly(payload))) == 2


# ── The real transport ───────────────────────────────────────────────────────────────────────────


def test_post_otlp_sends_spans_over_http(serve):
    server = serve()
    server.get("/boom")
    server.wait_for_spans(2)
    with Receiver() as receiver:
        outcome = server.evaluate(f'(get (otel/post-otlp "{receiver.url}" (otel/trace-spans (otel/latest-trace)) http/request) :status)')
        assert (outcome.status, outcome.out) == (0, "200\n"), outcome.err
        (export,) = receiver.exports
        assert export.path == "/v1/traces"
        assert export.headers["content-type"] == "application/json"
        assert sorted(span.name for span in receiver.spans) == ["GET /boom", "check the boiler"]


def test_a_program_without_server_sends_spans_over_http(sx):
    with Receiver() as receiver:
        source = f"""
          (otel/with-span "outer" {{:step 1}} (fn () (otel/with-span "inner" {{}} (fn () nil))))
          (get (otel/post-otlp "{receiver.url}" (otel/recent) http/request) :status)"""
        outcome = sx("eval", source)
        assert (outcome.status, outcome.out) == (0, "200\n"), outcome.err
        inner, outer = receiver.spans
        assert (inner.name, outer.name) == ("inner", "outer")
        assert inner.parent_span_id == outer.span_id


def test_sx_run_exports_what_a_program_recorded(sx):
    program = sx.write("program.sx", '(otel/with-span "work" {} (fn () (println "done")))')
    with Receiver() as receiver:
        outcome = sx("run", str(program), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert (outcome.status, outcome.out) == (0, "done\n"), outcome.err
        assert [span.name for span in receiver.spans] == ["work"]


def test_a_program_continues_the_trace_of_its_environment(sx):
    program = sx.write("program.sx", '(otel/with-span "work" {} (fn () nil))')
    with Receiver() as receiver:
        outcome = sx("run", str(program), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, TRACEPARENT=f"00-{TRACE}-{PARENT}-01")
        assert outcome.status == 0, outcome.err
        (span,) = receiver.spans
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)


def test_the_spans_in_the_ring_arrive_at_the_configured_endpoint(serve):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="100")
        for path in ("/health", "/boom", "/api/products/cup/price?currency=jpy", "/nowhere"):
            server.get(path)
        # 1 + 2 + 7 + 1
        wait_until(lambda: len(receiver.spans) >= 11, "11 spans at the receiver", seconds=60)
        assert len(receiver.ids) == 11
        assert sorted(receiver.ids) == sorted(ids_in_ring(server))
        assert {export.path for export in receiver.exports} == {"/v1/traces"}
        for export in receiver.exports:
            validate(export.text)


def test_the_endpoint_of_the_signal_is_taken_as_it_is_and_headers_are_sent(serve):
    with Receiver() as receiver:
        server = serve(
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.url}/collect/here",
            OTEL_EXPORTER_OTLP_HEADERS="api-key=secret%20one,tenant=7",
            OTEL_BSP_SCHEDULE_DELAY="100",
        )
        server.get("/health")
        wait_until(lambda: receiver.spans, "a span at the receiver", seconds=60)
        (export,) = receiver.exports
        assert export.path == "/collect/here"
        assert export.headers["api-key"] == "secret one"
        assert export.headers["tenant"] == "7"


def test_exporting_makes_no_spans_of_its_own(serve):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
        server.get("/health")
        wait_until(lambda: receiver.spans, "a span at the receiver", seconds=60)
        server.get("/health")
        wait_until(lambda: len(receiver.spans) >= 2, "a second span at the receiver", seconds=60)
        assert [span["name"] for span in server.spans()] == ["GET /health", "GET /health"]
        assert "traceparent" not in receiver.exports[0].headers


def test_a_full_batch_is_sent_at_once(serve):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="600000", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="5")
        for _ in range(5):
            server.get("/health")
        wait_until(lambda: len(receiver.spans) == 5, "the full batch", seconds=60)


def test_no_span_goes_out_when_telemetry_is_disabled(serve):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50", OTEL_SDK_DISABLED="true")
        assert server.get("/health").status == 200
        assert server.terminate() == 0
        assert receiver.attempts == 0


def test_a_request_goes_out_when_telemetry_is_disabled(serve):
    server = serve(
        '(define app (host/make-app (list (dream-get "/ask" (fn (request) (host/ok (http/request {:url (dream-query-param request "url")})))))))',
        OTEL_SDK_DISABLED="true",
    )
    answer = server.get(f"/ask?url={server.url}/health")
    assert answer.status == 200
    assert '"status":"up"' in answer.body.replace("\\", "")


def test_the_payload_is_compressed_when_the_environment_says_so(serve):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="100", OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
        server.get("/health")
        wait_until(lambda: receiver.spans, "a span at the receiver", seconds=60)
        assert receiver.exports[0].headers.get("content-encoding") == "gzip"


# ── When the collector is in trouble ─────────────────────────────────────────────────────────────


def test_a_busy_collector_is_asked_again(serve):
    with Receiver(answers=((503, {"retry-after": "1"}, ""),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
        server.get("/health")
        wait_until(lambda: receiver.spans, "a span at the receiver", seconds=60)
        assert receiver.attempts == 2
        assert receiver.ids == ids_in_ring(server)


def test_a_refusal_is_not_repeated(serve):
    with Receiver(answers=((400, {}, ""),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
        server.get("/health")
        wait_until(lambda: receiver.attempts == 1, "the first attempt", seconds=60)
        server.get("/boom")
        wait_until(lambda: receiver.spans, "the spans after it", seconds=60)
        assert sorted(span.name for span in receiver.spans) == ["GET /boom", "check the boiler"]


def test_a_partial_success_is_reported_and_not_repeated(serve):
    answer = json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too long a name"}})
    with Receiver(answers=((200, {}, answer),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
        server.get("/health")
        wait_until(lambda: "too long a name" in server.err, "the collector's message on standard error", seconds=60)
        assert receiver.attempts == 1


def test_without_a_collector_the_server_serves_on(serve):
    with Receiver() as gone:
        pass
    server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=gone.url, OTEL_BSP_SCHEDULE_DELAY="10")
    for _ in range(5):
        assert server.get("/health").status == 200
    assert len(server.wait_for_spans(5)) == 5


@pytest.mark.parametrize("date", [False, True], ids=["seconds", "date"])
def test_retry_after_is_honoured(serve, date):
    moment = time.time() + 3
    header = formatdate(moment, usegmt=True) if date else "2"
    with Receiver(answers=((429, {"retry-after": header}, ""),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
        server.get("/health")
        wait_until(lambda: receiver.spans, "a span at the receiver", seconds=60)
        (first, _), (second, _) = receiver.arrivals
        # A date has whole seconds, and is over already where the first attempt was late.
        due = int(moment) - time.time() + time.monotonic() if date else first + 2
        assert second > due - 0.1
        assert receiver.ids == ids_in_ring(server)


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_a_status_that_the_protocol_does_not_name_is_final(serve, status):
    with Receiver(answers=((status, {"retry-after": "0"}, ""),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
        server.get("/health")
        wait_until(lambda: server.value("(get (otel/stats) :failed)") == 1, "the failure to be counted", seconds=60)
        assert receiver.attempts == 1
        assert f"status {status}" in server.err


def test_a_broken_connection_is_tried_again(serve):
    with Receiver(answers=(BROKEN, BROKEN)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
        server.get("/health")
        wait_until(lambda: receiver.spans, "a span at the receiver", seconds=60)
        assert receiver.attempts == 3
        assert receiver.ids == ids_in_ring(server)


def test_a_slow_collector_gets_nothing_twice(serve):
    with Receiver(answers=((200, {"delay": "1.5"}, "{}"),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50", OTEL_EXPORTER_OTLP_TIMEOUT="300")
        server.get("/health")
        wait_until(lambda: server.value("(get (otel/stats) :failed)") == 1, "the timeout to be counted", seconds=60)
        server.get("/boom")
        wait_until(lambda: len(receiver.spans) == 3, "the spans after it", seconds=60)
        assert len(set(receiver.ids)) == 3
        assert "no answer within 300 ms" in server.err


def test_a_timeout_of_zero_is_no_timeout(serve):
    with Receiver(answers=((200, {"delay": "1"}, "{}"),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="0", OTEL_EXPORTER_OTLP_TIMEOUT="0")
        server.get("/health")
        wait_until(lambda: server.value("(get (otel/stats) :exported)") == 1, "the span to be taken", seconds=60)
        assert server.value("(get (otel/stats) :failed)") == 0


def test_a_slow_collector_does_not_hold_up_requests(serve):
    with Receiver(answers=((200, {"delay": "15"}, "{}"),)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="10")
        server.get("/health")
        wait_until(lambda: receiver.attempts == 1, "the export to be under way", seconds=60)
        began = time.monotonic()
        for _ in range(20):
            assert server.get("/health").status == 200
        assert time.monotonic() - began < 14
        wait_until(lambda: len(receiver.spans) == 21, "all spans", seconds=60)
        assert sorted(receiver.ids) == sorted(ids_in_ring(server))


def test_everything_arrives_once_through_all_kinds_of_trouble(serve):
    partial = json.dumps({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "not these"}})
    trouble = (
        (503, {}, ""),
        (200, {}, "{}"),
        (429, {"retry-after": "0"}, ""),
        BROKEN,
        (502, {"retry-after": "0"}, ""),
        (200, {"delay": "0.3"}, partial),
        (504, {"retry-after": "0"}, ""),
    )
    with Receiver(answers=trouble) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="20", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="7")
        for _ in range(60):
            server.get("/health")
        wait_until(lambda: len(receiver.spans) >= 60, "all spans", seconds=60)
        assert server.terminate() == 0
        assert len(receiver.ids) == len(set(receiver.ids)) == 60
        assert max(len(spans_of(export.message)) for export in receiver.exports) <= 7


def test_while_the_collector_is_down_the_queue_is_bounded_and_says_what_it_drops(serve):
    with Receiver() as gone:
        pass
    server = serve(
        OTEL_EXPORTER_OTLP_ENDPOINT=gone.url, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_BSP_MAX_QUEUE_SIZE="50", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="50"
    )
    # One batch is on its way again and again, another fills the queue, and the rest has no room.
    server.evaluate('(for-each (fn (n) (otel/with-span "work" {} (fn () nil))) (range 0 50))')
    wait_until(lambda: server.value("(get otel/-exporter :sending)") == 1, "the first batch to be under way", seconds=60)
    server.evaluate('(for-each (fn (n) (otel/with-span "work" {} (fn () nil))) (range 0 1000))')
    assert server.value("(list (ring-len (get otel/-exporter :queue)) (get-in (otel/stats) (list \"dropped\" \"queue\")))") == [50, 950]
    assert server.err.count("the export queue is full") == 1
    assert server.get("/health").status == 200


def test_a_collector_that_comes_back_gets_what_waited(serve):
    with Receiver() as gone:
        port = int(gone.url.rpartition(":")[2])
    server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=gone.url, OTEL_BSP_SCHEDULE_DELAY="20")
    for _ in range(5):
        server.get("/health")
    wait_until(lambda: server.value("(get otel/-exporter :sending)") == 1, "the first attempt", seconds=60)
    with Receiver(port=port) as receiver:
        wait_until(lambda: len(receiver.spans) == 5, "the spans", seconds=60)
        assert sorted(receiver.ids) == sorted(ids_in_ring(server))


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────


def counted(receiver) -> dict:
    """Requests by route, from the metrics that arrived last."""
    return {attributes(point)["http.route"]: point.count for point in receiver.points}


def test_metrics_are_exported_regularly(serve):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_METRIC_EXPORT_INTERVAL="100")
        server.get("/health")
        wait_until(lambda: counted(receiver) == {"/health": 1}, "the first request", seconds=60)
        for path in ("/health", "/boom", "/health"):
            server.get(path)
        wait_until(lambda: counted(receiver) == {"/health": 3, "/boom": 1}, "all requests", seconds=60)
        assert {export.path for export in receiver.metric_exports} == {"/v1/metrics"}
        (boom,) = [point for point in receiver.points if attributes(point)["http.route"] == "/boom"]
        assert attributes(boom) == {
            "http.request.method": "GET", "http.route": "/boom", "url.scheme": "http", "http.response.status_code": 500, "error.type": "Error",
        }
        assert sum(boom.bucket_counts) == 1 and boom.max > 0
        # Cumulative: it all counts from the same moment.
        assert len({point.start_time_unix_nano for point in receiver.points}) == 1


def test_metrics_are_flushed_at_the_end_and_after_trouble_say_the_same(serve):
    with Receiver(metric_answers=((503, {"retry-after": "0"}, ""), BROKEN)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_METRIC_EXPORT_INTERVAL="600000")
        for _ in range(4):
            server.get("/health")
        assert server.terminate() == 0
        assert receiver.metric_attempts == 3
        assert counted(receiver) == {"/health": 4}


def test_metrics_go_out_in_protobuf_and_compressed(serve):
    with Receiver() as receiver:
        server = serve(
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_EXPORTER_OTLP_METRICS_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_METRICS_COMPRESSION="gzip",
            OTEL_METRIC_EXPORT_INTERVAL="100",
        )
        server.get("/health")
        wait_until(lambda: counted(receiver) == {"/health": 1}, "the request", seconds=60)
        headers = receiver.metric_exports[0].headers
        assert (headers["content-type"], headers["content-encoding"]) == ("application/x-protobuf", "gzip")


#: What a Swift program around the interpreter says of its meters.
METERS = """
(set! otel/-host-metrics (fn () (list
  {:name "orders.placed" :type "counter" :unit nil :points (list {:attributes {:country "no"} :start 1000 :value 3})}
  {:name "weight" :type "counter" :unit nil :points (list {:attributes {} :start 1000 :value 1.5})}
  {:name "queue" :type "gauge" :unit nil :points (list {:attributes {} :start 1000 :value 7.0})}
  {:name "job" :type "histogram" :unit "s"
   :points (list {:attributes {} :start 1000 :count 3 :sum 30.5 :bounds (list 0.5 10.0) :counts (list 1 1 1)})})))
"""


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf"])
def test_meters_of_the_host_are_exported(serve, protocol):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=protocol, OTEL_METRIC_EXPORT_INTERVAL="600000")
        server.evaluate(METERS)
        assert server.terminate() == 0
        assert not receiver.problems
        (export,) = receiver.metric_exports
        ((scope,),) = [resource.scope_metrics for resource in export.message.resource_metrics]
        metrics = {metric.name: metric for metric in scope.metrics}
        assert list(metrics) == ["orders.placed", "weight", "queue", "job"]
        orders = metrics["orders.placed"].sum
        assert (orders.is_monotonic, orders.aggregation_temporality) == (True, 2)
        assert [(attributes(point), point.as_int) for point in orders.data_points] == [({"country": "no"}, 3)]
        assert [point.as_double for point in metrics["weight"].sum.data_points] == [1.5]
        assert [point.as_double for point in metrics["queue"].gauge.data_points] == [7]
        (job,) = metrics["job"].histogram.data_points
        assert (metrics["job"].unit, job.count, job.sum, list(job.bucket_counts), list(job.explicit_bounds)) == ("s", 3, 30.5, [1, 1, 1], [0.5, 10])
        assert not job.HasField("min")
        assert all(point.time_unix_nano > point.start_time_unix_nano == 1000 for point in [*orders.data_points, job])


def test_delta_metrics_add_up_to_what_there_was(serve):
    with Receiver(metric_answers=((400, {}, ""),)) as receiver:
        server = serve(
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_METRIC_EXPORT_INTERVAL="100",
            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
        )
        for _ in range(10):
            server.get("/health")
            time.sleep(0.04)
        assert server.terminate() == 0
        assert not receiver.problems
        points = [
            point
            for export in receiver.metric_exports
            for resource in export.message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.histogram.data_points
        ]
        assert sum(point.count for point in points) == 10
        assert all(before.time_unix_nano == after.start_time_unix_nano for before, after in zip(points, points[1:]))


def test_an_exporter_of_none_sends_nothing(serve):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_METRICS_EXPORTER="none", OTEL_TRACES_EXPORTER="none")
        server.get("/health")
        assert server.terminate() == 0
        assert (receiver.attempts, receiver.metric_attempts) == (0, 0)


# ── At the end ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_spans_are_flushed_when_the_server_is_stopped(serve, number):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="600000")
        for _ in range(3):
            server.get("/health")
        recorded = ids_in_ring(server)
        assert receiver.spans == []
        assert server.terminate(number) == 0
        assert len(recorded) == 3
        assert sorted(receiver.ids) == sorted(recorded)


def test_the_spans_of_a_request_in_flight_are_flushed_too(serve):
    with Receiver() as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="600000")
        asking = threading.Thread(target=server.get, args=("/slow?ms=1000",))
        asking.start()
        wait_until(lambda: server.value("(len (otel/open-spans))") == 2, "the request to be under way", seconds=60)
        status = server.terminate()
        asking.join(PATIENCE)
        assert status == 0
        assert sorted(span.name for span in receiver.spans) == ["GET /slow", "wait for the supplier"]


def test_the_end_does_not_wait_for_a_pause_between_attempts(serve):
    busy = (503, {"Retry-After": "50"}, "")
    with Receiver((busy,), (busy,)) as receiver:
        server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="10", OTEL_METRIC_EXPORT_INTERVAL="100",
                       OTEL_METRIC_EXPORT_TIMEOUT="60000")
        server.get("/health")
        wait_until(lambda: server.value("(get otel/-exporter :sending)") == 1 and server.value("(get otel/-metric-exporter :sending)") == 1,
                   "both exports to be under way", seconds=60)
        time.sleep(0.2)
        start = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - start < 45
        assert [span.name for span in receiver.spans] == ["GET /health"]
        assert sum(counted(receiver).values()) == 1


def test_an_endpoint_that_is_none_is_reported_once(serve):
    server = serve(OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4318", OTEL_BSP_SCHEDULE_DELAY="1", OTEL_METRIC_EXPORT_INTERVAL="1")
    for _ in range(3):
        server.get("/health")
    assert server.value('(get (otel/stats) :failed)') == 0
    assert server.terminate() == 0
    assert server.err.count("localhost:4318") == 2  # for traces, and for metrics
    assert "does not begin with http:// or https://; no traces are exported" in server.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_spans_are_flushed_when_a_program_is_stopped(sx, number):
    sx.write("program.sx", '(otel/with-span "before" {} (fn () 1)) (println "ready") (sleep 1000000)')
    with Receiver() as receiver:
        process = subprocess.Popen(
            [binary(), "run", "program.sx"],
            stdout=subprocess.PIPE,
            cwd=sx.folder,
            env=environment(sx.folder, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="600000"),
        )
        assert process.stdout.readline() == b"ready\n"
        assert receiver.spans == []
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE) == -number
        assert [span.name for span in receiver.spans] == ["before"]
