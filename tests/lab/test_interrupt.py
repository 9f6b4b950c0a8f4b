"""A signal in the middle of a step: the step is done whole, then the lab ends. No root needed."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tvsc.lab import namespace
from tvsc.lab.interrupt import Stopped, one_step, stop


@pytest.fixture(autouse=True)
def handled() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, stop)
    yield
    signal.signal(signal.SIGTERM, before)


def ask() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_between_steps_it_ends_at_once() -> None:
    with pytest.raises(Stopped):
        ask()


def test_a_step_is_done_whole() -> None:
    done = []
    with pytest.raises(Stopped), one_step():
        ask()
        with one_step():
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]
    with one_step():  # asked for once, told once
        pass


def test_a_step_that_fails_still_ends_the_lab() -> None:
    with pytest.raises(Stopped), one_step():
        ask()
        raise ValueError
    with one_step():
        pass


def test_a_namespace_is_made_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes while `ip` runs: the caller hears of it when the namespace is there."""
    made = []

    def run(argv: list[str], **_options: object) -> "subprocess.CompletedProcess[str]":
        ask()
        made.append(argv[-1])
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr("tvsc.lab.namespace.subprocess.run", run)
    with pytest.raises(Stopped):
        namespace.create("tvsc-none")
    assert made == ["tvsc-none"]
