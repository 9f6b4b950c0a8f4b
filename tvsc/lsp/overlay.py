"""A source map in which open buffers stand in for files.

The loader asks its source map before it opens a file. This one answers with the text of the buffer
that is open for that file, so that the compiler's stages see what is in the editor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tvsc.dsl import limits
from tvsc.source import SourceMap


def file_key(path: str | Path) -> str:
    """What a file is known by, however it was named: its real path."""
    return os.path.realpath(path)


class BufferSources(SourceMap):
    """`texts` has the text of every open buffer by its key; `tick` is called for every file asked
    for, and may raise to give up.
    """

    def __init__(
        self, root: Path, texts: Mapping[str, str], tick: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__()
        self._root = root
        self._texts = texts
        self._tick = tick

    def number(self, name: str) -> int | None:
        """The number of a file by its name; an open buffer is taken up under it."""
        self._tick()
        known = super().number(name)
        if known is not None:
            return known
        if "\0" in name or not (name == self._root.name or name.endswith(limits.SUFFIXES)):
            return None
        path = os.path.join(self._root.parent, name)  # noqa: PTH118 - keeps `..`, as the loader
        text = self._texts.get(file_key(path))
        return None if text is None else self.add(name, path, text)

    def keys(self) -> list[str]:
        """The key of every file, by its number."""
        return [file_key(file.path) for file in self.files]
