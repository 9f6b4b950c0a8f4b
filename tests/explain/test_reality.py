"""`tvsc explain flow` predicts what the compiled node does: random flows through tvs-replay."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.naive import runtime
from tests.naive.craft import Frame
from tests.naive.scheduled import scheduled_site
from tests.naive.wire import SYN
from tests.replay.run import replay_generation
from tvsc.explain import Arrival, Explainer, Flow, FlowExplanation, Kind
from tvsc.explain.flow_text import PROTOCOLS
from tvsc.lower import load_site
from tvsc.model import Steering
from tvsc.pipeline import Options, compile_site

NODE = "tvs-a2"
FLOWS = 600
MARTIANS = ("0.0.0.0", "0.255.0.1", "127.0.0.1", "127.255.255.255", "224.0.0.1", "255.255.255.255")

# a TAP with a rule for each address, no rules at all, an 82599 with rules for blocks; pools that
# are scheduled by hash and by load
CASES = [
    ("laptop", Steering.FDIR),
    ("laptop", Steering.SOFTWARE),
    ("two-clusters", Steering.FDIR),
    ("scheduled", Steering.FDIR),
]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def site_file(example: str) -> Path:
    if example == "scheduled":
        return scheduled_site()
    return runtime.ROOT / "examples" / example / "site.tvs"


@cache
def compiled(example: str, steering: Steering) -> Path:
    """The generation of one node, kept between runs."""
    out = runtime.ROOT / "build" / f"tests-explain-{example}-{steering.value}"
    compile_site(Options(site_file(example), out, (NODE,), steering, bundle=False))
    return out / "nodes" / NODE / "generation.so"


@cache
def explainer(example: str, steering: Steering) -> Explainer:
    site, _, sources = load_site(site_file(example))
    assert site is not None
    return Explainer(site, sources, steering)


def flows(example: str, seed: int) -> list[Flow]:
    """To every listener, to VIPs otherwise, to local IPs of all nodes of A, elsewhere."""
    chance = random.Random(seed)
    plan = explainer(example, Steering.FDIR).by_name[NODE]
    listeners = [(s.vip, s.port, s.protocol.value) for s in plan.services]
    vips = sorted({s.vip for s in plan.services})
    kinds: list[Callable[[], tuple[IPv4Address, int, str]]] = [
        lambda: chance.choice(listeners),
        lambda: chance.choice(listeners),
        lambda: (chance.choice(vips), 9, chance.choice(["tcp", "udp"])),
        lambda: (chance.choice(vips), 0, "icmp"),
        lambda: (chance.choice(plan.lips.own).address, 2000, chance.choice([*PROTOCOLS])),
        lambda: (chance.choice(plan.lips.entries).address, 2000, chance.choice([*PROTOCOLS])),
        lambda: (IPv4Address("192.0.2.12"), 179, "tcp"),
        lambda: (IPv4Address("192.0.2.12"), 7000, "udp"),
        lambda: (IPv4Address("198.51.100.99"), 53, "udp"),
    ]
    made = []
    for _ in range(FLOWS):
        destination, port, protocol = chance.choice(kinds)()
        ports = protocol != "icmp"
        source = IPv4Address(chance.randrange(0x01000000, 0x7F000000))
        if chance.random() < 0.2:
            source = chance.choice([*map(IPv4Address, MARTIANS), destination])
        made.append(
            Flow(
                source,
                chance.randrange(1, 65536) if ports else 0,
                destination,
                port if ports else 0,
                protocol,
            )
        )
    return made


def frame(flow: Flow) -> bytes:
    return bytes(
        Frame(
            int(flow.source),
            int(flow.destination),
            PROTOCOLS[flow.protocol],
            flow.source_port,
            flow.destination_port,
            SYN,
        )
    )


def on_node(found: FlowExplanation) -> tuple[Arrival, bool]:
    """Where the flow arrives on NODE, and whether it is for another node alone, whose sessions this
    one does not have.
    """
    for cluster in found.clusters:
        for part in cluster.nodes:
            if part.node == NODE:
                return part.arrival, False
    (part,) = found.clusters[0].nodes  # a local IP of another node
    return part.loss.replies[0].arrivals[
        part.loss.survivors.index(NODE)
    ], not part.loss.sessions_go_on


def is_martian(flow: Flow) -> bool:
    return str(flow.source) in MARTIANS or flow.source == flow.destination


def becomes(kind: Kind, flow: Flow, of_peer: bool) -> tuple[str, str | None]:
    """Verdict and drop reason that the explanation stands for. tvs-replay has no peers: it leaves
    to the kernel what tests/host/test_sync.py sees the daemon take for session sync.
    """
    if of_peer:
        return "drop", "lip_of_peer"
    if kind is Kind.LOCAL_IP and flow.protocol != "icmp":
        return "drop", "reply_no_session"
    if kind is Kind.MARTIAN or (kind is Kind.LOCAL_IP and is_martian(flow)):
        return "drop", "martian_source"
    if kind is Kind.NO_LISTENER:
        return "drop", "vip_no_listener"
    kernels = (Kind.OWN_ADDRESS, Kind.FOREIGN, Kind.SYNC)
    return ("kernel" if kind in kernels else "tx"), None


@pytest.mark.parametrize(("example", "steering"), CASES)
def test_prediction(example: str, steering: Steering) -> None:
    """The queue that each packet comes out of, the worker that has it, and what becomes of it."""
    sent = flows(example, 11)
    trace = replay_generation(compiled(example, steering), [frame(f) for f in sent]).trace
    seen = set()
    for flow, line in zip(sent, trace, strict=True):
        found = explainer(example, steering).explain(flow)
        seen.add(found.kind)
        of_peer = False
        if found.clusters:
            arrival, of_peer = on_node(found)
            if arrival.queue is not None:
                assert line["rx_worker"] == arrival.queue, (flow, line)
            if arrival.worker is None:
                assert (steering, flow.protocol) == (Steering.SOFTWARE, "icmp")
                assert found.kind in (Kind.ECHO, Kind.MARTIAN)
            elif not of_peer or arrival.queue is not None:
                assert line["worker"] == arrival.worker, (flow, line)
        assert (line["verdict"], line.get("reason")) == becomes(found.kind, flow, of_peer), flow
    assert seen == set(Kind) - {Kind.DENIED}  # no example keeps a source out: test_limits.py


def test_local_ip_that_a_session_gets() -> None:
    """The forwarded packet leaves from a local IP that was predicted, to a candidate."""
    known = explainer("laptop", Steering.FDIR)
    requests = [f for f in flows("laptop", 12) if known.explain(f).kind is Kind.REQUEST][:60]
    assert len(requests) == 60
    for flow in requests:
        (forwarded,) = replay_generation(compiled("laptop", Steering.FDIR), [frame(flow)]).frames
        found = known.explain(flow)
        node = next(n for c in found.clusters for n in c.nodes if n.node == NODE)
        assert found.service is not None
        assert str(IPv4Address(forwarded[26:30])) in node.local_ips
        to = f"{IPv4Address(forwarded[30:34])}:{int.from_bytes(forwarded[36:38], 'big')}"
        assert to in {f"{c.address}:{c.port}" for c in found.service.candidates}
        assert node.port_first <= int.from_bytes(forwarded[34:36], "big") <= node.port_last


@pytest.mark.parametrize(
    ("example", "schedules"),
    [("scheduled", {"maglev", "source-hash"}), ("two-clusters", {"source-hash"})],
)
def test_server_that_a_session_gets(example: str, schedules: set[str]) -> None:
    """Where the flow alone decides, the very server was named; elsewhere none is."""
    known = explainer(example, Steering.FDIR)
    requests = [f for f in flows(example, 13) if known.explain(f).kind is Kind.REQUEST]
    sent = replay_generation(compiled(example, Steering.FDIR), [frame(f) for f in requests]).frames
    named: dict[str, set[str]] = {}
    for flow, forwarded in zip(requests, sent, strict=True):
        service = known.explain(flow).service
        assert service is not None
        to = f"{IPv4Address(forwarded[30:34])}:{int.from_bytes(forwarded[36:38], 'big')}"
        if service.server is None:
            assert service.schedule not in schedules
            continue
        assert to == service.server, flow
        named.setdefault(service.schedule, set()).add(to)
    assert named.keys() == schedules
    assert all(len(servers) > 1 for servers in named.values())
