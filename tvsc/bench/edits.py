"""Edits of one line, for measuring what the compiler does after them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_NEW_VIP = "198.51.100.77"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one line: what it is called, and how a line is changed."""

    name: str
    pattern: re.Pattern[str]
    change: Callable[[re.Match[str]], str]


def _next_number(match: re.Match[str]) -> str:
    return f"{match[1]}{int(match[2]) + 1}{match[3]}"


WEIGHT = Edit("a weight changed", re.compile(r"(\bweight )(\d+)()\b"), _next_number)
INTERVAL = Edit("a health interval changed", re.compile(r"(\bevery )(\d+)(m?s)\b"), _next_number)
NEW_VIP = Edit(
    "a VIP added", re.compile(r"(\bvip +)(?=[\d.]+)"), lambda match: f"{match[1]}{_NEW_VIP}, "
)
EDITS = (WEIGHT, INTERVAL, NEW_VIP)

SHARED_EDITS = (
    Edit("a default of pools changed", re.compile(r"(\brise )(\d+)()\b"), _next_number),
    Edit("a default of services changed", re.compile(r"(\bfin )(\d+)(m?s)\b"), _next_number),
    Edit("a network changed", re.compile(r"(\blet servers = )(\d+)(\.)"), _next_number),
    Edit("a usual weight changed", re.compile(r"(\blet full += )(\d+)()\b"), _next_number),
    Edit("a port changed", re.compile(r"(\blet backend = )(\d+)()\b"), _next_number),
)
"""Of the main file of a generated site of the form `variables`: what every block uses."""


def apply_edit(edit: Edit, files: Sequence[Path]) -> bool:
    """Changes one line: the first that fits, in the files from the middle one on. False if none."""
    middle = len(files) // 2
    for path in (*files[middle:], *files[:middle]):
        text = path.read_text(encoding="utf-8")
        changed = edit.pattern.sub(edit.change, text, count=1)
        if changed != text:
            path.write_text(changed, encoding="utf-8")
            return True
    return False
