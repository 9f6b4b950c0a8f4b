"""A site that has every feature at once, compiled: against the naive model."""

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, given, note

from tests.differential.steps import (
    FIRST_TICKS,
    LIVES,
    Burst,
    Detail,
    Flap,
    Outage,
    Request,
    Spoil,
    Step,
    Talk,
    Wait,
)
from tests.differential.test_fixture import QUICK, THOROUGH
from tests.differential.world import World
from tests.naive import runtime
from tests.naive.loaded import VLAN, loaded_site
from tests.naive.plan import read_site
from tests.naive.wire import ACK, PSH, SYN

OUT = runtime.ROOT / "build" / "differential-loaded"
NODE = "tvs-a2"
WEB, API, ECHO = range(3)  # services
PLAIN = Detail(b"hello", 64, 0, b"", 0, True, 0, 0, 1, Spoil(), None)


@cache
def node() -> Path:
    """The node's directory; unchanged sources are not compiled again."""
    loaded_site(OUT / "site.tvs")
    command = ["compile", str(OUT / "site.tvs"), "--no-bundle", "--node", NODE]
    runtime.run(runtime.tool("tvsc"), *command, "-o", str(OUT / "out"))
    return OUT / "out" / "nodes" / NODE


def live(life: list[Step], first_tick: int) -> World:
    # no sweep forgets sources: half a turn of the clock is as long as one counts
    assume(sum(step.ticks for step in life if isinstance(step, Wait)) < 2**31)
    world = World(read_site(node() / "plan.json"), node() / "generation.so", first_tick)
    try:
        for step in life:
            note(f"tick {world.tick}: {step}")
            world.do(step)
        world.compare_state()
    finally:
        world.close()
    return world


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


def test_the_site_has_them_all() -> None:
    plan = json.loads((node() / "plan.json").read_text(encoding="utf-8"))
    assert [port["vlan"] for port in plan["ports"]] == [VLAN]
    assert plan["sync"] is not None
    assert len(plan["limits"]) == 3
    for row, told in zip(plan["classes"], ["toa", "toa", "none"], strict=True):
        assert row["client_address"] == told
        assert row["limited"] and row["sorry"]
    assert {row["scheduler"] for row in plan["classes"]} == {
        "maglev",
        "least-loaded",
        "source-hash",
    }
