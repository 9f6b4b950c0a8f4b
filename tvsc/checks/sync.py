"""Session sync: somebody to talk to, and a port that nobody else uses."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import Site

BFD_PORTS = {3784: "BFD", 3785: "echoes of BFD", 4784: "BFD over several hops"}
"""UDP ports on which a node's BIRD listens."""


def sync_has_peers(site: Site) -> Iterator[Diagnostic]:
    """Session sync needs a second node."""
    for cluster in site.clusters:
        if cluster.sync is not None and len(cluster.nodes) == 1:
            only = cluster.nodes[0]
            yield Diagnostic(
                codes.SYNC_ALONE,
                f"cluster `{cluster.name}` has no node but `{only.name}` to share sessions with",
                site.span(cluster.sync),
                (Note("its only node", site.span(only)),),
                "leave `sync` out, or add a node",
            )


def sync_port_is_free(site: Site) -> Iterator[Diagnostic]:
    """What comes to the port is session sync, and never reaches a program of the node."""
    for cluster in site.clusters:
        sync = cluster.sync
        use = BFD_PORTS.get(sync.port) if sync is not None else None
        if sync is None or use is None:
            continue
        with_bfd = next((f for f in cluster.fabric if f.bfd is not None), None)
        notes = (Note("a neighbour with BFD", site.span(with_bfd, "bfd")),) if with_bfd else ()
        yield Diagnostic(
            codes.SYNC_PORT_TAKEN,
            f"UDP port {sync.port} is that of {use}",
            site.span(sync, "port"),
            notes,
            "write another one, like 7000",
        )


RULES = (sync_has_peers, sync_port_is_free)
