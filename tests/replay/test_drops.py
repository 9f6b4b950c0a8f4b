"""Every reason to drop a packet has a packet that is dropped for it."""

import re
from collections.abc import Callable

import pytest

from tests.naive import runtime
from tests.naive.craft import Frame
from tests.naive.fixture import VIP_A, VIP_B
from tests.naive.memory import Memory
from tests.naive.site import ip
from tests.naive.wire import ACK, ICMP, RST, SYN, TCP, UDP
from tests.replay.captures import Stamped
from tests.replay.run import Outcome, replay

LIP = ip("172.16.0.1")
SYNS = [Frame(ip("198.18.0.1"), VIP_A, TCP, 1000 + n, 80, SYN) for n in range(40)]
REQUEST = SYNS[0]
COMPLAINT = Frame(ip("10.99.0.1"), LIP, ICMP, 0, 1400, icmp_type=3, icmp_code=4).but(
    payload=bytes(Frame(LIP, ip("10.20.1.1"), TCP, 10000, 8080, ACK))[14:42]
)
REPLY = Frame(ip("10.20.1.1"), LIP, TCP, 8080, 10000, SYN | ACK)


def one(frame: Frame | bytes, *options: str) -> Callable[[], Outcome]:
    return lambda: replay([bytes(frame)], "--worker", "0", *options)


def many(frames: list[Frame], *options: str, variant: str = "fixture") -> Callable[[], Outcome]:
    return lambda: replay([bytes(f) for f in frames], "--worker", "0", *options, variant=variant)


def damaged(frame: Frame, at: int, value: int) -> bytes:
    data = bytearray(bytes(frame))
    data[at] = value
    return bytes(data)


def server_fails() -> Outcome:
    syn, rst = bytes(REQUEST), bytes(REQUEST.but(flags=RST))
    packets = [Stamped(syn, 0), Stamped(rst, 2 * 10**9)]
    return replay(packets, "--worker", "0", "--down", "10.20.1.1:8080@1")


def all_down() -> list[str]:
    return [part for n in (1, 2, 3) for part in ("--down", f"10.20.1.{n}:8080")]


THROUGH_REPLAY: dict[str, Callable[[], Outcome]] = {
    "truncated": one(bytes(REQUEST)[:40]),
    "not_contiguous": one(bytes(REQUEST) + bytes(70000)),
    "not_our_mac": one(REQUEST.but(l2=b"\x02elsew" + b"\x02\0\0\0\0\1"), "--check-mac"),
    "bad_ip_header": one(damaged(REQUEST, 14, 0x44)),
    "bad_ip_checksum": one(damaged(REQUEST, 24, 0xEE)),
    "bad_l4_header": one(REQUEST.but(length_error=-1)),
    "fragment": one(REQUEST.but(fragment=0x2000)),
    "ttl_exceeded": one(REQUEST.but(ttl=1)),
    "martian_source": one(REQUEST.but(source=ip("127.0.0.1"))),
    "vip_protocol": one(REQUEST.but(proto=47, payload=b"gre?")),
    "vip_no_listener": one(REQUEST.but(destination_port=81)),
    "tcp_no_session": one(REQUEST.but(flags=ACK)),
    "reply_no_session": one(REPLY),
    "reply_foreign": many([REQUEST, REPLY.but(source=ip("10.20.1.9"))]),
    "lip_unknown": one(REPLY.but(destination=ip("172.16.0.5"))),
    "lip_of_peer": one(REPLY.but(destination=ip("172.16.0.9"))),
    "no_backend": one(REQUEST, *all_down()),
    "session_limit": many(SYNS[:9], variant="fixture-few-sessions"),
    "no_local_port": many(SYNS[:9], variant="fixture-few-ports"),
    "table_full": many(SYNS[:17], variant="fixture-few-buckets"),
    "source_denied": many(SYNS[:1], variant="fixture-limits"),
    "service_full": many(
        [syn.but(source=ip("198.18.0.2")) for syn in SYNS[:7]], variant="fixture-limits"
    ),
    "source_too_fast": many(
        [syn.but(proto=UDP, destination_port=53) for syn in SYNS[:4]], variant="fixture-limits"
    ),
    "backend_down": server_fails,
    "icmp_no_session": one(COMPLAINT),
    "icmp_unsupported": one(REQUEST.but(proto=ICMP, icmp_type=13)),
}


def neighbour_lost(memory: Memory) -> None:
    memory.set_nexthop(1, False)


def service_gone(memory: Memory) -> None:
    memory.run([(bytes(REQUEST), 0)])
    memory.remove_service(0)


# What a capture cannot bring about: the world around the node changes.
THROUGH_MEMORY: dict[str, Callable[[Memory], None]] = {
    "no_route": neighbour_lost,
    "service_removed": service_gone,
}

THROUGH_A_PEER = ["sync_no_peer", "sync_no_worker"]
"""tests/host/test_sync.py has their packets: a capture file knows no peers."""


def reasons() -> list[str]:
    path = runtime.ROOT / "runtime" / "include" / "tvs" / "drops.def"
    return re.findall(r"^TVS_DROP\((\w+),", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_reason_has_its_packet() -> None:
    assert sorted(reasons()) == sorted([*THROUGH_REPLAY, *THROUGH_MEMORY, *THROUGH_A_PEER])


@pytest.mark.parametrize("reason", THROUGH_REPLAY)
def test_reason(reason: str) -> None:
    outcome = THROUGH_REPLAY[reason]()
    assert outcome.drops == {reason: 1}
    assert outcome.trace[-1]["reason"] == reason


@pytest.mark.parametrize("reason", THROUGH_MEMORY)
def test_reason_from_around(reason: str) -> None:
    with Memory(runtime.fixture()) as memory:
        THROUGH_MEMORY[reason](memory)
        [result] = memory.run([(bytes(REQUEST), 0)])
        assert result.verdict.arg == reason
        dropped = {n: v for n, v in memory.counters(0).items() if n.startswith("drop_") and v}
        assert dropped == {f"drop_{reason}": 1}


def test_limits_never_touch_what_lives() -> None:
    """A full worker refuses the ninth session and still serves the first eight."""
    frames = [*SYNS[:9], *SYNS[:8]]
    for variant in ("fixture-few-sessions", "fixture-few-ports"):
        outcome = many(frames, variant=variant)()
        assert outcome.frames[:8] == outcome.frames[8:]
        assert sum(outcome.drops.values()) == 1


def test_headers_are_checked_before_the_kernel_gets_a_packet() -> None:
    to_kernel = REQUEST.but(destination=ip("192.0.2.11"))
    assert one(to_kernel)().total["kernel"] == 1
    assert one(damaged(to_kernel, 24, 0xEE))().drops == {"bad_ip_checksum": 1}
    assert one(to_kernel.but(length_error=-1))().total["kernel"] == 1
    assert one(to_kernel.but(fragment=0x2000))().total["kernel"] == 1


def test_udp_to_the_other_vip_is_not_served() -> None:
    assert one(Frame(1 << 24, VIP_B, UDP, 5, 53))().drops == {"vip_no_listener": 1}
