"""What server the daemon gives a flow: by its own tables, which follow operators and reloads."""

import time
from pathlib import Path

import pytest

from tests.host.node import FLOW_KEY, NODE_MAC, VIP, Node, generation, node, until
from tests.naive import schedule
from tests.naive.craft import Frame
from tests.naive.site import Server, ip
from tests.naive.wire import SYN, TCP

pytestmark = pytest.mark.lab

SERVERS = (Server(ip("10.20.0.1"), 8080, 1), Server(ip("10.20.0.2"), 8080, 2))
CLIENTS = ip("198.18.0.1")
SIZE = 1021
N = 200
TABLE_S = 0.1
"""By then the control thread has made the table that follows a change."""

Ends = dict[tuple[int, int], str]


def text(server: int) -> str:
    return f"10.20.0.{1 + server}:8080"


def by_flow(client: tuple[int, int], weights: tuple[int, ...] = (1, 2)) -> str:
    """What the naive model gives with `maglev`."""
    table = schedule.maglev(SERVERS, weights, SIZE, FLOW_KEY)
    hashed = schedule.hash32(schedule.flow_bytes(client, (VIP, 80), TCP), FLOW_KEY)
    return text(table[schedule.place(hashed, SIZE)])


def by_source(client: tuple[int, int]) -> str:
    table = schedule.maglev(SERVERS, (1, 2), SIZE, FLOW_KEY)
    hashed = schedule.hash32(schedule.source_bytes(client), FLOW_KEY)
    return text(table[schedule.place(hashed, SIZE)])


def scheduled(tmp_path: Path, scheduler: str, **variant: str) -> Path:
    return generation(tmp_path, SCHEDULER=f"TVS_SCHED_{scheduler}", TABLE_SIZE=f"{SIZE}", **variant)


def opened(machine: Node, clients: list[tuple[int, int]]) -> Ends:
    """The servers of their sessions: sent again until the neighbour is known and all are there."""
    far_mac = machine.wire.getsockname()[4]
    wanted = {f"{ip_text(address)}:{port}": (address, port) for address, port in clients}
    found: Ends = {}

    def all_there() -> bool:
        for client in clients:
            if client not in found:
                frame = Frame(client[0], VIP, TCP, client[1], 80, SYN, l2=NODE_MAC + far_mac)
                machine.wire.send(bytes(frame))
        for session in machine.ask("sessions 1000")["sessions"]:
            if session["client"] in wanted:
                found[wanted[session["client"]]] = session["server"]
        return len(found) == len(clients)

    until("every session is open", all_there, seconds=20)
    return found


def ip_text(address: int) -> str:
    return ".".join(map(str, address.to_bytes(4, "big")))


def clients(port: int) -> list[tuple[int, int]]:
    """As many as N, of half as many addresses."""
    return [(CLIENTS + n // 2, port + n % 2) for n in range(N)]


def test_maglev_follows_the_flow_and_the_operator(tmp_path: Path) -> None:
    with node(scheduled(tmp_path, "MAGLEV"), tmp_path) as machine:
        (scheduler,) = {row["scheduler"] for row in machine.ask("backends")["backends"]}
        assert scheduler == "maglev"
        found = opened(machine, clients(1000))
        assert found == {client: by_flow(client) for client in clients(1000)}
        assert set(found.values()) == {text(0), text(1)}

        machine.ask("weight web 10.20.0.1:8080 10")
        time.sleep(TABLE_S)
        found = opened(machine, clients(2000))
        assert found == {client: by_flow(client, (10, 2)) for client in clients(2000)}

        machine.ask("drain web 10.20.0.1:8080")
        time.sleep(TABLE_S)
        assert set(opened(machine, clients(3000)).values()) == {text(1)}


def test_another_process_gives_the_same(tmp_path: Path) -> None:
    """Its workers have other secrets."""
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        with node(scheduled(tmp_path, "SOURCE_HASH"), tmp_path / name) as machine:
            found.append(opened(machine, clients(1000)))
    assert found[0] == found[1] == {client: by_source(client) for client in clients(1000)}


def test_a_reload_brings_another_schedule(tmp_path: Path) -> None:
    with node(scheduled(tmp_path, "WRR"), tmp_path) as machine:
        before = opened(machine, clients(1000))
        second = scheduled(tmp_path, "MAGLEV", ID='"second"')
        machine.ask(f"reload {second}")
        assert machine.ask("status")["generation"]["id"] == "second"
        found = opened(machine, clients(2000))
        assert found == {client: by_flow(client) for client in clients(2000)}
        assert opened(machine, clients(1000)) == before  # as they were


def test_a_table_of_an_impossible_size_is_refused(tmp_path: Path) -> None:
    with node(scheduled(tmp_path, "WRR"), tmp_path) as machine:
        bad = generation(tmp_path, SCHEDULER="TVS_SCHED_MAGLEV", TABLE_SIZE="1000")
        assert "table cannot have its size" in str(machine.ask(f"reload {bad}"))
        unknown = generation(tmp_path, SCHEDULER="99")
        assert "scheduler that the host does not know" in str(machine.ask(f"reload {unknown}"))


def test_least_loaded_counts_the_sessions_of_the_worker(tmp_path: Path) -> None:
    """Two servers of weight 1 and 2: near their shares, and all that is open is counted."""
    with node(scheduled(tmp_path, "LEAST_LOADED"), tmp_path) as machine:
        found = opened(machine, clients(1000))
        rows = machine.ask("backends")["backends"]
        assert sum(row["active"] for row in rows) == len(found) == N
        shares = sorted(row["active"] for row in rows)
        assert shares[1] > 1.5 * shares[0] and shares[1] < 2.6 * shares[0]
