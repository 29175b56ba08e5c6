"""Who may see the telemetry: names that a foreign page could take over, tokens, cookies, and what a GET may do."""

import re

import pytest

from sx_process import Command, wait_until

TOKEN = "correct-horse_battery.staple~1"
PAGES = ["/otel", "/otel/stream", "/otel/traces.json", "/otel/metrics", "/otel/trace/0af7651916cd43dd8448eb211c80319c", "/otel/dashboard.css", "/otel/dashboard.js"]
EXPORT = '{"resourceSpans": []}'
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("path", PAGES)
def test_a_name_that_anybody_can_own_is_refused(serve, path):
    server = serve()
    for name in ("evil.example", f"evil.example:{server.port}", "localhost.evil.example", "127.0.0.1.evil.example", "1.2.3", "256x.1.1.1", ""):
        answer = server.get(path, {"host": name})
        assert answer.status == 421, name
        assert "trace" not in answer.body


def test_addresses_and_localhost_are_fine(serve):
    server = serve()
    for name in ("127.0.0.1", f"127.0.0.1:{server.port}", "localhost", "LOCALHOST:80", "app.localhost", "[::1]", "[::1]:8080", "192.168.1.7"):
        assert server.get("/otel/traces.json", {"host": name}).status == 200, name


def test_the_application_itself_answers_to_every_name(serve):
    assert serve().get("/health", {"host": "shop.example"}).status == 200


def test_without_the_token_nothing_is_told(serve):
    server = serve(SX_TOKEN=TOKEN)
    for path in PAGES:
        answer = server.get(path)
        assert answer.status == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
    for wrong in (TOKEN[:-1], TOKEN + "1", TOKEN.upper(), ""):
        assert server.get("/otel", {"authorization": f"Bearer {wrong}"}).status == 401
        assert server.get("/otel", {"cookie": f"sx-token={wrong}"}).status == 401
        assert server.get(f"/otel?token={wrong}").status == 401
    assert server.get("/health").status == 200


def test_the_token_opens_everything_under_any_name(serve):
    server = serve(SX_TOKEN=TOKEN)
    for path in PAGES:
        if path != "/otel/stream":
            assert server.get(path, {"authorization": f"Bearer {TOKEN}"}).status in (200, 404), path
    assert server.get("/otel", {"authorization": f"bearer {TOKEN}", "host": "traces.example"}).status == 200


def test_a_browser_logs_in_once(serve):
    server = serve(SX_TOKEN=TOKEN)
    answer = server.get(f"/otel?token={TOKEN}&q=a%26b")
    assert answer.status == 303
    assert answer.headers["location"] == "/otel?q=a%26b"
    cookie = answer.headers["set-cookie"]
    assert re.search(r"; HttpOnly(;|$)", cookie) and re.search(r"; SameSite=Strict(;|$)", cookie)
    assert server.get("/otel?q=a%26b", {"cookie": "other=1; " + cookie.split(";")[0]}).status == 200


def test_a_log_in_cannot_be_sent_elsewhere(serve):
    server = serve(SX_TOKEN=TOKEN)
    answer = server.get(f"/otel/trace/%2F%2Fevil.example%0d%0ax:y?token={TOKEN}")
    assert answer.headers["location"].startswith("/otel/trace/")
    assert "x" not in answer.headers


def test_spans_are_taken_with_the_token_only_and_refused_in_kind(serve):
    server = serve(SX_TOKEN=TOKEN)
    answer = server.post("/v1/traces", EXPORT, JSON)
    assert (answer.status, answer.json()["code"]) == (401, 16)
    assert server.post("/v1/traces", "", {"content-type": "application/x-protobuf"}).headers["content-type"] == "application/x-protobuf"
    assert server.post(f"/v1/traces?token={TOKEN}", EXPORT, JSON).status == 401
    assert server.post("/v1/traces", EXPORT, {**JSON, "authorization": f"Bearer {TOKEN}"}).status == 200


def test_no_get_changes_anything(serve):
    server = serve()
    server.get("/")
    server.wait_for_spans(1)
    before = server.spans(), server.value("(otel/stats)")
    for path in PAGES:
        if path != "/otel/stream":
            assert server.get(path).status in (200, 404)
    assert (server.spans(), server.value("(otel/stats)")) == before
    for path in PAGES:
        assert server.request("POST", path).status == 405
    assert server.get("/v1/traces").status == 405


@pytest.mark.parametrize("token", ["short", "with blank in it", "quote\"quote\"", "ümlaut-ümlaut"])
def test_a_token_that_needs_quoting_or_is_guessed_is_wrong_usage(sx, token):
    for outcome in (sx("serve", "--port", "0", "--token", token), sx("serve", "--port", "0", SX_TOKEN=token)):
        assert outcome.status == 64
        assert "token" in outcome.err


def test_on_other_addresses_there_is_always_a_token(tmp_path):
    import os
    import subprocess

    from sx_process import binary, environment

    out, err = tmp_path / "out", tmp_path / "err"
    # Nothing leaves the machine: nobody but this test asks it anything.
    with open(out, "wb") as o, open(err, "wb") as e:
        process = subprocess.Popen([binary(), "serve", "--host", "0.0.0.0", "--port", "0"], stdout=o, stderr=e, env=environment(tmp_path))
    try:
        found = wait_until(lambda: re.search(r":(\d+)/otel\?token=([0-9a-f]{32})\n", out.read_text()), "the address with the token")
        assert "token" in err.read_text()
        import http.client

        for token, status in (("", 401), (found[2], 200)):
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
            connection.request("GET", "/otel", headers={"authorization": f"Bearer {token}"})
            assert connection.getresponse().status == status
            connection.close()
    finally:
        process.kill()
        process.wait()
