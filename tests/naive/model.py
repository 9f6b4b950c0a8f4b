"""One worker of the load balancer, the plain way.

A frame goes in, a `Verdict` comes out. Sessions are a dictionary, local ports a list of which the
oldest free one is taken, checksums are computed anew over whole packets.
"""

import struct
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from tests.naive import complaint, nic, schedule, tcp, toa
from tests.naive.parts import Backend, Bucket, FreePorts, Session, Shared
from tests.naive.site import Limits
from tests.naive.wire import (
    ACK,
    ETH,
    FIN,
    ICMP,
    RST,
    SYN,
    TCP,
    UDP,
    Packet,
    carried_over,
    checksum,
    l4_checksum,
    long,
    rebuilt,
    with_ip_checksum,
    word,
)

MAX_FRAME = 0xFFFF


@dataclass(frozen=True)
class Verdict:
    what: str  # tx, kernel, handover, drop
    arg: int | str = 0  # port, worker, reason
    frame: bytes = b""


class Dropped(Exception):  # noqa: N818
    """Carries the reason."""


class Worker:
    def __init__(self, index: int, shared: Shared) -> None:
        self.index = index
        self.shared = shared
        self.site = shared.site
        self.by_client: dict[tuple[int, int, int, int, int], Session] = {}
        self.by_local: dict[tuple[int, int], Session] = {}
        self.free = FreePorts(self.site, index)
        self.positions: dict[int, int] = {}
        self.buckets: dict[tuple[int, int], Bucket] = {}  # by source and group of services
        self.counters: Counter[str] = Counter()
        seed = self.shared.seed
        self.secret = struct.pack("<QQ", *(schedule.splitmix(seed, 2 * index + n) for n in (0, 1)))

    # -- one frame

    def take(self, frame: bytes, handed: bool) -> Verdict:
        self.counters["frames"] += 1
        self.counters["frames_handed"] += handed
        self.counters["bytes"] += min(len(frame), MAX_FRAME)
        try:
            verdict = self.decide(frame, handed)
        except Dropped as dropped:
            verdict = Verdict("drop", str(dropped))
        if verdict.what == "drop":
            self.counters[f"drop_{verdict.arg}"] += 1
        elif verdict.what == "tx":
            self.counters["tx_bytes"] += len(verdict.frame)
        else:
            self.counters[verdict.what] += 1
        return verdict

    def decide(self, frame: bytes, handed: bool) -> Verdict:
        if len(frame) > MAX_FRAME:
            raise Dropped("not_contiguous")
        if len(frame) < ETH:
            raise Dropped("truncated")
        if frame[0] & 1 or word(frame, 12) != 0x0800:
            return Verdict("kernel", 0, frame)
        packet = self.checked(frame)
        offset = packet.destination - self.site.lip_base
        if 0 <= offset < self.site.lip_count:
            return self.to_local(packet, handed)
        return self.to_others(packet, handed)

    @staticmethod
    def checked(frame: bytes) -> Packet:
        ip = frame[ETH:]
        if len(ip) < 20:
            raise Dropped("truncated")
        header, total = (ip[0] & 15) * 4, word(ip, 2)
        if ip[0] >> 4 != 4 or header < 20 or total < header:
            raise Dropped("bad_ip_header")
        if total > len(ip):
            raise Dropped("truncated")
        if checksum(ip[:header]) != 0:
            raise Dropped("bad_ip_checksum")
        return Packet(frame)

    @staticmethod
    def check_l4(packet: Packet) -> None:
        payload = packet.payload
        if packet.proto == TCP and (
            len(payload) < 20 or not 20 <= (payload[12] >> 4) * 4 <= len(payload)
        ):
            raise Dropped("bad_l4_header")
        if packet.proto == UDP and (len(payload) < 8 or not 8 <= word(payload, 4) <= len(payload)):
            raise Dropped("bad_l4_header")

    # -- to a local IP: replies of servers

    def to_local(self, packet: Packet, handed: bool) -> Verdict:
        lip = self.site.lips.get(packet.destination)
        if lip is None:
            raise Dropped("lip_unknown")
        if lip.slot is None:
            raise Dropped("lip_of_peer")
        if lip.worker != self.index and not handed:
            return Verdict("handover", lip.worker, packet.frame)
        if packet.is_fragment:
            raise Dropped("fragment")
        if packet.proto not in (TCP, UDP):
            return self.answer(packet, handed)
        self.check_l4(packet)
        session = self.by_local.get((packet.destination, packet.destination_port))
        if session is None or session.proto != packet.proto:
            raise Dropped("reply_no_session")
        if session.server != (packet.source, packet.source_port):
            raise Dropped("reply_foreign")
        if session.service in self.shared.removed:
            raise Dropped("service_removed")
        if packet.ttl <= 1:
            raise Dropped("ttl_exceeded")
        self.note(session, tcp.REPLY, packet)
        return self.to_client(packet, session)

    # -- to a VIP, or not for the load balancer at all

    def to_others(self, packet: Packet, handed: bool) -> Verdict:
        is_vip = packet.destination in self.site.vips
        if not is_vip:
            return Verdict("kernel", 0, packet.frame)
        if packet.is_fragment:
            raise Dropped("fragment")
        if packet.proto not in (TCP, UDP):
            return self.answer(packet, handed)
        self.check_l4(packet)
        if self.site.steering == "software" and not handed:
            owner = nic.rss_worker(
                self.site, packet.frame[ETH + 12 : ETH + 20] + packet.payload[:4]
            )
            if owner != self.index:
                return Verdict("handover", owner, packet.frame)
        client = (packet.source, packet.source_port)
        vip = (packet.destination, packet.destination_port)
        session = self.by_client.get((*client, *vip, packet.proto))
        if session is None:
            return self.first(packet)
        return self.request(packet, session)

    def request(self, packet: Packet, session: Session) -> Verdict:
        if session.service in self.shared.removed:
            raise Dropped("service_removed")
        if packet.ttl <= 1:
            raise Dropped("ttl_exceeded")
        pool = self.site.pools[self.site.services[session.service].pool]
        backend = self.shared.backends[session.pool][session.backend]
        if pool.on_down == "reset" and backend.state == "down":
            return self.server_is_down(packet, session)
        if (
            packet.proto == TCP
            and session.state in tcp.REPLACED_BY_SYN
            and tcp.pure_syn(packet.tcp_flags)
        ):
            self.close(session, "sessions_replaced")
            return self.first(packet)
        self.note(session, tcp.REQUEST, packet)
        return self.to_server(packet, session)

    def first(self, packet: Packet) -> Verdict:
        number = self.site.service(packet.destination, packet.destination_port, packet.proto)
        if number is None:
            raise Dropped("vip_no_listener")
        service = self.site.services[number]
        if packet.proto == TCP and not tcp.pure_syn(packet.tcp_flags):
            raise Dropped("tcp_no_session")
        self.check_source(packet)
        if packet.ttl <= 1:
            raise Dropped("ttl_exceeded")
        if service.limits is not None:
            self.check_limits(service.limits, packet.source)
        if len(self.by_client) >= self.site.sessions_per_worker:
            raise Dropped("session_limit")
        pool, ring = service.pool, self.shared.ring(service.pool)
        if not ring and service.sorry is not None:
            pool, ring = service.sorry, self.shared.ring(service.sorry)
        if not ring:
            raise Dropped("no_backend")
        if len(self.free) == 0:
            raise Dropped("no_local_port")
        chosen = self.choose(packet, pool, ring)
        backend = self.shared.backends[pool][chosen]
        if not self.shared.neighbour_found[self.site.nexthop(backend.address)]:
            raise Dropped("no_route")
        if self.site.pools[pool].scheduler not in schedule.HASHED:
            self.positions[pool] = (self.position(pool, len(ring)) + 1) % len(ring)
        self.counters["sessions_sorry"] += pool != service.pool
        session = self.open(packet, number, (pool, chosen), backend)
        return self.to_server(packet, session)

    def choose(self, packet: Packet, pool: int, ring: list[int]) -> int:
        """The number of the server that a new session goes to."""
        client = (packet.source, packet.source_port)
        flow = schedule.flow_bytes(
            client, (packet.destination, packet.destination_port), packet.proto
        )
        scheduler, key = self.site.pools[pool].scheduler, self.site.flow_key
        if scheduler == "maglev":
            return ring[schedule.place(schedule.hash32(flow, key), len(ring))]
        if scheduler == "source-hash":
            hashed = schedule.hash32(schedule.source_bytes(client), key)
            return ring[schedule.place(hashed, len(ring))]
        first = ring[self.position(pool, len(ring))]
        if scheduler != "least-loaded":
            return first
        other = ring[schedule.place(schedule.hash32(flow, self.secret), len(ring))]
        return min(first, other, key=lambda number: self.load(pool, number))

    def load(self, pool: int, number: int) -> Fraction:
        """The worker's own sessions of a server, for its weight."""
        mine = [s for s in self.by_local.values() if (s.pool, s.backend) == (pool, number)]
        return Fraction(len(mine), self.shared.backends[pool][number].weight)

    def check_limits(self, limits: Limits, source: int) -> None:
        if limits.keeps_out(source):
            raise Dropped("source_denied")
        if limits.connections is not None:
            theirs = [self.site.services[s.service].limits for s in self.by_client.values()]
            if sum(1 for t in theirs if t and t.group == limits.group) >= limits.connections:
                raise Dropped("service_full")
        if limits.ticks_per_session is not None:
            bucket = self.buckets.setdefault(
                (source, limits.group), Bucket(Fraction(limits.burst), self.shared.now)
            )
            refilled = (self.shared.now - bucket.since) / limits.ticks_per_session
            bucket.sessions = min(bucket.sessions + refilled, Fraction(limits.burst))
            bucket.since = self.shared.now
            if bucket.sessions < 1:
                raise Dropped("source_too_fast")
            bucket.sessions -= 1

    def position(self, pool: int, length: int) -> int:
        start = self.index * length // self.site.n_workers
        return self.positions.get(pool, start) % length

    def open(
        self, packet: Packet, number: int, chosen: tuple[int, int], backend: Backend
    ) -> Session:
        service = self.site.services[number]
        session = Session(
            client=(packet.source, packet.source_port),
            vip=(packet.destination, packet.destination_port),
            local=self.free.take(),
            server=(backend.address, backend.port),
            proto=packet.proto,
            service=number,
            pool=chosen[0],
            backend=chosen[1],
            state="syn" if packet.proto == TCP else "udp",
            opened=self.shared.now,
            owes_address=packet.proto == TCP and service.client_address == "toa",
        )
        session.expires = self.shared.now + service.timeouts[session.state]
        self.by_client[session.key] = session
        self.by_local[session.local] = session
        self.counters["sessions_opened"] += 1
        return session

    @staticmethod
    def check_source(packet: Packet) -> None:
        first = packet.source >> 24
        if first in (0, 127) or first >= 224 or packet.source == packet.destination:
            raise Dropped("martian_source")

    def server_is_down(self, packet: Packet, session: Session) -> Verdict:
        self.close(session, "sessions_reset")
        if packet.proto == UDP or tcp.pure_syn(packet.tcp_flags):
            return self.first(packet)
        if packet.tcp_flags & RST:
            raise Dropped("backend_down")
        return self.reset(packet)

    # -- sessions

    def note(self, session: Session, direction: str, packet: Packet) -> None:
        if session.proto == TCP:
            session.state = tcp.after(session.state, direction, packet.tcp_flags)
        timeouts = self.site.services[session.service].timeouts
        session.expires = self.shared.now + timeouts[session.state]

    def close(self, session: Session, counter: str) -> None:
        del self.by_client[session.key]
        del self.by_local[session.local]
        self.free.put(session.local)
        self.counters[counter] += 1

    def sweep(self) -> int:
        """Frees what has expired, in order of (slot, port)."""
        slots = {lip: slot for slot, lip in enumerate(self.site.lips_of(self.index))}
        late = [session for session in self.by_local.values() if session.expires <= self.shared.now]
        for session in sorted(late, key=lambda s: (slots[s.local[0]], s.local[1])):
            self.close(session, "sessions_expired")
        return len(late)

    # -- what is sent

    def l2_to(self, destination: int) -> tuple[int, bytes]:
        port = self.site.nexthop(destination)
        if not self.shared.neighbour_found[port]:
            raise Dropped("no_route")
        return port, self.site.l2(port)

    def to_server(self, packet: Packet, session: Session) -> Verdict:
        port, l2 = self.l2_to(session.server[0])
        segment = packet.payload
        if session.owes_address and not packet.tcp_flags & RST:
            mtu = self.site.ports[port].mtu
            segment, counted = toa.request(packet, session.client, mtu)
            self.counters.update(counted)
        self.counters["tx_request"] += 1
        ends = session.local, session.server
        return Verdict("tx", port, rebuilt(packet, l2, packet.ttl - 1, *ends, segment))

    def to_client(self, packet: Packet, session: Session) -> Verdict:
        segment = packet.payload
        if self.site.services[session.service].client_address == "toa":
            out = self.site.ports[self.site.nexthop(session.server[0])]
            segment = toa.reply(packet, session, out.mtu)
        port, l2 = self.l2_to(session.client[0])
        self.counters["tx_reply"] += 1
        ends = session.vip, session.client
        return Verdict("tx", port, rebuilt(packet, l2, packet.ttl - 1, *ends, segment))

    def answer(self, packet: Packet, handed: bool) -> Verdict:
        """Anything but TCP and UDP to an address of ours: echo is answered, an error passed on."""
        if packet.proto != ICMP:
            raise Dropped("vip_protocol")
        old = packet.payload
        if len(old) < 8:
            raise Dropped("bad_l4_header")
        if old[:2] == b"\x08\x00":
            return self.echo(packet)
        if old[0] not in complaint.ERRORS:
            raise Dropped("icmp_unsupported")
        return self.pass_on(packet, handed)

    def echo(self, packet: Packet) -> Verdict:
        old = packet.payload
        self.check_source(packet)
        port, l2 = self.l2_to(packet.source)
        header = packet.frame[ETH : ETH + packet.header_bytes]
        header = header[:8] + b"\x40" + header[9:12] + header[16:20] + header[12:16] + header[20:]
        new = b"\x00" + old[1:]
        should_have_been = l4_checksum(0, 0, ICMP, old)
        should_be = l4_checksum(0, 0, ICMP, new)
        value = carried_over(word(old, 2), should_have_been, should_be)
        new = new[:2] + value.to_bytes(2, "big") + new[4:]
        self.counters["tx_local"] += 1
        return Verdict("tx", port, l2 + with_ip_checksum(header) + new + packet.trailer)

    def pass_on(self, packet: Packet, handed: bool) -> Verdict:
        """An ICMP error about a session, to whoever sent the packet that it is about."""
        about = complaint.quoted(packet.payload)
        if about is None:
            raise Dropped("bad_l4_header")
        if packet.destination in self.site.vips:
            key = (*about.destination, *about.source, about.proto)
            owner = nic.rss_worker(self.site, struct.pack(">IIHH", key[0], key[2], key[1], key[3]))
            if owner != self.index and not handed:
                return Verdict("handover", owner, packet.frame)
            session = self.by_client.get(key)
            if session is None:
                raise Dropped("icmp_no_session")
            source, destination, counter = session.server, session.local, "tx_request"
        else:
            session = self.by_local.get((packet.destination, about.source[1]))
            if session is None or (session.proto, session.local, session.server) != (
                about.proto,
                about.source,
                about.destination,
            ):
                raise Dropped("icmp_no_session")
            source, destination, counter = session.client, session.vip, "tx_reply"
        if packet.ttl <= 1:
            raise Dropped("ttl_exceeded")
        port, l2 = self.l2_to(source[0])
        header = packet.frame[ETH : ETH + packet.header_bytes]
        header = header[:8] + bytes([packet.ttl - 1]) + header[9:12] + header[20:]
        addresses = struct.pack(">II", destination[0], source[0])
        header = header[:12] + addresses + header[12:]
        message = packet.payload
        if session.owes_address and counter == "tx_reply":
            message = toa.with_smaller_path_mtu(message)
        message = complaint.with_quotation(message, about.between(source, destination))
        self.counters[counter] += 1
        return Verdict("tx", port, l2 + with_ip_checksum(header) + message + packet.trailer)

    def reset(self, packet: Packet) -> Verdict:
        """An RST to the client in the name of its server."""
        segment = packet.payload
        flags = packet.tcp_flags
        sequence, acknowledged, answer_flags = 0, 0, RST
        if flags & ACK:
            sequence = long(segment, 8)
        else:
            data = len(segment) - (segment[12] >> 4) * 4
            covered = data + bool(flags & SYN) + bool(flags & FIN)
            acknowledged = (long(segment, 4) + covered) & 0xFFFFFFFF
            answer_flags = RST | ACK
        port, l2 = self.l2_to(packet.source)
        addresses = (packet.destination, packet.source)
        header = struct.pack(">BBHHHBBHII", 0x45, 0, 40, 0, 0x4000, 64, TCP, 0, *addresses)
        new = struct.pack(
            ">HHIIBBHHH",
            packet.destination_port,
            packet.source_port,
            sequence,
            acknowledged,
            5 << 4,
            answer_flags,
            0,
            0,
            0,
        )
        value = l4_checksum(*addresses, TCP, new)
        new = new[:16] + value.to_bytes(2, "big") + new[18:]
        self.counters["tx_local"] += 1
        return Verdict("tx", port, l2 + with_ip_checksum(header) + new)
