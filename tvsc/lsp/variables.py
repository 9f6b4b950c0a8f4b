"""Variables and what they stand for: reads expressions, writes values, round for round of a loop.

The index resolves every name once, when it walks a site. So an expression is evaluated later
without the blocks around it: a `Uses` says which variable each name in it means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from tvsc.dsl.ast import Binary, Call, Expr, Interpolation, Name, Several, Text
from tvsc.dsl.values import IntRange, Scalar
from tvsc.lower.evaluate import Env, StatementError, evaluate
from tvsc.source import Span

MAX_ROUNDS = 100_000


@dataclass(slots=True, eq=False)
class Variable:
    """A `let`, or the variable of a `for` (then `value` is what it runs over).

    `order` counts the variables of a site in the order in which they are defined.
    """

    name: str
    span: Span
    value: Expr
    uses: Uses
    scope: Scope
    loop: bool
    order: int


Uses = Mapping[str, Variable]
Rounds = dict[Variable, Scalar]
"""One round of the loops: the value of each loop's variable, and of the `let`s evaluated in it."""


@dataclass(slots=True, eq=False)
class Scope:
    """The variables of a block, and the block around it."""

    parent: Scope | None = None
    names: dict[str, Variable] = field(default_factory=dict)

    def find(self, name: str) -> Variable | None:
        """The variable that a name means here, so far."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def visible(self) -> dict[str, Variable]:
        """All variables that have a name here."""
        scope: Scope | None = self
        found: dict[str, Variable] = {}
        while scope is not None:
            found = {**scope.names, **found}
            scope = scope.parent
        return found

    def within(self, other: Scope) -> bool:
        """Whether this is the other scope, or lies inside it."""
        scope: Scope | None = self
        while scope is not None and scope is not other:
            scope = scope.parent
        return scope is other


def names_in(expr: Expr) -> Iterator[Name | Interpolation]:
    """The places of an expression that name a variable."""
    if isinstance(expr, Name):
        yield expr
    elif isinstance(expr, Text):
        yield from (p for p in expr.parts if isinstance(p, Interpolation))
    elif isinstance(expr, Binary):
        yield from names_in(expr.left)
        yield from names_in(expr.right)
    elif isinstance(expr, Call | Several):
        for part in expr.arguments if isinstance(expr, Call) else expr.members:
            yield from names_in(part)


def name_of(place: Name | Interpolation) -> str:
    """The variable's name."""
    return place.text if isinstance(place, Name) else place.name


def name_span(place: Name | Interpolation) -> Span:
    """The characters of the name alone: without the braces and the width of an interpolation."""
    if isinstance(place, Name):
        return place.span
    start = place.span.start + 1
    return Span(place.span.file, start, start + len(place.name))


def uses_of(expr: Expr, scope: Scope) -> dict[str, Variable]:
    """Which variable each name of an expression means in a scope."""
    found = ((name_of(place), scope.find(name_of(place))) for place in names_in(expr))
    return {name: variable for name, variable in found if variable is not None}


def loops_of(uses: Uses) -> list[Variable]:
    """The loops that an expression's value depends on, the outer ones first."""
    found: dict[Variable, None] = {}
    seen: set[Variable] = set()
    waiting = list(uses.values())
    while waiting:
        variable = waiting.pop()
        if variable in seen:
            continue
        seen.add(variable)
        if variable.loop:
            found[variable] = None
        waiting += variable.uses.values()
    return sorted(found, key=lambda variable: variable.order)


def value_in(expr: Expr, uses: Uses, rounds: Rounds) -> Scalar:
    """The value in one round of the loops. Raises StatementError when there is none."""
    env = Env()
    for name, variable in uses.items():
        env.values[name] = (variable_in(variable, rounds), variable.span)
    return evaluate(expr, env)


def variable_in(variable: Variable, rounds: Rounds) -> Scalar:
    """A variable's value in one round of the loops."""
    known = rounds.get(variable)
    if known is None:
        known = rounds[variable] = value_in(variable.value, variable.uses, rounds)
    return known


def rounds_of(loops: list[Variable], rounds: Rounds | None = None) -> Iterator[Rounds]:
    """The rounds of some loops, in the order in which they run."""
    rounds = {} if rounds is None else rounds
    if not loops:
        yield dict(rounds)
        return
    first, rest = loops[0], loops[1:]
    values = value_in(first.value, first.uses, rounds)
    if not isinstance(values, IntRange):
        return
    for n in range(values.first, values.last + 1):
        yield from rounds_of(rest, {**rounds, first: n})


@dataclass(frozen=True, slots=True)
class Values:
    """The first values of an expression, and in how many rounds it has one (at most
    MAX_ROUNDS are counted). Without loops there is one round.
    """

    first: tuple[Scalar, ...]
    rounds: int
    loops: tuple[str, ...]


def values_of(expr: Expr, uses: Uses, limit: int) -> Values | None:
    """What an expression is; None when it has no value, as is usual while it is being written."""
    loops = loops_of(uses)
    try:
        first = tuple(value_in(expr, uses, rounds) for rounds in islice(rounds_of(loops), limit))
        count = sum(1 for _ in islice(rounds_of(loops), MAX_ROUNDS)) if loops else 1
    except (StatementError, RecursionError):
        return None
    return Values(first, count, tuple(v.name for v in loops)) if first else None
