"""What the naive model knows of a site: plain numbers, addresses as integers in host order."""

from dataclasses import dataclass
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Network

DEFAULT_GATEWAY_MAC = bytes.fromhex("020000000001")


def ip(text: str) -> int:
    return int(IPv4Address(text))


@dataclass(frozen=True)
class Port:
    address: int
    prefix_len: int
    gateway_mac: bytes = DEFAULT_GATEWAY_MAC
    vlan: int = 0  # 0: frames have no tag
    mtu: int = 1500

    def has(self, address: int) -> bool:
        return (address ^ self.address) >> (32 - self.prefix_len) == 0


@dataclass(frozen=True)
class Lip:
    """An address of the local-IP range that some worker of some node owns."""

    worker: int
    slot: int | None  # of the worker's records; None: its sessions are not on this node
    own: bool = True  # else a peer's: copies of its sessions are here


@dataclass(frozen=True)
class Server:
    address: int
    port: int
    weight: int
    drain: bool = False


@dataclass(frozen=True)
class Pool:
    name: str
    servers: tuple[Server, ...]
    scheduler: str  # wrr, rr, maglev, source-hash, least-loaded
    on_down: str  # keep, reset
    table_size: int = 0  # maglev, source-hash


@dataclass(frozen=True)
class Limits:
    """What one worker allows; services of one group are one to it."""

    group: int
    connections: int | None = None
    ticks_per_session: Fraction | None = None  # of one source
    burst: int = 0
    allow: tuple[IPv4Network, ...] | None = None  # None: everybody
    deny: tuple[IPv4Network, ...] = ()

    def keeps_out(self, source: int) -> bool:
        def named(networks: tuple[IPv4Network, ...]) -> bool:
            return any(IPv4Address(source) in network for network in networks)

        return named(self.deny) or (self.allow is not None and not named(self.allow))


@dataclass(frozen=True)
class Service:
    vip: int
    port: int
    proto: int
    pool: int
    timeouts: dict[str, int]  # ticks, by state
    sorry: int | None = None  # the pool that serves while `pool` has no server
    client_address: str = "none"  # none, toa
    limits: Limits | None = None


@dataclass(frozen=True)
class Rule:
    address: int
    mask: int
    worker: int
    proto: int = 0


@dataclass(frozen=True)
class Site:
    n_workers: int
    steering: str  # fdir, software
    rss_key: bytes
    reta: tuple[int, ...]
    rules: tuple[Rule, ...]
    ports: tuple[Port, ...]
    lip_base: int
    lip_count: int
    lips: dict[int, Lip]
    services: tuple[Service, ...]
    pools: tuple[Pool, ...]
    sessions_per_worker: int
    port_first: int
    port_last: int
    flow_key: bytes = b""

    @property
    def vips(self) -> frozenset[int]:
        return frozenset(service.vip for service in self.services)

    def service(self, vip: int, port: int, proto: int) -> int | None:
        for number, service in enumerate(self.services):
            if (service.vip, service.port, service.proto) == (vip, port, proto):
                return number
        return None

    def lips_of(self, worker: int) -> list[int]:
        """Its own addresses, in order of slot."""
        own = [
            (lip.slot, address)
            for address, lip in self.lips.items()
            if lip.worker == worker and lip.slot is not None and lip.own
        ]
        return [address for _, address in sorted(own)]

    def nexthop(self, destination: int) -> int:
        """The port a packet leaves through."""
        for number, port in enumerate(self.ports):
            if port.has(destination):
                return number
        return 0

    def l2(self, port: int) -> bytes:
        own = b"\x02tvs\x00" + bytes([port])
        return self.ports[port].gateway_mac + own + b"\x08\x00"
