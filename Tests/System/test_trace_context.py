"""W3C Trace Context level 2 and baggage over real HTTP: a table of header lines as they may come, and of what goes on.

Each row sends its lines byte for byte over a bare socket to a handler that asks another route of the same server; what that
one receives is what the program passed on.
"""

import re
import threading

import pytest

from otlp_receiver import Receiver
from sx_process import Server, read_response

TRACE = "12345678901234567890123456789012"
PARENT = "1234567890123456"
VALID = f"00-{TRACE}-{PARENT}-01"

APPLICATION = """
(define (headers request)
  (host/ok (get request :headers)))

(define (forward request)
  (let ((answer (http/request {:url (str "http://127.0.0.1:" (get request :server-port) "/headers")})))
    (host/ok (get (json-decode (get answer :body)) "data"))))

(define (forward-three request)
  (host/ok (map (fn (n)
                  (let ((answer (http/request {:url (str "http://127.0.0.1:" (get request :server-port) "/headers")})))
                    (get-in (json-decode (get answer :body)) (list "data" "traceparent"))))
                (list 1 2 3))))

(define app
  (host/make-app (list (dream-get "/headers" headers)
                       (dream-get "/forward" forward)
                       (dream-get "/forward-three" forward-three))))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("context"), APPLICATION).wait_for_port()
    yield server
    server.kill()


def send(server, lines, path="/forward"):
    """What comes of a request with these header lines: the JSON data of the answer."""
    with server.connect() as connection:
        head = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "host: localhost", *lines, ""))
        connection.sendall(head.encode("latin-1"))
        answer = read_response(connection.makefile("rb"))
        assert answer.status == 200, answer.body
        return answer.json()["data"]


def context(headers) -> tuple[str, str, str]:
    """Trace id, span id and flags of the traceparent that was passed on, which has to be valid."""
    assert "tracestate" not in headers or headers["tracestate"] != ""
    match = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[0-3])", headers["traceparent"])
    assert match, headers["traceparent"]
    assert set(match[1]) != {"0"} and set(match[2]) != {"0"}
    return match.groups()


# ── traceparent ──────────────────────────────────────────────────────────────────────────────────

CONTINUED = {
    "as it should be": [f"traceparent: {VALID}"],
    "name in upper case": [f"TRACEPARENT: {VALID}"],
    "name in mixed case": [f"TraceParent: {VALID}"],
    "name in odd case": [f"tRaCePaReNt: {VALID}"],
    "no blank after the colon": [f"traceparent:{VALID}"],
    "blanks around": [f"traceparent:   {VALID}   "],
    "tabs around": [f"traceparent:\t{VALID}\t"],
    "blanks and tabs around": [f"traceparent: \t {VALID} \t "],
    "version cc": [f"traceparent: cc-{TRACE}-{PARENT}-01"],
    "version cc with more": [f"traceparent: cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"],
    "version cc that ends with a dash": [f"traceparent: cc-{TRACE}-{PARENT}-01-"],
    "version 01": [f"traceparent: 01-{TRACE}-{PARENT}-01"],
    "version fe": [f"traceparent: fe-{TRACE}-{PARENT}-01"],
}


@pytest.mark.parametrize("lines", CONTINUED.values(), ids=CONTINUED)
def test_a_valid_traceparent_is_continued(server, lines):
    trace, span, flags = context(send(server, lines))
    assert (trace, flags) == (TRACE, "01")
    assert span != PARENT


REFUSED = {
    "missing": [],
    "empty": ["traceparent:"],
    "only blanks": ["traceparent: \t "],
    "name with a dash": [f"trace-parent: {VALID}"],
    "name with a dot": [f"trace.parent: {VALID}"],
    "twice, the same": [f"traceparent: {VALID}"] * 2,
    "twice, different": [f"traceparent: {VALID}", f"traceparent: 00-{TRACE[::-1]}-{PARENT}-01"],
    "twice, in different case": [f"traceparent: {VALID}", f"TraceParent: {VALID}"],
    "two values in one line": [f"traceparent: {VALID},{VALID}"],
    "version 00 with more": [f"traceparent: {VALID}."],
    "version 00 with more after a dash": [f"traceparent: {VALID}-what-the-future-will-be-like"],
    "version 00 that ends with a dash": [f"traceparent: {VALID}-"],
    "version cc with something else than a dash": [f"traceparent: cc-{TRACE}-{PARENT}-01.what-the-future-will-not-be-like"],
    "version cc cut short": [f"traceparent: cc-{TRACE}-{PARENT}-0"],
    "version ff": [f"traceparent: ff-{TRACE}-{PARENT}-01"],
    "version with an illegal character": [f"traceparent: .0-{TRACE}-{PARENT}-01"],
    "version with an illegal second character": [f"traceparent: 0.-{TRACE}-{PARENT}-01"],
    "version in upper case": [f"traceparent: CC-{TRACE}-{PARENT}-01"],
    "version too long": [f"traceparent: 000-{TRACE}-{PARENT}-01", "tracestate: foo=1"],
    "version too long, of other digits": [f"traceparent: 001-{TRACE}-{PARENT}-01"],
    "version too short": [f"traceparent: 0-{TRACE}-{PARENT}-01"],
    "trace id of zeros": [f"traceparent: 00-{'0' * 32}-{PARENT}-01"],
    "trace id with an illegal character": [f"traceparent: 00-.{TRACE[1:]}-{PARENT}-01"],
    "trace id with an illegal last character": [f"traceparent: 00-{TRACE[:-1]}.-{PARENT}-01"],
    "trace id in upper case": [f"traceparent: 00-{'ABCDEF' + TRACE[6:]}-{PARENT}-01"],
    "trace id too long": [f"traceparent: 00-{TRACE}3-{PARENT}-01"],
    "trace id too short": [f"traceparent: 00-{TRACE[1:]}-{PARENT}-01"],
    "span id of zeros": [f"traceparent: 00-{TRACE}-{'0' * 16}-01"],
    "span id with an illegal character": [f"traceparent: 00-{TRACE}-.{PARENT[1:]}-01"],
    "span id with an illegal last character": [f"traceparent: 00-{TRACE}-{PARENT[:-1]}.-01"],
    "span id in upper case": [f"traceparent: 00-{TRACE}-{'ABCDEF' + PARENT[6:]}-01"],
    "span id too long": [f"traceparent: 00-{TRACE}-{PARENT}7-01"],
    "span id too short": [f"traceparent: 00-{TRACE}-{PARENT[1:]}-01"],
    "flags with an illegal character": [f"traceparent: 00-{TRACE}-{PARENT}-.0"],
    "flags with an illegal last character": [f"traceparent: 00-{TRACE}-{PARENT}-0."],
    "flags in upper case": [f"traceparent: 00-{TRACE}-{PARENT}-0A"],
    "flags too long": [f"traceparent: 00-{TRACE}-{PARENT}-001"],
    "flags too short": [f"traceparent: 00-{TRACE}-{PARENT}-1"],
    "blanks inside": [f"traceparent: 00 -{TRACE}-{PARENT}-01"],
    "tab inside": [f"traceparent: 00-{TRACE}-{PARENT}\t-01"],
    "underscores": [f"traceparent: {VALID.replace('-', '_')}"],
    "quoted": [f'traceparent: "{VALID}"'],
    "bytes above 127": [f"traceparent: 00-{TRACE[:-1]}\xe9-{PARENT}-01"],
}


@pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED)
def test_an_invalid_traceparent_starts_a_trace_and_drops_the_tracestate(server, lines):
    headers = send(server, [*lines, "tracestate: bar=2"])
    trace, _, flags = context(headers)
    assert trace not in (TRACE, TRACE[::-1])
    assert flags == "01"
    assert "tracestate" not in headers


FLAGS = {"00": "00", "01": "01", "02": "02", "03": "03", "04": "00", "05": "01", "fc": "00", "fe": "02", "ff": "03", "09": "01"}


@pytest.mark.parametrize("sent, passed_on", FLAGS.items(), ids=FLAGS)
def test_sampled_and_random_are_passed_on_and_no_other_flag(server, sent, passed_on):
    trace, _, flags = context(send(server, [f"traceparent: 00-{TRACE}-{PARENT}-{sent}"]))
    assert (trace, flags) == (TRACE, passed_on)


def test_each_outgoing_request_has_a_span_of_its_own(server):
    sent = send(server, [f"traceparent: {VALID}"], "/forward-three")
    assert {value.split("-")[1] for value in sent} == {TRACE}
    assert len({value.split("-")[2] for value in sent} | {PARENT}) == 4


def test_requests_side_by_side_keep_their_traces(server):
    found = {}

    def ask(number):
        found[number] = context(send(server, [f"traceparent: 00-{number:032x}-{PARENT}-01"]))[0]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"{number:032x}" for number in range(1, 21)}


# ── tracestate ───────────────────────────────────────────────────────────────────────────────────

KEY_256 = "a" * 256
TENANT = "t" * 241 + "@" + "v" * 14
MEMBERS_32 = ",".join(f"bar{n:02}={n:02}" for n in range(1, 33))

#: The lines that come in, and the members that go on, in order.
KEPT = {
    "one member": (["tracestate: foo=1"], "foo=1"),
    "name in upper case": (["TRACESTATE: foo=1"], "foo=1"),
    "name in mixed case": (["TraceState: foo=1"], "foo=1"),
    "order": (["tracestate: foo=1,bar=2,baz=3"], "foo=1,bar=2,baz=3"),
    "two headers": (["tracestate: foo=1", "tracestate: bar=2"], "foo=1,bar=2"),
    "three headers, each with some": (["tracestate: foo=1,two=2", "tracestate: bar=3", "tracestate: rojo=4,congo=5"], "foo=1,two=2,bar=3,rojo=4,congo=5"),
    "two headers in different case": (["tracestate: foo=1", "TRACESTATE: bar=2"], "foo=1,bar=2"),
    "an empty header before": (["tracestate:", "tracestate: foo=1"], "foo=1"),
    "an empty header after": (["tracestate: foo=1", "tracestate:"], "foo=1"),
    "an empty header between": (["tracestate: foo=1", "tracestate: ", "tracestate: bar=2"], "foo=1,bar=2"),
    "blanks and tabs around members": (["tracestate: foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
    "blanks around the whole": (["tracestate: \t foo=1,bar=2 \t "], "foo=1,bar=2"),
    "empty members": (["tracestate: foo=1,,,bar=2,"], "foo=1,bar=2"),
    "an empty member in front": (["tracestate: ,foo=1"], "foo=1"),
    "a blank member": (["tracestate: foo=1, ,bar=2"], "foo=1,bar=2"),
    "32 members": ([f"tracestate: {MEMBERS_32}"], MEMBERS_32),
    "32 members over 32 headers": ([f"tracestate: {member}" for member in MEMBERS_32.split(",")], MEMBERS_32),
    "every character of a key": (["tracestate: abcdefghijklmnopqrstuvwxyz0123456789_-*/=1"], "abcdefghijklmnopqrstuvwxyz0123456789_-*/=1"),
    "every character of a tenant key": (["tracestate: ab01_-*/@cd23_-*/=1"], "ab01_-*/@cd23_-*/=1"),
    "key that begins with a digit": (["tracestate: 0foo=1"], "0foo=1"),
    "key of one character": (["tracestate: z=1"], "z=1"),
    "key of 256 characters": ([f"tracestate: foo=1,{KEY_256}=2"], f"foo=1,{KEY_256}=2"),
    "tenant key of 256 characters": ([f"tracestate: {TENANT}=1"], f"{TENANT}=1"),
    "every character of a value": (
        ["tracestate: foo=!\"#$%&'()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"],
        "foo=!\"#$%&'()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
    ),
    "blanks inside a value": (["tracestate: foo=1 2  3"], "foo=1 2  3"),
    "a blank in front of a value": (["tracestate: foo= 1"], "foo= 1"),
    "value of 256 characters": ([f"tracestate: foo={'v' * 256}"], f"foo={'v' * 256}"),
    "512 characters": ([f"tracestate: foo={'1' * 250},bar={'2' * 253}"], f"foo={'1' * 250},bar={'2' * 253}"),
    "more than 512 characters": ([f"tracestate: a={'1' * 256},b={'2' * 256},c={'3' * 256}"], f"a={'1' * 256},b={'2' * 256},c={'3' * 256}"),
}


@pytest.mark.parametrize("lines, passed_on", KEPT.values(), ids=KEPT)
def test_a_valid_tracestate_is_passed_on(server, lines, passed_on):
    headers = send(server, [f"traceparent: {VALID}", *lines])
    assert context(headers)[0] == TRACE
    assert headers["tracestate"] == passed_on


@pytest.mark.parametrize("lines", [["tracestate: foo=1,foo=1"], ["tracestate: foo=1,foo=2"], ["tracestate: foo=1", "tracestate: foo=2"]])
def test_a_key_that_comes_twice_harms_nothing(server, lines):
    headers = send(server, [f"traceparent: {VALID}", *lines])
    assert context(headers)[0] == TRACE
    assert headers["tracestate"].startswith("foo=1")


DROPPED = {
    "no value": ["tracestate: foo"],
    "empty value": ["tracestate: foo="],
    "empty value among others": ["tracestate: foo=1,bar="],
    "empty key": ["tracestate: =1"],
    "equals sign in the value": ["tracestate: foo=bar=baz"],
    "two equals signs": ["tracestate: foo==1"],
    "upper case in the key": ["tracestate: fOO=1"],
    "upper case key among others": ["tracestate: bar=1,FOO=2"],
    "blank in front of the equals sign": ["tracestate: foo =1"],
    "tab in front of the equals sign": ["tracestate: foo\t=1"],
    "blank inside a key": ["tracestate: foo bar=1"],
    "dot in the key": ["tracestate: foo.bar=1"],
    "semicolon in the key": ["tracestate: foo;bar=1"],
    "semicolon between members": ["tracestate: foo=1;=2"],
    "key that begins with a sign": ["tracestate: _foo=1"],
    "key that begins with an at sign": ["tracestate: @foo=1"],
    "key of 257 characters": [f"tracestate: foo=1,{'a' * 257}=2"],
    "tenant key of 257 characters": [f"tracestate: {'t' * 242}@{'v' * 14}=1"],
    "value of 257 characters": [f"tracestate: foo={'v' * 257}"],
    "tab inside a value": ["tracestate: foo=1\t2"],
    "byte above 127 in a value": ["tracestate: foo=caf\xe9"],
    "33 members": [f"tracestate: {MEMBERS_32},bar33=33"],
    "33 members over two headers": [f"tracestate: {MEMBERS_32}", "tracestate: bar33=33"],
    "only empty members": ["tracestate: ,,,"],
    "empty": ["tracestate:"],
    "several empty headers": ["tracestate:", "tracestate: \t"],
    "one good and one bad header": ["tracestate: foo=1", "tracestate: BAR=2"],
}


@pytest.mark.parametrize("lines", DROPPED.values(), ids=DROPPED)
def test_an_invalid_tracestate_is_dropped_and_the_traceparent_is_not(server, lines):
    headers = send(server, [f"traceparent: {VALID}", *lines])
    assert context(headers)[0] == TRACE
    assert "tracestate" not in headers


def test_the_tracestate_may_come_first(server):
    headers = send(server, ["tracestate: foo=1", "x-between: yes", f"traceparent: {VALID}", "tracestate: bar=2"])
    assert context(headers)[0] == TRACE
    assert headers["tracestate"] == "foo=1,bar=2"


# ── baggage ──────────────────────────────────────────────────────────────────────────────────────

MEMBERS_64 = ",".join(f"k{n}={n}" for n in range(64))

BAGGAGE = {
    "one member": (["baggage: tenant=acme"], "tenant=acme"),
    "name in upper case": (["BAGGAGE: tenant=acme"], "tenant=acme"),
    "two headers": (["baggage: a=1", "Baggage: b=2"], "a=1,b=2"),
    "blanks around everything": (["baggage: \t a = 1 , b =\t2 "], "a=1,b=2"),
    "properties stay": (["baggage: a=1;ttl=5;secret, b=2"], "a=1;ttl=5;secret,b=2"),
    "percent-encoded value": (["baggage: name=Gr%C3%BC%C3%9Fe%20%2C"], "name=Gr%C3%BC%C3%9Fe%20%2C"),
    "empty value": (["baggage: a="], "a="),
    "upper case in a name": (["baggage: userId=Alice"], "userId=Alice"),
    "one bad member among good ones": (["baggage: a=1,no value,b=2"], "a=1,b=2"),
    "a quote in a value": (['baggage: a="1",b=2'], "b=2"),
    "64 members": ([f"baggage: {MEMBERS_64}"], MEMBERS_64),
    "65 members": ([f"baggage: {MEMBERS_64},k64=64"], MEMBERS_64),
    "more than 8192 bytes": ([f"baggage: a=1,long={'x' * 8200},b=2"], "a=1,b=2"),
    "without a traceparent": (["baggage: only=this"], "only=this"),
}


@pytest.mark.parametrize("lines, passed_on", BAGGAGE.values(), ids=BAGGAGE)
def test_baggage_is_passed_on(server, lines, passed_on):
    assert send(server, lines)["baggage"] == passed_on


@pytest.mark.parametrize("line", ["baggage:", "baggage: ,", "baggage: novalue", "baggage: =1", "baggage: a b=1"])
def test_baggage_that_says_nothing_is_not_passed_on(server, line):
    assert "baggage" not in send(server, [f"traceparent: {VALID}", line])


# ── The environment ──────────────────────────────────────────────────────────────────────────────


def test_the_environment_hands_on_trace_state_and_baggage(sx, server):
    program = sx.write(
        "program.sx", f'(println (get (http/request {{:url "{server.url}/headers"}}) :body))'
    )
    outcome = sx("run", str(program), TRACEPARENT=f"00-{TRACE}-{PARENT}-01", TRACESTATE="foo=1", BAGGAGE="tenant=acme")
    assert outcome.status == 0, outcome.err
    assert f"00-{TRACE}-" in outcome.out and f"-{PARENT}-" not in outcome.out
    assert '"tracestate":"foo=1"' in outcome.out and '"baggage":"tenant=acme"' in outcome.out


def test_an_unsampled_environment_records_nothing_and_keeps_its_trace(sx, server):
    program = sx.write(
        "program.sx",
        f'(otel/with-span "work" {{}} (fn () (println (get (http/request {{:url "{server.url}/headers"}}) :body))))(println (len (otel/recent)))',
    )
    outcome = sx("run", str(program), TRACEPARENT=f"00-{TRACE}-{PARENT}-00")
    assert outcome.status == 0, outcome.err
    assert re.search(rf"00-{TRACE}-[0-9a-f]{{16}}-00", outcome.out)
    assert outcome.out.splitlines()[-1] == "0"


def test_an_invalid_environment_is_as_none(sx):
    program = sx.write("program.sx", '(otel/with-span "work" {} (fn () nil))')
    with Receiver() as receiver:
        outcome = sx("run", str(program), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, TRACEPARENT=f"ff-{TRACE}-{PARENT}-01", TRACESTATE="a=1")
        assert outcome.status == 0, outcome.err
        (span,) = receiver.spans
        assert span.trace_id.hex() != TRACE and span.parent_span_id == b"" and span.trace_state == ""


@pytest.mark.parametrize(
    "names, expected",
    [("tracecontext", {"traceparent"}), ("baggage", {"baggage"}), ("none", set()), ("baggage,tracecontext", {"traceparent", "baggage"})],
)
def test_only_the_propagators_that_are_asked_for_are_used(serve, names, expected):
    server = serve(APPLICATION, OTEL_PROPAGATORS=names)
    headers = send(server, [f"traceparent: {VALID}", "baggage: a=1"])
    assert {"traceparent", "baggage"} & headers.keys() == expected
    if "traceparent" in expected:
        assert context(headers)[0] == TRACE
