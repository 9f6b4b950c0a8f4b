"""Reads the blocks of a large site apart from the rest: in parallel, and only what is new.

`parse` leaves runs of `pool`, `service` and `for` blocks unparsed (tvsc/dsl/split.py). Here each
becomes a record (tvsc/lower/block_record.py), from the store when one there fits: same text, same
values of the variables that it uses, same defaults, same lists. The others are made in parallel
processes and kept; when only the text is the same, from the old one (tvsc/lower/rebuild.py). A run
with a mistake in it has no record; it is read with the rest of the site, so that messages do not
depend on any of this.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl import limits
from tvsc.dsl.ast import Blocks, Program, Statement
from tvsc.dsl.load import Loader
from tvsc.dsl.parser import parse_part
from tvsc.lower import defaults as defaults_
from tvsc.lower.block_record import DEFAULTS, Job, list_digest, places_of_servers
from tvsc.lower.decode import Counts, Read, Waiting, decode_part
from tvsc.lower.evaluate import Env
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.nouns import POOL, noun
from tvsc.lower.rebuild import has_values
from tvsc.lower.records import Make, make_records
from tvsc.lower.schema import KINDS, Named
from tvsc.lower.store import Store
from tvsc.model import Origins, Pool, Service
from tvsc.source import Span

APART_CHARACTERS = 64 * 1024
"""A site smaller than this is read faster than looked up."""


def user_store() -> Store:
    """`$XDG_CACHE_HOME/tvsc/blocks`."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        home = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:  # nobody's home
        return Store(None)
    return Store(home / "tvsc" / "blocks")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a large site is read: in how many processes, beyond how many characters its blocks are
    read apart (None: never), where what was read is kept, and what makes records.
    """

    jobs: int
    apart_characters: int | None
    store: Store
    make: Make = make_records

    @classmethod
    def usual(cls) -> Reading:
        """One process a core, and the user's store."""
        return cls(len(os.sched_getaffinity(0)), APART_CHARACTERS, user_store())

    @classmethod
    def nothing_apart(cls) -> Reading:
        """All in one piece."""
        return cls(1, None, Store(None))


@cache
def version() -> bytes:
    """Names everything but the text that a record depends on: the front's own sources."""
    package = Path(__file__).parents[1]
    digest = hashlib.blake2b(sys.version.encode())
    for part in ("dsl", "lower", "model"):
        for path in sorted((package / part).glob("*.*")):
            if path.suffix in (".py", ".lark"):
                data = path.read_bytes()
                digest.update(f"{part}/{path.name} {len(data)} ".encode() + data)
    return digest.digest()


@dataclass(frozen=True, slots=True)
class _Places:
    """Turns the places of a record into spans of this run."""

    start: int
    files: dict[int, int]
    defaults: tuple[Span, ...]

    def span(self, place: list[Any]) -> Span:
        """`[path, start, end]` is in the text, `[path, start, end, file]` elsewhere."""
        if len(place) == 3:
            return Span(self.files[0], self.start + place[1], self.start + place[2])
        if place[3] == DEFAULTS:
            return self.defaults[int(place[1])]
        return Span(self.files[place[3]], place[1], place[2])


class _Later:
    """What a record says; its places are read when asked for."""

    def __init__(self, lines: list[bytes], places: _Places) -> None:
        _, _, nouns, servers, self._origins, self._places_text, _ = lines
        self._servers: list[list[Any]] = json.loads(servers)
        self.nouns: list[Pool | Service] = []
        for data, rows in zip(json.loads(nouns), self._servers, strict=True):
            made = noun([*data, rows] if data[0] == POOL else data)
            self.nouns.append(cast("Pool | Service", made))
        self._places = places
        self._parts: list[Any] | None = None
        self._server_places: list[Any] | None = None

    def parts_of(self, number: int) -> list[tuple[str, Span]]:
        """Where the parts of one noun were written, but for its servers."""
        if self._parts is None:
            self._parts = json.loads(self._origins)
        return [(place[0], self._places.span(place)) for place in self._parts[number]]

    def servers_of(self, number: int) -> list[tuple[str, Span]]:
        """Where its servers were written."""
        if self._server_places is None:
            self._server_places = json.loads(self._places_text)
        found = places_of_servers(self._servers[number], self._server_places[number])
        return [(place[0], self._places.span(place)) for place in found]


class _Finished:
    """One pool or service of a record."""

    __slots__ = ("_later", "_number", "_reader", "_waiting")

    def __init__(self, later: _Later, number: int, waiting: Waiting, reader: BlockReader) -> None:
        self._later = later
        self._number = number
        self._waiting = waiting
        self._reader = reader

    @property
    def noun(self) -> Pool | Service:
        return self._later.nouns[self._number]

    def place(self, origins: Origins) -> None:
        noun = self.noun
        origins.put_later(noun.at, partial(self._later.parts_of, self._number))
        if isinstance(noun, Pool):
            servers = f"{noun.at}/server"
            origins.put_later(servers, partial(self._later.servers_of, self._number))

    def fields(self) -> Fields:
        top = self._reader.fields(self._waiting)
        entry = list(top.entries.values())[self._number]
        assert entry.fields is not None
        return entry.fields


@dataclass(slots=True)
class BlockReader:
    """Reads the blocks of one site. `syntax` has the mistakes that `parse` came across."""

    loader: Loader
    reading: Reading
    list_lines: int = 0
    syntax: list[Diagnostic] = field(default_factory=list)
    _parsed: dict[Span, Fields] = field(default_factory=dict)

    # --- what decoding asks for ------------------------------------------------------------

    def read(self, waiting: Sequence[Waiting], defaults: Entry | None) -> list[Read | None]:
        """What the blocks say; None for those that must be read with the rest of the site."""
        known = defaults_.of_blocks(defaults, DEFAULTS)
        if not known.apart:
            return [None] * len(waiting)
        keys = [self._key(w.blocks) for w in waiting]
        found: list[Read | None] = []
        jobs: dict[int, Job] = {}
        for number, (key, one) in enumerate(zip(keys, waiting, strict=True)):
            kept = self.reading.store.get(key)
            found.append(None if kept is None else self._accept(kept, one, known))
            if found[-1] is None:
                jobs[number] = Job(one.blocks.text, self._name(one.blocks), one.values, kept)
        if not jobs:
            return found
        missing = list(jobs)
        made = self.reading.make(
            list(jobs.values()),
            self.loader.root,
            known,
            self.reading.jobs,
            lambda n, data: self.reading.store.put(keys[missing[n]], data),
        )
        for number, data in zip(missing, made, strict=True):
            if data is not None:
                found[number] = self._accept(data, waiting[number], known)
        self.reading.store.trim()
        return found

    def parse(self, blocks: Blocks) -> tuple[Statement, ...]:
        """The statements of such blocks; mistakes in them go to `syntax`."""
        span = blocks.span
        text = self.loader.sources.files[span.file].text
        return parse_part(span.file, text, self.syntax.append, span.start, span.end)

    def parse_unknown(self, program: Program) -> None:
        """Finds the mistakes in the syntax of all blocks of a program; what is in the store has
        none.
        """
        files = {program.root.number: program.root}
        files |= {f.number: f for included in program.included.values() for f in included}
        for file in files.values():
            for blocks in file.body:
                if isinstance(blocks, Blocks) and self.reading.store.get(self._key(blocks)) is None:
                    self.parse(blocks)

    def fields(self, waiting: Waiting) -> Fields:
        """The settings of blocks that have a record, before inheritance."""
        span = waiting.blocks.span
        known = self._parsed.get(span)
        if known is None:
            body = self.parse(waiting.blocks)
            known, _ = decode_part(body, Env(None, dict(waiting.values)), self.syntax.append)
            self._parsed[span] = known
        return known

    # --- records ---------------------------------------------------------------------------

    def _name(self, blocks: Blocks) -> str:
        return self.loader.sources.files[blocks.span.file].name

    def _key(self, blocks: Blocks) -> str:
        directory = os.path.dirname(self._name(blocks))  # noqa: PTH120 - a name, not a path
        text = f"{directory}\0{blocks.text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=20, key=version()).hexdigest()

    def _accept(self, data: bytes, waiting: Waiting, known: defaults_.Defaults) -> Read | None:
        """What a record says, if all that it depends on is as it was."""
        lines = data.split(b"\n")
        needs = json.loads(lines[0])
        if needs["defaults"] != known.digest:
            return None
        if not all(has_values(waiting.values, needs[names]) for names in ("fixed", "free")):
            return None
        lists, head = self._lists(needs["lists"]), json.loads(lines[1])
        if lists is None or self.list_lines + head["list_lines"] > limits.LIST_LINES:
            return None
        self.list_lines += head["list_lines"]
        span = waiting.blocks.span
        files = {0: span.file, **dict(enumerate(lists, start=1))}
        places = _Places(span.start, files, known.spans)
        later = _Later(lines, places)
        entries: list[Entry] = []
        for number, (keyword, key, start, end, parts) in enumerate(head["headers"]):
            where = Span(span.file, span.start + start, span.start + end)
            entry = Entry(
                KINDS["file"].settings[keyword],
                key,
                Named(key),
                where,
                {part[0]: places.span(part) for part in parts},
                None,
                _Finished(later, number, waiting, self),
            )
            entries.append(entry)
        return Read(entries, Counts(head["statements"], Counter(head["looped"])))

    def _lists(self, lists: Sequence[tuple[str, str]]) -> list[int] | None:
        """The numbers of a record's list files; None when one is not what it was."""
        numbers: list[int] = []
        loader = Loader(self.loader.root, self.loader.sources, lambda _: None)
        for name, digest in lists:
            number = loader.read(name, Span(0, 0, 0))
            if number is None or list_digest(loader.sources.files[number].text) != digest:
                return None
            numbers.append(number)
        return numbers
