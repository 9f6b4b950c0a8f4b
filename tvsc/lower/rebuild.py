"""A record to the record of the same text with other variables or other defaults.

Nothing is parsed: the settings that a record keeps take the new defaults, those that variables
decide are read with their new values, and servers move. What comes out is, byte for byte, what
reading the text would give; when that is not certain, nothing comes out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tvsc.dsl.load import Loader
from tvsc.lower.block_record import Job, is_rebuildable, list_digest, to_line, values_of
from tvsc.lower.defaults import Defaults
from tvsc.lower.moving import Mover
from tvsc.lower.nouns import Json
from tvsc.lower.scope import Context
from tvsc.lower.settings_json import Values
from tvsc.lower.template import Block, Templates
from tvsc.model import Origins
from tvsc.source import SourceMap, Span


def rebuild(job: Job, root: Path, defaults: Defaults, templates: Templates) -> bytes | None:
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
    context = Context(lambda _: None, Origins(), Loader(root, SourceMap(), lambda _: None))
    if not _lists(context.loader, job, needs["lists"]):
        return None
    headers, settings = json.loads(head_text)["headers"], json.loads(settings_text)
    needs["free"] = values_of(job, free)
    nouns, origins = [], []
    vips_moved = _move_vips(settings, mover)
    if vips_moved is False:
        return None
    if vips_moved:
        settings_text = to_line(settings)
    for block in _blocks(headers, settings):
        texts = templates.texts(block, job.values, context)
        if texts is None:
            return None
        nouns.append(texts[0])
        origins.append(texts[1])
    moved = _servers(servers_text, headers, settings, mover)
    if moved is None:
        return None
    needs["defaults"] = defaults.digest
    needs["reach"] = mover.reach()
    made = (f"[{','.join(nouns)}]".encode(), moved, f"[{','.join(origins)}]".encode())
    return b"\n".join((to_line(needs), head_text, *made, places_text, settings_text))


def has_values(values: Values, wanted: list[list[str]]) -> bool:
    """Whether variables have the values that a record says."""
    for name, value in wanted:
        variable = values.get(name)
        if variable is None or repr(variable[0]) != value:
            return False
    return True


def _blocks(headers: Any, settings: Any) -> Iterator[Block]:  # noqa: ANN401 - JSON
    """The blocks of a record."""
    for (_, name, *span, parts), (says, places, vips, pools, _) in zip(
        headers, settings, strict=True
    ):
        header = [*span]
        for part in parts:
            header += part[1:]
        yield Block(says, name, header + places, vips, pools)


def _move_vips(settings: Any, mover: Mover) -> bool | None:  # noqa: ANN401 - JSON
    """Moves the VIPs of a record. None when none moves, False when two come to be one."""
    moved = None
    for block in settings:
        _, _, vips, _, which = block
        if vips and mover.changes(which):
            block[2] = mover.vips(vips, which)
            moved = moved is not False and block[2] is not None
    return moved


def _servers(text: bytes, headers: Any, settings: Any, mover: Mover) -> bytes | None:  # noqa: ANN401 - JSON
    """The servers of a record, moved; None when two come to be one."""
    pools = [
        (number, headers[number][1], which)
        for number, (_, _, vips, _, which) in enumerate(settings)
        if not vips and mover.changes(which)
    ]
    if not pools:
        return text
    servers = json.loads(text)
    if all(mover.servers(name, servers[number], which) for number, name, which in pools):
        return to_line(servers)
    return None


def _lists(loader: Loader, job: Job, lists: list[list[Json]]) -> bool:
    """Reads the lists in the order that the record's places know; False when one is another now."""
    loader.sources.add(job.name, job.name, "")
    for name, digest in lists:
        number = loader.read(str(name), Span(0, 0, 0))
        if number is None or list_digest(loader.sources.files[number].text) != digest:
            return False
    return True
