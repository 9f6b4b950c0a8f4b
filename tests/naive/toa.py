"""TCP options that a service of `client-address toa` touches, on whole segments.

A segment is what the IPv4 header announces; its checksum is left as it is.
"""

import struct
from collections.abc import Iterator

from tests.naive.parts import Session
from tests.naive.wire import ETH, RST, SYN, Packet

END, NOP, MSS, TOA = 0, 1, 2, 254
ADDED = 8  # bytes
IP_AND_TCP = 40
LEAST_MTU = 68


def header_bytes(segment: bytes) -> int:
    return (segment[12] >> 4) * 4


def options(segment: bytes) -> Iterator[tuple[int, int, int]]:
    """(kind, where, bytes) of each; what comes behind a malformed one is none."""
    at, end = 20, header_bytes(segment)
    while at < end and segment[at] != END:
        if segment[at] == NOP:
            at += 1
            continue
        left = segment[at + 1 : end]
        if not left or not 2 <= left[0] <= end - at:
            return
        yield segment[at], at, left[0]
        at += left[0]


def without_forged(segment: bytes) -> bytes:
    """What the client says itself about its address becomes no operation."""
    for kind, at, length in list(options(segment)):
        if kind == TOA:
            segment = segment[:at] + bytes([NOP]) * length + segment[at + length :]
    return segment


def with_address(segment: bytes, client: tuple[int, int]) -> bytes:
    option = struct.pack(">BBHI", TOA, ADDED, client[1], client[0])
    offset = segment[12] + (ADDED // 4 << 4)
    return segment[:12] + bytes([offset]) + segment[13:20] + option + segment[20:]


def request(packet: Packet, client: tuple[int, int], mtu: int) -> tuple[bytes, list[str]]:
    """A client's segment as the server gets it, and what is counted."""
    segment = without_forged(packet.payload)
    counted = ["toa_forged"] if segment != packet.payload else []
    if header_bytes(segment) + ADDED > 60:
        return segment, [*counted, "toa_no_room"]
    if len(packet.frame) - ETH + ADDED > mtu:
        return segment, [*counted, "toa_too_long"]
    return with_address(segment, client), [*counted, "toa_added"]


def reply(packet: Packet, session: Session, mtu: int) -> bytes:
    """A server's segment as the client gets it. Past the handshake it says that the server has the
    connection, and with it the address.
    """
    if packet.tcp_flags & SYN:
        return with_smaller_mss(packet.payload, mtu)
    if session.state not in ("syn", "syn-ack") and not packet.tcp_flags & RST:
        session.owes_address = False
    return packet.payload


def with_smaller_mss(segment: bytes, mtu: int) -> bytes:
    """The first MSS option, so that full segments fit the MTU and the server with the address."""
    for kind, at, length in options(segment):
        if kind == MSS:
            said = int.from_bytes(segment[at + 2 : at + 4], "big")
            value = min(said, mtu - IP_AND_TCP) - ADDED
            if length == 4 and value > 0:
                segment = segment[: at + 2] + value.to_bytes(2, "big") + segment[at + 4 :]
            break
    return segment


def with_smaller_path_mtu(message: bytes) -> bytes:
    """A router's "too long", if it says how much is not."""
    mtu = int.from_bytes(message[6:8], "big")
    if message[:2] != b"\x03\x04" or mtu < LEAST_MTU + ADDED:
        return message
    return message[:6] + (mtu - ADDED).to_bytes(2, "big") + message[8:]
