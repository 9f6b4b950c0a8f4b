"""Coming up, being used, going down: whatever is killed, and whenever, nothing stays behind."""

import os
import signal
import socket
import subprocess

import pytest

from tests.lab.conftest import INTERRUPTS, Laptop, read_until, until
from tvsc.lab import counters
from tvsc.lab.compiled import load
from tvsc.lab.errors import LabError
from tvsc.lab.health import dead_nodes
from tvsc.lab.remote import ask
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import build_topology

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

INTERRUPTED = (130, -signal.SIGINT)
STAGES = ("making namespaces", "starting load balancers", "waiting for BGP")


def test_up_run_down(clean: Laptop) -> None:
    up = clean.tvsc("up")
    assert up.returncode == 0, up.stderr
    assert len([trace for trace in clean.traces() if trace.startswith("namespace")]) == 17

    again = clean.tvsc("up")
    assert again.returncode == 1
    assert "a lab of this site is up" in again.stderr

    fetched = subprocess.run(
        ["ip", "netns", "exec", f"tvsc-{clean.name}-client", "python3", "-c", FETCH],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert '"server":"10.20.0.1' in fetched.stdout, fetched.stderr

    assert _say(clean, b"kill everything\n") == b'{"error":"this is no request"'
    assert _say(clean, b'{"op":"kill-nodes","subjects":["nobody"]}\n').startswith(
        b'{"error":"the lab'
    )

    run = clean.tvsc("run", "--no-drills", "--requests", "200")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "200 new connections, 0 failed" in run.stdout
    assert clean.traces(), "a lab that was up stays up"

    down = clean.tvsc("down")
    assert (down.returncode, down.stdout) == (0, "the lab is down\n"), down.stderr
    clean.assert_nothing_left()

    nothing = clean.tvsc("down")
    assert (nothing.returncode, nothing.stdout) == (0, "there was no lab of this site\n")


def _say(lab: Laptop, line: bytes) -> bytes:
    """The beginning of the supervisor's answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(RunDirectory(lab.name).control_socket))
        connection.sendall(line)
        return connection.recv(4096).partition(b",")[0]


FETCH = """
import urllib.request
print(urllib.request.urlopen("http://203.0.113.10/", timeout=5).read().decode())
"""


@pytest.mark.parametrize("number", INTERRUPTS, ids=lambda number: signal.Signals(number).name)
@pytest.mark.parametrize("stage", STAGES)
def test_up_is_interrupted(clean: Laptop, stage: str, number: signal.Signals) -> None:
    process = clean.start("up")
    read_until(process, stage)
    process.send_signal(number)
    process.communicate(timeout=30)
    # the shell says 130 of both: Python exits by SIGINT when it was inside exec() just then
    assert process.returncode in ((-signal.SIGKILL,) if number == signal.SIGKILL else INTERRUPTED)
    clean.assert_nothing_left(patience_s=10 if number == signal.SIGKILL else 0)


def test_run_is_interrupted(clean: Laptop) -> None:
    process = clean.start("run", "--requests", "100000")
    read_until(process, "100000 requests")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in INTERRUPTED
    clean.assert_nothing_left()


def test_an_interrupted_drill_puts_things_back(clean: Laptop) -> None:
    """The lab was up before and goes on: the node that the drill killed must be in it again."""
    assert clean.tvsc("up").returncode == 0
    process = clean.start("run", "--requests", "100", "--drill", "node-loss")
    read_until(process, "kill -9 of tvsd on tvs-a1")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in INTERRUPTED
    whole = {f"192.0.2.{host}" for host in range(11, 15)}
    run = RunDirectory(clean.name)
    assert until(lambda: set(ask(run, "status").routes.get("203.0.113.10", [])) == whole, 20)
    assert clean.tvsc("down").returncode == 0
    clean.assert_nothing_left()


def test_the_supervisor_is_killed(clean: Laptop) -> None:
    """Twice in a row: first `up` clears the remains away, then `down` does."""
    assert clean.tvsc("up").returncode == 0
    _kill_supervisor(clean)
    up = clean.tvsc("up")
    assert up.returncode == 0, up.stderr
    _kill_supervisor(clean)
    down = clean.tvsc("down")
    assert down.returncode == 0, down.stderr
    clean.assert_nothing_left()


def test_a_daemon_died_in_a_lab_that_is_up(clean: Laptop) -> None:
    """`run` says whose, where its log is and what to do, and so it does when it finds out late."""
    assert clean.tvsc("up").returncode == 0
    topology = build_topology(load(clean.site), clean.site)
    directory = RunDirectory(clean.name)
    daemon = next(p for p in clean.state().processes if (p.role, p.owner) == ("tvsd", "tvs-a1"))
    daemon.signal(signal.SIGKILL)
    assert until(lambda: not daemon.alive(), 10)
    assert dead_nodes(topology, directory) == ["tvs-a1"]
    with pytest.raises(LabError, match="tvsd of tvs-a1 is not running"):
        counters.snapshot(topology, directory)

    run = clean.tvsc("run", "--no-drills", "--requests", "200")
    assert run.returncode == 1
    assert f"tvsd of tvs-a1 is not running (log: {directory.logs}/tvs-a1.tvsd.log)" in run.stderr
    assert f"`tvsc lab down {clean.site}`" in run.stderr
    assert "bug" not in run.stderr
    assert clean.tvsc("down").returncode == 0
    clean.assert_nothing_left()


def _kill_supervisor(lab: Laptop) -> None:
    """Its children die with it: only namespaces and files remain."""
    os.kill(lab.state().supervisor.pid, signal.SIGKILL)
    gone = until(lambda: not any(t.startswith("process") for t in lab.traces()), 10)
    assert gone, lab.traces()
    assert lab.traces()


def test_a_daemon_that_cannot_start_takes_the_lab_down(clean: Laptop) -> None:
    """The message says whose fault it is, with the end of its log."""
    generation = clean.out / "nodes" / "tvs-b3" / "generation.so"
    whole = generation.read_bytes()
    status = generation.stat()
    try:
        generation.write_bytes(b"\0" * len(whole))
        os.utime(generation, ns=(status.st_atime_ns, status.st_mtime_ns))
        up = clean.tvsc("up")
    finally:
        generation.write_bytes(whole)
        os.utime(generation, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert up.returncode == 1
    assert "tvsd of tvs-b3 ended" in up.stderr
    assert "Traceback" not in up.stderr
    clean.assert_nothing_left()
