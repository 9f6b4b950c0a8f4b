"""ICMP errors about a session reach the end that sent the packet, translated."""

from scapy.layers.inet import IPerror, TCPerror

from tests.replay.run import Outcome, replay
from tests.replay.scene import (
    CLIENT,
    ICMP,
    IP,
    LIPS,
    PORTS_OF_WORKER,
    TCP,
    VIP,
    WEB,
    Raw,
    from_node,
    to_node,
)

PORT = PORTS_OF_WORKER[0][0]
ROUTER = "192.0.2.99"
SYN = to_node(IP(src=CLIENT, dst=VIP) / TCP(sport=PORT, dport=80, flags="S"))

FROM_CLIENT = IP(src=CLIENT, dst=VIP, ttl=60) / TCP(sport=PORT, dport=80, flags="A", seq=7)
TO_SERVER = IP(src=LIPS[0][0], dst=WEB[0], ttl=60) / TCP(sport=10000, dport=8080, flags="A", seq=7)
FROM_SERVER = IP(src=WEB[0], dst=LIPS[0][0], ttl=60) / TCP(
    sport=8080, dport=10000, flags="A", seq=9
)
TO_CLIENT = IP(src=VIP, dst=CLIENT, ttl=60) / TCP(sport=80, dport=PORT, flags="A", seq=9)
TOO_BIG = ICMP(type=3, code=4, nexthopmtu=1400)


def run(*packets: bytes, worker: int | None = None) -> Outcome:
    options = [] if worker is None else ["--worker", str(worker)]
    outcome = replay([SYN, *packets], *options)
    assert outcome.total["tx_request"] >= 1
    return outcome


def test_path_mtu_towards_the_server_is_told_to_the_client() -> None:
    """A router cannot send the request on; all of the quoted header is translated back."""
    outcome = run(to_node(IP(src=ROUTER, dst=LIPS[0][0]) / TOO_BIG / Raw(bytes(TO_SERVER))))
    told = IP(src=VIP, dst=CLIENT, ttl=63) / TOO_BIG / Raw(bytes(FROM_CLIENT))
    assert outcome.frames[1] == from_node(told, port=0)


def test_path_mtu_towards_the_client_is_told_to_the_server() -> None:
    outcome = run(to_node(IP(src=ROUTER, dst=VIP) / TOO_BIG / Raw(bytes(TO_CLIENT))))
    told = IP(src=LIPS[0][0], dst=WEB[0], ttl=63) / TOO_BIG / Raw(bytes(FROM_SERVER))
    assert outcome.frames[1] == from_node(told, port=1)


def test_eight_bytes_of_quotation_are_enough() -> None:
    quoted = bytes(TO_SERVER)[:28]
    outcome = run(to_node(IP(src=ROUTER, dst=LIPS[0][0]) / ICMP(type=11, code=0) / Raw(quoted)))
    told = IP(outcome.frames[1][14:])
    assert (told.src, told.dst, told[IPerror].src, told[IPerror].dst) == (VIP, CLIENT, CLIENT, VIP)
    assert (told[TCPerror].sport, told[TCPerror].dport) == (PORT, 80)
    wanted = IP(src=VIP, dst=CLIENT, ttl=63) / ICMP(type=11, code=0) / Raw(bytes(FROM_CLIENT)[:28])
    assert outcome.frames[1] == from_node(wanted, port=0)


def test_an_error_finds_the_worker_of_its_session() -> None:
    """RSS sees the router's address, which leads anywhere: the message is handed over."""
    error = to_node(IP(src=ROUTER, dst=VIP) / TOO_BIG / Raw(bytes(TO_CLIENT)))
    outcomes = [replay([SYN, error]), run(error)]
    assert outcomes[0].frames == outcomes[1].frames
    assert len(outcomes[0].frames) == 2
    assert outcomes[0].trace[1]["worker"] == 0


def test_an_error_about_nothing_is_dropped() -> None:
    stranger = bytes(TO_SERVER / Raw(b""))[:12] + bytes(TO_SERVER)[12:16] + b"\x0a\x63\x00\x01"
    quoted = stranger + bytes(TO_SERVER)[20:]
    outcome = run(to_node(IP(src=ROUTER, dst=LIPS[0][0]) / TOO_BIG / Raw(quoted)))
    assert outcome.drops == {"icmp_no_session": 1}


def test_a_damaged_error_is_dropped() -> None:
    error = bytearray(to_node(IP(src=ROUTER, dst=LIPS[0][0]) / TOO_BIG / Raw(bytes(TO_SERVER))))
    error[-1] ^= 1
    assert run(bytes(error)).drops == {"bad_l4_header": 1}
