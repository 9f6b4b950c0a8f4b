"""What a person reads while a lab runs: the story from top to bottom."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tvsc.lab.remote import Progress
from tvsc.lab.report import (
    BackendDrill,
    Counters,
    Drill,
    FailoverDrill,
    Outage,
    PoolDrill,
    Report,
    Requests,
    Sample,
    Setting,
)
from tvsc.lab.spread import Spread

PLAIN_WIDTH = 110
BAR_CELLS = 24
LABEL_WIDTH = 40
STAGES = {
    "namespaces": "making namespaces and links",
    "servers": "starting the real servers",
    "nodes": "starting load balancers",
    "bgp": "waiting for BGP sessions",
    "vips": "waiting for the VIPs' routes",
}


class Narrator:
    """Prints each part as soon as it is known."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(quiet=quiet, highlight=False)
        if not self.console.is_terminal:
            self.console = Console(quiet=quiet, highlight=False, width=PLAIN_WIDTH)
        self._status = self.console.status("") if self.console.is_terminal and not quiet else None
        self._stage = ""
        self._chapter = 0

    def progress(self, progress: Progress) -> None:
        """One live line on a terminal; a line per stage elsewhere."""
        text = STAGES.get(progress.stage, progress.stage)
        if self._status is None:
            if progress.stage in STAGES and progress.stage != self._stage:
                self.console.print(f"{text} ...")
        elif progress.ready:
            self._status.stop()
        else:
            counted = f" {progress.done}/{progress.total}" if progress.total else ""
            self._status.update(f"{text}{counted}")
            self._status.start()
        self._stage = progress.stage

    def busy(self, text: str) -> None:
        """What goes on now."""
        if self._status is None:
            self.console.print(f"{text} ...")
        else:
            self._status.update(text)
            self._status.start()

    def say(self, text: str) -> None:
        self.console.print(text)

    def stop(self) -> None:
        """Ends the live line, whatever happened."""
        if self._status is not None:
            self._status.stop()

    def setting(self, setting: Setting) -> None:
        self.stop()
        self.console.print(f"[bold]lab {setting.lab}[/]  {setting.site}")
        for cluster, nodes in setting.clusters.items():
            role = "primary" if set(nodes) & set(setting.serving) else "standby"
            members = " ".join(nodes)
            self.console.print(f"  cluster {cluster}  [dim]{role:8}[/]  {members}", soft_wrap=True)
        hashing = (
            "resilient next-hop groups, 256 buckets"
            if setting.resilient_groups
            else "plain multipath: this kernel has no resilient next-hop groups"
        )
        self.console.print(f"  {setting.real_servers} real servers, steering {setting.steering}")
        self.console.print(
            f"  switch: BIRD, ECMP by source and destination address, {hashing}", soft_wrap=True
        )
        if setting.started_ms is not None:
            self.console.print(
                f"  up in {setting.started_ms / 1000:.1f} s; every VIP leads to "
                f"{' '.join(setting.serving)}",
                soft_wrap=True,
            )

    def samples(self, samples: Sequence[Sample], requests: Requests) -> None:
        self._heading("Requests: who took them")
        table = self._table(
            "client", "VIP", "node", ">worker", "real server saw", "real server", ">ms"
        )
        for sample in samples:
            table.add_row(
                sample.source,
                sample.target,
                sample.node,
                str(sample.worker),
                sample.local,
                sample.server,
                f"{sample.took_ms:.1f}",
            )
        self.console.print(table)
        failures = ", ".join(f"{count} {reason}" for reason, count in requests.failures.items())
        self.console.print(
            f"  {requests.made} new connections, {requests.failed} failed"
            f"{f' ({failures})' if failures else ''}; {requests.per_second:.0f} a second, "
            f"median {requests.median_ms:.1f} ms, 99 % within {requests.p99_ms:.1f} ms  "
            f"{_mark(requests.failed == 0)}"
        )

    def spreads(self, spreads: Sequence[Spread]) -> None:
        self._heading("Spread: who took how much")
        for spread in spreads:
            most = max([1.0, *(max(share.count, share.expected) for share in spread.shares)])
            table = self._table(spread.of, f">{spread.unit}", ">expected", ">±", "", "")
            for share in spread.shares:
                bar = "█" * round(share.count / most * BAR_CELLS)
                table.add_row(
                    share.name,
                    str(share.count),
                    f"{share.expected:.1f}",
                    f"{share.tolerance:.1f}",
                    Text(bar, style="cyan"),
                    "" if share.good else Text("off", style="bold red"),
                )
            self.console.print(table)
            self.console.print(f"  {spread.law}  {_mark(spread.good)}\n")

    def counters(self, counters: Counters) -> None:
        self._heading("Counters: every packet is accounted for")
        table = self._table(
            "node",
            ">from switch",
            ">frames",
            ">sent on",
            ">kernel",
            ">handover",
            ">sync",
            ">dropped",
            ">to switch",
            ">sessions",
        )
        for row in counters.nodes:
            table.add_row(
                row.node,
                *(str(n) for n in (row.link_to_node, row.frames, row.tx, row.kernel)),
                str(row.handover),
                str(row.sync),
                str(sum(row.drops.values())),
                str(row.link_from_node),
                str(row.sessions),
            )
        self.console.print(table)
        for check in counters.checks:
            sign = "=" if check.good else "≠"
            self.console.print(
                f"  {check.what}: {check.left} {sign} {check.right}  {_mark(check.good)}"
            )
        for row in counters.nodes:
            for reason, count in row.drops.items():
                self.console.print(f"  {row.node} dropped {count}: {reason}")

    def drill_begins(self, name: str) -> None:
        self._heading(f"Drill: {name}")

    def drill(self, drill: Drill) -> None:
        self.stop()
        if isinstance(drill, BackendDrill):
            self._backend(drill)
        elif isinstance(drill, PoolDrill):
            self._pool(drill)
        else:
            self._failover(drill)

    def _failover(self, drill: FailoverDrill) -> None:
        gone = drill.link_down_ms
        lines = [
            (
                "the switch saw the link go after",
                "never: it stays up, BFD has to notice" if gone is None else _ms(gone),
            ),
            ("the route had no dead next hop after", _ms(drill.rerouted_ms)),
            ("clients", _outage(drill.outage)),
            ("then served by", " ".join(drill.served_by)),
            (
                "open connections",
                _connections(drill),
            ),
        ]
        if drill.flows_of_survivors:
            moved = f"{drill.moved_flows_of_survivors} of {drill.flows_of_survivors} moved"
            lines.append(("flows of the survivors", moved))
        again = f"{drill.moved_flows_by_rejoin} of {drill.flows}"
        lines.append(
            ("back in place after", f"{_ms(drill.rejoin_ms)}, which moved {again} flows again")
        )
        self._facts(lines, drill.good)

    def _backend(self, drill: BackendDrill) -> None:
        lines = [
            ("clients", _outage(drill.outage)),
            ("its check allows", f"{drill.gone_within_ms} ms until no new session goes to it"),
            ("new sessions again after", f"{_ms(drill.returned_ms)} (at least `rise` checks)"),
            ("failed after its return", str(drill.failed_after_return)),
        ]
        self._facts(lines, drill.good)

    def _pool(self, drill: PoolDrill) -> None:
        lines = [
            ("clients", _outage(drill.outage)),
            ("its check allows", f"{drill.gone_within_ms} ms until no new session goes to it"),
            (f"then answered by {drill.sorry}", f"{drill.by_sorry} requests"),
            (f"by {drill.pool} again after", f"{_ms(drill.returned_ms)} (at least `rise` checks)"),
            ("failed after its return", str(drill.failed_after_return)),
        ]
        self._facts(lines, drill.good)

    def verdict(self, report: Report) -> None:
        self.stop()
        self.console.print()
        for problem in report.problems:
            self.console.print(f"[bold red]✗[/] {problem}")
        if report.good:
            self.console.print("[bold green]✓ everything is as the site says[/]")

    def _facts(self, lines: Sequence[tuple[str, str]], good: bool) -> None:
        for label, text in lines:
            self.console.print(f"  [dim]{label:<{LABEL_WIDTH}}[/]{text}", soft_wrap=True)
        self.console.print(f"  {_mark(good)}")

    def _heading(self, text: str) -> None:
        self.stop()
        self._chapter += 1
        self.console.print(f"\n[bold]{self._chapter}  {text}[/]")

    def _table(self, *columns: str) -> Table:
        style = box.SIMPLE_HEAD if self.console.is_terminal else None
        table = Table(box=style, pad_edge=True, header_style="dim")
        for column in columns:
            right = column.startswith(">")
            table.add_column(column.lstrip(">"), justify="right" if right else "left", no_wrap=True)
        return table


def _mark(good: bool) -> str:
    return "[green]✓[/]" if good else "[bold red]✗[/]"


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} ms"


def _connections(drill: FailoverDrill) -> str:
    others = drill.held - drill.held_by_victims
    why = "session sync" if drill.keeps_sessions else "nobody else had their sessions"
    return (
        f"{drill.lost_with_victims} of {drill.held_by_victims} through the dead lost ({why}), "
        f"{drill.lost_elsewhere} of {others} others; by their return {drill.lost_by_rejoin}"
    )


def _outage(outage: Outage) -> str:
    if not outage.failed:
        return f"noticed nothing: 0 of {outage.requests} requests failed"
    reasons = ", ".join(outage.reasons)
    return (
        f"{outage.failed} of {outage.requests} requests failed ({reasons}), "
        f"the last of them asked {outage.lasted_ms:.1f} ms after the break"
    )
