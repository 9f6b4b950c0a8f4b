"""One life, lived by a compiled node and by the naive model."""

from pathlib import Path

from hypothesis import currently_in_test_context, note

from tests.differential.steps import Step, Wait
from tests.differential.world import World
from tests.naive.plan import read_site
from tests.naive.site import Site


def live_in(site: Site, generation: Path, life: list[Step], first_tick: int) -> World:
    """Compares every packet's fate, and at the end the state; the world is closed then."""
    world = World(site, generation, first_tick)
    try:
        for step in life:
            if currently_in_test_context():
                note(f"tick {world.tick}: {step}")
            world.do(step)
        world.compare_state()
    finally:
        world.close()
    return world


def live_on(node: Path, life: list[Step], first_tick: int) -> World:
    """The same for a directory of `tvsc compile`, OUT/nodes/NODE."""
    return live_in(read_site(node / "plan.json"), node / "generation.so", life, first_tick)


def is_short(life: list[Step]) -> bool:
    """No sweep forgets sources: half a turn of the clock, 6.8 years, is as long as one counts."""
    return sum(step.ticks for step in life if isinstance(step, Wait)) < 2**31
