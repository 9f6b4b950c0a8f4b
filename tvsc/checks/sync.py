"""Session sync: somebody to talk to, a port that nobody else uses, room in a packet, a key."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import join, normpath

from tvsc.checks.capacity_sync import HEADER_BYTES, SESSION_BYTES, SESSIONS_PER_MESSAGE
from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import SecretSource, Site

BFD_PORTS = {3784: "BFD", 3785: "echoes of BFD", 4784: "BFD over several hops"}
"""UDP ports on which a node's BIRD listens."""

LEAST_MTU = 20 + 8 + HEADER_BYTES + SESSIONS_PER_MESSAGE * SESSION_BYTES
"""IPv4, UDP and the longest message; it may not be fragmented."""

SECRETS_DIR = "/etc/tvs"
"""Where a relative path begins on the node."""

HIDDEN = ("/home", "/root", "/run/user")
"""Empty for the daemon: tvsd.service has ProtectHome."""


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


def sync_fits_mtu(site: Site) -> Iterator[Diagnostic]:
    """A full message fits a packet of each port that talks. Small ones would come through, and so
    hide that sessions do not.
    """
    for cluster in site.clusters:
        if cluster.sync is None:
            continue
        pairs = sorted((len(node.ports) for node in cluster.nodes), reverse=True)[1:2]
        talking = (port for node in cluster.nodes for port in node.ports[: sum(pairs)])
        small = next((port for port in talking if port.mtu < LEAST_MTU), None)
        if small is not None:
            yield Diagnostic(
                codes.SYNC_MTU,
                f"a message of session sync has up to {LEAST_MTU} bytes, and port `{small.name}`"
                f" takes {small.mtu}",
                site.span(small, "mtu"),
                (Note("session sync is wanted here", site.span(cluster.sync)),),
                f"an `mtu` of {LEAST_MTU} or more",
            )


def sync_key_is_seen(site: Site) -> Iterator[Diagnostic]:
    """The daemon can see the directory that the key is in."""
    for cluster in site.clusters:
        sync = cluster.sync
        if sync is None or sync.key.source is not SecretSource.FILE:
            continue
        path = normpath(join(SECRETS_DIR, sync.key.name))
        hidden = next(
            (each for each in HIDDEN if f"/{path.lstrip('/')}".startswith(f"{each}/")), ""
        )
        if hidden:
            yield Diagnostic(
                codes.SYNC_KEY_HIDDEN,
                f"tvsd sees nothing in {hidden}, and the key is to be in {path}",
                site.span(sync, "key"),
                help=f"a relative path begins at {SECRETS_DIR}",
            )


RULES = (sync_has_peers, sync_port_is_free, sync_fits_mtu, sync_key_is_seen)
