"""Limits of services: what is refused is what somebody meant to refuse."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from ipaddress import IPv4Network

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import AccessRule, Limits, Network, Service, Site
from tvsc.plan.access import LAST, kept_out, merged, ranges_of
from tvsc.source import Span


def _limits(site: Site) -> Iterator[tuple[Service, Limits]]:
    for service in site.services:
        if service.limits is not None:
            yield service, service.limits


def access_rules_apply(site: Site) -> Iterator[Diagnostic]:
    """No source is let in that other rules keep out for certain."""
    for service, limits in _limits(site):
        allows = [rule for rule in limits.access if rule.allow]
        if not allows:
            continue
        denied = {
            net: (rule, index)
            for rule in limits.access
            if not rule.allow
            for index, net in enumerate(rule.sources)
        }
        lengths = {net.prefixlen for net in denied}
        out = merged(ranges_of(denied))
        starts = [first for first, _ in out]
        for rule in allows:
            for index, source in enumerate(rule.sources):
                around = (source.supernet(new_prefix=n) for n in lengths if n <= source.prefixlen)
                outer = next((net for net in around if net in denied), None)
                if outer is not None:
                    entry, at = denied[outer]
                    span = site.span(entry, str(at))
                    yield _unreachable(site, service, rule, index, str(outer), (outer, span))
                elif isinstance(source, IPv4Network):
                    first, last = next(ranges_of((source,)))
                    at = bisect_right(starts, first) - 1
                    if at >= 0 and last <= out[at][1]:
                        yield _unreachable(site, service, rule, index, "all parts of it", None)


def _unreachable(
    site: Site,
    service: Service,
    rule: AccessRule,
    index: int,
    outer: str,
    place: tuple[Network, Span | None] | None,
) -> Diagnostic:
    source = rule.sources[index]
    notes = () if place is None else (Note(f"{place[0]} is kept out here", place[1]),)
    return Diagnostic(
        codes.RULE_UNREACHABLE,
        f"service `{service.name}` lets {source} in and keeps {outer} out: nobody of {source}"
        " gets in",
        site.span(rule, str(index)),
        notes,
    )


def somebody_gets_in(site: Site) -> Iterator[Diagnostic]:
    """The lists of a service do not keep everybody out."""
    for service, limits in _limits(site):
        allows = [rule for rule in limits.access if rule.allow]
        for rule in allows:
            if not rule.sources:
                yield Diagnostic(
                    codes.NOBODY_GETS_IN,
                    f"service `{service.name}` lets in whom this list names, and it names nobody",
                    site.span(rule),
                    help="leave `allow` out to let everybody in",
                )
        if not allows and kept_out(limits) == [(0, LAST)]:
            yield Diagnostic(
                codes.NOBODY_GETS_IN,
                f"service `{service.name}` keeps all sources out",
                site.span(limits.access[0]),
            )


def lists_name_somebody(site: Site) -> Iterator[Diagnostic]:
    """A list of sources to keep out is not empty."""
    for service, limits in _limits(site):
        for rule in limits.access:
            if not rule.allow and not rule.sources:
                yield Diagnostic(
                    codes.LIST_EMPTY,
                    f"the list names nobody: `deny` keeps nobody out of service `{service.name}`",
                    site.span(rule),
                )


def connections_carry_the_load(site: Site) -> Iterator[Diagnostic]:
    """With one node lost the others' `connections` are no less than the declared load."""
    for service, limits in _limits(site):
        most, load = limits.connections, service.load
        if most is None or load is None:
            continue
        for cluster in site.clusters:
            alive = max(1, len(cluster.nodes) - 1)
            if load.sessions > most * alive:
                nodes = "one node" if alive == 1 else f"each of {alive} nodes"
                lost = " that a lost one leaves" if len(cluster.nodes) > 1 else ""
                yield Diagnostic(
                    codes.THRESHOLD_UNMET,
                    f"service `{service.name}` shall carry {load.sessions:,} sessions, and"
                    f" `connections` stops at {most:,} on {nodes} of cluster {cluster.name}{lost}",
                    site.span(limits, "connections"),
                    (Note("the load", site.span(load, "sessions")),),
                )
                break


def connections_can_be_shared(site: Site) -> Iterator[Diagnostic]:
    """A worker's share of `connections` is a session at least, so fewer cannot be kept to."""
    for service, limits in _limits(site):
        most = limits.connections
        for cluster in site.clusters:
            if most is not None and most < cluster.workers:
                yield Diagnostic(
                    codes.CONNECTIONS_TOO_FEW,
                    f"service `{service.name}` may have {cluster.workers} sessions on a node of"
                    f" cluster {cluster.name}, not {most}: each worker takes one",
                    site.span(limits, "connections"),
                    (Note("the workers", site.span(cluster, "workers")),),
                    f"write `connections {cluster.workers}` or more",
                )
                break


RULES = (
    access_rules_apply,
    somebody_gets_in,
    lists_name_somebody,
    connections_carry_the_load,
    connections_can_be_shared,
)
