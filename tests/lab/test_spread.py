"""Verdicts on shares: what is right is called right, and what is off is called off."""

import random
from ipaddress import IPv4Address

from tests.lab.conftest import LAPTOP
from tvsc.lab import spread
from tvsc.lab.client import Fetch
from tvsc.lab.topology import Topology, build_topology
from tvsc.model import Site


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
