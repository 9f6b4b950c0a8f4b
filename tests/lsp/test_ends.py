"""Clients that go without a word: the server goes, too."""

import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lsp.client import TIMEOUT_S
from tests.lsp.wire import COMMAND, INITIALIZE, message

pytestmark = pytest.mark.slow

HOVER = {"textDocument": {"uri": "file:///nowhere/a.tvs"}, "position": {"line": 1, "character": 1}}


def test_a_client_that_takes_no_answers() -> None:
    """What it asked for is dropped with one line in the log; nothing waits for its end of input."""
    requests = b"".join(message("textDocument/hover", n, HOVER) for n in range(100, 150))
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=pipe) as server:
        try:
            assert server.stdin is not None and server.stdout is not None
            server.stdout.close()
            server.stdin.write(INITIALIZE + requests)
            server.stdin.flush()
            assert server.wait(TIMEOUT_S) == 1
            assert server.stderr is not None
            assert server.stderr.read().count(b"\n") <= 2
        finally:
            server.kill()


def connect(port: int) -> socket.socket:
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)


@contextmanager
def listening() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*COMMAND, "--tcp", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as server:
        try:
            yield server, port
        finally:
            server.kill()


def receive(client: socket.socket, mark: bytes) -> None:
    found = b""
    while mark not in found:
        data = client.recv(65536)
        assert data, found
        found += data


@pytest.mark.parametrize("way", ["close", "reset", "middle", "nonsense"])
def test_a_connection_that_breaks(way: str) -> None:
    with listening() as (server, port):
        client = connect(port)
        client.sendall(INITIALIZE)
        receive(client, b'"capabilities"')
        if way == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way == "middle":
            client.sendall(b"Content-Length: 1000\r\n\r\n{")
        elif way == "nonsense":
            client.sendall(b"x" * 200_000)
        client.close()
        assert server.wait(TIMEOUT_S) == 1
        assert server.stderr is not None
        said = server.stderr.read()
        assert b"Traceback" not in said and said.count(b"\n") <= 1


def test_nobody_else_gets_in() -> None:
    """The answers are for the first client, and for it alone."""
    with listening() as (_, port), connect(port) as client:
        client.sendall(INITIALIZE)
        receive(client, b'"capabilities"')
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        client.sendall(message("textDocument/hover", 7, HOVER))
        receive(client, b'"id": 7')
