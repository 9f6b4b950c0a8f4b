"""What the builders share: typed access to the settings of a block, and the origin table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from tvsc.diag import codes
from tvsc.diag.codes import Code
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.dsl import limits
from tvsc.dsl.load import Loader
from tvsc.lower.evaluate import did_you_mean
from tvsc.lower.fields import Entry
from tvsc.model import Network, Origins
from tvsc.source import Span

T = TypeVar("T")
D = TypeVar("D")
Listed = tuple[tuple[Network, Span], ...]


@dataclass(slots=True)
class Context:
    """What building one site needs: where messages and origins go, and how list files are read."""

    sink: Callable[[Diagnostic], None]
    origins: Origins
    loader: Loader
    list_lines: int = 0
    lists: dict[tuple[int, str], Listed] = field(default_factory=dict)
    """Lists of prefixes that were read, by the file that names them and the name: that of all
    services is read once.
    """
    hints: int = 100

    def did_you_mean(self, word: str, known: Collection[str]) -> str | None:
        """A hint for the first of many wrong names: looking for it costs time."""
        self.hints -= 1
        return did_you_mean(word, known) if self.hints >= 0 else None

    def take_line(self, span: Span, lines: int = 1) -> bool:
        """Whether more lines of a list file may be read; says so once when not."""
        before = self.list_lines
        self.list_lines += lines
        if before <= limits.LIST_LINES < self.list_lines:
            message = f"the lists of this site have more than {limits.LIST_LINES:,} lines in all"
            help_ = "a list that several services name counts for each of them"
            self.report(codes.LIST_FILE, message, span, help_)
        return self.list_lines <= limits.LIST_LINES

    def report(
        self,
        code: Code,
        message: str,
        span: Span,
        help_: str | None = None,
        notes: tuple[Note, ...] = (),
    ) -> None:
        """One more message."""
        self.sink(Diagnostic(code, message, span, notes, help_))


class Scope:
    """The settings of one block whose model path is `at`; `title` is how messages call it."""

    def __init__(self, context: Context, entry: Entry, at: str, title: str) -> None:
        self.context = context
        self.fields = entry.fields
        self.at = at
        self.title = title
        self.span = entry.span
        self.complete = True
        context.origins.put(at, entry.span)

    def entry(self, keyword: str) -> Entry | None:
        """The entry of a setting that can be given once."""
        return None if self.fields is None else self.fields.entries.get((keyword, ""))

    def entries(self, keyword: str) -> Iterator[Entry]:
        """All entries of a setting that can be given often."""
        return iter(()) if self.fields is None else self.fields.all(keyword)

    def get(self, keyword: str, kind: type[T], default: D) -> T | D:
        """The value of a setting, or the default; its place goes to the origin table."""
        entry = self.entry(keyword)
        if entry is None:
            return default
        self.origin(entry, keyword)
        assert isinstance(entry.value, kind), keyword
        return entry.value

    def need(self, keyword: str, kind: type[T], stand_in: T) -> T:
        """The value of a setting that must be given; reports it missing and goes on with a
        stand-in.
        """
        if self.entry(keyword) is None:
            self.missing(keyword)
        return self.get(keyword, kind, stand_in)

    def missing(self, keyword: str) -> None:
        """Report that a setting is missing."""
        self.complete = False
        assert self.fields is not None
        usage = self.fields.kind.settings[keyword].usage
        self.context.report(
            codes.MISSING_SETTING, f"{self.title} has no `{keyword}`", self.span, f"write `{usage}`"
        )

    def origin(self, entry: Entry, path: str) -> None:
        """Record where an entry and its named parts were written."""
        self.context.origins.put_parts(f"{self.at}/{path}", entry.span, entry.parts)
