"""Random lives of a node, as data: what happens, drawn by hypothesis; `World` makes it happen.

A step names sessions and servers by number, so that it can be drawn before the node exists; the
number is taken modulo what is there when its turn comes.
"""

from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from tests.naive.craft import Frame
from tests.naive.memory import Memory
from tests.naive.model import Node, Result, Session
from tests.naive.site import Site
from tests.naive.wire import ACK, FIN, ICMP, PSH, RST, SYN, TCP, UDP

CLIENT_NET = 0xC6120000  # 198.18.0.0

FLAGS = st.sampled_from(
    [SYN, SYN, SYN, ACK, ACK, PSH | ACK, FIN | ACK, FIN | ACK, RST, RST | ACK, SYN | ACK, FIN, 0]
) | st.integers(0, 255)


# ticks: around the timeouts of the sites, and as far as a deadline can be told from a past one
WAITS = [0, 1, 9, 10, 19, 20, 49, 50, 60, 100, 300, 310, 3000, 9000, 2**31 - 1]


@dataclass(frozen=True)
class Spoil:
    """Damage to a finished frame."""

    kind: str = "none"  # none, cut, byte, pad
    at: int = 0
    value: int = 0

    def apply(self, frame: bytes) -> bytes:
        if self.kind == "cut":
            return frame[: self.at % (len(frame) + 1)]
        if self.kind == "pad":
            return frame + bytes(self.at % 64)
        if self.kind == "byte" and frame:
            at = self.at % len(frame)
            return frame[:at] + bytes([frame[at] ^ self.value]) + frame[at + 1 :]
        return frame


@dataclass(frozen=True)
class Detail:
    """What varies in any packet."""

    payload: bytes
    ttl: int
    ip_options: int  # words
    tcp_options: int
    fragment: int
    udp_checksum: bool
    length_error: int
    l4_error: int
    sequence: int
    spoil: Spoil
    rx_worker: int | None

    def on(self, frame: Frame) -> Frame:
        return frame.but(
            payload=self.payload,
            ttl=self.ttl,
            ip_options=b"\x01" * 4 * self.ip_options,
            tcp_options=b"\x01" * 4 * self.tcp_options,
            fragment=self.fragment,
            udp_checksum=self.udp_checksum,
            length_error=self.length_error,
            l4_error=self.l4_error,
            sequence=self.sequence,
            acknowledged=self.sequence ^ 0x5A5A5A5A,
        )


@dataclass(frozen=True)
class Request:
    client: int
    client_port: int
    service: int
    flags: int
    detail: Detail


@dataclass(frozen=True)
class Reply:
    session: int
    flags: int
    wrong: str  # "", address, port, proto
    detail: Detail


@dataclass(frozen=True)
class Odd:
    """Neither: other protocols, other destinations, echo."""

    source: int
    destination: int  # of the list of interesting addresses
    proto: int
    ports: tuple[int, int]
    icmp_type: int
    l2: str  # unicast, broadcast
    ethertype: int
    detail: Detail


@dataclass(frozen=True)
class Burst:
    packets: tuple[Request | Reply | Odd, ...]


@dataclass(frozen=True)
class Talk:
    """A client and its server in turns, one packet after the other."""

    client: int
    client_port: int
    service: int
    moves: tuple[tuple[str, int], ...]  # (who, TCP flags)
    detail: Detail


@dataclass(frozen=True)
class Crowd:
    """Many clients of one service at once."""

    service: int
    clients: int
    flags: int
    detail: Detail

    def burst(self) -> Burst:
        return Burst(
            tuple(
                Request(n // 4, 1024 + n % 4, self.service, self.flags, self.detail)
                for n in range(self.clients)
            )
        )


@dataclass(frozen=True)
class Outage:
    """All servers of a pool fail, or return."""

    pool: int
    state: str


@dataclass(frozen=True)
class Wait:
    ticks: int


@dataclass(frozen=True)
class Flap:
    pool: int
    server: int
    state: str
    weight: int


@dataclass(frozen=True)
class Neighbour:
    port: int
    found: bool


Step = Burst | Talk | Crowd | Outage | Wait | Flap | Neighbour

SPOILS = st.just(Spoil()) | st.builds(
    Spoil,
    st.sampled_from(["none", "none", "cut", "byte", "pad"]),
    st.integers(0, 2000),
    st.integers(1, 255),
)
DETAILS = st.builds(
    Detail,
    payload=st.binary(max_size=20),
    ttl=st.sampled_from([64, 64, 64, 64, 255, 2, 1, 0]),
    ip_options=st.sampled_from([0, 0, 0, 1, 10]),
    tcp_options=st.sampled_from([0, 0, 3, 10]),
    fragment=st.sampled_from([0, 0, 0x4000, 0x4000, 0x2000, 0x00B9]),
    udp_checksum=st.sampled_from([True, True, False]),
    length_error=st.sampled_from([0, 0, 0, 0, 0, -1, 1, 5, -9]),
    l4_error=st.sampled_from([0, 0, 0, 0, 0xFFFF, 0x0101]),
    sequence=st.integers(0, 0xFFFFFFFF),
    spoil=SPOILS,
    rx_worker=st.sampled_from([None, None, None, 0, 1]),
)
PLAIN = st.builds(
    Detail,
    payload=st.binary(max_size=8),
    ttl=st.just(64),
    ip_options=st.just(0),
    tcp_options=st.just(0),
    fragment=st.just(0),
    udp_checksum=st.just(True),
    length_error=st.just(0),
    l4_error=st.just(0),
    sequence=st.integers(0, 0xFFFFFFFF),
    spoil=st.just(Spoil()),
    rx_worker=st.none(),
)
ANY_DETAIL = PLAIN | PLAIN | DETAILS

REQUESTS = st.builds(
    Request,
    client=st.integers(0, 2),
    client_port=st.integers(1024, 1026),
    service=st.integers(0, 5),
    flags=FLAGS,
    detail=ANY_DETAIL,
)
REPLIES = st.builds(
    Reply,
    session=st.integers(0, 30),
    flags=FLAGS,
    wrong=st.sampled_from(["", "", "", "", "address", "port", "proto"]),
    detail=ANY_DETAIL,
)
ODDS = st.builds(
    Odd,
    source=st.integers(0, 7),
    destination=st.integers(0, 40),
    proto=st.sampled_from([ICMP, ICMP, TCP, UDP, 47]),
    ports=st.tuples(st.integers(0, 65535), st.sampled_from([80, 53, 443, 514, 10000, 10001, 9])),
    icmp_type=st.sampled_from([8, 8, 8, 0, 3]),
    l2=st.sampled_from(["unicast", "unicast", "unicast", "broadcast"]),
    ethertype=st.sampled_from([0x0800, 0x0800, 0x0800, 0x0806, 0x8100, 0x86DD]),
    detail=ANY_DETAIL,
)
PACKETS = REQUESTS | REQUESTS | REPLIES | REPLIES | ODDS
HANDSHAKE = [("client", SYN), ("server", SYN | ACK), ("client", ACK)]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["client", "server"]),
        st.sampled_from([SYN, SYN | ACK, ACK, PSH | ACK, FIN | ACK, RST, RST | ACK]),
    ),
    max_size=5,
)
TALKS = st.builds(
    Talk,
    client=st.integers(0, 2),
    client_port=st.integers(1024, 1026),
    service=st.integers(0, 5),
    moves=st.builds(
        lambda first, then: tuple(HANDSHAKE[:first] + then), st.sampled_from([0, 3, 3, 3]), MOVES
    ),
    detail=PLAIN,
)
STEPS = st.one_of(
    TALKS,
    TALKS,
    TALKS,
    st.builds(
        Crowd,
        service=st.integers(0, 5),
        clients=st.integers(5, 40),
        flags=st.sampled_from([SYN, SYN, SYN, ACK, RST, FIN | ACK]),
        detail=PLAIN,
    ),
    st.builds(Outage, st.integers(0, 5), st.sampled_from(["down", "up", "down", "up", "drain"])),
    st.builds(Burst, st.lists(PACKETS, min_size=1, max_size=6).map(tuple)),
    st.builds(Burst, st.lists(PACKETS, min_size=1, max_size=6).map(tuple)),
    st.builds(Burst, st.lists(PACKETS, min_size=20, max_size=48).map(tuple)),
    st.builds(Wait, st.sampled_from(WAITS)),
    st.builds(
        Flap,
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from(["down", "down", "up", "drain"]),
        st.sampled_from([0, 1, 2, 3, 100]),
    ),
    st.builds(Neighbour, st.integers(0, 7), st.booleans()),
)
LIVES = st.lists(STEPS, min_size=1, max_size=25)
FIRST_TICKS = st.sampled_from([0, 1, 1000, 2**32 - 60, 2**31 - 5])


@dataclass
class World:
    """The model and the machine code side by side; every difference ends the test."""

    site: Site
    generation: Path
    first_tick: int = 0
    seen: set[str] = field(default_factory=set)  # verdicts and drop reasons

    def __post_init__(self) -> None:
        self.model = Node(self.site)
        self.memory = Memory(self.generation)
        self.tick = self.first_tick
        self.set_tick(0)

    def set_tick(self, more: int) -> None:
        self.tick += more
        self.model.set_tick(self.tick)
        self.memory.set_tick(self.tick & 0xFFFFFFFF)

    def live(self) -> list[Session]:
        return [s for w in self.model.workers for _, s in sorted(w.by_local.items())]

    def destinations(self) -> list[int]:
        lips = range(self.site.lip_base, self.site.lip_base + min(self.site.lip_count, 16))
        own = [port.address for port in self.site.ports]
        return [*sorted(self.site.vips), *lips, *self.site.lips, *own, 0xFFFFFFFF, 0xE0000001]

    def frame(self, packet: Request | Reply | Odd) -> bytes:
        if isinstance(packet, Request):
            frame = self.request(packet)
        elif isinstance(packet, Reply):
            frame = self.reply(packet)
        else:
            frame = self.odd(packet)
        return packet.detail.spoil.apply(bytes(frame))

    def request(self, packet: Request) -> Frame:
        service = self.site.services[packet.service % len(self.site.services)]
        frame = Frame(
            CLIENT_NET + packet.client,
            service.vip,
            service.proto,
            packet.client_port,
            service.port,
            packet.flags,
        )
        return packet.detail.on(frame)

    def reply(self, packet: Reply) -> Frame:
        live = self.live()
        if not live:
            return packet.detail.on(Frame(1, self.site.lip_base + 1, TCP, 1, self.site.port_first))
        session = live[packet.session % len(live)]
        frame = Frame(
            session.server[0],
            session.local[0],
            session.proto,
            session.server[1],
            session.local[1],
            packet.flags,
        )
        if packet.wrong == "address":
            frame = frame.but(source=frame.source ^ 1)
        elif packet.wrong == "port":
            frame = frame.but(source_port=frame.source_port ^ 1)
        elif packet.wrong == "proto":
            frame = frame.but(proto=TCP + UDP - frame.proto)
        return packet.detail.on(frame)

    def odd(self, packet: Odd) -> Frame:
        destinations = self.destinations()
        destination = destinations[packet.destination % len(destinations)]
        sources = [CLIENT_NET, 0, 0x00010203, 0x7F000001, 0xE0000001, 0xFFFFFFFF, destination]
        server = self.site.pools[0].servers[0].address
        frame = Frame(
            [*sources, server][packet.source % 8],
            destination,
            packet.proto,
            *packet.ports,
            flags=SYN,
            icmp_type=packet.icmp_type,
            ethertype=packet.ethertype,
        )
        if packet.l2 == "broadcast":
            frame = frame.but(l2=b"\xff" * 6 + frame.l2[6:])
        return packet.detail.on(frame)

    # -- steps

    def do(self, step: Step) -> None:
        if isinstance(step, Burst):
            self.burst(step)
        elif isinstance(step, Talk):
            self.talk(step)
        elif isinstance(step, Crowd):
            self.burst(step.burst())
        elif isinstance(step, Outage):
            pool = step.pool % len(self.site.pools)
            for number, one in enumerate(self.site.pools[pool].servers):
                self.flap(Flap(pool, number, step.state, one.weight))
        elif isinstance(step, Wait):
            self.set_tick(step.ticks)
            for worker in range(self.site.n_workers):
                assert self.memory.sweep(worker) == self.model.sweep(worker)
        elif isinstance(step, Flap):
            self.flap(step)
        else:
            port = step.port % len(self.site.ports)
            for node in (self.model, self.memory):
                node.set_nexthop(port, step.found)

    def flap(self, step: Flap) -> None:
        pool = step.pool % len(self.site.pools)
        server = step.server % len(self.site.pools[pool].servers)
        for side in (self.model, self.memory):
            side.set_backend(pool, server, step.state, step.weight)

    def talk(self, step: Talk) -> None:
        for who, flags in step.moves:
            request = Request(step.client, step.client_port, step.service, flags, step.detail)
            packet: Request | Reply = request
            if who == "server":
                asked = self.request(request)
                mine = [
                    number
                    for number, session in enumerate(self.live())
                    if session.client == (asked.source, asked.source_port)
                    and session.vip == (asked.destination, asked.destination_port)
                    and session.proto == asked.proto
                ]
                if not mine:
                    continue
                packet = Reply(mine[0], flags, "", step.detail)
            self.burst(Burst((packet,)))

    def burst(self, step: Burst) -> None:
        frames = [
            (
                self.frame(packet),
                None
                if packet.detail.rx_worker is None
                else packet.detail.rx_worker % self.site.n_workers,
            )
            for packet in step.packets
        ]
        expected = self.model.run(frames)
        found = self.memory.run(frames)
        for number, (want, have) in enumerate(zip(expected, found, strict=True)):
            assert have == want, explain(number, frames[number][0], want, have)
        self.seen |= {str(r.verdict.arg or r.verdict.what) for r in expected}

    def compare_state(self) -> None:
        for worker in self.model.workers:
            counters = self.memory.counters(worker.index)
            counters.pop("bursts")
            counted = {name: value for name, value in counters.items() if value}
            assert counted == {name: value for name, value in worker.counters.items() if value}
            self.compare_sessions(worker.index)

    def compare_sessions(self, index: int) -> None:
        worker = self.model.workers[index]
        found = {s.local: s for s in self.memory.sessions(index)}
        assert found.keys() == worker.by_local.keys()
        for local, session in worker.by_local.items():
            have = found[local]
            for name in ("client", "vip", "server", "proto", "service", "pool", "backend", "state"):
                assert getattr(have, name) == getattr(session, name), (name, session, have)
            assert have.opened == session.opened & 0xFFFFFFFF
            assert have.expires == session.expires & 0xFFFFFFFF
        assert self.memory.free_ports(index) == len(worker.free)
        assert self.memory.table_entries(index) == len(worker.by_client)

    def close(self) -> None:
        self.memory.close()


def explain(number: int, frame: bytes, want: Result, have: Result) -> str:
    return f"packet {number}: {frame.hex()}\n model: {show(want)}\n  code: {show(have)}"


def show(result: Result) -> str:
    verdict = result.verdict
    return (
        f"{verdict.what} {verdict.arg} worker {result.rx_worker}>{result.worker} "
        f"{verdict.frame.hex()}"
    )
