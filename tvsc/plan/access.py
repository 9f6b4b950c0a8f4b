"""Who may use a service: lists of prefixes to disjoint ranges, and to the table that the packet
path searches.

A range is a pair of addresses as numbers, both included. A list of n prefixes takes n log n steps,
however the prefixes overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

from tvsc.model import AccessRule, Limits, Service, Site
from tvsc.plan.classes import Label
from tvsc.plan.types import AccessPlan, RangePlan

Range = tuple[int, int]

LAST = 0xFFFFFFFF
_MOST_INDEX_BITS = 16


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same addresses in ascending ranges that neither overlap nor touch."""
    made: list[Range] = []
    for first, last in sorted(ranges):
        if made and first <= made[-1][1] + 1:
            if last > made[-1][1]:
                made[-1] = made[-1][0], last
        else:
            made.append((first, last))
    return made


def outside(ranges: Iterable[Range]) -> Iterator[Range]:
    """All other addresses; `ranges` are merged."""
    at = 0
    for first, last in ranges:
        if at < first:
            yield at, first - 1
        at = last + 1
    if at <= LAST:
        yield at, LAST


def ranges_of(networks: Iterable[object]) -> Iterator[Range]:
    """The ranges of the IPv4 prefixes."""
    for network in networks:
        if isinstance(network, IPv4Network):
            first = int(network.network_address)
            yield first, first | (1 << 32 - network.prefixlen) - 1


def kept_out(limits: Limits) -> list[Range]:
    """The sources that do not get in, merged: whom some `deny` names, and whom no `allow` does
    where there is one.
    """
    allows = [rule for rule in limits.access if rule.allow]
    out = [r for rule in limits.access if not rule.allow for r in ranges_of(rule.sources)]
    if allows:
        out += outside(merged(r for rule in allows for r in ranges_of(rule.sources)))
    return merged(out)


def decisive(limits: Limits, source: IPv4Address) -> tuple[AccessRule, int] | None:
    """The entry that names a source, a rule and the index of a prefix in it: a `deny`, or else an
    `allow`. None: no entry does.
    """
    for rule in sorted(limits.access, key=lambda rule: rule.allow):
        for index, network in enumerate(rule.sources):
            if source in network:
                return rule, index
    return None


def edges_of(ranges: Iterable[Range]) -> list[int]:
    """Where ranges begin, and the addresses after their ends: an address is inside when an odd
    number of them is at or below it.
    """
    return [edge for first, last in ranges for edge in (first, last + 1) if edge <= LAST]


def index_shift(edges: int) -> int:
    """By how much an address is shifted to find its part of the index: about a part for each edge,
    at most 65,536 parts.
    """
    bits = max(1, min(_MOST_INDEX_BITS, (edges - 1).bit_length()))
    return 32 - bits


def index_of(edges: list[int], shift: int) -> list[int]:
    """For each part, and for what follows the last, the number of edges below it."""
    index = [0] * ((1 << 32 - shift) + 1)
    for edge in edges:
        index[(edge >> shift) + 1] += 1
    for part in range(1, len(index)):
        index[part] += index[part - 1]
    return index


def access_bytes(ranges: Sequence[Range]) -> int:
    """Bytes of the table of merged ranges: its edges and its index."""
    edges = len(edges_of(ranges))
    return 4 * (edges + (1 << 32 - index_shift(edges)) + 1)


class AccessTables:
    """The tables of a site; services that keep out the same sources share one."""

    def __init__(self, site: Site, label: Label) -> None:
        self._label = label
        self._plans: dict[tuple[Range, ...], AccessPlan] = {}
        self._of: dict[str, int] = {}
        for service in site.services:
            if service.limits is not None and service.limits.access:
                plan = self._plan(service, service.limits)
                if plan is not None:
                    self._of[service.name] = plan.id

    @property
    def plans(self) -> tuple[AccessPlan, ...]:
        """All of them, by id."""
        return tuple(self._plans.values())

    def of(self, service: str) -> int | None:
        """The table of a service by its name; None when it lets everybody in."""
        return self._of.get(service)

    def _plan(self, service: Service, limits: Limits) -> AccessPlan | None:
        ranges = tuple(kept_out(limits))
        if not ranges:
            return None
        known = self._plans.get(ranges)
        if known is None:
            origin = self._label(limits.access[0], "")
            known = access_plan(len(self._plans), service.name, limits, ranges, origin)
            self._plans[ranges] = known
        return known


def access_plan(
    id_: int, service: str, limits: Limits, ranges: tuple[Range, ...], origin: str
) -> AccessPlan:
    """The table that holds these ranges."""
    edges = edges_of(ranges)
    shift = index_shift(len(edges))
    index = index_of(edges, shift)
    most = max(after - before for before, after in pairwise(index))
    prefixes = sum(len(rule.sources) for rule in limits.access)
    return AccessPlan(
        id=id_,
        shift=shift,
        comparisons=most.bit_length(),
        bytes=access_bytes(ranges),
        origin=origin,
        reason=(
            f"{prefixes} prefixes of service {service} keep out {len(ranges)} ranges; an index by"
            f" the first {32 - shift} bits leaves a search of at most {most.bit_length()}"
            " comparisons"
        ),
        ranges=tuple(RangePlan(IPv4Address(first), IPv4Address(last)) for first, last in ranges),
    )
