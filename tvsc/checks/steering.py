"""Steering: the NIC can do what the site wants of it."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import Cluster, NicProfile, Port, RuleMasks, Site, Steering
from tvsc.nic import FAMILIES, Tagged, rules_per_planned


def _ports(site: Site, field: str = "nic") -> Iterator[tuple[Cluster, Port, NicProfile]]:
    """Every port once per place where `field` was written: a loop's nodes share theirs."""
    for cluster in site.clusters:
        seen: set[tuple[str, object]] = set()
        for node in cluster.nodes:
            for port in node.ports:
                key = (port.nic, site.span(port, field))
                if key not in seen:
                    seen.add(key)
                    yield cluster, port, site.nic_of(port)


def fdir_needs_flow_rules(site: Site) -> Iterator[Diagnostic]:
    """`steering fdir` needs a NIC with flow rules."""
    for cluster, port, nic in _ports(site):
        if cluster.steering is Steering.FDIR and nic.flow_rules is None:
            yield Diagnostic(
                codes.NO_FLOW_RULES,
                f"`steering fdir` needs flow rules, and `{nic.driver}` has none",
                site.span(port, "nic"),
                (Note("steering is chosen here", site.span(cluster, "steering")),),
                "`steering software` works with any device",
            )


def rules_take_tags(site: Site) -> Iterator[Diagnostic]:
    """`steering fdir` on a port with a VLAN: it is known what the NIC's rules do with a tag."""
    for cluster, port, nic in _ports(site, "vlan"):
        if cluster.steering is not Steering.FDIR or port.vlan is None or nic.flow_rules is None:
            continue
        if nic.driver in FAMILIES and FAMILIES[nic.driver].tagged is Tagged.UNKNOWN:
            yield Diagnostic(
                codes.TAGGED_UNPROVED,
                f"whether a flow rule of `{nic.driver}` takes packets with a VLAN tag is not known,"
                " so a reply may reach the wrong worker",
                site.span(port, "vlan"),
                (Note("steering is chosen here", site.span(cluster, "steering")),),
                "`steering software` works with any device",
            )


def hardware_needs_rss(site: Site) -> Iterator[Diagnostic]:
    """`steering fdir` and `rss-port` need an RSS key and table that can be set."""
    for cluster, port, nic in _ports(site):
        wanted = cluster.steering is Steering.RSS_PORT or (
            cluster.steering is Steering.FDIR and nic.flow_rules is not None
        )
        if wanted and (not nic.reta_size or not nic.rss_key_bytes):
            yield Diagnostic(
                codes.NO_RSS,
                f"`steering {cluster.steering}` needs RSS with a key that can be set, and"
                f" `{nic.driver}` has none",
                site.span(port, "nic"),
                (Note("steering is chosen here", site.span(cluster, "steering")),),
                "`steering software` works with any device",
            )


def rules_fit_budget(site: Site) -> Iterator[Diagnostic]:
    """The rules for the local IPs of all nodes of the cluster fit into each NIC of it."""
    for cluster, port, nic in _ports(site):
        if cluster.steering is not Steering.FDIR or nic.flow_rules is None:
            continue
        limit = nic.flow_rules.max_rules
        needed = rules_needed(cluster, nic)
        if limit is None or needed <= limit:
            continue
        each = rules_per_planned(nic.driver)
        fits = limit // (len(cluster.nodes) * cluster.workers * each)
        times = f" ({each} for each address: `{nic.driver}` tells protocols apart)"
        yield Diagnostic(
            codes.RULE_BUDGET,
            f"{len(cluster.nodes)} nodes x {cluster.workers} workers x"
            f" {cluster.local_ips.per_worker} local IPs need {needed} flow rules"
            f"{times if each > 1 else ''}, and `{nic.name}` has room for {limit}",
            site.span(cluster.local_ips, "workers"),
            (Note("the NIC is named here", site.span(port, "nic")),),
            f"there is room for {fits} each" if fits else "fewer nodes or workers would fit",
        )


def rules_needed(cluster: Cluster, nic: NicProfile) -> int:
    """How many flow rules one NIC of the cluster holds.

    Every node has rules for the local IPs of all: one for each worker's aligned block where the NIC
    takes masks, else one for each address. What is one rule to the plan may be several to a driver.
    """
    full = nic.flow_rules is None or nic.flow_rules.masks is RuleMasks.FULL
    per_worker = cluster.local_ips.per_worker if full else 1
    planned = len(cluster.nodes) * cluster.workers * per_worker
    return planned * rules_per_planned(nic.driver)


def queues_suffice(site: Site) -> Iterator[Diagnostic]:
    """Each worker has a receive queue of its own that RSS can reach."""
    for cluster, port, nic in _ports(site):
        if cluster.steering is Steering.SOFTWARE:
            continue
        if cluster.workers > nic.queues:
            yield Diagnostic(
                codes.TOO_MANY_QUEUES,
                f"{cluster.workers} workers need a receive queue each, and `{nic.name}` has"
                f" {nic.queues}",
                site.span(cluster, "workers"),
                (Note("the NIC is named here", site.span(port, "nic")),),
            )


RULES = (
    fdir_needs_flow_rules,
    rules_take_tags,
    hardware_needs_rss,
    rules_fit_budget,
    queues_suffice,
)
