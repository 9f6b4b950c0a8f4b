"""A record to the record of the same text with other variables or other defaults.

Nothing is parsed: the settings that a record keeps take the new defaults, those that variables
decide are read with their new values, and servers move. What comes out is, byte for byte, what
reading the text would give; when that is not certain, nothing comes out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl.load import Loader
from tvsc.lower.block_record import (
    Job,
    build,
    is_rebuildable,
    list_digest,
    noun_to_json,
    places_of,
    to_line,
    values_of,
)
from tvsc.lower.defaults import Defaults
from tvsc.lower.evaluate import StatementError
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.moving import Mover
from tvsc.lower.nouns import Json
from tvsc.lower.schema import KINDS, Named
from tvsc.lower.scope import Context
from tvsc.lower.settings_json import Values, to_fields
from tvsc.model import Origins
from tvsc.source import SourceMap, Span


def rebuild(job: Job, root: Path, defaults: Defaults) -> bytes | None:
    """The record of a job from its old one; None when the text must be read."""
    if job.old is None or not is_rebuildable(defaults):
        return None
    needs_text, head_text, _, servers_text, _, places_text, settings_text = job.old.split(b"\n")
    if settings_text == b"null":
        return None
    needs = json.loads(needs_text)
    free = [name for name, _ in needs["free"]]
    if not has_values(job.values, needs["fixed"]) or not job.values.keys() >= set(free):
        return None
    changed = {name for name, value in needs["free"] if repr(job.values[name][0]) != value}
    mover = Mover(needs["moves"], needs["reach"], job.values, changed)
    if not mover.whole:
        return None
    settings = json.loads(settings_text)
    try:
        top = _fields(json.loads(head_text)["headers"], settings, job)
    except StatementError:
        return None
    said: list[Diagnostic] = []
    context = Context(said.append, Origins(), Loader(root, SourceMap(), said.append))
    if top is None or not _lists(context.loader, job, needs["lists"]):
        return None
    built = list(build(top, defaults, context))
    if said:
        return None
    if mover.moves:
        servers = json.loads(servers_text)
        for (noun, _), (_, which), rows in zip(built, settings, servers, strict=True):
            if which is not None and not mover.servers(noun.name, rows, which):
                return None
        servers_text = to_line(servers)
    needs["free"] = values_of(job, free)
    needs["defaults"] = defaults.digest
    needs["reach"] = mover.reach()
    nouns = to_line([noun_to_json(noun) for noun, _ in built])
    origins = to_line([places_of(origins) for _, origins in built])
    lines = (to_line(needs), head_text, nouns, servers_text, origins, places_text, settings_text)
    return b"\n".join(lines)


def has_values(values: Values, wanted: list[list[str]]) -> bool:
    """Whether variables have the values that a record says."""
    for name, value in wanted:
        variable = values.get(name)
        if variable is None or repr(variable[0]) != value:
            return False
    return True


def _fields(headers: Any, settings: Any, job: Job) -> Fields | None:  # noqa: ANN401 - JSON
    kind = KINDS["file"]
    top = Fields(kind, Span(0, 0, 0))
    for (keyword, key, start, end, parts), (own, _) in zip(headers, settings, strict=True):
        setting = kind.settings[keyword]
        where = {name: Span(0, first, last) for name, first, last in parts}
        entry = Entry(setting, key, Named(key), Span(0, start, end), where, None)
        if own is not None:
            assert setting.block is not None
            entry.fields = to_fields(own, KINDS[setting.block], job.values)
            if entry.fields is None:
                return None
        top.entries[(keyword, key)] = entry
    return top


def _lists(loader: Loader, job: Job, lists: list[list[Json]]) -> bool:
    """Reads the lists in the order that the record's places know; False when one is another now."""
    loader.sources.add(job.name, job.name, "")
    for name, digest in lists:
        number = loader.read(str(name), Span(0, 0, 0))
        if number is None or list_digest(loader.sources.files[number].text) != digest:
            return False
    return True
