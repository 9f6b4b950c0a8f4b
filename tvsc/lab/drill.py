"""Failure drills: break one thing in a running lab, and measure what the clients notice.

Each drill leaves the lab as it found it. Times count from the moment of the break, on the
machine's monotonic clock. A probe asks for a page every few milliseconds, each time on a new
connection with a short timeout, so that a lost packet shows as a failure and not as a
retransmission a second later.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from ipaddress import IPv4Address

from tvsc.lab import spread
from tvsc.lab.client import Fetch, Held, Prober, Wish, fetch_all, sources
from tvsc.lab.ecmp import Event
from tvsc.lab.errors import LabError
from tvsc.lab.remote import Op, ask
from tvsc.lab.report import BackendDrill, Drill, FailoverDrill, Outage, PoolDrill
from tvsc.lab.state import RunDirectory
from tvsc.lab.switch import watched
from tvsc.lab.topology import LabNode, LabPool, Target, Topology
from tvsc.model import Protocol

FLOWS = 256
HELD = 64
PROBE_EVERY_S = 0.005
PROBE_TIMEOUT_S = 0.8
QUIET_S = 1.0
"""Without a failure for so long, the clients have recovered."""

RECOVERY_PATIENCE_S = 20.0
SLACK_MS = 500.0

Say = Callable[[str], None]
Owners = dict[tuple[IPv4Address, IPv4Address], str]


class DrillGround:
    """A running lab, and a target to ask for while things break."""

    def __init__(self, topology: Topology, run: RunDirectory, *, resilient: bool, say: Say) -> None:
        self.topology = topology
        self.run = run
        self.resilient = resilient
        self.say = say
        self.target = self._target(lambda _: True, "the drills need a TCP service")

    @property
    def drills(self) -> dict[str, Callable[[], Drill]]:
        """By the name that the command line uses."""
        return {
            "node-loss": self.node_loss,
            "node-freeze": self.node_freeze,
            "cluster-loss": self.cluster_loss,
            "backend-down": self.backend_down,
            "pool-down": self.pool_down,
        }

    @property
    def usual(self) -> list[str]:
        """Names of those to run when nobody names some: all but what the site has nothing for."""
        return [name for name in self.drills if name != "pool-down" or self._sorry_target()]

    def node_loss(self) -> FailoverDrill:
        """SIGKILL for the daemon of one node that serves."""
        victim = self.topology.serving[0]
        return self._failover("node-loss", [victim], f"kill -9 of tvsd on {victim.name}")

    def node_freeze(self) -> FailoverDrill:
        """SIGSTOP for the daemon of one node that serves: its link stays, only BFD notices."""
        victim = self.topology.serving[0]
        if not all(session.bfd_interval_ms for session in self.topology.sessions):
            raise LabError("the site has no BFD", help="leave out `--drill node-freeze`")
        what = f"kill -STOP of tvsd on {victim.name}"
        return self._failover("node-freeze", [victim], what, op="freeze-nodes")

    def cluster_loss(self) -> FailoverDrill:
        """SIGKILL for the daemons of all nodes that serve."""
        victims = list(self.topology.serving)
        if len(victims) == len(self.topology.nodes):
            raise LabError(
                "the site has no standby cluster", help="leave out `--drill cluster-loss`"
            )
        cluster = " and ".join(dict.fromkeys(node.cluster for node in victims))
        return self._failover(
            "cluster-loss", victims, f"kill -9 of tvsd on all of cluster {cluster}"
        )

    def backend_down(self) -> BackendDrill:
        """Stops a real server, and starts it again once it gets no new session."""
        target = self._target(
            lambda pool: pool.fall_ms > 0 and len(pool.weights) > 1,
            "backend-down needs a TCP service with a health check and two real servers",
        )
        pool = self.topology.pool(target.pool)
        name = next(name for name, weight in pool.weights if weight)
        address = name.rpartition(":")[0]
        prober = self._prober(target)
        self.say(f"stop real server {address}")
        with self._mended("stop-servers", "start-servers", [address]):
            stopped_ns = ask(self.run, "stop-servers", [address]).at_ns
            patience_s = (pool.fall_ms + SLACK_MS) / 1e3 + QUIET_S + PROBE_TIMEOUT_S
            self._until(lambda: _quiet(prober, stopped_ns), patience_s)
            self.say(f"start real server {address}")
            started_ns = ask(self.run, "start-servers", [address]).at_ns

        def is_back() -> bool:
            return any(f.server == name and f.start_ns > started_ns for f in prober.snapshot())

        self._until(is_back, (pool.rise_ms + SLACK_MS) / 1e3 + QUIET_S)
        time.sleep(pool.rise_ms / 1e3)  # every node must have seen it before the next drill
        made = prober.stop()
        during = [f for f in made if stopped_ns <= f.start_ns < started_ns]
        outage = _outage(during, stopped_ns)
        back = [f.start_ns for f in made if f.server == name and f.start_ns > started_ns]
        returned_ms = _ms(started_ns, min(back)) if back else None
        late = [f for f in made if not f.ok and f.start_ns > started_ns]
        return BackendDrill(
            server=name,
            outage=outage,
            gone_within_ms=pool.fall_ms,
            returned_ms=returned_ms,
            returned_within_ms=pool.rise_ms,
            failed_after_return=len(late),
            good=outage.lasted_ms <= pool.fall_ms + SLACK_MS
            and returned_ms is not None
            and returned_ms <= pool.rise_ms + SLACK_MS
            and not late,
        )

    def pool_down(self) -> PoolDrill:
        """Stops all real servers of a pool that has a sorry pool, and starts them again once only
        that one answers.
        """
        target = self._sorry_target()
        if target is None or target.sorry is None:
            problem = "pool-down needs a TCP service with `sorry`, and health checks for its pool"
            raise LabError(problem)
        pool, sorry = self.topology.pool(target.pool), self.topology.pool(target.sorry)
        own, others = {name for name, _ in pool.weights}, {name for name, _ in sorry.weights}
        addresses = sorted({name.rpartition(":")[0] for name in own})
        prober = self._prober(target)
        self.say(f"stop all real servers of {pool.name}")
        with self._mended("stop-servers", "start-servers", addresses):
            stopped_ns = ask(self.run, "stop-servers", addresses).at_ns
            patience_s = (pool.fall_ms + SLACK_MS) / 1e3 + QUIET_S + PROBE_TIMEOUT_S
            self._until(lambda: _quiet(prober, stopped_ns), patience_s)
            self.say(f"start them again, {sorry.name} answers")
            started_ns = ask(self.run, "start-servers", addresses).at_ns

        def is_back() -> bool:
            return any(f.server in own and f.start_ns > started_ns for f in prober.snapshot())

        self._until(is_back, (pool.rise_ms + SLACK_MS) / 1e3 + QUIET_S)
        time.sleep(pool.rise_ms / 1e3)  # every node must have seen it before the next drill
        made = prober.stop()
        outage = _outage([f for f in made if f.start_ns < started_ns], stopped_ns)
        back = [f.start_ns for f in made if f.server in own and f.start_ns > started_ns]
        returned_ms = _ms(started_ns, min(back)) if back else None
        by_sorry = [f for f in made if f.server in others]
        late = [f for f in made if not f.ok and f.start_ns > started_ns]
        return PoolDrill(
            pool=pool.name,
            sorry=sorry.name,
            outage=outage,
            gone_within_ms=pool.fall_ms,
            by_sorry=len(by_sorry),
            returned_ms=returned_ms,
            returned_within_ms=pool.rise_ms,
            failed_after_return=len(late),
            good=outage.lasted_ms <= pool.fall_ms + SLACK_MS
            and len(by_sorry) > 0
            and all(f.start_ns > stopped_ns for f in by_sorry)
            and returned_ms is not None
            and returned_ms <= pool.rise_ms + SLACK_MS
            and not late,
        )

    def _sorry_target(self) -> Target | None:
        """A TCP listener that has a sorry pool on other machines, and whose own pool is checked."""
        for target in self.topology.targets:
            if target.protocol is not Protocol.TCP or target.sorry is None:
                continue
            own, sorry = (self._addresses(name) for name in (target.pool, target.sorry))
            if self.topology.pool(target.pool).fall_ms and not own & sorry:
                return target
        return None

    def _addresses(self, pool: str) -> set[str]:
        return {name.rpartition(":")[0] for name, _ in self.topology.pool(pool).weights}

    @contextlib.contextmanager
    def _mended(self, stop: Op, start: Op, names: Collection[str]) -> Iterator[None]:
        """Puts things back when a drill is interrupted: the lab may go on without it."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(LabError):
                ask(self.run, stop, names)
                ask(self.run, start, names)
            raise

    # ---- nodes ----------------------------------------------------------------------------------

    def _failover(
        self, name: str, victims: list[LabNode], what: str, *, op: Op = "kill-nodes"
    ) -> FailoverDrill:
        names = {node.name for node in victims}
        before = self._owners()
        held = Held(self.topology, self._wishes(self.target, HELD))
        holders = spread.place(self.topology, held.fetches)
        prober = self._prober(self.target)
        self.say(what)
        with self._mended("kill-nodes", "start-nodes", names):
            killed_ns = ask(self.run, op, names).at_ns
            recovered = self._until(lambda: _quiet(prober, killed_ns), RECOVERY_PATIENCE_S)
            outage = _outage(prober.stop(), killed_ns)
            events = ask(self.run, "status", since_ns=killed_ns).events
            alive, lost = held.ask_again()
            after = self._owners()
            if op == "freeze-nodes":
                ask(self.run, "kill-nodes", names)
            self.say("start it again" if len(victims) == 1 else "start them again")
            rejoin_ms = self._restart(victims)
        rejoined = self._owners()
        still_alive, _ = held.ask_again()
        held.close()
        lost_by_rejoin = len(alive) - len(still_alive)
        keeps = all(node.sync_key is not None for node in victims) and {
            node.cluster for node in victims
        } <= {node.cluster for node in self.topology.serving if node.name not in names}
        lost_with = sum(1 for fetch in lost if holders[fetch][0] in names)
        survivors = [flow for flow in before.keys() & after.keys() if before[flow] not in names]
        moved = sum(1 for flow in survivors if after[flow] != before[flow])
        good = recovered and rejoin_ms is not None
        if self.resilient:  # a switch with plain multipath breaks flows of survivors: no surprise
            good = good and moved == 0 and lost_with == len(lost)
        if keeps:
            good = good and not lost and lost_by_rejoin == 0
        return FailoverDrill(
            name=name,
            what=what,
            link_down_ms=_last_link(events, victims, killed_ns),
            rerouted_ms=self._rerouted(events, victims, killed_ns),
            outage=outage,
            recovered=recovered,
            held=len(holders),
            held_by_victims=sum(1 for where in holders.values() if where[0] in names),
            lost_with_victims=lost_with,
            lost_elsewhere=len(lost) - lost_with,
            lost_by_rejoin=lost_by_rejoin,
            keeps_sessions=keeps,
            flows_of_survivors=len(survivors),
            moved_flows_of_survivors=moved,
            served_by=sorted(set(after.values())),
            rejoin_ms=rejoin_ms,
            moved_flows_by_rejoin=sum(
                1 for flow in after if after[flow] != rejoined.get(flow, after[flow])
            ),
            flows=len(after),
            good=good,
        )

    def _restart(self, victims: list[LabNode]) -> float | None:
        """Starts the daemons again; how long until every VIP leads to all nodes as before.

        BFD takes a second or two longer than BGP: until it is up a freeze would go unnoticed, so
        the next drill waits for it, but it is not part of the time.
        """
        began_ns = time.monotonic_ns()
        ask(self.run, "start-nodes", [node.name for node in victims])
        expected = sorted(str(address) for address in self.topology.expected_hops)

        def complete() -> bool:
            reply = ask(self.run, "status")
            return not reply.starting and all(
                sorted(reply.routes.get(str(vip), [])) == expected for vip in self.topology.vips
            )

        if not self._until(complete, RECOVERY_PATIENCE_S):
            return None
        took_ms = _ms(began_ns, time.monotonic_ns())
        names = {node.name for node in victims}
        expected_up = {
            str(session.neighbour)
            for session in self.topology.sessions
            if session.node in names and session.bfd_interval_ms
        }
        if not self._until(lambda: watched(self.run) >= expected_up, RECOVERY_PATIENCE_S):
            return None
        return took_ms

    def _rerouted(
        self, events: Sequence[Event], victims: list[LabNode], since_ns: int
    ) -> float | None:
        """When the switch's route to the target had lost the last of the victims."""
        gone = {str(node.links[0].address) for node in victims}
        for event in events:
            is_ours = event.kind == "route" and event.subject == str(self.target.vip)
            if is_ours and event.hops and not gone & set(event.hops):
                return _ms(since_ns, event.at_ns)
        return None

    def _owners(self) -> Owners:
        """Which node takes each of many flows to the target now."""
        fetches = fetch_all(self.topology, self._wishes(self.target, FLOWS))
        placed = spread.place(self.topology, fetches)
        return {fetch.flow: node for fetch, (node, _) in placed.items()}

    # ---- asking ---------------------------------------------------------------------------------

    def _target(self, fits: Callable[[LabPool], bool], problem: str) -> Target:
        for target in self.topology.targets:
            if target.protocol is Protocol.TCP and fits(self.topology.pool(target.pool)):
                return target
        raise LabError(problem)

    def _wishes(self, target: Target, count: int) -> list[Wish]:
        return [Wish(target, source) for source in sources(self.topology, count)]

    def _prober(self, target: Target) -> Prober:
        """A prober that has run for a moment."""
        prober = Prober(
            self.topology,
            self._wishes(target, FLOWS),
            every_s=PROBE_EVERY_S,
            timeout_s=PROBE_TIMEOUT_S,
        )
        prober.start()
        time.sleep(0.5)
        return prober

    def _until(self, condition: Callable[[], bool], patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def _quiet(prober: Prober, since_ns: int) -> bool:
    """Whether there was a moment after `since_ns` in which nothing failed, until now."""
    now_ns = time.monotonic_ns()
    begin_ns = now_ns - int((QUIET_S + PROBE_TIMEOUT_S) * 1e9)
    recent = [fetch for fetch in prober.snapshot() if fetch.start_ns >= begin_ns]
    return begin_ns > since_ns and len(recent) > 20 and all(fetch.ok for fetch in recent)


def _outage(made: Sequence[Fetch], since_ns: int) -> Outage:
    """What the probe noticed. Requests that were on their way at `since_ns` count as failed, but
    the outage lasts until the last failure of one that was made afterwards.
    """
    touched = [f for f in made if f.start_ns + f.took_ms * 1e6 >= since_ns]
    failed = [f for f in touched if not f.ok]
    last_ns = max([since_ns, *(f.start_ns for f in failed)])
    reasons = sorted({f.error for f in failed})
    return Outage(
        requests=len(touched), failed=len(failed), lasted_ms=_ms(since_ns, last_ns), reasons=reasons
    )


def _last_link(events: Sequence[Event], victims: list[LabNode], since_ns: int) -> float | None:
    """When the last of the victims' links was down."""
    links = {link.link for node in victims for link in node.links}
    times: dict[str, int] = {}
    for event in events:
        if event.kind == "link-down" and event.subject in links:
            times.setdefault(event.subject, event.at_ns)
    return _ms(since_ns, max(times.values())) if times.keys() == links else None


def _ms(from_ns: int, to_ns: int) -> float:
    return round((to_ns - from_ns) / 1e6, 1)
