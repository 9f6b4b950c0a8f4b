"""The packet path's plots: cost against sessions, beside the floors of the run and beside peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tvsc.bench.path import FLOORS, PathResult, PathRow
from tvsc.bench.plot import Axis, Line, line_plot
from tvsc.bench.report import Figure, Table

_SESSIONS: Final = (1.0, 10_000.0, 100_000.0, 1_000_000.0)
_X = Axis("established sessions")
_Y = Axis("TSC cycles per packet")
_DIRECTIONS = ("request", "reply", "close", "new", "refused")

_NONE = (None, None, None, None)


@dataclass(frozen=True, slots=True)
class Peer:
    """Cycles of an established session's packets with 1, 10k, 100k and 1M flows, and of a new
    session's; None: not measured.
    """

    name: str
    request: tuple[float | None, ...]
    reply: tuple[float | None, ...] = _NONE
    new: float | None = None


PEERS: Final = (
    Peer("DPVS 1.10.2 FULLNAT", (491, 1583, 2230, 3173), (570, 1750, 2258, 3760), 8159),
    Peer("VPP nat44-ed", (245, 960, 1100, 1355), new=1800),
    Peer("Katran XDP", (383, 750, 1090, 1330), new=1790),
    Peer("DPDK l3fwd exact match", (95, 115, 220, 280)),
    Peer("DPDK testpmd 5tswap", (33, 33, 33, 33)),
    Peer("Linux nftables", (7000, 9400, None, 9000)),
)

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
    lines = [
        Line(f"tvsc {name}", _points(rows, name), colour=_DIRECTIONS.index(name))
        for name in directions
    ]
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
            colour = len(_DIRECTIONS) + FLOORS.index(name)
            lines.append(Line(f"floor: {name}", tuple(sorted(points.items())), True, colour))
    return lines


def _peers() -> list[Line]:
    return [
        Line(
            peer.name,
            tuple((x, y) for x, y in zip(_SESSIONS, peer.request, strict=True) if y is not None),
            dashed=True,
        )
        for peer in PEERS
    ]


def peer_table() -> Table:
    """All that is known of peers."""
    flows = ("1", "10k", "100k", "1M")
    columns = ["program", *(f"=request, {n}" for n in flows), *(f"=reply, {n}" for n in flows)]
    rows = [
        (peer.name, *(f"{v:.0f}" if v else "" for v in (*peer.request, *peer.reply, peer.new)))
        for peer in PEERS
    ]
    caption = f"peers, cycles per packet by number of flows ({PEERS_NOTE})"
    return Table(caption, (*columns, "=new session"), tuple(rows))


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
