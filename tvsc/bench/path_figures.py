"""The packet path's plots: cost against sessions, beside the floors of the run and beside peers."""

from __future__ import annotations

from typing import Final

from tvsc.bench.path import FLOORS, PathResult, PathRow
from tvsc.bench.plot import Axis, Line, line_plot
from tvsc.bench.report import Figure

_SESSIONS: Final = (1.0, 10_000.0, 100_000.0, 1_000_000.0)
_X = Axis("established sessions")
_Y = Axis("TSC cycles per packet")
_DIRECTIONS = ("request", "reply", "close", "new", "refused")

PEERS: Final[tuple[tuple[str, tuple[float | None, ...]], ...]] = (
    ("DPVS 1.10.2 FULLNAT", (491, 1583, 2230, 3173)),
    ("VPP nat44-ed", (245, 960, 1100, 1355)),
    ("Katran XDP", (383, 750, 1090, 1330)),
    ("DPDK l3fwd exact match", (95, 115, 220, 280)),
    ("DPDK testpmd 5tswap", (33, 33, 33, 33)),
    ("Linux nftables", (7000, 9400, None, 9000)),
)
"""Cycles of a client's packet of an established session with 1, 10k, 100k and 1M flows."""

PEERS_NOTE: Final = (
    "measured separately, on another machine (TSC at 2.45 GHz), with their own drivers: an order "
    "of magnitude, not a ratio"
)


def _plain(row: PathRow) -> bool:
    work = row.workload
    return (work.pattern, work.burst, work.frame_bytes) == ("uniform", 32, 60)


def _points(rows: list[PathRow], direction: str) -> tuple[tuple[float, float], ...]:
    found = {
        float(row.workload.sessions): row.cycles.median
        for row in rows
        if row.workload.direction == direction
    }
    return tuple(sorted(found.items()))


def _own(rows: list[PathRow], directions: tuple[str, ...]) -> list[Line]:
    lines = [Line(f"tvsc {name}", _points(rows, name)) for name in directions]
    return [line for line in lines if line.points]


def _floors(rows: list[PathRow]) -> list[Line]:
    lines = []
    for name in FLOORS:
        points = {
            float(row.workload.sessions): row.floors[name].cycles.median
            for row in rows
            if row.workload.direction == "request" and name in row.floors
        }
        if points:
            lines.append(Line(f"floor: {name}", tuple(sorted(points.items()))))
    return lines


def _peers() -> list[Line]:
    return [
        Line(
            name,
            tuple((x, y) for x, y in zip(_SESSIONS, cycles, strict=True) if y is not None),
            dashed=True,
        )
        for name, cycles in PEERS
    ]


def figures(result: PathResult) -> list[Figure]:
    """Two per class that was measured at bursts of 32 and frames of 60 bytes."""
    found = []
    for name in dict.fromkeys(row.workload.service_class for row in result.rows):
        rows = [r for r in result.rows if r.workload.service_class == name and _plain(r)]
        own, requests = _own(rows, _DIRECTIONS), _own(rows, ("request",))
        if own:
            title = f"{name}: cycles per packet against sessions, with this run's floors"
            floors = _floors(rows)
            found.append(Figure(title, line_plot(title, [*own, *floors], _X, _Y)))
        if requests:
            title = f"{name}: a client's packet beside peers' ({PEERS_NOTE})"
            lines = [*_own(rows, ("request", "reply")), *_peers()]
            found.append(Figure(title, line_plot(title, lines, _X, _Y)))
    return found
