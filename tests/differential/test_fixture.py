"""The compiled packet path and the naive model on the same random lives, step by step."""

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings

from tests.differential.steps import FIRST_TICKS, LIVES, Step, Wait
from tests.differential.world import World
from tests.naive import runtime
from tests.naive.fixture import VARIANTS

# A failing life is printed as drawn: to make it small takes minutes (add Phase.shrink for that).
COMMON = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
QUICK = settings(COMMON, max_examples=40)
THOROUGH = settings(COMMON, max_examples=400)

# The naive model has no buckets that could be full.
LIVED = sorted(VARIANTS.keys() - {"fixture-few-buckets"})


def live(variant: str, life: list[Step], first_tick: int) -> World:
    if variant == "fixture-limits":
        # No sweep forgets sources: half a turn of the clock, 6.8 years, is as long as one counts.
        assume(sum(step.ticks for step in life if isinstance(step, Wait)) < 2**31)
    world = World(VARIANTS[variant], runtime.fixture(variant), first_tick)
    try:
        for step in life:
            note(f"tick {world.tick}: {step}")
            world.do(step)
        world.compare_state()
    finally:
        world.close()
    return world


@pytest.mark.parametrize("variant", LIVED)
@given(life=LIVES, first_tick=FIRST_TICKS)
@QUICK
def test_few_lives(variant: str, life: list[Step], first_tick: int) -> None:
    live(variant, life, first_tick)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("variant", LIVED)
@given(life=LIVES, first_tick=FIRST_TICKS)
@THOROUGH
def test_many_lives(variant: str, life: list[Step], first_tick: int) -> None:
    live(variant, life, first_tick)
