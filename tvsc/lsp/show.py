"""Values, settings and functions as an editor shows them: markdown."""

from __future__ import annotations

from fractions import Fraction

from tvsc.dsl.literals import BYTES
from tvsc.dsl.values import (
    Bytes,
    Duration,
    Endpoint,
    IntRange,
    Mac,
    Pci,
    PrefixLength,
    Rate,
    Scalar,
    type_name,
)
from tvsc.lower.evaluate import FUNCTIONS
from tvsc.lower.reader import show_ms
from tvsc.lower.schema import Setting
from tvsc.lsp.variables import MAX_ROUNDS, Values

FIRST_VALUES = 6
"""So many values of a loop are shown."""


def show_value(value: Scalar) -> str:
    """A value as it is written in the language."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, Duration):
        return show_ms(value.ms)
    if isinstance(value, Bytes):
        return _memory(value.count)
    if isinstance(value, Rate):
        return f"{value.per_second}/s"
    if isinstance(value, PrefixLength):
        return f"/{value.bits}"
    if isinstance(value, IntRange):
        return f"{value.first}..{value.last}"
    if isinstance(value, Endpoint):
        address = f"[{value.address}]" if value.address.version == 6 else f"{value.address}"
        return f"{address}:{value.port}"
    if isinstance(value, Mac | Pci):
        return value.text
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return str(value)


def _memory(count: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if count and count % BYTES[unit] == 0:
            return f"{count // BYTES[unit]}{unit}"
    return f"{count}B"


def code(text: str) -> str:
    """A block of the language."""
    return f"```tvs\n{text}\n```"


def show_values(values: Values) -> str:
    """The value, or the first of those that a loop makes, with their type."""
    shown = ", ".join(show_value(value) for value in values.first)
    kind = type_name(values.first[0])
    if not values.loops:
        return f"{code(shown)}\n{kind}"
    more = ", ..." if values.rounds > len(values.first) else ""
    count = f"{values.rounds:,}{' or more' if values.rounds >= MAX_ROUNDS else ''}"
    loops = " and ".join(f"`{name}`" for name in values.loops)
    rounds = "round" if values.rounds == 1 else "rounds"
    return f"{code(shown + more)}\n{kind}, in {count} {rounds} of {loops}"


def show_setting(setting: Setting, block: str) -> str:
    """How a setting is written, what it means, and what it is when it is not given."""
    parts = [code(setting.usage), setting.doc]
    if setting.required:
        parts.append("Required.")
    elif setting.default is not None:
        parts.append(f"Default: {setting.default}.")
    where = "the top level" if block == "file" else f"`{block}`"
    parts.append(f"A setting of {where}.")
    return "\n\n".join(parts)


def show_function(name: str) -> str | None:
    """How a function is called, and what it gives."""
    known = FUNCTIONS.get(name)
    return None if known is None else f"{code(known[0])}\n{known[1]}"
