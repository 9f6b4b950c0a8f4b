"""Watches which variables from outside decide what in a run of blocks.

Most settings use none. One that does is kept in a form that can be read again (settings_json.py),
or, when it is a server or a VIP, moved (moving.py): then its variables may change without the text
being parsed again. What else uses variables, the ranges of loops and the names of blocks, is
`fixed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tvsc.dsl.ast import Expr
from tvsc.dsl.values import Scalar
from tvsc.lower.evaluate import Env
from tvsc.lower.fields import Entry
from tvsc.lower.moving import is_outer, move_of, moves_of_vips, names_in
from tvsc.lower.settings_json import are_rows, reading_again, vips_of
from tvsc.source import Span


class Watch:
    """Of one run of blocks. `env` is what its statements see."""

    def __init__(self, values: dict[str, tuple[Scalar, Span]]) -> None:
        self._reads = _Reads(values)
        self.env = Env(None, self._reads)
        self.fixed: dict[str, None] = {}
        self.free: dict[str, None] = {}

    def begin(self) -> None:
        """A setting is about to be read."""
        if self._reads.names:
            self.fixed.update(self._reads.names)
        self._reads.names = {}

    def end(self, entry: Entry, items: Sequence[Expr], env: Env, inside: bool) -> None:
        """It was read; `inside` of a block, and without one of its own."""
        used = self._reads.names
        if not used:
            return
        self._reads.names = {}
        if inside:
            entry.again = self._again(entry, items, env)
        (self.fixed if entry.again is None else self.free).update(used)

    def finish(self) -> None:
        """All is read."""
        self.fixed.update(self._reads.names)

    @staticmethod
    def _again(entry: Entry, items: Sequence[Expr], env: Env) -> object:
        keyword = entry.setting.keyword
        if keyword == "server":
            return move_of(items, env)
        if keyword == "servers":
            return None  # which list it is
        moves = moves_of_vips(items, env) if keyword == "vip" else None
        if moves is not None and are_rows(vips_of(entry)):
            return moves
        local = {}
        for name in {name for item in items for name in names_in(item)}:
            found = None if is_outer(name, env) else env.find(name)
            if found is not None:
                local[name] = found
        try:
            again = reading_again(items, dict(sorted(local.items())))
            return again if moves is None else replace(again, vips=True)
        except TypeError:
            return None


class _Reads(dict[str, tuple[Scalar, Span]]):
    """Variables that remember which of them were asked for."""

    def __init__(self, values: dict[str, tuple[Scalar, Span]]) -> None:
        super().__init__(values)
        self.names: dict[str, None] = {}

    def get(  # type: ignore[override]
        self, name: str, default: tuple[Scalar, Span] | None = None
    ) -> tuple[Scalar, Span] | None:
        if name in self:
            self.names[name] = None
            return self[name]
        return default
