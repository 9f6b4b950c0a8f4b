"""The defaults of pools and services, in a form that does not know where they were written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import Enum

from tvsc.lower.fields import Entry, Fields
from tvsc.model.base import Model
from tvsc.source import Span

_KINDS = ("pool", "service")
_PLAIN = (bool, int, str, Enum, Model)


@dataclass(frozen=True, slots=True)
class Defaults:
    """`entry` is the `defaults` block with places that only count its settings: place number n is
    `spans[n]`. `said` is what it says, `digest` names that. `apart` is False when the block says
    something that is bound to its place; pools and services cannot be read apart from it then.
    """

    entry: Entry | None
    spans: tuple[Span, ...]
    said: str
    digest: str
    apart: bool


def of_blocks(entry: Entry | None, number: int) -> Defaults:
    """The defaults of pools and services in the site's `defaults`; `number` is what their places
    have for a file.
    """
    if entry is None or entry.fields is None:
        return Defaults(None, (), "", "", True)
    count = _Count(number)
    kept = {k: e for k, e in entry.fields.entries.items() if e.setting.keyword in _KINDS}
    counted = replace(
        entry, fields=count.fields(Fields(entry.fields.kind, entry.fields.span, kept))
    )
    text = "\n".join(count.said)
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
    return Defaults(counted, tuple(count.spans), text, digest, count.apart)


class _Count:
    def __init__(self, number: int) -> None:
        self.number = number
        self.spans: list[Span] = []
        self.said: list[str] = []
        self.apart = True

    def place(self, span: Span) -> Span:
        self.spans.append(span)
        n = len(self.spans) - 1
        return Span(self.number, n, n)

    def fields(self, fields: Fields) -> Fields:
        self.said.append(f"{{ {fields.kind.name}")
        entries = {key: self.entry(entry) for key, entry in fields.entries.items()}
        self.said.append("}")
        return Fields(fields.kind, self.place(fields.span), entries)

    def entry(self, entry: Entry) -> Entry:
        self.apart = self.apart and _is_plain(entry.value)
        self.said.append(f"{entry.setting.keyword} {entry.key} {entry.value!r}")
        return replace(
            entry,
            span=self.place(entry.span),
            parts={part: self.place(span) for part, span in entry.parts.items()},
            fields=None if entry.fields is None else self.fields(entry.fields),
        )


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple) and not isinstance(value, Span):
        return all(_is_plain(member) for member in value)
    return isinstance(value, _PLAIN)
