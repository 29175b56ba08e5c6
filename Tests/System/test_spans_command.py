"""sx spans, sx export and sx import, from outside."""

import gzip
import re
import subprocess

import pexpect
import pytest

from otlp_receiver import parse_strictly, spans_of
from sx_process import PATIENCE, binary, environment, wait_until
from test_export import validate

TRACE = "0af7651916cd43dd8448eb211c80319c"

TREE = """
(otel/with-span "outer" {}
  (fn ()
    (otel/with-span "inner" {} (fn () (sleep 20)))
    (otel/with-span "last" {} (fn () (sleep 20)))))
"""


def rows(text: str) -> list[tuple[str, str]]:
    """Names with their indentation, and the bars."""
    return re.findall(r"^( *\S.*?)  +([·█]+) ", text, re.MULTILINE)


def test_the_traces_of_a_server_are_drawn_as_trees(serve, sx):
    server = serve()
    server.get("/boom")
    server.get("/api/products/cup/price?currency=jpy")
    server.wait_for_spans(9)
    outcome = sx("spans", "--connect", str(server.probe_path), COLUMNS="100")
    assert outcome.status == 0, outcome.err
    first, second = outcome.out.split("\n\n")
    assert [name for name, _ in rows(first)] == ["GET /boom", "  check the boiler"]
    assert "✗ the boiler has burst" in first
    assert [name for name, _ in rows(second)] == [
        "GET /api/products/:id/price",
        "  catalogue.find",
        "    db.query",
        "  GET",
        "    GET /api/rates/:currency",
        "      db.query",
        "  price.convert",
    ]
    # The longest label has 28 columns, and two blanks behind it; " 1234.567 ms ✗" takes the rest.
    assert {len(bar) for _, bar in rows(second)} == {100 - 30 - 14}
    assert rows(second)[0][1].strip("█") == ""
    assert max(len(line) for line in outcome.out.splitlines()) <= 100
    assert "\x1b" not in outcome.out


def test_traces_are_chosen_by_id_error_route_and_duration(serve, sx):
    server = serve()
    server.get("/health", {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    server.get("/boom")
    server.get("/slow?ms=150")
    server.wait_for_spans(5)

    def roots(*options: str) -> list[str]:
        outcome = sx("spans", "--connect", str(server.probe_path), *options)
        assert outcome.status == 0, outcome.err
        return [rows(trace)[0][0] for trace in outcome.out.split("\n\n") if trace]

    assert roots() == ["GET /health", "GET /boom", "GET /slow"]
    assert roots("--trace", TRACE) == ["GET /health"]
    assert roots("--trace", TRACE[:8].upper()) == ["GET /health"]
    assert roots("--errors") == ["GET /boom"]
    assert roots("--route", "/slow") == ["GET /slow"]
    assert "GET /slow" in roots("--min-ms", "150")
    assert roots("--route", "/nothing") == []


def test_json_is_one_export_a_trace(serve, sx):
    server = serve()
    server.get("/health")
    server.get("/boom")
    server.wait_for_spans(3)
    outcome = sx("spans", "--connect", str(server.probe_path), "--json")
    lines = outcome.out.splitlines()
    assert [len(spans_of(parse_strictly(line))) for line in lines] == [1, 2]
    for line in lines:
        validate(line)


def test_open_spans_are_drawn_as_far_as_they_have_come(serve, sx):
    server = serve()
    asking = subprocess.Popen(["curl", "-s", f"{server.url}/slow?ms=4000"], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: server.value("(len (otel/open-spans))") == 2, "the request to be under way", seconds=60)
        outcome = sx("spans", "--connect", str(server.probe_path))
        assert [name for name, _ in rows(outcome.out)] == ["GET /slow", "  wait for the supplier"]
        assert outcome.out.count(" …\n") == 2
    finally:
        asking.kill()
        asking.wait()


def test_follow_draws_each_trace_once_when_it_has_ended(serve, sx, tmp_path):
    server = serve()
    server.get("/boom")
    server.wait_for_spans(2)
    log = tmp_path / "follow.out"
    with open(log, "wb") as out:
        following = subprocess.Popen(
            [binary(), "spans", "--connect", str(server.probe_path), "--follow"], stdout=out, stderr=out, env=environment(tmp_path)
        )
    try:
        wait_until(lambda: server.value("otel/-watchers") == 1, "the follower to wait", seconds=60)
        server.get("/health")
        wait_until(lambda: "GET /health" in log.read_text(), "the first trace", seconds=10)
        server.get("/slow?ms=300")
        server.get("/api/products/cup/price?currency=jpy")
        wait_until(lambda: "price.convert" in log.read_text(), "the third trace", seconds=10)
        names = [name for name, _ in rows(log.read_text())]
        assert names[:3] == ["GET /health", "GET /slow", "  wait for the supplier"]
        assert (names.count("GET /slow"), len(names), "GET /boom" in names) == (1, 10, False)
        assert server.terminate() == 0
        assert following.wait(PATIENCE) == 1
        assert "sx: " in log.read_text().splitlines()[-1]
    finally:
        following.kill()
        following.wait()


def test_colours_at_a_terminal_and_none_with_no_color(sx):
    path = sx.folder / "trace.json"
    sx.write("failing.sx", '(otel/with-span "outer" {} (fn () (otel/with-span "inner" {} (fn () (error "no tea")))))')
    assert sx("export", str(path), "failing.sx").status == 1
    plain = sx("spans", str(path)).out
    assert "✗ no tea" in plain
    def at_terminal(**extra: str) -> str:
        child = pexpect.spawn(
            binary(), ["spans", str(path)], env={**environment(sx.folder), "TERM": "xterm", **extra}, dimensions=(40, 60), encoding="utf-8", timeout=PATIENCE
        )
        text = child.read()
        child.wait()
        return text.replace("\r\n", "\n")

    colored = at_terminal(NO_COLOR="")
    assert "\x1b[31m" in colored
    bare = at_terminal(NO_COLOR="1")
    assert "\x1b" not in bare
    assert re.sub(r"\x1b\[[0-9]+m", "", colored) == bare
    # The width is that of the terminal.
    assert max(len(line) for line in bare.splitlines()) == 60


def test_a_servers_spans_go_to_a_file_and_from_there_into_another_server(serve, sx):
    first, second = serve(OTEL_SERVICE_NAME="tea house"), serve(probe=sx.folder / "second")
    for path in ("/boom", "/api/products/cup/price?currency=jpy"):
        first.get(path)
    spans = first.wait_for_spans(9)
    file = sx.folder / "spans.json"
    outcome = sx("export", str(file), "--connect", str(first.probe_path))
    assert (outcome.status, outcome.out, outcome.err) == (0, "", f"9 spans written to {file}\n")
    validate(file.read_text())
    assert parse_strictly(file.read_text()).resource_spans[0].resource.attributes[0].value.string_value == "tea house"
    outcome = sx("import", str(file), "--connect", str(second.probe_path))
    assert (outcome.status, outcome.err) == (0, "9 spans put into the server\n")
    imported = second.spans()
    assert [(s["trace"], s["span"], s["parent"], s["t0"], s["attrs"]) for s in imported] == [(s["trace"], s["span"], s["parent"], s["t0"], s["attrs"]) for s in spans]
    assert {s["resource"]["service.name"] for s in imported} == {"tea house"}
    # What a file draws is what the server draws.
    assert sx("import", str(file)).out == sx("spans", str(file)).out == sx("spans", "--connect", str(first.probe_path)).out


def test_many_spans_are_moved_page_by_page(serve, sx):
    first, second = serve(), serve(probe=sx.folder / "second")
    first.value('(begin (otel/set-cap! 5000) (dotimes (i 3000) (otel/with-span (str "span " i) {:text (repeat "x" 500)} (fn () nil))) true)')
    second.value("(begin (otel/set-cap! 5000) true)")
    assert sx("export", "many.json", "--connect", str(first.probe_path)).err == "3000 spans written to many.json\n"
    assert sx("import", "many.json", "--connect", str(second.probe_path)).err == "3000 spans put into the server\n"
    names = second.value("(map (fn (span) (get span :name)) (otel/recent))")
    assert names == [f"span {i}" for i in range(3000)]


def test_the_spans_of_a_program_run(sx):
    program = sx.write("program.sx", '(println (rest (command-line)))' + TREE)
    outcome = sx("export", "out.json", str(program), "one", "--", "--two")
    assert (outcome.status, outcome.err) == (0, "3 spans written to out.json\n")
    assert outcome.out == "(one --two)\n"
    text = (sx.folder / "out.json").read_text()
    validate(text)
    assert [span.name for span in spans_of(parse_strictly(text))] == ["inner", "last", "outer"]
    drawn = rows(sx("spans", "out.json").out)
    assert [name for name, _ in drawn] == ["outer", "  inner", "  last"]
    # One after the other.
    assert drawn[2][1].index("█") >= len(drawn[1][1].rstrip("·")) - 1


def test_files_of_collectors_have_one_export_a_line(sx):
    sx.write("tree.sx", TREE)
    line = sx("export", "-", "tree.sx").out
    outcome = sx("spans", "-", "--json", stdin=line + "\n" + line.replace("outer", "other"))
    assert outcome.status == 0, outcome.err
    assert sorted(span.name for span in spans_of(parse_strictly(outcome.out))) == ["inner", "inner", "last", "last", "other", "outer"]


def test_files_in_gzip_are_written_and_read(serve, sx):
    server = serve()
    sx.write("tree.sx", TREE)
    assert sx("export", "out.json.gz", "tree.sx").err == "3 spans written to out.json.gz\n"
    packed = (sx.folder / "out.json.gz").read_bytes()
    text = gzip.decompress(packed).decode()
    validate(text)
    # What is in a file tells what it is, not its name; standard input has none.
    (sx.folder / "out.json").write_bytes(packed)
    drawn = sx("spans", "out.json.gz").out
    assert [name for name, _ in rows(drawn)] == ["outer", "  inner", "  last"]
    assert sx("import", "out.json").out == drawn
    piped = subprocess.run([binary(), "import", "-"], input=packed, capture_output=True, cwd=sx.folder, env=environment(sx.folder), timeout=PATIENCE)
    assert (piped.returncode, piped.stdout.decode()) == (0, drawn)
    outcome = sx("import", "out.json.gz", "--connect", str(server.probe_path))
    assert (outcome.status, outcome.err) == (0, "3 spans put into the server\n")


def test_damaged_gzip_is_an_error_with_the_name_of_the_file(sx):
    packed = gzip.compress(b'{"resourceSpans":[]}')
    for content, message in ((packed[:-5], "ends too early"), (packed[:-8] + bytes(8), "is damaged"), (gzip.compress(b"\xff"), "is not UTF-8")):
        (sx.folder / "bad.json.gz").write_bytes(content)
        outcome = sx("import", "bad.json.gz")
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err.startswith("sx: bad.json.gz") and message in outcome.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "json-decode: expected a string or } at offset"),
        ("[]", "not an export of traces in OTLP/JSON"),
        ('{"resourceMetrics":[]}', "not an export of traces in OTLP/JSON"),
        ('{"resourceSpans":5}', "not an export of traces in OTLP/JSON"),
        ("", "json-decode: expected a value"),
    ],
)
def test_what_is_no_file_of_spans_is_an_error_with_its_name(sx, text, message):
    sx.write("bad.json", text)
    for command in ("spans", "import"):
        outcome = sx(command, "bad.json")
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err.startswith("sx: bad.json: ") and message in outcome.err


def test_wrong_usage_and_servers_that_are_not_there(sx):
    assert sx("spans", "x.json", "--follow").status == 64
    assert sx("export", "x.json").status == 64
    assert sx("export", "x.json", "program.sx", "--connect", "nowhere").status == 64
    for arguments in (("spans", "--connect", "nowhere"), ("export", "x.json", "--connect", "nowhere")):
        outcome = sx(*arguments)
        assert outcome.status == 1
        assert "cannot connect to the probe" in outcome.err
    assert sx("spans", SX_PROBE="elsewhere").err.count("elsewhere") == 1
    assert sx("spans", "missing.json").err == "sx: cannot read missing.json: No such file or directory\n"


def test_a_file_without_spans_draws_nothing(sx):
    sx.write("empty.json", "{}")
    outcome = sx("spans", "empty.json")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "sx: no traces match\n")
    outcome = sx("spans", "empty.json", "--trace", "abc")
    assert (outcome.status, outcome.out, outcome.err) == (1, "", "sx: there is no trace abc\n")
