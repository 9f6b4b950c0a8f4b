"""The compiled packet path and the naive model on the same random lives, step by step."""

import pytest
from hypothesis import (
    HealthCheck,
    Phase,
    assume,
    given,
    settings,
)

from tests.differential.life import is_short, live_in
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
)
from tests.differential.world import World
from tests.naive import runtime
from tests.naive.fixture import DNS, KEPT, VARIANTS, WEB
from tests.naive.wire import ACK, SYN

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
        assume(is_short(life))
    return live_in(VARIANTS[variant], runtime.fixture(variant), life, first_tick)


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


PLAIN = Detail(b"hello", 64, 0, b"", 0, True, 0, 0, 1, Spoil(), None)
KEPT_TCP, KEPT_UDP = 2, 3  # services


def opened(first_port: int) -> Burst:
    """New sessions of the two services that have a sorry pool, and a packet of those before."""
    new = (
        Request(client, first_port + service, service, SYN, PLAIN)
        for client in range(6)
        for service in (KEPT_TCP, KEPT_UDP)
    )
    return Burst((*new, Request(0, 1000 + KEPT_TCP, KEPT_TCP, ACK, PLAIN)))


def test_a_sorry_pool_serves_as_long_as_its_own_is_empty() -> None:
    life: list[Step] = [
        *(Outage(KEPT, "down"), opened(1000)),
        *(Flap(KEPT, 1, "up", 1), opened(2000)),
        *(Outage(KEPT, "drain"), Flap(WEB, 0, "down", 1), opened(3000)),
        *(Outage(WEB, "down"), Outage(DNS, "down"), opened(4000)),
    ]
    world = live("fixture", life, 0)
    assert sum(worker.counters["sessions_sorry"] for worker in world.model.workers) == 24
    assert sum(worker.counters["sessions_opened"] for worker in world.model.workers) == 36
    assert "no_backend" in world.seen
