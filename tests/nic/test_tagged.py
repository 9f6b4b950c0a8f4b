"""Ports with a VLAN: what each family's rules do with a tag, and what is proved of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compile.sites import SYNC, make_sources
from tests.nic.brute import plans, site_of
from tvsc.checks.links import one_vlan_per_network
from tvsc.checks.steering import rules_take_tags
from tvsc.checks.steering_proof import prove_cluster, prove_plan
from tvsc.diag import codes
from tvsc.model import Driver, Site, Steering
from tvsc.nic import FAMILIES, TCP, FlowClass, Packet, Tagged, load_nic
from tvsc.plan import plan_site

KNOWN = [driver for driver, family in FAMILIES.items() if family.tagged is not Tagged.UNKNOWN]
HOST = Path(__file__).parents[2] / "runtime" / "host"


def tagged(site: Site, *vlans: int | None) -> Site:
    """The same site; node i's ports are in `vlans[i]`, in the last one from there on."""
    cluster = site.clusters[0]
    nodes = tuple(
        node.model_copy(
            update={
                "ports": tuple(
                    port.model_copy(update={"vlan": vlans[min(i, len(vlans) - 1)]})
                    for port in node.ports
                )
            }
        )
        for i, node in enumerate(cluster.nodes)
    )
    return site.model_copy(update={"clusters": (cluster.model_copy(update={"nodes": nodes}),)})


def test_the_host_names_the_vlan_to_those_that_want_it() -> None:
    source = (HOST / "steering_rte_flow.c").read_text()
    named = re.findall(r"vlan != 0 && port->family == TVS_NIC_(\w+)", source)
    assert {Driver(name.lower()) for name in named} == {
        driver for driver, family in FAMILIES.items() if family.tagged is Tagged.NAMED
    }


@pytest.mark.parametrize("driver", KNOWN)
@pytest.mark.parametrize("sync", [None, SYNC])
def test_planned_steering_is_proved_through_the_tag(driver: Driver, sync: object) -> None:
    site = tagged(site_of(driver, nodes=3, sync=sync), 100)  # type: ignore[arg-type]
    (found,) = prove_plan(site, plan_site(site, make_sources()))
    assert found.diagnostics == ()
    assert found.decided > 0
    assert list(rules_take_tags(site)) == list(one_vlan_per_network(site)) == []


@pytest.mark.parametrize("driver", KNOWN)
def test_nodes_with_and_without_a_tag_are_proved_together(driver: Driver) -> None:
    """As behind a switch that takes it off for some: they are kinds of their own."""
    site = tagged(site_of(driver, nodes=3), 100, None, 100)
    found = prove_cluster(site, site.clusters[0], plans(site))
    assert found.diagnostics == ()
    assert found.kinds == (("a1", "a3"), ("a2",))
    assert list(one_vlan_per_network(site)) == []


def test_a_rule_that_names_no_vlan_takes_no_tagged_packet_on_mlx5() -> None:
    """What the host would do if it forgot: replies go by RSS."""
    site = site_of(Driver.MLX5)
    steering = plans(site)[0].steering
    first = steering.rules[0]
    to_lip = FlowClass(int(first.network.network_address), TCP, vlan=100)
    for vlan, queue in ((100, first.worker), (None, None), (200, None)):
        nic, refusals = load_nic(site.nics[0], steering, vlan)
        assert refusals == []
        assert nic.decide(to_lip).queue == queue
    nic, _ = load_nic(site.nics[0], steering, 100)
    assert nic.decide(replace(to_lip, vlan=None)).queue is None
    assert "in VLAN 100 -> queue" in str(nic.decide(to_lip).rule)


@pytest.mark.parametrize("driver", [Driver.IXGBE, Driver.I40E, Driver.TAP])
def test_the_others_take_packets_with_any_tag(driver: Driver) -> None:
    site = site_of(driver)
    steering = plans(site)[0].steering
    first = steering.rules[0]
    nic, _ = load_nic(site.nics[0], steering, 100)
    for vlan in (None, 100, 200):
        to_lip = FlowClass(int(first.network.network_address), TCP, vlan=vlan)
        assert nic.decide(to_lip).queue == first.worker


def test_a_tag_does_not_change_the_hash() -> None:
    packet = Packet(0x0A000001, 0xCB00710A, TCP, 4000, 80)
    assert packet.rss_input == replace(packet, vlan=100).rss_input


def test_ice_is_refused_by_the_check_and_never_proved() -> None:
    site = tagged(site_of(Driver.ICE), 100)
    (refused, *_) = rules_take_tags(site)
    assert refused.code is codes.TAGGED_UNPROVED
    (first, *_) = prove_cluster(site, site.clusters[0], plans(site)).diagnostics
    assert first.code is codes.RULE_REFUSED
    assert "VLAN tag" in first.message


def test_ice_without_rules_is_fine() -> None:
    site = tagged(site_of(Driver.ICE, steering=Steering.SOFTWARE), 100)
    assert list(rules_take_tags(site)) == []
    assert prove_cluster(site, site.clusters[0], plans(site)).diagnostics == ()
