"""The node plan: everything that one node's sources and config files say, decided.

Plans are frozen and made by the functions of this package alone. Addresses are `IPv4Address`, times
are in milliseconds unless the name says ticks (100 ms), sizes in bytes unless it says mb. `origin`
is the place in the site that asked for the thing, as `site.tvs:31`, seen from the site's directory;
`reason` says why the value is what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING

from tvsc.model import (
    ClientAddress,
    Driver,
    IdlePolicy,
    Mode,
    OnDown,
    Protocol,
    Schedule,
    Secret,
    StatusRange,
    Steering,
)

if TYPE_CHECKING:
    from tvsc.plan.dump import PlanWriter

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """Services that share one instantiation of the packet path. `sorry` is the schedule of their
    sorry pools, None: they have none. `timeout_ticks` is by state; `limited`: the services have
    `limits`.
    """

    id: int
    mode: Mode
    protocol: Protocol
    scheduler: Schedule
    client_address: ClientAddress
    on_down: OnDown
    sorry: Schedule | None
    timeout_ticks: tuple[int, ...]
    limited: bool
    services: tuple[str, ...]
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One listener on one VIP: what the dataplane calls a service.

    `sorry` is the pool that serves while `pool` has no server that takes new sessions; with fewer
    than `min_up` the VIP is withdrawn, 0: never.
    """

    id: int
    name: str
    vip: IPv4Address
    port: int
    protocol: Protocol
    class_id: int
    pool: int
    sorry: int | None
    min_up: int
    origin: str

    @property
    def label(self) -> str:
        """`web tcp 203.0.113.10:80`."""
        return f"{self.name} {self.protocol.value} {self.vip}:{self.port}"


@dataclass(frozen=True, slots=True)
class BackendPlan:
    """A real server of a pool."""

    address: IPv4Address
    port: int
    weight: int
    drain: bool
    origin: str


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """A health check; `kind` is `none`, `tcp` or `http`, `port` 0 means the server's own. `expect`
    are ranges of HTTP statuses, both ends included, ascending, none touching another.
    """

    kind: str
    every_ms: int = 0
    timeout_ms: int = 0
    rise: int = 0
    fall: int = 0
    port: int = 0
    path: str | None = None
    host: str | None = None
    expect: tuple[StatusRange, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool that some service uses; `id` is its row. `table_entries` is how many turns or entries
    there are to pick a server from while all are healthy.
    """

    id: int
    name: str
    scheduler: Schedule
    table_entries: int
    table_reason: str
    on_down: OnDown
    check: CheckPlan
    backends: tuple[BackendPlan, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class RangePlan:
    """Addresses from `first` to `last`, both included."""

    first: IPv4Address
    last: IPv4Address


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """Sources that are kept out, as disjoint ranges in ascending order; `id` is the row of its
    table. An address's part of the index is what is left of it after `shift`; a search in the part
    takes at most `comparisons`.
    """

    id: int
    shift: int
    comparisons: int
    bytes: int
    origin: str
    reason: str
    ranges: tuple[RangePlan, ...]


@dataclass(frozen=True, slots=True)
class LimitPlan:
    """Limits of a service, as written and as each worker keeps them; 0 and None: no such limit. The
    service's listeners and VIPs have the ids `first` to `last`.
    """

    service: str
    first: int
    last: int
    connections: int
    worker_connections: int
    new_per_source: int
    worker_per_1000s: int
    worker_burst: int
    access: int | None
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class VipSlot:
    """An occupied row of the VIP table. `service` is None for the row that only says "a VIP"."""

    row: int
    vip: IPv4Address
    port: int
    protocol: Protocol | None
    service: int | None
    class_id: int
    pool: int
    origin: str


@dataclass(frozen=True, slots=True)
class VipTable:
    """Open addressing: `size` rows (a power of two), no key further than `probes` rows away."""

    size: int
    probes: int
    slots: tuple[VipSlot, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class LipPlan:
    """A local IP of the cluster. `slot` numbers a worker's local IPs from 0."""

    address: IPv4Address
    node: int
    worker: int
    slot: int


@dataclass(frozen=True, slots=True)
class LipMap:
    """Every local IP of the cluster, by address; `own` is this node's, by worker and slot.

    `copies` are the peers' whose sessions this node has, too, by node and address; their slots
    follow those of the worker's own. Empty without session sync.
    """

    short: IPv4Network
    long: IPv4Network
    entries: tuple[LipPlan, ...]
    own: tuple[LipPlan, ...]
    copies: tuple[LipPlan, ...]
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class RulePlan:
    """One flow rule: packets to `network` go to the queue of `worker`."""

    network: IPv4Network
    worker: int
    node: int
    avoid_ntuple: bool


@dataclass(frozen=True, slots=True)
class SteeringPlan:
    """How packets find their worker. `reta[hash % len]` is a worker; `key` is what the NIC gets."""

    mode: Steering
    key: bytes
    reta: tuple[int, ...]
    rules: tuple[RulePlan, ...]
    origin: str
    key_reason: str
    reta_reason: str
    rules_reason: str


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """A prefix that the node announces; `kind` is `vip`, `lip-long` or `lip-short`."""

    network: IPv4Network
    kind: str
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class NeighborPlan:
    """A BGP neighbour. `local` is the node's address on the same network."""

    name: str
    address: IPv4Address
    asn: int
    local: IPv4Address
    hold_s: int
    bfd_interval_ms: int
    bfd_multiplier: int
    password: Secret | None
    origin: str


@dataclass(frozen=True, slots=True)
class BgpPlan:
    """What BIRD says. `prepend` is how often the own AS is added to the path of a VIP. `med` and
    `local_pref` are what its route carries, None for nothing; so is `community`, two numbers, three
    for a large one, none for no community.
    """

    asn: int
    router_id: IPv4Address
    neighbors: tuple[NeighborPlan, ...]
    prepend: int
    med: int | None
    local_pref: int | None
    community: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class AnnouncePlan:
    """`is_last_resort`: VIPs whose services have a sorry pool stay announced, whatever `min-up`
    says, because no cluster comes after this one.
    """

    is_last_resort: bool
    reason: str


@dataclass(frozen=True, slots=True)
class PortPlan:
    """A dataplane port: `device` is a PCI address, or a device string of EAL when `is_vdev`. `vlan`
    is the 802.1Q identifier that all its frames have, None when they have no tag.
    """

    name: str
    device: str
    is_vdev: bool
    driver: Driver
    socket: int | None
    mtu: int
    vlan: int | None
    vlan_reason: str
    promiscuous: bool
    address: IPv4Interface
    gateway: IPv4Address
    gateway_mac: str | None
    origin: str


@dataclass(frozen=True, slots=True)
class SyncPathPlan:
    """A way to a peer, by the own port `port`: from `local` to `remote`, worker `w` of the one to
    worker `w` of the other from `source_ports[w]`.
    """

    port: str
    local: IPv4Address
    remote: IPv4Address
    source_ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """Another node of the cluster; `node` is its index there."""

    name: str
    node: int
    paths: tuple[SyncPathPlan, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """Session sync: the UDP port of all nodes, the place of the shared key, the other nodes."""

    port: int
    key: Secret
    peers: tuple[PeerPlan, ...]
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """What pools have in common. `flow_key` is of the hashes by which servers are picked; a host
    has at most `tables_bytes` of tables, in ordinary memory.
    """

    flow_key: bytes
    flow_key_reason: str
    tables_bytes: int
    tables_reason: str


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Sizes fixed at start. `bytes_per_session` counts every structure of a full worker.

    A worker opens at most `sessions_per_worker`; buckets and slots are for those of its peers, too,
    where there is session sync.
    """

    sessions_per_worker: int
    buckets_per_worker: int
    slots_per_worker: int
    port_first: int
    port_last: int
    worker_bytes: int
    bytes_per_session: float
    mbufs: int
    rx_ring: int
    tx_ring: int
    hugepages: bool
    hugepage_mb: int
    origin: str
    buckets_reason: str
    mbufs_reason: str
    hugepages_reason: str


@dataclass(frozen=True, slots=True)
class CorePlan:
    """Which cores run what; `workers` is empty and `control` None when threads float."""

    shared: bool
    control: int | None
    workers: tuple[int, ...]
    n_workers: int
    idle: IdlePolicy
    watchdog_ms: int
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node. `generation` names what is built from it; `sync_contract` (64 bits) is equal on
    all nodes that may share sessions.
    """

    compiler: str
    site: str
    cluster: str
    node: str
    node_index: int
    sources: tuple[str, ...]
    march: str
    generation: str
    sync_contract: int
    record_schema: int
    origin: str
    cores: CorePlan
    memory: MemoryPlan
    steering: SteeringPlan
    schedule: SchedulePlan
    ports: tuple[PortPlan, ...]
    lips: LipMap
    sync: SyncPlan | None
    routes: tuple[RoutePlan, ...]
    bgp: BgpPlan
    announce: AnnouncePlan
    classes: tuple[ClassPlan, ...]
    pools: tuple[PoolPlan, ...]
    services: tuple[ServicePlan, ...]
    access: tuple[AccessPlan, ...]
    limits: tuple[LimitPlan, ...]
    vips: VipTable


@dataclass(frozen=True, slots=True)
class SitePlan:
    """The plans of a site's nodes, in source order. `writer` knows the JSON of what they share."""

    site: str
    nodes: tuple[NodePlan, ...]
    writer: PlanWriter = field(compare=False, repr=False)

    def node(self, name: str) -> NodePlan:
        """The plan of a node; KeyError when the site has none of this name."""
        for plan in self.nodes:
            if plan.node == name:
                return plan
        raise KeyError(name)
