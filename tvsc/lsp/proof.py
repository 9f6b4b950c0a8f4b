"""Proofs of what the server writes: the model of a site as buffers would make it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tvsc.diag import Diagnostic, has_errors
from tvsc.dsl import Loader, parse
from tvsc.lower import no_garbage, resolve
from tvsc.lsp.overlay import BufferSources
from tvsc.lsp.reader import usual_reading
from tvsc.model import Site


def model_of(root: Path, texts: Mapping[str, str]) -> tuple[Site | None, list[Diagnostic]]:
    """The site, with these texts in the place of their files; None and why not after an error.

    Neither the rules nor the steering are checked: they say nothing about what a text means.
    """
    found: list[Diagnostic] = []
    sources = BufferSources(root, texts)
    reading = usual_reading(lambda: None)
    with no_garbage():
        program = parse(root, sources, found.append, reading.apart_characters)
        if program is None or has_errors(found):
            return None, found
        loader = Loader(root, sources, found.append)
        return resolve(program, loader, found, reading), found
