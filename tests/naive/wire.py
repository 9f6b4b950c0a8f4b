"""Bytes of packets: reading fields, full checksums. No incremental arithmetic anywhere.

Reads frames (bytes), gives `Packet`; every rewrite goes through `rebuilt`, which computes the
checksums over the whole packet and then puts back whatever was wrong with them before.
"""

import struct
from dataclasses import dataclass

ETH = 14
ICMP, TCP, UDP = 1, 6, 17

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

# where the checksum lies in the layer-4 header
CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2}


def word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def long(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def checksum(data: bytes) -> int:
    """The Internet checksum of `data`, 0..0xfffe for data that is not all zero."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


@dataclass(frozen=True)
class Packet:
    """An IPv4 frame whose header was found good."""

    frame: bytes

    @property
    def header_bytes(self) -> int:
        return (self.frame[ETH] & 15) * 4

    @property
    def total_bytes(self) -> int:
        return word(self.frame, ETH + 2)

    @property
    def is_fragment(self) -> bool:
        return word(self.frame, ETH + 6) & 0x3FFF != 0

    @property
    def ttl(self) -> int:
        return self.frame[ETH + 8]

    @property
    def proto(self) -> int:
        return self.frame[ETH + 9]

    @property
    def source(self) -> int:
        return long(self.frame, ETH + 12)

    @property
    def destination(self) -> int:
        return long(self.frame, ETH + 16)

    @property
    def payload(self) -> bytes:
        """What the IPv4 header announces, without Ethernet padding."""
        return self.frame[ETH + self.header_bytes : ETH + self.total_bytes]

    @property
    def trailer(self) -> bytes:
        return self.frame[ETH + self.total_bytes :]

    @property
    def source_port(self) -> int:
        return word(self.payload, 0)

    @property
    def destination_port(self) -> int:
        return word(self.payload, 2)

    @property
    def tcp_flags(self) -> int:
        return self.payload[13]

    @property
    def has_ports(self) -> bool:
        return self.proto in (TCP, UDP) and len(self.payload) >= 4


def pseudo_header(source: int, destination: int, proto: int, length: int) -> bytes:
    return struct.pack(">IIBBH", source, destination, 0, proto, length)


def l4_checksum(source: int, destination: int, proto: int, segment: bytes) -> int:
    """The checksum that the segment should carry."""
    at = CHECKSUM_AT[proto]
    blank = segment[:at] + b"\0\0" + segment[at + 2 :]
    covered = blank
    if proto == UDP:
        covered = blank[: word(segment, 4)]
    if proto != ICMP:
        covered = pseudo_header(source, destination, proto, len(covered)) + covered
    return checksum(covered)


def carried_over(was: int, should_have_been: int, should_be: int) -> int:
    """A checksum for a changed packet that is exactly as wrong as it was for the old one."""
    if was == should_have_been:
        return should_be
    total = (was ^ 0xFFFF) + should_have_been + (should_be ^ 0xFFFF)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def with_ip_checksum(header: bytes) -> bytes:
    blank = header[:10] + b"\0\0" + header[12:]
    return blank[:10] + checksum(blank).to_bytes(2, "big") + blank[12:]


def rebuilt(
    packet: Packet,
    l2: bytes,
    ttl: int,
    source: tuple[int, int],
    destination: tuple[int, int],
    segment: bytes | None = None,
) -> bytes:
    """The frame with other addresses, ports and TTL, and another segment if one is given (its
    checksum is not looked at); everything else is as it was.
    """
    old = packet.payload
    now = old if segment is None else segment
    proto = packet.proto
    header = packet.frame[ETH : ETH + packet.header_bytes]
    total = packet.header_bytes + len(now)
    header = header[:2] + total.to_bytes(2, "big") + header[4:8] + bytes([ttl]) + header[9:12]
    header += struct.pack(">II", source[0], destination[0])
    header += packet.frame[ETH + 20 : ETH + packet.header_bytes]

    new = struct.pack(">HH", source[1], destination[1]) + now[4:]
    at = CHECKSUM_AT[proto]
    was = word(old, at)
    if proto == TCP or was != 0:
        should_have_been = l4_checksum(packet.source, packet.destination, proto, old)
        should_be = l4_checksum(source[0], destination[0], proto, new)
        if proto == UDP:  # a sum of zero is sent as ffff
            should_have_been = should_have_been or 0xFFFF
            should_be = should_be or 0xFFFF
        value = carried_over(was, should_have_been, should_be)
        if proto == UDP and value == 0:
            value = 0xFFFF
        new = new[:at] + value.to_bytes(2, "big") + new[at + 2 :]
    return l2 + with_ip_checksum(header) + new + packet.trailer
