"""The upstream switch: a namespace with BIRD, and a link to everyone."""

import subprocess
from pathlib import Path

from tvsc.lab import namespace, vlan
from tvsc.lab.process import Child, spawn
from tvsc.lab.state import RunDirectory
from tvsc.lab.template import render
from tvsc.lab.topology import LINK_GATEWAY, NodeLink, Topology

MAIN_TABLE = 254
BGP_TABLE = 100
"""Where BIRD puts its routes when an agent mirrors them."""

OWNER = "switch"

SYSCTLS = {
    "ipv4/ip_forward": "1",
    "ipv4/fib_multipath_hash_policy": "0",  # source and destination address
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv6/conf/default/disable_ipv6": "1",
}


def make(topology: Topology) -> None:
    """The namespaces of switch, clients and servers, and all links but the nodes'."""
    switch = topology.switch
    namespace.create(switch)
    namespace.set_sysctls(switch, SYSCTLS)
    namespace.create(topology.client)
    for server in topology.servers:
        namespace.create(server.namespace)
    commands = [f"addr add {LINK_GATEWAY}/32 dev lo"]
    # a table without a route does not exist, and cannot be listed
    commands.append(f"route add throw default table {BGP_TABLE}")
    commands += [f"addr add {address}/32 dev lo" for address in topology.switch_addresses]
    first_client = topology.client_network[1]
    commands += _link("client0", topology.client, str(first_client))
    commands.append(f"route add {topology.client_network} via {first_client} dev client0")
    for server in topology.servers:
        commands += _link(server.link, server.namespace, str(server.address))
    namespace.batch(switch, commands)
    _configure_end(topology.client, f"{first_client}/32")
    # every address of the network is local: a client may bind to any of them
    namespace.batch(topology.client, [f"route add local {topology.client_network} dev lo"])
    namespace.set_sysctls(topology.client, {"ipv4/ip_local_port_range": "1024 65535"})
    for server in topology.servers:
        _configure_end(server.namespace, f"{server.address}/32")


def _link(name: str, peer_namespace: str, address: str) -> list[str]:
    return [
        f"link add {name} type veth peer name eth0 netns {peer_namespace}",
        f"link set {name} up",
        f"route add {address}/32 dev {name}",
    ]


def _configure_end(name: str, address: str) -> None:
    """Client's or server's side: its address, and everything through the switch."""
    namespace.set_sysctls(name, {"ipv4/conf/all/rp_filter": "0"})
    namespace.batch(
        name,
        [
            f"addr add {address} dev eth0",
            "link set eth0 up",
            f"route add {LINK_GATEWAY}/32 dev eth0",
            f"route add default via {LINK_GATEWAY} dev eth0",
        ],
    )
    # checksums are finished before a packet leaves: a dataplane reads frames as a NIC would
    disable = ["ip", "netns", "exec", name, "ethtool", "-K", "eth0", "tx", "off"]
    subprocess.run(disable, capture_output=True, check=True)


def attach(topology: Topology, link: NodeLink) -> None:
    """Gives the switch's end of a node's link its VLAN and address; nodes reach each other
    through it.
    """
    name = link.link
    if (tag := link.vlan) is not None:
        namespace.inside(topology.switch, lambda: vlan.put_on(name, tag))
    commands = [
        f"addr add {link.gateway} peer {link.address} dev {name}",
        f"link set {name} up",
    ]
    namespace.batch(topology.switch, commands)
    namespace.set_sysctls(topology.switch, {f"ipv4/conf/{name}/proxy_arp": "1"})


def start_bird(topology: Topology, run: RunDirectory, table: int) -> Child:
    """BIRD with a session to every node, exporting to the kernel's `table`."""
    folder = run.folder("switch")
    config = folder / "bird.conf"
    render(
        "switch.bird.conf.j2",
        config,
        log=run.logs / "switch.bird.log",
        router_id=topology.sessions[0].local,
        table=table,
        mirrored=table != MAIN_TABLE,
        paths=max(2, len(topology.nodes)),
        sessions=topology.sessions,
    )
    return spawn(
        [
            "bird",
            "-f",
            "-c",
            str(config),
            "-s",
            str(control_socket(run)),
            "-P",
            str(folder / "pid"),
        ],
        namespace=topology.switch,
        log=run.logs / "switch.bird.out",
        role="bird",
        owner=OWNER,
    )


def control_socket(run: RunDirectory) -> Path:
    return run.path / "switch" / "bird.ctl"


def established(run: RunDirectory) -> set[str]:
    """Names of the BGP sessions that are established."""
    command = ["birdc", "-r", "-s", str(control_socket(run)), "show", "protocols"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = (line.split() for line in done.stdout.splitlines())
    return {row[0] for row in rows if len(row) > 5 and row[1] == "BGP" and "Established" in row[5:]}


def watched(run: RunDirectory) -> set[str]:
    """Addresses of the neighbours whose BFD session is up: whose freezing would be noticed."""
    command = ["birdc", "-r", "-s", str(control_socket(run)), "show", "bfd", "sessions"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = (line.split() for line in done.stdout.splitlines())
    return {row[0] for row in rows if len(row) > 2 and row[2] == "Up"}
