"""Verdicts on shares: what is right is called right, and what is off is called off."""

import random
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

from tests.lab.conftest import LAPTOP
from tvsc.lab import spread
from tvsc.lab.client import Fetch
from tvsc.lab.topology import LabPool, Topology, build_topology
from tvsc.model import Schedule, Site


def _fetches(topology: Topology, servers: list[str], seed: int = 1) -> list[Fetch]:
    """One fetch per server of `servers`, from hashed places of cluster A."""
    draw = random.Random(seed)
    return [
        Fetch(
            target=topology.targets[0],
            source=IPv4Address(0xC6120002 + i % 250),
            source_port=1024 + i,
            start_ns=i,
            took_ms=1.0,
            server=server,
            local_ip=draw.choice(draw.choice(draw.choice(topology.serving).lips)),
            local_port=2000 + i,
        )
        for i, server in enumerate(servers)
    ]


def _in_turn(topology: Topology, count: int) -> list[str]:
    period = [name for name, weight in topology.pools[0].weights for _ in range(weight)]
    return [period[i % len(period)] for i in range(count)]


def test_a_sound_spread_is_good(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    placed = spread.place(topology, _fetches(topology, _in_turn(topology, 2000)))
    assert len(placed) == 2000
    assert spread.over_workers(topology, placed).good
    servers = spread.over_servers(topology.pools[0], placed)
    assert servers.good
    assert [share.expected for share in servers.shares] == [400.0, 400.0, 400.0, 800.0]


def test_a_worker_that_takes_all_is_off(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    placed = spread.place(topology, _fetches(topology, _in_turn(topology, 400)))
    lazy = {fetch: (node, 0) for fetch, (node, _) in placed.items()}
    assert not spread.over_workers(topology, lazy).good


def test_a_node_without_flows_is_off(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    placed = spread.place(topology, _fetches(topology, _in_turn(topology, 400)))
    three = {
        fetch: ("tvs-a2" if node == "tvs-a1" else node, worker)
        for fetch, (node, worker) in placed.items()
    }
    assert not spread.over_nodes(topology, three).good


def test_a_standby_that_serves_is_off(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    placed = spread.place(topology, _fetches(topology, _in_turn(topology, 400)))
    fetch = next(iter(placed))
    assert not spread.over_nodes(topology, {**placed, fetch: ("tvs-b1", 0)}).good


def test_ignored_weights_are_off(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    names = [name for name, _ in topology.pools[0].weights]
    equal = [names[i % len(names)] for i in range(1000)]
    placed = spread.place(topology, _fetches(topology, equal))
    assert not spread.over_servers(topology.pools[0], placed).good


def _scheduled(topology: Topology, schedule: Schedule) -> LabPool:
    return replace(topology.pools[0], schedule=schedule)


def _by_chance(topology: Topology, of: Callable[[int], object], count: int = 2000) -> list[str]:
    """A server for each fetch, drawn anew for each value of `of`."""
    period = _in_turn(topology, 5)
    return [random.Random(f"{of(i)}").choice(period) for i in range(count)]


def test_a_draw_for_each_flow(laptop: Site) -> None:
    """What turns would never do is right with a hash, and what is no draw by weight is not."""
    topology = build_topology(laptop, LAPTOP)
    placed = spread.place(topology, _fetches(topology, _by_chance(topology, lambda i: i)))
    assert not spread.over_servers(topology.pools[0], placed).good
    names = [name for name, _ in topology.pools[0].weights]
    equal = spread.place(topology, _fetches(topology, [names[i % 4] for i in range(2000)]))
    for schedule in (Schedule.MAGLEV, Schedule.LEAST_LOADED):
        pool = _scheduled(topology, schedule)
        assert spread.over_servers(pool, placed).good
        assert not spread.over_servers(pool, equal).good


def test_a_draw_for_each_client(laptop: Site) -> None:
    """A client brings all of its sessions; one with two servers is wrong, however even they are."""
    topology = build_topology(laptop, LAPTOP)
    pool = _scheduled(topology, Schedule.SOURCE_HASH)
    servers = _by_chance(topology, lambda i: i % 250)  # as `_fetches` numbers clients
    kept = spread.over_servers(pool, spread.place(topology, _fetches(topology, servers)))
    assert kept.good
    assert (kept.shares[-1].name, kept.shares[-1].count) == ("clients with two servers", 0)
    servers[0] = next(name for name, _ in pool.weights if name != servers[0])
    torn = spread.over_servers(pool, spread.place(topology, _fetches(topology, servers)))
    assert not torn.good
    assert torn.shares[-1].count == 1


def test_an_unknown_server_is_off(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    servers = [*_in_turn(topology, 1000), "10.9.9.9:80"]
    placed = spread.place(topology, _fetches(topology, servers))
    assert not spread.over_servers(topology.pools[0], placed).good


def test_an_address_that_is_no_local_ip_is_not_placed(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    fetch = Fetch(
        target=topology.targets[0],
        source=IPv4Address("198.18.0.2"),
        source_port=1,
        start_ns=0,
        took_ms=1.0,
        server="10.20.0.11:8080",
        local_ip=IPv4Address("198.18.0.2"),
    )
    assert spread.place(topology, [fetch]) == {}
