"""Capacity against the declared load: the sums, and the rule that judges them.

The load of a site is that of all its services together, and every cluster must carry it: a standby
takes over all of it. Spread is even over nodes (ECMP) and over rows of the redirection table (RSS).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tvsc.checks.capacity import PORTS_PER_LIP, most_local_ips
from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import Cluster, Protocol, Service, Site, Steering
from tvsc.plan.rss import reta

SOFTWARE_ROWS = 128


def linger_ms(service: Service) -> int:
    """How long a session keeps its place after its end."""
    times = service.timeouts
    by_protocol = {Protocol.TCP: times.tcp_fin_ms, Protocol.UDP: times.udp_ms}
    return max((by_protocol[listener.protocol] for listener in service.listeners), default=0)


@dataclass(frozen=True)
class Demand:
    """What the services declare, together: sessions open, new ones a second, and those that have
    ended and still have their place.
    """

    services: int
    open: int
    new_per_s: int
    lingering: int

    @property
    def sessions(self) -> int:
        """Places taken in the tables of a whole cluster."""
        return self.open + self.lingering


def demand_of(site: Site) -> Demand | None:
    """The sum of all declared loads; None when no service declares one."""
    loads = [(s, s.load) for s in site.services if s.load is not None]
    if not loads:
        return None
    return Demand(
        services=len(loads),
        open=sum(load.sessions for _, load in loads),
        new_per_s=sum(load.new_per_s for _, load in loads),
        lingering=sum(-(-load.new_per_s * linger_ms(s) // 1000) for s, load in loads),
    )


@dataclass(frozen=True)
class Room:
    """What a cluster has; `share` is that of the busiest worker in its node's requests."""

    cluster: Cluster
    rows: int

    @property
    def ports(self) -> int:
        """Local ports of one worker."""
        return self.cluster.local_ips.per_worker * PORTS_PER_LIP

    @property
    def worker(self) -> int:
        """Sessions of one worker: of its table, and of its ports."""
        return min(self.cluster.sessions_per_worker, self.ports)

    @cached_property
    def busiest_rows(self) -> int:
        """Rows of the redirection table that bring requests to the busiest worker."""
        return max(Counter(reta(self.rows, self.cluster.workers)).values(), default=0)

    def busiest(self, amount: int, nodes: int) -> int:
        """What of a cluster's `amount` the busiest worker gets when so many nodes live."""
        return -(-amount * self.busiest_rows // (nodes * self.rows))

    def sessions(self, nodes: int) -> int:
        """What so many nodes carry before the first worker is full."""
        return self.worker * nodes * self.rows // self.busiest_rows if self.busiest_rows else 0


def room_of(site: Site, cluster: Cluster) -> Room:
    """The cluster's room. Rows are those of its first NIC: all are alike."""
    rows = SOFTWARE_ROWS
    if cluster.steering is not Steering.SOFTWARE and cluster.nodes:
        rows = site.nic_of(cluster.nodes[0].ports[0]).reta_size or SOFTWARE_ROWS
    return Room(cluster, rows)


def load_fits(site: Site) -> Iterator[Diagnostic]:
    """Every cluster has room for the declared load, also with one node lost."""
    demand = demand_of(site)
    if demand is None:
        return
    heaviest = max(
        (s for s in site.services if s.load is not None),
        key=lambda s: s.load.sessions if s.load else 0,
    )
    for cluster in site.clusters:
        room, nodes = room_of(site, cluster), len(cluster.nodes)
        if not nodes or not cluster.workers:
            continue
        left = nodes - 1 or nodes  # nobody is left to take over from a single node
        wanted = room.busiest(demand.sessions, left)
        if wanted <= room.worker:
            continue
        healthy = room.busiest(demand.sessions, nodes)
        lost = "" if healthy > room.worker or left == nodes else " with one node lost"
        enough = _rounded(wanted)
        each = -(-enough // PORTS_PER_LIP)
        more = f" and `workers {each} each`" if enough > room.ports else ""
        help_text = (
            f"write `sessions {_written(enough)} per worker`{more}, which is enough with one node"
            " lost, too"
        )
        if each > most_local_ips(cluster):
            help_text = (
                f"each worker would need {each} local IPs, more than {nodes} nodes have slots for:"
                " more workers, more nodes or less load"
            )
        yield Diagnostic(
            codes.LOAD_EXCEEDS,
            f"the services declare {_sessions(demand)}, cluster `{cluster.name}` has room for"
            f" {room.sessions(left if lost else nodes):,}{lost}",
            site.span(cluster, "sessions"),
            (
                Note(
                    f"the busiest worker would get {wanted if lost else healthy:,}, and has room"
                    f" for {room.worker:,}"
                ),
                Note("the largest load", site.span(heaviest, "load")),
            ),
            help_text,
        )


def _sessions(demand: Demand) -> str:
    if not demand.lingering:
        return f"{demand.sessions:,} sessions"
    return f"{demand.sessions:,} sessions ({demand.lingering:,} of them ended and timing out)"


def _rounded(number: int) -> int:
    """Rounded up to two digits."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // step) * step


def _written(number: int) -> str:
    """As one would write it: 140k."""
    for unit, suffix in ((1_000_000, "M"), (1000, "k")):
        if number % unit == 0:
            return f"{number // unit}{suffix}"
    return str(number)


RULES = (load_fits,)
