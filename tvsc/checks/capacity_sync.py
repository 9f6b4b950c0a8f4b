"""Session sync against the declared load: what a node tells the others, in bits on the wire.

Every node tells every other of its own sessions, so that in a healthy cluster a node hears as much
as it says. What a node asks for when it starts is not counted: it is not the load's.
"""

from __future__ import annotations

from typing import Final

from tvsc.model import Protocol, Service, Site

TOLD: Final = {Protocol.TCP: 3, Protocol.UDP: 1}
"""How often a session is told, at most: when it is established, at its first FIN, when closed."""

REFRESHES: Final = 2
"""A session that lives on is told again before a half of its timeout has passed."""

SESSION_BYTES: Final = 32
SESSIONS_PER_MESSAGE: Final = 40
HEADER_BYTES: Final = 48
MESSAGE_BYTES: Final = HEADER_BYTES + 8 + 20 + 14 + 24
"""Of a message but for its sessions: header (tvs/sync.h), UDP, IPv4, Ethernet, gap and the like."""

FLUSHES_PER_S: Final = 200
"""A worker sends what it has after 5 ms, though the message may not be full."""


def _timeout_ms(service: Service, protocol: Protocol) -> int:
    times = service.timeouts
    return times.udp_ms if protocol is Protocol.UDP else times.tcp_established_ms


def told_per_s(service: Service) -> int:
    """How often a second sessions of a service are told. One with TCP and UDP is taken for that of
    the two which is told more.
    """
    load = service.load
    if load is None:
        return 0
    protocols = {listener.protocol for listener in service.listeners}
    return max(
        (
            load.new_per_s * TOLD[p]
            + -(-load.sessions * REFRESHES * 1000 // _timeout_ms(service, p))
            for p in protocols
        ),
        default=0,
    )


def site_told_per_s(site: Site) -> int | None:
    """Of all services together; None when none declares a load."""
    if all(service.load is None for service in site.services):
        return None
    return sum(map(told_per_s, site.services))


def messages_per_s(told: int, nodes: int, workers: int) -> int:
    """What one of so many nodes sends to each other, at most."""
    own = -(-told // nodes)
    return min(own, own // SESSIONS_PER_MESSAGE + workers * FLUSHES_PER_S)


def bits_per_s(told: int, nodes: int, workers: int) -> int:
    """What one of so many nodes sends to all others, at most."""
    sessions = -(-told // nodes) * SESSION_BYTES
    return 8 * (nodes - 1) * (sessions + messages_per_s(told, nodes, workers) * MESSAGE_BYTES)
