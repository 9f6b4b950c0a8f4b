"""What loops come to, counted before they run: reads the syntax tree, runs nothing.

A loop whose range says at once that it is too much is refused at once. A range that depends on a
variable of the loops around it is not known then; its loop is counted each time it is reached. So
what is counted is exact, and counting costs no more than the rounds that follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set

from tvsc.dsl import limits
from tvsc.dsl.ast import Binary, Call, Expr, For, Let, Line, Name, Several, Statement, Text
from tvsc.dsl.values import IntRange
from tvsc.lower.evaluate import Env, StatementError, evaluate
from tvsc.source import Span

STATEMENTS, WORDS = "statements in all", "words and values"
_TEXT_CHARACTERS = 64
"""So many characters of a text count as a word."""

_MEMBER = 4
"""So many words more a member of a list counts: a prefix costs more than most values."""

_NO_NAMES: frozenset[str] = frozenset()

Tally = Counter[str]
"""How many statements and words there are, and of each setting, by its keyword."""


def excess(tally: Tally) -> tuple[int, str] | None:
    """A limit that is exceeded, and what it bounds."""
    if tally[STATEMENTS] > limits.LOOP_STATEMENTS:
        return limits.LOOP_STATEMENTS, STATEMENTS
    if tally[WORDS] > limits.LOOP_WORDS:
        return limits.LOOP_WORDS, WORDS
    for keyword, count in tally.items():
        if keyword in (STATEMENTS, WORDS):
            continue
        limit = limits.LOOP_BLOCKS.get(keyword, limits.LOOP_SETTINGS)
        if count > limit:
            return limit, f"`{keyword}`"
    return None


def of_loop(loop: For, rounds: int, env: Env, counted: set[Span]) -> Tally:
    """All rounds of a loop that is reached; the loops inside it that are counted with it go to
    `counted`.
    """
    count = _Count(env, counted)
    # Not the loop itself: the next time its range may be another.
    count.body(loop.block.body, rounds, {loop.name.text})
    return count.tally


def of_body(body: tuple[Statement, ...], env: Env, counted: set[Span]) -> Tally:
    """Statements that a loop includes."""
    count = _Count(env, counted)
    count.body(body, 1, _NO_NAMES)
    return count.tally


class _Count:
    def __init__(self, env: Env, counted: set[Span]) -> None:
        self.env = env
        self.counted = counted
        self.tally: Tally = Counter()

    def loop(self, loop: For, rounds: int, local: Set[str]) -> None:
        self.counted.add(loop.span)
        self.body(loop.block.body, rounds, local | {loop.name.text})

    def body(self, body: tuple[Statement, ...], rounds: int, local: Set[str]) -> None:
        """`local` are the variables that have no value yet."""
        tally = self.tally
        tally[STATEMENTS] += rounds * max(1, len(body))
        for statement in body:
            if isinstance(statement, Line):
                tally[WORDS] += rounds * sum(map(_words, statement.items))
                first = statement.items[0]
                if isinstance(first, Name):
                    tally[first.text] += rounds
                if statement.block is not None:
                    self.body(statement.block.body, rounds, local)
            elif isinstance(statement, Let):
                tally[WORDS] += rounds * _words(statement.value)
                local = local | {statement.name.text}
            elif isinstance(statement, For):
                tally[WORDS] += rounds * _words(statement.values)
                inner = self.rounds(statement.values, local)
                if inner is not None:
                    self.loop(statement, rounds * inner, local)

    def rounds(self, values: Expr, local: Set[str]) -> int | None:
        if any(name in local for name in _names(values)):
            return None
        try:
            found = evaluate(values, self.env)
        except StatementError:
            return None  # said when it is reached
        return found.last - found.first + 1 if isinstance(found, IntRange) else None


def _words(expr: Expr) -> int:
    if isinstance(expr, Binary):
        return _words(expr.left) + _words(expr.right)
    if isinstance(expr, Call):
        return 1 + sum(map(_words, expr.arguments))
    if isinstance(expr, Several):
        return sum(_MEMBER + _words(member) for member in expr.members)
    if isinstance(expr, Text):
        return sum(1 + len(p) // _TEXT_CHARACTERS if isinstance(p, str) else 1 for p in expr.parts)
    return 1


def _names(expr: Expr) -> Iterator[str]:
    if isinstance(expr, Name):
        yield expr.text
    elif isinstance(expr, Binary):
        yield from _names(expr.left)
        yield from _names(expr.right)
    elif isinstance(expr, Call):
        for argument in expr.arguments:
            yield from _names(argument)
    elif isinstance(expr, Text | Several):
        # No range: what it is says evaluation.
        return
