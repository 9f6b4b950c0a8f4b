"""A block as read: settings with typed values, before defaults and inheritance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from tvsc.lower.schema import Kind, Setting
from tvsc.model import Origins, Pool, Service
from tvsc.source import Span


@dataclass(slots=True)
class Fields:
    """The settings of one block, by keyword and key, in source order."""

    kind: Kind
    span: Span
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def all(self, keyword: str) -> Iterator[Entry]:
        """Every entry with this keyword."""
        return (e for (k, _), e in self.entries.items() if k == keyword)


@dataclass(slots=True)
class Entry:
    """One setting: `span` holds keyword and values, `parts` the spans of values that have names.

    `apart` is what a block became that was read apart from the rest; its `fields` are None then.
    `again` is how to read it with other values of the variables that it uses (tvsc/lower/watch.py),
    if it is known.
    """

    setting: Setting
    key: str
    value: object
    span: Span
    parts: dict[str, Span]
    fields: Fields | None
    apart: Finished | None = None
    again: object = None


class Finished(Protocol):
    """A pool or service that is built already (tvsc/lower/blocks.py)."""

    @property
    def noun(self) -> Pool | Service:
        """What it was built to."""

    def place(self, origins: Origins) -> None:
        """Says where its parts were written."""

    def fields(self) -> Fields:
        """Its settings, for those that want to be like it."""


def merge(base: Fields, own: Fields, without: frozenset[str] = frozenset()) -> Fields:
    """`base` (less the keywords in `without`) overridden by `own`; blocks of the same header
    merge in turn.
    """
    merged = Fields(own.kind, own.span)
    merged.entries = {k: e for k, e in base.entries.items() if k[0] not in without}
    for key, entry in own.entries.items():
        under = merged.entries.get(key)
        if (
            under is not None
            and under.fields is not None
            and entry.fields is not None
            and under.value == entry.value
        ):
            merged.entries[key] = replace(entry, fields=merge(under.fields, entry.fields))
        else:
            merged.entries[key] = entry
    return merged
