"""Which site files a file belongs to: reads texts and folders, writes paths of site files.

A quick look only, by regular expression, for what includes what. Whether a site really has a file,
its analysis says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from tvsc.dsl.pattern import TooManyNamesError, files_matching, has_pattern
from tvsc.lsp.overlay import file_key

MAX_CANDIDATES = 2000
"""Files of a workspace that are looked at for a site."""
MAX_LOOKED_AT = 10_000
"""Files and folders that are passed on the way."""
MAX_LEVELS = 4
"""Folders above a file that are searched when it is in no workspace folder."""

_LANGUAGE = re.compile(r"(?:\s|#[^\n]*(?:\n|\Z))*language\b")
_SITE = re.compile(r"^[ \t]*site[ \t]+[\w\"]", re.MULTILINE)
_NAMED = re.compile(
    r'#[^\n]*|\b(?:include|from)[ \t]+"((?:[^"\\\n]|\\.)*)"|"(?:[^"\\\n]|\\.)*"',
)


def is_site_text(text: str) -> bool:
    """Whether a text says that it is a whole site."""
    return _LANGUAGE.match(text) is not None


def might_be_site(text: str) -> bool:
    """Whether a text is a site that lacks its `language`."""
    return is_site_text(text) or _SITE.search(text) is not None


class Finder:
    """One search; `texts` are the open buffers by their keys."""

    def __init__(self, texts: Mapping[str, str], folders: Iterable[Path]) -> None:
        self.texts = texts
        self.folders = [Path(file_key(folder)) for folder in folders]
        self._named: dict[str, set[str]] = {}

    def sites_of(self, key: str) -> list[str]:
        """The keys of the site files that have the file; itself when it is one."""
        text = self._text(key)
        if is_site_text(text):
            return [key]
        found: dict[str, None] = {}
        for candidate in self._candidates(Path(key)):
            if candidate in found or candidate == key or not is_site_text(self._text(candidate)):
                continue
            if self._reaches(candidate, key):
                found[candidate] = None
        return list(found)

    def _text(self, key: str) -> str:
        known = self.texts.get(key)
        if known is not None:
            return known
        try:
            return Path(key).read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):
            return ""

    def _candidates(self, path: Path) -> Iterator[str]:
        yield from (key for key in self.texts if key.endswith(".tvs"))
        home = next((f for f in self.folders if path.is_relative_to(f)), None)
        above = [p for p in path.parents if home is None or p.is_relative_to(home)]
        for folder in above[: MAX_LEVELS if home is None else None]:
            yield from sorted(_files(folder))
        if home is not None:
            yield from islice(_files_below(home), MAX_CANDIDATES)

    def _reaches(self, site: str, key: str) -> bool:
        seen = {site}
        waiting = [site]
        while waiting and len(seen) < MAX_LOOKED_AT:
            for name in self._names(waiting.pop()):
                if name == key:
                    return True
                if name not in seen:
                    seen.add(name)
                    if name.endswith(".tvs"):
                        waiting.append(name)
        return False

    def _names(self, key: str) -> set[str]:
        known = self._named.get(key)
        if known is not None:
            return known
        found: set[str] = set()
        base = Path(key).parent
        for match in _NAMED.finditer(self._text(key)):
            pattern = match[1]
            if pattern:
                found.update(file_key(path) for path in _matches(base, pattern))
        self._named[key] = found
        return found


def _matches(base: Path, pattern: str) -> list[Path]:
    if "\0" in pattern:
        return []
    name = os.path.normpath(base / pattern)
    if not has_pattern(name):
        return [Path(name)]
    try:
        return [Path(path) for path in files_matching("/", name)]
    except TooManyNamesError:
        return []


def _files(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [e.path for e in islice(entries, MAX_LOOKED_AT) if e.name.endswith(".tvs")]
    except OSError:
        return []
    return [file_key(path) for path in found]


def _files_below(folder: Path) -> Iterator[str]:
    looked_at = 0
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "node_modules")
        looked_at += len(names) + len(folders)
        if looked_at > MAX_LOOKED_AT:
            return
        yield from (file_key(Path(path) / name) for name in sorted(names) if name.endswith(".tvs"))
