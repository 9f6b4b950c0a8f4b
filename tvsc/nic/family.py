"""How the drivers' flow rules differ, as read in DPDK's sources (drivers/net/*).

ixgbe   one mask for all perfect filters of a port ("Mask mismatch"); with the ports masked out a
        filter takes every protocol. A rule for a whole address is tried first as one of 128
        five-tuple filters, before flow director and without a way back when they are full; these
        cannot mark, so a mark keeps a rule out of them.
i40e    filters belong to a packet type: a rule without a protocol takes neither TCP nor UDP. The
        host makes three of one planned rule. Fragments are a type of their own.
ice     a rule for IPv4 takes every protocol, but no fragments.
mlx5    any mask. Rules of one priority have no order: what they say together must not depend on it.
tap     the host's own program: the longest mask first.

Packets with an 802.1Q tag. RSS of all of them reads past the tag. Flow rules are another matter:

ixgbe   a rule without a VLAN sets no VLAN mask, and the driver then masks identifier and priority
        out of every comparison (FDIRM): the tag does not count.
i40e    the tag is in a packet type's input set only when a rule names it: it does not count.
ice     the driver's patterns for flow director know no VLAN, and neither sources nor guide say
        whether `eth / ipv4` takes tagged packets: it depends on the package that is loaded.
mlx5    by the guide `eth / ipv4` takes untagged packets only: the host names the VLAN in each rule.
tap     the host's program steps over the tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network

from tvsc.model import Driver
from tvsc.nic.packet import TCP, UDP
from tvsc.plan.types import RulePlan


class Match(StrEnum):
    """Which protocols a device's rule takes."""

    ANY = "any"
    OTHER = "neither TCP nor UDP"
    TCP = "TCP"
    UDP = "UDP"

    def takes(self, protocol: int) -> bool:
        """Whether packets of this protocol match."""
        if self is Match.TCP:
            return protocol == TCP
        if self is Match.UDP:
            return protocol == UDP
        return self is Match.ANY or protocol not in (TCP, UDP)


class Tagged(StrEnum):
    """What a rule says of packets with a VLAN tag."""

    ALIKE = "takes them as those without"
    NAMED = "takes those of the VLAN that it names, without one only untagged ones"
    UNKNOWN = "nobody says whether it takes them"


@dataclass(frozen=True, slots=True)
class Family:
    """`matches`: what the host creates for one planned rule. `unordered`: rules that overlap and
    disagree leave the queue to chance. `max_groups`: most different masks, None for no limit.
    """

    matches: tuple[Match, ...] = (Match.ANY,)
    fragments: bool = True
    unordered: bool = False
    max_groups: int | None = None
    tagged: Tagged = Tagged.ALIKE


FAMILIES: dict[Driver, Family] = {
    Driver.IXGBE: Family(),
    Driver.I40E: Family(matches=(Match.OTHER, Match.TCP, Match.UDP), fragments=False),
    Driver.ICE: Family(fragments=False, tagged=Tagged.UNKNOWN),
    Driver.MLX5: Family(unordered=True, tagged=Tagged.NAMED),
    Driver.TAP: Family(max_groups=16),
}
"""Drivers with flow rules; of the others no rule is asked."""


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """One rule as the driver gets it; `planned` is the index of the plan's rule, `vlan` what the
    rule names, None for no VLAN.
    """

    network: IPv4Network
    match: Match
    queue: int
    marked: bool
    planned: int
    vlan: int | None = None

    def __str__(self) -> str:
        what = "" if self.match is Match.ANY else f" ({self.match})"
        vlan = "" if self.vlan is None else f" in VLAN {self.vlan}"
        return f"{self.network}{what}{vlan} -> queue {self.queue}"


def rules_per_planned(driver: Driver) -> int:
    """How many of a device's rules one planned rule takes."""
    family = FAMILIES.get(driver)
    return len(family.matches) if family is not None else 1


def device_rules(
    driver: Driver, rules: tuple[RulePlan, ...], vlan: int | None = None
) -> Iterator[DeviceRule]:
    """What the host asks of the driver on a port with this VLAN, in its order."""
    family = FAMILIES.get(driver, Family())
    named = vlan if family.tagged is Tagged.NAMED else None
    for index, rule in enumerate(rules):
        for match in family.matches:
            yield DeviceRule(rule.network, match, rule.worker, rule.avoid_ntuple, index, named)
