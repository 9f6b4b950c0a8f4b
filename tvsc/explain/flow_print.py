"""A FlowExplanation as text for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from tvsc.explain.types import (
    FORMAT_VERSION,
    Arrival,
    Candidate,
    ClusterPart,
    FlowExplanation,
    Kind,
    NodePart,
    ReplyPart,
    ServicePart,
)

_MOST_CANDIDATES = 12


def as_json(explanation: FlowExplanation) -> str:
    """The whole explanation, with a `format_version`; ends with a newline."""
    return json.dumps({"format_version": FORMAT_VERSION, **asdict(explanation)}, indent=2) + "\n"


def text(explanation: FlowExplanation) -> str:
    """The explanation in lines; ends with a newline."""
    return "\n".join(_lines(explanation)) + "\n"


def _lines(explanation: FlowExplanation) -> Iterator[str]:
    yield f"{explanation.flow}: {explanation.summary}"
    if explanation.service is not None:
        yield from _service(explanation.service)
    for index, cluster in enumerate(explanation.clusters):
        yield ""
        before = explanation.clusters[index - 1].cluster if index else None
        yield from _cluster(cluster, explanation.kind, before)


def _service(service: ServicePart) -> Iterator[str]:
    yield (
        f"  service {service.name}: {service.protocol} {service.vip}:{service.port}"
        f" ({service.origin})"
    )
    yield f"  class {service.class_id}: {service.class_reason}"
    yield f"  pool {service.pool} ({service.pool_origin}), {service.schedule}: {_server(service)}"
    yield "  servers, while healthy:"
    yield from _candidates(service.candidates)
    if service.sorry is not None:
        yield (
            f"  sorry pool {service.sorry.name} ({service.sorry.origin}), {service.sorry.schedule},"
            f" for new sessions while no server of {service.pool} takes any; while healthy:"
        )
        yield from _candidates(service.sorry.candidates)
    if service.min_up:
        but = f", but in cluster {_names(service.keeps)}, the last" if service.keeps else ""
        yield (
            f"  min-up {service.min_up}: a node that sees fewer servers of {service.pool} withdraws"
            f" the VIP{but}"
        )
    if service.client_address == "toa":
        yield (
            "  the server sees a local IP, and the client's address and port in TCP option 254"
            " (TOA), from the SYN on until it answers past the handshake"
        )
    for limit in service.limits:
        yield f"  limit: {limit}"


def _candidates(candidates: tuple[Candidate, ...]) -> Iterator[str]:
    for candidate in candidates[:_MOST_CANDIDATES]:
        new = "" if candidate.takes_new else ", takes no new sessions"
        yield f"    {candidate.address}:{candidate.port} weight {candidate.weight}{new}"
    more = len(candidates) - _MOST_CANDIDATES
    if more > 0:
        yield f"    and {more} more"


def _server(service: ServicePart) -> str:
    if service.server is None:
        return service.server_reason
    return f"{service.server} while all are healthy; {service.server_reason}"


def _cluster(cluster: ClusterPart, kind: Kind, before: str | None) -> Iterator[str]:
    head = f"cluster {cluster.cluster} ({cluster.role}), steering {cluster.steering}"
    if kind is Kind.LOCAL_IP:
        yield head
    elif len(cluster.receives) == 1:
        yield f"{head}: {cluster.receives[0]} is its only node"
    else:
        yield (
            f"{head}: one of {_names(cluster.receives)}; the switch's own hash (of both addresses)"
            " picks which"
        )
    if before is not None:
        yield f"  only when no node of cluster {before} announces the VIP"
    for node in cluster.nodes:
        yield from _node(node, kind)


def _node(node: NodePart, kind: Kind) -> Iterator[str]:
    tagged = [
        name if vlan is None else f"{name} in VLAN {vlan}"
        for name, vlan in zip(node.ports, node.vlans, strict=True)
    ]
    shown = len(tagged) > 1 or tagged != list(node.ports)
    ports = f" (by {' or '.join(tagged)})" if shown else ""
    yield f"  {node.node}{ports}: {_arrival(node.arrival)}"
    if kind is Kind.LOCAL_IP:
        yield f"    by route {node.replies[0].route}, which it alone announces"
    elif node.replies:
        yield (
            f"    goes on from {_addresses(node.local_ips)}, a port of"
            f" {node.port_first}-{node.port_last}"
        )
        yield f"    replies come back {_replies(node.replies)}"
    if kind not in (Kind.NO_LISTENER, Kind.MARTIAN, Kind.DENIED):
        yield from _loss(node, kind)


def _loss(node: NodePart, kind: Kind) -> Iterator[str]:
    loss = node.loss
    if not loss.survivors:
        yield "    after its loss: " + (
            f"cluster {loss.standby} takes over" if loss.standby else "nobody is left"
        )
        return
    arrivals = loss.replies[0].arrivals if kind is Kind.LOCAL_IP else loss.arrivals
    several = "one of " if len(loss.survivors) > 1 else ""
    yield (
        f"    after its loss: {several}{_names(loss.survivors)}:"
        f" {_same(loss.survivors, arrivals, node.arrival)}"
    )
    if kind is Kind.REQUEST:
        yield f"      replies to its local IPs come {_replies(loss.replies)}"
        yield (
            "      open sessions go on with the dead node's local IP on the survivor (session sync)"
            if loss.sessions_go_on
            else "      open sessions end (the cluster has no `sync`), new ones are served"
        )
    elif kind is Kind.LOCAL_IP:
        yield f"      by route {loss.replies[0].route}; " + (
            "the session goes on there (session sync)"
            if loss.sessions_go_on
            else "dropped as `lip_of_peer`: the session was not handed over (the cluster has no"
            " `sync`)"
        )


def _same(names: Sequence[str], arrivals: Sequence[Arrival], before: Arrival) -> str:
    """Workers on several nodes; the usual case is that all are the same as before."""
    if {(a.worker, a.core, a.queue) for a in arrivals} == {
        (before.worker, before.core, before.queue)
    }:
        return "the same" if before.worker is None else f"the same {_place(before)}"
    if len(names) == 1:
        return _place(arrivals[0])
    return "; ".join(f"{n}: {_place(a)}" for n, a in zip(names, arrivals, strict=True))


def _replies(replies: Sequence[ReplyPart]) -> str:
    """The routes and rules of the local IPs of one worker."""
    first = replies[0]
    who = "which it alone announces" if first.route_kind == "lip-long" else "which all announce"
    arrivals = [arrival for reply in replies for arrival in reply.arrivals]
    rules = list(dict.fromkeys(a.rule for a in arrivals if a.rule is not None))
    places = list(dict.fromkeys(_place(a) for a in arrivals))
    if first.arrivals[0].by == "software":
        by = "handed to the owner of the local IP"
    elif not rules:
        by = "no rule, so by RSS"
    elif len(rules) == 1:
        by = f"flow rule {rules[0]}"
    else:
        by = f"flow rules {rules[0]} to {rules[-1]} ({len(rules)})"
    return f"by {first.route}, {who}; {by} -> {'; '.join(places)}"


def _arrival(arrival: Arrival) -> str:
    if arrival.rule is not None:
        return f"{arrival.by} {arrival.rule} -> {_place(arrival)}"
    if arrival.worker is None:
        return "any queue, any worker"
    if arrival.hash is None:
        return f"any queue; handed to {_place(arrival)}"
    how = f"hash 0x{arrival.hash:08x}, row {arrival.row} of {arrival.rows}"
    if arrival.queue is None:
        return f"any queue; the packet path hands it over: {how} -> {_place(arrival)}"
    return f"RSS {how} -> {_place(arrival)}"


def _place(arrival: Arrival) -> str:
    if arrival.worker is None:
        return "any worker"
    queue = "" if arrival.queue is None else f"queue {arrival.queue}, "
    core = "shared cores" if arrival.core is None else f"core {arrival.core}"
    return f"{queue}worker {arrival.worker}, {core}"


def _addresses(addresses: Sequence[str]) -> str:
    if len(addresses) <= 2:
        return " or ".join(addresses)
    return f"one of {addresses[0]} to {addresses[-1]} ({len(addresses)})"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names)
