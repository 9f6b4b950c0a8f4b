"""Child processes of a lab: started in a namespace, tied to the supervisor's life, known for sure.

A process is known by its id and its start time, so that an id that the kernel gave to somebody
else in the meantime is never signalled. A child gets SIGKILL from the kernel when the supervisor
dies, whatever it died of: nothing started here can be left behind.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tvsc.build.process import tied

TERM_PATIENCE_S = 1.0
KILL_PATIENCE_S = 5.0
POLL_S = 0.005


class Identity(BaseModel):
    """A process for as long as it lives: `start` is its start time in clock ticks after boot."""

    model_config = ConfigDict(frozen=True)

    pid: int
    start: int

    def alive(self) -> bool:
        """Whether exactly this process still runs (a zombie does not)."""
        fields = _stat(self.pid)
        return fields is not None and int(fields[19]) == self.start and fields[0] not in "ZX"

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal; harmless when the process is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)


class Recorded(Identity):
    """A process in the state file: `role` is its kind, `owner` whose it is."""

    role: str
    owner: str


@dataclass(slots=True)
class Child:
    """A running process and the file its output goes to."""

    popen: "subprocess.Popen[bytes]"
    recorded: Recorded
    log: Path

    def running(self) -> bool:
        return self.popen.poll() is None

    def log_tail(self, lines: int = 8) -> str:
        """The last lines that the process wrote."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def identify(pid: int) -> Identity | None:
    """The identity of a process that runs now."""
    fields = _stat(pid)
    return None if fields is None else Identity(pid=pid, start=int(fields[19]))


def spawn(
    arguments: Sequence[str],
    *,
    namespace: str,
    log: Path,
    role: str,
    owner: str,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Starts a program in a namespace, with `environment` beside our own. Call it from the main
    thread: the kernel ties the child to the thread that made it.
    """
    command = tied(["ip", "netns", "exec", namespace, *arguments])
    with log.open("ab") as output:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    identity = identify(popen.pid)
    start = 0 if identity is None else identity.start
    recorded = Recorded(pid=popen.pid, start=start, role=role, owner=owner)
    return Child(popen=popen, recorded=recorded, log=log)


def end(processes: Iterable[Identity]) -> None:
    """SIGTERM to all, SIGKILL to those that stay; returns when all are gone."""
    alive = [process for process in processes if process.alive()]
    for number, patience_s in (
        (signal.SIGTERM, TERM_PATIENCE_S),
        (signal.SIGKILL, KILL_PATIENCE_S),
    ):
        for process in alive:
            process.signal(number)
        alive = wait_gone(alive, patience_s)


def wait_gone(processes: Iterable[Identity], patience_s: float) -> list[Identity]:
    """Waits until none of `processes` lives; returns those that still do after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while True:
        alive = [process for process in processes if process.alive()]
        for process in alive:
            reap(process.pid)
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(POLL_S)


def reap(pid: int) -> None:
    """Collects a child that has ended; harmless for a process that is not ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on (field 3 of proc(5) is element 0)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
