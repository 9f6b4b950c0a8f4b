"""The mirror against a real kernel: a namespace with three links, routes as BIRD writes them."""

import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tvsc.lab import namespace
from tvsc.lab.ecmp import BUCKETS, GRACE_S, EcmpMirror
from tvsc.lab.switch import BGP_TABLE

pytestmark = pytest.mark.lab

VIP = "203.0.113.10"
HOPS = ("192.0.2.1", "192.0.2.2", "192.0.2.3")


@pytest.fixture
def switch() -> Iterator[str]:
    name = f"tvsc-test-ecmp-{os.getpid()}"
    namespace.create(name)
    commands = [f"route add throw default table {BGP_TABLE}"]
    for number, hop in enumerate(HOPS):
        commands += [
            f"link add n{number} type veth peer name p{number}",
            f"link set n{number} up",
            f"link set p{number} up",
            f"route add {hop}/32 dev n{number}",
        ]
    namespace.batch(name, commands)
    yield name
    namespace.delete(name)


@pytest.fixture
def mirror(switch: str) -> Iterator[EcmpMirror]:
    mirror = EcmpMirror(switch, resilient=True)
    yield mirror
    mirror.close()


def _announce(switch: str, numbers: tuple[int, ...], prefix: str = VIP) -> None:
    """What BIRD would write; () withdraws."""
    if not numbers:
        namespace.batch(switch, [f"route del {prefix} table {BGP_TABLE}"])
        return
    hops = " ".join(f"nexthop via {HOPS[n]} dev n{n}" for n in numbers)
    one = f"via {HOPS[numbers[0]]} dev n{numbers[0]}"
    way = hops if len(numbers) > 1 else one
    namespace.batch(switch, [f"route replace {prefix} table {BGP_TABLE} proto bird {way}"])


def _follow(mirror: EcmpMirror) -> None:
    """What the supervisor's loop does."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if mirror.receive() or mirror.impatient:
            mirror.sync()
        elif mirror.events:
            return
        time.sleep(0.005)


def _buckets(switch: str) -> list[str]:
    """Gateway of each bucket of the VIP's group."""
    ip = ["ip", "-n", switch, "-j"]

    def ask(*words: str) -> list[dict[str, object]]:
        text = subprocess.run([*ip, *words], capture_output=True, text=True, check=True).stdout
        rows: list[dict[str, object]] = json.loads(text or "[]")
        return rows

    gateways = {str(row["id"]): str(row.get("gateway")) for row in ask("nexthop", "show")}
    group = str(ask("route", "show", VIP)[0]["nhid"])
    listing = subprocess.run(
        ["ip", "-n", switch, "nexthop", "bucket", "show", "id", group],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [gateways[line.split("nhid")[1].split()[0]] for line in listing.splitlines()]


def test_a_route_becomes_a_resilient_group(switch: str, mirror: EcmpMirror) -> None:
    _announce(switch, (0, 1, 2))
    _follow(mirror)
    assert mirror.gateways(VIP) == set(HOPS)
    buckets = _buckets(switch)
    assert len(buckets) == BUCKETS
    counts = [buckets.count(hop) for hop in HOPS]
    assert max(counts) - min(counts) <= 1


def test_a_hop_that_goes_moves_only_its_own_buckets(switch: str, mirror: EcmpMirror) -> None:
    _announce(switch, (0, 1, 2))
    _follow(mirror)
    before = _buckets(switch)
    _announce(switch, (1, 2))
    _follow(mirror)
    after = _buckets(switch)
    assert HOPS[0] not in after
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {old for old, _ in moved} == {HOPS[0]}


def test_a_link_that_goes_moves_only_its_own_buckets(switch: str, mirror: EcmpMirror) -> None:
    """The kernel acts first and takes the whole multipath route out; BIRD then puts the rest in."""
    _announce(switch, (0, 1, 2))
    _follow(mirror)
    before = _buckets(switch)
    namespace.batch(switch, ["link del n0"])
    assert mirror.receive()
    mirror.sync()
    assert any(event.kind == "link-down" and event.subject == "n0" for event in mirror.events)
    _announce(switch, (1, 2))
    _follow(mirror)
    after = _buckets(switch)
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {old for old, _ in moved} == {HOPS[0]}
    assert mirror.gateways(VIP) == {HOPS[1], HOPS[2]}


def test_a_withdrawn_prefix_goes_after_a_moment(switch: str, mirror: EcmpMirror) -> None:
    _announce(switch, (0, 1))
    _announce(switch, (2,), prefix="172.16.0.0/24")
    _follow(mirror)
    _announce(switch, ())
    _follow(mirror)
    time.sleep(GRACE_S)
    mirror.sync()
    assert not mirror.impatient
    assert mirror.gateways(VIP) == set()
    routes = namespace.run_ip(["-n", switch, "route", "show"])
    assert VIP not in routes
    assert "172.16.0.0/24 nhid" in routes
    assert mirror.events[-1].hops == ()
