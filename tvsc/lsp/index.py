"""Every name of a site, where it is defined and where it is used: reads a Program, writes an Index.

Statements are walked in the order in which the compiler runs them, but once each: a loop is not
unrolled. A name made of variables (`"lb{n}"`) stands for all that the loops make of it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from tvsc.dsl.ast import Block, Expr, For, Include, Let, Line, Name, Program, Statement, Text
from tvsc.dsl.format_settings import kind_of_file
from tvsc.lower.evaluate import StatementError
from tvsc.lower.schema import KINDS, Kind
from tvsc.lsp.record import Place, Taken, What, block_setting, settings_of
from tvsc.lsp.variables import (
    Scope,
    Variable,
    loops_of,
    name_of,
    name_span,
    names_in,
    rounds_of,
    uses_of,
    value_in,
)
from tvsc.source import Span

MAX_STATEMENTS = 2_000_000
MAX_VISITS = 8
MAX_NAMES = 10_000
"""Names that one text with variables may stand for."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a site names. Ports of one name are one thing: they merge by their name."""

    what: What
    name: str


Target = Variable | Thing


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A name in the text. `span` is what a rename replaces: the quotes of a quoted name included,
    the braces of an interpolation not. `made` says that variables make up the name.
    """

    span: Span
    targets: tuple[Target, ...]
    defines: bool
    made: bool = False
    quoted: bool = False


@dataclass
class Index:
    """What the walk found; `complete` is False when a limit ended it."""

    occurrences: list[Occurrence] = field(default_factory=list)
    scopes: dict[Span, Scope] = field(default_factory=dict)
    kinds: dict[int, Kind] = field(default_factory=dict)
    top: Scope = field(default_factory=Scope)
    file_scopes: dict[int, Scope] = field(default_factory=dict)
    files: dict[Span, Text] = field(default_factory=dict)
    secrets: dict[tuple[str, str], None] = field(default_factory=dict)
    complete: bool = True

    @cached_property
    def _sorted(self) -> list[Occurrence]:
        return sorted(self.occurrences, key=lambda o: o.span)

    @cached_property
    def by_target(self) -> dict[Target, list[Occurrence]]:
        """Where each thing is named, in the order of the walk."""
        found: dict[Target, list[Occurrence]] = {}
        for occurrence in self.occurrences:
            for target in occurrence.targets:
                found.setdefault(target, []).append(occurrence)
        return found

    def at(self, file: int, offset: int) -> list[Occurrence]:
        """The occurrences at a place, one for each way in which its file is included."""
        ordered = self._sorted
        end = bisect_right(ordered, Span(file, offset, 1 << 62), key=lambda o: o.span)
        found = []
        for at in range(end - 1, max(-1, end - 1 - 2 * MAX_VISITS), -1):
            span = ordered[at].span
            if span.file == file and span.start <= offset <= span.end:
                found.append(ordered[at])
        # Two names can touch; the one that begins here is meant.
        start = max((o.span.start for o in found), default=0)
        return [o for o in found if o.span.start == start]

    def scope_at(self, file: int, offset: int) -> Scope:
        """The scope of the innermost block at a place."""
        around = [s for s in self.scopes if s.file == file and s.start < offset < s.end]
        if not around:
            return self.file_scopes.get(file, self.top)
        return self.scopes[max(around, key=lambda span: span.start)]

    def things(self, what: What) -> list[str]:
        """The names of all things of a sort that are defined."""
        return [
            target.name
            for target, found in self.by_target.items()
            if isinstance(target, Thing) and target.what is what and any(o.defines for o in found)
        ]


def index_site(program: Program) -> Index:
    """The names of a program, which may be what is left of one with mistakes."""
    walk = _Walk(program)
    number, body = program.root.number, program.root.body
    kind = kind_of_file(body) or KINDS["file"]
    walk.index.kinds[number] = kind
    walk.index.file_scopes[number] = walk.index.top
    try:
        walk.body(kind, body, walk.index.top)
    except _EnoughError:
        walk.index.complete = False
    return walk.index


class _EnoughError(Exception):
    """More statements than an editor is helped with."""


class _Walk:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.index = Index()
        self.statements = 0
        self.variables = 0
        self.visits: dict[int, int] = {program.root.number: 1}

    def body(self, kind: Kind | None, body: tuple[Statement, ...], scope: Scope) -> None:
        self.statements += len(body)
        if self.statements > MAX_STATEMENTS:
            raise _EnoughError
        for statement in body:
            if isinstance(statement, Line):
                self.line(kind, statement, scope)
            elif isinstance(statement, Let):
                self.uses(statement.value, scope)
                self.define(statement.name, statement.value, scope, scope, loop=False)
            elif isinstance(statement, For):
                self.uses(statement.values, scope)
                inner = self.block(statement.block, scope)
                self.define(statement.name, statement.values, inner, scope, loop=True)
                self.body(kind, statement.block.body, inner)
            elif isinstance(statement, Include):
                self.include(kind, statement, scope)

    def block(self, block: Block, scope: Scope) -> Scope:
        inner = Scope(scope)
        self.index.scopes.setdefault(block.span, inner)
        return inner

    def define(self, name: Name, value: Expr, scope: Scope, around: Scope, loop: bool) -> None:
        uses = uses_of(value, around)
        variable = Variable(name.text, name.span, value, uses, scope, loop, self.variables)
        self.variables += 1
        scope.names.setdefault(name.text, variable)
        self.note(Occurrence(name.span, (variable,), defines=True))

    def include(self, kind: Kind | None, statement: Include, scope: Scope) -> None:
        self.index.files[statement.span] = statement.pattern
        for file in self.program.included.get(statement.span, ()):
            visits = self.visits[file.number] = self.visits.get(file.number, 0) + 1
            if visits > MAX_VISITS:
                self.index.complete = False
                continue
            self.index.file_scopes.setdefault(file.number, scope)
            if kind is not None:
                self.index.kinds.setdefault(file.number, kind)
            self.body(kind, file.body, scope)

    def line(self, kind: Kind | None, line: Line, scope: Scope) -> None:
        found = settings_of(kind, line.items)
        for taken in found:
            self.setting(taken, scope)
        if line.block is not None:
            setting = block_setting(line, found)
            inner = None if setting is None or setting.block is None else KINDS[setting.block]
            self.body(inner, line.block.body, self.block(line.block, scope))

    def setting(self, taken: Taken, scope: Scope) -> None:
        for expression in taken.expressions:
            self.uses(expression, scope)
        for place, item in taken.names:
            if isinstance(item, Text):
                self.uses(item, scope)
            self.name(place, item, scope)
        for text in taken.files:
            self.index.files[text.span] = text
        for secret in taken.secrets:
            self.index.secrets[secret] = None

    def uses(self, expr: Expr, scope: Scope) -> None:
        for place in names_in(expr):
            variable = scope.find(name_of(place))
            if variable is not None:
                self.note(Occurrence(name_span(place), (variable,), defines=False))

    def name(self, place: Place, item: Name | Text, scope: Scope) -> None:
        if isinstance(item, Name):
            names, made = [item.text], False
        else:
            made = any(not isinstance(part, str) for part in item.parts)
            names = _made_names(item, scope)
            if len(names) > MAX_NAMES:
                self.index.complete = False
        targets = tuple(Thing(place.what, name) for name in names[:MAX_NAMES])
        self.note(Occurrence(item.span, targets, place.defines, made, isinstance(item, Text)))

    def note(self, occurrence: Occurrence) -> None:
        self.index.occurrences.append(occurrence)


def _made_names(text: Text, scope: Scope) -> list[str]:
    """All that the loops make of a text, each once."""
    uses = uses_of(text, scope)
    found: dict[str, None] = {}
    try:
        for rounds in islice(rounds_of(loops_of(uses)), MAX_NAMES + 1):
            found[str(value_in(text, uses, rounds))] = None
    except (StatementError, RecursionError):
        pass
    return list(found)
