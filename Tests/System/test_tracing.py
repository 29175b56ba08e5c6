"""One trace per request, continued from whoever asks and carried on to whoever is asked."""

import re

import pytest

from sx_process import read_response

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"

#: Shows what a handler gets and what it passes on.
MIRROR = """
(define (own-url request path)
  (str "http://127.0.0.1:" (get request :server-port) path))

(define (headers request)
  (host/ok (get request :headers)))

(define (forward request)
  (let ((answer (http/request {:url (own-url request "/headers")})))
    (host/ok (get (json-decode (get answer :body)) "data"))))

(define (context request)
  (host/ok (otel/current-traceparent)))

(define (sink request)
  (otel/with-span "wash up" {:plates 3 :water "hot"}
    (fn () (drop-the-plate))))

(define (drop-the-plate)
  (+ 1 (error "broken" 42)))

(define (raise-a-number request)
  (raise 7))

(define app
  (host/make-app
    (list (dream-get "/headers" headers)
          (dream-get "/forward" forward)
          (dream-get "/context" context)
          (dream-get "/sink" sink)
          (dream-get "/number" raise-a-number))))
"""


def named(spans, name):
    """The only span of this name."""
    found = [span for span in spans if span["name"] == name]
    assert len(found) == 1, [span["name"] for span in spans]
    return found[0]


# ── Context that comes in ────────────────────────────────────────────────────────────────────────


def test_a_traceparent_is_continued(serve):
    server = serve()
    assert server.get("/health", {"traceparent": TRACEPARENT}).status == 200
    (span,) = server.wait_for_spans(1)
    assert span["trace"] == TRACE
    assert span["parent"] == PARENT
    assert span["name"] == "GET /health"
    assert span["kind"] == "server"


def test_a_request_without_traceparent_starts_a_trace(serve):
    server = serve()
    server.get("/health")
    server.get("/health")
    first, second = server.wait_for_spans(2)
    for span in (first, second):
        assert re.fullmatch(r"[0-9a-f]{32}", span["trace"]) and int(span["trace"], 16) != 0
        assert re.fullmatch(r"[0-9a-f]{16}", span["span"]) and int(span["span"], 16) != 0
        assert span["parent"] is None
    assert first["trace"] != second["trace"]
    assert first["span"] != second["span"]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"ff-{TRACE}-{PARENT}-01", id="version ff"),
        pytest.param(f"00-{TRACE}-{PARENT}-01-extra", id="version 00 with more after the flags"),
        pytest.param(f"00-{TRACE.upper()}-{PARENT}-01", id="upper case"),
        pytest.param(f"00-{'0' * 32}-{PARENT}-01", id="trace id of zeros"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="span id of zeros"),
        pytest.param(f"00-{TRACE[1:]}-{PARENT}-01", id="trace id too short"),
        pytest.param(f"00-{TRACE}-{PARENT}", id="no flags"),
        pytest.param(f"00-{TRACE[:-1]}g-{PARENT}-01", id="no hex digit"),
        pytest.param(f"01-{TRACE}-{PARENT}-01x", id="higher version with something else than - after the flags"),
        pytest.param("", id="empty"),
        pytest.param("nonsense", id="nonsense"),
    ],
)
def test_an_invalid_traceparent_starts_a_new_trace(serve, header):
    server = serve()
    server.get("/health", {"traceparent": header, "tracestate": "a=1"})
    (span,) = server.wait_for_spans(1)
    assert span["trace"] != TRACE
    assert re.fullmatch(r"[0-9a-f]{32}", span["trace"])
    assert span["parent"] is None


def test_several_traceparent_headers_are_invalid(serve):
    server = serve()
    with server.connect() as connection:
        line = f"traceparent: {TRACEPARENT}\r\n"
        connection.sendall(f"GET /health HTTP/1.1\r\nhost: localhost\r\n{line}{line}\r\n".encode())
        assert read_response(connection.makefile("rb")).status == 200
    (span,) = server.wait_for_spans(1)
    assert span["trace"] != TRACE
    assert span["parent"] is None


def test_blanks_around_a_traceparent_do_not_matter(serve):
    server = serve()
    with server.connect() as connection:
        connection.sendall(f"GET /health HTTP/1.1\r\nhost: localhost\r\ntraceparent: \t {TRACEPARENT} \t\r\n\r\n".encode())
        assert read_response(connection.makefile("rb")).status == 200
    (span,) = server.wait_for_spans(1)
    assert (span["trace"], span["parent"]) == (TRACE, PARENT)


def test_a_higher_version_is_continued(serve):
    server = serve()
    server.get("/health", {"traceparent": f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"})
    (span,) = server.wait_for_spans(1)
    assert (span["trace"], span["parent"]) == (TRACE, PARENT)


def test_an_unsampled_trace_is_carried_on_and_not_recorded(serve):
    server = serve(MIRROR)
    answer = server.get("/context", {"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-00", answer.json()["data"])
    server.get("/health")
    (span,) = server.wait_for_spans(1)
    assert span["name"] == "GET /health"


# ── Context that goes out ────────────────────────────────────────────────────────────────────────


def test_an_outgoing_request_carries_the_trace_on(serve):
    server = serve(MIRROR)
    passed_on = server.get("/forward", {"traceparent": TRACEPARENT}).json()["data"]
    spans = server.wait_for_spans(3, TRACE)
    client = named(spans, "GET")
    assert passed_on["traceparent"] == f"00-{TRACE}-{client['span']}-01"


def test_tracestate_and_baggage_are_carried_on(serve):
    server = serve(MIRROR)
    sent = {"traceparent": TRACEPARENT, "tracestate": "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "baggage": "customer=7"}
    passed_on = server.get("/forward", sent).json()["data"]
    assert passed_on["tracestate"] == sent["tracestate"]
    assert passed_on["baggage"] == sent["baggage"]


def test_an_invalid_traceparent_drops_the_tracestate(serve):
    server = serve(MIRROR)
    passed_on = server.get("/forward", {"traceparent": "nonsense", "tracestate": "congo=1"}).json()["data"]
    assert "tracestate" not in passed_on
    assert TRACE not in passed_on["traceparent"]


def test_an_invalid_tracestate_does_not_harm_the_traceparent(serve):
    server = serve(MIRROR)
    passed_on = server.get("/forward", {"traceparent": TRACEPARENT, "tracestate": "UPPER=1"}).json()["data"]
    assert "tracestate" not in passed_on
    assert passed_on["traceparent"].startswith(f"00-{TRACE}-")


def test_the_price_of_the_shop_is_one_trace_through_two_requests(serve):
    server = serve()
    answer = server.get("/api/products/cup/price?currency=jpy", {"traceparent": TRACEPARENT})
    # 2200 cents at 163.5 are 359,700 cents.
    assert answer.json() == {"ok": True, "data": {"product": "cup", "currency": "jpy", "price": 3597}}
    # Two server spans, the client span, looking for the product with its query, the query for the rate, the conversion.
    spans = server.wait_for_spans(7, TRACE)
    assert len(spans) == 7
    price = named(spans, "GET /api/products/:id/price")
    client = named(spans, "GET")
    rate = named(spans, "GET /api/rates/:currency")
    assert (price["kind"], client["kind"], rate["kind"]) == ("server", "client", "server")
    assert price["parent"] == PARENT
    assert client["parent"] == price["span"]
    assert rate["parent"] == client["span"]
    assert client["attrs"]["http.request.method"] == "GET"
    assert client["attrs"]["http.response.status_code"] == 200
    assert client["attrs"]["server.port"] == server.port
    assert client["attrs"]["url.full"] == f"{server.url}/api/rates/jpy"
    assert price["t0"] <= client["t0"] <= rate["t0"] <= rate["t1"] <= client["t1"] <= price["t1"]


# ── What a span says ─────────────────────────────────────────────────────────────────────────────


def test_a_server_span_has_the_attributes_of_both_conventions(serve):
    server = serve()
    server.get("/api/products/tea?x=1", {"user-agent": "probe/1"})
    span = named(server.wait_for_spans(3), "GET /api/products/:id")
    expected = {
        "http.method": "GET",
        "http.status": 200,
        "http.route": "/api/products/:id",
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.path": "/api/products/tea",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "user_agent.original": "probe/1",
        "network.protocol.version": "1.1",
    }
    assert {name: span["attrs"].get(name) for name in expected} == expected
    assert span["status"] == "unset"


def test_boom_gives_500_and_an_error_span(serve):
    server = serve()
    answer = server.get("/boom")
    assert answer.status == 500
    assert answer.json()["ok"] is False
    span = named(server.wait_for_spans(2), "GET /boom")
    assert span["status"] == "error"
    assert span["attrs"]["http.status"] == 500
    assert span["attrs"]["http.response.status_code"] == 500
    assert span["attrs"]["error.type"]
    (event,) = span["events"]
    assert event["name"] == "exception"
    assert event["attrs"]["exception.message"] == "the boiler has burst"
    assert event["attrs"]["exception.type"] == "Error"


def test_the_span_inside_which_it_happened_is_an_error_too(serve):
    server = serve(MIRROR)
    server.get("/sink")
    spans = server.wait_for_spans(2)
    inner, outer = named(spans, "wash up"), named(spans, "GET /sink")
    assert inner["parent"] == outer["span"]
    assert inner["status"] == "error"
    assert inner["attrs"]["plates"] == 3
    assert inner["attrs"]["water"] == "hot"
    assert [event["name"] for event in inner["events"]] == ["exception"]


def test_the_stack_in_the_event_names_function_file_and_line(serve):
    server = serve(MIRROR)
    server.get("/sink")
    inner = named(server.wait_for_spans(2), "wash up")
    innermost = inner["events"][0]["attrs"]["exception.stacktrace"].strip().splitlines()[0]
    line = 1 + MIRROR.splitlines().index('  (+ 1 (error "broken" 42)))')
    assert "drop-the-plate" in innermost
    assert f"application.sx:{line}" in innermost


def test_a_raised_value_that_is_no_error_makes_an_error_span(serve):
    server = serve(MIRROR)
    assert server.get("/number").status == 500
    (span,) = server.wait_for_spans(1)
    assert span["status"] == "error"
    assert span["attrs"]["http.response.status_code"] == 500
    assert [event["name"] for event in span["events"]] == ["exception"]
    assert "7" in span["events"][0]["attrs"]["exception.message"]


def test_an_unmatched_path_is_a_span_named_by_the_method_alone(serve):
    server = serve()
    assert server.get("/no/such/path").status == 404
    (span,) = server.wait_for_spans(1)
    assert span["name"] == "GET"
    assert span["attrs"]["http.response.status_code"] == 404
    assert "http.route" not in span["attrs"]
    assert span["status"] == "unset"


def test_a_404_of_a_handler_is_no_error(serve):
    server = serve()
    assert server.get("/api/products/nothing").status == 404
    span = named(server.wait_for_spans(3), "GET /api/products/:id")
    assert span["status"] == "unset"
    assert span["attrs"]["http.status"] == 404


def test_children_are_recorded_before_their_parents(serve):
    server = serve()
    server.get("/api/products/tea")
    assert [span["name"] for span in server.wait_for_spans(3)] == ["db.query", "catalogue.find", "GET /api/products/:id"]


# ── Many at once ─────────────────────────────────────────────────────────────────────────────────

#: Request n sleeps for n modulo 7 steps: they overlap, and end in another order than they began.
SLEEPERS = """
(define (visit request)
  (let ((n (string->number (dream-param request :n))))
    (otel/with-span "outer" {:n n}
      (fn ()
        (otel/with-span "inner" {:n n}
          (fn () (sleep (+ 300 (* 40 (mod n 7))))))
        (otel/with-span "after" {:n n}
          (fn () (sleep (* 15 (mod n 5)))))
        (host/ok n)))))

(define app
  (host/make-app (list (dream-get "/visit/:n" visit))))
"""


def test_the_spans_of_100_concurrent_requests_never_mix(serve):
    server = serve(SLEEPERS)
    numbers = range(100)
    traces = {n: f"{n + 1:032x}" for n in numbers}
    parents = {n: f"{n + 1000:016x}" for n in numbers}
    connections = [server.connect() for _ in numbers]
    try:
        for n, connection in zip(numbers, connections):
            connection.sendall(
                f"GET /visit/{n} HTTP/1.1\r\nhost: localhost\r\ntraceparent: 00-{traces[n]}-{parents[n]}-01\r\n\r\n".encode()
            )
        for n, connection in zip(numbers, connections):
            answer = read_response(connection.makefile("rb"))
            assert (answer.status, answer.json()["data"]) == (200, n)
    finally:
        for connection in connections:
            connection.close()

    spans = server.wait_for_spans(400)
    assert len(spans) == 400
    for n in numbers:
        mine = [span for span in spans if span["trace"] == traces[n]]
        assert len(mine) == 4
        root, outer = named(mine, "GET /visit/:n"), named(mine, "outer")
        inner, after = named(mine, "inner"), named(mine, "after")
        assert root["parent"] == parents[n]
        assert root["attrs"]["url.path"] == f"/visit/{n}"
        assert outer["parent"] == root["span"]
        assert inner["parent"] == outer["span"]
        assert after["parent"] == outer["span"]
        assert [span["attrs"]["n"] for span in (outer, inner, after)] == [n, n, n]

    # They did run side by side: at some moment most of them were open.
    edges = sorted([(span["t0"], 1) for span in spans if span["name"] == "inner"] + [(span["t1"], -1) for span in spans if span["name"] == "inner"])
    open_now = most = 0
    for _, step in edges:
        open_now += step
        most = max(most, open_now)
    assert most > 50
