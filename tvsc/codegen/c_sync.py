"""SyncPlan -> what generation.c says of session sync: peers, ways to them, source ports."""

from __future__ import annotations

from dataclasses import dataclass

from tvsc.codegen.c_text import Noun, Row, c_bool, c_field, ipv4, numbers
from tvsc.model import SecretSource
from tvsc.plan import PeerPlan, SyncPathPlan, SyncPlan

_PORTS_PER_LINE = 8


@dataclass(frozen=True, slots=True)
class PortsContext:
    """The source ports of one path."""

    name: str
    comment: str
    count: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeerContext:
    """The tables of one peer, and its row among the peers."""

    ports: tuple[PortsContext, ...]
    name: str
    paths: tuple[Row, ...]
    row: Noun


@dataclass(frozen=True, slots=True)
class SyncContext:
    """Everything that templates/c/sync.j2 and symbol.j2 place."""

    comment: str
    peers: tuple[PeerContext, ...]
    fields: tuple[str, ...]


def _ports(peer: PeerPlan, number: int, path: SyncPathPlan) -> PortsContext:
    return PortsContext(
        name=f"sync_ports_{peer.node}_{number}",
        comment=f"To {peer.name}, from {path.local} to {path.remote}: each worker's source port.",
        count=len(path.source_ports),
        lines=tuple(numbers([str(port) for port in path.source_ports], _PORTS_PER_LINE)),
    )


def _peer(peer: PeerPlan) -> PeerContext:
    ports = tuple(_ports(peer, number, path) for number, path in enumerate(peer.paths))
    paths = f"sync_paths_{peer.node}"
    return PeerContext(
        ports=ports,
        name=paths,
        paths=tuple(
            Row("", f"{{{ipv4(path.local)}, {ipv4(path.remote)}, {made.name}}},")
            for path, made in zip(peer.paths, ports, strict=True)
        ),
        row=Noun(
            comment=peer.origin,
            fields=(
                c_field("name", peer.name, 8),
                f".node = {peer.node},",
                f".n_paths = {len(peer.paths)},",
                f".paths = {paths},",
            ),
        ),
    )


def sync_context(plan: SyncPlan) -> SyncContext:
    """Resolves what session sync adds to a node's source."""
    return SyncContext(
        comment=f"{plan.origin}: {plan.reason}.",
        peers=tuple(_peer(peer) for peer in plan.peers),
        fields=(
            f".port = {plan.port},",
            f".key_is_env = {c_bool(plan.key.source is SecretSource.ENV)},",
            c_field("key", plan.key.name, 12),
            f".n_peers = {len(plan.peers)},",
            ".peers = sync_peers,",
        ),
    )
