"""Files to a program: reads the site file and what it includes, writes a `Program`.

The only module of the front that opens files. Paths in a site are relative to the file that names
them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.dsl import limits
from tvsc.dsl.ast import Blocks, File, For, Include, Line, Program, Statement
from tvsc.dsl.parser import parse_file, parse_part
from tvsc.dsl.pattern import TooManyNamesError, files_matching, has_pattern
from tvsc.dsl.split import split
from tvsc.source import SourceMap, Span

Report = Callable[[Diagnostic], None]


class Loader:
    """Reads the files of one site into a source map."""

    def __init__(self, root: Path, sources: SourceMap, report: Report) -> None:
        self.root = root
        self.sources = sources
        self.report = report
        self._characters = 0

    def read(self, name: str, span: Span | None = None) -> int | None:
        """The number of the file `name` (relative to the site file's directory); None after a
        report.

        `span` is what named the file."""
        known = self.sources.number(name)
        if known is not None:
            return known
        if not name.isprintable():
            message = f"`{name}` has characters in its name that cannot be shown"
            self.report(Diagnostic(codes.FILE_SUFFIX, message, span, help="rename the file"))
            return None
        here = "" if self.root.parent == Path() else self.root.parent
        # keeps `..` and the user's spelling; the path `.` has no name
        path = os.path.join(here, name) or str(self.root)  # noqa: PTH118
        text = self._text(path, span)
        return None if text is None else self.sources.add(name, path, text)

    def _text(self, path: str, span: Span | None) -> str | None:
        try:
            status = os.stat(path)  # noqa: PTH116 - a site may have ten thousand lists
            if stat.S_ISDIR(status.st_mode):
                raise OSError("is a directory")
            if not stat.S_ISREG(status.st_mode):
                raise OSError("is not a regular file")
            if span is not None and not _may_be_named(path):
                self._not_ours(path, span)
                return None
            size = status.st_size
            if size > limits.FILE_CHARACTERS:
                self._too_large(
                    path, f"a file has at most {limits.FILE_CHARACTERS >> 20} MiB", span
                )
                return None
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
                data = file.read()
        except FileNotFoundError:
            self.report(
                Diagnostic(codes.FILE_UNREADABLE, f"`{path}` cannot be read: does not exist", span)
            )
            return None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f"`{path}` cannot be read: {reason.lower()}"
            within = os.path.join(path, "site.tvs")  # noqa: PTH118 - as above
            hint = f"the site is in a file: `{within}`" if os.path.isfile(within) else None  # noqa: PTH113
            self.report(Diagnostic(codes.FILE_UNREADABLE, message, span, help=hint))
            return None
        self._characters += len(data)
        if self._characters > limits.SITE_CHARACTERS or len(self.sources.files) >= limits.FILES:
            most = f"{limits.SITE_CHARACTERS >> 20} MiB in {limits.FILES:,} files"
            self._too_large(path, f"a whole site has at most {most}", span)
            return None
        return self._decode(path, data, span)

    def _decode(self, path: str, data: bytes, span: Span | None) -> str | None:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            message = (
                f"`{path}` is not UTF-8 text: line {line} has the byte 0x{data[error.start]:02x}"
            )
            self.report(Diagnostic(codes.FILE_NOT_UTF8, message, span))
            return None

    def _not_ours(self, path: str, span: Span) -> None:
        *most, last = (f"`{suffix}`" for suffix in limits.SUFFIXES)
        self.report(
            Diagnostic(
                codes.FILE_SUFFIX,
                f"`{path}` is no file of a site: its name does not end in"
                f" {', '.join(most)} or {last}",
                span,
                help="name it so; a link and the file behind it both need such a name",
            )
        )

    def _too_large(self, path: str, most: str, span: Span | None) -> None:
        self.report(Diagnostic(codes.FILE_TOO_LARGE, f"`{path}` is too large: {most}", span))

    def beside(self, name: str, file: int) -> str:
        """`name`, as written in file number `file`, seen from the site file's directory."""
        base = os.path.dirname(self.sources.files[file].name)  # noqa: PTH120
        return os.path.normpath(os.path.join(base, name))  # noqa: PTH118

    def match(self, pattern: str, file: int, span: Span | None = None) -> list[str] | None:
        """The files that an include's pattern names, sorted; paths as in `beside`. None after a
        report.
        """
        name = self.beside(pattern, file)
        if not has_pattern(name):
            return [name]
        here = str(self.root.parent)
        try:
            found = files_matching("/" if name.startswith("/") else here, name)
        except TooManyNamesError:
            self.report(
                Diagnostic(
                    codes.FILE_TOO_LARGE,
                    f"`{pattern}` looks at more than {limits.PATTERN_NAMES:,} names",
                    span,
                    help="name the directory that has the files",
                )
            )
            return None
        return sorted(os.path.relpath(p, here) for p in found)


def _may_be_named(path: str) -> bool:
    """Messages quote lines: a site must not make tvsc show files that belong to no site."""
    if not path.endswith(limits.SUFFIXES):
        return False
    # A link in the directories above changes no file's name.
    return not os.path.islink(path) or os.path.realpath(path).endswith(limits.SUFFIXES)  # noqa: PTH114


def parse(
    path: Path, sources: SourceMap, report: Report, apart_characters: int | None = None
) -> Program | None:
    """Parse the site file and everything it includes. None when the site file cannot be read.

    When more than `apart_characters` were read, files are not parsed whole any more: their `pool`,
    `service` and `for` blocks come as `Blocks`.
    """
    loader = Loader(path, sources, report)
    number = loader.read(path.name)
    if number is None:
        return None
    follow = _Follow(loader, report, apart_characters)
    root = follow.file(number, None)
    assert root is not None
    return Program(root, follow.included)


class _Follow:
    """Walks includes depth first; a file is parsed once however often it is included."""

    def __init__(self, loader: Loader, report: Report, apart_characters: int | None) -> None:
        self.loader = loader
        self.report = report
        self.apart_characters = apart_characters
        self.characters = 0
        self.included: dict[Span, tuple[File, ...]] = {}
        self.files: dict[int, File] = {}
        self.open: list[tuple[int, Span | None]] = []

    def file(self, number: int, span: Span | None) -> File | None:
        if any(number == n for n, _ in self.open):
            self._cycle(number, span)
            return None
        if number in self.files:
            return self.files[number]
        if len(self.open) >= limits.NESTING:
            self.report(
                Diagnostic(
                    codes.NESTED_TOO_DEEP,
                    f"includes are nested more than {limits.NESTING} deep",
                    span,
                )
            )
            return None
        parsed = self._parse(number, self.loader.sources.files[number].text)
        self.files[number] = parsed
        self.open.append((number, span))
        for include in _includes(parsed.body):
            self._include(include, number)
        self.open.pop()
        return parsed

    def _parse(self, number: int, text: str) -> File:
        self.characters += len(text)
        if self.apart_characters is None or self.characters < self.apart_characters:
            return parse_file(number, text, self.report)
        body: list[Statement] = []
        for part in split(text):
            if part.blocks:
                span = Span(number, part.start, part.end)
                body.append(Blocks(text[part.start : part.end], span))
            else:
                body += parse_part(number, text, self.report, part.start, part.end)
        return File(number, tuple(body))

    def _include(self, include: Include, number: int) -> None:
        span = include.pattern.span
        parts = include.pattern.parts
        if any(not isinstance(p, str) for p in parts):
            self.report(
                Diagnostic(codes.WRONG_TYPE, "the name of an included file has no variables", span)
            )
            return
        pattern = "".join(p for p in parts if isinstance(p, str))
        names: list[str] | None = []
        if pattern and "\0" not in pattern:
            names = self.loader.match(pattern, number, span)
        if names is None:
            return
        if not names:
            self.report(Diagnostic(codes.INCLUDE_NOTHING, f"no file matches `{pattern}`", span))
        found = (self.loader.read(name, span) for name in names)
        parsed = (self.file(n, span) for n in found if n is not None)
        self.included[span] = tuple(f for f in parsed if f is not None)

    def _cycle(self, number: int, span: Span | None) -> None:
        name = self.loader.sources.files[number].name
        chain = [s for n, s in self.open if s is not None]
        self.report(
            Diagnostic(
                codes.INCLUDE_CYCLE,
                f"`{name}` includes itself",
                span,
                tuple(Note("included here", s) for s in chain),
            )
        )


def _includes(body: tuple[Statement, ...]) -> Iterator[Include]:
    for statement in body:
        if isinstance(statement, Include):
            yield statement
        elif isinstance(statement, For | Line) and statement.block is not None:
            yield from _includes(statement.block.body)
