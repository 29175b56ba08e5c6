"""What clients that mean no good get from `sx serve`: the right refusal, in time, while others are served and memory stays bounded.

The limits are the ones in README, "Limits of the server"; where waiting for one would take long, a server with a shorter one is asked.
"""

import gzip
import socket
import struct
import threading
import time

import pytest
from google.rpc import status_pb2

from hostile import MIB, answer_to, descriptors, is_held, memory, post_head, send_as_far_as_it_goes
from sx_process import PATIENCE, read_response, wait_until

ROUTES = r"""
(define handled 0)

(define (size request)
  (set! handled (+ handled 1))
  (host/ok (bytevector-length (dream-body-bytes request))))

(define (nap request)
  (sleep 300)
  (host/ok "awake"))

(define held 0)
(define released false)

(define (hold request)
  (set! held (+ held 1))
  (let loop ()
    (when (not released) (sleep 10) (loop)))
  (host/ok "released"))

(define millions 0)

(define (million request)
  (set! millions (+ millions 1))
  (host/ok (repeat "x" 1000000)))

(define (large request)
  (host/ok (repeat "x" 50000000)))

(define (endless request)
  (dream-stream
    (fn (write)
      (let loop ()
        (when (write (repeat "x" 65536)) (loop))))))

(define app
  (host/make-app (list (dream-post "/size" size) (dream-post "/hold" hold) (dream-post "/million" million) (dream-get "/nap" nap) (dream-get "/large" large) (dream-get "/endless" endless))))
"""

#: The same behind the server's operation, with limits that a test can wait for.
IMPATIENT = ROUTES + r"""
(define (host/serve app port &rest address)
  (perform {:op "http-serve"
            :args (list (fn (exchange request) (host/-exchange app exchange request))
                        {:host "127.0.0.1" :port port :header-timeout-ms 500 :body-timeout-ms 500 :idle-timeout-ms 1500
                         :write-timeout-ms 1500 :body-rate 1000 :body-budget 3000000 :connection-limit 20})}))
"""


def assert_serves(server):
    started = time.monotonic()
    assert server.get("/health").json() == {"ok": True, "data": {"status": "up"}}
    assert time.monotonic() - started < 30


def handled(server) -> int:
    return server.value("handled")


# ── Slow ones ────────────────────────────────────────────────────────────────────────────────────


def test_a_head_that_trickles_in_is_408(serve):
    server = serve(IMPATIENT)
    with server.connect() as connection:
        started = time.monotonic()
        send_as_far_as_it_goes(connection, paced(b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + b"x-a: b\r\n" * 100, 0.1))
        assert answer_to(connection)[0] == 408
        assert time.monotonic() - started < 9
    assert_serves(server)


def test_a_body_that_trickles_in_is_408_and_never_handled(serve):
    server = serve(IMPATIENT)
    with server.connect() as connection:
        connection.sendall(post_head("/size", 1000))
        started = time.monotonic()
        send_as_far_as_it_goes(connection, paced(b"x" * 999, 0.1))
        assert answer_to(connection)[0] == 408
        assert 0.4 < time.monotonic() - started < 60
    assert_serves(server)
    assert handled(server) == 0


def test_a_body_that_begins_behind_another_request_and_does_not_go_on_is_408(serve):
    server = serve(IMPATIENT)
    with server.connect() as connection:
        connection.sendall(b"GET /nap HTTP/1.1\r\nhost: localhost\r\n\r\n" + post_head("/size", 10) + b"x")
        stream = connection.makefile("rb")
        assert read_response(stream).json()["data"] == "awake"
        assert stream.readline().split()[1] == b"408"
    assert handled(server) == 0


def test_a_body_that_is_slow_but_not_too_slow_is_taken(serve):
    server = serve(IMPATIENT)
    with server.connect() as connection:
        connection.sendall(post_head("/size", 5000))
        # Twice the lowest rate, for longer than the timeout.
        for _ in range(10):
            connection.sendall(b"x" * 500)
            time.sleep(0.2)
        assert read_response(connection.makefile("rb")).json()["data"] == 5000


def test_a_silent_connection_is_closed_without_a_word(serve):
    server = serve(IMPATIENT)
    with server.connect() as connection:
        started = time.monotonic()
        assert answer_to(connection) is None
        assert 1 < time.monotonic() - started < 60


def test_the_default_patience_for_heads_is_ten_seconds(serve):
    server = serve(ROUTES)
    with server.connect() as connection:
        started = time.monotonic()
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        assert answer_to(connection)[0] == 408
        assert 9 < time.monotonic() - started < 60


def paced(text: bytes, pause: float):
    """The bytes of a text one by one, with pauses."""
    for byte in text:
        yield bytes([byte])
        time.sleep(pause)


# ── Large ones ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("length", [100 * MIB, "chunked"])
def test_a_body_of_100_mb_is_413_and_costs_no_memory(serve, length):
    server = serve(ROUTES)
    before = memory(server, "VmHWM")
    piece = bytes(MIB) if length != "chunked" else b"100000\r\n" + bytes(MIB) + b"\r\n"
    with server.connect() as connection:
        send_as_far_as_it_goes(connection, [post_head("/size", length)] + [piece] * 100)
        status, headers, body = answer_to(connection)
    assert status == 413
    assert headers["connection"] == "close"
    assert body == b"the request body is longer than 16777216 bytes\n"
    assert memory(server, "VmHWM") - before < 64 * MIB
    assert handled(server) == 0
    assert_serves(server)


def test_an_upload_reads_the_413_although_it_goes_on_sending(serve):
    server = serve(ROUTES)
    with server.connect() as connection:
        # More than the sockets' buffers hold, sent before anything is read.
        connection.sendall(post_head("/size", 30 * MIB))
        send_as_far_as_it_goes(connection, [bytes(MIB)] * 30)
        assert answer_to(connection)[0] == 413


def test_all_bodies_together_have_a_limit(serve):
    server = serve(IMPATIENT)
    # Three million bytes: of four bodies of a million each, one finds no room.
    connections = [server.connect() for _ in range(4)]
    for connection in connections:
        connection.sendall(post_head("/size", 1_000_000) + bytes(999_999))
    refused = []
    for connection in connections:
        connection.settimeout(2)
        try:
            refused.append(answer_to(connection))
        except TimeoutError:
            pass
    statuses = sorted(answer[0] for answer in refused if answer)
    assert 503 in statuses
    assert next(answer[1]["retry-after"] for answer in refused if answer and answer[0] == 503) == "1"
    for connection in connections:
        connection.close()
    # The room is given back.
    wait_until(lambda: server.post("/size", "x" * 900_000).status == 200, "room for a body", seconds=10)
    assert [server.post("/size", "x" * 900_000).status for _ in range(8)] == [200] * 8


def test_a_body_counts_until_its_handler_has_ended_although_its_client_has_left(serve):
    server = serve(IMPATIENT)
    for _ in range(3):
        with server.connect() as connection:
            connection.sendall(post_head("/hold", 900_000) + bytes(900_000))
            wait_until(lambda: server.value("held") > 0, "the handler to begin")
            server.evaluate("(set! held 0)")
            # The connection is gone at once.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert server.post("/size", "x" * 900_000).status == 503
    server.evaluate("(set! released true)")
    wait_until(lambda: server.post("/size", "x" * 900_000).status == 200, "room for a body")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"x" * (1 << 17) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"".join(b"x-%d: y\r\n" % i for i in range(5000)) + b"\r\n",
        b"GET /" + b"x" * (1 << 17) + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"x" * (20 << 20),
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx-long: " + b" " * (100 << 20),
        post_head("/size", "chunked") + b"0\r\nx-long: " + b" " * (100 << 20),
    ],
    ids=["one long field", "many fields", "a long target", "no end", "blanks", "blanks in a trailer"],
)
def test_a_header_bomb_is_431(serve, head):
    server = serve(ROUTES)
    before = memory(server, "VmHWM")
    with server.connect() as connection:
        send_as_far_as_it_goes(connection, [head])
        assert answer_to(connection)[0] == 431
    assert memory(server, "VmHWM") - before < 16 * MIB
    assert_serves(server)


def test_spans_may_come_in_64_mib_and_what_is_longer_is_refused_in_kind(serve):
    server = serve(ROUTES)
    # One unknown field of 40 MiB, which protobuf skips: field 15, with its length.
    message = b"\x7a" + varint(40 * MIB) + bytes(40 * MIB)
    with server.connect() as connection:
        connection.sendall(post_head("/v1/traces", len(message), "content-type: application/x-protobuf") + message)
        assert read_response(connection.makefile("rb")).status == 200
    for type, code in [("application/x-protobuf", lambda body: status_pb2.Status.FromString(body).code), ("application/json", json_code)]:
        with server.connect() as connection:
            send_as_far_as_it_goes(connection, [post_head("/v1/traces", 65 * MIB, f"content-type: {type}")] + [bytes(MIB)] * 65)
            status, headers, body = answer_to(connection)
        assert (status, headers["content-type"], code(body)) == (413, type, 8)
    assert_serves(server)


def json_code(body: bytes) -> int:
    import json

    return json.loads(body)["code"]


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def test_a_compressed_bomb_for_another_route_stays_packed(serve):
    server = serve(ROUTES)
    bomb = gzip.compress(bytes(200 * MIB))
    before = memory(server, "VmHWM")
    with server.connect() as connection:
        connection.sendall(post_head("/size", len(bomb), "content-encoding: gzip") + bomb)
        assert read_response(connection.makefile("rb")).json()["data"] == len(bomb)
    assert memory(server, "VmHWM") - before < 32 * MIB


# ── Broken ones ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "request_text",
    [
        post_head("/size", "chunked") + b"zz\r\nhello\r\n",
        post_head("/size", "chunked") + b"ffffffffffffffffff\r\nhello\r\n",
        post_head("/size", "chunked") + b"5\r\nhelloworld\r\n0\r\n\r\n",
        post_head("/size", "-1"),
        post_head("/size", "5", "content-length: 6") + b"hello",
        post_head("/size", "5", "transfer-encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
        b"POST /size HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"POST /size HTTP/1.1\r\nhost: localhost\r\nx y: z\r\n\r\n",
        b"GET /sizes HTTP/1.1\r\n\r\n",
        b"GET /sizes HTTP/1.1\r\nhost: localhost\r\nhost: elsewhere\r\n\r\n",
        b"GET /sizes HTTP/1.1\r\nhost: local host\r\n\r\n",
        b"GET /sizes HTTP/1.1\r\nhost: user@localhost\r\n\r\n",
        b"GET /sizes HTTP/1.1\r\nhost: localhost:80a\r\n\r\n",
        b"GET /sizes HTTP/1.1\r\nhost: [::1\r\n\r\n",
        b"GET /sizes HTTP/2.0\r\nhost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n",
    ],
    ids=["no size", "a huge size", "a wrong size", "a negative length", "two lengths", "length and chunks", "chunks in HTTP/1.0", "a blank in a name", "no host", "two hosts", "a host with a blank", "a host with a user", "a port with a letter", "half an address", "another version", "TLS"],
)
def test_broken_framing_is_400_and_never_handled(serve, request_text):
    server = serve(ROUTES)
    with server.connect() as connection:
        send_as_far_as_it_goes(connection, [request_text])
        status, headers, _ = answer_to(connection)
    assert (status, headers["connection"]) == (400, "close")
    assert handled(server) == 0
    assert_serves(server)


@pytest.mark.parametrize("coding", ["gzip, chunked", ""])
def test_a_transfer_coding_that_is_not_chunked_is_501_and_never_handled(serve, coding):
    server = serve(ROUTES)
    with server.connect() as connection:
        connection.sendall(f"POST /size HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n".encode())
        status, headers, _ = answer_to(connection)
    assert (status, headers["connection"]) == (501, "close")
    assert handled(server) == 0


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, "9 "], ids=str)
def test_a_length_is_understood_whatever_it_is(serve, length):
    server = serve(ROUTES)
    with server.connect() as connection:
        connection.sendall(post_head("/size", length, "connection: close", "expect: 100-continue \t"))
        if length == "9 ":
            stream = connection.makefile("rb")
            assert stream.readline().split()[1] == b"100"
            assert stream.readline() == b"\r\n"
            connection.sendall(b"x" * 9)
            assert read_response(stream).json()["data"] == 9
        else:
            assert answer_to(connection)[0] == 413


def test_a_client_that_leaves_in_the_middle_of_a_body_is_never_handled(serve):
    server = serve(ROUTES)
    for length in (1000, "chunked"):
        for _ in range(20):
            with server.connect() as connection:
                connection.sendall(post_head("/size", length) + (b"x" * 500 if length == 1000 else b"1f4\r\n" + b"x" * 500 + b"\r\n"))
    assert_serves(server)
    time.sleep(0.3)
    assert handled(server) == 0


@pytest.mark.parametrize("ends", [False, True], ids=["waiting for more", "at the end"])
def test_a_refusal_in_a_pipeline_waits_for_its_turn(serve, ends):
    server = serve(ROUTES)
    with server.connect() as connection:
        connection.sendall(b"GET /nap HTTP/1.1\r\nhost: localhost\r\n\r\n" + b"this is not HTTP\r\n\r\n")
        if ends:
            connection.shutdown(socket.SHUT_WR)
        stream = connection.makefile("rb")
        assert read_response(stream).json()["data"] == "awake"
        assert stream.readline().split()[1] == b"400"


def test_a_long_pipeline_is_answered_whole_and_in_order(serve):
    server = serve(ROUTES)
    count = 1000
    requests = b"".join(post_head("/size", i % 10) + b"x" * (i % 10) for i in range(count))
    with server.connect() as connection:
        sender = threading.Thread(target=connection.sendall, args=(requests,))
        sender.start()
        stream = connection.makefile("rb")
        assert [read_response(stream).json()["data"] for _ in range(count)] == [i % 10 for i in range(count)]
        sender.join()


# ── Many, and deaf ones ──────────────────────────────────────────────────────────────────────────


def test_2000_idle_connections_leave_room_for_others(serve):
    server = serve(ROUTES)
    assert_serves(server)
    before, open_before = memory(server), descriptors(server)
    connections = [server.connect() for _ in range(2000)]
    try:
        wait_until(lambda: descriptors(server) >= 2000, "2000 connections")
        assert_serves(server)
        assert memory(server) - before < 100 * MIB
    finally:
        for connection in connections:
            connection.close()
    wait_until(lambda: descriptors(server) <= open_before + 5, "the end of the connections")
    assert_serves(server)


def test_connections_beyond_the_limit_wait_for_a_place(serve):
    server = serve(IMPATIENT)
    idle = [server.connect() for _ in range(20)]
    time.sleep(0.2)
    started = time.monotonic()
    # Until the idle ones are closed.
    assert server.get("/health").status == 200
    assert 0.5 < time.monotonic() - started < 60
    for connection in idle:
        connection.close()


def test_connections_leave_files_for_the_rest_of_the_process(serve):
    server = serve(ROUTES, files=80)
    idle = [server.connect() for _ in range(100)]
    wait_until(lambda: descriptors(server) >= 60, "the connections")
    (server.folder / "note").write_text("text")
    assert server.value('(call-with-input-file "note" read-line)') == "text"
    for connection in idle:
        connection.close()
    assert_serves(server)


@pytest.mark.parametrize("path", ["/large", "/endless"])
def test_a_client_that_does_not_read_its_response_is_cut_off(serve, path):
    # What the sockets held is all there is.
    assert received_when_cut_off(serve(IMPATIENT), path) < 40_000_000


def test_little_of_a_response_waits_in_the_system_where_a_slow_client_would_look_like_a_deaf_one(serve):
    assert received_when_cut_off(serve(IMPATIENT), "/large", buffer=32768) < MIB


def received_when_cut_off(server, path: str, buffer: int | None = None) -> int:
    """Bytes that a client finds that begins to read when its connection has been ended."""
    with socket.socket() as connection:
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        wait_until(lambda: not is_held(connection), "the end of the connection")
        assert_serves(server)
        total = 0
        try:
            while piece := connection.recv(1 << 20):
                total += len(piece)
        except ConnectionResetError:
            pass
        return total


@pytest.mark.parametrize("pause", [0, 0.02], ids=["in one piece", "one by one"])
def test_requests_of_a_client_that_takes_no_responses_are_not_begun_with(serve, pause):
    server = serve(ROUTES)
    request = post_head("/million", 0)
    with server.connect() as connection:
        for piece in [request * 300] if pause == 0 else [request] * 60:
            connection.sendall(piece)
            time.sleep(pause)
        wait_until(lambda: server.value("millions") > 0, "a first response")
        before = -1
        while before != (before := server.value("millions")):
            time.sleep(1)
        # What the sockets take, and one more.
        assert before < 40
        # It finds all of them when it reads at last.
        stream = connection.makefile("rb")
        for _ in range(300 if pause == 0 else 60):
            assert len(read_response(stream).json()["data"]) == 1_000_000
    assert_serves(server)


def test_a_slow_but_steady_reader_gets_everything(serve):
    server = serve(IMPATIENT)
    with server.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        total = 0
        started = time.monotonic()
        while piece := connection.recv(1 << 20):
            total += len(piece)
            # Slower than the server's patience would be for the whole of it.
            if time.monotonic() - started < 2:
                time.sleep(0.1)
    assert total > 50_000_000
