"""What the language can say and this version cannot do yet: an error, never silently ignored."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic
from tvsc.model import (
    ClientAddress,
    Cluster,
    HttpCheck,
    Lowering,
    Mode,
    Noun,
    Pool,
    Schedule,
    Service,
    Site,
    Steering,
)


def _not_yet(site: Site, what: str, noun: Noun, field: str, help_: str | None = None) -> Diagnostic:
    return Diagnostic(
        codes.UNSUPPORTED,
        f"{what} is not supported in this version",
        site.span(noun, field),
        help=help_,
    )


def clusters_supported(site: Site) -> Iterator[Diagnostic]:
    """Steering and the ways of lowering preference."""
    for cluster in site.clusters:
        if cluster.steering is Steering.RSS_PORT:
            yield _not_yet(
                site, "`steering rss-port`", cluster, "steering", "write `fdir` or `software`"
            )
        lowering = cluster.role.lowering
        if lowering not in (None, Lowering.PREPEND):
            yield _not_yet(site, f"`standby {lowering}`", cluster, "role", "write `prepend 3`")
        yield from _ports_supported(site, cluster)
        for fabric in cluster.fabric:
            if fabric.asn == site.asn:
                yield _not_yet(site, "a neighbour in the site's own AS (iBGP)", fabric, "asn")
            if fabric.address.version == 6:
                yield _not_yet(site, "a BGP neighbour over IPv6", fabric, "")


def _ports_supported(site: Site, cluster: Cluster) -> Iterator[Diagnostic]:
    for port in (p for n in cluster.nodes for p in n.ports):
        if port.vlan is not None:
            yield _not_yet(site, "a VLAN tag", port, "vlan")
        if port.promiscuous:
            yield _not_yet(site, "`promiscuous yes`", port, "promiscuous")
        if port.address6 is not None:
            yield _not_yet(site, "IPv6", port, "address6")
        if port.gateway6 is not None:
            yield _not_yet(site, "IPv6", port, "gateway6")


def pools_supported(site: Site) -> Iterator[Diagnostic]:
    """Schedulers, families and checks."""
    for pool in site.pools:
        if pool.schedule not in (Schedule.RR, Schedule.WRR):
            yield _not_yet(
                site, f"`schedule {pool.schedule}`", pool, "schedule", "write `rr` or `wrr`"
            )
        yield from _check_supported(site, pool)
    for server in site.servers.ipv6:
        yield _not_yet(site, "an IPv6 server", server, "")


def _check_supported(site: Site, pool: Pool) -> Iterator[Diagnostic]:
    check = pool.check
    if isinstance(check, HttpCheck) and len(check.expect) > 1:
        yield _not_yet(site, "more than one range of statuses", check, "expect", "write one range")


def services_supported(site: Site) -> Iterator[Diagnostic]:
    """Modes, and families of addresses."""
    for service in site.services:
        if service.mode is not Mode.FULLNAT:
            yield _not_yet(site, f"`mode {service.mode}`", service, "mode", "write `fullnat`")
        if service.client_address is not ClientAddress.NONE:
            what = f"`client-address {service.client_address}`"
            yield _not_yet(site, what, service, "client-address", "write `none`")
        for rule in service.limits.access if service.limits is not None else ():
            for index, source in enumerate(rule.sources):
                if source.version == 6:
                    yield _not_yet(site, "an IPv6 prefix of `limits`", rule, str(index))
        yield from _fallbacks_supported(site, service)
        for vip in service.vips:
            if vip.address.version == 6:
                yield _not_yet(site, "an IPv6 VIP", vip, "")


def _fallbacks_supported(site: Site, service: Service) -> Iterator[Diagnostic]:
    if service.min_up:
        yield _not_yet(site, "`min-up`", service, "min-up")
    if service.sorry is not None:
        yield _not_yet(site, "a `sorry` pool", service, "sorry")


RULES = (clusters_supported, pools_supported, services_supported)
