"""Health checks of a running daemon: what a real server answers decides, whatever its status is."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.host.node import Node, generation, inside, ip_command, node, until

pytestmark = pytest.mark.lab

SERVER = ("10.20.0.1", 8080)
LABEL = "{}:{}".format(*SERVER)


class Server:
    """Answers every request with `status`, and says what it was asked for."""

    def __init__(self, namespace: str) -> None:
        self.status = 200
        self.asked: set[str] = set()
        with inside(namespace):
            self.listener = socket.create_server(SERVER)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(4096).decode()
                self.asked.add(request.partition("\r\n")[0])
                connection.sendall(
                    f"HTTP/1.1 {self.status} Status\r\nContent-Length: 0\r\n\r\n".encode()
                )

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.listener.close()


@contextmanager
def server(machine: Node) -> Iterator[Server]:
    ip_command("-n", machine.far, "addr", "add", f"{SERVER[0]}/32", "dev", "nic")
    made = Server(machine.far)
    try:
        yield made
    finally:
        made.stop()


def state(machine: Node) -> str:
    listed = machine.ask("backends")["backends"]
    return next(str(each["state"]) for each in listed if each["address"] == LABEL)


def test_a_status_of_any_range_is_good(tmp_path: Path) -> None:
    """`expect 200..299, 301, 304`, every edge of it, with a good one before each bad one."""
    with (
        node(generation(tmp_path, CHECK="TVS_CHECK_HTTP"), tmp_path) as machine,
        server(machine) as web,
    ):
        until("the server is up", lambda: state(machine) == "up", 20)
        for status in (300, 302, 303, 305, 404, 500):
            web.status = status
            until(f"{status} takes it down", lambda: state(machine) == "down", 20)
            web.status = {300: 299, 302: 301, 303: 304}.get(status, 204)
            until(f"{web.status} brings it up", lambda: state(machine) == "up", 20)
        assert web.asked == {"GET /healthz HTTP/1.1"}
