"""The process that holds a lab together: brings it up, watches it, answers, takes it down.

A program: it is started by `tvsc lab up` and `run`, with the descriptor of the lab's lock. Until it
is told to detach, the kernel sends it SIGTERM when the process that started it dies; its own
children get SIGKILL when it dies. So a lab has no loose ends, whoever is killed.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from tvsc.lab import node, server, switch, teardown
from tvsc.lab.ecmp import EcmpMirror
from tvsc.lab.errors import LabError
from tvsc.lab.interrupt import Stopped, stop
from tvsc.lab.node import Attachment, NodeFiles
from tvsc.lab.process import Child, Identity, identify
from tvsc.lab.remote import Progress, Reply, Request, Spec
from tvsc.lab.state import RunDirectory, State
from tvsc.lab.topology import LabNode, LabServer

STARTING_AT_ONCE = 3
"""Daemons that start at the same time: each takes a core for a moment."""

READY_PATIENCE_S = 60.0
TICK_S = 0.02
IDLE_TICK_S = 0.25

_PR_SET_PDEATHSIG = 1


class Supervisor:
    """One lab. `run` returns when it is down again, with the process's exit status."""

    def __init__(self, spec: Spec, own: Identity) -> None:
        self.spec = spec
        self.topology = spec.topology
        self.run_directory = RunDirectory(spec.topology.lab)
        self.state = State(
            lab=spec.topology.lab,
            site=spec.site,
            out=spec.out,
            steering=spec.steering,
            supervisor=own,
            namespaces=list(spec.topology.namespaces),
        )
        self.keys: dict[str, str] = {}
        self.children: dict[tuple[str, str], Child] = {}
        self.ending: list[Child] = []
        self.attaching: list[Attachment] = []
        self.exited: list[str] = []
        self.reported: Progress | None = None
        self.mirror: EcmpMirror | None = None
        self.control: socket.socket | None = None

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        status = 0
        try:
            self._bring_up()
            self._report(Progress(stage="ready", ready=True))
            while True:
                self._pump(IDLE_TICK_S)
        except Stopped:
            pass
        except LabError as error:
            status = 1
            self._report(
                Progress(stage="failed", error=error.problem, help=error.help, detail=error.detail)
            )
        except Exception as error:
            status = 3
            problem = f"this is a bug in the lab: {type(error).__name__}: {error}"
            self._report(Progress(stage="failed", error=problem, detail=traceback.format_exc()))
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            if self.mirror is not None:
                self.mirror.close()
            teardown.remove_all(self.run_directory, self.state)
        return status

    # ---- coming up ------------------------------------------------------------------------------

    def _bring_up(self) -> None:
        topology, run = self.topology, self.run_directory
        self.run_directory.save(self.state)
        self._report(Progress(stage="namespaces", total=len(topology.namespaces)))
        switch.make(topology)
        for member in topology.nodes:
            node.make(member, self._files(member))
        self.keys = node.make_keys(topology, run)
        self._report(Progress(stage="servers", total=len(topology.servers)))
        for real in topology.servers:
            self._add(*server.start(real, run))
        self.mirror = EcmpMirror(topology.switch, resilient=self.spec.resilient)
        self._add(switch.start_bird(topology, run, self.mirror.table))
        self.control = self._listen()
        self._start_nodes()
        self._wait_for_bgp()
        self._wait_for_vips()
        self.state.ready = True
        run.save(self.state)

    def _start_nodes(self) -> None:
        waiting = list(self.topology.nodes)
        total = len(waiting)
        while waiting or self.attaching:
            while waiting and len(self.attaching) < STARTING_AT_ONCE:
                member = waiting.pop(0)
                self._add(node.start_bird(member, self._files(member), self.run_directory))
                self._start_daemon(member)
            self._pump(TICK_S)
            self._fail_if_exited()
            done = total - len(waiting) - len(self.attaching)
            self._report(Progress(stage="nodes", done=done, total=total))

    def _wait_for_bgp(self) -> None:
        sessions = self.topology.sessions
        names = {session.name for session in sessions}

        def missing() -> set[str]:
            up = switch.established(self.run_directory) & names
            watched = switch.watched(self.run_directory)
            up -= {
                s.name for s in sessions if s.bfd_interval_ms and str(s.neighbour) not in watched
            }
            self._report(Progress(stage="bgp", done=len(up), total=len(names)))
            return names - up

        self._wait_until_empty(missing, "no BGP session with", "switch.bird.log")

    def _wait_for_vips(self) -> None:
        mirror = self.mirror
        assert mirror is not None
        expected = frozenset(str(address) for address in self.topology.expected_hops)
        vips = [str(vip) for vip in self.topology.vips]

        def missing() -> set[str]:
            up = {vip for vip in vips if mirror.gateways(vip) == expected}
            self._report(Progress(stage="vips", done=len(up), total=len(vips)))
            return set(vips) - up

        self._wait_until_empty(missing, "not every primary node announces", "switch.bird.log")

    def _wait_until_empty(self, missing: Callable[[], set[str]], what: str, log: str) -> None:
        deadline = time.monotonic() + READY_PATIENCE_S
        while left := missing():
            if time.monotonic() > deadline:
                tail = _tail(self.run_directory.logs / log)
                names = ", ".join(sorted(left))
                raise LabError(f"{what} {names} after {READY_PATIENCE_S:.0f} s", detail=tail)
            self._pump(0.1)
            self._fail_if_exited()

    def _fail_if_exited(self) -> None:
        if self.exited:
            role, owner = self.exited[0].split(" of ")
            child = self.children[role, owner]
            raise LabError(
                f"{role} of {owner} ended with status {child.popen.returncode} while the lab "
                "came up",
                detail=child.log_tail(),
            )

    # ---- watching -------------------------------------------------------------------------------

    def _pump(self, patience_s: float) -> None:
        """Handles what is there to handle, or waits `patience_s` for something."""
        mirror = self.mirror
        watched = [None if mirror is None else mirror.socket, self.control]
        sockets = [each for each in watched if each is not None]
        if self.attaching or (mirror is not None and mirror.impatient):
            patience_s = min(patience_s, TICK_S)
        readable, _, _ = select.select(sockets, [], [], patience_s)
        if mirror is not None and (mirror.impatient or mirror.socket in readable):
            changed = mirror.receive()
            if changed or mirror.impatient:
                mirror.sync()
        if self.control is not None and self.control in readable:
            self._answer(self.control)
        self._advance()
        if any(not child.running() for child in self.ending):
            self.ending = [child for child in self.ending if child.running()]
            self._save()
        for (role, owner), child in self.children.items():
            name = f"{role} of {owner}"
            if not child.running() and name not in self.exited:
                self.exited.append(name)

    def _advance(self) -> None:
        now = time.monotonic()
        for waiting in list(self.attaching):
            if not waiting.daemon.running() or node.advance(self.topology, waiting):
                self.attaching.remove(waiting)
            elif now > waiting.deadline:
                raise LabError(
                    f"tvsd of {waiting.node.name} is not up after {node.START_PATIENCE_S:.0f} s",
                    detail=waiting.daemon.log_tail(),
                )

    # ---- requests -------------------------------------------------------------------------------

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.run_directory.control_socket))
        listener.listen(8)
        return listener

    def _answer(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(1.0)
            with connection.makefile("rwb") as stream:
                try:
                    reply = self._perform(Request.model_validate_json(stream.readline()))
                except LabError as error:
                    reply = Reply(error=error.problem)
                except ValidationError:
                    reply = Reply(error="this is no request")
                stream.write(reply.model_dump_json().encode() + b"\n")

    def _perform(self, request: Request) -> Reply:
        at_ns = time.monotonic_ns()
        match request.op:
            case "status":
                pass
            case "detach":
                _tie_to_parent(0)
            case "kill-nodes":
                self._kill(("tvsd",), [self._node(name).name for name in request.subjects])
            case "freeze-nodes":
                for name in request.subjects:
                    if child := self.children.get(("tvsd", self._node(name).name)):
                        child.recorded.signal(signal.SIGSTOP)
            case "start-nodes":
                for name in request.subjects:
                    self._start_daemon(self._node(name))
            case "stop-servers":
                self._kill(("nginx", "udp"), request.subjects)
            case "start-servers":
                for name in request.subjects:
                    self._add(*server.start(self._server(name), self.run_directory))
        return self._reply(at_ns, request.since_ns)

    def _reply(self, at_ns: int, since_ns: int) -> Reply:
        mirror = self.mirror
        routes = {} if mirror is None else mirror.routes
        events = [] if mirror is None else mirror.events
        return Reply(
            at_ns=at_ns,
            routes={prefix: sorted(hop[0] for hop in hops) for prefix, hops in routes.items()},
            starting=[waiting.node.name for waiting in self.attaching],
            exited=self.exited,
            events=[event for event in events if since_ns and event.at_ns >= since_ns],
        )

    def _kill(self, roles: Sequence[str], owners: Sequence[str]) -> None:
        """SIGKILL for all of them at the same moment. They are no longer missed, but stay in the
        state file until they are gone: a process that holds a TAP takes a while to end.
        """
        keys = [
            (role, owner) for owner in owners for role in roles if (role, owner) in self.children
        ]
        for key in keys:
            self.children[key].recorded.signal(signal.SIGKILL)
        self.ending += [self.children.pop(key) for key in keys]

    def _node(self, name: str) -> LabNode:
        for member in self.topology.nodes:
            if member.name == name:
                return member
        raise LabError(f"the lab has no node `{name}`")

    def _server(self, name: str) -> LabServer:
        for real in self.topology.servers:
            if real.name == name:
                return real
        raise LabError(f"the lab has no real server `{name}`")

    # ---- children -------------------------------------------------------------------------------

    def _files(self, member: LabNode) -> NodeFiles:
        folder = Path(self.spec.out) / "nodes" / member.name
        return NodeFiles(
            tvsd=Path(self.spec.tvsd),
            generation=folder / "generation.so",
            bird_config=folder / "bird.conf",
            sysctls=folder / "sysctl.conf",
        )

    def _start_daemon(self, member: LabNode) -> None:
        if ("tvsd", member.name) in self.children:
            raise LabError(f"tvsd of {member.name} runs already")
        for child in self.ending:  # its devices have the same names
            if child.recorded.role == "tvsd" and child.recorded.owner == member.name:
                child.popen.wait()
        key = self.keys.get(member.cluster)
        daemon = node.start_daemon(member, self._files(member), self.run_directory, key)
        self._add(daemon)
        deadline = time.monotonic() + node.START_PATIENCE_S
        self.attaching.append(node.attachment(member, daemon, deadline))

    def _add(self, *children: Child) -> None:
        for child in children:
            self.children[child.recorded.role, child.recorded.owner] = child
        self._save()

    def _save(self) -> None:
        children = [*self.children.values(), *self.ending]
        self.state.processes = [child.recorded for child in children]
        self.run_directory.save(self.state)

    def _report(self, progress: Progress) -> None:
        """Tells the command line, if it still listens."""
        if progress == self.reported:
            return
        self.reported = progress
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(progress.model_dump_json() + "\n")
            sys.stdout.flush()


def _tie_to_parent(number: int) -> None:
    """Asks the kernel for signal `number` when the parent dies; 0: for none."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def _tail(path: Path, lines: int = 8) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def main(lab: str, parent: int) -> int:
    _tie_to_parent(signal.SIGTERM)
    if os.getppid() != parent:
        return 1
    run = RunDirectory(lab)
    spec = Spec.model_validate_json(run.spec.read_text(encoding="utf-8"))
    own = identify(os.getpid())
    if own is None:
        return 1
    return Supervisor(spec, own).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
