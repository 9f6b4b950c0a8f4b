"""A cluster without enough servers leaves the VIP to the other one, by BGP alone."""

import socket

import pytest

from tests.lab.conftest import Laptop, until
from tvsc.lab.compiled import load
from tvsc.lab.remote import ask
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import LabNode, Topology, build_topology
from tvsc.lab.tvsd import SOCKET

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

VIP, OTHER = "203.0.113.10", "203.0.113.20"


def test_the_other_cluster_takes_the_vip(clean: Laptop) -> None:
    up = clean.tvsc("up")
    assert up.returncode == 0, up.stderr
    topology, run = build_topology(load(clean.site), clean.site), RunDirectory(clean.name)
    serving, standing_by = _of(topology, "A"), _of(topology, "B")
    assert until(lambda: _hops(run, VIP) == _links(serving), 20)

    for node in serving:
        _tell_all(topology, run, node, "drain")
    assert until(lambda: _hops(run, VIP) == _links(standing_by), 10), _hops(run, VIP)
    assert _hops(run, OTHER) == _links(serving), "a VIP of other pools stays"

    for node in serving:
        _tell_all(topology, run, node, "undrain")
    assert until(lambda: _hops(run, VIP) == _links(serving), 10), _hops(run, VIP)
    assert clean.tvsc("down").returncode == 0
    clean.assert_nothing_left()


def _of(topology: Topology, cluster: str) -> list[LabNode]:
    return [node for node in topology.nodes if node.cluster == cluster]


def _links(nodes: list[LabNode]) -> set[str]:
    return {str(node.links[0].address) for node in nodes}


def _hops(run: RunDirectory, vip: str) -> set[str]:
    """Where the switch sends packets to a VIP."""
    return set(ask(run, "status").routes.get(vip, []))


def _tell_all(topology: Topology, run: RunDirectory, node: LabNode, verb: str) -> None:
    """Drains all servers of `web` on a node, or lets them serve again."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(run.path / "nodes" / node.name / SOCKET))
        with connection.makefile("rw") as line:
            for server, _ in topology.pool("web").weights:
                line.write(f"{verb} web {server}\n")
                line.flush()
                assert '"done":true' in line.readline()
