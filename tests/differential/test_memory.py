"""The memory adapter by itself: what it refuses, and that it shows what is inside."""

from pathlib import Path

import pytest

from tests.naive import runtime
from tests.naive.craft import Frame
from tests.naive.fixture import DNS, FIXTURE, VIP_A
from tests.naive.memory import Memory
from tests.naive.wire import SYN, TCP, UDP

SYN_FRAME = bytes(Frame(0xC6120001, VIP_A, TCP, 1001, 80, SYN))


def test_what_is_not_a_generation(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Memory(tmp_path / "none.so")
    with pytest.raises(OSError, match="not a generation"):
        Memory(runtime.memory_library())


def test_what_is_inside() -> None:
    with Memory(runtime.fixture()) as memory:
        memory.set_tick(7)
        memory.run([(SYN_FRAME, 0)])
        [session] = memory.sessions(0)
        assert session.client == (0xC6120001, 1001)
        assert session.vip == (VIP_A, 80)
        assert (session.state, session.opened, session.expires) == ("syn", 7, 57)
        assert (session.service, session.pool, session.backend) == (0, 0, 0)
        assert memory.free_ports(0) == 1999 and memory.table_entries(0) == 1
        assert memory.sessions(1) == [] and memory.free_ports(1) == 2000
        assert memory.counters(0)["sessions_opened"] == 1


def test_a_bounded_sweep_goes_on_where_it_stopped() -> None:
    with Memory(runtime.fixture()) as memory:
        memory.set_tick(1)
        for port in range(4):
            memory.run([(bytes(Frame(1 << 24, VIP_A, TCP, port, 80, SYN)), 0)])
        memory.set_tick(100)
        assert memory.sweep(0, 10_001) == 1  # record 10000 of slot 0
        assert memory.sweep(0, 1) == 1
        assert memory.sweep(0, 60_000) == 0
        assert memory.sweep(0) == 2
        assert memory.free_ports(0) == 2000


def test_changed_routes_are_looked_up_again() -> None:
    """A neighbour that is lost stops its sessions; they go on when it is back."""
    with Memory(runtime.fixture()) as memory:
        memory.run([(SYN_FRAME, 0)])
        for found, wanted in ((True, "tx"), (False, "drop"), (True, "tx")):
            memory.set_nexthop(1, found)
            memory.renew_routes()
            [result] = memory.run([(SYN_FRAME, 0)])
            assert result.verdict.what == wanted
        assert memory.counters(0)["sessions_opened"] == 1


def test_weights_change_the_shares() -> None:
    with Memory(runtime.fixture()) as memory:
        memory.set_backend(DNS, 0, "up", 3)
        frames = [(bytes(Frame(1 << 24, VIP_A, UDP, port, 53)), 0) for port in range(40)]
        memory.run(frames)
        servers = FIXTURE.pools[DNS].servers
        opened = [session.server[0] for session in memory.sessions(0)]
        assert opened.count(servers[0].address) == 30
        assert opened.count(servers[1].address) == 10
