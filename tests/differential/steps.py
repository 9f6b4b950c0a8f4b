"""Random lives of a node, as data: what happens, drawn by hypothesis. World makes it happen.

A step names sessions and servers by number, so that it can be drawn before the node exists; the
number is taken modulo what is there when its turn comes.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.naive.craft import Frame
from tests.naive.vlan import with_tag
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
class Tag:
    """What a frame has instead of its port's tag, and around it."""

    kind: str = "own"  # own, other, none, service
    priority: int = 0
    outer: bool = False  # another tag in front

    def apply(self, frame: bytes, vlan: int) -> bytes:
        """The frame on a port with this VLAN, 0 for none."""
        if self.kind == "other":
            frame = with_tag(frame, vlan + 1, self.priority)
        elif self.kind == "service":
            frame = with_tag(frame, vlan or 1, self.priority, tpid=b"\x88\xa8")
        elif self.kind == "own":
            frame = with_tag(frame, vlan, self.priority)
        return with_tag(frame, vlan or 1) if self.outer else frame


@dataclass(frozen=True)
class Detail:
    """What varies in any packet."""

    payload: bytes
    ttl: int
    ip_options: int  # words
    tcp_options: bytes
    fragment: int
    udp_checksum: bool
    length_error: int
    l4_error: int
    sequence: int
    spoil: Spoil
    rx_worker: int | None
    tag: Tag = Tag()

    def on(self, frame: Frame) -> Frame:
        return frame.but(
            payload=self.payload,
            ttl=self.ttl,
            ip_options=b"\x01" * 4 * self.ip_options,
            tcp_options=self.tcp_options,
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
class Complaint:
    """An ICMP error of a router about a packet of a session, as one of its two ends got it."""

    session: int
    about: str  # request, reply
    icmp_type: int
    icmp_code: int
    quoted_bytes: int  # after the quoted IPv4 header
    wrong: str  # "", source, destination, proto, fragment
    quoted_options: int  # words
    detail: Detail


Packet = Request | Reply | Odd | Complaint


@dataclass(frozen=True)
class Burst:
    packets: tuple[Packet, ...]


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

TAGS = (
    st.just(Tag())
    | st.just(Tag())
    | st.builds(
        Tag,
        kind=st.sampled_from(["own", "own", "other", "none", "service"]),
        priority=st.integers(0, 7),
        outer=st.sampled_from([False, False, True]),
    )
)
SPOILS = st.just(Spoil()) | st.builds(
    Spoil,
    st.sampled_from(["none", "none", "cut", "byte", "pad"]),
    st.integers(0, 2000),
    st.integers(1, 255),
)
# Around the length of a full packet, with the client's address in the header and without.
NEARLY_FULL = st.sampled_from([1420, 1452, 1453, 1460]).map(bytes)
MSS, FORGED = b"\x02\x04\x05\xb4", b"\xfe\x08\x12\x34\x0a\x00\x00\x01"
TCP_OPTIONS = st.sampled_from(
    [
        *[b""] * 8,
        b"\x01" * 12,
        b"\x01" * 32,
        b"\x01" * 36,
        b"\x01" * 40,
        MSS,
        b"\x01" + MSS + b"\x01" * 3,  # across two words
        MSS + b"\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07",
        b"\x02\x04\xff\xff" + MSS,
        b"\x02\x04\x00\x08",  # no segment would be left
        b"\x02\x04\x00\x09",
        b"\x02\x03\x05\x01",  # of a length that it does not have
        b"\x00" + MSS + b"\x00" * 3,  # behind the end
        FORGED,
        b"\x01" + FORGED + b"\x00" * 3,
        FORGED * 5,
        MSS + FORGED + MSS + b"\xfe\x14" + bytes(18),
        b"\xfe\x00" + FORGED + b"\x01\x01",
        b"\x05\x22" + bytes(30),  # longer than what is there
        b"\x01\x01\x01\xfe",
    ]
)
DETAILS = st.builds(
    Detail,
    payload=st.binary(max_size=20) | NEARLY_FULL,
    ttl=st.sampled_from([64, 64, 64, 64, 255, 2, 1, 0]),
    ip_options=st.sampled_from([0, 0, 0, 1, 10]),
    tcp_options=TCP_OPTIONS,
    fragment=st.sampled_from([0, 0, 0x4000, 0x4000, 0x2000, 0x00B9]),
    udp_checksum=st.sampled_from([True, True, False]),
    length_error=st.sampled_from([0, 0, 0, 0, 0, -1, 1, 5, -9]),
    l4_error=st.sampled_from([0, 0, 0, 0, 0xFFFF, 0x0101]),
    sequence=st.integers(0, 0xFFFFFFFF),
    spoil=SPOILS,
    rx_worker=st.sampled_from([None, None, None, 0, 1]),
    tag=TAGS,
)
PLAIN = st.builds(
    Detail,
    payload=st.binary(max_size=8),
    ttl=st.just(64),
    ip_options=st.just(0),
    tcp_options=TCP_OPTIONS,
    fragment=st.just(0),
    udp_checksum=st.just(True),
    length_error=st.just(0),
    l4_error=st.just(0),
    sequence=st.integers(0, 0xFFFFFFFF),
    spoil=st.just(Spoil()),
    rx_worker=st.none(),
    tag=st.just(Tag()),
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
COMPLAINTS = st.builds(
    Complaint,
    session=st.integers(0, 30),
    about=st.sampled_from(["request", "reply"]),
    icmp_type=st.sampled_from([3, 3, 3, 11, 12, 5]),
    icmp_code=st.sampled_from([4, 4, 0]),
    quoted_bytes=st.sampled_from([8, 8, 9, 17, 18, 20, 28, 28, 7, 0]),
    wrong=st.sampled_from(["", "", "", "", "source", "destination", "proto", "fragment"]),
    quoted_options=st.sampled_from([0, 0, 0, 1, 10]),
    detail=ANY_DETAIL,
)
PACKETS = REQUESTS | REQUESTS | REPLIES | REPLIES | ODDS | COMPLAINTS
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
