"""A `server` line of a loop, read again in every round: what stays is kept, what changes is found.

A loop may come to a hundred thousand servers. Its line is read once as every line is; the next
rounds take everything but address, port and weight from there, and these from functions that know
the expression. Whatever is out of the ordinary is left to `evaluate`, and whatever is wrong to
those who read the line as always and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address

from tvsc.dsl.ast import Binary, Call, Expr, Name, Value
from tvsc.dsl.values import Endpoint, Scalar
from tvsc.lower.evaluate import Env, StatementError, evaluate
from tvsc.lower.fields import Entry
from tvsc.lower.moving import dotted
from tvsc.lower.settings_service import MAX_PORT, MAX_WEIGHT, ServerLine

Find = Callable[[Env], Scalar]
"""The value of an expression, as `evaluate` finds it, or StatementError."""

_SMALL = 1 << 62
"""No limit of numbers is below."""

_HOST_BITS = tuple((1 << (32 - bits)) - 1 for bits in range(33))
"""By the length of a prefix."""


@dataclass(slots=True)
class ServerLines:
    """All rounds of a line after the first, whose entry is `first`."""

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


# --- expressions ---------------------------------------------------------------------------------


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
