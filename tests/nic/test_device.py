"""What each family takes, and in which order its tables are asked."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.nic.brute import plans, site_of
from tvsc.checks.steering import rules_needed
from tvsc.lower.nics import FACTS, profile
from tvsc.model import Driver
from tvsc.nic import (
    FAMILIES,
    ICMP,
    TCP,
    UDP,
    FlowClass,
    LoadedNic,
    Refusal,
    load_nic,
    rules_per_planned,
)
from tvsc.plan import RulePlan

ADDRESS = 0xAC100010


def rule(text: str, worker: int = 1, marked: bool = False) -> RulePlan:
    return RulePlan(IPv4Network(text), worker, 0, avoid_ntuple=marked)


def loaded(driver: Driver, *rules: RulePlan) -> tuple[LoadedNic, list[Refusal]]:
    site = site_of(driver)
    return load_nic(site.nics[0], replace(plans(site)[0].steering, rules=rules))


def limits(driver: Driver, *rules: RulePlan) -> list[str]:
    return [refusal.limit for refusal in loaded(driver, *rules)[1]]


def test_every_driver_with_rules_has_a_family() -> None:
    assert set(FAMILIES) == {d for d, (_, _, _, rules) in FACTS.items() if rules is not None}


def test_families_are_what_the_host_does() -> None:
    """Masks on a TAP, and which driver gets three rules for one."""
    host = Path(__file__).parents[2] / "runtime" / "host"
    groups = re.search(r"TVS_TAP_MAX_GROUPS = (\d+)", (host / "steering_tap.h").read_text())
    assert groups and int(groups[1]) == FAMILIES[Driver.TAP].max_groups
    source = (host / "steering_rte_flow.c").read_text()
    tripled = re.findall(r"family == TVS_NIC_(\w+) && rule->proto == 0 \? (\d) : 1", source)
    assert [(Driver(name.lower()), int(count)) for name, count in tripled] == [
        (driver, rules_per_planned(driver)) for driver in FAMILIES if rules_per_planned(driver) > 1
    ]


@pytest.mark.parametrize("driver", FAMILIES)
def test_whole_address_is_taken(driver: Driver) -> None:
    nic, refusals = loaded(driver, rule("172.16.0.16/32", 3, marked=True))
    assert refusals == []
    for protocol in (TCP, UDP, ICMP, 47):
        assert nic.decide(FlowClass(ADDRESS, protocol)).queue == 3
        assert nic.decide(FlowClass(ADDRESS + 1, protocol)).queue is None


@pytest.mark.parametrize("driver", FAMILIES)
def test_fragments(driver: Driver) -> None:
    """i40e and ice know fragments as another type of packet."""
    nic, _ = loaded(driver, rule("172.16.0.16/32", 3, marked=True))
    taken = nic.decide(FlowClass(ADDRESS, UDP, fragment=True)).queue == 3
    assert taken == (driver not in (Driver.I40E, Driver.ICE))


@pytest.mark.parametrize("driver", [Driver.I40E, Driver.ICE, Driver.TAP])
def test_partial_mask_is_refused(driver: Driver) -> None:
    assert "it takes rules for whole addresses only" in limits(driver, rule("172.16.0.16/28"))


def test_ixgbe_has_one_mask() -> None:
    same = [rule("172.16.0.16/28"), rule("172.16.0.32/28")]
    assert limits(Driver.IXGBE, *same) == []
    assert limits(Driver.IXGBE, *same, rule("172.16.0.64/27")) == ["all its rules have one mask"]
    marked = rule("172.16.0.128/32", marked=True)
    assert limits(Driver.IXGBE, *same, marked) == ["all its rules have one mask"]


def test_ixgbe_asks_five_tuple_filters_first() -> None:
    rules = [rule("172.16.0.16/28", 2), rule("172.16.0.16/32", 3)]
    nic, refusals = loaded(Driver.IXGBE, *rules)
    assert refusals == []
    assert nic.decide(FlowClass(ADDRESS, TCP)).queue == 3
    assert nic.decide(FlowClass(ADDRESS, TCP)).table == "five-tuple filter"
    assert nic.decide(FlowClass(ADDRESS + 1, TCP)).queue == 2


def test_mlx5_needs_rules_that_agree() -> None:
    wide, narrow = rule("172.16.0.0/24", 1), rule("172.16.0.16/32", 2)
    for rules in ([wide, narrow], [narrow, wide]):
        (limit,) = limits(Driver.MLX5, *rules)
        assert "overlapping rules" in limit
    assert limits(Driver.MLX5, wide, rule("172.16.0.16/32", 1)) == []
    assert limits(Driver.MLX5, wide, rule("172.16.1.0/30", 2)) == []


def test_same_destination_twice_is_refused() -> None:
    twice = [rule("172.16.0.16/32", 1), rule("172.16.0.16/32", 2)]
    assert len(limits(Driver.ICE, *twice)) == 1
    assert len(limits(Driver.I40E, *twice)) == 3


def test_budget_counts_the_rules_of_the_device() -> None:
    site = site_of(Driver.I40E)
    nic = site.nics[0]
    assert nic.flow_rules is not None
    needed = 3 * len(plans(site)[0].steering.rules)
    assert rules_needed(site.clusters[0], nic) == needed
    for room, refused in ((needed, 0), (needed - 1, 1)):
        small = nic.model_copy(
            update={"flow_rules": nic.flow_rules.model_copy(update={"max_rules": room})}
        )
        assert len(load_nic(small, plans(site)[0].steering)[1]) == refused


def test_no_rules_no_key() -> None:
    steering = plans(site_of(Driver.ICE))[0].steering
    _, refusals = load_nic(profile("v", Driver.VIRTIO, ""), steering)
    assert refusals[0].message == "an RSS key of 52 bytes"
    assert refusals[1].message == "a redirection table of 512 rows"
    assert {r.limit for r in refusals[2:]} == {"it takes no flow rules"}


def test_queue_that_the_card_does_not_have() -> None:
    assert limits(Driver.IXGBE, rule("172.16.0.16/28", 16)) == ["it has 16 queues"]
