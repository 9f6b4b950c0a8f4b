"""What a service's limits say of a source: by which entry it is kept out, or what applies to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from tvsc.model import Limits, Service, Site
from tvsc.plan import LimitPlan, NodePlan, ServicePlan, SitePlan
from tvsc.plan.access import decisive
from tvsc.source import SourceMap


@dataclass(frozen=True)
class LimitsExplainer:
    """Reads the entries as they are written; the packet path has them as disjoint ranges."""

    site: Site
    sources: SourceMap
    plan: SitePlan

    def denied(self, service: ServicePlan, source: IPv4Address) -> str | None:
        """Why the source does not get in, with the entry's place; None when it does."""
        limits = self._service(service).limits
        if limits is None or not limits.access:
            return None
        found = decisive(limits, source)
        if found is not None and not found[0].allow:
            return self._entry(limits, source)
        if found is None and any(rule.allow for rule in limits.access):
            first = next(rule for rule in limits.access if rule.allow)
            return f"no `allow` names it ({self.sources.label(self.site.span(first))})"
        return None

    def applying(self, service: ServicePlan, source: IPv4Address) -> Iterator[str]:
        """The limits of a source that gets in, one a line."""
        limits = self._service(service).limits
        if limits is None:
            return
        if limits.access:
            yield self._entry(limits, source) or "no `deny` names the source"
        for node in self._clusters():
            plan = next((p for p in node.limits if p.first <= service.id <= p.last), None)
            if plan is not None:
                yield from _numbers(plan, node)

    def _entry(self, limits: Limits, source: IPv4Address) -> str | None:
        found = decisive(limits, source)
        if found is None:
            return None
        rule, index = found
        place = self.sources.label(self.site.span(rule, str(index)))
        return f"`{'allow' if rule.allow else 'deny'}` names {rule.sources[index]} ({place})"

    def _service(self, service: ServicePlan) -> Service:
        return next(s for s in self.site.services if s.name == service.name)

    def _clusters(self) -> Iterator[NodePlan]:
        """The first node of each: the others have the same limits."""
        seen: set[str] = set()
        for node in self.plan.nodes:
            if node.cluster not in seen:
                seen.add(node.cluster)
                yield node


def _numbers(plan: LimitPlan, node: NodePlan) -> Iterator[str]:
    where = f"on each worker of cluster {node.cluster} ({plan.origin})"
    if plan.connections:
        sessions = "session" if plan.connections == 1 else "sessions"
        yield (
            f"{plan.connections} {sessions} of the service on a node, {plan.worker_connections}"
            f" {where}; beyond, `service_full`"
        )
    if plan.new_per_source:
        yield (
            f"{plan.new_per_source} new sessions a second of one source on a node,"
            f" {plan.worker_per_1000s / 1000:g}/s and {plan.worker_burst} at once {where}; beyond,"
            " `source_too_fast`"
        )
