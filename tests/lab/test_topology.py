"""The lab's shape, from the example and from sites that no lab can be made of."""

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.lab.conftest import LAPTOP
from tvsc.lab.errors import LabError
from tvsc.lab.topology import MAX_LINK_NAME, build_topology, lab_name
from tvsc.model import PciDevice, Protocol, Secret, SecretSource, Site


def test_laptop(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    assert [node.name for node in topology.serving] == ["tvs-a1", "tvs-a2", "tvs-a3", "tvs-a4"]
    assert len(topology.nodes) == 8
    assert sorted(map(str, topology.expected_hops)) == [f"192.0.2.{n}" for n in range(11, 15)]
    assert [str(vip) for vip in topology.vips] == ["203.0.113.10", "203.0.113.20"]
    assert {target.name for target in topology.targets} == {
        "203.0.113.10:80/tcp",
        "203.0.113.20:80/tcp",
        "203.0.113.20:7/udp",
    }
    assert [len(server.http) for server in topology.servers] == [1] * 7
    assert [server.udp_ports for server in topology.servers] == [()] * 4 + [(7,)] * 2 + [()]
    assert len(topology.sessions) == 8
    assert len(set(topology.namespaces)) == 2 + 8 + 7


def test_names_fit_the_kernel(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    links = [link.link for node in topology.nodes for link in node.links]
    links += [server.link for server in topology.servers]
    assert len(set(links)) == len(links)
    assert max(len(link) for link in links) <= MAX_LINK_NAME


def test_owner_of_a_local_ip(laptop: Site) -> None:
    topology = build_topology(laptop, LAPTOP)
    owners = topology.owners()
    for node in laptop.nodes():
        for worker, lips in enumerate(node.lips):
            for lip in lips:
                owner, owning_worker = owners[lip]
                assert (owner.name, owning_worker) == (node.name, worker)


def test_clients_live_where_the_site_does_not(laptop: Site) -> None:
    first = build_topology(laptop, LAPTOP).client_network
    pool = laptop.pools[0]
    server = pool.servers[0].model_copy(update={"address": first[7]})
    pools = (pool.model_copy(update={"servers": (server,)}), *laptop.pools[1:])
    moved = build_topology(laptop.model_copy(update={"pools": pools}), LAPTOP).client_network
    assert not moved.overlaps(first)


def test_a_pool_without_udp_has_no_udp_server(laptop: Site) -> None:
    services = tuple(
        service.model_copy(
            update={
                "listeners": tuple(one for one in service.listeners if one.protocol is Protocol.TCP)
            }
        )
        for service in laptop.services
    )
    topology = build_topology(laptop.model_copy(update={"services": services}), LAPTOP)
    assert not any(server.udp_ports for server in topology.servers)


def test_the_name_needs_no_site_and_differs_by_path(tmp_path: Path) -> None:
    name = lab_name(tmp_path / "My Site!" / "site.tvs")
    assert name.startswith("my-site-")
    assert name != lab_name(tmp_path / "other" / "My Site!" / "site.tvs")
    assert lab_name(tmp_path / "edge.tvs").startswith("edge-")


def test_hardware_is_refused(laptop: Site) -> None:
    cluster = laptop.clusters[0]
    node = cluster.nodes[0]
    port = node.ports[0].model_copy(update={"device": PciDevice(address="0000:3b:00.0")})
    node = node.model_copy(update={"ports": (port,)})
    cluster = cluster.model_copy(update={"nodes": (node,)})
    site = laptop.model_copy(update={"clusters": (cluster,)})
    with pytest.raises(LabError, match="is no TAP device"):
        build_topology(site, LAPTOP)


def test_a_password_is_refused(laptop: Site) -> None:
    cluster = laptop.clusters[0]
    secret = Secret(source=SecretSource.ENV, name="BGP_PASSWORD")
    fabric = cluster.fabric[0].model_copy(update={"password": secret})
    cluster = cluster.model_copy(update={"fabric": (fabric,)})
    site = laptop.model_copy(update={"clusters": (cluster,)})
    with pytest.raises(LabError, match="password"):
        build_topology(site, LAPTOP)


def test_client_addresses_are_no_network_addresses(laptop: Site) -> None:
    from tvsc.lab.client import sources

    topology = build_topology(laptop, LAPTOP)
    addresses = sources(topology, 5000)
    assert set(addresses) <= set(topology.client_network.hosts())
    assert topology.client_network[1] not in addresses
    assert addresses[0] == IPv4Address(int(topology.client_network.network_address) + 2)


@pytest.mark.parametrize("path", ["/etc/shadow", "../../../../../etc/shadow", "keys/../../x", ".."])
def test_a_key_outside_of_the_lab_is_refused(laptop: Site, path: str) -> None:
    """The lab writes a key there, as root."""
    cluster = laptop.clusters[0]
    assert cluster.sync is not None
    key = Secret(source=SecretSource.FILE, name=path)
    sync = cluster.sync.model_copy(update={"key": key})
    site = laptop.model_copy(update={"clusters": (cluster.model_copy(update={"sync": sync}),)})
    with pytest.raises(LabError, match=f"is in {re.escape(path)}$") as caught:
        build_topology(site, LAPTOP)
    assert "leaves this machine's files alone" in caught.value.help
