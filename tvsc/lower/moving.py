"""Servers and VIPs that move with variables: which part of a line a variable decides alone.

A hundred thousand lines like `server host(net, n):8080 weight w` are not read again when `net` is
another network of the same size: their addresses move by what `net` does, and so do those of
`vip host(net, n)`. Everything else in such a line stays, or the line is none of these.

    move   [address, port, weight]: the variables that these move with, or null
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any

from tvsc.dsl.ast import Binary, Call, Expr, Interpolation, Name, Several, Text
from tvsc.dsl.values import PrefixLength, Scalar, is_address
from tvsc.lower.evaluate import Env, evaluate
from tvsc.lower.nouns import Json
from tvsc.lower.settings_json import Values
from tvsc.lower.settings_service import MAX_PORT, MAX_WEIGHT
from tvsc.model import Server, server_key

_AT, _ADDRESS, _PORT, _WEIGHT = (
    1 + list(Server.model_fields).index(name) for name in ("at", "address", "port", "weight")
)


@dataclass(frozen=True, slots=True)
class Move:
    """The variables that address, port and weight of a server move with. The network of `address`
    must be no longer than `most_bits`.
    """

    address: str | None
    port: str | None
    weight: str | None
    most_bits: int | None

    def names(self) -> set[str]:
        """All of them."""
        return {name for name in (self.address, self.port, self.weight) if name is not None}


def move_of(items: Sequence[Expr], env: Env) -> Move | None:
    """How the server of a line moves; None when the variables of the line do more than this."""
    form = _Form(env)
    endpoint = items[1]
    address = port = weight = None
    if isinstance(endpoint, Binary) and endpoint.operator == ":":
        address = form.address(endpoint.left)
        port = form.alone(endpoint.right)
    else:
        form.rest.append(endpoint)
    if len(items) > 3:  # `weight N`
        weight = form.alone(items[3])
        form.rest += items[4:]
    # A variable that does more decides more.
    if any(is_outer(name, env) for expr in form.rest for name in names_in(expr)):
        return None
    return Move(address, port, weight, form.most_bits)


def moves_of_vips(items: Sequence[Expr], env: Env) -> tuple[Move | None, ...] | None:
    """How each VIP of a line moves, None for one that does not; None when the variables of the line
    do more than this.
    """
    listed = items[1]
    moves: list[Move | None] = []
    for expr in listed.members if isinstance(listed, Several) else (listed,):
        form = _Form(env)
        name = form.address(expr)
        if any(is_outer(other, env) for rest in form.rest for other in names_in(rest)):
            return None
        moves.append(None if name is None else Move(name, None, None, form.most_bits))
    return tuple(moves)


class _Form:
    """`rest` are the expressions in which no variable may move."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.rest: list[Expr] = []
        self.most_bits: int | None = None

    def alone(self, expr: Expr) -> str | None:
        if isinstance(expr, Name) and is_outer(expr.text, self.env):
            return expr.text
        self.rest.append(expr)
        return None

    def address(self, expr: Expr) -> str | None:
        """`host(PREFIX, n)`, `NAME + n`, `NAME`."""
        if isinstance(expr, Call) and expr.function == "host" and len(expr.arguments) == 2:
            self.rest.append(expr.arguments[1])
            return self.prefix(expr.arguments[0])
        if isinstance(expr, Binary) and expr.operator in "+-":
            self.rest.append(expr.right)
            return self.alone(expr.left)
        return self.alone(expr)

    def prefix(self, expr: Expr) -> str | None:
        """`NAME`, `subnet(PREFIX, length, i)`."""
        if not isinstance(expr, Call) or expr.function != "subnet" or len(expr.arguments) != 3:
            return self.alone(expr)
        inside, length, index = expr.arguments
        self.rest += (length, index)
        name = self.prefix(inside)
        if self.most_bits is None:
            value = evaluate(length, self.env)
            if isinstance(value, PrefixLength):
                value = value.bits
            assert isinstance(value, int)
            self.most_bits = value
        return name


def is_outer(name: str, env: Env) -> bool:
    """Whether a name is a variable, and from outside of the text that is read."""
    while env.parent is not None:
        if name in env.values:
            return False
        env = env.parent
    return name in env.values


def names_in(expr: Expr) -> Iterable[str]:
    """All names of an expression, be they variables or not."""
    if isinstance(expr, Name):
        return (expr.text,)
    if isinstance(expr, Binary):
        return (*names_in(expr.left), *names_in(expr.right))
    if isinstance(expr, Text):
        return tuple(part.name for part in expr.parts if isinstance(part, Interpolation))
    inner: tuple[Expr, ...] = ()
    if isinstance(expr, Call):
        inner = expr.arguments
    elif isinstance(expr, Several):
        inner = expr.members
    return tuple(name for member in inner for name in names_in(member))


def dotted(number: int) -> str:
    """An IPv4 address as text."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


# --- how far ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reach:
    """What a record asks of a network or an address that servers move with, for each variable:
    `[class, base, least offset, largest offset, most bits]`.
    """

    values: Values
    known: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, move: Move, address: IPv4Address | IPv6Address) -> None:
        """One more server."""
        name = move.address
        if name is None:
            return
        known = self.known.get(name)
        if known is None:
            value = self.values[name][0]
            base, bits = _base(value), address.max_prefixlen
            assert base is not None
            known = self.known[name] = [type(value).__name__, base, 0, 0, bits]
        offset = int(address) - known[1]
        known[2], known[3] = min(known[2], offset), max(known[3], offset)
        if move.most_bits is not None:
            known[4] = min(known[4], move.most_bits)


def _base(value: Scalar) -> int | None:
    """Where a network starts, or an address is."""
    if isinstance(value, IPv4Interface | IPv6Interface):
        return int(value) if value.ip == value.network.network_address else None
    return int(value) if is_address(value) else None


def _distance(reach: Sequence[Any], value: Scalar) -> int | None:
    """How far addresses move when their network or first address has this value; None when not all
    of them could.
    """
    kind, old, low, high, most_bits = reach
    base = _base(value)
    if base is None or type(value).__name__ != kind:
        return None
    if isinstance(value, IPv4Interface | IPv6Interface):
        network = value.network
        fits = network.prefixlen <= most_bits and high <= int(network.hostmask)
        return base - old if fits and low >= 0 else None
    assert is_address(value)
    fits = base + low >= 0 and base + high < 1 << value.max_prefixlen
    return base - old if fits else None


class Mover:
    """Moves the servers and VIPs of a record from the values that it was made with to others.

    `moves` are the record's, `reach` is what `Reach` found; `changed` are the variables that are
    not what they were.
    """

    def __init__(
        self,
        moves: Sequence[Sequence[str | None]],
        reach: dict[str, Any],
        values: Values,
        changed: Set[str],
    ) -> None:
        self.whole = True
        self._changed = changed
        self._reach: dict[str, Any] = {}
        self._moves = [self._resolved(move, reach, values) for move in moves]
        still = (n for n, move in enumerate(self._moves, start=1) if move == (0, None, None))
        self._still = {0, *still}

    def reach(self) -> dict[str, Any]:
        """What `Reach` would find now."""
        return self._reach

    def changes(self, which: Sequence[int] | None) -> bool:
        """Whether anything is not what it was of what moves by these numbers."""
        return which is not None and not self._still.issuperset(which)

    def _resolved(
        self, move: Sequence[str | None], reach: dict[str, Any], values: Values
    ) -> tuple[int, int | None, int | None]:
        address, port, weight = move
        distance = 0
        if address is not None:
            known = reach[address]
            moved = _distance(known, values[address][0])
            self.whole = self.whole and moved is not None
            distance = moved or 0
            self._reach[address] = [known[0], known[1] + distance, *known[2:]]
        return (
            distance,
            self._number(port, values, 1, MAX_PORT),
            self._number(weight, values, 0, MAX_WEIGHT),
        )

    def _number(self, name: str | None, values: Values, low: int, high: int) -> int | None:
        if name is None or name not in self._changed:
            return None
        value = values[name][0]
        if isinstance(value, int) and low <= value <= high:
            return value
        self.whole = False
        return None

    def servers(self, pool: str, rows: list[list[Json]], which: Sequence[int]) -> bool:
        """Moves the servers of a pool, `[class, at, address, port, weight, drain]`; `which` has the
        number of each one's move, from 1, or 0. False when two come to be one.
        """
        for row, number in zip(rows, which, strict=True):
            if number:
                self._row(pool, row, *self._moves[number - 1])
        return len({row[_AT] for row in rows}) == len(rows)

    def vips(self, vips: list[int], which: Sequence[int]) -> list[int] | None:
        """IPv4 VIPs of a service, moved; None when two come to be one."""
        moved = [
            vip + self._moves[number - 1][0] if number else vip
            for vip, number in zip(vips, which, strict=True)
        ]
        return moved if len(set(moved)) == len(moved) else None

    @staticmethod
    def _row(
        pool: str, row: list[Json], distance: int, port: int | None, weight: int | None
    ) -> None:
        if weight is not None:
            row[_WEIGHT] = weight
        if port is None and not distance:
            return
        if port is not None:
            row[_PORT] = port
        old = row[_ADDRESS]
        if isinstance(old, int):
            new = old + distance
            row[_ADDRESS] = new
            key = f"{dotted(new)}:{row[_PORT]}"
        else:
            assert isinstance(old, str)
            moved = IPv6Address(int(IPv6Address(old)) + distance)
            row[_ADDRESS] = str(moved)
            key = server_key(moved, int(str(row[_PORT])))
        row[_AT] = f"pool/{pool}/server/{key}"
