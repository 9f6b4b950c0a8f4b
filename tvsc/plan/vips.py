"""The VIP table: open addressing over (VIP, port, protocol), placed at compile time.

Reads the services, writes a `VipTable`. The hash is that of `tvs_vip_hash` in tvs/site.h.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

from tvsc.plan.types import ServicePlan, VipSlot, VipTable

_MULTIPLIER = 0x9E3779B97F4A7C15
_MAX_PROBES = 8
_MAX_GROWTH = 4


def vip_hash(vip: int, port: int, protocol: int) -> int:
    """The 32 bits from which a key's row is taken (`& (size - 1)`)."""
    key = vip << 32 | port << 8 | protocol
    return (key * _MULTIPLIER >> 32) & 0xFFFFFFFF


def _place(keys: Iterable[tuple[int, int, int]], size: int) -> tuple[list[int], int]:
    """The row of each key, in order, and the most rows that a look-up visits."""
    taken = bytearray(size)
    rows, probes = [], 1
    for key in keys:
        home = vip_hash(*key)
        distance = 0
        while taken[(home + distance) & (size - 1)]:
            distance += 1
        row = (home + distance) & (size - 1)
        taken[row] = 1
        rows.append(row)
        probes = max(probes, distance + 1)
    return rows, probes


def place_vips(services: tuple[ServicePlan, ...]) -> VipTable:
    """A table at most half full in which no look-up visits more than a handful of rows.

    Every listener has an entry, and every VIP one more with port 0 and protocol 0: "this address is
    a VIP, whatever the port".
    """
    addresses: dict[IPv4Address, str] = {}
    for service in services:
        addresses.setdefault(service.vip, service.origin)
    keys = [(int(vip), 0, 0) for vip in addresses]
    keys += [(int(s.vip), s.port, s.protocol.number) for s in services]

    size = 1
    while size < 2 * len(keys):
        size *= 2
    least = size
    rows, probes = _place(keys, size)
    while probes > _MAX_PROBES and size < _MAX_GROWTH * least:
        size *= 2
        rows, probes = _place(keys, size)

    slots = [
        VipSlot(row, vip, 0, None, None, 0, 0, origin)
        for row, (vip, origin) in zip(rows, addresses.items(), strict=False)
    ]
    slots += [
        VipSlot(row, s.vip, s.port, s.protocol, s.id, s.class_id, s.pool, s.origin)
        for row, s in zip(rows[len(addresses) :], services, strict=True)
    ]
    reason = (
        f"{len(keys)} entries in {size} rows: at most half full"
        f"{', grown for short probes' if size > least else ''}; "
        f"the longest look-up visits {probes}"
    )
    return VipTable(size, probes, tuple(sorted(slots, key=lambda s: s.row)), reason)
