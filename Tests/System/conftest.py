import pytest

from sx_process import Command, Server
from terminal import Terminal


@pytest.fixture
def sx(tmp_path):
    """Runs one command in the test's own folder."""
    return Command(tmp_path)


@pytest.fixture
def serve(tmp_path):
    """Starts servers, and ends them with the test. A server that crashed fails the test."""
    servers = []

    def start(application=None, wait=True, **options):
        server = Server(tmp_path, application, **options)
        servers.append(server)
        return server.wait_for_port() if wait else server

    yield start
    statuses = [server.kill() for server in servers]
    for server, status in zip(servers, statuses):
        if status is not None and (status < 0 or status >= 128):
            pytest.fail(f"the server crashed with status {status}: {server.err}")


@pytest.fixture
def terminal(tmp_path):
    """Starts commands at a terminal of their own, `sx repl` by default, and ends them with the test."""
    sessions = []

    def start(*arguments, **options):
        sessions.append(Terminal(tmp_path, *(arguments or ("repl",)), **options))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()
