"""`tvsc check --report`: capacity and the steering proof, as tables and as JSON."""

from __future__ import annotations

import sys
from io import StringIO
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TypedDict

from tvsc.checks.capacity_report import ClusterCapacity, Usage, capacity
from tvsc.checks.steering_proof import ClusterProof, prove_site
from tvsc.model import Site, Steering

if TYPE_CHECKING:
    from rich.table import Table

FORMAT_VERSION = 1
_LEAST_WIDTH = 150
_BYTES = ("KiB", "MiB")


class JsonUsage(TypedDict):
    """A row: numbers in `unit`; null where nothing is known or declared."""

    resource: str
    per: str
    unit: str
    have: int | None
    need: int | None
    have_lost: int | None
    need_lost: int | None
    note: str


class JsonProof(TypedDict):
    """What was proved of one cluster. `kinds`: nodes with equal rules on equal NICs."""

    mode: str
    proved: bool
    kinds: list[list[str]]
    flow_rules: int
    local_ips: int
    vips: int
    classes_decided: int
    sync_flows: int


class JsonCluster(TypedDict):
    """One cluster."""

    cluster: str
    nodes: int
    workers: int
    capacity: list[JsonUsage]
    steering: JsonProof


class JsonSiteReport(TypedDict):
    """The value of `report` in the output of `tvsc check --report --format json`."""

    format_version: int
    clusters: list[JsonCluster]


def json_report(site: Site) -> JsonSiteReport:
    """The report as plain data."""
    return {
        "format_version": FORMAT_VERSION,
        "clusters": [
            {
                "cluster": cluster.cluster,
                "nodes": cluster.nodes,
                "workers": cluster.workers,
                "capacity": [_json_usage(row) for row in cluster.rows],
                "steering": {
                    "mode": proof.mode.value,
                    "proved": not proof.diagnostics,
                    "kinds": [list(kind) for kind in proof.kinds],
                    "flow_rules": proof.rules,
                    "local_ips": proof.local_ips,
                    "vips": proof.vips,
                    "classes_decided": proof.decided,
                    "sync_flows": proof.sync_flows,
                },
            }
            for cluster, proof in zip(capacity(site), prove_site(site), strict=True)
        ],
    }


def _json_usage(row: Usage) -> JsonUsage:
    return {
        "resource": row.resource,
        "per": row.per,
        "unit": row.unit,
        "have": row.have,
        "need": row.need,
        "have_lost": row.have_lost,
        "need_lost": row.need_lost,
        "note": row.note,
    }


def print_report(site: Site, colour: bool) -> None:
    """The report for people, on standard output."""
    from rich.console import Console

    text = StringIO()
    console = Console(
        file=text,
        highlight=False,
        force_terminal=colour,
        width=max(get_terminal_size().columns if colour else 0, _LEAST_WIDTH),
    )
    for cluster, proof in zip(capacity(site), prove_site(site), strict=True):
        console.print()
        console.print(_table(cluster))
        console.print(_proof_text(proof), markup=False, soft_wrap=True)
    for line in text.getvalue().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def _table(cluster: ClusterCapacity) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"cluster {cluster.cluster}: {_count(cluster.nodes, 'node')} x"
        f" {_count(cluster.workers, 'worker')}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for name in ("resource", "per"):
        table.add_column(name, no_wrap=True)
    for name in ("need", "have", "used", "1 lost: need", "have", "used"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note")
    for row in cluster.rows:
        table.add_row(
            row.resource,
            row.per,
            _number(row.need, row),
            _number(row.have, row),
            _share(row.need, row.have),
            _number(row.need_lost, row),
            _number(row.have_lost, row),
            _share(row.need_lost, row.have_lost),
            row.note,
        )
    return table


def _number(value: int | None, row: Usage) -> str:
    if value is None:
        return "-"
    if row.unit == "bit/s":
        return f"{value / 1e6:,.1f} Mbit/s"
    return f"{value:,}{f' {row.unit}' if row.unit in _BYTES else ''}"


def _share(need: int | None, have: int | None) -> str:
    return "" if need is None or not have else f"{100 * need / have:.0f} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _proof_text(proof: ClusterProof) -> str:
    vips = _count(proof.vips, "VIP")
    if proof.mode is Steering.SOFTWARE:
        return (
            f"  steering software, proved: all nodes spread requests to {vips} alike; replies are"
            " handed to the owner of their local IP"
            + (
                f";\n  {_count(proof.sync_flows, 'flow')} of session sync, handed over likewise"
                if proof.sync_flows
                else ""
            )
        )
    nodes = sum(len(kind) for kind in proof.kinds)
    lost = ", healthy and after the loss of each node" if nodes > 1 else ""
    kinds = "all nodes are alike" if len(proof.kinds) == 1 else f"{len(proof.kinds)} kinds of nodes"
    worker = "request, reply and sync worker" if proof.sync_flows else "request and reply worker"
    told = f"; {_count(proof.sync_flows, 'flow')} of session sync" if proof.sync_flows else ""
    return (
        f"  steering {proof.mode}, proved: {worker} are one for"
        f" {_count(proof.local_ips, 'local IP')} and {vips}{lost}\n"
        f"  ({_count(proof.rules, 'planned rule')}; {proof.decided} classes of packets decided"
        f"{told}{f'; {kinds}' if nodes > 1 else ''})"
    )
