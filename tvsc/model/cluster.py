"""A cluster: machines that announce the same VIPs with the same preference and share one core
layout.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Network

from tvsc.model.base import Address, Model, Noun
from tvsc.model.node import Node
from tvsc.model.secret import Secret


class Preference(StrEnum):
    """A primary keeps the default preference, a standby lowers its own."""

    PRIMARY = "primary"
    STANDBY = "standby"


class Lowering(StrEnum):
    """How a standby makes its routes less preferred."""

    PREPEND = "prepend"
    MED = "med"
    COMMUNITY = "community"
    LOCAL_PREF = "local-pref"


USUAL_LOCAL_PREF = 100
"""What a route has that says nothing: that of a primary."""


class Role(Model):
    """`prepend`, `med` and `local_pref` are 0 and `community` is empty unless `lowering` names
    them. For a primary all are. `prepend` is how many times the own AS is added to the path of
    every VIP. `community` has two numbers of 16 bits, or three of 32 (a large community).
    """

    preference: Preference
    lowering: Lowering | None = None
    prepend: int = 0
    med: int = 0
    local_pref: int = 0
    community: tuple[int, ...] = ()

    @property
    def community_text(self) -> str:
        """The community as people write it, `64512:80`; empty without one."""
        return ":".join(map(str, self.community))

    @property
    def rank(self) -> tuple[bool, bool, int, int, int]:
        """As a switch compares routes, the smallest being the one that it wants: standby, a
        community (for which its policy takes away local preference, to 0 for GRACEFUL_SHUTDOWN),
        local preference (negated), length of the path, MED.
        """
        is_standby = self.preference is Preference.STANDBY
        local_pref = self.local_pref if self.lowering is Lowering.LOCAL_PREF else USUAL_LOCAL_PREF
        return is_standby, bool(self.community), -local_pref, self.prepend, self.med


class Steering(StrEnum):
    """How a packet finds the worker that owns its session."""

    FDIR = "fdir"
    RSS_PORT = "rss-port"
    SOFTWARE = "software"


class IdlePolicy(StrEnum):
    """What a worker does with nothing to do: poll on, or sleep until the device has packets."""

    BUSY = "busy"
    INTERRUPT = "interrupt"


class LocalIps(Noun):
    """The cluster's local IPs.

    `short` covers them all and is announced by every node; every node alone announces its own
    prefix of `long_length` bits; a worker owns `per_worker` addresses. Node `i` has the `i`-th
    such prefix of `short`. Inside it worker `w` has the first `per_worker` addresses of an
    aligned block (the next power of two); the first block stays empty where there is room, so
    that no local IP is a network address.
    """

    short: IPv4Network
    long_length: int
    per_worker: int


class Sync(Noun):
    """Session sync inside the cluster: UDP port and the shared key's place."""

    port: int
    key: Secret


class Bfd(Model):
    """A neighbour is down after `multiplier` missed packets, one every `interval_ms`."""

    interval_ms: int
    multiplier: int


class Fabric(Noun):
    """A BGP neighbour of every node of the cluster: the upstream switch."""

    address: Address
    asn: int
    hold_ms: int
    bfd: Bfd | None
    password: Secret | None


class Cluster(Noun):
    """`workers` forwarding workers on each node, each with room for `sessions_per_worker`
    sessions; `cpu` is the `-march` its packet path is compiled for. The switch shall notice a dead
    node within `failover_ms`, if that is not None.
    """

    name: str
    role: Role
    workers: int
    steering: Steering
    sessions_per_worker: int
    idle: IdlePolicy
    cpu: str
    failover_ms: int | None = None
    local_ips: LocalIps
    sync: Sync | None
    fabric: tuple[Fabric, ...]
    nodes: tuple[Node, ...]
