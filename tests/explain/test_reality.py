"""`tvsc explain flow` predicts what the compiled node does: random flows through tvs-replay."""

from __future__ import annotations

import random
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.naive import runtime
from tests.naive.craft import Frame
from tests.naive.wire import SYN
from tests.replay.run import replay_generation
from tvsc.explain import Explainer, Flow, Kind
from tvsc.explain.flow_text import PROTOCOLS
from tvsc.lower import load_site
from tvsc.model import Steering
from tvsc.pipeline import Options, compile_site

SITE = runtime.ROOT / "examples" / "laptop" / "site.tvs"
NODE = "tvs-a2"
FLOWS = 600

pytestmark = pytest.mark.slow


@cache
def compiled(steering: Steering) -> Path:
    """The generation of one node, kept between runs."""
    out = runtime.ROOT / "build" / f"tests-explain-{steering.value}"
    compile_site(Options(SITE, out, (NODE,), steering, bundle=False))
    return out / "nodes" / NODE / "generation.so"


@cache
def explainer(steering: Steering) -> Explainer:
    site, _, sources = load_site(SITE)
    assert site is not None
    return Explainer(site, sources, steering)


def flows(seed: int) -> list[Flow]:
    """To VIPs with and without a listener, to local IPs of this node and of others, elsewhere."""
    chance = random.Random(seed)
    destinations = [
        *[("203.0.113.10", 80, "tcp")] * 4,
        *[("203.0.113.20", 80, "tcp")] * 2,
        *[("203.0.113.20", 7, "udp")] * 2,
        ("203.0.113.20", 8, "udp"),
        ("203.0.113.10", 0, "icmp"),
        ("192.0.2.12", 179, "tcp"),
        ("198.51.100.99", 53, "udp"),
        *[
            (f"172.16.{n}.{host}", 2000, p)
            for n in (1, 1, 2)
            for host in (4, 11)
            for p in PROTOCOLS
        ],
    ]
    made = []
    for _ in range(FLOWS):
        destination, port, protocol = chance.choice(destinations)
        ports = protocol != "icmp"
        made.append(
            Flow(
                IPv4Address(chance.randrange(0x01000000, 0x7F000000)),
                chance.randrange(1, 65536) if ports else 0,
                IPv4Address(destination),
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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("steering", [Steering.FDIR, Steering.SOFTWARE])
def test_prediction(steering: Steering) -> None:
    """The queue that each packet comes out of, the worker that has it, and what becomes of it."""
    sent = flows(11)
    trace = replay_generation(compiled(steering), [frame(flow) for flow in sent]).trace
    seen = set()
    for flow, line in zip(sent, trace, strict=True):
        found = explainer(steering).explain(flow)
        seen.add(found.kind)
        if found.kind in (Kind.OWN_ADDRESS, Kind.FOREIGN):
            assert line["verdict"] == "kernel", (flow, line)
            continue
        part = next(
            (n for c in found.clusters for n in c.nodes if n.node == NODE),
            found.clusters[0].nodes[0],
        )
        arrival = part.arrival
        if part.node != NODE:  # a local IP of another node, as after that one's loss
            at = part.loss.survivors.index(NODE)
            arrival = part.loss.replies[0].arrivals[at]
        if arrival.queue is not None:
            assert line["rx_worker"] == arrival.queue, (flow, line)
        if arrival.worker is None:
            assert (steering, found.kind) == (Steering.SOFTWARE, Kind.ECHO)
            assert line["verdict"] == "tx", (flow, line)
        elif found.kind is not Kind.LOCAL_IP or part.node == NODE:
            assert line["worker"] == arrival.worker, (flow, line)
        if found.kind is Kind.NO_LISTENER:
            assert line["reason"] == "vip_no_listener", (flow, line)
        elif found.kind is Kind.REQUEST:
            assert line["verdict"] == "tx", (flow, line)
        elif found.kind is Kind.LOCAL_IP and part.node != NODE:
            assert line["reason"] == "lip_of_peer", (flow, line)
    assert seen == set(Kind)


def test_local_ip_that_a_session_gets() -> None:
    """The forwarded packet leaves from a local IP that was predicted, to a candidate."""
    sent = [flow for flow in flows(12) if str(flow).endswith(("203.0.113.10:80/tcp", ":7/udp"))]
    for flow in sent[:100]:
        (forwarded,) = replay_generation(compiled(Steering.FDIR), [frame(flow)]).frames
        found = explainer(Steering.FDIR).explain(flow)
        node = next(n for c in found.clusters for n in c.nodes if n.node == NODE)
        assert found.service is not None
        assert str(IPv4Address(forwarded[26:30])) in node.local_ips
        to = f"{IPv4Address(forwarded[30:34])}:{int.from_bytes(forwarded[36:38], 'big')}"
        assert to in {f"{c.address}:{c.port}" for c in found.service.candidates}
        assert node.port_first <= int.from_bytes(forwarded[34:36], "big") <= node.port_last
