"""Counters that must add up: what clients sent, what the switch's links carried, what the workers
did with it.

Two snapshots, before and after the traffic; the difference is judged. A node's part is taken when
nothing is under way on its link: it is repeated until the link stood still while the daemon was
asked, so that the equations are exact in spite of BGP, BFD and health checks beside the traffic.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from tvsc.lab import health, namespace, tvsd
from tvsc.lab.errors import LabError
from tvsc.lab.report import Check, Counters, NodeCounters
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import LabNode, Topology
from tvsc.lab.tvsd import Tally

ATTEMPTS = 40
PAUSE_S = 0.01


Links = dict[str, tuple[int, int]]  # link -> packets (sent to the node, received from it)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything counted at one moment. `client_out` and `client_in` are IP packets."""

    nodes: dict[str, Tally]
    links: Links
    client_out: int
    client_in: int


def snapshot(topology: Topology, run: RunDirectory) -> Snapshot:
    """A consistent view; LabError when a node's link never stands still."""
    nodes: dict[str, Tally] = {}
    links: Links = {}
    for node in topology.nodes:
        nodes[node.name], carried = _still(topology, run, node)
        links |= carried
    client_out, client_in = namespace.inside(topology.client, _ip_packets)
    return Snapshot(nodes, links, client_out, client_in)


def _still(topology: Topology, run: RunDirectory, node: LabNode) -> tuple[Tally, Links]:
    ours = {link.link for link in node.links}
    before = _links(topology, ours)
    for _ in range(ATTEMPTS):
        if before.keys() != ours:  # the link goes with the daemon
            raise health.not_running(run, [node.name])
        try:
            tally = tvsd.tally(run, node.name)
        except LabError:
            if node.name in health.dead_nodes(topology, run):
                raise health.not_running(run, [node.name]) from None
            raise
        after = _links(topology, ours)
        if before == after:
            return tally, after
        before = after
        time.sleep(PAUSE_S)
    raise LabError(f"the link of {node.name} never stands still: cannot compare counters")


def judge(topology: Topology, before: Snapshot, after: Snapshot, connections: int) -> Counters:
    """What happened in between. `connections` is how many the clients opened, UDP included."""
    deltas = {name: after.nodes[name].since(tally) for name, tally in before.nodes.items()}
    rows = []
    for node in topology.nodes:
        delta = deltas[node.name]
        to_node, from_node = _carried(node, before.links, after.links)
        rows.append(
            NodeCounters(
                node=node.name,
                frames=delta.frames,
                tx=delta.tx_request + delta.tx_reply + delta.tx_local,
                kernel=delta.kernel,
                handover=delta.handover,
                sync=delta.sync,
                drops={reason: count for reason, count in delta.drops.items() if count},
                sessions=delta.sessions,
                link_to_node=to_node,
                link_from_node=from_node,
            )
        )
    total = Tally.sum(deltas.values())
    checks = [
        Check(
            what="frames = sent on + to the kernel + handed over + session sync + dropped",
            left=total.frames,
            right=total.tx_request
            + total.tx_reply
            + total.tx_local
            + total.kernel
            + total.handover
            + total.sync
            + sum(total.drops.values()),
        ),
        Check(
            what="packets the switch sent to the nodes = packets their workers received",
            left=sum(row.link_to_node for row in rows),
            right=total.nic_rx,
        ),
        Check(
            what="packets the workers sent = packets the switch received from the nodes",
            left=total.nic_tx,
            right=sum(row.link_from_node for row in rows),
        ),
        Check(
            what="packets of the clients = requests sent on to real servers",
            left=after.client_out - before.client_out,
            right=total.tx_request,
        ),
        Check(
            what="replies sent on to clients = packets the clients received",
            left=total.tx_reply,
            right=after.client_in - before.client_in,
        ),
        Check(
            what="connections of the clients = sessions opened",
            left=connections,
            right=total.sessions,
        ),
    ]
    return Counters(nodes=rows, checks=checks, good=all(check.good for check in checks))


def _carried(node: LabNode, before: Links, after: Links) -> tuple[int, int]:
    """Packets to and from the node in between, over all its links."""
    names = [link.link for link in node.links]
    return (
        sum(after[name][0] - before[name][0] for name in names),
        sum(after[name][1] - before[name][1] for name in names),
    )


def _links(topology: Topology, names: set[str]) -> Links:
    """The switch's counters of those links that it has, from /proc/net/dev of its namespace."""

    def read() -> Links:
        lines = Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines()
        rows = (line.partition(":") for line in lines[2:])
        fields = {name.strip(): values.split() for name, _, values in rows}
        return {
            name: (int(fields[name][9]), int(fields[name][1])) for name in names & fields.keys()
        }

    return namespace.inside(topology.switch, read)


def _ip_packets() -> tuple[int, int]:
    """IP packets that the calling thread's namespace has sent and received."""
    lines = [
        line.split()
        for line in Path("/proc/thread-self/net/snmp").read_text(encoding="ascii").splitlines()
        if line.startswith("Ip:")
    ]
    values = dict(zip(lines[0], lines[1], strict=True))
    return int(values["OutRequests"]), int(values["InReceives"])
