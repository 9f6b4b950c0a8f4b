"""A run of blocks to a record of what it says: reads text, writes bytes that a later run can use.

The work of parsing, decoding, inheriting and building is done here for a few dozen pools and
services at a time, in whatever process. A record is some JSON texts, one a line:

    needs     what the result depends on beside the text
    head      how much was read, and the header of every block
    nouns     the pools, without their servers, and the services (tvsc/lower/nouns.py)
    servers   the servers of each
    origins   where the parts of each were written, but for its servers
    places    where the servers of each were written; most runs never look at these two
    settings  what each block says itself, `[JSON, places, VIPs, pools, moves]`, to build it anew
              with other defaults and variables (tvsc/lower/rebuild.py); null when that cannot be

Places are offsets into the text, so that a record stays good when its blocks move.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl.load import Loader
from tvsc.dsl.parser import parse_part
from tvsc.dsl.values import Scalar
from tvsc.lower.build_pool import build_pool
from tvsc.lower.build_service import build_service
from tvsc.lower.decode import decode_part
from tvsc.lower.defaults import Defaults
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.inherit import inherit
from tvsc.lower.moving import Move, Reach
from tvsc.lower.nouns import Json, fields_to_json, to_json
from tvsc.lower.schema import Named
from tvsc.lower.scope import Context
from tvsc.lower.settings_json import Rows, from_fields
from tvsc.lower.watch import Watch
from tvsc.model import Address, Origins, Pool, Service
from tvsc.source import SourceMap, Span

TEXT, DEFAULTS = 0, -1
"""Which file a place is in: the text itself; the defaults; else a list, from 1."""

SERVERS = frozenset({"server", "servers"})
"""What a pool's settings leave out: its servers are moved, not built."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run of blocks to be read: its text, the name of its file, the variables there, and the
    record of the same text with other variables or defaults, if there is one.
    """

    text: str
    name: str
    values: dict[str, tuple[Scalar, Span]]
    old: bytes | None = None


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
    watch = Watch(job.values)
    top, counts = decode_part(body, watch.env, said.append, watch)
    watch.finish()
    if said or not all(_is_plain(entry) for entry in top.entries.values()):
        return None
    own = list(top.entries.values())
    sources = SourceMap()
    sources.add(job.name, job.name, "")
    context = Context(said.append, Origins(), Loader(root, sources, said.append))
    built = list(build(top, defaults, context))
    if said:
        return None
    moves = Moves(job)
    settings = moves.settings(own, built) if is_rebuildable(defaults) else None
    if settings is None:
        watch.fixed |= watch.free
    needs = {
        "fixed": values_of(job, watch.fixed),
        "free": values_of(job, watch.free),
        "moves": moves.table(),
        "reach": moves.reach.known,
        "defaults": defaults.digest,
        "lists": [[source.name, list_digest(source.text)] for source in sources.files[1:]],
    }
    head = {
        "statements": counts.statements,
        "looped": counts.looped,
        "list_lines": context.list_lines,
        "headers": [_header(entry) for entry in own],
    }
    servers = [[to_json(s) for s in n.servers] if isinstance(n, Pool) else [] for n, _ in built]
    places = [_server_places(*one) for one in built]
    lines = (needs, head, [noun_to_json(noun) for noun, _ in built], servers)
    return b"\n".join(map(to_line, (*lines, [places_of(o) for _, o in built], places, settings)))


def noun_to_json(noun: Pool | Service) -> list[Json]:
    """A pool, without its servers, or a service."""
    count = len(type(noun).model_fields)
    return fields_to_json(noun, count - 1 if isinstance(noun, Pool) else count)


def to_line(part: object) -> bytes:
    """A line of a record."""
    return json.dumps(part, separators=(",", ":")).encode()


def values_of(job: Job, names: Iterable[str]) -> list[list[str]]:
    """Variables with their values."""
    return [[name, repr(job.values[name][0])] for name in names]


def is_rebuildable(defaults: Defaults) -> bool:
    """Whether pools have all their servers themselves."""
    if defaults.entry is None or defaults.entry.fields is None:
        return True
    pools = [e.fields for e in defaults.entry.fields.all("pool") if e.fields is not None]
    return not any(key[0] in SERVERS for fields in pools for key in fields.entries)


def build(
    top: Fields, defaults: Defaults, context: Context
) -> Iterator[tuple[Pool | Service, Origins]]:
    """Pools and services with the defaults, and where their parts were written."""
    if defaults.entry is not None:
        top.entries[("defaults", "")] = defaults.entry
    for entry in inherit(top, context.sink).entries.values():
        if entry.setting.keyword == "defaults":
            continue
        context.origins = Origins()
        one = build_pool if entry.setting.keyword == "pool" else build_service
        yield one(context, entry), context.origins


class Moves:
    """What is needed to build the blocks of a record anew."""

    def __init__(self, job: Job) -> None:
        self.reach = Reach(job.values)
        self._numbers: dict[Move, int] = {}

    def table(self) -> list[list[str | None]]:
        """All moves, each once."""
        return [[move.address, move.port, move.weight] for move in self._numbers]

    def settings(
        self, own: list[Entry], built: list[tuple[Pool | Service, Origins]]
    ) -> list[Json] | None:
        """Of each block what it says, its rows (tvsc/lower/settings_json.py), and a move for each
        server or VIP, null when none moves. None when a setting has no JSON.
        """
        made: list[Json] = []
        try:
            for entry, (noun, _) in zip(own, built, strict=True):
                rows = Rows()
                says = to_line(_own(entry, rows)).decode()
                moves = self._of_servers(entry, noun) or self._of_vips(entry, noun)
                made.append(
                    [says, *cast("list[Json]", [rows.places, rows.vips, rows.pools]), moves]
                )
        except TypeError:
            return None
        return made

    def _of_vips(self, entry: Entry, noun: Pool | Service) -> Json:
        if not isinstance(noun, Service) or entry.fields is None:
            return None
        again = next((line.again for line in entry.fields.all("vip")), None)
        if not isinstance(again, tuple):
            return None
        return [
            0 if move is None else self._number(move, vip.address)
            for move, vip in zip(again, noun.vips, strict=True)
        ]

    def _number(self, move: Move, address: Address) -> int:
        self.reach.add(move, address)
        return self._numbers.setdefault(move, len(self._numbers) + 1)

    def _of_servers(self, entry: Entry, noun: Pool | Service) -> Json:
        if not isinstance(noun, Pool) or entry.fields is None:
            return None
        lines = list(entry.fields.all("server"))
        if all(line.again is None for line in lines):
            return None
        which: list[Json] = []
        for line, server in zip(lines, noun.servers, strict=False):  # those of lists come later
            if not isinstance(line.again, Move):
                which.append(0)
                continue
            which.append(self._number(line.again, server.address))
        which += [0] * (len(noun.servers) - len(which))
        return which


def _own(entry: Entry, rows: Rows) -> Json:
    """`[keyword, names of the header's parts, settings]`; the header's places are in the head."""
    fields = None if entry.fields is None else from_fields(entry.fields, rows, SERVERS)
    return [entry.setting.keyword, list(entry.parts), fields]


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


def _place(path: str, span: Span) -> list[Any]:
    place: list[Any] = [path, span.start, span.end]
    return place if span.file == TEXT else [*place, span.file]


def places_of(origins: Origins) -> list[list[Any]]:
    """Where the parts of a noun were written, but for its servers."""
    return [_place(path, span) for path, span in origins.items() if "/server/" not in path]


def _server_places(noun: Pool | Service, origins: Origins) -> list[Json]:
    """Where its servers were written, in their order: `[start, end]`, of one with a weight
    `[start, end, start, end]`, and the file when it is not the text.
    """
    if not isinstance(noun, Pool):
        return []
    places: list[Json] = []
    for server in noun.servers:
        span, weight = origins.exact(server.at), origins.exact(f"{server.at}/weight")
        assert span is not None
        place: list[Json] = [span.start, span.end]
        if weight is not None:
            place += (weight.start, weight.end)
        places.append(place if span.file == TEXT else [*place, span.file])
    return places


def places_of_servers(servers: Any, places: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    """Every place of a pool's servers, `[path, start, end]` or `[path, start, end, file]`."""
    for row, place in zip(servers, places, strict=True):
        file = place[-1:] if len(place) % 2 else []
        yield [row[1], *place[:2], *file]
        if len(place) >= 4:
            yield [f"{row[1]}/weight", *place[2:4], *file]
