"""The example application: routes of Swift and of SX in one server, and one dashboard for both."""

import json
import re
import subprocess
import urllib.error
import urllib.request

import pytest

from otlp_receiver import Receiver, spans_of as exported_spans
from sx_process import PATIENCE, binary, environment, wait_until


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    program = binary().replace("/sx", "/HummingbirdHost")
    process = subprocess.Popen(
        [program, "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(tmp_path_factory.mktemp("hummingbird")), text=True)
    line = process.stdout.readline()
    yield re.match(r"http://127\.0\.0\.1:\d+", line)[0]
    process.terminate()
    process.wait(PATIENCE)


def get(address, path, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers or {}), timeout=PATIENCE) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def spans_of(address, trace, count):
    """The spans of a trace, by name, when there are so many."""

    def exported():
        status, body = get(address, f"/otel/trace/{trace}.json")
        if status != 200:
            return None
        spans = [s for r in json.loads(body)["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]
        return {s["name"]: s for s in spans} if len(spans) >= count else None

    return wait_until(exported, f"{count} spans of {trace}")


def test_both_kinds_of_routes_answer(address):
    assert get(address, "/greetings/world") == (200, "Hello, world!\n")
    status, body = get(address, "/articles/cup")
    assert status == 200 and json.loads(body) == {"ok": True, "data": {"article": "cup", "count": 12}}
    assert get(address, "/articles/hat")[0] == 404
    assert get(address, "/nowhere")[0] == 404


def test_a_stream_of_the_script_arrives(address):
    assert get(address, "/ticks") == (200, "0\n1\n2\n")


def test_spans_of_swift_and_of_sx_make_one_trace(address):
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    get(address, "/articles/pot", {"traceparent": f"00-{trace}-{parent}-01"})
    spans = spans_of(address, trace, 3)
    assert spans["GET /articles/:name"]["parentSpanId"] == parent
    assert spans["look up"]["parentSpanId"] == spans["GET /articles/:name"]["spanId"]
    assert spans["warehouse"]["parentSpanId"] == spans["look up"]["spanId"]
    assert {"key": "article", "value": {"stringValue": "pot"}} in spans["warehouse"]["attributes"]


def test_a_route_of_swift_continues_its_callers_trace(address):
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    get(address, "/greetings/you", {"traceparent": f"00-{trace}-{parent}-01"})
    (span,) = spans_of(address, trace, 1).values()
    assert span["parentSpanId"] == parent


def test_one_dashboard_and_one_page_of_metrics_show_both(address):
    get(address, "/greetings/world")
    get(address, "/articles/cup")

    def page():
        body = get(address, "/otel")[1]
        return "/greetings/" in body and "/articles/" in body

    wait_until(page, "both routes on the dashboard")
    body = get(address, "/otel/metrics")[1]
    assert re.search(r"^greetings_total [1-9]", body, re.M)
    assert 'http_route="/articles/:name"' in body


def test_many_requests_at_once(address):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: get(address, "/articles/cup" if i % 2 else f"/greetings/{i}"), range(100)))
    assert all(status == 200 for status, _ in answers)


def test_its_service_exports_and_sends_the_last_of_it_when_the_application_stops(tmp_path):
    with Receiver() as receiver:

        def names():
            return {span.name for export in receiver.exports for span in exported_spans(export.message)}

        process = subprocess.Popen(
            [binary().replace("/sx", "/HummingbirdHost"), "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(tmp_path) | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"})
        try:
            address = re.match(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
            get(address, "/articles/cup")
            # Nobody asks meanwhile: the exporter runs because the service does.
            wait_until(lambda: {"warehouse", "look up", "GET /articles/:name"} <= names(), "the export")
            get(address, "/greetings/you")
            process.terminate()
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert process.returncode == 0, errors
        assert any("greetings" in name for name in names())
        assert receiver.problems == []
