"""Clients that mean no good, and an eye on what they cost the server."""

import http.client
import os
import socket

MIB = 1 << 20


def memory(server, field: str = "VmRSS") -> int:
    """Bytes that the server has in memory; `VmHWM` is the most that it has ever had."""
    with open(f"/proc/{server.process.pid}/status") as status:
        line = next(line for line in status if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def descriptors(server) -> int:
    """How many files and connections the server has open."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def is_held(connection: socket.socket) -> bool:
    """Whether the other end, on this machine, has the connection still open, whatever of it has been read here."""
    port = f":{connection.getsockname()[1]:04X}"
    with open("/proc/net/tcp") as table:
        return any(remote.endswith(port) and state == "01" for _, _, remote, state, *_ in map(str.split, table))


def post_head(path: str, length: int | str, *fields: str) -> bytes:
    """The head of a POST with a content-length, or of a chunked one."""
    framing = "transfer-encoding: chunked" if length == "chunked" else f"content-length: {length}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: localhost", framing, *fields, "", ""]).encode()


def answer_to(connection: socket.socket) -> tuple[int, http.client.HTTPMessage, bytes] | None:
    """The next response, and everything until the end of the connection; None when there was none."""
    stream = connection.makefile("rb")
    try:
        line = stream.readline()
        if not line:
            return None
        return int(line.split()[1]), http.client.parse_headers(stream), stream.read()
    except ConnectionResetError:
        return None


def send_as_far_as_it_goes(connection: socket.socket, pieces) -> int:
    """Sends until the other side has had enough, and gives the bytes that went out."""
    sent = 0
    try:
        for piece in pieces:
            connection.sendall(piece)
            sent += len(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return sent
