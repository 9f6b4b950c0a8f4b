"""Services: what the clients see."""

from __future__ import annotations

from enum import StrEnum

from tvsc.model.base import Address, Network, Noun, assembled


class Mode(StrEnum):
    """How packets reach the real server."""

    FULLNAT = "fullnat"
    TUNNEL = "tunnel"


class ClientAddress(StrEnum):
    """How the real server learns the client's address."""

    NONE = "none"
    TOA = "toa"
    PROXY_V2 = "proxy-v2"


class Protocol(StrEnum):
    """Transport protocol of a listener."""

    TCP = "tcp"
    UDP = "udp"

    @property
    def number(self) -> int:
        """The IP protocol number."""
        return 6 if self is Protocol.TCP else 17


class Listener(Noun):
    """`protocol` `port` on every VIP of the service goes to the pool named `pool`."""

    protocol: Protocol
    port: int
    pool: str


class Timeouts(Noun):
    """How long a session may be idle in each state, in milliseconds. `tcp_close_ms` is after a
    reset.
    """

    tcp_syn_ms: int
    tcp_established_ms: int
    tcp_fin_ms: int
    tcp_close_ms: int
    udp_ms: int


class Vip(Noun):
    """A virtual address of a service."""

    address: Address


class AccessRule(Noun):
    """Sources to let in or keep out; those of a list file have places of their own, `AT/INDEX`. A
    source gets in when no rule keeps it out, and some rule lets it in or none lets anybody in: the
    order means nothing.
    """

    allow: bool
    sources: tuple[Network, ...]


class Limits(Noun):
    """Protections of a service on a node; None where there is no limit. `new_per_source` is
    sessions a second.
    """

    connections: int | None = None
    new_per_source: int | None = None
    access: tuple[AccessRule, ...] = ()


class Load(Noun):
    """What a service is expected to carry at its worst, over all nodes of the cluster that serves:
    sessions open at a time, and new ones a second. The checks hold it against the capacity.
    """

    sessions: int
    new_per_s: int = 0


class Service(Noun):
    """VIPs and listeners. `min_up` healthy servers are needed in each pool, or the VIPs are
    withdrawn here (0: never); `sorry` names the pool that serves when the listener's own has no
    healthy server.
    """

    name: str
    vips: tuple[Vip, ...]
    listeners: tuple[Listener, ...]
    mode: Mode
    client_address: ClientAddress
    timeouts: Timeouts
    limits: Limits | None
    min_up: int
    sorry: str | None
    load: Load | None = None

    @property
    def is_limited(self) -> bool:
        """Whether anything of its `limits` can refuse a session."""
        limits = self.limits
        return limits is not None and (
            limits.connections is not None
            or limits.new_per_source is not None
            or bool(limits.access)
        )

    @property
    def pools(self) -> tuple[str, ...]:
        """The pools that its clients may be sent to: its listeners' and `sorry`, each once."""
        names = [listener.pool for listener in self.listeners]
        return tuple(dict.fromkeys([*names, *([self.sorry] if self.sorry is not None else [])]))


# A site may have tens of thousands of each, of values that are known to be good.

_VIP, _LISTENER, _TIMEOUTS, _SERVICE = (
    set(noun.model_fields) for noun in (Vip, Listener, Timeouts, Service)
)


def known_vip(at: str, address: Address) -> Vip:
    """A VIP; nothing is validated."""
    return assembled(Vip, {"at": at, "address": address}, _VIP)


def known_listener(at: str, protocol: Protocol, port: int, pool: str) -> Listener:
    """A listener; nothing is validated."""
    fields = {"at": at, "protocol": protocol, "port": port, "pool": pool}
    return assembled(Listener, fields, _LISTENER)


def known_timeouts(at: str, syn: int, established: int, fin: int, close: int, udp: int) -> Timeouts:
    """Timeouts in milliseconds; nothing is validated."""
    fields = {
        "at": at,
        "tcp_syn_ms": syn,
        "tcp_established_ms": established,
        "tcp_fin_ms": fin,
        "tcp_close_ms": close,
        "udp_ms": udp,
    }
    return assembled(Timeouts, fields, _TIMEOUTS)


def known_service(
    at: str,
    name: str,
    vips: tuple[Vip, ...],
    listeners: tuple[Listener, ...],
    mode: Mode,
    client_address: ClientAddress,
    timeouts: Timeouts,
    limits: Limits | None,
    min_up: int,
    sorry: str | None,
    load: Load | None,
) -> Service:
    """A service; nothing is validated."""
    fields = {
        "at": at,
        "name": name,
        "vips": vips,
        "listeners": listeners,
        "mode": mode,
        "client_address": client_address,
        "timeouts": timeouts,
        "limits": limits,
        "min_up": min_up,
        "sorry": sorry,
        "load": load,
    }
    return assembled(Service, fields, _SERVICE)
