"""`sx serve --workers N`: several interpreters behind one server, one telemetry."""

import json
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from otlp_receiver import Receiver, attributes, spans_of
from sx_process import PATIENCE, wait_until

#: `id` is drawn when the program is loaded, so each worker has another one.
APPLICATION = """
(define id (random-hex 8))
(define count 0)
(define app
  (host/make-app
    (list
      (dream-get "/id" (fn (request) (host/ok id)))
      (dream-get "/count" (fn (request) (set! count (+ count 1)) (host/ok count)))
      (dream-get "/work/:n" (fn (request)
        (otel/with-span "outer" {:n (dream-param request "n") :id id}
          (fn ()
            (otel/add-event! "begun" {:list (list 1 2.5 "three")})
            (otel/with-span "inner" {} (fn () (sleep 2)))))
        (host/ok (dream-param request "n"))))
      (dream-get "/recent" (fn (request)
        (otel/with-span "mine" {:id id} (fn () nil))
        (host/ok (map (fn (span) (get (get span :attrs) "id")) (filter (fn (span) (= (get span :name) "mine")) (otel/recent))))))
      (dream-get "/reset" (fn (request) (otel/reset!) (host/ok id)))
      (dream-get "/fail" (fn (request) (error "no luck")))
      (dream-get "/wait" (fn (request) (otel/with-span "waiting" {} (fn () (sleep 60000))) (host/ok nil)))
      (dream-get "/made" (fn (request)
        (otel/record! {:trace (otel/gen-trace-id) :span (otel/gen-span-id) :parent nil :name "made" :kind "internal"
                       :t0 1 :t1 2 :status "unset" :attrs {} :events (list) :links (list)})
        (host/ok nil)))
      (dream-get "/endless" (fn (request) (let loop () (loop))))
      (dream-get "/leave" (fn (request) (exit 7))))))
"""

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


def ids(server, requests: int = 40) -> Counter:
    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(lambda _: server.get("/id").json()["data"], range(requests)))


def counters(server) -> dict:
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parse_prometheus(server.get("/otel/metrics").body)
        for sample in family.samples
    }


def work(server, count: int):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: server.get(f"/work/{n}"), range(count)))
    assert [(answer.status, answer.json()["data"]) for answer in answers] == [(200, str(n)) for n in range(count)]


def test_requests_reach_every_worker(serve):
    server = serve(APPLICATION, workers=3)
    known = {server.value("id", worker) for worker in range(3)}
    assert len(known) == 3
    # One after the other they go round, as nobody is busier than another.
    seen = set()
    wait_until(lambda: seen.add(server.get("/id").json()["data"]) or seen == known, "every worker to answer")


def test_each_worker_has_its_own_globals(serve):
    server = serve(APPLICATION, workers=2)
    for _ in range(10):
        server.get("/count")
    counts = [server.value("count", worker) for worker in range(2)]
    assert sum(counts) == 10 and 0 not in counts


def test_every_span_arrives_once_with_its_parent_in_order_of_its_end(serve):
    server = serve(APPLICATION, workers=3)
    work(server, 200)
    spans = server.wait_for_spans(600)
    assert len({span["span"] for span in spans}) == len(spans) == 600
    by_id = {span["span"]: span for span in spans}
    for name, parent in (("inner", "outer"), ("outer", "GET /work/:n"), ("GET /work/:n", None)):
        those = [span for span in spans if span["name"] == name]
        assert len(those) == 200
        for span in those:
            above = by_id.get(span["parent"])
            assert (above and above["name"]) == parent
            assert above is None or above["trace"] == span["trace"]
    assert {span["attrs"]["n"] for span in spans if span["name"] == "outer"} == {str(n) for n in range(200)}
    assert len({span["attrs"]["id"] for span in spans if span["name"] == "outer"}) == 3
    assert [event["attrs"] for span in spans if span["name"] == "outer" for event in span["events"]] == [{"list": [1, 2.5, "three"]}] * 200
    ends = [span["t1"] for span in spans]
    assert ends == sorted(ends)


def test_the_stream_and_the_pages_know_the_spans_of_all_workers(serve):
    server = serve(APPLICATION, workers=2)
    work(server, 20)
    server.wait_for_spans(60)
    connection = server.connect()
    connection.sendall(b"GET /otel/stream?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    text = ""

    def all_there():
        nonlocal text
        text += connection.recv(65536).decode(errors="replace")
        return text.count("event: otel.span") >= 60

    wait_until(all_there, "sixty spans")
    connection.close()
    identifiers = [int(line[3:]) for line in text.split("\n") if line.startswith("id:")]
    assert sorted(set(identifiers)) == list(range(1, 61)) and identifiers == sorted(identifiers)
    assert len(json.loads(server.get("/otel/traces.json").body)["traces"]) == 20
    (outer, *_) = [span for span in server.spans() if span["name"] == "outer"]
    export = server.get(f"/otel/trace/{outer['trace']}.json").json()
    assert {span["name"] for span in export["resourceSpans"][0]["scopeSpans"][0]["spans"]} == {"GET /work/:n", "outer", "inner"}


def test_what_a_handler_sees_is_what_all_workers_have_recorded(serve):
    server = serve(APPLICATION, workers=3)
    seen = [server.get("/recent").json()["data"] for _ in range(30)]
    # Its own span, which ended a moment ago, and all those before.
    assert [len(those) for those in seen] == list(range(1, 31))
    assert seen[-1][:29] == seen[-2]
    assert set(seen[-1]) == {server.value("id", worker) for worker in range(3)}


@pytest.mark.parametrize("worker", [0, 1, 2])
def test_the_probe_of_any_worker_shows_the_telemetry_of_all(serve, worker):
    server = serve(APPLICATION, workers=3)
    work(server, 10)
    server.wait_for_spans(30)
    assert len(server.value("(otel/recent)", worker)) == 30
    assert len(server.value("(otel/recent 4)", worker)) == 4
    assert [span["seq"] for span in server.value("(otel/since 27)", worker)] == [28, 29, 30]
    assert server.value("(otel/sequence)", worker) == 30
    assert len(server.value("(otel/recent-traces)", worker)) == 10
    assert server.value("(otel/stats)", worker)["started"] == 30
    assert 'http_server_request_duration_seconds_count{http_route="/work/:n"} 10' in server.value("(otel/prometheus)", worker)
    assert server.value("(begin (otel/set-cap! 5) (len (otel/recent)))", worker) == 5
    assert server.value("(otel/dropped)", worker) == 25
    refused = server.evaluate("(otel/set-byte-cap! -1)", worker)
    assert (refused.status, "otel/set-byte-cap!: expected a positive integer, got -1" in refused.err) == (1, True)


def test_a_reset_in_any_worker_forgets_what_has_ended_in_all_of_them(serve):
    server = serve(APPLICATION, workers=3)
    for _ in range(6):
        work(server, 20)
        server.get("/reset")
        # Of the spans, only that of the request that did it has ended since.
        spans = server.wait_for_spans(1)
        assert [span["name"] for span in spans] == ["GET /reset"]
        stats = server.value("(otel/stats)")
        assert (stats["started"], stats["recorded"], stats["open"]) == (1, 1, 0)
    assert counters(server)["http_server_request_duration_seconds_count", "/reset"] == 1


def test_a_reset_forgets_what_a_worker_that_hears_nothing_has_ended_before(serve, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    server = serve(
        """(define app (host/make-app (list
             (dream-get "/fast" (fn (request) (host/ok nil)))
             (dream-get "/deaf" (fn (request) (otel/with-span "early" {} (fn () nil)) (eprintln "begun") (load "pipe") (host/ok "heard"))))))""",
        workers=2,
    )
    server.get("/fast")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.get, "/deaf")
        wait_until(lambda: "begun" in server.err, "the handler to begin")
        server.evaluate("(otel/reset!)")
        assert server.spans() == []
        (tmp_path / "pipe").write_text("1")
        assert answer.result().json()["data"] == "heard"
    assert [span["name"] for span in server.wait_for_spans(1)] == ["GET /deaf"]


def test_a_question_that_is_asked_before_the_first_worker_hears_anything_is_answered(serve):
    asking = "(when otel/-worker (spawn (fn () (let loop () (if answered nil (begin (set! seen (otel/stats)) (set! answered true)))))))"
    server = serve(f"(define answered false) (define seen nil) {asking}\n{APPLICATION}", workers=2)
    wait_until(lambda: server.value("answered", 1), "an answer")
    assert server.value("(get seen :started)", 1) == 0


def test_metrics_add_up(serve):
    server = serve(APPLICATION, workers=3)
    work(server, 50)
    for _ in range(7):
        assert server.get("/fail").status == 500
    server.wait_for_spans(157)
    found = counters(server)
    assert found["http_server_request_duration_seconds_count", "/work/:n"] == 50
    assert found["http_server_request_errors_total", "/fail"] == 7
    stats = server.value("(otel/stats)")
    assert (stats["started"], stats["recorded"], stats["open"]) == (157, 157, 0)


def test_what_a_worker_brings_in_is_recorded_and_not_started(serve):
    server = serve(APPLICATION, workers=2)
    for _ in range(6):
        server.get("/made")
    spans = server.wait_for_spans(12)
    assert Counter(span["name"] for span in spans) == {"made": 6, "GET /made": 6}
    stats = server.value("(otel/stats)")
    assert (stats["started"], stats["recorded"]) == (6, 12)


def test_a_sampler_leaves_out_spans_and_counts_requests(serve):
    server = serve(APPLICATION, workers=2, OTEL_TRACES_SAMPLER="always_off")
    work(server, 30)
    wait_until(lambda: counters(server).get(("http_server_request_duration_seconds_count", "/work/:n")) == 30, "thirty requests")
    assert server.spans() == []
    assert server.value("(otel/stats)")["dropped"]["unsampled"] == 90


def test_a_trace_goes_on_in_whatever_worker_takes_the_request(serve):
    server = serve(APPLICATION, workers=2)
    for _ in range(6):
        server.get("/id", {"traceparent": f"00-{TRACE}-{PARENT}-01"})
    spans = server.wait_for_spans(6, TRACE)
    assert [(span["parent"], span["remote-parent"]) for span in spans] == [(PARENT, True)] * 6


def test_requests_from_one_worker_to_another_are_one_trace(serve):
    server = serve(workers=2)
    assert server.get("/api/products/cup/price?currency=jpy").status == 200
    spans = wait_until(lambda: (found := server.spans()) and any(span["parent"] is None for span in found) and found, "the whole trace")
    assert len({span["trace"] for span in spans}) == 1
    known = {span["span"] for span in spans}
    assert [span["name"] for span in spans if span["parent"] not in known] == [span["name"] for span in spans if span["parent"] is None]


def test_open_spans_of_every_worker_are_shown(serve):
    server = serve(APPLICATION, workers=2)
    sockets = [server.connect() for _ in range(4)]
    for one in sockets:
        one.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    open_spans = wait_until(lambda: len(found := server.value("(otel/open-spans)")) == 8 and found, "eight open spans")
    assert Counter(span["name"] for span in open_spans) == {"GET /wait": 4, "waiting": 4}
    assert len(server.value("(otel/open-spans)", 1)) == 8
    assert json.loads(server.get("/otel/traces.json").body)["stats"]["open"] == 8


def test_the_probe_names_a_worker(serve, sx):
    server = serve(APPLICATION, workers=2)
    first, second = (server.value("id", worker) for worker in range(2))
    assert first != second
    assert server.value("id") == first
    held = sx("repl", "--connect", str(server.probe_path), "--worker", "1", stdin="id\n")
    assert (held.status, second in held.out) == (0, True)
    beyond = server.evaluate("id", 2)
    assert (beyond.status, beyond.out) == (1, "")
    assert "there is no worker 2: they are 0 to 1" in beyond.err
    assert server.evaluate("id", -1).status == 64
    assert "The worker must be 0 or more." in server.evaluate("id", -1).err
    assert "needs --connect" in sx("eval", "--worker", "1", "2").err


def test_the_probe_of_a_server_without_workers_has_one(serve):
    server = serve(APPLICATION)
    assert server.evaluate("(+ 1 2)", 0).out == "3\n"
    assert "there is no worker 1: there is only one, 0" in server.evaluate("id", 1).err


@pytest.mark.parametrize("number", ["0", "-1", "x", "1000", "1.5", ""])
def test_a_wrong_number_of_workers_is_refused(sx, number):
    outcome = sx("serve", "--port", "0", "--workers", number)
    assert (outcome.status, outcome.out) == (64, "")
    assert "orkers" in outcome.err


def test_a_program_that_fails_to_load_is_reported_once(sx):
    sx.write("broken.sx", "(define app (host/make-app (list)))\n(frobnicate)\n")
    outcome = sx("serve", "--port", "0", "--workers", "3", "broken.sx")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.count("Undefined symbol: frobnicate") == 1


def test_a_program_that_fails_in_the_other_workers_only_is_reported_once(sx):
    sx.write("rarely.sx", '(when otel/-worker (error "not a second time"))\n(define app (host/make-app (list)))\n')
    outcome = sx("serve", "--port", "0", "--workers", "4", "rarely.sx")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.count("rarely.sx:1") == 1 and "not a second time" in outcome.err


def test_an_endless_handler_leaves_the_rest_served(serve):
    server = serve(APPLICATION, workers=2)
    stuck = server.connect()
    stuck.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: any(span["name"] == "GET /endless" for span in server.value("(otel/open-spans)")), "the handler to begin")
    assert ids(server).total() == 40
    work(server, 20)
    server.wait_for_spans(100)
    assert server.terminate() == 0


@pytest.mark.parametrize("deaf", [0, 1])
def test_a_worker_that_hears_nothing_leaves_the_rest_served(serve, tmp_path, deaf):
    # Whoever opens it waits for somebody who writes, inside of one call of the system.
    os.mkfifo(tmp_path / "pipe")
    server = serve(
        """(define app (host/make-app (list (dream-get "/fast" (fn (request) (host/ok nil)))
                                            (dream-get "/deaf" (fn (request) (eprintln "begun") (load "pipe") (host/ok "heard"))))))""",
        workers=2,
    )
    # They take turns, the first one first.
    for _ in range(deaf):
        server.get("/fast")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.get, "/deaf")
        wait_until(lambda: "begun" in server.err, "the handler to begin")
        for _ in range(20):
            assert server.get("/fast").status == 200
        if deaf == 1:
            assert len(server.wait_for_spans(21)) == 21
        (tmp_path / "pipe").write_text("1")
        assert answer.result().json()["data"] == "heard"
    spans = server.wait_for_spans(21 + deaf)
    assert Counter(span["name"] for span in spans) == {"GET /fast": 20 + deaf, "GET /deaf": 1}
    assert server.terminate() == 0


def test_a_stop_loses_no_span(serve):
    with Receiver() as receiver:
        server = serve(APPLICATION, workers=3, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="60000")
        work(server, 100)
        assert server.terminate() == 0
        spans = [span for export in receiver.exports for span in spans_of(export.message)]
        assert Counter(span.name for span in spans) == {"GET /work/:n": 100, "outer": 100, "inner": 100}
        assert len({span.span_id for span in spans}) == 300
        assert {attributes(span)["n"] for span in spans if span.name == "outer"} == {str(n) for n in range(100)}
        assert receiver.problems == []


def test_a_stop_lets_requests_in_flight_finish(serve):
    server = serve(
        """(define app (host/make-app (list (dream-get "/slow" (fn (request) (sleep 1500) (host/ok "done"))))))""", workers=2
    )
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(server.get, "/slow") for _ in range(6)]
        wait_until(lambda: len(server.value("(otel/open-spans)")) == 6, "six requests in flight")
        server.process.send_signal(signal.SIGTERM)
        assert [answer.result().json()["data"] for answer in answers] == ["done"] * 6
    assert server.process.wait(timeout=PATIENCE) == 0
    assert server.err == ""


def test_an_exit_in_any_worker_ends_the_program_after_its_spans_are_sent(serve):
    for worker in range(2):
        with Receiver() as receiver:
            server = serve(APPLICATION, workers=2, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="60000")
            work(server, 10)
            server.evaluate("(exit 7)", worker)
            assert server.process.wait(timeout=PATIENCE) == 7
            spans = [span for export in receiver.exports for span in spans_of(export.message)]
            assert len({span.span_id for span in spans}) == len(spans) == 30
            assert server.err == ""


def test_what_at_exit_was_given_is_done_in_every_worker(serve):
    server = serve(f'(at-exit (fn () (eprintln "bye from" otel/-worker)))\n{APPLICATION}', workers=3)
    assert server.terminate() == 0
    assert sorted(server.err.splitlines()) == ["bye from 0", "bye from 1", "bye from 2"]
