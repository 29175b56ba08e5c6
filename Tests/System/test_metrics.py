"""The metrics as Prometheus and OpenMetrics read them: with promtool, and with the parsers of the Prometheus client."""

import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from sx_process import PATIENCE, ROOT, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}

NASTY = """
(define app
  (host/make-app (list (dream-get "/say/\\"hello\\"" (fn (request) (host/ok nil)))
                       (dream-get "/back\\\\slash" (fn (request) (host/ok nil)))
                       (dream-get "/grün" (fn (request) (error "no"))))))
"""


def check(text: str):
    # Where `make promtool` puts it.
    promtool = shutil.which("promtool") or shutil.which(ROOT / ".build/promtool")
    if promtool is None:
        pytest.skip("promtool (Debian: prometheus) is not installed: nothing was checked with it")
    verdict = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=PATIENCE)
    assert (verdict.returncode, verdict.stdout + verdict.stderr) == (0, "")


def samples(families) -> dict:
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample for family in families for sample in family.samples}


@pytest.fixture
def visited(serve):
    server = serve()
    for path in ("/health", "/health", "/boom", "/api/products/cup/price?currency=jpy", "/nowhere", "/slow?ms=30"):
        server.get(path, {"traceparent": f"00-{TRACE}-{PARENT}-01"})
    # 2 + 2 + 7 + 1 + 2
    server.wait_for_spans(14)
    return server


def test_promtool_accepts_the_metrics(visited):
    check(visited.get("/otel/metrics").body)


def test_promtool_accepts_the_metrics_before_the_first_request(serve):
    check(serve().get("/otel/metrics").body)


def test_nasty_route_names_survive_both_formats(serve):
    server = serve(NASTY)
    for path in ("/say/%22hello%22", "/back%5Cslash", "/gr%C3%BCn"):
        server.get(path)
    server.wait_for_spans(3)
    plain = server.get("/otel/metrics").body
    check(plain)
    for found in (samples(parse_prometheus(plain)), samples(parse_openmetrics(server.get("/otel/metrics", OPENMETRICS).body))):
        for route, errors in (('/say/"hello"', 0), ("/back\\slash", 0), ("/grün", 1)):
            assert found["http_server_request_duration_seconds_count", (("http_route", route),)].value == 1
            assert found["http_server_request_errors_total", (("http_route", route),)].value == errors


def test_openmetrics_is_given_when_it_is_asked_for(visited):
    answer = visited.get("/otel/metrics", OPENMETRICS)
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    found = samples(parse_openmetrics(answer.body))
    buckets = [sample for (name, _), sample in found.items() if name.endswith("_bucket") and sample.labels["http_route"] == "/slow"]
    (exemplar,) = [sample.exemplar for sample in buckets if sample.exemplar]
    (span,) = [span for span in visited.spans(TRACE) if span["name"] == "GET /slow"]
    assert exemplar.labels == {"trace_id": TRACE, "span_id": span["span"]}
    assert exemplar.value == pytest.approx((span["t1"] - span["t0"]) / 1e9)
    assert visited.get("/otel/metrics").headers["content-type"].startswith("text/plain")


def test_both_formats_say_the_same(visited):
    plain = samples(parse_prometheus(visited.get("/otel/metrics").body))
    opened = samples(parse_openmetrics(visited.get("/otel/metrics", OPENMETRICS).body))
    assert plain.keys() == opened.keys()
    assert {key: sample.value for key, sample in plain.items()} == {key: sample.value for key, sample in opened.items()}


def test_counters_never_go_back(visited):
    def counters():
        return {key: sample.value for key, sample in samples(parse_prometheus(visited.get("/otel/metrics").body)).items() if not key[0].endswith(("_open", "_ring_bytes"))}

    before = counters()
    visited.evaluate("(otel/set-cap! 3)")
    seen = visited.value("(otel/sequence)")
    for _ in range(5):
        visited.get("/health")
    wait_until(lambda: visited.value("(otel/sequence)") == seen + 5, "five spans", seconds=60)
    after = counters()
    assert all(after[key] >= value for key, value in before.items())
    count = ("http_server_request_duration_seconds_count", (("http_route", "/health"),))
    # The ring held three of the five; the totals know all of them.
    assert after[count] == before[count] + 5
