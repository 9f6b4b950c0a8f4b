"""The files that an include's pattern names: reads directories, writes paths.

As `pathlib` understands patterns (`*`, `?`, `[...]`, and `**` for directories at any depth, without
following links), but names with a dot in front match only what has one, too, as in a shell; so
`**/*.tvs` looks neither into `.git` nor at what editors leave. And the work is bounded: a pattern
that looks at too many names is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from fnmatch import translate

from tvsc.dsl import limits


class TooManyNamesError(Exception):
    """The pattern looks at more than `limits.PATTERN_NAMES` names."""


def has_pattern(name: str) -> bool:
    """Whether a name is a pattern."""
    return any(c in name for c in "*?[")


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _is(kind: Callable[[], bool]) -> bool:
    """What a name is; links that lead back to themselves, and what may not be looked at, are
    nothing.
    """
    try:
        return kind()
    except OSError:
        return False


def files_matching(start: str, pattern: str) -> set[str]:
    """The regular files (or links to them) below directory `start` that match; paths begin with
    `start`. Raises TooManyNamesError. Directories that cannot be read have no files.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if any("**" in part and part != "**" for part in parts):
        return set()
    # Several `**` in a row are one.
    parts = [
        part
        for part, before in zip(parts, ["", *parts], strict=False)
        if part != "**" or before != "**"
    ]
    return _Search(parts).run(start)


class _Search:
    def __init__(self, parts: list[str]) -> None:
        self.parts = parts
        self.wanted = [re.compile(translate(p)) if has_pattern(p) else None for p in parts]
        self.names = 0
        self.found: set[str] = set()

    def run(self, start: str) -> set[str]:
        """Every directory is looked at once for each part of the pattern, however it is reached."""
        seen: set[tuple[str, int]] = set()
        waiting = [(start, 0)]
        while waiting:
            place = waiting.pop()
            if place not in seen:
                seen.add(place)
                waiting += self.step(*place)
        return self.found

    def step(self, directory: str, index: int) -> Iterator[tuple[str, int]]:
        """Look for one part in one directory; gives where to look on."""
        if index == len(self.parts):
            return
        wanted, last = self.wanted[index], index == len(self.parts) - 1
        if self.parts[index] == "**":
            yield directory, index + 1
            for entry in self.entries(directory):
                if not _hidden(entry.name) and not entry.is_symlink() and _is(entry.is_dir):
                    yield entry.path, index
        elif wanted is None:
            self.count()
            path = os.path.join(directory, self.parts[index])  # noqa: PTH118 - keeps `..`
            if last and os.path.isfile(path):  # noqa: PTH113 - as above
                self.found.add(path)
            elif not last:
                yield path, index + 1
        else:
            for entry in self.entries(directory):
                if _hidden(entry.name) > _hidden(self.parts[index]) or not wanted.match(entry.name):
                    continue
                if last and _is(entry.is_file):
                    self.found.add(entry.path)
                elif not last and _is(entry.is_dir):
                    yield entry.path, index + 1

    def entries(self, directory: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(directory or ".") as listing:
                for entry in listing:
                    self.count()
                    yield entry
        except OSError:
            return

    def count(self) -> None:
        self.names += 1
        if self.names > limits.PATTERN_NAMES:
            raise TooManyNamesError
