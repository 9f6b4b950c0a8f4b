"""Statements to settings: reads a `Program`, writes `Fields`.

Unrolls loops, keeps variables in their blocks, follows includes, and lets each setting of the
vocabulary read its own values. A mistake costs its own line; everything else is read on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note, last
from tvsc.dsl import limits
from tvsc.dsl.ast import (
    Block,
    Blocks,
    Expr,
    File,
    For,
    Include,
    Let,
    Line,
    Name,
    Program,
    Statement,
)
from tvsc.dsl.values import IntRange, Scalar, type_name
from tvsc.lower import settings_cluster, settings_service, settings_site
from tvsc.lower.evaluate import Env, StatementError, did_you_mean, evaluate, fail
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.reader import Reader, subtracted
from tvsc.lower.repeat import Again, ServerLines, again_of, server_lines
from tvsc.lower.schema import KINDS, Kind, Setting
from tvsc.lower.tally import Tally, excess, of_body, of_loop
from tvsc.lower.watch import Watch
from tvsc.source import Span

VOCABULARY = (settings_site, settings_cluster, settings_service)


@dataclass(slots=True)
class Counts:
    """How many statements were read: altogether, and what all loops come to."""

    statements: int = 0
    looped: Tally = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Blocks that are to be read apart, and the variables that they see."""

    blocks: Blocks
    values: dict[str, tuple[Scalar, Span]]


@dataclass(frozen=True, slots=True)
class Read:
    """What such blocks turned out to be, one entry a block."""

    entries: list[Entry]
    counts: Counts


class Apart(Protocol):
    """Who reads blocks apart (tvsc/lower/blocks.py)."""

    def read(self, waiting: Sequence[Waiting], defaults: Entry | None) -> list[Read | None]:
        """What the blocks say; None for those that must be read with the rest of the site."""

    def parse(self, blocks: Blocks) -> tuple[Statement, ...]:
        """The statements of such blocks; mistakes in them are kept back."""


def decode(
    program: Program, report: Callable[[Diagnostic], None], apart: Apart | None = None
) -> Fields:
    """The settings of the whole site; reports every statement that means nothing. Without `apart`
    the program must be parsed whole.
    """
    start = Span(program.root.number, 0, 0)
    top = Fields(KINDS["file"], start)
    decoder = _Decoder(program, report)
    with suppress(_EnoughError):
        decoder.body(top, program.root.body, Env())
        if apart is not None and decoder.waiting:
            decoder.join(top, apart)
    return top


def decode_part(
    body: tuple[Statement, ...],
    env: Env,
    report: Callable[[Diagnostic], None],
    watch: Watch | None = None,
) -> tuple[Fields, Counts]:
    """The settings of some statements of a file without includes, and how many these were."""
    file = File(0, body)
    top = Fields(KINDS["file"], Span(0, 0, 0))
    decoder = _Decoder(Program(file, {}), report)
    decoder.watch = watch
    with suppress(_EnoughError):
        decoder.body(top, body, env)
    return top, decoder.counts


class _EnoughError(Exception):
    """A limit was reached: no use in going on."""


class _Decoder:
    def __init__(self, program: Program, report: Callable[[Diagnostic], None]) -> None:
        self.program = program
        self._report = report
        self.errors = 0
        self.counts = Counts()
        self.loops = 0
        # The loops that were counted with the outermost one that runs.
        self.counted: set[Span] = set()
        # The entries of the file level, in pieces: between two of them something waits.
        self.pieces: list[dict[tuple[str, str], Entry]] = []
        self.waiting: list[Waiting] = []
        self.watch: Watch | None = None
        # Lines of loops, by their identity: how to read them again; nothing when there is no way.
        self.repeated: dict[int, tuple[Again, ...]] = {}

    def report(self, diagnostic: Diagnostic) -> None:
        self.errors += 1
        if self.errors >= limits.ERRORS:
            self._report(last(diagnostic, limits.ERRORS))
            raise _EnoughError
        self._report(diagnostic)

    def body(self, out: Fields, body: tuple[Statement, ...], env: Env) -> None:
        self.count(body)
        for statement in body:
            if isinstance(statement, Line):
                self.line(out, statement, env)
                continue
            try:
                if isinstance(statement, Let):
                    self.let(statement, env)
                elif isinstance(statement, For):
                    self.loop(out, statement, env)
                elif isinstance(statement, Include):
                    self.include(out, statement, env)
                else:
                    self.wait(out, statement, env)
            except StatementError as error:
                self.report(error.diagnostic)

    def count(self, body: tuple[Statement, ...]) -> None:
        """Statements are bounded altogether; tighter bounds hold in loops."""
        self.counts.statements += len(body)
        if self.counts.statements > limits.STATEMENTS:
            message = (
                f"the includes of this site come to more than {limits.STATEMENTS:,} statements"
            )
            self._report(Diagnostic(codes.LOOP_LIMIT, message, body[0].span))
            raise _EnoughError

    def take(self, more: Tally, span: Span) -> None:
        """What a loop adds to all loops."""
        looped = self.counts.looped + more
        over = excess(looped)
        if over is not None:
            limit, what = over
            message = f"the loops of this site come to more than {limit:,} {what}"
            fail(codes.LOOP_LIMIT, message, span)
        self.counts.looped = looped

    def wait(self, out: Fields, blocks: Blocks, env: Env) -> None:
        """Blocks that are read apart; they see what is defined up to here."""
        self.waiting.append(Waiting(blocks, dict(env.visible())))
        self.pieces.append(out.entries)
        out.entries = {}

    def join(self, top: Fields, apart: Apart) -> None:
        """All pieces together, in the order of the source."""
        pieces = [*self.pieces, top.entries]
        key = ("defaults", "")
        defaults = next((piece[key] for piece in pieces if key in piece), None)
        found = apart.read(self.waiting, defaults)
        parsed = [
            () if read is not None and self.room_for(read.counts) else apart.parse(waiting.blocks)
            for waiting, read in zip(self.waiting, found, strict=True)
        ]
        top.entries = {}
        for entry in pieces[0].values():
            self.add(top, entry)
        for waiting, read, body, piece in zip(self.waiting, found, parsed, pieces[1:], strict=True):
            if body:
                self.body(top, body, Env(None, dict(waiting.values)))
            elif read is not None:
                for entry in read.entries:
                    self.add(top, entry)
            for entry in piece.values():
                self.add(top, entry)

    def room_for(self, counts: Counts) -> bool:
        """Whether so many more statements may be read."""
        statements = self.counts.statements + counts.statements
        looped = self.counts.looped + counts.looped
        if statements > limits.STATEMENTS or excess(looped) is not None:
            return False
        self.counts = Counts(statements, looped)
        return True

    def let(self, statement: Let, env: Env) -> None:
        name = statement.name
        earlier = env.values.get(name.text)
        if earlier is not None:
            note = (Note("first defined here", earlier[1]),)
            fail(codes.DUPLICATE_NAME, f"`{name.text}` is defined twice", name.span, notes=note)
        # Defined even when the value fails, so that one mistake gives one message.
        env.values[name.text] = (0, name.span)
        env.values[name.text] = (evaluate(statement.value, env), name.span)

    def loop(self, out: Fields, statement: For, env: Env) -> None:
        values = evaluate(statement.values, env)
        if not isinstance(values, IntRange):
            fail(
                codes.WRONG_TYPE,
                f"`for` runs over a range, not {type_name(values)}",
                statement.values.span,
                "write `for n in 1..4`",
            )
        if not self.loops:
            self.counted.clear()
        if statement.span not in self.counted:
            rounds = values.last - values.first + 1
            self.take(of_loop(statement, rounds, env, self.counted), statement.span)
        before = self.errors
        self.loops += 1
        n = self.rounds(out, statement, values, env)
        while n <= values.last:
            inner = Env(env, {statement.name.text: (n, statement.name.span)})
            self.body(out, statement.block.body, inner)
            if self.errors > before:
                # The other rounds would say the same again.
                break
            n = self.rounds(out, statement, IntRange(n + 1, values.last), env)
        self.loops -= 1

    def rounds(self, out: Fields, loop: For, values: IntRange, env: Env) -> int:
        """Takes the rounds of a loop that is nothing but a line of servers, read before; returns
        the first that is to be read as all are.
        """
        body = loop.block.body
        line = body[0] if len(body) == 1 else None
        again = self.repeated.get(id(line), ())
        known = again[0] if len(again) == 1 else None
        has_room = self.counts.statements + len(values) <= limits.STATEMENTS
        if not isinstance(known, ServerLines) or self.watch is not None or not has_room:
            return values.first
        keyword, name, span = known.first.setting.keyword, loop.name.text, loop.name.span
        inner = Env(env)
        n = values.first
        while n <= values.last:
            inner.values = {name: (n, span)}
            entry = known.entry(inner)
            if entry is None or (key := (keyword, entry.key)) in out.entries:
                break
            out.entries[key] = entry
            n += 1
        self.counts.statements += n - values.first
        return n

    def include(self, out: Fields, statement: Include, env: Env) -> None:
        for file in self.program.included.get(statement.pattern.span, ()):
            if self.loops:
                self.take(of_body(file.body, env, self.counted), statement.span)
            self.body(out, file.body, env)

    def line(self, out: Fields, line: Line, env: Env) -> None:
        known = self.repeated.get(id(line)) if self.loops else None
        if known and self.again(out, line, known, env):
            return
        again: list[Again] | None = [] if self.loops and known is None else None
        reader = Reader(line.items, env)
        watch = self.watch
        while not reader.done():
            first = reader.at
            if watch is not None:
                watch.begin()
            try:
                setting = self.keyword(out.kind, reader)
                value = setting.read(reader)
                block = line.block if reader.done() else None
                self.block_fits(setting, block, reader)
                self.follows(out.kind, reader)
            except StatementError as error:
                again = None
                self.report(error.diagnostic)
                if not reader.skip_to(out.kind.settings):
                    self.lost_block(out.kind, line, env)
                    return
                continue
            entry = Entry(setting, "", value, reader.span, reader.parts, None)
            if setting.key is not None:
                entry.key = setting.key(value)
            if setting.block is not None and block is not None:
                entry.fields = Fields(KINDS[setting.block], block.span)
            if watch is not None:
                alone = out.kind.name != "file" and entry.fields is None
                watch.end(entry, line.items[first : reader.at], env, alone)
            self.add(out, entry)
            if again is not None:
                again = self.once_more(again, line.items[first : reader.at], entry, env)
                if again is None or reader.done():
                    self.repeated[id(line)] = tuple(again or ())
            if entry.fields is not None and block is not None:
                self.body(entry.fields, block.body, Env(env))

    def once_more(
        self, again: list[Again], items: Sequence[Expr], entry: Entry, env: Env
    ) -> list[Again] | None:
        """How to read a line again up to this entry; None when there is no way. Who watches the
        variables is told of those of servers alone.
        """
        if self.watch is None:
            way = again_of(items, entry, env)
        else:
            way = None if again else server_lines(items, entry)
        return None if way is None else [*again, way]

    def again(self, out: Fields, line: Line, known: Sequence[Again], env: Env) -> bool:
        """A line that was read in an earlier round; whether that is all there is to it."""
        if self.watch is not None:
            self.watch.begin()
        entries = []
        for each in known:
            entry = each.entry(env)
            if entry is None:
                return False  # it has a mistake
            entries.append(entry)
        if self.watch is not None:
            self.watch.end(entries[0], line.items, env, True)
        for entry in entries:
            self.add(out, entry)
        block, kind = line.block, entries[-1].setting.block
        if block is not None and kind is not None:
            entries[-1].fields = Fields(KINDS[kind], block.span)
            self.body(entries[-1].fields, block.body, Env(env))
        return True

    def lost_block(self, kind: Kind, line: Line, env: Env) -> None:
        """The header is wrong; what its block holds is read for its own mistakes."""
        for item in reversed(line.items):
            setting = kind.settings.get(item.text) if isinstance(item, Name) else None
            if setting is not None:
                if setting.block is not None and line.block is not None:
                    lost = Fields(KINDS[setting.block], line.block.span)
                    self.body(lost, line.block.body, Env(env))
                return

    def keyword(self, kind: Kind, reader: Reader) -> Setting:
        item = reader.take("a setting")
        where = "a file" if kind.name == "file" else f"`{kind.name}`"
        below = subtracted(item)
        if below in kind.settings:
            fail(codes.OUT_OF_RANGE, f"`{below}` has no values below 0", item.span)
        if not isinstance(item, Name):
            fail(codes.UNKNOWN_SETTING, f"a setting of {where} is expected here", item.span)
        setting = kind.settings.get(item.text)
        if setting is None:
            hint = did_you_mean(item.text, list(kind.settings)) or self.elsewhere(item.text)
            if item.text == "from":
                hint = "a list file has a line of its own, as `servers`, `allow` and `deny` have it"
            fail(codes.UNKNOWN_SETTING, f"{where} has no setting `{item.text}`", item.span, hint)
        reader.begin(item.text, setting.usage)
        return setting

    @staticmethod
    def elsewhere(word: str) -> str | None:
        homes = [f"`{k.name}`" for k in KINDS.values() if word in k.settings and k.name != "file"]
        return f"`{word}` is a setting of {' and '.join(homes[:3])}" if homes else None

    @staticmethod
    def block_fits(setting: Setting, block: Block | None, reader: Reader) -> None:
        if block is not None and setting.block is None:
            brace = Span(block.span.file, block.span.start, block.span.start + 1)
            fail(codes.BLOCK_EXPECTED, f"`{setting.keyword}` takes no block", brace)
        if block is None and setting.needs_block:
            fail(
                codes.BLOCK_EXPECTED,
                f"`{setting.keyword}` needs a block",
                reader.span,
                f"write `{setting.usage}`",
            )

    @staticmethod
    def follows(kind: Kind, reader: Reader) -> None:
        """What comes after a setting on its line must be another setting."""
        if reader.done():
            return
        item: Expr = reader.items[reader.at]
        if isinstance(item, Name):
            return
        if below := subtracted(item):
            fail(codes.OUT_OF_RANGE, f"`{below}` has no values below 0", item.span)
        fail(
            codes.EXTRA_VALUE,
            f"`{reader.setting}` takes nothing more",
            item.span,
            f"write `{kind.settings[reader.setting].usage}`",
        )

    def add(self, out: Fields, entry: Entry) -> None:
        key = (entry.setting.keyword, entry.key)
        earlier = out.entries.get(key)
        if earlier is None:
            out.entries[key] = entry
            return
        what = f"`{entry.setting.keyword}`"
        if entry.key:
            what = f"{entry.setting.keyword} `{entry.key}`"
        self.report(
            Diagnostic(
                entry.setting.duplicate,
                f"{what} is given twice",
                entry.span,
                (Note("first given here", earlier.span),),
            )
        )
