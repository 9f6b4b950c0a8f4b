"""What `tvsc compile` says at its end: a table for people, an object for machines."""

from __future__ import annotations

from pathlib import Path

from tvsc.bundle import bundle_name
from tvsc.pipeline import Run
from tvsc.plan import NodePlan

FORMAT_VERSION = 1

Value = None | bool | int | float | str


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _row(run: Run, plan: NodePlan) -> dict[str, Value]:
    out = run.options.out
    bundle = out / "bundles" / bundle_name(plan)
    return {
        "node": plan.node,
        "cluster": plan.cluster,
        "generation": plan.generation,
        "sync_contract": f"{plan.sync_contract:#018x}",
        "workers": plan.cores.n_workers,
        "services": len(plan.services),
        "classes": len(plan.classes),
        "pools": len(plan.pools),
        "local_ips": len(plan.lips.own),
        "steering": plan.steering.mode.value,
        "rules": len(plan.steering.rules),
        "bytes_per_session": plan.memory.bytes_per_session,
        "generation_so": str(out / "nodes" / plan.node / "generation.so"),
        "generation_so_bytes": _bytes(out / "nodes" / plan.node / "generation.so"),
        "bundle": str(bundle) if run.options.bundle else None,
        "bundle_bytes": _bytes(bundle) if run.options.bundle else 0,
    }


def json_report(run: Run, took_s: float) -> dict[str, object]:
    """The result as plain values."""
    return {
        "format_version": FORMAT_VERSION,
        "site": run.plan.site,
        "out": str(run.options.out),
        "unchanged": run.unchanged,
        "took_s": round(took_s, 3),
        "compiler": run.compiler.version,
        "nodes": [_row(run, plan) for plan in run.plan.nodes],
    }


_COLUMNS = (
    ("node", "node"),
    ("generation", "generation"),
    ("workers", "workers"),
    ("services", "services"),
    ("classes", "classes"),
    ("local IPs", "local_ips"),
    ("steering", "steering"),
    ("rules", "rules"),
    (".so", "generation_so_bytes"),
    ("bundle", "bundle_bytes"),
)
_LEFT = {"node", "generation", "steering"}


def text_report(run: Run, took_s: float) -> str:
    """A table with a row per node, and one line that sums up."""
    rows = [[title for title, _ in _COLUMNS]]
    for plan in run.plan.nodes:
        row = _row(run, plan)
        rows.append([_text(name, row[name]) for _, name in _COLUMNS])
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(
            f"{cell:<{width}}" if name in _LEFT else f"{cell:>{width}}"
            for cell, width, (_, name) in zip(row, widths, _COLUMNS, strict=True)
        ).rstrip()
        for row in rows
    ]
    count = len(run.plan.nodes)
    lines.append(
        f"{'unchanged' if run.unchanged else 'compiled'}: {count} node{'s' * (count != 1)} in "
        f"{took_s:.1f} s, in {run.options.out / ('bundles' if run.options.bundle else 'nodes')}/"
    )
    return "\n".join(lines)


def _text(name: str, value: Value) -> str:
    if not name.endswith("_bytes"):
        return str(value)
    assert isinstance(value, int)
    if value == 0:
        return "-"
    return f"{value / (1 << 20):.1f} MiB" if value >= 1 << 20 else f"{value / 1024:.0f} KiB"
