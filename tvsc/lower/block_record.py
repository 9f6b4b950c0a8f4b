"""A run of blocks to a record of what it says: reads text, writes bytes that a later run can use.

The work of parsing, decoding, inheriting and building is done here for a few dozen pools and
services at a time, in whatever process. A record is three JSON texts, one a line:

    head     what the result depends on beside the text, and the header of every block
    nouns    the pools and services (tvsc/lower/nouns.py)
    origins  where their parts were written; most runs never look at it

Places are offsets into the text, so that a record stays good when its blocks move.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl.load import Loader
from tvsc.dsl.parser import parse_part
from tvsc.dsl.values import Scalar
from tvsc.lower.build_pool import build_pool
from tvsc.lower.build_service import build_service
from tvsc.lower.decode import decode_part
from tvsc.lower.defaults import Defaults
from tvsc.lower.evaluate import Env
from tvsc.lower.fields import Entry
from tvsc.lower.inherit import inherit
from tvsc.lower.nouns import Json, to_json
from tvsc.lower.schema import Named
from tvsc.lower.scope import Context
from tvsc.model import Origins
from tvsc.source import SourceMap, Span

TEXT, DEFAULTS = 0, -1
"""Which file a place is in: the text itself; the defaults; else a list, from 1."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run of blocks to be read: its text, the name of its file, and the variables there."""

    text: str
    name: str
    values: dict[str, tuple[Scalar, Span]]


class _Reads(dict[str, tuple[Scalar, Span]]):
    """Variables that remember which of them were asked for."""

    def __init__(self, values: dict[str, tuple[Scalar, Span]]) -> None:
        super().__init__(values)
        self.names: dict[str, None] = {}

    def get(  # type: ignore[override]
        self, name: str, default: tuple[Scalar, Span] | None = None
    ) -> tuple[Scalar, Span] | None:
        if name in self:
            self.names[name] = None
            return self[name]
        return default


def list_digest(text: str) -> str:
    """Names the content of a list file."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def record(job: Job, root: Path, defaults: Defaults) -> bytes | None:
    """The record of a run of blocks; None when anything is wrong with it, or it is not such a run:
    then it is to be read with the rest of the site, which says why.
    """
    said: list[Diagnostic] = []
    body = parse_part(TEXT, job.text, said.append, 0, len(job.text))
    if said:
        return None
    reads = _Reads(job.values)
    top, counts = decode_part(body, Env(None, reads), said.append)
    if said or not all(_is_plain(entry) for entry in top.entries.values()):
        return None
    headers = [_header(entry) for entry in top.entries.values()]
    if defaults.entry is not None:
        top.entries[("defaults", "")] = defaults.entry
    top = inherit(top, said.append)
    sources = SourceMap()
    sources.add(job.name, job.name, "")
    context = Context(said.append, Origins(), Loader(root, sources, said.append))
    nouns: list[Json] = []
    origins: list[Json] = []
    for entry in top.entries.values():
        if entry.setting.keyword == "defaults":
            continue
        context.origins = Origins()
        build = build_pool if entry.setting.keyword == "pool" else build_service
        nouns.append(to_json(build(context, entry)))
        origins.append([_place(path, span) for path, span in context.origins.items()])
    if said:
        return None
    head = {
        "reads": [[name, repr(job.values[name][0])] for name in reads.names],
        "defaults": defaults.digest,
        "statements": counts.statements,
        "looped": counts.looped,
        "list_lines": context.list_lines,
        "lists": [[source.name, list_digest(source.text)] for source in sources.files[1:]],
        "headers": headers,
    }
    lines = (json.dumps(part, separators=(",", ":")) for part in (head, nouns, origins))
    return "\n".join(lines).encode()


def _is_plain(entry: Entry) -> bool:
    named = entry.value
    return (
        entry.setting.keyword in ("pool", "service")
        and isinstance(named, Named)
        and named.like is None
    )


def _header(entry: Entry) -> Json:
    parts: list[Json] = [_place(part, span) for part, span in entry.parts.items()]
    return [entry.setting.keyword, entry.key, entry.span.start, entry.span.end, parts]


def _place(path: str, span: Span) -> Json:
    place: list[Json] = [path, span.start, span.end]
    return place if span.file == TEXT else [*place, span.file]
