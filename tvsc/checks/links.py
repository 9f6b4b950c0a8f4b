"""Links: a port's network, who is on it, and what is reached through it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

from tvsc.checks.addressing import ends, hosts
from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.model import Cluster, Node, Port, Site


def gateways_on_link(site: Site) -> Iterator[Diagnostic]:
    """A gateway is on its port's network, and is another station."""
    for port in (p for n in site.nodes() for p in n.ports):
        if port.gateway not in port.address.network:
            yield Diagnostic(
                codes.GATEWAY_OUTSIDE,
                f"gateway {port.gateway} is not on the port's network {port.address.network}",
                site.span(port, "gateway"),
                (Note("the port's address", site.span(port, "address")),),
            )


def neighbours_on_link(site: Site) -> Iterator[Diagnostic]:
    """A BGP neighbour is on a network of every node: the sessions are direct."""
    for cluster in site.clusters:
        for fabric in cluster.fabric:
            if not isinstance(fabric.address, IPv4Address):
                continue
            lost = _without_link(cluster, fabric.address)
            if lost is not None:
                yield Diagnostic(
                    codes.FABRIC_UNREACHABLE,
                    f"node `{lost.name}` has no port on the network of its neighbour"
                    f" {fabric.address}",
                    site.span(fabric),
                    (Note(f"node `{lost.name}` is here", site.span(lost)),),
                )


def _without_link(cluster: Cluster, address: IPv4Address) -> Node | None:
    for node in cluster.nodes:
        if not any(address in port.address.network for port in node.ports):
            return node
    return None


def networks_apart(site: Site) -> Iterator[Diagnostic]:
    """The networks of a node's ports do not overlap: each station is on one of them."""
    for node in site.nodes():
        order = {id(port): i for i, port in enumerate(node.ports)}
        by_network = sorted(node.ports, key=lambda p: ends(p.address.network))
        for one, other in pairwise(by_network):
            if not one.address.network.overlaps(other.address.network):
                continue
            first, second = sorted((one, other), key=lambda p: order[id(p)])
            yield Diagnostic(
                codes.NETWORKS_OVERLAP,
                f"ports `{first.name}` and `{second.name}` of node `{node.name}` are on one"
                f" network: {first.address.network} and {second.address.network}",
                site.span(second, "address"),
                (Note(f"port `{first.name}`", site.span(first, "address")),),
            )


def one_vlan_per_network(site: Site) -> Iterator[Diagnostic]:
    """Ports of one network that are tagged have one tag. One without a tag may be among them: the
    switch takes it off there.
    """
    tagged = [port for node in site.nodes() for port in node.ports if port.vlan is not None]
    first: Port | None = None
    last = -1
    for port in sorted(tagged, key=lambda port: ends(port.address.network)):
        low, high = ends(port.address.network)
        if first is None or low > last:
            first, last = port, high
        elif port.vlan != first.vlan:
            yield Diagnostic(
                codes.VLANS_APART,
                f"ports on {first.address.network} are in VLANs {first.vlan} and {port.vlan}",
                site.span(port, "vlan"),
                (Note(f"VLAN {first.vlan} is here", site.span(first, "vlan")),),
            )
        last = max(last, high)


def _networks(site: Site) -> dict[IPv4Network, Port]:
    """Every network of a port, and a port that is on it."""
    networks: dict[IPv4Network, Port] = {}
    for port in (p for n in site.nodes() for p in n.ports):
        networks.setdefault(port.address.network, port)
    return networks


def edges_are_no_hosts(site: Site) -> Iterator[Diagnostic]:
    """Nothing has the first or last address of a port's network: those mean the network itself."""
    edges: dict[int, IPv4Network] = {}
    for network in _networks(site):
        if network.prefixlen < 31:
            edges |= dict.fromkeys(ends(network), network)
    servers = site.servers.within((n, n) for n in edges)
    for noun, field, address, what in hosts(site, servers):
        network_of = edges.get(int(address))
        if network_of is not None and address.version == 4:
            yield Diagnostic(
                codes.ADDRESS_UNUSABLE,
                f"{address} is the first or last address of {network_of}: no {what}",
                site.span(noun, field),
            )


def servers_find_local_ips(site: Site) -> Iterator[Diagnostic]:
    """No server is on a link whose network has local IPs: it would look for them on that link."""
    for network, port in _networks(site).items():
        covered = next((c for c in site.clusters if c.local_ips.short.subnet_of(network)), None)
        server = covered and next(site.servers.within([ends(network)]), None)
        if not covered or not server:
            continue
        yield Diagnostic(
            codes.LIPS_ON_LINK,
            f"server {server.key} is on {network}, in which the local IPs"
            f" {covered.local_ips.short} lie: it asks for them with ARP, and nobody answers",
            site.span(covered.local_ips, "short"),
            (
                Note("the server", site.span(server)),
                Note("the network", site.span(port, "address")),
            ),
            "take local IPs from a prefix that is routed to the nodes",
        )


RULES = (
    gateways_on_link,
    neighbours_on_link,
    networks_apart,
    one_vlan_per_network,
    edges_are_no_hosts,
    servers_find_local_ips,
)
