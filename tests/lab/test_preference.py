"""What a standby says to lower its preference, heard by a real switch: BIRDs in namespaces, with
the configuration that a node gets and the switch of the lab. No dataplane runs: routes in the
kernel's table stand for it.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path

import pytest

from tvsc.codegen import render_bird
from tvsc.diag import render_text
from tvsc.lab import namespace
from tvsc.lab.switch import MAIN_TABLE
from tvsc.lab.template import render
from tvsc.lab.topology import BgpSession
from tvsc.lower import load_site
from tvsc.plan import NodePlan, plan_site

pytestmark = pytest.mark.lab

SITE = """language 1
site s {{ asn 64512  seed "s" }}
cluster A {{
    workers  1
    steering software
    sessions 16k per worker
    idle     interrupt
    local-ips {{ short 172.16.0.0/22  long /24 per node  workers 1 each }}
    fabric 192.0.2.1 {{ asn {switch}  bfd 100ms x 3 }}
    for n in 1..2 {{ node "a{{n}}" {{
        router-id host(10.255.0.0/24, n)
        workers shared
        port fwd {{
            vdev "net_tap0,iface=a{{n}}"  nic tap
            address host(192.0.2.0/24, 10 + n)/24  gateway 192.0.2.1
        }}
    }} }}
}}
cluster B like A {{
    role standby {role}
    local-ips {{ short 172.16.4.0/22 }}
    node b1 like a1 {{
        router-id 10.255.0.21
        port fwd {{ vdev "net_tap0,iface=b1"  address 192.0.2.21/24 }}
    }}
}}
pool web {{ server 10.20.1.1:80  server 10.20.1.2:80 }}
service web {{ vip 203.0.113.10  listen tcp 80 -> web }}
"""
VIP = "203.0.113.10"
PATIENCE_S = 20.0
SWITCH_ADDRESS = IPv4Address("192.0.2.1")
NAMES = (f"tvsc-pref-{number}" for number in count())


def heeding(condition: str) -> str:
    """The import filter of a switch whose operator agreed on a community."""
    return f"import filter {{ if {condition} then bgp_local_pref = 10; accept; }};"


CASES = {
    "prepend": (64500, "prepend 3", ""),
    "med": (64500, "med 100", ""),
    "community": (64500, 'community "64512:80"', heeding("(64512, 80) ~ bgp_community")),
    "graceful-shutdown": (64500, 'community "65535:0"', heeding("(65535, 0) ~ bgp_community")),
    "large-community": (
        64500,
        'community "4200000000:80:1"',
        heeding("(4200000000, 80, 1) ~ bgp_large_community"),
    ),
    "inside-local-pref": (64512, "local-pref 50", ""),
    "inside-med": (64512, "med 100", ""),
    "inside-community": (64512, 'community "64512:80"', heeding("(64512, 80) ~ bgp_community")),
}


@dataclass
class Fabric:
    """A switch and its nodes, each a namespace with a BIRD."""

    switch: str
    nodes: dict[str, str]
    control: Path

    def next_hops(self) -> set[str]:
        """Where the switch's kernel sends packets for the VIP."""
        listed = namespace.run_ip(["-n", self.switch, "-4", "route", "show", f"{VIP}/32"])
        words = listed.split()
        return {words[at + 1] for at, word in enumerate(words) if word == "via"}

    def ask(self, *words: str) -> str:
        """What the switch's BIRD says; nothing before it listens."""
        command = ["birdc", "-s", str(self.control), "show", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def watched(self) -> bool:
        """Whether BFD watches every node."""
        listed = self.ask("bfd", "sessions")
        return sum(" Up " in line for line in listed.splitlines()) == len(self.nodes)

    def heard_all(self) -> bool:
        """Whether the switch knows the VIP by all nodes, also those that it does not use."""
        return self.ask("route", "for", VIP, "all").count("BGP.next_hop:") == len(self.nodes)

    def lose(self, node: str) -> None:
        """As the host's death does it: the device goes, and its routes with it."""
        namespace.run_ip(["-n", self.nodes[node], "link", "delete", "tvs0"])

    def mend(self, plan: NodePlan) -> None:
        """The device and what is to be announced, as the host puts them there."""
        lines = ["link add tvs0 type veth peer name back", "link set tvs0 up", "link set back up"]
        lines += [f"route add {route.network} dev tvs0 table 100" for route in plan.routes]
        namespace.batch(self.nodes[plan.node], lines)


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def planned(tmp_path: Path, switch_asn: int, role: str) -> tuple[NodePlan, ...]:
    path = tmp_path / "site.tvs"
    path.write_text(SITE.format(switch=switch_asn, role=role))
    site, diagnostics, sources = load_site(path)
    assert site is not None, render_text(diagnostics, sources)
    return plan_site(site, sources).nodes


def bird(name: str, config: Path) -> "subprocess.Popen[bytes]":
    socket = config.with_suffix(".ctl")
    command = ["ip", "netns", "exec", name, "bird", "-f", "-c", str(config), "-s", str(socket)]
    with config.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def switch_config(path: Path, plans: tuple[NodePlan, ...], policy: str) -> Path:
    sessions = [
        BgpSession(
            name=plan.node,
            node=plan.node,
            local=SWITCH_ADDRESS,
            local_asn=plan.bgp.neighbors[0].asn,
            neighbour=plan.bgp.neighbors[0].local,
            neighbour_asn=plan.bgp.asn,
            hold_s=plan.bgp.neighbors[0].hold_s,
            bfd_interval_ms=plan.bgp.neighbors[0].bfd_interval_ms,
            bfd_multiplier=plan.bgp.neighbors[0].bfd_multiplier,
        )
        for plan in plans
    ]
    render(
        "switch.bird.conf.j2",
        path,
        log=path.with_suffix(".log"),
        router_id=SWITCH_ADDRESS,
        table=MAIN_TABLE,
        mirrored=False,
        paths=8,
        sessions=sessions,
    )
    if policy:
        text = path.read_text()
        assert text.count("import all;") == len(plans)
        path.write_text(text.replace("import all;", policy))
    return path


Make = Callable[[tuple[NodePlan, ...], str], Fabric]


@pytest.fixture
def fabric(tmp_path: Path) -> Iterator[Make]:
    """Makes the namespaces, starts the BIRDs; ends all of them."""
    names: list[str] = []
    processes: list[subprocess.Popen[bytes]] = []

    def create() -> str:
        names.append(next(NAMES))
        namespace.create(names[-1])
        return names[-1]

    def make(plans: tuple[NodePlan, ...], policy: str) -> Fabric:
        switch = create()
        made = Fabric(switch, {plan.node: create() for plan in plans}, tmp_path / "switch.ctl")
        namespace.batch(
            switch, ["link add br0 type bridge", f"addr add {SWITCH_ADDRESS}/24 dev br0"]
        )
        for plan in plans:
            inside = made.nodes[plan.node]
            local = plan.bgp.neighbors[0].local
            up = [f"link add {plan.node} type veth peer name fwd netns {inside}"]
            namespace.batch(switch, [*up, f"link set {plan.node} master br0 up"])
            namespace.batch(inside, [f"addr add {local}/24 dev fwd", "link set fwd up"])
            made.mend(plan)
        namespace.batch(switch, ["link set br0 up"])
        processes.append(bird(switch, switch_config(tmp_path / "switch.conf", plans, policy)))
        for plan in plans:
            config = tmp_path / f"{plan.node}.conf"
            config.write_text(render_bird(plan, str(tmp_path)))
            processes.append(bird(made.nodes[plan.node], config))
        return made

    yield make
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(10)
    for name in names:
        namespace.delete(name)


@pytest.mark.parametrize("case", CASES)
def test_primary_first_and_standby_after_it(case: str, tmp_path: Path, fabric: Make) -> None:
    switch_asn, role, policy = CASES[case]
    plans = planned(tmp_path, switch_asn, role)
    primaries = {"192.0.2.11", "192.0.2.12"}
    made = fabric(plans, policy)
    assert until(made.watched)
    assert until(made.heard_all)
    assert until(lambda: made.next_hops() == primaries), made.next_hops()

    made.lose("a1")
    assert until(lambda: made.next_hops() == {"192.0.2.12"}), made.next_hops()
    made.lose("a2")
    assert until(lambda: made.next_hops() == {"192.0.2.21"}), made.next_hops()

    for plan in plans[:2]:
        made.mend(plan)
    assert until(lambda: made.next_hops() == primaries), made.next_hops()


def test_a_prepended_path_is_refused_inside_an_as(tmp_path: Path, fabric: Make) -> None:
    """Why TVS0712 refuses it: the switch would have no route to the standby."""
    plans = planned(tmp_path, 64500, "prepend 3")
    inside = tuple(with_neighbours_in(plan, plan.bgp.asn) for plan in plans)
    made = fabric(inside, "")
    assert until(made.watched)
    assert until(lambda: made.next_hops() == {"192.0.2.11", "192.0.2.12"})
    assert not made.heard_all()
    made.lose("a1")
    made.lose("a2")
    assert until(lambda: not made.next_hops())
    time.sleep(1)
    assert not made.next_hops()


def with_neighbours_in(plan: NodePlan, asn: int) -> NodePlan:
    neighbors = tuple(replace(neighbor, asn=asn) for neighbor in plan.bgp.neighbors)
    return replace(plan, bgp=replace(plan.bgp, neighbors=neighbors))
