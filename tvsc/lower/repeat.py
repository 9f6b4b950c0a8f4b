"""A line of a loop, read again in every round: what stays is kept, what changes is found.

A loop may come to a hundred thousand servers, or thirty thousand services. Its lines are read once
as every line is; the next rounds take everything that does not change from there, and the rest from
functions that know the expression. Whatever is out of the ordinary is left to `evaluate`, and
whatever is wrong to those who read the line as always and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import Protocol

from tvsc.dsl import limits
from tvsc.dsl.ast import Arrow, Binary, Call, Expr, Name, Several, Text, Value
from tvsc.dsl.values import Endpoint, Scalar
from tvsc.lower.evaluate import Env, StatementError, evaluate, text_of
from tvsc.lower.fields import Entry
from tvsc.lower.moving import dotted
from tvsc.lower.reader import NAME
from tvsc.lower.schema import Named
from tvsc.lower.settings_service import MAX_PORT, MAX_WEIGHT, ListenLine, ServerLine
from tvsc.source import Span


class Again(Protocol):
    """A setting of a line that was read once."""

    def entry(self, env: Env) -> Entry | None:
        """What it says now, a block's fields left out; None when the line must be read as all
        lines are.
        """


Find = Callable[[Env], Scalar]
"""The value of an expression, as `evaluate` finds it, or StatementError."""

_SMALL = 1 << 62
"""No limit of numbers is below."""

_HOST_BITS = tuple((1 << (32 - bits)) - 1 for bits in range(33))
"""By the length of a prefix."""


@dataclass(slots=True)
class ServerLines:
    """A `server` in all rounds after the first, whose entry is `first`."""

    first: Entry
    drain: bool
    address: Find
    port: Find
    weight: Find | None

    def entry(self, env: Env) -> Entry | None:
        """What the line says now; None when it must be read as all lines are."""
        try:
            address, port = self.address(env), self.port(env)
            weight = 1 if self.weight is None else self.weight(env)
        except StatementError:
            return None
        kind = type(address)
        if type(port) is not int or not 1 <= port <= MAX_PORT:
            return None
        if type(weight) is not int or not 0 <= weight <= MAX_WEIGHT:
            return None
        if kind is not IPv4Address and kind is not IPv6Address:
            return None
        assert isinstance(address, IPv4Address | IPv6Address)
        shown = dotted(int(address)) if kind is IPv4Address else str(address)
        first = self.first
        return Entry(
            first.setting,
            f"{shown}:{port}",
            ServerLine(Endpoint(address, port), weight, self.drain),
            first.span,
            first.parts,
            None,
        )


def server_lines(items: Sequence[Expr], first: Entry) -> ServerLines | None:
    """How to go on with a line of which `first` is all that it says; None for other settings."""
    line = first.value
    if not isinstance(line, ServerLine):
        return None
    endpoint = items[1]
    if not isinstance(endpoint, Binary) or endpoint.operator != ":":
        return None
    weighted = "weight" in first.parts
    return ServerLines(
        first,
        line.drain,
        finder(endpoint.left),
        finder(endpoint.right),
        finder(items[3]) if weighted else None,
    )


# --- other settings ------------------------------------------------------------------------------


def again_of(items: Sequence[Expr], first: Entry, env: Env) -> Again | None:
    """How to go on with a setting, keyword and values, that was read to `first`; None when it is to
    be read as always.
    """
    if all(_is_constant(item, env) for item in items[1:]):
        return _Constant(first)
    if isinstance(first.value, ServerLine):
        return server_lines(items, first)
    if isinstance(first.value, ListenLine):
        return _listen(items, first, first.value)
    if isinstance(first.value, Named):
        return _named(items, first, first.value)
    return _vips(items, first) if first.setting.keyword == "vip" else None


def _is_constant(expr: Expr, env: Env) -> bool:
    """Whether it means the same wherever it stands. A word that is no variable was taken as a word,
    and that does not depend on the variables.
    """
    if isinstance(expr, Value | Arrow):
        return True
    if isinstance(expr, Name):
        return env.find(expr.text) is None
    if isinstance(expr, Text):
        return all(isinstance(part, str) for part in expr.parts)
    if isinstance(expr, Several):
        return all(_is_constant(member, env) for member in expr.members)
    if isinstance(expr, Call):
        return all(_is_constant(argument, env) for argument in expr.arguments)
    return _is_constant(expr.left, env) and _is_constant(expr.right, env)


@dataclass(slots=True)
class _Constant:
    first: Entry

    def entry(self, _env: Env) -> Entry:
        return self.first if self.first.fields is None else replace(self.first, fields=None)


@dataclass(slots=True)
class _NamedLines:
    """`service NAME` and the like."""

    first: Entry
    name: Find

    def entry(self, env: Env) -> Entry | None:
        try:
            name = self.name(env)
        except StatementError:
            return None
        first = self.first
        if not isinstance(name, str) or not NAME.fullmatch(name):
            return None
        return Entry(first.setting, name, Named(name), first.span, first.parts, None)


def _named(items: Sequence[Expr], first: Entry, value: Named) -> Again | None:
    name = items[1]
    if len(items) != 2 or value.like is not None or not isinstance(name, Text):
        return None
    return _NamedLines(first, _text(name))


@dataclass(slots=True)
class _VipLines:
    first: Entry
    members: list[tuple[Find, Span]]

    def entry(self, env: Env) -> Entry | None:
        try:
            value = tuple([(find(env), span) for find, span in self.members])
        except StatementError:
            return None
        for address, _ in value:
            if type(address) is not IPv4Address and type(address) is not IPv6Address:
                return None
        first = self.first
        return Entry(first.setting, first.key, value, first.span, first.parts, None)


def _vips(items: Sequence[Expr], first: Entry) -> Again | None:
    if len(items) != 2:
        return None
    one = items[1]
    members = one.members if isinstance(one, Several) else (one,)
    return _VipLines(first, [(finder(member), member.span) for member in members])


@dataclass(slots=True)
class _ListenLines:
    first: Entry
    line: ListenLine
    port: Find
    pool: Find | None

    def entry(self, env: Env) -> Entry | None:
        first, line = self.first, self.line
        try:
            port = self.port(env)
            pool = line.pool if self.pool is None else self.pool(env)
        except StatementError:
            return None
        if type(port) is not int or not 1 <= port <= MAX_PORT:
            return None
        if not isinstance(pool, str) or not NAME.fullmatch(pool):
            return None
        key = first.key if port == line.port else f"{line.protocol}/{port}"
        value = ListenLine(line.protocol, port, pool)
        return Entry(first.setting, key, value, first.span, first.parts, None)


def _listen(items: Sequence[Expr], first: Entry, line: ListenLine) -> Again | None:
    pool = items[4]
    if isinstance(pool, Name):
        return _ListenLines(first, line, finder(items[2]), None)
    return (
        _ListenLines(first, line, finder(items[2]), _text(pool)) if isinstance(pool, Text) else None
    )


# --- expressions ---------------------------------------------------------------------------------


def _text(expr: Text) -> Find:
    """The function that inserts numbers into a text; everything else is left to `text_of`."""
    parts = [part if isinstance(part, str) else part.name for part in expr.parts]
    inserted = [not isinstance(part, str) for part in expr.parts]
    plain = all(isinstance(part, str) or not part.width for part in expr.parts)
    if not plain:
        return lambda env: text_of(expr, env)
    rows = list(zip(parts, inserted, strict=True))

    def find(env: Env) -> Scalar:
        made = []
        for part, is_name in rows:
            if is_name:
                found = env.find(part)
                if found is None or type(found[0]) is not int:
                    return text_of(expr, env)
                made.append(str(found[0]))
            else:
                made.append(part)
        text = "".join(made)
        return text if len(text) <= limits.TEXT_CHARACTERS else text_of(expr, env)

    return find


def finder(expr: Expr) -> Find:
    """The function that finds the value of an expression."""
    if isinstance(expr, Value):
        data = expr.data
        return lambda _: data
    if isinstance(expr, Name):
        return _variable(expr)
    if isinstance(expr, Binary) and expr.operator in ("+", "-"):
        return _sum(expr)
    if isinstance(expr, Binary) and expr.operator == "*":
        return _product(expr)
    if isinstance(expr, Call) and expr.function == "host" and len(expr.arguments) == 2:
        return _host(expr)
    return lambda env: evaluate(expr, env)


def _variable(expr: Name) -> Find:
    name = expr.text

    def find(env: Env) -> Scalar:
        found = env.find(name)
        return evaluate(expr, env) if found is None else found[0]

    return find


def _sum(expr: Binary) -> Find:
    left, right = finder(expr.left), finder(expr.right)
    sign = 1 if expr.operator == "+" else -1

    def find(env: Env) -> Scalar:
        one, other = left(env), right(env)
        if type(other) is int:
            if type(one) is IPv4Address or type(one) is IPv6Address:
                moved = int(one) + sign * other
                if 0 <= moved < 1 << one.max_prefixlen:
                    return type(one)(moved)
            elif type(one) is int:
                total = one + sign * other
                if -_SMALL < total < _SMALL:
                    return total
        return evaluate(expr, env)

    return find


def _product(expr: Binary) -> Find:
    left, right = finder(expr.left), finder(expr.right)

    def find(env: Env) -> Scalar:
        one, other = left(env), right(env)
        if type(one) is int and type(other) is int:
            product = one * other
            if -_SMALL < product < _SMALL:
                return product
        return evaluate(expr, env)

    return find


def _host(expr: Call) -> Find:
    prefix, number = finder(expr.arguments[0]), finder(expr.arguments[1])

    def find(env: Env) -> Scalar:
        one, n = prefix(env), number(env)
        if type(one) is IPv4Interface and type(n) is int:
            first, mask = int(one), _HOST_BITS[one.network.prefixlen]
            if not first & mask and 0 <= n <= mask:
                return IPv4Address(first + n)
        return evaluate(expr, env)

    return find
