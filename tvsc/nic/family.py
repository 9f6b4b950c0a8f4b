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


@dataclass(frozen=True, slots=True)
class Family:
    """`matches`: what the host creates for one planned rule. `unordered`: rules that overlap and
    disagree leave the queue to chance. `max_groups`: most different masks, None for no limit.
    """

    matches: tuple[Match, ...] = (Match.ANY,)
    fragments: bool = True
    unordered: bool = False
    max_groups: int | None = None


FAMILIES: dict[Driver, Family] = {
    Driver.IXGBE: Family(),
    Driver.I40E: Family(matches=(Match.OTHER, Match.TCP, Match.UDP), fragments=False),
    Driver.ICE: Family(fragments=False),
    Driver.MLX5: Family(unordered=True),
    Driver.TAP: Family(max_groups=16),
}
"""Drivers with flow rules; of the others no rule is asked."""


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """One rule as the driver gets it; `planned` is the index of the plan's rule."""

    network: IPv4Network
    match: Match
    queue: int
    marked: bool
    planned: int

    def __str__(self) -> str:
        what = "" if self.match is Match.ANY else f" ({self.match})"
        return f"{self.network}{what} -> queue {self.queue}"


def rules_per_planned(driver: Driver) -> int:
    """How many of a device's rules one planned rule takes."""
    family = FAMILIES.get(driver)
    return len(family.matches) if family is not None else 1


def device_rules(driver: Driver, rules: tuple[RulePlan, ...]) -> Iterator[DeviceRule]:
    """What the host asks of the driver, in its order."""
    matches = FAMILIES[driver].matches if driver in FAMILIES else (Match.ANY,)
    for index, rule in enumerate(rules):
        for match in matches:
            yield DeviceRule(rule.network, match, rule.worker, rule.avoid_ntuple, index)
