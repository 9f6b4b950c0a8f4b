"""What a worker works with: sessions, servers in their turn, ports in the order of their age."""

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd

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


def schedule_ring(pool: Pool, backends: list[Backend]) -> list[int]:
    """One period: server i's k-th appearance at (k + 1/2) / weight, ties in order of the list."""
    weights = [b.weight if b.state == "up" else 0 for b in backends]
    if pool.scheduler == "rr":
        weights = [min(weight, 1) for weight in weights]
    shared = gcd(*weights)
    places = [
        (Fraction(2 * k + 1, 2 * (weight // shared)), number)
        for number, weight in enumerate(weights)
        for k in range(weight // shared if shared else 0)
    ]
    return [number for _, number in sorted(places)]


@dataclass
class Shared:
    """What all workers of a node see."""

    site: Site
    backends: list[list[Backend]]
    neighbour_found: list[bool]
    removed: set[int] = field(default_factory=set)
    now: int = 0

    def ring(self, pool: int) -> list[int]:
        return schedule_ring(self.site.pools[pool], self.backends[pool])


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
