"""The laptop example with `client-address toa`, compiled: against the naive model, by capture, and
what the plan and `tvsc explain flow` say of it.
"""

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given

from tests.differential.life import live_on
from tests.differential.steps import FIRST_TICKS, LIVES, Step
from tests.differential.test_fixture import QUICK, THOROUGH
from tests.differential.world import World
from tests.naive import runtime
from tests.naive.craft import Frame
from tests.naive.plan import read_site
from tests.naive.toa import TOA, options
from tests.naive.wire import ACK, SYN, TCP, Packet
from tests.replay.run import replay_generation

OUT = runtime.ROOT / "build" / "differential-toa"
NODE = "tvs-a2"
CLIENT = 0xC6120007  # 198.18.0.7


@cache
def node() -> Path:
    """The node's directory. Only `web` tells."""
    text = (runtime.ROOT / "examples" / "laptop" / "site.tvs").read_text(encoding="utf-8")
    told = text.replace("service web {\n", "service web {\n    client-address toa\n")
    assert told != text
    OUT.mkdir(parents=True, exist_ok=True)
    site = OUT / "site.tvs"
    site.write_text(told, encoding="utf-8")
    out = OUT / "out"
    runtime.run(
        runtime.tool("tvsc"), "compile", str(site), "--no-bundle", "--node", NODE, "-o", str(out)
    )
    return out / "nodes" / NODE


def live(life: list[Step], first_tick: int) -> World:
    return live_on(node(), life, first_tick)


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


def test_the_plan_says_so() -> None:
    plan = json.loads((node() / "plan.json").read_text(encoding="utf-8"))
    classes = {row["services"][0]: row for row in plan["classes"]}
    assert classes["web tcp/80"]["client_address"] == "toa"
    assert "client-address toa" in classes["web tcp/80"]["reason"]
    assert classes["api tcp/80"]["client_address"] == "none"


def test_replay_shows_it() -> None:
    """What the server will get is in the capture, and the counters say how often."""
    site = read_site(node() / "plan.json")
    web, api = site.services[0].vip, site.services[1].vip
    first = [bytes(Frame(CLIENT, vip, TCP, 4000, 80, SYN)) for vip in (web, api)]
    full = bytes(Frame(CLIENT, web, TCP, 4000, 80, ACK, tcp_options=b"\x01" * 40))
    long = bytes(Frame(CLIENT, web, TCP, 4000, 80, ACK, payload=bytes(1460)))
    outcome = replay_generation(node() / "generation.so", [*first, full, long])
    segments = [Packet(frame).payload for frame in outcome.frames]
    assert segments[0][20:28] == bytes([TOA, 8]) + (4000).to_bytes(2, "big") + bytes(
        [198, 18, 0, 7]
    )
    assert [len(list(options(segment))) for segment in segments] == [1, 0, 0, 0]
    counted = {name: n for name, n in outcome.total.items() if name.startswith("toa") and n}
    assert counted == {"toa_added": 1, "toa_no_room": 1, "toa_too_long": 1}
