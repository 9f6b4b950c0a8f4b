"""What is said about a flow: plain, frozen, the same for text and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FORMAT_VERSION = 1


class Kind(StrEnum):
    """What the destination is to the site; MARTIAN: a VIP that does not serve this source; DENIED:
    a listener whose `limits` keep it out.
    """

    REQUEST = "request"
    MARTIAN = "martian-source"
    DENIED = "source-denied"
    NO_LISTENER = "no-listener"
    ECHO = "echo"
    LOCAL_IP = "local-ip"
    OWN_ADDRESS = "own-address"
    SYNC = "session-sync"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A real server. `takes_new`: has weight and is not drained; health is known on the node."""

    address: str
    port: int
    weight: int
    takes_new: bool
    origin: str


@dataclass(frozen=True, slots=True)
class PoolPart:
    """A pool beside the listener's own."""

    name: str
    origin: str
    schedule: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class ServicePart:
    """The listener that takes the flow, its class and its pool. `server` is what a pool with all
    servers healthy gives the flow, None where that depends on more than the flow; `server_reason`
    says on what. `sorry` is the pool that serves while that one has no server; with fewer servers
    than `min_up` the VIP is withdrawn, but for the clusters in `keeps`, 0: never. `client_address`:
    how the server learns the client's, as the site says. `limits`: those that apply.
    """

    name: str
    vip: str
    port: int
    protocol: str
    origin: str
    class_id: int
    class_reason: str
    client_address: str
    pool: str
    pool_origin: str
    schedule: str
    server: str | None
    server_reason: str
    candidates: tuple[Candidate, ...]
    sorry: PoolPart | None
    min_up: int
    keeps: tuple[str, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a packet reaches its worker on one node. `by` is `rss`, `flow rule`, `five-tuple filter`
    or `software` (then `queue` is None: any). `hash` and `row` are None where no hash decides,
    `worker` where any will do, `core` where the workers share the cores.
    """

    by: str
    hash: int | None
    row: int | None
    rows: int
    rule: str | None
    queue: int | None
    worker: int | None
    core: int | None


@dataclass(frozen=True, slots=True)
class ReplyPart:
    """The way back to one local IP: the route that brings it, and to whom."""

    local_ip: str
    route: str
    route_kind: str
    nodes: tuple[str, ...]
    arrivals: tuple[Arrival, ...]


@dataclass(frozen=True, slots=True)
class LossPart:
    """After the loss of a node: who may get the flow, where it arrives there, where its replies
    do. `arrivals[i]` is on `survivors[i]`. `sessions_go_on`: the survivors have the open sessions,
    by session sync.
    """

    survivors: tuple[str, ...]
    arrivals: tuple[Arrival, ...]
    replies: tuple[ReplyPart, ...]
    standby: str | None
    sessions_go_on: bool


@dataclass(frozen=True, slots=True)
class NodePart:
    """The flow on one node, should the switch choose it. It may come by any of `ports`: their NICs
    are of one kind, with the same rules. `vlans[i]` is the tag that it has on `ports[i]`.
    """

    node: str
    ports: tuple[str, ...]
    vlans: tuple[int | None, ...]
    arrival: Arrival
    local_ips: tuple[str, ...]
    port_first: int
    port_last: int
    replies: tuple[ReplyPart, ...]
    loss: LossPart


@dataclass(frozen=True, slots=True)
class ClusterPart:
    """One cluster. `receives`: the nodes among which the switch's hash chooses."""

    cluster: str
    role: str
    steering: str
    receives: tuple[str, ...]
    nodes: tuple[NodePart, ...]


@dataclass(frozen=True, slots=True)
class FlowExplanation:
    """The whole answer; `clusters` in the order in which the switch prefers them."""

    flow: str
    kind: Kind
    summary: str
    service: ServicePart | None
    clusters: tuple[ClusterPart, ...]
