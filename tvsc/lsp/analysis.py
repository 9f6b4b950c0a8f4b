"""One site as an editor needs it: reads its files and the open buffers, writes an Analysis.

The stages are those of `tvsc check`; a test holds their messages equal. Nothing here is printed
and no file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tvsc.checks import check, prove
from tvsc.diag import Diagnostic, codes, has_errors, in_source_order
from tvsc.dsl import Loader, Program, parse
from tvsc.dsl.ast import Blocks, File
from tvsc.lower import Reading, no_garbage, resolve
from tvsc.lower.blocks import BlockReader
from tvsc.lsp.index import Index, index_site
from tvsc.lsp.overlay import BufferSources
from tvsc.lsp.reader import usual_reading
from tvsc.lsp.text import LineIndex
from tvsc.model import Site

_SYNTAX = {
    *(codes.NESTED_TOO_DEEP, codes.SYNTAX, codes.BAD_CHARACTER, codes.TEXT_NOT_CLOSED),
    *(codes.BRACE_NOT_CLOSED, codes.BAD_LITERAL),
}


class AbandonedError(Exception):
    """The analysis was given up: its texts are no longer current."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the stages found. `program` is None when the site file cannot be read, `site` when
    there is an error before the checks; `parsed` says that there is no syntax error.
    """

    root: Path
    sources: BufferSources
    program: Program | None
    site: Site | None
    diagnostics: list[Diagnostic]
    parsed: bool


@dataclass(frozen=True)
class Analysis:
    """A site, what is wrong with it, and its names."""

    checked: Checked
    index: Index
    encoding: str
    _lines: dict[int, LineIndex] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each file, by its key."""
        return {key: number for number, key in reversed(list(enumerate(self.keys)))}

    def lines(self, number: int) -> LineIndex:
        """Positions in a file as it was analysed."""
        known = self._lines.get(number)
        if known is None:
            text = self.checked.sources.files[number].text
            known = self._lines[number] = LineIndex(text, self.encoding)
        return known

    @cached_property
    def keys(self) -> list[str]:
        """The key of each file, by its number."""
        return self.checked.sources.keys()

    @cached_property
    def files(self) -> dict[int, File]:
        """The syntax tree of each file that has one."""
        program = self.checked.program
        if program is None:
            return {}
        included = (file for files in program.included.values() for file in files)
        return {file.number: file for file in (program.root, *included)}

    def text(self, number: int) -> str:
        """The text of a file as it was analysed."""
        return self.lines(number).text


def check_site(
    root: Path,
    texts: Mapping[str, str],
    tick: Callable[[], None] = lambda: None,
    whole: bool = True,
    reading: Reading | None = None,
) -> Checked:
    """Run the stages. What is not a `whole` site is parsed only.

    `texts` are the open buffers by their keys; `tick` is called between steps and may raise
    AbandonedError. `reading` says how a large site is read: blocks that were read before come from
    the store.
    """
    reading = reading or usual_reading(tick)
    sources = BufferSources(root, texts, tick)
    found: list[Diagnostic] = []
    with no_garbage():
        program = parse(root, sources, found.append, reading.apart_characters if whole else None)
        tick()
        parsed = not has_errors(found)
        loader = Loader(root, sources, found.append)
        site = None
        if program is not None and not parsed:
            apart = BlockReader(loader, reading)
            apart.parse_unknown(program)
            found += apart.syntax
        elif program is not None and whole:
            site = resolve(program, loader, found, reading)
            parsed = not _SYNTAX & {diagnostic.code for diagnostic in found}
            tick()
        if site is not None:
            found += check(site)
            tick()
            if not has_errors(found):
                found += prove(site)
    return Checked(root, sources, program, site, in_source_order(found), parsed)


def analyse(checked: Checked, encoding: str) -> Analysis:
    """The names of a site that was checked; `encoding` is the one of the client's columns."""
    program = checked.program
    with no_garbage():
        if program is not None and _has_blocks(program):
            # The same texts once more: blocks that are read apart have no syntax tree.
            program = parse(checked.root, checked.sources, lambda _: None)
        index = index_site(program) if program is not None else Index()
    return Analysis(replace(checked, program=program), index, encoding)


def _has_blocks(program: Program) -> bool:
    included = (file for files in program.included.values() for file in files)
    files = (program.root, *included)
    return any(isinstance(statement, Blocks) for file in files for statement in file.body)
