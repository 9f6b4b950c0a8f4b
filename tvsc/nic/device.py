"""A NIC with rules, key and table in it: reads a profile and a SteeringPlan.

Rules lie in tables. A packet is looked for in one table after the other, in each by the masks in
order; the first hit names the queue, and a packet that nothing takes is spread by RSS.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tvsc.model import FlowRules, NicProfile, RuleMasks, Steering
from tvsc.nic.family import FAMILIES, DeviceRule, Family, Match, Tagged, device_rules
from tvsc.nic.packet import FlowClass, Packet
from tvsc.nic.spread import Spread
from tvsc.plan.types import SteeringPlan

FIVE_TUPLE, FLOW_DIRECTOR = "five-tuple filter", "flow rule"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The driver does not take what is asked, or the device would not do it. `rule` is None when
    it is about the key or the table.
    """

    rule: DeviceRule | None
    message: str
    limit: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`queue` is None when RSS decides packet by packet; else `rule` is why, and `table` where it
    lies.
    """

    queue: int | None
    rule: DeviceRule | None = None
    table: str = ""


_BY_RSS = Decision(None)


@dataclass(slots=True)
class _Table:
    """Rules of one precedence: (mask, protocols) -> address -> rule."""

    name: str
    groups: dict[tuple[int, Match], dict[int, DeviceRule]] = field(default_factory=dict)
    count: int = 0

    def find(self, flows: FlowClass) -> DeviceRule | None:
        for (mask, match), rules in self.groups.items():
            if match.takes(flows.protocol):
                rule = rules.get(flows.destination & mask)
                if rule is not None:
                    return rule
        return None

    def add(self, rule: DeviceRule) -> None:
        group = self.groups.setdefault((int(rule.network.netmask), rule.match), {})
        group[int(rule.network.network_address)] = rule
        self.count += 1

    def same(self, rule: DeviceRule) -> DeviceRule | None:
        group = self.groups.get((int(rule.network.netmask), rule.match), {})
        return group.get(int(rule.network.network_address))

    def sort(self) -> None:
        """Longest masks first, and of those the ones with a protocol."""
        order = sorted(self.groups, key=lambda k: (-k[0], k[1] is Match.ANY))
        self.groups = {key: self.groups[key] for key in order}


@dataclass(frozen=True, slots=True)
class LoadedNic:
    """A device as it stands after the host has set it up. `vlan` is that of its port: the packets
    that are the node's have its tag.
    """

    family: Family
    tables: tuple[_Table, ...]
    spread: Spread
    vlan: int | None = None

    def decide(self, flows: FlowClass) -> Decision:
        """Where all packets of a class go."""
        if flows.fragment and not self.family.fragments:
            return _BY_RSS
        for table in self.tables:
            rule = table.find(flows)
            if rule is not None and self._takes_tag(rule, flows.vlan):
                return Decision(rule.queue, rule, table.name)
        return _BY_RSS

    def _takes_tag(self, rule: DeviceRule, vlan: int | None) -> bool:
        """All rules of a device name the same VLAN, or none does."""
        if self.family.tagged is Tagged.ALIKE:
            return True
        return rule.vlan == vlan

    def has_rule(self, destinations: Iterable[int], protocol: int) -> bool:
        """Whether `decide` finds a rule for any of them, tagged as those of its port; does not
        build anything for each.
        """
        return any(
            any(destination & mask in rules for destination in destinations)
            for table in self.tables
            for (mask, match), rules in table.groups.items()
            if match.takes(protocol)
        )

    def queue(self, packet: Packet) -> int:
        """Where one packet goes."""
        decision = self.decide(packet.flow_class)
        return self.spread.worker(packet) if decision.queue is None else decision.queue


def software(steering: SteeringPlan, vlan: int | None = None) -> LoadedNic:
    """`steering software`: a request goes where RSS would have brought it. Replies need no rule,
    as the packet path looks the local IP's owner up. It sees packets without their tag.
    """
    return LoadedNic(Family(), (), Spread(steering.key, steering.reta), vlan)


def load_nic(
    profile: NicProfile, steering: SteeringPlan, vlan: int | None = None
) -> tuple[LoadedNic, list[Refusal]]:
    """The device of a port with this VLAN: with everything that it takes, and what it does not
    take.
    """
    if steering.mode is not Steering.FDIR:
        return software(steering, vlan), []
    refusals = list(_hash_refusals(profile, steering))
    loader = _Loader(profile, vlan)
    if vlan is not None and steering.rules and loader.family.tagged is Tagged.UNKNOWN:
        refusals.append(
            Refusal(None, "rules for packets with a VLAN tag", "whether they match is not known")
        )
    for rule in device_rules(profile.driver, steering.rules, vlan):
        refusal = loader.add(rule)
        if refusal is not None:
            refusals.append(refusal)
    return loader.loaded(steering), refusals


def _hash_refusals(profile: NicProfile, steering: SteeringPlan) -> list[Refusal]:
    found = []
    if len(steering.key) != profile.rss_key_bytes:
        found.append(
            Refusal(
                None,
                f"an RSS key of {len(steering.key)} bytes",
                f"it wants {profile.rss_key_bytes}",
            )
        )
    if len(steering.reta) != profile.reta_size:
        found.append(
            Refusal(
                None,
                f"a redirection table of {len(steering.reta)} rows",
                f"it has {profile.reta_size}",
            )
        )
    return found


class _Loader:
    """Takes rules one by one, as the driver does."""

    def __init__(self, profile: NicProfile, vlan: int | None) -> None:
        self.profile = profile
        self.vlan = vlan
        self.limits = profile.flow_rules
        self.family = FAMILIES.get(profile.driver, Family())
        self.five_tuple = _Table(FIVE_TUPLE)
        self.director = _Table(FLOW_DIRECTOR)

    def loaded(self, steering: SteeringPlan) -> LoadedNic:
        self.director.sort()
        return LoadedNic(
            self.family,
            (self.five_tuple, self.director),
            Spread(steering.key, steering.reta),
            self.vlan,
        )

    def add(self, rule: DeviceRule) -> Refusal | None:
        if self.limits is None:
            return self.refuse(rule, "it takes no flow rules")
        if rule.queue >= self.profile.queues:
            return self.refuse(rule, f"it has {self.profile.queues} queues")
        full = rule.network.prefixlen == 32
        trap = self.limits.exact_trap
        if trap is not None and full and not rule.marked:
            if self.five_tuple.count >= trap:
                return self.refuse(
                    rule,
                    f"it tries a rule for a whole address as one of {trap} five-tuple filters,"
                    " and does not fall back to flow director when they are full",
                )
            table = self.five_tuple
        else:
            table = self.director
            limit = self._director_limit(rule, self.limits, full)
            if limit is not None:
                return self.refuse(rule, limit)
        if table.same(rule) is not None:
            return self.refuse(rule, "it has a rule for this destination already")
        table.add(rule)
        return None

    def _director_limit(self, rule: DeviceRule, limits: FlowRules, full: bool) -> str | None:
        groups = self.director.groups
        masks = {mask for mask, _ in groups}
        mask = int(rule.network.netmask)
        if limits.masks is RuleMasks.FULL and not full:
            return "it takes rules for whole addresses only"
        if limits.masks is RuleMasks.ONE_SHAPE and masks - {mask}:
            return "all its rules have one mask"
        if limits.max_rules is not None and self.director.count >= limits.max_rules:
            return f"it has room for {limits.max_rules}"
        most = self.family.max_groups
        if most is not None and mask not in masks and len(masks) >= most:
            return f"its rules have at most {most} different masks"
        if self.family.unordered and self._contradicted(rule):
            return "it gives overlapping rules no order, and another one says otherwise"
        return None

    def _contradicted(self, rule: DeviceRule) -> bool:
        """Whether a rule with another mask takes some of the same packets elsewhere."""
        address, own = int(rule.network.network_address), int(rule.network.netmask)
        for (mask, _), rules in self.director.groups.items():
            common = mask & own
            if mask == own:
                continue
            candidates = (
                [rules[address & mask]]
                if mask == common and address & mask in rules
                else [r for a, r in rules.items() if a & own == address]
                if own == common
                else []
            )
            if any(other.queue != rule.queue for other in candidates):
                return True
        return False

    @staticmethod
    def refuse(rule: DeviceRule, limit: str) -> Refusal:
        return Refusal(rule, f"the rule {rule}", limit)
