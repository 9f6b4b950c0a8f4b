"""`like` and `defaults`: reads `Fields`, writes `Fields` that stand alone.

Order of precedence: what the block says itself, then what it is like, then the defaults of its
kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.dsl import limits
from tvsc.lower.evaluate import did_you_mean
from tvsc.lower.fields import Entry, Fields, merge
from tvsc.lower.schema import Named

# A machine is in one cluster: a cluster like another has nodes of its own.
_NOT_COPIED = {"cluster": frozenset({"node"})}

_Key = tuple[str, str]


def inherit(top: Fields, report: Callable[[Diagnostic], None]) -> Fields:
    """The site with every `like` and every default merged in."""
    return _Inherit(top, report).site()


class _Inherit:
    def __init__(self, top: Fields, report: Callable[[Diagnostic], None]) -> None:
        self.top = top
        self.report = report
        self.by_name: dict[_Key, Entry] = {}
        self.done: dict[_Key, Fields] = {}
        self.open: list[_Key] = []
        self.copied = 0
        self.hints = 100
        defaults = next(top.all("defaults"), None)
        self.defaults: dict[str, Fields] = {}
        if defaults is not None and defaults.fields is not None:
            for entry in defaults.fields.entries.values():
                if entry.fields is not None:
                    self.defaults[entry.setting.keyword] = entry.fields

    def site(self) -> Fields:
        for entry in self.top.entries.values():
            self.index(entry)
            if entry.setting.keyword == "cluster" and entry.fields is not None:
                for node in entry.fields.all("node"):
                    self.index(node)
        result = Fields(self.top.kind, self.top.span)
        for key, entry in self.top.entries.items():
            result.entries[key] = self.whole(entry)
        return result

    def index(self, entry: Entry) -> None:
        if not isinstance(entry.value, Named):
            return
        key = (entry.setting.keyword, entry.value.name)
        earlier = self.by_name.setdefault(key, entry)
        if earlier is not entry:
            self.report(
                Diagnostic(
                    codes.DUPLICATE_NAME,
                    f"{key[0]} `{key[1]}` is defined twice",
                    entry.span,
                    (Note("first defined here", earlier.span),),
                )
            )

    def whole(self, entry: Entry) -> Entry:
        """The entry with its inherited settings, and so for the nodes of a cluster."""
        if not isinstance(entry.value, Named):
            return entry
        if entry.apart is not None and self.counted(entry):
            return entry
        if entry.fields is None:
            return entry
        fields = self.merged(entry)
        if entry.setting.keyword == "cluster":
            nodes = {k: self.whole(e) if k[0] == "node" else e for k, e in fields.entries.items()}
            fields = replace(fields, entries=nodes)
        return entry if fields is entry.fields else replace(entry, fields=fields)

    def merged(self, entry: Entry) -> Fields:
        assert isinstance(entry.value, Named) and entry.fields is not None
        keyword = entry.setting.keyword
        key = (keyword, entry.value.name)
        known = self.done.get(key)
        if known is not None and self.by_name.get(key) is entry:
            return known
        base = self.defaults.get(keyword)
        if entry.value.like is not None:
            parent = self.parent(entry, keyword, entry.value.like, key)
            if parent is not None:
                self.open.append(key)
                base = self.merged(parent)
                self.open.pop()
        fields = entry.fields
        if base is not None and self.room_for(base, entry):
            fields = merge(base, fields, _NOT_COPIED.get(keyword, frozenset()))
        self.done[key] = fields
        return fields

    def counted(self, entry: Entry) -> bool:
        """Whether there is room for the settings that a block that was read apart inherited."""
        base = self.defaults.get(entry.setting.keyword)
        return base is None or self.room_for(base, entry)

    def room_for(self, base: Fields, entry: Entry) -> bool:
        """Whether that many more settings may be copied; says so once when not."""
        before = self.copied
        self.copied += len(base.entries)
        if before <= limits.INHERITED_SETTINGS < self.copied:
            limit = f"{limits.INHERITED_SETTINGS:,}"
            message = f"`like` and `defaults` copy more than {limit} settings"
            self.report(Diagnostic(codes.SITE_TOO_BIG, message, entry.span))
        return self.copied <= limits.INHERITED_SETTINGS

    def parent(self, entry: Entry, keyword: str, like: str, key: _Key) -> Entry | None:
        span = entry.parts.get("like", entry.span)
        parent = self.by_name.get((keyword, like))
        if parent is None:
            self.hints -= 1
            hint = None
            if self.hints >= 0:
                hint = did_you_mean(like, [n for kind, n in self.by_name if kind == keyword])
            message = f"there is no {keyword} `{like}`"
            self.report(Diagnostic(codes.UNKNOWN_NAME, message, span, help=hint))
            return None
        if len(self.open) >= limits.LIKE_LINKS:
            self.report(
                Diagnostic(
                    codes.NESTED_TOO_DEEP,
                    f"a chain of `like` has at most {limits.LIKE_LINKS} links",
                    span,
                )
            )
            return None
        if (keyword, like) == key or (keyword, like) in self.open:
            self.report(
                Diagnostic(
                    codes.LIKE_CYCLE, f"`like {like}` leads back to {keyword} `{like}`", span
                )
            )
            return None
        if parent.fields is None and parent.apart is not None:
            parent.fields = parent.apart.fields()
        return parent if parent.fields is not None else None
