"""The clients: new connections through the VIPs, from many addresses.

Everything here runs on kernel sockets in the client's namespace: a thread enters it and runs an
event loop there. A fetch never raises for what happens on the network: it says what went wrong.
"""

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from pydantic import BaseModel, ValidationError

from tvsc.lab import namespace
from tvsc.lab.ports import Ports
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import Target, Topology
from tvsc.model import Protocol

PARALLEL = 24
TIMEOUT_S = 3.0
NOWHERE = IPv4Address(0)

_ANSWER_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Wish:
    """A fetch to make."""

    target: Target
    source: IPv4Address


@dataclass(frozen=True, slots=True)
class Fetch:
    """A fetch that was made. `error` is empty when it succeeded, and then `server` answered, and
    saw the request come from `local_ip` and `local_port`. `start_ns` is the monotonic clock.
    """

    target: Target
    source: IPv4Address
    source_port: int
    start_ns: int
    took_ms: float
    error: str = ""
    server: str = ""
    local_ip: IPv4Address = NOWHERE
    local_port: int = 0

    @property
    def ok(self) -> bool:
        return not self.error

    @property
    def flow(self) -> tuple[IPv4Address, IPv4Address]:
        """What the switch hashes."""
        return self.source, self.target.vip


class _Answer(BaseModel):
    server: str
    address: IPv4Address
    port: int
    request: str


def sources(topology: Topology, count: int) -> list[IPv4Address]:
    """`count` client addresses, from the second of the network on."""
    first = int(topology.client_network.network_address) + 2
    available = topology.client_network.num_addresses - 3
    return [IPv4Address(first + index % available) for index in range(count)]


def spread_wishes(
    targets: Sequence[Target], addresses: Sequence[IPv4Address], count: int
) -> list[Wish]:
    """`count` fetches, the targets in turn, each from one address after the other."""
    return [
        Wish(targets[i % len(targets)], addresses[(i // len(targets)) % len(addresses)])
        for i in range(count)
    ]


def fetch_all(
    topology: Topology,
    wishes: Sequence[Wish],
    *,
    parallel: int = PARALLEL,
    timeout_s: float = TIMEOUT_S,
) -> list[Fetch]:
    """Makes every wish come true, `parallel` at a time; the result is in the wishes' order."""

    async def body() -> list[Fetch]:
        gate = asyncio.Semaphore(parallel)
        ports = Ports(RunDirectory(topology.lab))

        async def one(wish: Wish) -> Fetch:
            async with gate:
                return await fetch(wish, ports, timeout_s)

        return await asyncio.gather(*(one(wish) for wish in wishes))

    return namespace.inside(topology.client, lambda: asyncio.run(body()))


async def fetch(wish: Wish, ports: Ports, timeout_s: float) -> Fetch:
    """One fetch on a new socket, in the namespace of the calling thread."""
    tcp = wish.target.protocol is Protocol.TCP
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    start_ns = time.monotonic_ns()
    port = 0
    try:
        with socket.socket(socket.AF_INET, kind) as connection:
            connection.setblocking(False)
            ports.bind(connection, wish.source)
            port = connection.getsockname()[1]
            async with asyncio.timeout(timeout_s):
                loop = asyncio.get_running_loop()
                await loop.sock_connect(connection, (str(wish.target.vip), wish.target.port))
                body = await (_http(connection, wish) if tcp else _udp(connection))
        answer = _Answer.model_validate_json(body)
    except TimeoutError:
        return Fetch(wish.target, wish.source, port, start_ns, _since(start_ns), "timed out")
    except OSError as error:
        text = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        return Fetch(wish.target, wish.source, port, start_ns, _since(start_ns), text)
    except (ValidationError, ValueError):
        return Fetch(wish.target, wish.source, port, start_ns, _since(start_ns), "bad answer")
    return Fetch(
        wish.target,
        wish.source,
        port,
        start_ns,
        _since(start_ns),
        server=answer.server,
        local_ip=answer.address,
        local_port=answer.port,
    )


def _since(start_ns: int) -> float:
    return (time.monotonic_ns() - start_ns) / 1e6


async def _http(connection: socket.socket, wish: Wish) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, _request(wish.target, "close"))
    answer = b""
    while chunk := await loop.sock_recv(connection, _ANSWER_LIMIT):
        answer += chunk
    return _body(answer)


def _request(target: Target, connection: str) -> bytes:
    head = f"GET / HTTP/1.1\r\nHost: {target.vip}\r\nConnection: {connection}\r\n\r\n"
    return head.encode()


def _body(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ValueError("not a 200")
    return body


async def _udp(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    token = f"{time.monotonic_ns():x}"
    await loop.sock_sendall(connection, token.encode())
    answer = await loop.sock_recv(connection, _ANSWER_LIMIT)
    if json.loads(answer).get("request") != token:
        raise ValueError("another's answer")
    return answer


class Prober:
    """Asks for one thing after another at a steady pace, in a thread of its own, until stopped.

    A short timeout, so that a lost packet is a failure and not a retransmission a second later.
    """

    def __init__(
        self, topology: Topology, wishes: Sequence[Wish], *, every_s: float, timeout_s: float
    ) -> None:
        self._topology = topology
        self._wishes = wishes
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._ports = Ports(RunDirectory(topology.lab))
        self._stop = threading.Event()
        self._made: list[Fetch] = []
        self._thread = threading.Thread(target=self._body, name="prober", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> list[Fetch]:
        """Ends the probing; everything that was asked, in the order of asking."""
        self._stop.set()
        self._thread.join()
        return sorted(self._made, key=lambda fetch: fetch.start_ns)

    def snapshot(self) -> list[Fetch]:
        """What has ended so far."""
        return list(self._made)

    def _body(self) -> None:
        namespace.enter(self._topology.client)
        asyncio.run(self._probe())

    async def _probe(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        number = 0
        next_at = time.monotonic()
        while not self._stop.is_set():
            task = asyncio.create_task(self._one(self._wishes[number % len(self._wishes)]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
            next_at += self._every_s
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
        await asyncio.gather(*tasks)

    async def _one(self, wish: Wish) -> None:
        self._made.append(await fetch(wish, self._ports, self._timeout_s))


@dataclass(slots=True)
class _Line:
    wish: Wish
    connection: socket.socket
    first: Fetch
    alive: bool = True


class Held:
    """Connections that stay open over a failure, to see which of them it breaks."""

    def __init__(self, topology: Topology, wishes: Sequence[Wish]) -> None:
        self._topology = topology
        self._lines: list[_Line] = []
        namespace.inside(topology.client, lambda: asyncio.run(self._open(wishes)))

    @property
    def fetches(self) -> list[Fetch]:
        """The first request of each connection that opened."""
        return [line.first for line in self._lines]

    def ask_again(self, timeout_s: float = 1.0) -> tuple[list[Fetch], list[Fetch]]:
        """Another request on each: the first requests of (those that answer, those that do not)."""
        namespace.inside(self._topology.client, lambda: asyncio.run(self._again(timeout_s)))
        good = [line.first for line in self._lines if line.alive]
        bad = [line.first for line in self._lines if not line.alive]
        return good, bad

    def close(self) -> None:
        for line in self._lines:
            line.connection.close()

    async def _open(self, wishes: Sequence[Wish]) -> None:
        ports = Ports(RunDirectory(self._topology.lab))
        for wish in wishes:
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            connection.setblocking(False)
            start_ns = time.monotonic_ns()
            try:
                ports.bind(connection, wish.source)
                async with asyncio.timeout(TIMEOUT_S):
                    loop = asyncio.get_running_loop()
                    await loop.sock_connect(connection, (str(wish.target.vip), wish.target.port))
                    answer = _Answer.model_validate_json(await self._ask(wish, connection))
            except (OSError, ValueError):
                connection.close()
                continue
            first = Fetch(
                wish.target,
                wish.source,
                connection.getsockname()[1],
                start_ns,
                _since(start_ns),
                server=answer.server,
                local_ip=answer.address,
                local_port=answer.port,
            )
            self._lines.append(_Line(wish, connection, first))

    async def _again(self, timeout_s: float) -> None:
        async def one(line: _Line) -> None:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._ask(line.wish, line.connection)
            except (OSError, ValueError):
                line.alive = False

        await asyncio.gather(*(one(line) for line in self._lines if line.alive))

    async def _ask(self, wish: Wish, connection: socket.socket) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, _request(wish.target, "keep-alive"))
        answer = b""
        while not answer.endswith(b"}\n"):
            chunk = await loop.sock_recv(connection, _ANSWER_LIMIT)
            if not chunk:
                raise ConnectionResetError
            answer += chunk
        return _body(answer)
