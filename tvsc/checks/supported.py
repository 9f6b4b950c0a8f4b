"""What the language can say and this version cannot do yet: an error, never silently ignored."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic
from tvsc.model import (
    ClientAddress,
    Cluster,
    Mode,
    Noun,
    Schedule,
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
    """Steering, ports and neighbours."""
    for cluster in site.clusters:
        if cluster.steering is Steering.RSS_PORT:
            yield _not_yet(
                site, "`steering rss-port`", cluster, "steering", "write `fdir` or `software`"
            )
        yield from _ports_supported(site, cluster)
        for fabric in cluster.fabric:
            if fabric.address.version == 6:
                yield _not_yet(site, "a BGP neighbour over IPv6", fabric, "")


def _ports_supported(site: Site, cluster: Cluster) -> Iterator[Diagnostic]:
    for port in (p for n in cluster.nodes for p in n.ports):
        if port.promiscuous:
            yield _not_yet(site, "`promiscuous yes`", port, "promiscuous")
        if port.address6 is not None:
            yield _not_yet(site, "IPv6", port, "address6")
        if port.gateway6 is not None:
            yield _not_yet(site, "IPv6", port, "gateway6")


def pools_supported(site: Site) -> Iterator[Diagnostic]:
    """Schedulers and families."""
    for pool in site.pools:
        if pool.schedule is Schedule.WLC:
            yield _not_yet(site, "`schedule wlc`", pool, "schedule", "write `least-loaded`")
    for server in site.servers.ipv6:
        yield _not_yet(site, "an IPv6 server", server, "")


def services_supported(site: Site) -> Iterator[Diagnostic]:
    """Modes, and families of addresses."""
    for service in site.services:
        if service.mode is not Mode.FULLNAT:
            yield _not_yet(site, f"`mode {service.mode}`", service, "mode", "write `fullnat`")
        if service.client_address is ClientAddress.PROXY_V2:
            what = f"`client-address {service.client_address}`"
            yield _not_yet(site, what, service, "client-address", "write `toa` or `none`")
        for rule in service.limits.access if service.limits is not None else ():
            for index, source in enumerate(rule.sources):
                if source.version == 6:
                    yield _not_yet(site, "an IPv6 prefix of `limits`", rule, str(index))
        for vip in service.vips:
            if vip.address.version == 6:
                yield _not_yet(site, "an IPv6 VIP", vip, "")


RULES = (clusters_supported, pools_supported, services_supported)
