"""The dashboard: in a browser, without JavaScript, and the stream behind it."""

import http.client
import json
import re
import shutil
import socket
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from otlp_receiver import validate
from sx_process import PATIENCE, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "b7ad6b7169203331"

NASTY = """
(define (nasty request)
  (otel/with-span "<script>window.harmed = 'name'</script>"
    {:note "<img src=x onerror=\\"window.harmed = 'attribute'\\">"
     "<b>key</b>" "</script><script>window.harmed = 'key'</script>"}
    (fn ()
      (otel/add-event! "<script>window.harmed = 'event'</script>" {:detail "<svg onload=\\"window.harmed = 'event'\\">"})
      (host/ok nil))))

(define app
  (host/make-app (list (dream-get "/nasty" nasty))))
"""


def traceparent(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{PARENT}-01"}


# ── In a browser ─────────────────────────────────────────────────────────────────────────────────

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")


@pytest.fixture
def browser(tmp_path):
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver are not installed: nothing was checked in a browser")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1400,1000"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path / 'chromium'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    yield driver
    driver.quit()


def text(browser) -> str:
    """What a reader of the page sees."""
    return browser.execute_script("return document.body.innerText")


def part_text(browser, selector: str) -> str:
    """The text of a part as it is now; an element could be replaced before it is asked for its text."""
    return browser.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)


def shows(browser, trace: str) -> bool:
    """Whether some link of the page leads to this trace."""
    return browser.execute_script("return document.querySelector(`a[href*='${arguments[0]}']`) !== null", trace)


def open_dashboard(browser, server, path="/otel"):
    browser.get(server.url + path)
    browser.execute_script("window.sinceLoading = 'the same page'")


def assert_not_reloaded(browser):
    assert browser.execute_script("return window.sinceLoading") == "the same page"


def test_a_request_appears_in_the_open_page_without_reload(serve, browser):
    server = serve()
    open_dashboard(browser, server)
    assert not shows(browser, TRACE)
    assert "catalogue.find" not in text(browser)
    server.get("/api/products/tea", traceparent(TRACE))
    wait_until(lambda: shows(browser, TRACE), "the trace in the list", seconds=60)
    # The page follows the latest trace: its waterfall is there, too.
    wait_until(lambda: "catalogue.find" in text(browser), "the spans of the trace", seconds=60)
    assert "/api/products/:id" in text(browser)
    assert_not_reloaded(browser)


def test_the_page_goes_on_following(serve, browser):
    server = serve()
    open_dashboard(browser, server)
    for n in range(1, 6):
        trace = f"{n:032x}"
        server.get("/health", traceparent(trace))
        wait_until(lambda: shows(browser, trace), f"trace {n}", seconds=60)
    assert_not_reloaded(browser)


def test_a_request_is_shown_while_it_is_open_or_when_it_ends(serve, browser):
    server = serve()
    open_dashboard(browser, server)
    server.get("/slow?ms=700", traceparent(TRACE))
    wait_until(lambda: shows(browser, TRACE) and "wait for the supplier" in text(browser), "the slow trace", seconds=60)
    assert_not_reloaded(browser)


def test_an_open_request_appears_and_grows(serve, browser):
    server = serve()
    open_dashboard(browser, server)
    wait_until(lambda: browser.execute_script("return document.querySelector('[data-live]').dataset.state") == "live", "the stream", seconds=60)
    asking = threading.Thread(target=server.get, args=("/slow?ms=6000", traceparent(TRACE)))
    asking.start()
    took = f"return document.querySelector('#t-{TRACE}.open .took')?.textContent"
    first = wait_until(lambda: browser.execute_script(took), "the open trace", seconds=60)
    wait_until(lambda: browser.execute_script(took) not in (first, None), "a longer time", seconds=60)
    asking.join(PATIENCE)
    wait_until(lambda: shows(browser, TRACE) and browser.execute_script(took) is None, "its end", seconds=60)
    assert_not_reloaded(browser)


def test_the_reader_keeps_the_chosen_trace(serve, browser):
    server = serve()
    server.get("/api/products/tea", traceparent(TRACE))
    open_dashboard(browser, server, f"/otel?trace={TRACE}")
    assert "catalogue.find" in text(browser)
    server.get("/slow?ms=1", traceparent(OTHER))
    wait_until(lambda: shows(browser, OTHER), "the other trace in the list", seconds=60)
    assert "catalogue.find" in text(browser)
    assert "wait for the supplier" not in text(browser)
    assert_not_reloaded(browser)


def test_choosing_a_trace_needs_no_reload(serve, browser):
    server = serve()
    server.get("/api/products/tea", traceparent(TRACE))
    server.get("/slow?ms=1", traceparent(OTHER))
    open_dashboard(browser, server)
    assert "catalogue.find" not in text(browser)
    browser.execute_script("document.querySelector(`a[href*='${arguments[0]}']`).click()", TRACE)
    wait_until(lambda: "catalogue.find" in text(browser), "the chosen trace", seconds=60)
    assert_not_reloaded(browser)


def test_markup_in_spans_stays_text(serve, browser):
    server = serve(NASTY)
    open_dashboard(browser, server)
    server.get("/nasty", traceparent(TRACE))
    # Put in by the script …
    wait_until(lambda: "<script>window.harmed = 'name'</script>" in text(browser), "the span's name as text", seconds=60)
    assert_not_reloaded(browser)
    assert browser.execute_script("return window.harmed") is None
    (span,) = [span for span in server.spans(TRACE) if span["parent"] != PARENT]
    # … and rendered by the server, with all details.
    browser.get(f"{server.url}/otel?trace={TRACE}&span={span['span']}")
    shown = text(browser)
    for words in ("<script>window.harmed = 'name'</script>", "<img src=x onerror=", "<b>key</b>", "</script><script>window.harmed = 'key'</script>", "<svg onload="):
        assert words in shown
    assert browser.execute_script("return window.harmed") is None


def test_the_page_comes_back_after_the_server_was_away(serve, browser):
    server = serve()
    open_dashboard(browser, server)
    server.get("/health", traceparent(TRACE))
    wait_until(lambda: shows(browser, TRACE), "the trace", seconds=60)
    # The page is still good when its connection is not: it asks again by itself.
    browser.set_network_conditions(offline=True, latency=0, throughput=0)
    server.get("/health", traceparent(OTHER))
    browser.delete_network_conditions()
    server.get("/health", traceparent("1" * 32))
    wait_until(lambda: shows(browser, OTHER) and shows(browser, "1" * 32), "both traces", seconds=60)
    assert_not_reloaded(browser)


def test_the_page_has_nothing_to_complain_about(serve, browser):
    server = serve()
    server.get("/boom", traceparent(TRACE))
    open_dashboard(browser, server)
    server.get("/health", traceparent(OTHER))
    wait_until(lambda: shows(browser, OTHER), "the trace", seconds=60)
    for path in (f"/otel/trace/{TRACE}", f"/otel/trace/{TRACE}.svg", "/"):
        browser.get(server.url + path)
    complaints = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    # The browser looks for an icon by itself.
    assert [entry for entry in complaints if "favicon" not in entry["message"]] == []


def element(browser, selector: str):
    from selenium.webdriver.common.by import By

    return browser.find_element(By.CSS_SELECTOR, selector)


def click(browser, selector: str):
    """Where news replace the element at that moment, clicks the one in its place."""
    from selenium.common.exceptions import StaleElementReferenceException

    def is_clicked() -> bool:
        try:
            element(browser, selector).click()
        except StaleElementReferenceException:
            return False
        return True

    wait_until(is_clicked, f"a click on {selector}")


def send_spans(server, spans: list[dict], service: str):
    """Puts spans of another program into the server, through its receiver."""
    payload = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"scope": {"name": "test"}, "spans": spans}],
            }
        ]
    }
    answer = server.post("/v1/traces", json.dumps(payload), {"content-type": "application/json"})
    assert answer.status == 200, answer.body


def foreign_span(number: int, parent: int = 0, trace: str = TRACE, **changes) -> dict:
    """A millisecond that begins `number` milliseconds after a fixed moment."""
    start = 1_700_000_000_000_000_000 + number * 1_000_000
    span = {"traceId": trace, "spanId": f"{number:016x}", "name": f"step {number}", "kind": 1, "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 1_000_000)}
    return {**span, **({"parentSpanId": f"{parent:016x}"} if parent else {}), **changes}


def test_a_request_appears_within_a_second(serve, browser):
    server = serve()
    open_dashboard(browser, server)
    wait_until(lambda: browser.execute_script("return document.querySelector('[data-live]').dataset.state") == "live", "the stream", seconds=60)
    times = []
    for n in range(1, 6):
        trace = f"{n:032x}"
        asked = time.monotonic()
        server.get("/health", traceparent(trace))
        wait_until(lambda: shows(browser, trace), f"trace {n}", seconds=60)
        times.append(time.monotonic() - asked)
    # One of them at least: others may have met a pause of a busy machine.
    assert min(times) < 1, times
    assert_not_reloaded(browser)


def test_pause_holds_the_page_still_and_counts(serve, browser):
    server = serve()
    open_dashboard(browser, server)
    wait_until(lambda: browser.execute_script("return document.querySelector('[data-live]').dataset.state") == "live", "the stream", seconds=60)
    click(browser, "[data-pause]")
    server.get("/health", traceparent(TRACE))
    wait_until(lambda: "Paused, 1 new" in text(browser), "the count", seconds=60)
    assert not shows(browser, TRACE)
    click(browser, "[data-pause]")
    wait_until(lambda: shows(browser, TRACE), "the trace", seconds=60)


def test_a_paused_list_stays_while_the_reader_chooses_in_it(serve, browser):
    server = serve()
    for trace, path in ((TRACE, "/api/products/tea"), (OTHER, "/health")):
        server.get(path, traceparent(trace))
    server.wait_for_spans(4)
    open_dashboard(browser, server)
    wait_until(lambda: browser.execute_script("return document.querySelector('[data-live]').dataset.state") == "live", "the stream", seconds=60)
    click(browser, "[data-pause]")
    server.get("/api/products/cup", traceparent("7" * 32))
    # Several spans, one trace.
    wait_until(lambda: "Paused, 1 new" in text(browser), "the count", seconds=60)
    click(browser, f"#t-{TRACE}")
    wait_until(lambda: "catalogue.find" in part_text(browser, "[data-part=trace]"), "the chosen trace", seconds=60)
    listed = "return [...document.querySelectorAll('.trace')].map(row => row.id)"
    assert browser.execute_script(listed) == [f"t-{OTHER}", f"t-{TRACE}"]
    assert browser.execute_script("return [...document.querySelectorAll('.trace[aria-current]')].map(row => row.id)") == [f"t-{TRACE}"]
    assert "Paused, 1 new" in text(browser)
    click(browser, "[data-pause]")
    wait_until(lambda: len(browser.execute_script(listed)) == 3, "the new trace", seconds=60)
    assert_not_reloaded(browser)


def test_scrolling_and_selection_stay_when_news_come(serve, browser):
    server = serve()
    for n in range(1, 61):
        server.get("/health", traceparent(f"{n:032x}"))
    open_dashboard(browser, server, f"/otel?trace={'0' * 31}5")
    browser.execute_script("document.querySelector('[data-scroll=traces]').scrollTop = 300")
    server.get("/health", traceparent(OTHER))
    wait_until(lambda: shows(browser, OTHER), "the trace", seconds=60)
    assert browser.execute_script("return document.querySelector('[data-scroll=traces]').scrollTop") == 300
    assert element(browser, ".trace[aria-current]").get_attribute("id") == f"t-{'0' * 31}5"


def test_the_keyboard_suffices(serve, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    server = serve()
    server.get("/boom", traceparent(OTHER))
    server.get("/api/products/tea", traceparent(TRACE))
    server.wait_for_spans(5)
    open_dashboard(browser, server)
    body = browser.find_element(By.TAG_NAME, "body")

    def chosen():
        return browser.execute_script("return document.querySelector('.trace[aria-current]')?.id")

    assert chosen() == f"t-{TRACE}"
    body.send_keys(Keys.ARROW_DOWN)
    wait_until(lambda: chosen() == f"t-{OTHER}" and "the boiler has burst" in text(browser), "the trace below", seconds=60)
    browser.switch_to.active_element.send_keys(Keys.ARROW_UP)
    wait_until(lambda: chosen() == f"t-{TRACE}", "the trace above", seconds=60)
    browser.switch_to.active_element.send_keys("/")
    browser.switch_to.active_element.send_keys("boiler")
    # The chosen trace stays in view; it is the list that is filtered.
    listed = "return [...document.querySelectorAll('.trace')].map(row => row.id)"
    wait_until(lambda: browser.execute_script(listed) == [f"t-{OTHER}"], "the filter", seconds=60)
    assert_not_reloaded(browser)


def test_the_traceparent_of_a_span_is_copied(serve, browser):
    server = serve()
    server.get("/health", traceparent(TRACE))
    (span,) = server.wait_for_spans(1)
    browser.execute_cdp_cmd("Browser.grantPermissions", {"origin": server.url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    open_dashboard(browser, server)
    click(browser, "[data-copy]")
    wait_until(lambda: browser.execute_script("return document.querySelector('.copy.done') !== null"), "the sign that it is done", seconds=60)
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])")
    assert copied == f"00-{TRACE}-{span['span']}-01"


def test_the_services_appear_when_a_second_one_reports(serve, browser):
    server = serve()
    server.get("/health", traceparent(OTHER))
    open_dashboard(browser, server)
    assert browser.execute_script("return document.querySelector('[data-part=services]').hidden")
    send_spans(server, [foreign_span(1, kind=2, name="GET /far")], "far away")
    wait_until(lambda: "far away" in browser.execute_script("return document.querySelector('[data-part=services]').textContent"), "the service map", seconds=60)
    browser.execute_script("document.getElementById('n-far away').dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))")
    listed = "return [...document.querySelectorAll('.trace')].map(row => row.id)"
    wait_until(lambda: browser.execute_script(listed) == [f"t-{TRACE}"], "the filter by service", seconds=60)
    assert_not_reloaded(browser)


def test_a_trace_of_5000_spans_stays_usable(serve, browser):
    server = serve()
    server.evaluate("(otel/set-cap! 10000)")
    for start in range(1, 5001, 1000):
        send_spans(server, [foreign_span(n, max(0, (n - 1) // 3)) for n in range(start, start + 1000)], "large")
    open_dashboard(browser, server, f"/otel?trace={TRACE}")
    assert "5000 spans" in text(browser)
    click(browser, ".waterfall .more")
    wait_until(lambda: browser.execute_script("return document.querySelectorAll('.waterfall .span').length") == 5000, "all spans", seconds=60)
    # While the page holds all of them, news come in, and a span is chosen.
    server.get("/health", traceparent(OTHER))
    wait_until(lambda: shows(browser, OTHER), "the other trace", seconds=60)
    browser.execute_script("document.getElementById('s-' + arguments[0]).click()", f"{4990:016x}")
    wait_until(lambda: "step 4990" in part_text(browser, ".facets"), "the chosen span", seconds=60)
    assert_not_reloaded(browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window_and_text_stands_out(serve, browser, width, scheme):
    server = serve()
    for path in ("/boom", "/api/products/cup/price?currency=jpy"):
        server.get(path)
    send_spans(server, [foreign_span(1, kind=2, name="x" * 300)], "another program")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500})
    open_dashboard(browser, server)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    for part in ("routes", "services", "traces", "trace"):
        assert browser.execute_script("return document.querySelector(`[data-part=${arguments[0]}]`).getBoundingClientRect().height", part) > 60, part
    # Contrast after WCAG, of running text and of the colours that mean something.
    contrast = browser.execute_script(CONTRAST)
    assert contrast["--text"] >= 7
    assert min(contrast[name] for name in ("--soft", "--error", "--accent", "--ok")) >= 4.5, contrast
    assert min(contrast[name] for name in ("--server", "--client", "--internal", "--producer")) >= 3, contrast


#: The contrast of each colour with the surface it stands on.
CONTRAST = """
const probe = document.createElement('i')
document.body.append(probe)
function luminance(name) {
  probe.style.color = `var(${name})`
  const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map(c => c / 255)
  const [r, g, b] = parts.map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
const surface = luminance('--surface')
const contrast = name => {
  const [low, high] = [luminance(name), surface].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}
return Object.fromEntries(['--text', '--soft', '--error', '--accent', '--ok', '--server', '--client', '--internal', '--producer'].map(n => [n, contrast(n)]))
"""


# ── Without JavaScript ───────────────────────────────────────────────────────────────────────────


class Page(HTMLParser):
    """The links of a page, each with its text, and all text outside scripts and styles."""

    def __init__(self, markup: str):
        super().__init__()
        self.links: list[list[str]] = []
        self.text = ""
        self.scripts = 0
        self._silent = self._in_link = False
        self.feed(markup)

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self._in_link = True
            self.links.append([dict(attributes).get("href", ""), ""])
        if tag in ("script", "style"):
            self._silent = True
            self.scripts += tag == "script"

    def handle_endtag(self, tag):
        if tag == "a":
            self._in_link = False
        if tag in ("script", "style"):
            self._silent = False

    def handle_data(self, data):
        if self._silent:
            return
        self.text += data
        if self._in_link:
            self.links[-1][1] += data

    def link_to(self, part: str) -> tuple[str, str]:
        return tuple(next(link for link in self.links if part in link[0]))


def test_the_page_without_javascript_lists_the_traces(serve):
    server = serve()
    server.get("/api/products/tea", traceparent(TRACE))
    server.get("/boom", traceparent(OTHER))
    server.wait_for_spans(5)
    page = Page(server.get("/otel").body)
    for trace, route in ((TRACE, "/api/products/:id"), (OTHER, "/boom")):
        _, words = page.link_to(trace)
        assert route in words


def test_a_link_of_the_list_leads_to_the_spans_without_javascript(serve):
    server = serve()
    server.get("/api/products/tea", traceparent(TRACE))
    server.get("/health", traceparent(OTHER))
    server.wait_for_spans(4)
    page = Page(server.get("/otel").body)
    assert "catalogue.find" not in page.text
    chosen = server.get(page.link_to(TRACE)[0])
    assert chosen.status == 200
    assert "catalogue.find" in Page(chosen.body).text


def test_markup_in_spans_is_escaped_in_every_view(serve):
    server = serve(NASTY)
    plain = server.get("/otel").body
    server.get("/nasty", traceparent(TRACE))
    spans = server.wait_for_spans(2)
    child = next(span["span"] for span in spans if span["parent"] != PARENT)
    paths = ("/otel", f"/otel?trace={TRACE}&span={child}", f"/otel?trace={TRACE}&look=flame", f"/otel/trace/{TRACE}", f"/otel/trace/{TRACE}.svg")
    for path in paths:
        body = server.get(path).body
        assert "<script>window" not in body and "<img src=x" not in body and "<svg onload" not in body and "<b>key" not in body
    assert Page(server.get("/otel").body).scripts == Page(plain).scripts
    reflected = server.get("/otel?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&route=%3Cscript%3E&trace=%3Cscript%3E").body
    assert "<script>alert" not in reflected
    assert Page(reflected).scripts == Page(plain).scripts


def test_filters_work_without_javascript(serve):
    server = serve()
    server.get("/health", traceparent(TRACE))
    server.get("/boom", traceparent(OTHER))
    server.wait_for_spans(3)

    def shown(query):
        markup = server.get(f"/otel/traces.json?{query}").body
        return {trace["trace"] for trace in json.loads(markup)["traces"]}

    assert shown("") == {TRACE, OTHER}
    assert shown("status=error") == {OTHER}
    assert shown("status=ok") == {TRACE}
    assert shown("route=/health") == {TRACE}
    assert shown("q=boiler") == {OTHER}
    assert shown("q=http.route=/health") == {TRACE}
    assert shown("min=60000") == set()


def test_a_trace_has_a_page_and_a_picture(serve):
    server = serve()
    server.get("/api/products/tea", traceparent(TRACE))
    server.wait_for_spans(3)
    page = server.get(f"/otel/trace/{TRACE}")
    assert page.status == 200
    assert "catalogue.find" in page.body
    picture = server.get(f"/otel/trace/{TRACE}.svg")
    assert picture.status == 200
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert picture.body.lstrip().startswith("<svg")
    # One for each span at least.
    assert picture.body.count("<rect") >= 3


def test_an_unknown_trace_still_gives_a_page_and_a_picture(serve):
    server = serve()
    assert "<svg" in server.get(f"/otel/trace/{TRACE}.svg").body
    assert "<html" in server.get(f"/otel/trace/{TRACE}").body


def test_the_metrics_are_in_the_text_format_of_prometheus(serve):
    server = serve()
    for path in ("/health", "/health", "/boom"):
        server.get(path)
    server.wait_for_spans(4)
    answer = server.get("/otel/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.body.splitlines()
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="([^"\\]|\\.)*",?)*\})? -?[0-9.eE+-]+|.* \+Inf', line), line
    counts = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines if "_count{" in line}
    assert [value for name, value in counts.items() if '"/health"' in name] == ["2"]
    assert [value for name, value in counts.items() if '"/boom"' in name] == ["1"]


def test_the_telemetry_makes_no_spans_of_its_own(serve):
    server = serve()
    for path in ("/otel", "/otel/traces.json", "/otel/metrics", f"/otel/trace/{TRACE}", f"/otel/trace/{TRACE}.svg"):
        server.get(path)
    assert server.spans() == []


# ── The stream ───────────────────────────────────────────────────────────────────────────────────


class Stream:
    """Server-sent events, read as they come."""

    def __init__(self, server, last_event_id: str | None = None):
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        resumption = {} if last_event_id is None else {"last-event-id": last_event_id}
        self._connection.request("GET", "/otel/stream", headers={"accept": "text/event-stream", **resumption})
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.headers = self._answer.headers

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._answer.close()
        self._connection.close()

    def next(self) -> dict[str, str]:
        """The next event; comments and settings between events are passed over."""
        event: dict[str, str] = {}
        # Comments keep the connection alive, so its timeout alone would not end this.
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            line = self._answer.readline().decode()
            if not line:
                raise AssertionError("the stream ended")
            line = line.rstrip("\r\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                event[name] = event[name] + "\n" + value if name in event else value
            elif not line:
                if "data" in event:
                    return event
                event = {}
        raise AssertionError("waited in vain for an event")

    def next_of(self, kind: str) -> dict[str, str]:
        """The next event of a kind."""
        while True:
            event = self.next()
            if event["event"] == kind:
                return event

    def next_trace(self) -> dict[str, str]:
        """The next finished trace, with its data decoded."""
        while True:
            event = self.next()
            if event["event"] == "otel.trace":
                return {**event, "data": json.loads(event["data"])}


def test_the_stream_sends_an_event_for_each_finished_trace(serve):
    server = serve()
    with Stream(server) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        server.get("/health")
        server.get("/boom")
        first, second = stream.next_trace(), stream.next_trace()
    spans = server.spans()
    roots = [span for span in spans if span["parent"] is None]
    assert [first["data"]["trace"], second["data"]["trace"]] == [root["trace"] for root in roots]
    assert [first["data"]["name"], second["data"]["name"]] == ["GET /health", "GET /boom"]
    assert first["id"] and second["id"] and first["id"] != second["id"]


def test_a_continued_trace_is_finished_for_us_when_our_first_span_is(serve):
    server = serve()
    with Stream(server) as stream:
        server.get("/health", traceparent(TRACE))
        assert stream.next_trace()["data"]["trace"] == TRACE


def test_the_stream_sends_an_event_for_each_span_before_its_trace(serve):
    server = serve()
    with Stream(server) as stream:
        server.get("/boom")
        events = [stream.next() for _ in range(3)]
    assert [event["event"] for event in events] == ["otel.span", "otel.span", "otel.trace"]
    assert [json.loads(event["data"])["name"] for event in events] == ["check the boiler", "GET /boom", "GET /boom"]
    assert all(event["id"] for event in events)


def test_last_event_id_resumes_without_loss_or_repetition(serve):
    server = serve()
    with Stream(server) as stream:
        server.get("/health?n=0")
        seen = stream.next_trace()
    for path in ("/api/products", "/boom", "/nowhere"):
        server.get(path)
    with Stream(server, last_event_id=seen["id"]) as stream:
        missed = [stream.next_trace()["data"]["name"] for _ in range(3)]
        assert missed == ["GET /api/products", "GET /boom", "GET"]
        server.get("/health")
        assert stream.next_trace()["data"]["name"] == "GET /health"


def test_line_breaks_in_a_span_do_not_break_the_stream(serve):
    server = serve('(define app (host/make-app (list (dream-get "/x" (fn (request) (otel/with-span "one\\ntwo\\r\\n\\ndata: three" {} (fn () (host/ok nil))))))))')
    with Stream(server) as stream:
        server.get("/x")
        assert json.loads(stream.next()["data"])["name"] == "one\ntwo\r\n\ndata: three"
        assert stream.next_trace()["data"]["name"] == "GET /x"


def test_readers_that_leave_harm_nobody(serve):
    server = serve()
    for _ in range(30):
        with Stream(server):
            pass
    for _ in range(5):
        server.get("/health")
    assert len(server.wait_for_spans(5)) == 5
    with Stream(server) as stream:
        server.get("/boom")
        assert stream.next_trace()["data"]["name"] == "GET /boom"


def test_a_reader_that_never_reads_costs_neither_memory_nor_the_others(serve):
    server = serve()
    idle = server.connect()
    try:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.sendall(b"GET /otel/stream HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n")
        server.get("/health")
        server.evaluate("(collect-garbage)")
        before = resident(server)
        # 20,000 spans with a kilobyte each: 20 MB for a reader who takes none of it.
        for _ in range(20):
            server.evaluate('(for-each (fn (n) (otel/with-span "noise" {:text (repeat "x" 1000)} (fn () nil))) (range 0 1000))')
        began = time.monotonic()
        assert server.get("/health").status == 200
        assert time.monotonic() - began < 20
        assert resident(server) - before < 64 * 2**20
        # One who does read gets the news at once, all the same.
        with Stream(server) as stream:
            server.get("/boom")
            assert stream.next_trace()["data"]["name"] == "GET /boom"
    finally:
        idle.close()


def test_a_slow_reader_hears_what_it_missed_and_another_one_misses_nothing(serve):
    server = serve()
    rounds, each = 40, 100
    with Stream(server) as slow, Stream(server) as fast:
        wait_until(lambda: server.value("otel/-streams") == 2, "two readers", seconds=60)
        # 4,000 spans of 10 kB: more than sockets hold, and more than the ring, which has room for 1,000.
        for n in range(rounds):
            server.evaluate(f'(for-each (fn (n) (otel/with-span (str (+ n {n * each})) {{:text (repeat "x" 10000)}} (fn () nil) {{:kind "producer" :parent {{:trace "{TRACE}" :span "b7ad6b7169203331"}}}})) (range 0 {each}))')
            # It keeps pace, however far behind the other one is.
            assert [json.loads(fast.next_of("otel.span")["data"])["name"] for _ in range(each)] == [str(n * each + k) for k in range(each)]
        seen, missed = [], 0
        while not seen or seen[-1] < rounds * each - 1:
            event = slow.next()
            if event["event"] == "otel.gap":
                missed += json.loads(event["data"])["missed"]
            elif event["event"] == "otel.span":
                seen.append(int(json.loads(event["data"])["name"]))
    assert missed > 0
    assert seen == sorted(set(seen))
    assert len(seen) + missed == rounds * each


def test_a_span_that_is_too_long_for_an_event_comes_without_its_attributes(serve):
    server = serve()
    with Stream(server) as stream:
        server.evaluate('(otel/with-span "long" {:text (repeat "x" 100000)} (fn () nil))')
        event = stream.next()
        assert len(event["data"]) < 1000
        span = json.loads(event["data"])
        assert (span["name"], span["attrs"], span["cut"]) == ("long", {}, True)
        assert stream.next_trace()["data"]["name"] == "long"
        server.evaluate('(otel/with-span "short" {:text "x"} (fn () nil))')
        span = json.loads(stream.next()["data"])
        assert (span["attrs"], "cut" in span) == ({"text": "x"}, False)


def resident(server) -> int:
    """Bytes of memory that the server's process occupies."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def test_bad_exports_leave_the_server_as_it_was(serve):
    server = serve()
    json_type = {"content-type": "application/json"}
    for body in ("", "{", "null", "[1]", "[" * 200_000, '{"resourceSpans":' + "[" * 200_000, "\u0000", '{"resourceSpans":[null]}'):
        assert server.post("/v1/traces", body, json_type).status == 400, body[:40]
    many = [{"key": f"k{n}", "value": {"stringValue": "v" * 100}} for n in range(10_000)]
    send_spans(server, [foreign_span(1, attributes=many)], "wordy")
    send_spans(server, [foreign_span(2, endTimeUnixNano="1"), foreign_span(3, kind="x", status=[], links={"a": 1})], "odd")
    answer = server.post("/v1/traces", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [foreign_span(4, traceId="abc")]}]}]}), json_type)
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    for path in ("/otel", f"/otel?trace={TRACE}", f"/otel/trace/{TRACE}", f"/otel/trace/{TRACE}.svg", "/otel/traces.json", "/otel/metrics", "/health"):
        assert server.get(path).status == 200, path
    validate(server.get(f"/otel/trace/{TRACE}.json").body)
