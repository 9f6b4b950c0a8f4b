"""Pools without enough servers: VIPs that are withdrawn, and the pool that serves instead.

Clients and servers are sockets of the kernel at the far end of the node's NIC.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from tests.host.node import BUILD, Node, generation, inside, ip_command, node, until
from tests.host.test_control import tvs
from tests.host.test_routes import bird, learned
from tests.naive.runtime import run, tool

pytestmark = pytest.mark.lab

VIP = "203.0.113.10"
CLIENT = "198.51.100.7"
OWN = ("10.20.0.1", "10.20.0.2")
APOLOGY = "10.20.0.9"
PORT = 8080
CHECKED = {"CHECK": "TVS_CHECK_TCP"}


class Server:
    """Says its address to whoever connects, and then again for each byte that it gets."""

    def __init__(self, namespace: str, address: str) -> None:
        self.address = address
        with inside(namespace):
            self.listener = socket.create_server((address, PORT), backlog=64)
        self.open: list[socket.socket] = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.open.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(f"{self.address}\n".encode())
            while connection.recv(1):
                connection.sendall(f"{self.address}\n".encode())

    def stop(self, *, only_new: bool = False) -> None:
        """It answers no more; `only_new`: but goes on with the connections that it has."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in () if only_new else self.open:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def site(shared_object: Path, directory: Path) -> Iterator[Node]:
    """A node whose far end is client, switch and servers; none of these listens yet."""
    with node(shared_object, directory) as machine:
        for address in (*OWN, APOLOGY, CLIENT):
            ip_command("-n", machine.far, "addr", "add", f"{address}/32", "dev", "lo")
        ip_command("-n", machine.far, "link", "set", "lo", "up")
        ip_command("-n", machine.far, "route", "add", VIP, "via", "192.0.2.11", "src", CLIENT)
        ip_command("-n", machine.far, "route", "add", "172.16.0.0/26", "via", "192.0.2.11")
        yield machine


def is_announced(machine: Node) -> bool:
    return VIP in machine.routes()


def is_announced_as(machine: Node, announced: bool) -> bool:
    return is_announced(machine) == announced


def connected(machine: Node) -> tuple[socket.socket, str]:
    """A new connection through the VIP, and the server that it is with."""
    with inside(machine.far):
        client = socket.socket()
    client.settimeout(5)
    client.bind((CLIENT, 0))
    client.connect((VIP, 80))
    return client, said(client)


def said(client: socket.socket) -> str:
    text = b""
    while not text.endswith(b"\n"):
        more = client.recv(64)
        assert more, "the connection has ended"
        text += more
    return text.decode().strip()


def server_of_new(machine: Node) -> str:
    client, server = connected(machine)
    client.close()
    return server


def states(machine: Node) -> dict[str, str]:
    listed = machine.ask("backends")["backends"]
    return {one["address"].partition(":")[0]: one["state"] for one in listed}


def test_min_up_moves_the_route(tmp_path: Path) -> None:
    with site(generation(tmp_path, **CHECKED, MIN_UP="2"), tmp_path) as machine:
        assert not is_announced(machine), "no server was there at the first check"
        assert len(machine.routes().splitlines()) == 2, "its other routes are"
        lack = {"vip": VIP, "service": "web", "pool": "web", "up": 0, "min_up": 2}
        assert machine.ask("status")["vips"] == {"known": 1, "withdrawn": 1, "lacking": [lack]}
        with (
            bird(machine, tmp_path) as control,
            Server(machine.far, OWN[0]) as first,
            Server(machine.far, OWN[1]),
        ):
            until("the VIP is announced", lambda: is_announced(machine))
            until("BIRD has its route", lambda: learned(control) == 3)
            assert (
                f"VIP {VIP} is announced: pool web has 2 up, service web wants 2" in machine.said()
            )
            assert machine.ask("status")["vips"]["withdrawn"] == 0
            client, server = connected(machine)
            first.stop(only_new=True)
            until("the VIP is withdrawn", lambda: not is_announced(machine))
            until("BIRD has it no more", lambda: learned(control) == 2, 4)
            assert (
                f"VIP {VIP} is withdrawn: pool web has 1 up, service web wants 2" in machine.said()
            )
            client.sendall(b"x")
            assert said(client) == server, "its sessions go on"
            client.close()
            assert server_of_new(machine) == OWN[1], "and who comes all the same is served"
            with Server(machine.far, OWN[0]):
                until("the VIP is back", lambda: is_announced(machine))
                until("BIRD has it again", lambda: learned(control) == 3, 4)


def test_what_is_withdrawn_is_shown(tmp_path: Path) -> None:
    run(tool("ninja"), "-C", str(BUILD), "tools/tvs")
    with site(generation(tmp_path, **CHECKED, MIN_UP="1"), tmp_path) as machine:
        assert machine.ask("routes")["announced"] == ["172.16.0.0/29", "172.16.0.0/26"]
        metrics = machine.ask("metrics")["metrics"]
        assert "tvs_vips_withdrawn 1\n" in metrics
        assert f'tvs_vip_withdrawn{{vip="{VIP}"}} 1\n' in metrics
        status = tvs(machine, "status").stdout
        assert "1 of 1 VIPs withdrawn for want of servers:\n" in status
        assert "service web: pool web has 0 up, min-up is 1\n" in status
        with Server(machine.far, OWN[0]):
            until("the VIP is announced", lambda: is_announced(machine))
            assert f'tvs_vip_withdrawn{{vip="{VIP}"}} 0\n' in machine.ask("metrics")["metrics"]
            assert "withdrawn" not in tvs(machine, "status").stdout


def test_a_drained_server_does_not_count(tmp_path: Path) -> None:
    with site(generation(tmp_path, MIN_UP="2"), tmp_path) as machine:
        assert is_announced(machine), "servers without a check count"
        for words, announced in (("drain", False), ("undrain", True), ("weight", False)):
            machine.ask(f"{words} web {OWN[0]}:{PORT}" + (" 0" if words == "weight" else ""))
            until(words, partial(is_announced_as, machine, announced))


def test_a_withdrawn_vip_does_not_return_with_the_device(tmp_path: Path) -> None:
    with site(generation(tmp_path, MIN_UP="2"), tmp_path) as machine:
        machine.ask(f"drain web {OWN[0]}:{PORT}")
        until("the VIP is withdrawn", lambda: not is_announced(machine))
        others = machine.routes()
        ip_command("-n", machine.namespace, "link", "set", "tvs0", "down")
        until("the table is empty", lambda: machine.routes() == "")
        ip_command("-n", machine.namespace, "link", "set", "tvs0", "up")
        until("the others are back", lambda: machine.routes() == others)
        machine.ask(f"undrain web {OWN[0]}:{PORT}")
        until("the VIP as well", lambda: is_announced(machine))
        ip_command("-n", machine.namespace, "link", "set", "tvs0", "down")
        until("the table is empty again", lambda: machine.routes() == "")
        machine.ask(f"drain web {OWN[0]}:{PORT}")
        ip_command("-n", machine.namespace, "link", "set", "tvs0", "up")
        until("all but the VIP are back", lambda: machine.routes() == others)


def test_another_generation_may_ask_for_less(tmp_path: Path) -> None:
    with (
        site(generation(tmp_path, **CHECKED, MIN_UP="2"), tmp_path) as machine,
        Server(machine.far, OWN[0]),
    ):
        until("a server is up", lambda: states(machine)[OWN[0]] == "up")
        assert not is_announced(machine)
        for min_up, announced in (("1", True), ("2", False), ("0", True)):
            answer = machine.ask(f"reload {generation(tmp_path, **CHECKED, MIN_UP=min_up)}")
            assert answer == {"format_version": 1, "done": True}
            assert is_announced(machine) == announced, min_up


def test_the_sorry_pool_serves_while_its_own_is_empty(tmp_path: Path) -> None:
    with (
        site(generation(tmp_path, **CHECKED, HAS_SORRY="true"), tmp_path) as machine,
        Server(machine.far, APOLOGY),
    ):
        assert is_announced(machine), "without `min-up` it stays, whatever happens"
        until("the sorry server is up", lambda: states(machine)[APOLOGY] == "up")
        sorry, server = connected(machine)
        assert server == APOLOGY
        listed = machine.ask("sessions")["sessions"]
        assert {(one["service"], one["pool"]) for one in listed} == {("web", "apology")}
        assert machine.summed("sessions_sorry") == 1
        with Server(machine.far, OWN[1]):
            until("a server of its own is up", lambda: states(machine)[OWN[1]] == "up")
            assert {server_of_new(machine) for _ in range(8)} == {OWN[1]}
            sorry.sendall(b"x")
            assert said(sorry) == APOLOGY, "its session stays where it is"
            assert machine.summed("sessions_sorry") == 1
        until("it is down again", lambda: states(machine)[OWN[1]] == "down")
        assert server_of_new(machine) == APOLOGY
        assert machine.summed("sessions_sorry") == 2
        assert "tvs_sessions_sorry_total" in machine.ask("metrics")["metrics"]
        sorry.close()


@pytest.mark.parametrize("is_last", ["true", "false"])
def test_the_last_cluster_keeps_its_vips(tmp_path: Path, is_last: str) -> None:
    """Others withdraw: the clients shall find servers elsewhere before they hear an apology."""
    both = {"MIN_UP": "1", "HAS_SORRY": "true", "IS_LAST_RESORT": is_last}
    with (
        site(generation(tmp_path, **CHECKED, **both), tmp_path) as machine,
        Server(machine.far, APOLOGY),
    ):
        until("the sorry server is up", lambda: states(machine)[APOLOGY] == "up")
        assert is_announced(machine) == (is_last == "true")
        assert server_of_new(machine) == APOLOGY
