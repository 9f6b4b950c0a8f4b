"""What `tvsc compile` says at its end: a table for people, an object for machines."""

from __future__ import annotations

from pathlib import Path

from tvsc.build.output import NodeState, Value
from tvsc.pipeline import Run

FORMAT_VERSION = 1


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _row(run: Run, name: str, node: NodeState) -> dict[str, Value]:
    out = run.options.out
    generation_so = out / "nodes" / name / "generation.so"
    bundle = out / "bundles" / node.bundle if node.bundle else None
    facts = dict(node.facts)
    return {
        "node": name,
        "cluster": facts.pop("cluster"),
        "generation": node.generation,
        **facts,
        "generation_so": str(generation_so),
        "generation_so_bytes": _bytes(generation_so),
        "bundle": str(bundle) if bundle else None,
        "bundle_bytes": _bytes(bundle) if bundle else 0,
    }


def _rows(run: Run) -> list[dict[str, Value]]:
    """A row per node that this run was asked for."""
    wanted = run.options.nodes
    nodes = run.result().nodes.items()
    return [_row(run, name, node) for name, node in nodes if not wanted or name in wanted]


def json_report(run: Run, took_s: float) -> dict[str, object]:
    """The result as plain values."""
    return {
        "format_version": FORMAT_VERSION,
        "site": run.result().site,
        "out": str(run.options.out),
        "unchanged": run.unchanged,
        "took_s": round(took_s, 3),
        "compiler": run.compiler.version,
        "nodes": _rows(run),
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
    nodes = _rows(run)
    rows = [[title for title, _ in _COLUMNS]]
    rows += [[_text(name, row[name]) for _, name in _COLUMNS] for row in nodes]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(
            f"{cell:<{width}}" if name in _LEFT else f"{cell:>{width}}"
            for cell, width, (_, name) in zip(row, widths, _COLUMNS, strict=True)
        ).rstrip()
        for row in rows
    ]
    count = len(nodes)
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
