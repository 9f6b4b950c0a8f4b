"""Blocks that say the same, built once: reads their JSON, writes what they are built to.

Ten thousand pools differ in their names and places, and many in nothing else. Of those that say the
same the second is built with stand-ins for its name, its VIPs, the pools that it names and its
places; the texts of the others are those of this template with their own instead. What could be
mistaken for a stand-in, and what is said once, is built by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from json.encoder import encode_basestring_ascii
from operator import itemgetter
from typing import Any, NamedTuple

from tvsc.lower.block_record import build, noun_to_json, places_of, to_line
from tvsc.lower.defaults import Defaults
from tvsc.lower.evaluate import StatementError
from tvsc.lower.fields import Entry, Fields
from tvsc.lower.moving import dotted
from tvsc.lower.nouns import Json
from tvsc.lower.schema import KINDS, Named
from tvsc.lower.scope import Context
from tvsc.lower.settings_json import MOST_VIPS, Given, Values, to_fields
from tvsc.model import Origins, Pool, Service
from tvsc.source import Span

_MOST = 4096
"""So many templates are kept at a time."""

_NAME = "\x01"
_POOL = "\x02{}\x03"
_FIRST_VIP = int(IPv4Address("240.0.0.0"))
assert MOST_VIPS < 256

_STAND_IN = re.compile(
    r"(?P<name>\\u0001)|\\u0002(?P<pool>\d+)\\u0003|240\.0\.0\.(?P<text>\d+)|40265(?P<vip>\d{5})"
)
_MISTAKABLE = re.compile(r"\\u000[123]|\\x0[123]|[\x01-\x03]|240\.0\.0\.|40265")
_LIST = '["file",'
"""A block that reads a list is as the list is."""


class Block(NamedTuple):
    """A block as a record has it: what it says, and its rows; `places` begins with those of its
    header.
    """

    says: str
    name: str
    places: Sequence[int]
    vips: Sequence[int]
    pools: Sequence[str]


_Key = str | tuple[str, ...]
"""What a block says, and the values of all variables that this can depend on."""

Texts = tuple[str, str]
"""The JSON of a noun, and of the places of its parts."""


class Templates:
    """Of one process, and of some defaults."""

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults
        self._no_stand_ins = _MISTAKABLE.search(defaults.said) is not None
        self._names: dict[str, tuple[str, ...]] = {}
        self._known: dict[_Key, _Template | None] = {}

    def texts(self, block: Block, values: Values, context: Context) -> Texts | None:
        """What a block is built to; None when that is for those to say who read the text."""
        names = self._names.get(block.says)
        if names is None:  # said for the first time
            if len(self._names) >= _MOST:
                self._names.clear()
                self._known.clear()
            self._names[block.says] = _names_in(block.says, values)
            return self._alone(block, values, context)
        key: _Key = block.says
        if names:
            shown = (repr(values[name][0]) if name in values else "" for name in names)
            key = (block.says, *shown)
        if key not in self._known:
            self._known[key] = self._template(block, values, key, context)
        template = self._known[key]
        return self._alone(block, values, context) if template is None else template.texts(block)

    def _alone(self, block: Block, values: Values, context: Context) -> Texts | None:
        built = _built(block, values, self._defaults, context)
        if built is None:
            return None
        noun, origins = built
        return to_line(noun_to_json(noun)).decode(), to_line(places_of(origins)).decode()

    def _template(
        self, block: Block, values: Values, key: _Key, context: Context
    ) -> _Template | None:
        if self._no_stand_ins or _LIST in block.says or _MISTAKABLE.search(str(key)):
            return None
        first = 1 + len(block.pools) + 2 * len(block.vips)
        stand_in = Block(
            block.says,
            _NAME,
            range(first, first + len(block.places)),
            range(_FIRST_VIP, _FIRST_VIP + len(block.vips)),
            [_POOL.format(number) for number in range(len(block.pools))],
        )
        built = _built(stand_in, values, self._defaults, context)
        return None if built is None else _Template(block, *built)


class _Template:
    """Two texts in the manner of `%`, and which of a block's values go into each."""

    __slots__ = ("_noun", "_noun_values", "_origins", "_origins_values")

    def __init__(self, like: Block, noun: Pool | Service, origins: Origins) -> None:
        holes = _Holes(1, 1 + len(like.pools), 1 + len(like.pools) + len(like.vips))
        self._noun, numbers = holes.cut(to_line(noun_to_json(noun)).decode())
        self._noun_values = _picked(numbers)
        texts: list[str] = []
        numbers = []
        for place in places_of(origins):
            path, more = holes.cut(json.dumps(place[0]))
            numbers += more
            if len(place) == 3:
                texts.append(f"[{path},%s,%s]")
                numbers += place[1:]
            else:  # of the defaults
                texts.append(f"[{path},{','.join(map(str, place[1:]))}]")
        self._origins, self._origins_values = f"[{','.join(texts)}]", _picked(numbers)

    def texts(self, block: Block) -> Texts:
        values: list[object] = [encode_basestring_ascii(block.name)[1:-1]]
        values += [encode_basestring_ascii(pool)[1:-1] for pool in block.pools]
        values += block.vips
        values += map(dotted, block.vips)
        values += block.places
        return (
            self._noun % self._noun_values(values),
            self._origins % self._origins_values(values),
        )


@dataclass(frozen=True, slots=True)
class _Holes:
    """At which of a block's values pools, VIPs and their texts begin."""

    pools: int
    vips: int
    texts: int

    def cut(self, text: str) -> tuple[str, list[int]]:
        """The text with `%s` for every stand-in, and what each stands for."""
        numbers: list[int] = []

        def cut_one(match: re.Match[str]) -> str:
            pool, shown, vip = match["pool"], match["text"], match["vip"]
            if pool is not None:
                numbers.append(self.pools + int(pool))
            elif shown is not None:
                numbers.append(self.texts + int(shown))
            elif vip is not None:
                numbers.append(self.vips + int(match[0]) - _FIRST_VIP)
            else:
                numbers.append(0)
            return "%s"

        return _STAND_IN.sub(cut_one, text.replace("%", "%%")), numbers


def _picked(numbers: Sequence[int]) -> Callable[[Sequence[object]], Any]:
    assert len(numbers) > 1  # the name is in a noun twice, and a place has three
    return itemgetter(*numbers)


def _names_in(says: str, values: Values) -> tuple[str, ...]:
    """All variables that are named there, and some words that are called like one."""
    found: dict[str, None] = {}

    def look(part: Json) -> None:
        if isinstance(part, list):
            for inner in part:
                look(inner)
        elif isinstance(part, str) and part in values:
            found[part] = None

    look(json.loads(says))
    return tuple(found)


def _built(
    block: Block, values: Values, defaults: Defaults, context: Context
) -> tuple[Pool | Service, Origins] | None:
    keyword, parts, own = json.loads(block.says)
    setting = KINDS["file"].settings[keyword]
    given = Given(block.places, block.vips, block.pools)
    span = given.span()
    where = {part: given.span() for part in parts}
    entry = Entry(setting, block.name, Named(block.name), span, where, None)
    if own is not None:
        assert setting.block is not None
        try:
            entry.fields = to_fields(own, KINDS[setting.block], values, given)
        except StatementError:
            return None
        if entry.fields is None:
            return None
    top = Fields(KINDS["file"], Span(0, 0, 0), {(keyword, block.name): entry})
    said: list[object] = []
    context.sink = said.append
    (built,) = build(top, defaults, context)
    return None if said else built
