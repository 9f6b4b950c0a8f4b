"""The same comparison with a node that `tvsc compile` made: the laptop example's second one."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given

from tests.differential.life import live_on
from tests.differential.steps import FIRST_TICKS, LIVES, Step
from tests.differential.test_fixture import QUICK, THOROUGH
from tests.naive import nic, runtime
from tests.naive.craft import Frame
from tests.naive.plan import read_site
from tests.naive.wire import SYN, TCP
from tests.replay.run import replay_generation

SITE = runtime.ROOT / "examples" / "laptop" / "site.tvs"
NODE = "tvs-a2"


@cache
def node(steering: str) -> Path:
    """The node's directory, compiled; unchanged sources are not compiled again."""
    out = runtime.ROOT / "build" / f"differential-{steering}"
    options = ["--no-bundle", "--node", NODE, "-o", str(out)]
    if steering == "software":
        options += ["--steering", "software"]
    runtime.run(runtime.tool("tvsc"), "compile", str(SITE), *options)
    return out / "nodes" / NODE


def live(steering: str, life: list[Step], first_tick: int) -> None:
    live_on(node(steering), life, first_tick)


@pytest.mark.parametrize("steering", ["fdir", "software"])
@given(life=LIVES, first_tick=FIRST_TICKS)
@QUICK
def test_few_lives(steering: str, life: list[Step], first_tick: int) -> None:
    live(steering, life, first_tick)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("steering", ["fdir", "software"])
@given(life=LIVES, first_tick=FIRST_TICKS)
@THOROUGH
def test_many_lives(steering: str, life: list[Step], first_tick: int) -> None:
    live(steering, life, first_tick)


def test_replay_runs_what_tvsc_compiled() -> None:
    """Requests go where the plan's key and RETA say, and both ways of steering agree."""
    site = read_site(node("fdir") / "plan.json")
    vip = site.services[0].vip
    frames = [bytes(Frame(0xC6120000 + n, vip, TCP, 4000 + n, 80, SYN)) for n in range(100)]
    hardware = replay_generation(node("fdir") / "generation.so", frames)
    software = replay_generation(node("software") / "generation.so", frames)
    assert [line["worker"] for line in hardware.trace] == [nic.steer(site, f) for f in frames]
    assert software.frames == hardware.frames
    assert hardware.stats["node"] == NODE
    assert hardware.total["tx_request"] == 100
