"""The kernel's routes and neighbours reach the workers; the workers' end reaches BIRD."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.host.node import Node, generation, ip_command, node, until

pytestmark = pytest.mark.lab

GATEWAY = "192.0.2.1"
OTHER = "192.0.2.2"

BIRD = """
router id 192.0.2.11;
protocol device { }
protocol kernel { kernel table 100; learn; ipv4 { import all; export none; }; }
"""


def next_hops(machine: Node) -> dict[str, Any]:
    return {hop["address"]: hop for hop in machine.ask("nexthops")["nexthops"]}


def mac_of(machine: Node, address: str) -> str | None:
    hop = next_hops(machine).get(address)
    return hop["mac"] if hop else None


def prefixes(machine: Node) -> list[tuple[str, str | None]]:
    return [(route["prefix"], route["gateway"]) for route in machine.ask("routes")["routes"]]


def test_a_neighbour_is_resolved_and_followed(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        far_mac = machine.wire.getsockname()[4].hex(":")
        until("the gateway is resolved", lambda: mac_of(machine, GATEWAY) == far_mac)
        words = ["dev", "tvs0", "lladdr", "02:00:00:00:00:77", "nud", "permanent"]
        ip_command("-n", machine.namespace, "neigh", "replace", GATEWAY, *words)
        until("its new MAC is used", lambda: mac_of(machine, GATEWAY) == "02:00:00:00:00:77")


def test_routes_come_and_go_with_the_kernels(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        before = [("0.0.0.0/0", GATEWAY), ("192.0.2.0/24", None)]
        assert prefixes(machine) == before
        route = ["10.20.0.0/24", "via", OTHER]
        ip_command("-n", machine.namespace, "route", "add", *route)
        until("the route is known", lambda: ("10.20.0.0/24", OTHER) in prefixes(machine))
        until("its gateway is asked for", lambda: OTHER in next_hops(machine))
        ip_command("-n", machine.namespace, "route", "del", *route)
        until("the route is gone", lambda: prefixes(machine) == before)
        until("its gateway is forgotten", lambda: OTHER not in next_hops(machine))


def test_servers_on_the_link_are_asked_for(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        ip_command("-n", machine.far, "addr", "add", "10.20.0.1/24", "dev", "nic")
        ip_command("-n", machine.namespace, "route", "add", "10.20.0.0/24", "dev", "tvs0")
        far_mac = machine.wire.getsockname()[4].hex(":")
        until("the server answers", lambda: mac_of(machine, "10.20.0.1") == far_mac)
        assert not next_hops(machine)["10.20.0.2"]["valid"]


def test_routes_return_with_the_device(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        announced = machine.routes()
        assert len(announced.splitlines()) == 3
        ip_command("-n", machine.namespace, "link", "set", "tvs0", "down")
        until("the table is empty", lambda: prefixes(machine) == [])
        assert machine.routes() == ""
        ip_command("-n", machine.namespace, "link", "set", "tvs0", "up")
        until("the routes are back", lambda: machine.routes() == announced)
        until("the default route too", lambda: ("0.0.0.0/0", GATEWAY) in prefixes(machine))


def has_prefixes(machine: Node, count: int) -> bool:
    return len(prefixes(machine)) == count


def test_more_changes_than_the_socket_holds(tmp_path: Path) -> None:
    """The kernel drops events of a daemon that stands still: it must read the tables anew."""
    batch = tmp_path / "routes"
    count = 25000
    with node(generation(tmp_path), tmp_path) as machine:
        before = len(prefixes(machine))
        for change, left in (("add", before + count), ("del", before)):
            lines = [
                f"route {change} 20.{i >> 8}.{i & 255}.0/24 via {GATEWAY}\n" for i in range(count)
            ]
            batch.write_text("".join(lines), encoding="utf-8")
            resyncs = machine.ask("status")["routing"]["resyncs"]
            machine.process.send_signal(signal.SIGSTOP)
            ip_command("-n", machine.namespace, "-batch", str(batch))
            machine.process.send_signal(signal.SIGCONT)
            until("every change is known", partial(has_prefixes, machine, left))
            assert machine.ask("status")["routing"]["resyncs"] > resyncs


@contextmanager
def bird(machine: Node, directory: Path) -> Iterator[Path]:
    config, control = directory / "bird.conf", directory / "bird.ctl"
    config.write_text(BIRD, encoding="utf-8")
    command = ["bird", "-f", "-c", str(config), "-s", str(control)]
    process = subprocess.Popen(
        ["ip", "netns", "exec", machine.namespace, *command, "-P", str(directory / "bird.pid")],
        stderr=subprocess.DEVNULL,
    )
    try:
        until("BIRD answers", control.exists)
        yield control
    finally:
        process.kill()
        process.wait()


def learned(control: Path) -> int:
    command = ["birdc", "-r", "-s", str(control), "show", "route"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return said.count("dev tvs0")


def test_bird_loses_the_routes_with_the_daemon(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine, bird(machine, tmp_path) as control:
        until("BIRD learns the routes", lambda: learned(control) == 3)
        machine.process.kill()
        # well before its next scan (every 5 s): the kernel told it
        until("BIRD has none of them", lambda: learned(control) == 0, 4)
