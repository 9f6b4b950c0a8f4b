"""`client-address toa` between a client and a server of the kernel: the server's side is told who
the client is, and the connection works as if it were not.

There is no toa module here, so what it would read is looked at: the SYN that the server's kernel
saved, and the frames on the server's wire.
"""

import hashlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host.node import Node, generation, inside, ip_command, node, until
from tests.naive.site import ip
from tests.naive.toa import MSS, TOA, options
from tests.naive.wire import SYN, TCP, Packet

pytestmark = pytest.mark.lab

TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28
WITHOUT_COOKIES = "0x207"  # Fast Open at both ends: the server's cookie is for one local IP
CLIENT, VIP, NODE = "198.18.0.1", "203.0.113.10", "192.0.2.11"
SERVERS = ("10.20.0.1", "10.20.0.2")
MTU = 1500
BULK = 4 << 20


@dataclass
class Ends:
    """The client's and the servers' sockets in the far namespace, and what passes their wire."""

    machine: Node
    servers: list[socket.socket]
    frames: list[bytes]

    def client(self) -> socket.socket:
        with inside(self.machine.far):
            made = socket.socket()
        made.settimeout(10)
        made.bind((CLIENT, 0))
        return made

    def accept(self) -> socket.socket:
        """The next connection, whichever server gets it."""
        for server in self.servers:
            server.settimeout(0.05)
        while True:
            for server in self.servers:
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                connection.settimeout(10)
                return connection

    def to_server(self, local: tuple[str, int]) -> list[Packet]:
        """What came to a server from this local IP and port."""
        end = (ip(local[0]), local[1])
        return [p for p in self.tcp() if (p.source, p.source_port) == end]

    def tcp(self) -> list[Packet]:
        found = [Packet(f) for f in list(self.frames) if f[12:14] == b"\x08\x00"]
        return [packet for packet in found if packet.proto == TCP]


@contextmanager
def captured(wire: socket.socket) -> Iterator[list[bytes]]:
    """Frames of the wire, both ways, in their order."""
    frames: list[bytes] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                frames.append(wire.recv(1 << 16))
            except TimeoutError:
                continue

    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    wire.settimeout(0.1)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield frames
    finally:
        ended.set()
        reader.join()


@contextmanager
def ends(directory: Path, vlan: int = 0, **more: str) -> Iterator[Ends]:
    """Both on a wire in this VLAN, 0 for none, whose tags the kernel takes out of `frames`."""
    macros = {"CLIENT_ADDRESS": "TVS_CLIENT_TOA", "IDLE": "TVS_IDLE_INTERRUPT", "VLAN": str(vlan)}
    shared_object = generation(directory, **macros, WATCHDOG_MS="10000", **more)
    with node(shared_object, directory, vlan=vlan) as machine, ExitStack() as stack:
        far = machine.far
        ip_command("-n", far, "link", "set", "lo", "up")
        for address in (CLIENT, *SERVERS):
            ip_command("-n", far, "addr", "add", f"{address}/32", "dev", "lo")
        for network in (f"{VIP}/32", "172.16.0.0/26"):
            ip_command("-n", far, "route", "add", network, "via", NODE, "dev", "nic")
        fast_open = f"echo {int(WITHOUT_COOKIES, 16)} >/proc/sys/net/ipv4/tcp_fastopen"
        ip_command("netns", "exec", far, "sh", "-c", fast_open)
        servers = []
        with inside(far):
            for address in SERVERS:
                server = stack.enter_context(socket.socket())
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
                server.bind((address, 8080))
                server.listen()
                servers.append(server)
        frames = stack.enter_context(captured(machine.wire))
        world = Ends(machine, servers, frames)
        connect_once(world)
        frames.clear()
        yield world


def connect_once(world: Ends) -> None:
    """Or the first SYN would be lost while the node does not know its neighbour."""
    with world.client() as client:
        client.connect((VIP, 80))
        world.accept().close()
        assert client.recv(1) == b""


def told(segment: bytes) -> tuple[str, int] | None:
    """The client's address and port, if the segment has them as its first option."""
    first = next(options(segment), None)
    if first is None or first[0] != TOA:
        return None
    port, address = struct.unpack(">H4s", segment[22:28])
    return socket.inet_ntoa(address), port


def saved_syn(connection: socket.socket) -> bytes:
    """The TCP header of the SYN that opened it, as the server's kernel got it."""
    headers = connection.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 256)
    return headers[(headers[0] & 15) * 4 :]


def send_all(connection: socket.socket, data: bytes) -> threading.Thread:
    thread = threading.Thread(target=connection.sendall, args=(data,))
    thread.start()
    return thread


def receive(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = connection.recv(min(count, 1 << 16))
        assert part, "the connection ended"
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


MORE = {
    "LIMIT": "'c'",
    "HAS_SORRY": "true",
    "SCHEDULER": "TVS_SCHED_MAGLEV",
    "TABLE_SIZE": "251",
}


@pytest.mark.parametrize(
    ("vlan", "more"), [(0, {}), (100, MORE)], ids=["alone", "with all that there is"]
)
def test_the_server_is_told_and_no_byte_is_lost(
    tmp_path: Path, vlan: int, more: dict[str, str]
) -> None:
    """A full segment has room for the address, and a tag besides."""
    up, down = os.urandom(BULK), os.urandom(BULK)
    with ends(tmp_path, vlan, **more) as world, world.client() as client:
        before = world.machine.summed("toa_added")
        client.connect((VIP, 80))
        sending = send_all(client, up)
        with world.accept() as server:
            who, local = client.getsockname(), server.getpeername()
            assert local[0].startswith("172.16.0.")
            assert told(saved_syn(server)) == who
            answering = send_all(server, down)
            got_up, got_down = receive(server, BULK), receive(client, BULK)
            sending.join()
            answering.join()
            # 8 bytes less than without, for the client alone; 12 are the timestamps
            assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == MTU - 40 - 12 - 8
            assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == MTU - 40 - 12
        assert hashlib.sha256(got_up).digest() == hashlib.sha256(up).digest()
        assert hashlib.sha256(got_down).digest() == hashlib.sha256(down).digest()
        added = world.machine.summed("toa_added") - before
        until("the wire is read", lambda: len(world.to_server(local)) > BULK // MTU)
        check_wire(world, who, local, added)
        assert world.machine.summed("toa_too_long") == world.machine.summed("toa_no_room") == 0


def check_wire(world: Ends, who: tuple[str, int], local: tuple[str, int], added: int) -> None:
    """The first packets to the server carry the address, and the bulk does not."""
    requests = world.to_server(local)
    assert requests[0].tcp_flags & SYN
    with_address = [p for p in requests if told(p.payload) is not None]
    assert {told(p.payload) for p in with_address} == {who}
    assert len(with_address) == added
    assert requests[: len(with_address)] == with_address, "first all have it, then none"
    assert 3 <= added < len(requests) / 10
    everything = world.tcp()
    end = (ip(local[0]), local[1])
    answer = next(
        at
        for at, p in enumerate(everything)
        if (p.destination, p.destination_port) == end and not p.tcp_flags & SYN
    )
    before = [p for p in everything[:answer] if (p.source, p.source_port) == end]
    assert len(before) >= 2
    assert all(told(p.payload) == who for p in before)
    assert max(p.total_bytes for p in everything) == MTU
    assert max(p.total_bytes for p in with_address) == MTU, "a full segment had room for it"
    assert max(p.total_bytes for p in requests if p not in with_address) == MTU - 8
    [server_mss] = {mss(p) for p in everything if p.tcp_flags & SYN and p.source >> 24 == 10}
    [client_mss] = {mss(p) for p in everything if p.tcp_flags & SYN and p.source == ip(VIP)}
    assert (server_mss, client_mss) == (MTU - 40, MTU - 40 - 8)


def mss(packet: Packet) -> int:
    at = next(at for kind, at, _ in options(packet.payload) if kind == MSS)
    return int.from_bytes(packet.payload[at + 2 : at + 4], "big")


def test_fast_open(tmp_path: Path) -> None:
    """The server may have the connection, and need the address, from the SYN alone."""
    with ends(tmp_path) as world, world.client() as client:
        assert client.sendto(b"early", socket.MSG_FASTOPEN, (VIP, 80)) == 5
        with world.accept() as server:
            assert receive(server, 5) == b"early"
            assert told(saved_syn(server)) == client.getsockname()
            local = server.getpeername()
            server.sendall(b"answer")
            assert receive(client, 6) == b"answer"
        syn = world.to_server(local)[0]
        assert syn.tcp_flags & SYN
        assert syn.payload.endswith(b"early")
