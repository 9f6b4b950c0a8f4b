"""Draws a line plot as one SVG element: axes, lines with points, a legend. Nothing else is needed.

Colours are those of the page's style sheet (`var(--p0)` and so on), so that a plot fits a light
page and a dark one. Both axes are logarithmic: from a thousand sessions to millions, and from ten
cycles to thousands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

COLOURS: Final = 8
"""Of the style sheet; a ninth line begins again."""

_WIDTH, _HEIGHT = 860, 440
_LEFT, _TOP, _BOTTOM, _LEGEND = 64, 16, 48, 250
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Line:
    """`points` are (x, y), both above 0. A dashed line is no measurement of the subject itself.
    `colour` is one of the style sheet's; None: the line's place among the others.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    dashed: bool = False
    colour: int | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """`text` names the unit."""

    text: str


def number(value: float) -> str:
    """Short: 1k, 4M."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    at_low: float
    at_high: float

    def place(self, value: float) -> float:
        span = math.log(self.high / self.low) or 1.0
        part = math.log(value / self.low) / span
        return self.at_low + part * (self.at_high - self.at_low)


def _ticks(low: float, high: float, steps: Sequence[int]) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    inside = [value for value in found if low <= value <= high]
    return inside or [low, high]


def _x_axis(scale: _Scale, axis: Axis) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    parts = []
    for value in _ticks(scale.low, scale.high, (1,)):
        x = scale.place(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{number(value)}</text>'
        )
    middle = (scale.at_low + scale.at_high) / 2
    text = escape(axis.text)
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">{text}</text>')
    return parts


def _y_axis(scale: _Scale, axis: Axis) -> list[str]:
    right = _WIDTH - _LEGEND
    parts = []
    for value in _ticks(scale.low, scale.high, _STEPS):
        y = scale.place(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>'
        )
    middle = (scale.at_low + scale.at_high) / 2
    parts.append(
        f'<text transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(axis.text)}</text>"
    )
    return parts


def _line(line: Line, index: int, x: _Scale, y: _Scale) -> list[str]:
    colour = f"var(--p{(index if line.colour is None else line.colour) % COLOURS})"
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    places = [(x.place(a), y.place(b)) for a, b in line.points]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>']
    for (a, b), (given_x, given_y) in zip(places, line.points, strict=True):
        title = f"{escape(line.name)}: {given_y:g} at {number(given_x)}"
        parts.append(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}">'
            f"<title>{title}</title></circle>"
        )
    at = _TOP + 12 + 20 * index
    left = _WIDTH - _LEGEND + 16
    parts.append(
        f'<line x1="{left}" y1="{at}" x2="{left + 26}" y2="{at}" stroke="{colour}" '
        f'stroke-width="2"{dash}/>'
    )
    parts.append(f'<text x="{left + 34}" y="{at + 4}">{escape(line.name)}</text>')
    return parts


def line_plot(title: str, lines: Sequence[Line], x_axis: Axis, y_axis: Axis) -> str:
    """The SVG element; ValueError without a point. `title` is for those who cannot see it."""
    points = [point for line in lines for point in line.points]
    if not points or any(value <= 0 for point in points for value in point):
        raise ValueError("a plot needs points above 0")
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    low_x, high_x = min(xs), max(xs)
    if low_x == high_x:
        low_x, high_x = low_x / 2, high_x * 2
    x = _Scale(low_x, high_x, _LEFT, _WIDTH - _LEGEND)
    y = _Scale(min(ys) / 1.3, max(ys) * 1.3, _HEIGHT - _BOTTOM, _TOP)
    parts = [*_x_axis(x, x_axis), *_y_axis(y, y_axis)]
    for index, line in enumerate(lines):
        parts += _line(line, index, x, y)
    height = max(_HEIGHT, _TOP + 20 * len(lines) + 20)
    body = "\n".join(parts)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">\n'
        f"{body}\n</svg>"
    )
