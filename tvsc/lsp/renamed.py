"""A model with one name replaced: what a site must be after a rename of its text."""

from __future__ import annotations

from collections.abc import Sequence

from tvsc.lsp.index import Thing
from tvsc.lsp.record import What
from tvsc.model import Cluster, Node, Noun, Service, Site


def same_but_for(before: Site, after: Site, thing: Thing | None, name: str) -> bool:
    """Whether `after` is `before` with the thing's name replaced; without a thing, the same."""
    expected = before if thing is None else _renamed(before, thing, name)
    return (
        (expected.name, expected.asn, expected.seed) == (after.name, after.asn, after.seed)
        and _same(expected.nics, after.nics)
        and _same(expected.pools, after.pools)
        and _same(expected.services, after.services)
        and _same(expected.clusters, after.clusters)
    )


def _same(expected: Sequence[Noun], after: Sequence[Noun]) -> bool:
    """Equal, wherever they were written: paths in the model have the name in them, too. Dumps leave
    the paths out, and take long.
    """
    if len(expected) != len(after):
        return False
    pairs = zip(expected, after, strict=True)
    return all(one == other or one.model_dump() == other.model_dump() for one, other in pairs)


def _renamed(site: Site, thing: Thing, name: str) -> Site:
    old = thing.name
    if thing.what is What.SITE:
        return site.model_copy(update={"name": name if site.name == old else site.name})
    if thing.what in (What.POOL, What.SERVICE):
        return site.model_copy(
            update={
                "pools": tuple(
                    pool.model_copy(update={"name": name})
                    if thing.what is What.POOL and pool.name == old
                    else pool
                    for pool in site.pools
                ),
                "services": tuple(_service(one, thing, name) for one in site.services),
            }
        )
    nics = tuple(
        nic.model_copy(update={"name": name}) if thing.what is What.NIC and nic.name == old else nic
        for nic in site.nics
    )
    clusters = tuple(_cluster(cluster, thing, name) for cluster in site.clusters)
    return site.model_copy(update={"nics": nics, "clusters": clusters})


def _service(service: Service, thing: Thing, name: str) -> Service:
    if thing.what is What.SERVICE:
        return service.model_copy(update={"name": name}) if service.name == thing.name else service
    listeners = tuple(
        one.model_copy(update={"pool": name}) if one.pool == thing.name else one
        for one in service.listeners
    )
    sorry = name if service.sorry == thing.name else service.sorry
    return service.model_copy(update={"listeners": listeners, "sorry": sorry})


def _cluster(cluster: Cluster, thing: Thing, name: str) -> Cluster:
    nodes = tuple(_node(node, thing, name) for node in cluster.nodes)
    update: dict[str, object] = {"nodes": nodes}
    if thing.what is What.CLUSTER and cluster.name == thing.name:
        update["name"] = name
    return cluster.model_copy(update=update)


def _node(node: Node, thing: Thing, name: str) -> Node:
    update: dict[str, object] = {}
    if thing.what is What.NODE and node.name == thing.name:
        update["name"] = name
    if thing.what is What.CLUSTER and node.cluster == thing.name:
        update["cluster"] = name
    ports = []
    for port in node.ports:
        fields = {}
        if thing.what is What.PORT and port.name == thing.name:
            fields["name"] = name
        if thing.what is What.NIC and port.nic == thing.name:
            fields["nic"] = name
        ports.append(port.model_copy(update=fields))
    return node.model_copy(update={**update, "ports": tuple(ports)})
