"""Whether the daemons of a lab that is up still run, and what to say when one does not."""

import time
from collections.abc import Sequence

from tvsc.lab import node
from tvsc.lab.errors import LabError
from tvsc.lab.remote import ask
from tvsc.lab.state import RunDirectory
from tvsc.lab.topology import Topology

POLL_S = 0.05
LOG_LINES = 8


def require_daemons(topology: Topology, run: RunDirectory) -> None:
    """LabError when a node's daemon is dead. One that a drill has just started is waited for."""
    deadline = time.monotonic() + node.START_PATIENCE_S
    while ask(run, "status").starting and time.monotonic() < deadline:
        time.sleep(POLL_S)
    if dead := dead_nodes(topology, run):
        raise not_running(run, dead)


def dead_nodes(topology: Topology, run: RunDirectory) -> list[str]:
    """The nodes without a daemon, in the site's order."""
    state = run.load()
    processes = [] if state is None else state.processes
    alive = {each.owner for each in processes if each.role == "tvsd" and each.alive()}
    return [member.name for member in topology.nodes if member.name not in alive]


def not_running(run: RunDirectory, names: Sequence[str]) -> LabError:
    """The error: who, the end of the first one's log, where the logs are, what to do."""
    logs = [run.logs / f"{name}.tvsd.log" for name in names]
    try:
        tail = logs[0].read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        tail = []
    state = run.load()
    site = "SITE" if state is None else state.site
    return LabError(
        f"tvsd of {', '.join(names)} is not running (log: {', '.join(map(str, logs))})",
        help=f"`tvsc lab down {site}`, then `tvsc lab up {site}`, starts the lab anew",
        detail="\n".join(tail),
    )
