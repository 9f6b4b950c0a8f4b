"""The control socket and the node tool: answers, refusals, and clients that misbehave."""

import contextlib
import json
import random
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.host.node import BUILD, Node, generation, node, tvsd
from tests.naive.runtime import run, tool

pytestmark = pytest.mark.lab

WORDS = (b"drain", b"weight", b"sessions", b"web", b"10.20.0.1:8080", b"7", b"\n", b"-1", b"\xff")


def connect(machine: Node) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(machine.control))
    connection.settimeout(5)
    return connection


def tvs(machine: Node, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [str(BUILD / "tools" / "tvs"), "--socket", str(machine.control), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_only_its_owner_may_ask(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        assert stat.S_IMODE(machine.control.stat().st_mode) == 0o600


def test_an_operator_changes_servers(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        run(tool("ninja"), "-C", str(BUILD), "tools/tvs")

        def servers() -> dict[str, tuple[str, int]]:
            listed = json.loads(tvs(machine, "backends", "--format", "json").stdout)["backends"]
            return {server["address"]: (server["state"], server["weight"]) for server in listed}

        assert servers() == {"10.20.0.1:8080": ("up", 1), "10.20.0.2:8080": ("up", 2)}
        assert tvs(machine, "drain", "web", "10.20.0.1:8080").returncode == 0
        assert tvs(machine, "weight", "web", "10.20.0.2:8080", "5").returncode == 0
        assert servers() == {"10.20.0.1:8080": ("drain", 1), "10.20.0.2:8080": ("up", 5)}
        assert tvs(machine, "undrain", "web", "10.20.0.1:8080").returncode == 0
        assert servers()["10.20.0.1:8080"] == ("up", 1)
        header, *rows = tvs(machine, "backends").stdout.splitlines()
        assert header.split()[:3] == ["pool", "schedule", "server"]
        assert [row.split()[:3] for row in rows] == [
            ["web", "wrr", "10.20.0.1:8080"],
            ["web", "wrr", "10.20.0.2:8080"],
        ]
        for words in (["status"], ["counters"], ["backends"], ["sessions"], ["nexthops"]):
            answer = tvs(machine, *words)
            assert (answer.returncode, answer.stderr) == (0, "")


REFUSED = {
    "drain nope 10.20.0.1:8080": "no pool `nope`",
    "drain web 10.20.0.9:8080": "pool `web` has no such server",
    "drain web 10.20.0.1": "bad address and port",
    "weight web 10.20.0.1:8080 many": "bad weight",
    "frobnicate": "unknown request `frobnicate`",
}


def test_the_tool_says_why_it_was_refused(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine:
        run(tool("ninja"), "-C", str(BUILD), "tools/tvs")
        for words, said in REFUSED.items():
            answer = tvs(machine, *words.split())
            assert answer.returncode == 1
            assert said in answer.stderr


def test_the_tool_says_that_nobody_is_there(tmp_path: Path) -> None:
    tvsd()  # makes the build directory
    run(tool("ninja"), "-C", str(BUILD), "tools/tvs")
    command = [str(BUILD / "tools" / "tvs"), "--socket", str(tmp_path / "none"), "status"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 3
    assert "is tvsd running?" in answer.stderr


def test_misbehaving_clients_hold_nobody_up(tmp_path: Path) -> None:
    """Those who never read, never write, write nonsense, or leave in the middle."""
    with node(generation(tmp_path), tmp_path) as machine:
        deaf = [connect(machine) for _ in range(8)]
        for connection in deaf:
            connection.setblocking(False)
            try:
                for _ in range(1000):
                    connection.send(b"status\n" * 100)
            except BlockingIOError:
                pass
        silent = [connect(machine) for _ in range(60)]
        assert machine.ask("status")["node"] == "node"

        dice = random.Random(1)
        for _ in range(500):
            with connect(machine) as connection:
                connection.setblocking(False)
                if dice.random() < 0.5:
                    connection.send(dice.randbytes(dice.randrange(1, 1500)))
                else:
                    connection.send(b" ".join(dice.choices(WORDS, k=dice.randrange(1, 12))))
        assert machine.ask("status")["node"] == "node"
        for connection in deaf + silent:
            connection.close()


def test_a_line_without_end_is_refused_and_closed(tmp_path: Path) -> None:
    with node(generation(tmp_path), tmp_path) as machine, connect(machine) as connection:
        connection.sendall(b"x" * 3000)
        with connection.makefile() as answers:
            assert "too long" in json.loads(answers.readline())["error"]
            with contextlib.suppress(ConnectionResetError):
                assert answers.readline() == ""
