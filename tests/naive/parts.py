"""What a worker works with: sessions, servers in their turn, ports in the order of their age."""

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction

from tests.naive import schedule
from tests.naive.site import Pool, Site


@dataclass
class Session:
    client: tuple[int, int]
    vip: tuple[int, int]
    local: tuple[int, int]
    server: tuple[int, int]
    proto: int
    service: int
    pool: int
    backend: int
    state: str
    opened: int
    expires: int = 0
    owes_address: bool = False  # the server may not know its client's

    @property
    def key(self) -> tuple[int, int, int, int, int]:
        return (*self.client, *self.vip, self.proto)


@dataclass
class Backend:
    address: int
    port: int
    weight: int
    state: str  # up, down, drain


@dataclass
class Bucket:
    """Sessions that a source may open, as of the tick `since`."""

    sessions: Fraction
    since: int


def schedule_ring(pool: Pool, backends: list[Backend], flow_key: bytes) -> list[int]:
    """What a worker picks servers from: a period of turns, or a table for hashes."""
    weights = tuple(b.weight if b.state == "up" else 0 for b in backends)
    if pool.scheduler in schedule.HASHED:
        return schedule.maglev(pool.servers, weights, pool.table_size, flow_key)
    if pool.scheduler == "rr":
        weights = tuple(min(weight, 1) for weight in weights)
    return schedule.period(weights)


@dataclass
class Shared:
    """What all workers of a node see."""

    site: Site
    backends: list[list[Backend]]
    neighbour_found: list[bool]
    seed: int = 1  # of the workers' secrets
    removed: set[int] = field(default_factory=set)
    now: int = 0

    def ring(self, pool: int) -> list[int]:
        return schedule_ring(self.site.pools[pool], self.backends[pool], self.site.flow_key)


class FreePorts:
    """Those never used come first, in turn over the local IPs; then the longest unused."""

    def __init__(self, site: Site, worker: int) -> None:
        self.lips = site.lips_of(worker)
        self.first = site.port_first
        self.never_used = (site.port_last + 1 - site.port_first) * len(self.lips)
        self.used = 0
        self.returned: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        return self.never_used - self.used + len(self.returned)

    def take(self) -> tuple[int, int]:
        if self.used == self.never_used:
            return self.returned.popleft()
        port, slot = divmod(self.used, len(self.lips))
        self.used += 1
        return self.lips[slot], self.first + port

    def put(self, local: tuple[int, int]) -> None:
        self.returned.append(local)
