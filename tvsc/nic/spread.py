"""RSS as a function: Toeplitz, then the redirection table.

Toeplitz is linear: the hash is the XOR of the key's 32-bit windows at the input's set bits. So two
devices spread alike if their windows and tables are alike, and a packet that falls on a given row
is found by looking at one field only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from tvsc.nic.packet import Packet
from tvsc.plan.rss import rank, toeplitz

INPUT_BITS = 96
_SOURCE = range(32)
_SOURCE_PORT = range(64, 80)
_PORTS = (*range(1024, 65536), *range(1024))


@cache
def windows(key: bytes) -> tuple[int, ...]:
    """The key's 32 bits from each position of the longest input on."""
    bits, length = int.from_bytes(key, "big"), len(key) * 8
    return tuple(bits >> (length - 32 - at) & 0xFFFFFFFF for at in range(INPUT_BITS))


@dataclass(frozen=True, slots=True)
class Spread:
    """Key and table of one device; the table's length is a power of two."""

    key: bytes
    reta: tuple[int, ...]

    def worker(self, packet: Packet) -> int:
        """The queue that RSS chooses."""
        return self.reta[self.row(packet)]

    def row(self, packet: Packet) -> int:
        """The row of the table."""
        return toeplitz(self.key, packet.rss_input) % len(self.reta)

    @property
    def period(self) -> int:
        """The shortest power of two after which the table repeats: how many rows count."""
        rows = len(self.reta)
        while rows > 1 and self.reta[: rows // 2] == self.reta[rows // 2 : rows]:
            rows //= 2
        return rows

    def reaches_every_row(self) -> bool:
        """Whether the packets to any one address and port fall on all rows that count: what they
        add to the hash is the span of the windows at the source's bits.
        """
        rows = self.period
        varied = [windows(self.key)[at] % rows for at in (*_SOURCE, *_SOURCE_PORT)]
        return 1 << rank(varied) == rows

    def workers(self, packet: Packet, source_ports: tuple[int, ...]) -> Iterator[int]:
        """The queue of each packet that is like this one but for its source port."""
        base = toeplitz(self.key, replace(packet, source_port=0).rss_input)
        bits = [windows(self.key)[at] for at in _SOURCE_PORT]
        for port in source_ports:
            value = base
            for index, window in enumerate(bits):
                if port & 0x8000 >> index:
                    value ^= window
            yield self.reta[value % len(self.reta)]

    def like(self, other: Spread) -> bool:
        """Whether both choose the same worker for every packet. True is proved: equal tables, and
        equal windows in the bits of the hash that choose a row.
        """
        rows = max(self.period, other.period)
        return all(
            (mine ^ theirs) % rows == 0
            for mine, theirs in zip(windows(self.key), windows(other.key), strict=True)
        ) and all(
            self.reta[row % len(self.reta)] == other.reta[row % len(other.reta)]
            for row in range(rows)
        )

    def differ_on(self, other: Spread, like: Packet) -> Packet | None:
        """A packet that the two bring to different workers, `like` this one but for its source;
        None when neither its port nor one bit of its address makes the difference.
        """
        for flip in (0, *(1 << bit for bit in range(32))):
            sent = replace(like, source=like.source ^ flip)
            mine, theirs = self._by_source_port(sent), other._by_source_port(sent)
            for port in _PORTS:
                if self.reta[mine[port]] != other.reta[theirs[port]]:
                    return replace(sent, source_port=port)
        return None

    def reaching(self, worker: int, like: Packet, other: bool = False) -> Packet | None:
        """A packet that reaches `worker` (or, if `other`, any worker but that one)."""
        rows = self._by_source_port(like)
        for port in _PORTS:
            if (self.reta[rows[port]] == worker) != other:
                return replace(like, source_port=port)
        return None

    def _by_source_port(self, like: Packet) -> list[int]:
        """The row for each source port."""
        base = toeplitz(self.key, replace(like, source_port=0).rss_input)
        hashes = [base]
        for window in [windows(self.key)[at] for at in _SOURCE_PORT][::-1]:
            hashes += [value ^ window for value in hashes]
        return [value % len(self.reta) for value in hashes]
