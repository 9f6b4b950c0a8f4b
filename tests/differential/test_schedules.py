"""Schedules other than turns, in nodes that `tvsc compile` made: random lives against the naive
model, and what every node of the site must agree on.
"""

import random
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given

from tests.differential.life import live_on
from tests.differential.steps import (
    FIRST_TICKS,
    LIVES,
    Burst,
    Detail,
    Flap,
    Request,
    Spoil,
    Step,
    Wait,
)
from tests.differential.test_fixture import QUICK, THOROUGH
from tests.differential.world import World
from tests.naive import runtime
from tests.naive.craft import Frame
from tests.naive.fixture import VARIANTS
from tests.naive.memory import Memory
from tests.naive.plan import read_site
from tests.naive.scheduled import SCHEDULES, scheduled_site
from tests.naive.site import Pool, ip
from tests.naive.wire import RST, SYN, TCP, UDP

NODES = ("tvs-a1", "tvs-a2", "tvs-b4")
WEB, API = ip("203.0.113.10"), ip("203.0.113.20")
CLIENTS = 0xC6120000  # 198.18.0.0
DETAIL = Detail(
    payload=b"",
    ttl=64,
    ip_options=0,
    tcp_options=b"",
    fragment=0,
    udp_checksum=True,
    length_error=0,
    l4_error=0,
    sequence=1,
    spoil=Spoil(),
    rx_worker=None,
)


@cache
def compiled() -> Path:
    """OUT/nodes; unchanged sources are not compiled again."""
    out = runtime.ROOT / "build" / "tests-schedules" / "out"
    named = [word for node in NODES for word in ("--node", node)]
    command = ["compile", str(scheduled_site()), "--no-bundle", *named, "-o", str(out)]
    runtime.run(runtime.tool("tvsc"), *command)
    return out / "nodes"


def live(life: list[Step], first_tick: int) -> None:
    live_on(compiled() / "tvs-a2", life, first_tick)


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


@pytest.mark.parametrize("variant", ["fixture", *(f"fixture-{s}" for s in SCHEDULES.values())])
def test_churn(variant: str) -> None:
    """Sessions come and go unevenly, servers come, go and change their weight."""
    chance = random.Random(variant)
    world = World(VARIANTS[variant], runtime.fixture(variant))

    def request() -> Request:
        flags = chance.choice([SYN, SYN, RST])
        service = chance.randrange(4)
        return Request(chance.randrange(40), 1024 + chance.randrange(40), service, flags, DETAIL)

    try:
        for _ in range(150):
            world.do(Burst(tuple(request() for _ in range(8))))
            if chance.random() < 0.1:
                world.do(Wait(chance.choice([1, 10, 40])))
            if chance.random() < 0.1:
                state, weight = chance.choice(["up", "up", "down", "drain"]), chance.randrange(5)
                world.do(Flap(chance.randrange(3), chance.randrange(3), state, weight))
        world.compare_state()
        opened = sum(worker.counters["sessions_opened"] for worker in world.model.workers)
        assert opened > 400
    finally:
        world.close()


def flows(count: int, vip: int, proto: int, port: int, clients: int) -> list[bytes]:
    """First packets of as many flows, of so many clients in turn."""
    return [
        bytes(Frame(CLIENTS + n % clients, vip, proto, 1024 + n // clients, port, SYN))
        for n in range(count)
    ]


def servers(memory: Memory) -> dict[tuple[int, int], int]:
    """The server's number in its pool, by client address and port."""
    sessions = [s for worker in range(memory.n_workers) for s in memory.sessions(worker)]
    return {session.client: session.backend for session in sessions}


def open_on(node: str, frames: list[bytes], seed: int) -> dict[tuple[int, int], int]:
    with Memory(compiled() / node / "generation.so", seed) as memory:
        memory.run([(frame, None) for frame in frames])
        found = servers(memory)
    assert len(found) == len(frames)
    return found


def test_every_node_gives_a_flow_the_same_server() -> None:
    """Whatever their cluster and their workers' secrets."""
    frames = flows(2000, WEB, TCP, 80, clients=1000)
    first, *others = [open_on(node, frames, seed) for seed, node in enumerate(NODES)]
    assert others == [first] * len(others)
    share = Counter(first.values())
    assert set(share) == {0, 1, 2, 3}
    assert min(share.values()) > 300 and 700 < share[3] < 900  # weights 1, 1, 1, 2


def test_a_client_keeps_its_server_on_every_node() -> None:
    frames = flows(2000, API, UDP, 7, clients=100)
    for seed, node in enumerate(NODES):
        found = open_on(node, frames, seed)
        by_client = {(client, server) for (client, _), server in found.items()}
        assert len(by_client) == 100
        assert {server for _, server in by_client} == {0, 1}


def pools(node: str) -> tuple[Pool, ...]:
    return read_site(compiled() / node / "plan.json").pools


def test_a_server_that_leaves_takes_its_own_flows_alone() -> None:
    """docs/schedulers.md: at most 5 % of the flows of other servers move, and they return."""
    frames = flows(3000, WEB, TCP, 80, clients=1000)
    before = open_on("tvs-a1", frames, 1)
    with Memory(compiled() / "tvs-a1" / "generation.so", 9) as memory:
        memory.set_backend(0, 1, "down", 1)
        memory.run([(frame, None) for frame in frames])
        without = servers(memory)
    stayed = [flow for flow, server in before.items() if server != 1]
    assert 1 not in without.values()
    assert sum(without[flow] != before[flow] for flow in stayed) <= len(stayed) * 0.05
    assert [pool.table_size for pool in pools("tvs-a1")] == [1021, 2, 1, 1021]


def test_the_less_loaded_server_gets_more() -> None:
    """Server 0 keeps its sessions, those of server 1 end at once: turns alone would give 0 half."""
    rounds, each = 10, 20
    with Memory(compiled() / "tvs-a1" / "generation.so") as memory:

        def send(clients: list[tuple[int, int]], flags: int) -> None:
            frames = [Frame(*client_to_api(client, flags)) for client in clients]
            memory.run([(bytes(frame), None) for frame in frames])

        for number in range(rounds):
            memory.set_tick(1 + 60 * number)
            send([client for client, _ in servers(memory).items()], SYN)  # renews them
            send([(CLIENTS + n, 1024 + number) for n in range(each)], SYN)
            send([client for client, server in servers(memory).items() if server == 1], RST)
            memory.set_tick(60 * (number + 1))  # a reset one is kept for 50 ticks
            for worker in range(memory.n_workers):
                memory.sweep(worker)
        counts = Counter(servers(memory).values())
        opened = sum(memory.counters(w)["sessions_opened"] for w in range(memory.n_workers))
    assert opened == rounds * each
    assert counts[1] == 0
    assert counts[0] < opened * 0.35


def client_to_api(client: tuple[int, int], flags: int) -> tuple[int, int, int, int, int, int]:
    return client[0], API, TCP, client[1], 80, flags
