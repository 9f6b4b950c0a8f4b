"""The syntax tree to the model: names, loops, functions, inheritance, defaults.

    site, diagnostics, sources = load_site(Path("site.tvs"))

runs the stages of the front in order and stops after the first with an error:

    parse    (tvsc.dsl)     text       -> Program      (tvsc.site: a Python file -> Program)
    decode   (here)         Program    -> Fields       loops unrolled, functions evaluated
    inherit  (here)         Fields     -> Fields       `like` and `defaults` merged
    build    (here)         Fields     -> Site         defaults explicit, references checked
    check    (tvsc.checks)  Site       -> diagnostics  rules over the model
    prove    (tvsc.checks)  Site       -> diagnostics  the planned steering, run through the NICs
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvsc.checks import check, prove
from tvsc.diag import Diagnostic, codes, has_errors, in_source_order
from tvsc.dsl import Loader, Program, parse
from tvsc.dsl.ast import Line, Name
from tvsc.lower.blocks import BlockReader, Reading
from tvsc.lower.build import build_site
from tvsc.lower.decode import decode
from tvsc.lower.inherit import inherit
from tvsc.lower.scope import Context
from tvsc.model import Origins, Site
from tvsc.source import SourceMap, Span

LANGUAGE = 1

__all__ = ["LANGUAGE", "Reading", "load_site", "no_garbage", "resolve"]


def load_site(
    path: Path, reading: Reading | None = None
) -> tuple[Site | None, list[Diagnostic], SourceMap]:
    """Parse, resolve and check a site file.

    The site is None when there is an error; the diagnostics are in source order, warnings included.
    `reading` says how a large site is read; it changes nothing but the time that this takes.
    """
    sources = SourceMap()
    diagnostics: list[Diagnostic] = []
    with no_garbage():
        site = _stages(path, sources, diagnostics, reading or Reading.usual())
    return site, in_source_order(diagnostics), sources


def _stages(
    path: Path, sources: SourceMap, diagnostics: list[Diagnostic], reading: Reading
) -> Site | None:
    if path.suffix == ".py":
        from tvsc.site.load import parse_python

        program = parse_python(path, sources, diagnostics.append)
    else:
        program = parse(path, sources, diagnostics.append, reading.apart_characters)
    if program is None:
        return None
    loader = Loader(path, sources, diagnostics.append)
    if has_errors(diagnostics):
        apart = BlockReader(loader, reading)
        apart.parse_unknown(program)
        diagnostics += apart.syntax
        return None
    site = resolve(program, loader, diagnostics, reading)
    if site is None:
        return None
    diagnostics += check(site)
    if not has_errors(diagnostics):
        diagnostics += prove(site)
    return None if has_errors(diagnostics) else site


@contextmanager
def no_garbage() -> Iterator[None]:
    """No cyclic garbage arises while a site is read, and looking for it takes a quarter of the
    time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # All that was made counts as old: the next allocation is no reason to look it through.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def resolve(
    program: Program,
    loader: Loader,
    diagnostics: list[Diagnostic],
    reading: Reading | None = None,
) -> Site | None:
    """The model of a program; None after an error. `loader` reads the site's list files, `reading`
    must be given when the program has blocks that are to be read apart.
    """
    before = len(diagnostics)
    _language(program, diagnostics)
    apart = BlockReader(loader, reading or Reading.nothing_apart())
    top = decode(program, diagnostics.append, apart)
    if apart.syntax:
        # As if all had been parsed before anything was decoded.
        diagnostics[before:] = apart.syntax
        return None
    version = top.entries.get(("language", ""))
    if version is not None and version.value != LANGUAGE:
        message = f"this version of tvsc knows the language {LANGUAGE} only"
        diagnostics.append(Diagnostic(codes.LANGUAGE_VERSION, message, version.span))
    if has_errors(diagnostics[before:]):
        return None
    top = inherit(top, diagnostics.append)
    if has_errors(diagnostics[before:]):
        return None
    context = Context(diagnostics.append, Origins(), loader, list_lines=apart.list_lines)
    site = build_site(context, top)
    return None if has_errors(diagnostics[before:]) else site


def _language(program: Program, diagnostics: list[Diagnostic]) -> None:
    """The site file starts with `language 1`."""
    number, body = program.root.number, program.root.body
    first = body[0] if body else None
    span = Span(number, 0, 0)
    if isinstance(first, Line) and first.items:
        head = first.items[0]
        span = head.span
        if isinstance(head, Name) and head.text == "language":
            return
    diagnostics.append(
        Diagnostic(
            codes.LANGUAGE_VERSION,
            "a site file starts with the version of its language",
            span,
            help="write `language 1` on the first line",
        )
    )
