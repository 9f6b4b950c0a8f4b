"""The naive model and the machine code side by side, through the steps of one life."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.steps import (
    CLIENT_NET,
    Burst,
    Complaint,
    Crowd,
    Flap,
    Odd,
    Outage,
    Packet,
    Reply,
    Request,
    Step,
    Talk,
    Wait,
)
from tests.naive.craft import Frame
from tests.naive.memory import Memory
from tests.naive.node import Node, Result
from tests.naive.parts import Session
from tests.naive.site import Site
from tests.naive.wire import ETH, ICMP, SYN, TCP, UDP


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

    def frame(self, packet: Packet) -> bytes:
        if isinstance(packet, Request):
            frame = self.request(packet)
        elif isinstance(packet, Reply):
            frame = self.reply(packet)
        elif isinstance(packet, Complaint):
            frame = self.complaint(packet)
        else:
            frame = self.odd(packet)
        on_wire = packet.detail.tag.apply(bytes(frame), self.site.ports[0].vlan)
        return packet.detail.spoil.apply(on_wire)

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

    def complaint(self, packet: Complaint) -> Frame:
        live = self.live()
        router, vip = 0x0A636363, self.site.services[0].vip
        if not live:
            return packet.detail.on(Frame(router, vip, ICMP, icmp_type=packet.icmp_type))
        session = live[packet.session % len(live)]
        if packet.about == "request":
            to, ends = session.local[0], (session.local, session.server)
        else:
            to, ends = session.vip[0], (session.vip, session.client)
        (source, source_port), (destination, destination_port) = ends
        quoted = Frame(
            source ^ (packet.wrong == "source"),
            destination ^ (packet.wrong == "destination"),
            TCP + UDP - session.proto if packet.wrong == "proto" else session.proto,
            source_port,
            destination_port,
            SYN,
            payload=bytes(20),
            ip_options=b"\x01" * 4 * packet.quoted_options,
            fragment=0x2000 if packet.wrong == "fragment" else 0,
            udp_checksum=packet.detail.udp_checksum,
        )
        end = ETH + 20 + 4 * packet.quoted_options + packet.quoted_bytes
        inner = bytes(quoted)[ETH:end]
        mtu = 1400 if packet.quoted_bytes % 2 == 0 else packet.quoted_bytes + 67  # 74 and above
        frame = Frame(
            router, to, ICMP, 0, mtu, icmp_type=packet.icmp_type, icmp_code=packet.icmp_code
        )
        return packet.detail.on(frame).but(payload=inner)

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
            packet: Packet = request
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
