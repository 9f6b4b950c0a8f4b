"""Starting and ending a lab's supervisor, from the command line's side."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tvsc
from tvsc.lab import teardown
from tvsc.lab.errors import LabError
from tvsc.lab.process import Identity, wait_gone
from tvsc.lab.remote import Progress, Spec, ask
from tvsc.lab.state import RunDirectory

TAKE_DOWN_PATIENCE_S = 30.0
COMING_UP_PATIENCE_S = 2.0

Watcher = Callable[[Progress], None]


def running(run: RunDirectory) -> Spec | None:
    """What runs in `run`: None when no lab does, or only the remains of one."""
    state = run.load()
    if state is None or not state.ready or not state.supervisor.alive():
        return None
    return Spec.model_validate_json(run.spec.read_text(encoding="utf-8"))


def bring_up(spec: Spec, watch: Watcher) -> None:
    """Starts the lab and returns when it is ready; on any failure or interrupt nothing is left.

    The lab ends with this process until `detach` is called.
    """
    run = RunDirectory(spec.topology.lab)
    lock = _lock_clean(run, spec.site)
    supervisor = None
    try:
        try:
            run.folder("log")
            run.spec.write_text(spec.model_dump_json(indent=1) + "\n", encoding="utf-8")
            supervisor = _start_supervisor(run, lock)
        finally:
            os.close(lock)  # the supervisor holds it now, or nobody
        _follow(supervisor, watch)
    except BaseException:
        if supervisor is not None:
            supervisor.terminate()
            _wait(supervisor)
        _sweep(run)
        raise


def detach(run: RunDirectory) -> None:
    """Lets the lab outlive this process."""
    ask(run, "detach")


def take_down(run: RunDirectory, site: str) -> bool:
    """Ends the lab and removes all that it, or an earlier one that died, left; False: nothing was.

    `site` is for the messages.
    """
    if not run.path.exists():
        return False
    _end_supervisor(run)
    lock = _lock_patiently(run)
    if lock is None:
        raise LabError(
            f"lab {run.lab} is just coming up or going down in another process",
            help=f"wait a moment, then run `tvsc lab down {site}` again",
        )
    try:
        teardown.remove_all(run, run.load())
    finally:
        os.close(lock)
    return True


def _sweep(run: RunDirectory) -> None:
    """Removes what a supervisor left that was ended before it could do so itself."""
    lock = run.lock()
    if lock is not None:
        teardown.remove_all(run, run.load())
        os.close(lock)


def _end_supervisor(run: RunDirectory) -> None:
    state = run.load()
    if state is None or not state.supervisor.alive():
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        state.supervisor.signal(number)
        if not wait_gone([state.supervisor], TAKE_DOWN_PATIENCE_S):
            return
    raise LabError(f"the lab's supervisor {state.supervisor.pid} does not end")


def _lock_patiently(run: RunDirectory) -> int | None:
    deadline = time.monotonic() + COMING_UP_PATIENCE_S
    while (lock := run.lock()) is None:
        if time.monotonic() > deadline:
            return None
        time.sleep(0.05)
        _end_supervisor(run)
    return lock


def _lock_clean(run: RunDirectory, site: str) -> int:
    """The lock of an empty run directory; what a dead lab left is removed first."""
    while True:
        lock = run.lock()
        if lock is None:
            raise LabError(
                f"a lab of this site is up, or just coming up (lab {run.lab})",
                help=f"`tvsc lab run {site}` uses it, `tvsc lab down {site}` ends it",
            )
        if not any(run.path.iterdir()):
            return lock
        try:
            teardown.remove_all(run, run.load())
        finally:
            os.close(lock)


def _start_supervisor(run: RunDirectory, lock: int) -> "subprocess.Popen[str]":
    here = str(Path(tvsc.__file__).resolve().parents[1])
    search = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    with (run.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tvsc.lab.supervisor", run.lab, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            pass_fds=(lock,),
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": search},
        )


def _follow(supervisor: "subprocess.Popen[str]", watch: Watcher) -> None:
    assert supervisor.stdout is not None
    with supervisor.stdout as stream:
        for line in stream:
            progress = Progress.model_validate_json(line)
            if progress.error:
                _wait(supervisor)
                raise LabError(progress.error, help=progress.help, detail=progress.detail)
            watch(progress)
            if progress.ready:
                return
    raise LabError(f"the lab's supervisor ended with status {supervisor.wait()}")


def _wait(supervisor: "subprocess.Popen[str]") -> None:
    """Waits for the end of the supervisor, that is until everything is removed."""
    while True:
        try:
            supervisor.wait()
            return
        except KeyboardInterrupt:
            continue  # it is ending, and cleaning up takes a moment


def supervisor_of(run: RunDirectory) -> Identity | None:
    """The supervisor's process, if the lab got as far as recording it."""
    state = run.load()
    return None if state is None else state.supervisor
