"""A site with `limits` that `tvsc compile` made, against what its text says, in the naive model.

The naive model has the prefixes as they are written, overlapping and in disorder, and looks at all
of them for each packet; the machine code has disjoint ranges and an index.
"""

from dataclasses import replace
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.differential.life import is_short, live_in
from tests.differential.steps import FIRST_TICKS, LIVES, Step
from tests.differential.test_fixture import QUICK, THOROUGH
from tests.naive import runtime
from tests.naive.craft import Frame
from tests.naive.memory import Memory
from tests.naive.plan import read_site
from tests.naive.site import Limits, Service, Site
from tests.naive.wire import SYN

SITE = runtime.ROOT / "examples" / "laptop" / "site.tvs"
NODE = "tvs-a2"

# Clients of the lives are 198.18.0.0 to .9; some of each service's get in.
LISTED = (
    *("198.18.0.1/32", "198.18.0.6/31", "198.18.0.7/32", "0.0.0.0/8", "10.128.0.0/9"),
    *("10.0.0.0/8", "198.18.0.1/32", "255.255.255.255/32", "198.18.0.128/25", "198.18.0.192/26"),
    *("127.255.255.254/31", "128.0.0.0/31"),
)
ACCESS: dict[str, tuple[tuple[str, ...] | None, tuple[str, ...]]] = {
    "web": (None, LISTED),
    "api": (("198.18.0.0/30", "198.18.0.8/32", "198.18.0.4/30"), ("198.18.0.2/32",)),
    "echo": (("198.18.0.0/29",), ()),
}
LIMITS = {
    "web": 'connections 8  deny from "listed.txt"',
    "api": "new-per-source 2/s  allow {allow}  deny {deny}",
    "echo": "connections 9  new-per-source 30/s  allow {allow}",
}


def site_text() -> str:
    text = SITE.read_text(encoding="utf-8")
    for name, (allow, deny) in ACCESS.items():
        said = LIMITS[name].format(allow=", ".join(allow or ()), deny=", ".join(deny))
        assert f"service {name} {{" in text
        text = text.replace(f"service {name} {{", f"service {name} {{\n    limits {{ {said} }}")
    return text


@cache
def node() -> Path:
    """The node's directory, compiled; unchanged sources are not compiled again."""
    directory = runtime.ROOT / "build" / "differential-limits"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in (("site.tvs", site_text()), ("listed.txt", "\n".join(LISTED) + "\n")):
        (directory / name).write_text(text, encoding="utf-8")
    options = ["--no-bundle", "--node", NODE, "-o", str(directory / "out")]
    runtime.run(runtime.tool("tvsc"), "compile", str(directory / "site.tvs"), *options)
    return directory / "out" / "nodes" / NODE


@cache
def site() -> Site:
    """As planned, but for who gets in: that is as written."""
    planned = read_site(node() / "plan.json")
    names = {0: "web", 1: "api", 2: "echo"}
    return replace(
        planned,
        services=tuple(as_written(s, names[n]) for n, s in enumerate(planned.services)),
    )


def as_written(service: Service, name: str) -> Service:
    allow, deny = ACCESS[name]
    assert isinstance(service.limits, Limits)
    return replace(
        service,
        limits=replace(
            service.limits,
            allow=None if allow is None else tuple(map(IPv4Network, allow)),
            deny=tuple(map(IPv4Network, deny)),
        ),
    )


def live(life: list[Step], first_tick: int) -> None:
    assume(is_short(life))
    live_in(site(), node() / "generation.so", life, first_tick)


@given(life=LIVES, first_tick=FIRST_TICKS)
@QUICK
def test_few_lives(life: list[Step], first_tick: int) -> None:
    live(life, first_tick)


@pytest.mark.slow
@pytest.mark.timeout(600)
@given(life=LIVES, first_tick=FIRST_TICKS)
@THOROUGH
def test_many_lives(life: list[Step], first_tick: int) -> None:
    live(life, first_tick)


EDGES = [
    address
    for allow, deny in ACCESS.values()
    for network in map(IPv4Network, (*(allow or ()), *deny))
    for end in (int(network.network_address), int(network.broadcast_address))
    for address in (end - 1, end, end + 1)
    if 0 < address <= 0xFFFFFFFF
]


@given(sources=st.lists(st.sampled_from(EDGES) | st.integers(1, 0xFFFFFFFF), max_size=40))
@QUICK
def test_who_gets_in(sources: list[int]) -> None:
    """One packet of each source, at every edge of what is written, for each service."""
    with Memory(node() / "generation.so") as memory:
        for number, service in enumerate(site().services):
            assert service.limits is not None
            for source in sources:
                first = source >> 24
                if first in (0, 127) or first >= 224:
                    continue  # no client has such an address
                frame = bytes(Frame(source, service.vip, service.proto, 1000, service.port, SYN))
                [result] = memory.run([(frame, number % 2)])
                denied = result.verdict.arg == "source_denied"
                assert denied == service.limits.keeps_out(source), hex(source)


def test_every_limit_is_met() -> None:
    """The lives would be no test of limits that their clients never come to."""
    seen: set[str] = set()
    with Memory(node() / "generation.so") as memory:
        for service in site().services:
            for number in range(64):
                frame = Frame(0xC6120000 + number % 10, service.vip, service.proto, number + 1024)
                frames = [(bytes(frame.but(destination_port=service.port, flags=SYN)), 0)]
                seen |= {str(result.verdict.arg) for result in memory.run(frames)}
    assert {"source_denied", "service_full", "source_too_fast"} <= seen
