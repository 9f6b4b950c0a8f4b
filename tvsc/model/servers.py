"""All servers of a site, found by address: rules ask for the few that are in some way odd."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from tvsc.model.pool import Pool, Server

Range = tuple[int, int]
"""IPv4 addresses as numbers: the first and the last."""


class Servers:
    """The servers of `pools`. `ipv6` are those with such an address, in source order."""

    def __init__(self, pools: tuple[Pool, ...]) -> None:
        self._pools = pools
        self.ipv6 = tuple(s for p in pools for s in p.servers if isinstance(s.address, IPv6Address))
        every = [s.address for p in pools for s in p.servers]
        if self.ipv6:
            every = [address for address in every if isinstance(address, IPv4Address)]
        self._numbers = sorted(set(map(int, every)))

    def within(self, ranges: Iterable[Range]) -> Iterator[Server]:
        """Those with an IPv4 address in one of the ranges, in source order. A range that has none
        costs a search; only where there is one all servers are looked through.
        """
        hits = _apart(one for one in ranges if self._has(*one))
        if not hits:
            return
        starts = [first for first, _ in hits]
        for server in (s for pool in self._pools for s in pool.servers):
            if isinstance(server.address, IPv4Address):
                number = int(server.address)
                at = bisect_right(starts, number) - 1
                if at >= 0 and number <= hits[at][1]:
                    yield server

    def _has(self, first: int, last: int) -> bool:
        at = bisect_left(self._numbers, first)
        return at < len(self._numbers) and self._numbers[at] <= last


def _apart(ranges: Iterable[Range]) -> list[Range]:
    """The same addresses in ranges that do not overlap, in order."""
    apart: list[Range] = []
    for first, last in sorted(ranges):
        if apart and first <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(last, apart[-1][1]))
        else:
            apart.append((first, last))
    return apart
