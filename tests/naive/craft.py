"""Frames to order, with right checksums unless asked otherwise."""

import struct
from dataclasses import dataclass, replace

from tests.naive.wire import ICMP, TCP, UDP, l4_checksum, with_ip_checksum

TO_US = b"\x02tvs\x00\x00" + b"\x02\x00\x00\x00\x00\xc1"


@dataclass(frozen=True)
class Frame:
    """The fields of a frame; `bytes()` builds it."""

    source: int
    destination: int
    proto: int = TCP
    source_port: int = 0
    destination_port: int = 0
    flags: int = 0
    sequence: int = 0
    acknowledged: int = 0
    payload: bytes = b""
    ttl: int = 64
    ip_options: bytes = b""
    tcp_options: bytes = b""
    fragment: int = 0  # the whole word: flags and offset
    tos: int = 0
    identification: int = 0
    icmp_type: int = 8
    icmp_code: int = 0
    udp_checksum: bool = True
    length_error: int = 0  # into TCP's data offset (words) or UDP's length
    l4_error: int = 0  # xor into the layer-4 checksum
    trailer: bytes = b""
    l2: bytes = TO_US
    ethertype: int = 0x0800

    def segment(self) -> bytes:
        ports = struct.pack(">HH", self.source_port, self.destination_port)
        if self.proto == TCP:
            words = ((20 + len(self.tcp_options)) // 4 + self.length_error) & 15
            head = ports + struct.pack(">II", self.sequence, self.acknowledged)
            head += struct.pack(">BBHHH", words << 4, self.flags, 0x2000, 0, 0)
            segment, at = head + self.tcp_options + self.payload, 16
        elif self.proto == UDP:
            length = (8 + len(self.payload) + self.length_error) & 0xFFFF
            segment = ports + struct.pack(">HH", length, 0) + self.payload
            at = 6
        elif self.proto == ICMP:
            words_of_echo = struct.pack(">HH", self.source_port, self.destination_port)
            segment = bytes([self.icmp_type, self.icmp_code, 0, 0]) + words_of_echo + self.payload
            at = 2
        else:
            return self.payload
        if self.proto == UDP and not self.udp_checksum:
            return segment
        value = l4_checksum(self.source, self.destination, self.proto, segment)
        if self.proto == UDP:
            value = value or 0xFFFF
        value ^= self.l4_error
        return segment[:at] + value.to_bytes(2, "big") + segment[at + 2 :]

    def __bytes__(self) -> bytes:
        segment = self.segment()
        words = 5 + len(self.ip_options) // 4
        total = words * 4 + len(segment)
        header = struct.pack(
            ">BBHHHBBHII",
            0x40 | words,
            self.tos,
            total & 0xFFFF,
            self.identification,
            self.fragment,
            self.ttl,
            self.proto,
            0,
            self.source,
            self.destination,
        )
        header = with_ip_checksum(header + self.ip_options)
        return self.l2 + self.ethertype.to_bytes(2, "big") + header + segment + self.trailer

    def but(self, **changes: object) -> "Frame":
        return replace(self, **changes)  # type: ignore[arg-type]
