"""What the lab asks of the machine, and how sure it is of whom it kills. No root needed."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tvsc.lab import requirement, state
from tvsc.lab.errors import LabError
from tvsc.lab.process import Identity, end, identify
from tvsc.lab.state import RunDirectory, State


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def _identity(process: "subprocess.Popen[bytes]") -> Identity:
    identity = identify(process.pid)
    assert identity is not None
    return identity


def test_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root") as refusal:
        requirement.require()
    assert "network namespaces" in refusal.value.help


def test_without_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda tool: None if "bird" in tool else f"/bin/{tool}")
    with pytest.raises(LabError, match="`bird`, `birdc`") as refusal:
        requirement.require()
    assert refusal.value.help == "apt install bird2"


def test_a_process_is_ended() -> None:
    """By SIGTERM: it says so itself, since whoever collects it first learns how it ended."""
    script = "trap 'echo terminated; exit' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end([_identity(process)])
        assert not _identity_or_none(process.pid)
        assert process.stdout.read() == b"terminated\n"


def test_a_stubborn_process_is_killed() -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end([_identity(process)])
        assert not _identity_or_none(process.pid)


def _identity_or_none(pid: int) -> bool:
    identity = identify(pid)
    return identity is not None and identity.alive()


def test_another_process_with_the_same_id_is_spared(sleeper: "subprocess.Popen[bytes]") -> None:
    """The kernel gave the id to somebody else: the start time differs."""
    old = _identity(sleeper)
    end([Identity(pid=old.pid, start=old.start - 1)])
    time.sleep(0.05)
    assert sleeper.poll() is None


def test_a_process_that_is_gone_is_no_trouble(sleeper: "subprocess.Popen[bytes]") -> None:
    identity = _identity(sleeper)
    sleeper.kill()
    sleeper.wait()
    assert not identity.alive()
    end([identity])


def test_one_lab_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "RUN", tmp_path / "run")
    first, second = RunDirectory("x"), RunDirectory("x")
    lock = first.lock()
    assert lock is not None
    assert second.lock() is None
    first.remove()
    other = second.lock()  # of a new directory: the old one is nobody's any more
    assert other is not None
    os.close(lock)
    os.close(other)


def test_the_state_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "RUN", tmp_path / "run")
    run = RunDirectory("x")
    assert run.load() is None
    run.folder("log")
    saved = State(
        lab="x",
        site="s",
        out="o",
        steering="fdir",
        supervisor=Identity(pid=1, start=2),
        namespaces=["tvsc-x-switch"],
    )
    run.save(saved)
    assert run.load() == saved
    (run.path / "state.json").write_text('{"format_version": "no"}')
    with pytest.raises(LabError, match="is not what this version of tvsc writes"):
        run.load()
    run.remove()
    assert not (tmp_path / "run").exists()
