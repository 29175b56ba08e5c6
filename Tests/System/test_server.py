"""The server as clients and operators meet it: what HTTP promises, how it stops, and what it makes of bad input."""

import email.utils
import os
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from sx_process import PATIENCE, binary, environment, read_response, wait_until

KITCHEN = r"""
(define (decode request)
  (host/ok (json-decode (dream-body request))))

(define (fall request)
  (error "fell down" 1 2))

(define (raise-dict request)
  (raise {:code 7}))

(define (no-response request)
  42)

(define (dive n)
  (+ 1 (dive (+ n 1))))

(define (endless request)
  (host/ok (dive 0)))

(define (size request)
  (host/ok (string-length (dream-body request))))

(define (greet request)
  (host/ok (dream-param request :name)))

(define (query request)
  (host/ok (dream-query-param request "q")))

(define (text request)
  (dream-response 200 {:content-type "text/plain; charset=utf-8" :x-word "Grüße"} "Grüße\n"))

(define (echo request)
  (host/ok (get request :headers)))

(define (busy request)
  (dream-response 503 {:retry-after "120"} "not now"))

(define (farewell request)
  (dream-response 200 {:connection "close"} "bye"))

(define (split-header request)
  (dream-response 200 {:x-note "one\r\nx-smuggled: two"} "ok"))

(define (nap request)
  (sleep (string->number (dream-param request :ms)))
  (host/ok (dream-param request :ms)))

(define app
  (host/make-app
    (list (dream-post "/decode" decode)
          (dream-get "/fall" fall)
          (dream-get "/raise-dict" raise-dict)
          (dream-get "/no-response" no-response)
          (dream-get "/endless" endless)
          (dream-post "/size" size)
          (dream-get "/greet/:name" greet)
          (dream-get "/query" query)
          (dream-get "/text" text)
          (dream-get "/echo" echo)
          (dream-get "/busy" busy)
          (dream-get "/farewell" farewell)
          (dream-get "/split-header" split-header)
          (dream-get "/nap/:ms" nap))))
"""


def assert_lives(server):
    assert server.process.poll() is None, server.err
    assert server.get("/health").json() == {"ok": True, "data": {"status": "up"}}


# ── Starting ─────────────────────────────────────────────────────────────────────────────────────


def test_a_port_in_use_is_named_and_ends_with_1(sx):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = sx("serve", "--port", str(port))
    assert outcome.status == 1
    assert str(port) in outcome.err
    assert "in use" in outcome.err
    assert outcome.out == ""


def test_a_missing_file_is_named_and_ends_with_1(sx):
    outcome = sx("serve", "--port", "0", "nowhere.sx")
    assert outcome.status == 1
    assert "nowhere.sx" in outcome.err


def test_a_file_without_app_ends_with_1(sx):
    sx.write("empty.sx", "(define hello 1)")
    outcome = sx("serve", "--port", "0", "empty.sx")
    assert outcome.status == 1
    assert "empty.sx" in outcome.err and "app" in outcome.err


def test_an_app_that_is_no_application_ends_with_1(sx):
    sx.write("number.sx", "(define app 42)")
    outcome = sx("serve", "--port", "0", "number.sx")
    assert outcome.status == 1
    assert "number.sx" in outcome.err and "app" in outcome.err


def test_an_error_in_the_file_is_shown_with_its_place(sx):
    sx.write("broken.sx", "(define app\n  (host/make-app (undefined-routes)))")
    outcome = sx("serve", "--port", "0", "broken.sx")
    assert outcome.status == 1
    assert "broken.sx:2:19" in outcome.err
    assert "undefined-routes" in outcome.err


@pytest.mark.parametrize("arguments", [["--bogus"], ["--port", "http"], ["--port", "65536"], ["--port", "-1"], ["a.sx", "b.sx"]], ids=" ".join)
def test_wrong_usage_ends_with_64(sx, arguments):
    outcome = sx("serve", *arguments)
    assert outcome.status == 64
    assert outcome.err
    assert outcome.out == ""


def test_the_server_listens_on_loopback_only(serve):
    server = serve()
    listening = [line.split()[1] for line in open("/proc/net/tcp") if line.split()[3] == "0A"]
    assert f"0100007F:{server.port:04X}" in listening
    assert f"00000000:{server.port:04X}" not in listening


# ── Requests ─────────────────────────────────────────────────────────────────────────────────────


def test_text_is_utf_8_from_end_to_end(serve):
    server = serve(KITCHEN)
    assert server.get("/greet/J%C3%BCrgen%20%F0%9F%AB%96").json()["data"] == "Jürgen 🫖"
    assert server.get("/query?q=a%26b+c%3D").json()["data"] == "a&b c="
    assert server.post("/decode", '"größer 🫖"').json()["data"] == "größer 🫖"
    answer = server.get("/text")
    assert answer.body == "Grüße\n"
    assert answer.headers["content-length"] == "8"


def test_head_is_get_without_the_body(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        connection.sendall(b"HEAD /text HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        head, _, rest = connection.makefile("rb").read().partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().splitlines()
    assert lines[0] == "http/1.1 200 ok"
    assert "content-length: 8" in lines
    assert "content-type: text/plain; charset=utf-8" in lines
    assert rest == b""


def test_a_method_that_no_route_has_is_405_with_allow(serve):
    answer = serve(KITCHEN).request("DELETE", "/decode")
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


def test_blanks_around_the_value_of_a_field_are_no_part_of_it(serve):
    assert serve(KITCHEN).get("/echo", {"x-word": " \t one two \t "}).json()["data"]["x-word"] == "one two"


def test_a_connection_serves_several_requests(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        stream = connection.makefile("rb")
        for name in ("one", "two", "three"):
            connection.sendall(f"GET /greet/{name} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            assert read_response(stream).json()["data"] == name


def test_pipelined_requests_are_answered_in_order(serve):
    server = serve(KITCHEN)
    milliseconds = ["300", "0", "100", "0"]
    with server.connect() as connection:
        connection.sendall("".join(f"GET /nap/{ms} HTTP/1.1\r\nhost: localhost\r\n\r\n" for ms in milliseconds).encode())
        stream = connection.makefile("rb")
        assert [read_response(stream).json()["data"] for _ in milliseconds] == milliseconds


def test_connection_close_is_honoured(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        stream = connection.makefile("rb")
        assert read_response(stream).status == 200
        assert stream.read() == b""


def test_a_client_that_has_ended_its_output_gets_all_its_answers(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        connection.sendall("".join(f"GET /nap/{ms} HTTP/1.1\r\nhost: localhost\r\n\r\n" for ms in ("200", "100", "0")).encode())
        connection.shutdown(socket.SHUT_WR)
        stream = connection.makefile("rb")
        assert [read_response(stream).json()["data"] for _ in range(3)] == ["200", "100", "0"]
        assert stream.read() == b""


def test_a_client_of_http_1_0_keeps_its_connection_only_when_it_asks(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"GET /health HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        answer = read_response(stream)
        assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        answer = read_response(stream)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert stream.read() == b""


@pytest.mark.parametrize("wish", ["GET /health HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c", "CONNECT elsewhere:443 HTTP/1.1"], ids=["Upgrade", "CONNECT"])
def test_a_wish_for_another_protocol_is_not_granted_and_ends_the_connection(serve, wish):
    server = serve(KITCHEN)
    with server.connect() as connection:
        connection.sendall(f"{wish}\r\nhost: localhost\r\n\r\nGET /health HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        stream = connection.makefile("rb")
        answer = read_response(stream)
        assert answer.status == (200 if "upgrade" in wish else 404)
        assert answer.headers["connection"] == "close"
        assert stream.read() == b""


def test_a_target_may_name_the_server_as_for_a_proxy(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        stream = connection.makefile("rb")
        for target in ("http://localhost/greet/one", "HTTP://localhost:80/greet/one", "https://localhost/greet/one?x=/y"):
            connection.sendall(f"GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            assert read_response(stream).json()["data"] == "one"
        for target in ("http://localhost", "http://localhost?x=1"):
            connection.sendall(f"GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            assert read_response(stream).status == server.get("/").status


def test_a_response_is_dated(serve):
    date = serve(KITCHEN).get("/health").headers["date"]
    assert abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()) < 60
    assert date == email.utils.format_datetime(email.utils.parsedate_to_datetime(date), usegmt=True)


def test_a_handler_may_say_when_to_ask_again(serve):
    assert serve(KITCHEN).get("/busy").headers.get_all("retry-after") == ["120"]


def test_a_handler_may_end_the_connection(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        connection.sendall(b"GET /farewell HTTP/1.1\r\nhost: localhost\r\n\r\n")
        stream = connection.makefile("rb")
        answer = read_response(stream)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert stream.read() == b""


def test_a_waiting_handler_does_not_stop_the_others(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        connection.sendall(b"GET /nap/3000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        wait_until(lambda: server.value("(len (otel/open-spans))") == 1, "the nap to begin", seconds=60)
        assert server.get("/health").status == 200
        assert server.value("(len (otel/open-spans))") == 1


def test_a_body_of_a_megabyte_arrives_whole(serve):
    server = serve(KITCHEN)
    assert server.post("/size", "x" * 1_000_000).json()["data"] == 1_000_000


# ── Bad requests ─────────────────────────────────────────────────────────────────────────────────


def test_a_body_announced_as_too_long_is_413(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        connection.sendall(b"POST /size HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1073741824\r\n\r\n")
        assert connection.makefile("rb").readline().split()[1] == b"413"
    assert_lives(server)


def test_a_chunked_body_that_grows_too_long_is_413(serve):
    server = serve(KITCHEN)
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with server.connect() as connection:
        try:
            connection.sendall(b"POST /size HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(64):
                connection.sendall(chunk)
            connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server may stop listening as soon as it knows; its answer is there to be read.
        assert connection.makefile("rb").readline().split()[1] == b"413"
    assert_lives(server)


def test_a_malformed_request_is_400_or_cut_off(serve):
    server = serve(KITCHEN)
    with server.connect() as connection:
        connection.sendall(b"\x00\x01 this is not HTTP\r\n\r\n")
        answer = connection.makefile("rb").readline()
    assert answer == b"" or answer.split()[1] == b"400"
    assert_lives(server)


def test_a_path_that_is_no_utf_8_is_400(serve):
    server = serve(KITCHEN)
    assert server.get("/greet/%FF%FE").status == 400
    assert server.get("/greet/%zz").status == 400
    assert_lives(server)


def test_a_client_that_leaves_early_harms_nobody(serve):
    server = serve(KITCHEN)
    for _ in range(20):
        connection = server.connect()
        connection.sendall(b"GET /nap/200 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        connection.close()
    assert_lives(server)
    wait_until(lambda: server.value("(len (otel/open-spans))") == 0, "the handlers to end", seconds=60)
    assert_lives(server)


@pytest.mark.parametrize("body", ["{", "", '{"a": 1} x', "\x00", "[" * 100_000, '{"a":' * 100_000, "1" * 100_000], ids=lambda body: repr(body[:12]))
def test_a_bad_json_body_is_answered_in_json(serve, body):
    server = serve(KITCHEN)
    answer = server.post("/decode", body)
    # A number of 100,000 digits is JSON, and beyond every range.
    assert 400 <= answer.status <= 500 or (body[:1] == "1" and answer.status == 200)
    if answer.status != 200:
        assert answer.json()["ok"] is False
        assert answer.json()["error"]
    assert_lives(server)


def test_the_shop_refuses_a_bad_order_with_400(serve):
    server = serve()
    for body in ("{", "[]", "{}", '{"product": 1, "quantity": 1}', '{"product": "tea", "quantity": "1"}'):
        answer = server.post("/api/orders", body)
        assert answer.status == 400
        assert answer.json()["ok"] is False
    assert server.post("/api/orders", '{"product": "tea", "quantity": 2}').json() == {"ok": True, "data": {"product": "tea", "quantity": 2}}


# ── Handlers that fail ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/fall", "/raise-dict", "/no-response"])
def test_a_handler_that_fails_is_a_json_500(serve, path):
    server = serve(KITCHEN)
    answer = server.get(path)
    assert answer.status == 500
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["ok"] is False
    assert_lives(server)


def test_the_reason_stays_inside_and_goes_to_standard_error(serve):
    server = serve(KITCHEN)
    answer = server.get("/fall")
    assert "fell down" not in answer.body
    wait_until(lambda: "fell down" in server.err, "the reason on standard error", seconds=60)
    line = 1 + KITCHEN.splitlines().index('  (error "fell down" 1 2))')
    assert f"application.sx:{line}" in server.err


def test_a_handler_that_recurses_for_ever_is_a_json_500(serve):
    server = serve(KITCHEN)
    answer = server.get("/endless")
    assert answer.status == 500
    assert answer.json()["ok"] is False
    assert_lives(server)


def test_a_header_cannot_smuggle_in_another(serve):
    answer = serve(KITCHEN).get("/split-header")
    assert answer.status in (200, 500)
    assert "x-smuggled" not in answer.headers


# ── Stopping ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_slow_request_finishes_before_the_server_stops(serve, number):
    server = serve()
    answers = []
    asking = threading.Thread(target=lambda: answers.append(server.get("/slow?ms=1500")))
    asking.start()
    wait_until(lambda: server.value("(len (otel/open-spans))") == 2, "the request to be under way", seconds=60)
    status = server.terminate(number)
    asking.join(PATIENCE)
    assert status == 0
    (answer,) = answers
    assert (answer.status, answer.json()) == (200, {"ok": True, "data": {"waited": 1500}})


def test_a_stopping_server_takes_no_new_connections(serve):
    server = serve()
    with server.connect() as busy:
        busy.sendall(b"GET /slow?ms=2000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        wait_until(lambda: server.value("(len (otel/open-spans))") == 2, "the request to be under way", seconds=60)
        server.process.send_signal(signal.SIGTERM)

        def refused():
            try:
                server.connect().close()
            except ConnectionRefusedError:
                return True

        wait_until(refused, "connections to be refused", seconds=60)
        assert read_response(busy.makefile("rb")).status == 200
    assert server.process.wait(timeout=PATIENCE) == 0


def test_idle_connections_and_open_streams_do_not_hold_up_the_end(serve):
    server = serve()
    with server.connect() as idle, server.connect() as stream:
        idle.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert read_response(idle.makefile("rb")).status == 200
        stream.sendall(b"GET /otel/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert stream.makefile("rb").readline().split()[1] == b"200"
        began = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began < 30


def test_an_idle_server_stops_at_once_with_0(serve):
    server = serve()
    began = time.monotonic()
    assert server.terminate() == 0
    assert time.monotonic() - began < 30
    assert not server.probe_path.exists()


# ── The probe ────────────────────────────────────────────────────────────────────────────────────


def test_the_probe_is_for_this_user_only(serve):
    mode = os.lstat(serve().probe_path).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_a_stale_socket_is_replaced(serve, tmp_path):
    path = tmp_path / "probe"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    server = serve()
    assert server.evaluate("(+ 1 2)").out == "3\n"


def test_a_killed_server_leaves_nothing_that_hinders_the_next(serve):
    first = serve()
    first.kill()
    assert first.probe_path.exists()
    assert serve().evaluate("(+ 1 2)").out == "3\n"


def test_a_live_socket_is_refused(serve, sx):
    first = serve()
    outcome = sx("serve", "--port", "0", "--probe", str(first.probe_path))
    assert outcome.status == 1
    assert str(first.probe_path) in outcome.err
    assert first.evaluate("(+ 1 2)").out == "3\n"


def test_a_file_that_is_no_socket_is_left_alone(sx):
    path = sx.write("precious.txt", "do not delete")
    outcome = sx("serve", "--port", "0", "--probe", str(path))
    assert outcome.status == 1
    assert "precious.txt" in outcome.err
    assert path.read_text() == "do not delete"


def test_a_probe_in_a_folder_that_does_not_exist_ends_with_1(sx):
    outcome = sx("serve", "--port", "0", "--probe", "no/such/folder/probe")
    assert outcome.status == 1
    assert "no/such/folder/probe" in outcome.err


def test_the_probe_sees_the_globals_of_the_application(serve):
    server = serve(KITCHEN)
    assert server.evaluate("(define answer 41) (+ answer 1)").out == "42\n"
    assert server.evaluate("answer").out == "41\n"
    assert server.evaluate('(get (greet {:params {:name "Ada"}}) :status)').out == "200\n"


def test_an_error_in_the_probe_ends_with_1_and_the_server_lives(serve):
    server = serve(KITCHEN)
    outcome = server.evaluate("(+ 1\n   nowhere)")
    assert outcome.status == 1
    assert outcome.out == ""
    assert "nowhere" in outcome.err
    assert ":2:4" in outcome.err
    assert_lives(server)


def test_probes_wait_without_stopping_the_server(serve):
    server = serve(KITCHEN)
    waiting = subprocess.Popen(
        [binary(), "eval", "--connect", str(server.probe_path), "(begin (sleep 1500) 7)"],
        stdout=subprocess.PIPE,
        env=environment(server.folder),
    )
    try:
        assert server.evaluate("(+ 1 2)").out == "3\n"
        assert_lives(server)
        assert waiting.poll() is None
        out, _ = waiting.communicate(timeout=PATIENCE)
        assert (waiting.returncode, out) == (0, b"7\n")
    finally:
        waiting.kill()


def test_nonsense_on_the_probe_socket_harms_nobody(serve):
    server = serve(KITCHEN)
    for nonsense in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 1000, b"\x00"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(server.probe_path))
            client.sendall(nonsense)
    assert server.evaluate("(+ 1 2)").out == "3\n"
    assert_lives(server)


def test_connecting_to_nobody_ends_with_1(sx):
    outcome = sx("eval", "--connect", "nobody.sock", "(+ 1 2)")
    assert outcome.status == 1
    assert outcome.out == ""
    assert "nobody.sock" in outcome.err
