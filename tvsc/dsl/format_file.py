"""Formatting of files: reads a path, proves the formatted text in its site, replaces the file.

What a fragment means depends on the site that includes it, so its proof is that of `format_text`
alone. A whole site is resolved twice, as it was and as it would be, and must be the same model.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic
from tvsc.dsl import limits
from tvsc.dsl.ast import Line, Name, Program
from tvsc.dsl.format import FormatError, format_text
from tvsc.dsl.load import Loader, parse
from tvsc.lower import no_garbage, resolve
from tvsc.model import Site
from tvsc.source import SourceMap

STDIN = Path("<stdin>")


@dataclass(frozen=True, slots=True)
class Formatted:
    """A file before and after; `data` is what is in the file, to the byte."""

    path: Path
    data: bytes
    text: str

    @property
    def changed(self) -> bool:
        """Whether the file is not in the canonical layout."""
        return self.data != self.text.encode()


Result = tuple[Formatted | None, list[Diagnostic], SourceMap]


def format_file(path: Path) -> Result:
    """The file in the canonical layout, proved; None and why not. Writes nothing."""
    sources, found = SourceMap(), list[Diagnostic]()
    if Loader(path, sources, found.append).read(path.name) is None:
        return None, found, sources
    data = path.read_bytes()
    if data.decode("utf-8-sig", errors="replace") != sources.files[0].text:
        raise OSError(f"{path} changes while it is read")
    return _format(path, data, sources, found), found, sources


def format_stdin(stream: BinaryIO) -> Result:
    """As `format_file`, for a text that comes from a pipe: what it includes is sought here."""
    sources, found = SourceMap(), list[Diagnostic]()
    data = stream.read(limits.FILE_CHARACTERS + 1)
    if len(data) > limits.FILE_CHARACTERS:
        message = f"`{STDIN}` is too large: a file has at most {limits.FILE_CHARACTERS >> 20} MiB"
        return None, [Diagnostic(codes.FILE_TOO_LARGE, message)], sources
    try:
        sources.add(STDIN.name, STDIN.name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"`{STDIN}` is not UTF-8 text: line {line} has the byte 0x{data[error.start]:02x}"
        return None, [Diagnostic(codes.FILE_NOT_UTF8, message)], sources
    return _format(STDIN, data, sources, found), found, sources


def _format(
    path: Path, data: bytes, sources: SourceMap, found: list[Diagnostic]
) -> Formatted | None:
    text = sources.files[0].text
    with no_garbage():
        formatted = format_text(text, found.append)
        if formatted is None:
            return None
        if formatted != text:
            before = _model(path, text)
            if before is not None and before != _model(path, formatted):
                raise FormatError("the formatted site has another model")
    return Formatted(path, data, formatted)


def _model(path: Path, text: str) -> Site | None:
    """The site with this text in the place of its file; None for a fragment, or after an error."""
    found: list[Diagnostic] = []
    sources = SourceMap()
    sources.add(path.name, str(path), text)
    program = parse(path, sources, found.append)
    if program is None or found or not _is_site(program):
        return None
    return resolve(program, Loader(path, sources, found.append), found)


def _is_site(program: Program) -> bool:
    first = program.root.body[0] if program.root.body else None
    head = first.items[0] if isinstance(first, Line) else None
    return isinstance(head, Name) and head.text == "language"


def replace_file(formatted: Formatted) -> None:
    """Write the text in one step: who reads the file meanwhile sees the old or the new one.

    The file keeps its mode and, where that may be, its owner; a symbolic link stays one.
    """
    path = formatted.path.resolve()
    state = path.stat()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(formatted.text.encode())
            file.flush()
            with suppress(PermissionError):
                os.fchown(handle, state.st_uid, state.st_gid)
            os.fchmod(handle, state.st_mode & 0o7777)
            os.fsync(handle)
        if path.read_bytes() != formatted.data:
            raise OSError(f"{formatted.path} changed while it was formatted")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
