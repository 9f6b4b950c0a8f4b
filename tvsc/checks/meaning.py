"""Meaning: what is written does something, and can."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import (
    Address,
    ClientAddress,
    HttpCheck,
    Listener,
    Mode,
    Pool,
    Protocol,
    Schedule,
    Service,
    Site,
    TcpCheck,
    Vip,
)

FIRST_FINAL = 200
"""HTTP statuses from here on end an answer."""


def pools_used(site: Site) -> Iterator[Diagnostic]:
    """Some service uses every pool."""
    used = {name for service in site.services for name in service.pools}
    for pool in site.pools:
        if pool.name not in used:
            yield Diagnostic(
                codes.UNUSED_POOL, f"no service uses pool `{pool.name}`", site.span(pool)
            )


def pools_have_servers(site: Site) -> Iterator[Diagnostic]:
    """A pool has a server, and one that takes sessions."""
    for pool in site.pools:
        if not pool.servers:
            yield Diagnostic(
                codes.EMPTY_POOL,
                f"pool `{pool.name}` has no server",
                site.span(pool),
                help="write `server ADDRESS:PORT`",
            )
        elif all(server.weight == 0 for server in pool.servers):
            yield _weightless(site, pool)


def _weightless(site: Site, pool: Pool) -> Diagnostic:
    return Diagnostic(
        codes.WEIGHTS_ZERO,
        f"every server of pool `{pool.name}` has weight 0",
        site.span(pool.servers[0], "weight"),
        (Note("pool declared here", site.span(pool)),),
        "give a server a positive weight, or mark it `drain`",
    )


def listeners_unique(site: Site) -> Iterator[Diagnostic]:
    """One listener for each VIP, protocol and port."""
    known: dict[tuple[Address, Protocol, int], tuple[Service, Listener]] = {}
    for service in site.services:
        for vip in service.vips:
            for listener in service.listeners:
                key = (vip.address, listener.protocol, listener.port)
                earlier = known.setdefault(key, (service, listener))
                if earlier == (service, listener):
                    continue
                yield Diagnostic(
                    codes.DUPLICATE_LISTENER,
                    f"{vip.address} {listener.protocol} {listener.port} is served by"
                    f" `{earlier[0].name}` already",
                    site.span(listener),
                    (Note("first listened on here", site.span(earlier[1])),),
                )


def vips_once_per_service(site: Site) -> Iterator[Diagnostic]:
    """A service names a VIP once."""
    for service in site.services:
        seen: dict[Address, Vip] = {}
        for vip in service.vips:
            first = seen.setdefault(vip.address, vip)
            if first is not vip:
                yield Diagnostic(
                    codes.DUPLICATE_LISTENER,
                    f"VIP {vip.address} is listed twice",
                    site.span(vip),
                    (Note("first listed here", site.span(first)),),
                )


def services_listen(site: Site) -> Iterator[Diagnostic]:
    """A service listens on something."""
    for service in site.services:
        if not service.listeners:
            yield Diagnostic(
                codes.NOTHING_LISTENS,
                f"service `{service.name}` listens on nothing",
                site.span(service),
                help="write `listen tcp PORT -> POOL`",
            )


def checks_end_in_time(site: Site) -> Iterator[Diagnostic]:
    """A check is over before the next one is due."""
    for pool in site.pools:
        check = pool.check
        if check is not None and check.timeout_ms >= check.every_ms:
            yield Diagnostic(
                codes.TIMEOUT_NOT_BELOW_INTERVAL,
                f"a check of pool `{pool.name}` may take {check.timeout_ms}ms, and the next is due"
                f" after {check.every_ms}ms",
                site.span(check, "timeout"),
                (Note("the interval", site.span(check, "every")),),
            )


def checks_can_pass(site: Site) -> Iterator[Diagnostic]:
    """A pool that UDP listeners use is not checked on its UDP port over TCP by mere omission."""
    udp: dict[str, Listener] = {}
    tcp: set[str] = set()
    for service in site.services:
        for listener in service.listeners:
            names = [name for name in (listener.pool, service.sorry) if name is not None]
            if listener.protocol is Protocol.UDP:
                udp |= {name: listener for name in names if name not in udp}
            else:
                tcp.update(names)
    for pool in site.pools:
        if pool.name not in udp or pool.name in tcp or not isinstance(pool.check, TcpCheck):
            continue  # an HTTP check was written
        if site.origins.exact(f"{pool.at}/check") is None:
            yield Diagnostic(
                codes.CHECK_CANNOT_PASS,
                f"pool `{pool.name}` serves UDP only, and its servers would be checked over TCP",
                site.span(pool),
                (Note("the listener", site.span(udp[pool.name])),),
                "write `check tcp { port N }` with a TCP port of the servers, or `check none`",
            )


def checks_expect_answers(site: Site) -> Iterator[Diagnostic]:
    """An HTTP check expects a status that ends an answer: those below 200 come before it."""
    for pool in site.pools:
        check = pool.check
        if isinstance(check, HttpCheck) and all(r.last < FIRST_FINAL for r in check.expect):
            yield Diagnostic(
                codes.CHECK_CANNOT_PASS,
                f"the check of pool `{pool.name}` expects a status below {FIRST_FINAL}, and no"
                " answer ends with one",
                site.span(check, "expect"),
                help="write `expect 200..299`",
            )


def weights_matter(site: Site) -> Iterator[Diagnostic]:
    """Plain round robin gives every server the same: weights would be ignored."""
    for pool in site.pools:
        if pool.schedule is not Schedule.RR:
            continue
        weights = {server.weight for server in pool.servers if server.weight}
        if len(weights) > 1:
            odd = next(s for s in pool.servers if s.weight and s.weight != pool.servers[0].weight)
            yield Diagnostic(
                codes.WEIGHTS_IGNORED,
                f"pool `{pool.name}` has servers of different weight, and `schedule rr` ignores it",
                site.span(odd, "weight"),
                (Note("the schedule", site.span(pool, "schedule")),),
                "write `schedule wrr`",
            )


def thresholds_can_be_met(site: Site) -> Iterator[Diagnostic]:
    """`min-up` asks for no more servers than there are."""
    for service in site.services:
        for listener in service.listeners:
            pool = site.pool_by_name[listener.pool]
            taking = sum(1 for s in pool.servers if s.weight and not s.drain)
            if service.min_up > taking:
                yield Diagnostic(
                    codes.THRESHOLD_UNMET,
                    f"`min-up {service.min_up}` needs more servers than the {taking} of pool"
                    f" `{pool.name}` that take sessions",
                    site.span(service, "min-up"),
                    (Note("the pool", site.span(pool)),),
                )


def client_addresses_can_be_told(site: Site) -> Iterator[Diagnostic]:
    """`client-address toa` is an option of TCP, for servers that see a local IP."""
    for service in site.services:
        if service.client_address is not ClientAddress.TOA:
            continue
        setting = site.span(service, "client-address")
        for listener in service.listeners:
            if listener.protocol is Protocol.UDP:
                yield Diagnostic(
                    codes.CLIENT_ADDRESS_UNFIT,
                    f"`client-address toa` is an option of TCP, and `{service.name}` listens on"
                    f" udp {listener.port} too",
                    site.span(listener),
                    (Note("the client's address", setting),),
                    "give UDP a service of its own, with the same VIP and `client-address none`",
                )
        if service.mode is Mode.TUNNEL:
            yield Diagnostic(
                codes.CLIENT_ADDRESS_UNFIT,
                f"the servers of `{service.name}` see the client's own address: `mode tunnel` has"
                " no use for `client-address toa`",
                setting,
                (Note("the mode", site.span(service, "mode")),),
                "write `client-address none`",
            )


RULES = (
    pools_used,
    pools_have_servers,
    listeners_unique,
    vips_once_per_service,
    services_listen,
    checks_end_in_time,
    checks_can_pass,
    checks_expect_answers,
    weights_matter,
    thresholds_can_be_met,
    client_addresses_can_be_told,
)
