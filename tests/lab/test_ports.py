"""Source ports: none twice, whoever asks, and all of them before any comes again."""

import socket
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tvsc.lab import ports as ports_module
from tvsc.lab import state
from tvsc.lab.ports import BLOCK, COUNT, FIRST, Ports
from tvsc.lab.state import RunDirectory

SOURCE = IPv4Address("198.18.0.2")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    monkeypatch.setattr(state, "RUN", tmp_path)
    directory = RunDirectory("x")
    directory.folder("log")
    return directory


def test_every_port_once_before_any_again(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports_module, "BLOCK", COUNT // 12)
    ports = Ports(run)
    taken = [ports.take(SOURCE) for _ in range(COUNT)]
    assert sorted(taken) == list(range(FIRST, 65536))
    assert ports.take(SOURCE) == taken[0]


def test_one_after_the_other_and_both_at_once(run: RunDirectory) -> None:
    """As two commands would: the count is the lab's, not the process's."""
    first, second = Ports(run), Ports(run)
    taken = [ports.take(SOURCE) for _ in range(3 * BLOCK) for ports in (first, second)]
    taken += [Ports(run).take(SOURCE) for _ in range(BLOCK)]
    assert len(set(taken)) == len(taken)


def test_a_port_in_use_is_passed_over(run: RunDirectory) -> None:
    local = IPv4Address("127.0.0.1")
    with socket.socket() as holder, socket.socket() as other:
        wanted = Ports(run).take(local)
        holder.bind((str(local), wanted))
        (run.path / "client-ports").unlink()
        Ports(run).bind(other, local)
        assert other.getsockname()[1] not in (0, wanted)
