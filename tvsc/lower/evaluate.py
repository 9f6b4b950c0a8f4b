"""Expressions to values: variables, arithmetic and functions on addresses. Pure and total."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from itertools import islice
from typing import NoReturn

from tvsc.diag import codes
from tvsc.diag.codes import Code
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.dsl import limits
from tvsc.dsl.ast import Arrow, Binary, Call, Expr, Interpolation, Name, Several, Text, Value
from tvsc.dsl.values import (
    Bytes,
    Duration,
    Endpoint,
    IntRange,
    PrefixLength,
    Rate,
    Scalar,
    is_address,
    type_name,
)
from tvsc.source import Span

_WORDS_COMPARED = 500
_BITS = limits.NUMBER_CHARACTERS * 4


class StatementError(Exception):
    """A statement that means nothing; carries the message about it."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def fail(
    code: Code, message: str, span: Span, help_: str | None = None, notes: tuple[Note, ...] = ()
) -> NoReturn:
    """Give up on this statement with a message."""
    raise StatementError(Diagnostic(code, message, span, notes, help_))


def did_you_mean(word: str, known: Collection[str]) -> str | None:
    """`did you mean X?` for the closest of the known words, or None."""
    # Comparing is dear: of very many words, those of the same length and start will do.
    first = list(islice(known, _WORDS_COMPARED + 1))
    if len(first) > _WORDS_COMPARED:
        alike = (k for k in known if k[:2] == word[:2] and abs(len(k) - len(word)) <= 1)
        first = list(islice(alike, _WORDS_COMPARED))
    known = first
    close = [k for k in known if k.lower() == word.lower()][:1]
    close = close or get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


@dataclass(slots=True)
class Env:
    """The variables that a statement sees: its own block's and those of the blocks around."""

    parent: Env | None = None
    values: dict[str, tuple[Scalar, Span]] = field(default_factory=dict)

    def find(self, name: str) -> tuple[Scalar, Span] | None:
        """Value and place of definition."""
        env: Env | None = self
        while env is not None:
            found = env.values.get(name)
            if found is not None:
                return found
            env = env.parent
        return None

    def visible(self) -> dict[str, tuple[Scalar, Span]]:
        """All visible variables, as `find` finds them."""
        above = {} if self.parent is None else self.parent.visible()
        return {**above, **self.values}

    def names(self) -> list[str]:
        """All visible variables."""
        env: Env | None = self
        names: list[str] = []
        while env is not None:
            names += env.values
            env = env.parent
        return names


def evaluate(expr: Expr, env: Env) -> Scalar:
    """The value of an expression, or `StatementError`."""
    if isinstance(expr, Value):
        return expr.data
    if isinstance(expr, Name):
        return _variable(expr.text, expr.span, env)
    if isinstance(expr, Text):
        return text_of(expr, env)
    if isinstance(expr, Binary):
        return _binary(expr, env)
    if isinstance(expr, Call):
        return _call(expr, env)
    if isinstance(expr, Several):
        fail(codes.WRONG_TYPE, "one value is wanted here, not a list", expr.span)
    assert isinstance(expr, Arrow)
    fail(codes.WRONG_TYPE, "`->` is no value", expr.span)


def text_of(text: Text, env: Env) -> str:
    """A text with its variables inserted."""
    if len(text.parts) == 1 and isinstance(text.parts[0], str):
        return text.parts[0]
    made = "".join(
        _interpolated(part, env) if isinstance(part, Interpolation) else part for part in text.parts
    )
    if len(made) > limits.TEXT_CHARACTERS:
        message = f"a text has at most {limits.TEXT_CHARACTERS} characters"
        fail(codes.BAD_LITERAL, message, text.span)
    return made


def _interpolated(part: Interpolation, env: Env) -> str:
    value = _variable(part.name, part.span, env)
    if isinstance(value, int):
        return f"{value:0{part.width}}" if part.width else str(value)
    if isinstance(value, str | IPv4Address | IPv6Address | IPv4Interface | IPv6Interface):
        return str(value)
    fail(codes.WRONG_TYPE, f"`{part.name}` is {type_name(value)} and has no text form", part.span)


def _variable(name: str, span: Span, env: Env) -> Scalar:
    found = env.find(name)
    if found is not None:
        return found[0]
    hint = did_you_mean(name, env.names())
    if "-" in name and env.find(name.partition("-")[0]):
        hint = "a `-` between letters belongs to the name: put blanks around a minus"
    if name == "from":
        hint = "a list file has a line of its own, as `servers`, `allow` and `deny` have it"
    fail(codes.UNKNOWN_NAME, f"there is no variable `{name}`", span, hint)


# --- operators -------------------------------------------------------------------------------


_TIMES = ("s", "sec", "second", "m", "min", "minute", "h", "hour")


def _binary(expr: Binary, env: Env) -> Scalar:
    left = evaluate(expr.left, env)
    unit = expr.right.text if expr.operator == "/" and isinstance(expr.right, Name) else ""
    if unit in _TIMES and env.find(unit) is None and isinstance(left, int | Fraction):
        fail(
            codes.UNKNOWN_NAME,
            f"there is no variable `{unit}`",
            expr.right.span,
            "a rate is a whole number a second, without blanks: `10/s`",
        )
    right = evaluate(expr.right, env)
    result: Scalar | None = None
    if expr.operator == "..":
        result = _range(left, right, expr)
    elif expr.operator == ":":
        result = _endpoint(left, right, expr)
    elif isinstance(left, int | Fraction) and isinstance(right, int | Fraction):
        result = _numbers(expr, left, right)
    elif is_address(left) and isinstance(right, int):
        result = _address(expr, left, right)
    elif isinstance(left, Duration | Bytes | Rate) or isinstance(right, Duration | Bytes | Rate):
        result = _quantities(expr.operator, left, right)
        _bounded(result, expr)
    if result is None:
        fail(
            codes.WRONG_TYPE,
            f"`{expr.operator}` cannot join {type_name(left)} and {type_name(right)}",
            expr.span,
            _instead(expr.operator, left, right),
        )
    return result


def _instead(operator: str, left: Scalar, right: Scalar) -> str | None:
    """What was meant, where that is known."""
    if operator == ":" and isinstance(left, int) and isinstance(right, int):
        return f'a community is a text: `"{left}:{right}"`'
    if operator in ("-", "..") and is_address(left) and is_address(right):
        return "addresses are written as prefixes: `10.0.0.0/24`"
    if operator == "/" and is_address(left) and is_address(right):
        return "a prefix is written with its length: `10.0.0.0/24`"
    return None


def _range(left: Scalar, right: Scalar, expr: Binary) -> IntRange | None:
    if not isinstance(left, int) or not isinstance(right, int):
        return None
    if right < left:
        fail(
            codes.RANGE_BACKWARDS,
            f"the range {left}..{right} ends before it starts",
            expr.span,
        )
    return IntRange(left, right)


def _endpoint(left: Scalar, right: Scalar, expr: Binary) -> Endpoint | None:
    if not is_address(left) or not isinstance(right, int):
        return None
    if not 1 <= right <= 65535:
        fail(codes.OUT_OF_RANGE, f"{right} is no port: ports are 1 to 65535", expr.right.span)
    return Endpoint(left, right)


def _numbers(expr: Binary, left: int | Fraction, right: int | Fraction) -> Scalar:
    operator = expr.operator
    value: int | Fraction
    if operator == "/":
        if right == 0:
            fail(codes.ARITHMETIC, "division by zero", expr.right.span)
        value = Fraction(left) / right
    elif operator == "*":
        value = left * right
    else:
        value = left + right if operator == "+" else left - right
    if value.numerator.bit_length() > _BITS or value.denominator.bit_length() > _BITS:
        fail(codes.ARITHMETIC, "the result is too large", expr.span)
    return value.numerator if value.denominator == 1 else value


def _address(expr: Binary, left: IPv4Address | IPv6Address, right: int) -> Scalar | None:
    if expr.operator == "/":
        if not 0 <= right <= left.max_prefixlen:
            fail(
                codes.OUT_OF_RANGE,
                f"a prefix of {left} has at most {left.max_prefixlen} bits, not {right}",
                expr.right.span,
            )
        if isinstance(left, IPv4Address):
            return IPv4Interface((left, right))
        return IPv6Interface((left, right))
    if expr.operator not in "+-":
        return None
    moved = int(left) + (right if expr.operator == "+" else -right)
    if not 0 <= moved < 1 << left.max_prefixlen:
        fail(codes.ARITHMETIC, f"there is no address {left} {expr.operator} {right}", expr.span)
    return type(left)(moved)


def _bounded(value: Scalar | None, expr: Binary) -> None:
    numbers: tuple[int, ...] = ()
    if isinstance(value, Duration):
        numbers = value.ms.as_integer_ratio()
    elif isinstance(value, Bytes):
        numbers = (value.count,)
    elif isinstance(value, Rate):
        numbers = (value.per_second,)
    if any(n.bit_length() > _BITS for n in numbers):
        fail(codes.ARITHMETIC, "the result is too large", expr.span)


def _quantities(operator: str, left: Scalar, right: Scalar) -> Scalar | None:
    if isinstance(left, int | Fraction) and operator == "*":
        left, right = right, left
    if isinstance(left, Duration):
        if isinstance(right, Duration) and operator in "+-":
            return Duration(left.ms + right.ms if operator == "+" else left.ms - right.ms)
        if isinstance(right, int | Fraction) and (operator == "*" or (operator == "/" and right)):
            return Duration(left.ms * right if operator == "*" else left.ms / right)
    if isinstance(left, Bytes) and isinstance(right, Bytes) and operator in "+-":
        return Bytes(left.count + right.count if operator == "+" else left.count - right.count)
    if isinstance(left, Bytes) and isinstance(right, int) and operator == "*":
        return Bytes(left.count * right)
    if isinstance(left, Rate) and isinstance(right, int) and operator == "*":
        return Rate(left.per_second * right)
    return None


# --- functions -------------------------------------------------------------------------------

FUNCTIONS: dict[str, tuple[str, str]] = {
    "host": ("host(prefix, n)", "the n-th address of a prefix, counted from its network address"),
    "subnet": (
        "subnet(prefix, length, i)",
        "the i-th (from 0) prefix of this length inside a prefix",
    ),
    "min": ("min(a, b)", "the smaller of two numbers"),
    "max": ("max(a, b)", "the larger of two numbers"),
}


def _call(expr: Call, env: Env) -> Scalar:
    known = FUNCTIONS.get(expr.function)
    if known is None:
        hint = did_you_mean(expr.function, list(FUNCTIONS)) or f"there are {', '.join(FUNCTIONS)}"
        fail(codes.UNKNOWN_NAME, f"there is no function `{expr.function}`", expr.span, hint)
    usage = known[0]
    if len(expr.arguments) != usage.count(",") + 1:
        fail(
            codes.FUNCTION_CALL,
            f"`{expr.function}` takes {usage.count(',') + 1} arguments, not {len(expr.arguments)}",
            expr.span,
            f"write `{usage}`",
        )
    values = [evaluate(argument, env) for argument in expr.arguments]
    if expr.function in ("min", "max"):
        return _least(expr, values)
    return _host(expr, values) if expr.function == "host" else _subnet(expr, values)


def _int(expr: Call, values: list[Scalar], index: int) -> int:
    value = values[index]
    if isinstance(value, int):
        return value
    if isinstance(value, PrefixLength):
        return value.bits
    fail(
        codes.FUNCTION_CALL,
        f"`{expr.function}` needs a number here, not {type_name(value)}",
        expr.arguments[index].span,
        f"write `{FUNCTIONS[expr.function][0]}`",
    )


def _prefix(expr: Call, values: list[Scalar]) -> IPv4Interface | IPv6Interface:
    value = values[0]
    if not isinstance(value, IPv4Interface | IPv6Interface):
        fail(
            codes.FUNCTION_CALL,
            f"`{expr.function}` needs a prefix here, not {type_name(value)}",
            expr.arguments[0].span,
            f"write `{FUNCTIONS[expr.function][0]}`",
        )
    if int(value) != int(value.network.network_address):
        fail(
            codes.BAD_PREFIX,
            f"`{value}` has bits set after its length",
            expr.arguments[0].span,
            f"write `{value.network}`",
        )
    return value


def _least(expr: Call, values: list[Scalar]) -> Scalar:
    numbers = [_int(expr, values, 0), _int(expr, values, 1)]
    return min(numbers) if expr.function == "min" else max(numbers)


def _host(expr: Call, values: list[Scalar]) -> Scalar:
    interface, n = _prefix(expr, values), _int(expr, values, 1)
    prefix = interface.network
    if not 0 <= n <= int(prefix.hostmask):
        fail(
            codes.FUNCTION_CALL,
            f"`{prefix}` has the addresses 0 to {prefix.num_addresses - 1}, not {n}",
            expr.span,
        )
    first = prefix.network_address
    return type(first)(int(first) + n)


def _subnet(expr: Call, values: list[Scalar]) -> Scalar:
    prefix = _prefix(expr, values)
    network, length, i = prefix.network, _int(expr, values, 1), _int(expr, values, 2)
    if not network.prefixlen <= length <= network.max_prefixlen:
        fail(
            codes.FUNCTION_CALL,
            f"a subnet of `{network}` has {network.prefixlen} to {network.max_prefixlen} bits,"
            f" not {length}",
            expr.arguments[1].span,
        )
    count = 1 << (length - network.prefixlen)
    if not 0 <= i < count:
        fail(
            codes.FUNCTION_CALL,
            f"`{network}` has the /{length} subnets 0 to {count - 1}, not {i}",
            expr.arguments[2].span,
        )
    base = int(network.network_address) + (i << (network.max_prefixlen - length))
    if isinstance(prefix, IPv4Interface):
        return IPv4Interface((base, length))
    return IPv6Interface((base, length))
