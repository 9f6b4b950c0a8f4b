"""Reads the blocks of a large site apart from the rest: in parallel, and only what is new.

`parse` leaves runs of `pool`, `service` and `for` blocks unparsed (tvsc/dsl/split.py). Here each
becomes a record (tvsc/lower/block_record.py), from the store when one there fits: same text, same
values of the variables that it uses, same defaults, same lists. The others are made in parallel
processes and kept. A run with a mistake in it has no record; it is read with the rest of the site,
so that messages do not depend on any of this.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
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
from tvsc.lower.block_record import DEFAULTS, Job, list_digest, record
from tvsc.lower.decode import Counts, Read, Waiting, decode_part
from tvsc.lower.evaluate import Env
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.nouns import Json, noun
from tvsc.lower.processes import in_processes
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


Made = Iterator[tuple[int, bytes | None]]
"""Records by the numbers of their jobs, in any order."""

Make = Callable[[Sequence[Job], Path, defaults_.Defaults, int], Made]
"""Makes the records of jobs; takes the site file, its defaults and the number of processes, too."""


def make_records(
    jobs: Sequence[Job], root: Path, known: defaults_.Defaults, processes: int
) -> Made:
    """Make them in processes forked from this one."""
    made = in_processes(lambda n: record(jobs[n], root, known), len(jobs), processes)
    return iter(enumerate(made))


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
    """The origins of one record, read when asked for."""

    def __init__(self, text: bytes, places: _Places) -> None:
        self._text = text
        self._places = places
        self._parsed: list[list[list[Any]]] | None = None

    def of(self, number: int) -> list[tuple[str, Span]]:
        """The places of one noun."""
        if self._parsed is None:
            self._parsed = json.loads(self._text)
        return [(place[0], self._places.span(place)) for place in self._parsed[number]]


class _Finished:
    """One pool or service of a record."""

    __slots__ = ("_blocks", "_key", "_later", "_noun", "_number", "_reader", "_waiting")

    def __init__(
        self, data: Json, later: _Later, number: int, waiting: Waiting, reader: BlockReader
    ) -> None:
        self._noun = data
        self._later = later
        self._number = number
        self._waiting = waiting
        self._reader = reader

    @property
    def noun(self) -> Pool | Service:
        return cast("Pool | Service", noun(cast("list[Json]", self._noun)))

    def place(self, origins: Origins) -> None:
        at = cast("list[str]", self._noun)[1]
        origins.put_later(at, partial(self._later.of, self._number))

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
        for key, one in zip(keys, waiting, strict=True):
            kept = self.reading.store.get(key)
            found.append(None if kept is None else self._accept(kept, one, known))
        missing = [n for n, read in enumerate(found) if read is None]
        jobs = [self._job(waiting[n]) for n in missing]
        made: dict[int, bytes | None] = {}
        for n, data in self.reading.make(jobs, self.loader.root, known, self.reading.jobs):
            made[n] = data
            if data is not None:
                self.reading.store.put(keys[missing[n]], data)
        for n, number in enumerate(missing):
            data = made[n]
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

    def _job(self, waiting: Waiting) -> Job:
        return Job(waiting.blocks.text, self._name(waiting.blocks), waiting.values)

    def _key(self, blocks: Blocks) -> str:
        directory = os.path.dirname(self._name(blocks))  # noqa: PTH120 - a name, not a path
        text = f"{directory}\0{blocks.text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=20, key=version()).hexdigest()

    def _accept(self, data: bytes, waiting: Waiting, known: defaults_.Defaults) -> Read | None:
        """What a record says, if all that it depends on is as it was."""
        head_text, nouns_text, origins_text = data.split(b"\n", 2)
        head = json.loads(head_text)
        if head["defaults"] != known.digest:
            return None
        for name, value in head["reads"]:
            variable = waiting.values.get(name)
            if variable is None or repr(variable[0]) != value:
                return None
        lists = self._lists(head["lists"])
        if lists is None or self.list_lines + head["list_lines"] > limits.LIST_LINES:
            return None
        self.list_lines += head["list_lines"]
        span = waiting.blocks.span
        files = {0: span.file, **dict(enumerate(lists, start=1))}
        places = _Places(span.start, files, known.spans)
        later = _Later(origins_text, places)
        entries: list[Entry] = []
        headers = zip(head["headers"], json.loads(nouns_text), strict=True)
        for number, ((keyword, key, start, end, parts), built) in enumerate(headers):
            where = Span(span.file, span.start + start, span.start + end)
            entry = Entry(
                KINDS["file"].settings[keyword],
                key,
                Named(key),
                where,
                {part[0]: places.span(part) for part in parts},
                None,
                _Finished(built, later, number, waiting, self),
            )
            entries.append(entry)
        return Read(entries, Counts(head["statements"], head["looped"]))

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
