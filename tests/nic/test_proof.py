"""The steering proof against plans that are broken on purpose, and against brute force."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compile.sites import SYNC, make_sources
from tests.nic.brute import VIP, counterexample, messages_astray, plans, queue, site_of
from tvsc.build.output import Output
from tvsc.build.progress import Progress
from tvsc.checks.steering import rules_needed
from tvsc.checks.steering_proof import (
    ClusterProof,
    NodeSteering,
    prove_cluster,
    prove_plan,
    prove_site,
)
from tvsc.diag import codes
from tvsc.lower import load_site
from tvsc.model import Driver, Site, Steering
from tvsc.nic import Packet, Spread, device_rules, load_nic
from tvsc.pipeline import STAGES, Options, Run, SiteError, claim, prove
from tvsc.plan import RulePlan, SteeringPlan, plan_site

STEERABLE = [Driver.IXGBE, Driver.I40E, Driver.ICE, Driver.MLX5, Driver.TAP]
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/site.tvs"))
FLOW = re.compile(r"flow ([\d.]+)(?::(\d+))? -> ([\d.]+)(?::(\d+))?/(tcp|udp|icmp): (.*)")
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}


def proof(site: Site, nodes: list[NodeSteering]) -> ClusterProof:
    return prove_cluster(site, site.clusters[0], nodes)


def changed(nodes: list[NodeSteering], at: int, **changes: object) -> list[NodeSteering]:
    """The same nodes, one of them steered otherwise."""
    return [
        replace(n, steering=replace(n.steering, **changes)) if i == at else n  # type: ignore[arg-type]
        for i, n in enumerate(nodes)
    ]


def flow_of(found: ClusterProof) -> Packet:
    """The counterexample's flow, as the message has it."""
    match = FLOW.match(found.diagnostics[0].notes[0].message)
    assert match, found.diagnostics
    source, source_port, destination, port, protocol, _ = match.groups()
    return Packet(
        int(IPv4Address(source)),
        int(IPv4Address(destination)),
        PROTOCOLS[protocol],
        int(source_port or 0),
        int(port or 0),
    )


@pytest.mark.parametrize("driver", STEERABLE)
@pytest.mark.parametrize("per_worker", [1, 3, 4])
def test_planned_steering_is_proved(driver: Driver, per_worker: int) -> None:
    site = site_of(driver, nodes=4, workers=5, per_worker=per_worker)
    found = proof(site, plans(site))
    assert found.diagnostics == ()
    assert found.local_ips == 4 * 5 * per_worker
    assert found.kinds == (("a1", "a2", "a3", "a4"),)
    assert found.decided == 3 * found.local_ips + 2 * found.vips


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(STEERABLE), st.integers(1, 4), st.integers(1, 16), st.integers(1, 16))
def test_planned_steering_is_proved_whatever_the_shape(
    driver: Driver, nodes: int, workers: int, per_worker: int
) -> None:
    """And it takes as many rules as the budget's check counts before there is a plan."""
    site = site_of(driver, nodes, workers, per_worker)
    planned = plans(site)
    assert proof(site, planned).diagnostics == ()
    asked = list(device_rules(driver, planned[0].steering.rules))
    assert len(asked) == rules_needed(site.clusters[0], site.nics[0])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.parent.name)
def test_examples_are_proved(path: Path) -> None:
    site, _, sources = load_site(path)
    assert site is not None
    for made in (prove_site(site), prove_plan(site, plan_site(site, sources))):
        assert [p.diagnostics for p in made] == [(), ()]
        assert all(p.decided > 0 for p in made)


@pytest.mark.parametrize("driver", STEERABLE)
def test_session_sync_is_proved(driver: Driver) -> None:
    """Every worker of every node, to both others."""
    site = site_of(driver, nodes=3, workers=5, sync=SYNC)
    for (found,) in ([proof(site, plans(site))], prove_plan(site, plan_site(site, make_sources()))):
        assert found.diagnostics == ()
        assert found.sync_flows == 3 * 2 * 5
    (part,) = prove_plan(site, plan_site(site, make_sources(), only=["a2"]))
    assert (part.diagnostics, part.sync_flows) == ((), 0)


def test_session_sync_without_settable_rss() -> None:
    """The source port is chosen all the same, and the packet path hands over by the same hash."""
    site = site_of(Driver.VIRTIO, nodes=3, steering=Steering.SOFTWARE, sync=SYNC)
    found = proof(site, plans(site))
    assert (found.diagnostics, found.sync_flows) == ((), 3 * 2 * 4)


def test_source_port_of_another_worker_is_tvs0405() -> None:
    site = site_of(Driver.ICE, sync=SYNC)
    nodes = plans(site)
    sync = nodes[0].sync
    assert sync is not None
    (peer,) = sync.peers
    (path,) = peer.paths
    first, second, *rest = path.source_ports
    path = replace(path, source_ports=(second, first, *rest))
    wrong = replace(sync, peers=(replace(peer, paths=(path,)),))
    found = proof(site, [replace(nodes[0], sync=wrong), nodes[1]])
    (diagnostic,) = found.diagnostics
    assert diagnostic.code is codes.STEERING_SPLIT
    assert diagnostic.message == (
        "what worker 0 of `a1` tells `a2` of its sessions reaches worker 1 there"
    )
    flow = flow_of(found)
    assert (flow.source_port, flow.destination_port) == (second, 7000)
    assert queue(nodes[1].steering, flow) == 1


def test_rule_over_a_node_is_tvs0405() -> None:
    """Not even a rule that is right for one worker."""
    site = site_of(Driver.MLX5, sync=SYNC)
    nodes = plans(site)
    rule = RulePlan(IPv4Network("192.0.2.12/32"), 1, 0, avoid_ntuple=False)
    found = proof(site, changed(nodes, 1, rules=(*nodes[1].steering.rules, rule)))
    (diagnostic,) = found.diagnostics
    assert diagnostic.code is codes.STEERING_SPLIT
    assert "what worker 0 of `a1` tells `a2` of its sessions reaches worker 1" in diagnostic.message
    assert "flow rule 192.0.2.12/32" in diagnostic.notes[0].message


def test_software_needs_no_rules() -> None:
    site = site_of(Driver.VIRTIO, steering=Steering.SOFTWARE)
    found = proof(site, plans(site))
    assert (found.diagnostics, found.rules) == ((), 0)


def test_rule_missing_on_a_survivor_is_tvs0405() -> None:
    """Node 1 has no rule for a local IP of node 2: nothing shows until node 2 is lost."""
    site = site_of(Driver.ICE)
    nodes = plans(site)
    rules = nodes[0].steering.rules
    gone = next(r for r in rules if r.node == 1 and r.worker == 2)
    found = proof(site, changed(nodes, 0, rules=tuple(r for r in rules if r is not gone)))
    (diagnostic,) = found.diagnostics
    assert diagnostic.code is codes.STEERING_SPLIT
    assert "of `a1`, after the loss of `a2`, and its session is on worker 2" in diagnostic.message
    flow = flow_of(found)
    assert flow.destination == int(gone.network.network_address)
    assert "no rule, so by RSS" in diagnostic.notes[0].message


def test_rule_to_another_worker_is_tvs0405() -> None:
    site = site_of(Driver.IXGBE)
    nodes = plans(site)
    rules = nodes[0].steering.rules
    wrong = (replace(rules[0], worker=3), *rules[1:])
    found = proof(site, [replace(n, steering=replace(n.steering, rules=wrong)) for n in nodes])
    (diagnostic,) = found.diagnostics
    assert diagnostic.code is codes.STEERING_SPLIT
    assert "reaches worker 3 of `a1`, and its session is on worker 0" in diagnostic.message


@pytest.mark.parametrize("what", ["key", "reta", "reta-size"])
def test_node_that_spreads_otherwise_is_tvs0405(what: str) -> None:
    site = site_of(Driver.ICE, workers=3)
    nodes = plans(site)
    steering = nodes[1].steering
    if what == "key":
        nodes = changed(
            nodes, 1, key=steering.key[:7] + bytes([steering.key[7] ^ 1]) + steering.key[8:]
        )
    elif what == "reta":
        reta = list(steering.reta)
        reta[100] = (reta[100] + 1) % 3
        nodes = changed(nodes, 1, reta=tuple(reta))
    else:
        nodes = changed(nodes, 1, reta=steering.reta[:128])  # 3 does not divide 128
    found = proof(site, nodes)
    diagnostic = found.diagnostics[-1]
    assert diagnostic.code is codes.STEERING_SPLIT
    assert "`a1` and `a2` spread requests differently" in diagnostic.message
    flow = flow_of(replace(found, diagnostics=(diagnostic,)))
    assert queue(nodes[0].steering, flow) != queue(nodes[1].steering, flow)


def test_key_bits_that_choose_no_row_make_no_difference() -> None:
    """IPv4 uses 16 bytes of the key, and its first bits only reach high bits of the hash."""
    site = site_of(Driver.ICE)
    nodes = plans(site)
    key = nodes[1].steering.key
    same = bytes([key[0] ^ 1]) + key[1:16] + bytes(36)
    assert proof(site, changed(nodes, 1, key=same)).diagnostics == ()


def test_trap_of_the_82599_is_tvs0406() -> None:
    """Rules for whole addresses, unmarked: the 129th finds the five-tuple filters full."""
    site = site_of(Driver.IXGBE, nodes=4, workers=11, per_worker=3)
    nodes = plans(site)
    unmarked = tuple(
        RulePlan(IPv4Network(lip), w, n.node.index, avoid_ntuple=False)
        for n in nodes
        for w, lips in enumerate(n.node.lips)
        for lip in lips
    )
    steered = [replace(n, steering=replace(n.steering, rules=unmarked)) for n in nodes]
    first, second = proof(site, steered).diagnostics
    assert first.code is codes.RULE_REFUSED
    assert "one of 128 five-tuple filters" in first.message
    assert second.code is codes.STEERING_SPLIT
    marked = tuple(replace(rule, avoid_ntuple=True) for rule in unmarked)
    steered = [replace(n, steering=replace(n.steering, rules=marked)) for n in nodes]
    assert proof(site, steered).diagnostics == ()


def test_rule_over_a_vip_is_tvs0407() -> None:
    site = site_of(Driver.MLX5)
    nodes = plans(site)
    rule = RulePlan(IPv4Network((VIP & ~0xF, 28)), 0, 0, avoid_ntuple=False)
    found = proof(site, changed(nodes, 0, rules=(*nodes[0].steering.rules, rule)))
    (diagnostic,) = found.diagnostics
    assert diagnostic.code is codes.REQUESTS_NOT_SPREAD
    assert diagnostic.message == "every request to 203.0.113.10 reaches worker 0 of `a1`"


def test_idle_worker_is_tvs0407() -> None:
    site = site_of(Driver.ICE)
    nodes = [replace(n, steering=replace(n.steering, reta=(0, 1, 2, 0) * 128)) for n in plans(site)]
    (diagnostic,) = proof(site, nodes).diagnostics
    assert diagnostic.code is codes.REQUESTS_NOT_SPREAD
    assert "worker 3 of `a1` gets no request" in diagnostic.message


def test_key_that_spreads_badly_is_tvs0407() -> None:
    """A repetitive key: its windows at the source's bits span few rows."""
    site = site_of(Driver.ICE)
    key = bytes.fromhex("6d5a" * 26)
    nodes = [replace(n, steering=replace(n.steering, key=b"\xff" * 52)) for n in plans(site)]
    (diagnostic,) = proof(site, nodes).diagnostics
    assert diagnostic.code is codes.REQUESTS_NOT_SPREAD
    assert "the RSS key spreads badly" in diagnostic.message
    assert Spread(key, (0, 1) * 256).reaches_every_row()


def test_compile_refuses_what_is_not_proved(tmp_path: Path) -> None:
    """The stage sees the plans themselves, not what they should have been."""
    site = site_of(Driver.ICE)
    plan = plan_site(site, make_sources())
    options = Options(tmp_path / "site.tvs", tmp_path / "out")
    run = Run(options, Progress(quiet=True), Output(options.out), site=site, plan=plan)
    prove(run)
    broken = replace(plan.nodes[0], steering=replace(plan.nodes[0].steering, rules=()))
    run.plan = replace(plan, nodes=(broken, *plan.nodes[1:]))
    with pytest.raises(SiteError) as caught:
        prove(run)
    assert caught.value.diagnostics[0].code is codes.STEERING_SPLIT
    assert STAGES.index(prove) == STAGES.index(claim) - 1


def test_part_of_a_cluster_can_be_planned() -> None:
    """`tvsc compile --node`: what is planned is proved, what is not is not looked at."""
    site = site_of(Driver.IXGBE, nodes=3)
    plan = plan_site(site, make_sources(), only=["a2"])
    (found,) = prove_plan(site, plan)
    assert (found.kinds, found.diagnostics) == ((("a2",),), ())


@pytest.mark.parametrize("driver", STEERABLE)
def test_device_and_oracle_agree(driver: Driver) -> None:
    """On planned rules the model of the card is a loop over rules, then the hash."""
    site = site_of(driver, nodes=3, workers=5)
    steering = plans(site)[0].steering
    nic, refusals = load_nic(site.nics[0], steering)
    assert refusals == []
    chance = random.Random(5)
    lips = [int(lip) for n in site.nodes() for w in n.lips for lip in w]
    for _ in range(2000):
        packet = Packet(
            chance.getrandbits(32),
            chance.choice([VIP, chance.choice(lips), chance.getrandbits(32)]),
            chance.choice([6, 17, 1, 47]),
            chance.getrandbits(16),
            chance.getrandbits(16),
        )
        assert nic.queue(packet) == queue(steering, packet)


@st.composite
def broken(draw: st.DrawFn) -> tuple[Site, list[NodeSteering]]:
    """A cluster, its plans, and perhaps a fault in those of one node or of all."""
    site = site_of(
        draw(st.sampled_from(STEERABLE)),
        nodes=draw(st.integers(1, 4)),
        workers=draw(st.integers(1, 6)),
        per_worker=draw(st.integers(1, 4)),
    )
    nodes = plans(site)
    steering = nodes[0].steering
    fault = draw(st.sampled_from(["none", "drop", "worker", "wide", "key", "reta", "vip"]))
    at = draw(st.integers(0, len(steering.rules) - 1))
    bad = _with_fault(draw, steering, fault, at)
    victims = draw(
        st.sampled_from([range(len(nodes)), range(1), range(len(nodes) - 1, len(nodes))])
    )
    return site, [replace(n, steering=bad) if i in victims else n for i, n in enumerate(nodes)]


def _with_fault(draw: st.DrawFn, steering: SteeringPlan, fault: str, at: int) -> SteeringPlan:
    rules = steering.rules
    worker = draw(st.integers(0, max(steering.reta)))
    if fault == "drop":
        return replace(steering, rules=rules[:at] + rules[at + 1 :])
    if fault == "worker":
        return replace(
            steering, rules=(*rules[:at], replace(rules[at], worker=worker), *rules[at + 1 :])
        )
    if fault == "wide":
        network = rules[at].network.supernet()
        return replace(
            steering, rules=(*rules[:at], replace(rules[at], network=network), *rules[at + 1 :])
        )
    if fault == "key":
        bit = draw(st.integers(0, len(steering.key) * 8 - 1))
        number = int.from_bytes(steering.key, "big") ^ 1 << bit
        return replace(steering, key=number.to_bytes(len(steering.key), "big"))
    if fault == "reta":
        row = draw(st.integers(0, len(steering.reta) - 1))
        reta = steering.reta
        return replace(steering, reta=(*reta[:row], worker, *reta[row + 1 :]))
    if fault == "vip":
        network = IPv4Network(
            (VIP, 32 if draw(st.booleans()) else rules[0].network.prefixlen), False
        )
        return replace(steering, rules=(*rules, RulePlan(network, worker, 0, avoid_ntuple=True)))
    return steering


@settings(max_examples=150, deadline=None)
@given(broken(), st.integers(0, 1 << 30))
def test_proof_against_brute_force(case: tuple[Site, list[NodeSteering]], seed: int) -> None:
    """What is proved no packet disproves; and a counterexample's flow really goes astray."""
    site, nodes = case
    found = proof(site, nodes)
    kinds = {d.code.id for d in found.diagnostics}
    if not kinds:
        assert counterexample(site, site.clusters[0], nodes, seed) is None
    refused = codes.RULE_REFUSED.id in kinds
    for diagnostic in found.diagnostics:
        if diagnostic.code is codes.STEERING_SPLIT and not refused and diagnostic.notes:
            flow = flow_of(replace(found, diagnostics=(diagnostic,)))
            queues = {queue(n.steering, flow) for n in nodes}
            owners = {
                w
                for n in nodes
                for w, lips in enumerate(n.node.lips)
                if IPv4Address(flow.destination) in lips
            }
            assert len(queues | owners) > 1


@st.composite
def deaf(draw: st.DrawFn) -> tuple[Site, list[NodeSteering]]:
    """A cluster with session sync; one node may spread otherwise than its peers believe."""
    nodes = draw(st.integers(2, 4))
    site = site_of(draw(st.sampled_from(STEERABLE)), nodes, draw(st.integers(1, 6)), sync=SYNC)
    planned = plans(site)
    at = draw(st.integers(0, nodes - 1))
    fault = draw(st.sampled_from(["none", "key", "reta"]))
    bad = _with_fault(draw, planned[at].steering, fault, 0)
    return site, [replace(n, steering=bad) if i == at else n for i, n in enumerate(planned)]


@settings(max_examples=100, deadline=None)
@given(deaf())
def test_proof_of_messages_against_brute_force(case: tuple[Site, list[NodeSteering]]) -> None:
    """One is named if and only if some go astray, and it is one of those."""
    site, nodes = case
    found = proof(site, nodes)
    told = tuple(d for d in found.diagnostics if " tells " in d.message)
    astray = list(messages_astray(nodes))
    assert len(told) == min(1, len(astray))
    if told:
        assert flow_of(replace(found, diagnostics=told)) in astray
