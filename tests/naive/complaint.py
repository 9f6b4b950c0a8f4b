"""ICMP errors: what they quote, and the same message as another host would have got it.

A message (type 3, 11 or 12) quotes the IPv4 header and at least eight bytes of the packet that it
is about. RFC 5508: a translator rewrites the quotation to the packet that its receiver once sent.
"""

import struct
from dataclasses import dataclass

from tests.naive.wire import TCP, UDP, carried_over, checksum, long, word

ERRORS = (3, 11, 12)


@dataclass(frozen=True)
class Quoted:
    """The packet inside a message, cut off anywhere after the ports."""

    packet: bytes

    @property
    def header_bytes(self) -> int:
        return (self.packet[0] & 15) * 4

    @property
    def proto(self) -> int:
        return self.packet[9]

    @property
    def source(self) -> tuple[int, int]:
        return long(self.packet, 12), word(self.packet, self.header_bytes)

    @property
    def destination(self) -> tuple[int, int]:
        return long(self.packet, 16), word(self.packet, self.header_bytes + 2)

    def between(self, source: tuple[int, int], destination: tuple[int, int]) -> bytes:
        """The quotation with other addresses and ports; checksums as right or wrong as before."""
        old, at = self.packet, self.header_bytes
        new = old[:12] + struct.pack(">II", source[0], destination[0]) + old[20:at]
        new += struct.pack(">HH", source[1], destination[1]) + old[at + 4 :]
        new = changed(new, 10, old[:at], new[:at], word(old, 10))
        place = at + (16 if self.proto == TCP else 6)
        if place + 2 <= len(old):
            was = word(old, place)
            if was or self.proto == TCP:
                pseudo = old[12:20] + old[at : at + 4], new[12:20] + new[at : at + 4]
                new = changed(new, place, *pseudo, was)
                if self.proto == UDP and word(new, place) == 0:
                    new = new[:place] + b"\xff\xff" + new[place + 2 :]
        return new


def changed(packet: bytes, at: int, was_over: bytes, is_over: bytes, was: int) -> bytes:
    """Puts the checksum in place that follows from a change of what it covers."""
    value = carried_over(was, checksum(was_over), checksum(is_over))
    return packet[:at] + value.to_bytes(2, "big") + packet[at + 2 :]


def quoted(message: bytes) -> Quoted | None:
    """What a message quotes; None when it is damaged or quotes nothing with ports."""
    if len(message) < 28 or checksum(message) != 0:
        return None
    inner = message[8:]
    header = (inner[0] & 15) * 4
    if inner[0] >> 4 != 4 or header < 20 or len(inner) < header + 8:
        return None
    if inner[9] not in (TCP, UDP) or word(inner, 6) & 0x3FFF:
        return None
    return Quoted(inner)


def with_quotation(message: bytes, inner: bytes) -> bytes:
    head = message[:2] + b"\0\0" + message[4:8]
    return message[:2] + checksum(head + inner).to_bytes(2, "big") + message[4:8] + inner
