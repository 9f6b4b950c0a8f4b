"""Settings to the model: reads inherited `Fields`, writes a `Site`."""

from __future__ import annotations

from collections.abc import Collection

from tvsc.diag import codes
from tvsc.lower.build_cluster import build_cluster
from tvsc.lower.build_nic import build_nic
from tvsc.lower.build_pool import build_pool
from tvsc.lower.build_service import build_service, pools_of
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.nics import profile
from tvsc.lower.schema import Named
from tvsc.lower.scope import Context, Scope
from tvsc.model import Driver, Pool, Service, Site


def build_site(context: Context, top: Fields) -> Site | None:
    """The site, or None when it has no `site` block; whether it is whole, the messages say."""
    entry = next(top.all("site"), None)
    if entry is None:
        context.report(
            codes.MISSING_SETTING,
            "this file has no `site`",
            top.span,
            'write `site NAME { asn NUMBER  seed "TEXT" }`',
        )
        return None
    name = entry.value
    assert isinstance(name, str)
    scope = Scope(context, entry, "site", f"site `{name}`")
    nics = {nic.name: nic for nic in (build_nic(context, e) for e in top.all("nic"))}
    for driver in Driver:
        nics.setdefault(driver.value, profile(driver.value, driver, f"nic/{driver}"))
    clusters = tuple(build_cluster(context, e, list(nics)) for e in top.all("cluster"))
    if not clusters:
        context.report(codes.MISSING_SETTING, f"site `{name}` has no `cluster`", entry.span)
    pools = {_name(e): e for e in top.all("pool")}
    used = {port.nic for c in clusters for node in c.nodes for port in node.ports}
    return Site(
        at="site",
        name=name,
        asn=scope.need("asn", int, 1),
        seed=scope.need("seed", str, ""),
        clusters=clusters,
        nics=tuple(nic for nic in nics.values() if nic.name in used),
        pools=tuple(_pool(context, e) for e in pools.values()),
        services=tuple(_service(context, e, pools) for e in top.all("service")),
        origins=context.origins,
    )


def _pool(context: Context, entry: Entry) -> Pool:
    if entry.apart is None:
        return build_pool(context, entry)
    entry.apart.place(context.origins)
    noun = entry.apart.noun
    assert isinstance(noun, Pool)
    return noun


def _service(context: Context, entry: Entry, pools: Collection[str]) -> Service:
    if entry.apart is None:
        service = build_service(context, entry)
    else:
        entry.apart.place(context.origins)
        noun = entry.apart.noun
        assert isinstance(noun, Service)
        service = noun
    for name, at in pools_of(service):
        if name not in pools:
            span = context.origins.span(at)
            assert span is not None
            hint = context.did_you_mean(name, pools)
            context.report(codes.UNKNOWN_NAME, f"there is no pool `{name}`", span, hint)
    return service


def _name(entry: Entry) -> str:
    assert isinstance(entry.value, Named)
    return entry.value.name
