"""A site that has every feature at once, compiled: against the naive model."""

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, given

from tests.differential.life import is_short, live_on
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
    return live_on(node(), life, first_tick)


@given(life=LIVES, first_tick=FIRST_TICKS)
@QUICK
def test_few_lives(life: list[Step], first_tick: int) -> None:
    assume(is_short(life))
    live(life, first_tick)


@pytest.mark.slow
@pytest.mark.timeout(600)
@given(life=LIVES, first_tick=FIRST_TICKS)
@THOROUGH
def test_many_lives(life: list[Step], first_tick: int) -> None:
    assume(is_short(life))
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


HANDSHAKE = (("client", SYN), ("server", SYN | ACK), ("client", ACK), ("client", PSH | ACK))


def talks(first_port: int, clients: range) -> list[Step]:
    """Each of the clients opens a session of every service, until its server has answered."""
    moves = (*HANDSHAKE, ("server", ACK), ("client", PSH | ACK))
    return [
        Talk(client, first_port, service, moves, PLAIN)
        for client in clients
        for service in (WEB, API, ECHO)
    ]


def test_all_at_once() -> None:
    """Pools empty and fill under sessions that limits count and whose address is told."""
    pools = [pool.name for pool in read_site(node() / "plan.json").pools]
    web, regret = pools.index("web"), pools.index("regret")
    life: list[Step] = [
        *talks(1000, range(4)),
        *(Outage(pools.index(name), "down") for name in ("web", "api", "echo")),
        *talks(1001, range(6)),
        *talks(1000, range(4)),  # those that were reset begin anew, on the sorry pool
        *(Flap(regret, 0, "up", 0), Flap(web, 2, "up", 2), Wait(20)),
        *talks(1002, range(4)),
        *(Flap(web, 2, "drain", 2), Wait(400)),
        *talks(1003, range(8)),
        Burst(tuple(Request(3, 1100 + n, API, SYN, PLAIN) for n in range(60))),
    ]
    world = live(life, 2**32 - 100)
    counted: Counter[str] = Counter()
    for worker in world.model.workers:
        counted.update(worker.counters)
    for name in ("sessions_sorry", "sessions_reset", "sessions_expired", "toa_added"):
        assert counted[name] > 5, name
    for name in ("source_denied", "service_full", "source_too_fast"):
        assert counted[f"drop_{name}"] > 0, name
