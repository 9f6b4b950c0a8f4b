"""A service's limits in the real daemon, and what a reload makes of sessions that are open."""

from pathlib import Path

import pytest

from tests.host.node import NODE_MAC, VIP, Node, generation, ip_command, node, until
from tests.naive.craft import Frame
from tests.naive.site import ip
from tests.naive.wire import RST, SYN, TCP

pytestmark = pytest.mark.lab

N_WORKERS = 4
REASONS = ("source_denied", "service_full", "source_too_fast")


def send(machine: Node, ports: range, flags: int = SYN, source: str = "192.0.2.1") -> None:
    l2 = NODE_MAC + machine.wire.getsockname()[4]
    for port in ports:
        machine.wire.send(bytes(Frame(ip(source), VIP, TCP, port, 80, flags, l2=l2)))


def dropped(machine: Node) -> dict[str, int]:
    found = {
        reason: sum(w["drops"].get(reason, 0) for w in machine.ask("counters")["workers"])
        for reason in REASONS
    }
    return {reason: count for reason, count in found.items() if count}


def opened(machine: Node) -> int:
    return machine.summed("sessions_opened")


def settled(machine: Node, sent: int) -> None:
    """All that was sent has opened a session or was refused."""
    until(
        f"{sent} SYNs are decided on",
        lambda: opened(machine) + sum(dropped(machine).values()) == sent,
    )


def with_gateway(machine: Node) -> None:
    """Its neighbour answers, whatever the kernel there thinks of strangers' SYNs."""
    words = ["dev", "tvs0", "lladdr", machine.wire.getsockname()[4].hex(":"), "nud", "permanent"]
    ip_command("-n", machine.namespace, "neigh", "replace", "192.0.2.1", *words)
    until(
        "the gateway is known",
        lambda: any(hop["mac"] for hop in machine.ask("nexthops")["nexthops"]),
    )


def test_connections(tmp_path: Path) -> None:
    with node(generation(tmp_path, LIMIT="'c'"), tmp_path) as machine:
        with_gateway(machine)
        send(machine, range(2000, 2100))
        settled(machine, 100)
        assert opened(machine) == 3 * N_WORKERS
        assert dropped(machine) == {"service_full": 100 - 3 * N_WORKERS}


def test_new_per_source(tmp_path: Path) -> None:
    with node(generation(tmp_path, LIMIT="'s'"), tmp_path) as machine:
        with_gateway(machine)
        send(machine, range(2000, 2100))
        settled(machine, 100)
        assert opened(machine) == 2 * N_WORKERS
        assert dropped(machine) == {"source_too_fast": 100 - 2 * N_WORKERS}
        send(machine, range(2000, 2004), source="192.0.2.77")
        settled(machine, 104)
        assert opened(machine) > 2 * N_WORKERS


def test_deny(tmp_path: Path) -> None:
    with node(generation(tmp_path, LIMIT="'d'"), tmp_path) as machine:
        with_gateway(machine)
        send(machine, range(2000, 2010))
        send(machine, range(2000, 2010), source="192.0.2.2")
        settled(machine, 20)
        assert opened(machine) == 10
        assert dropped(machine) == {"source_denied": 10}


def test_reloads(tmp_path: Path) -> None:
    """From none: what is open counts, once it has been swept. To none: nothing is refused."""
    plain, limited = generation(tmp_path), generation(tmp_path, LIMIT="'c'", ID='"limited"')
    with node(plain, tmp_path) as machine:
        with_gateway(machine)
        send(machine, range(2000, 2100))
        settled(machine, 100)
        assert opened(machine) == 100

        machine.ask(f"reload {limited}")
        assert machine.ask("status")["generation"]["id"] == "limited"
        asked = 100

        def is_full() -> bool:
            nonlocal asked
            before = sum(dropped(machine).values())
            send(machine, range(3000 + asked, 3004 + asked))
            asked += 4
            settled(machine, asked)
            return sum(dropped(machine).values()) == before + 4

        until("all sessions count", is_full, seconds=10)
        assert dropped(machine).keys() == {"service_full"}

        refused = sum(dropped(machine).values())
        machine.ask(f"reload {plain}")
        send(machine, range(20000, 20050))
        settled(machine, asked + 50)
        assert sum(dropped(machine).values()) == refused
        send(machine, range(20000, 20050), RST)
        until("it goes on", lambda: machine.process.poll() is None)
