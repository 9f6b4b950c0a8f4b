"""Has this very input been compiled already? Answered without reading it as a language.

A compilation leaves the names of the files that it read and one hash over all that went into it.
The next one reads these files again, looks which files its includes would find now, and compares.
Only sites in `.tvs` can be recalled: what a Python file reads nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from tvsc.build.output import Inputs
from tvsc.dsl.load import Loader
from tvsc.source import SourceMap

_SUFFIX = ".tvs"
_INCLUDE = re.compile(r'\binclude\b[^"\n]*"([^"\n]*)"')


def _digest(head: str, site: Path, texts: SourceMap, patterns: Sequence[tuple[int, str]]) -> str:
    digest = sha256(f"{head}\n".encode())
    for source in texts.files:
        data = source.text.encode()
        digest.update(f"{source.name}\0{len(data)}\0".encode() + data)
    loader = Loader(site, texts, lambda _: None)
    for number, pattern in patterns:
        found = loader.match(pattern, number)
        digest.update(f"{number}\0{pattern}\0{found}\n".encode())
    return digest.hexdigest()


def inputs_of(head: str, site: Path, sources: SourceMap) -> Inputs | None:
    """What was read; None when it cannot be recalled. `head` names everything else that decides.

    An include's pattern is a plain text, so it is found without a parser; one that stands in a
    comment does no harm.
    """
    if site.suffix != _SUFFIX:
        return None
    patterns = tuple(
        (number, pattern)
        for number, source in enumerate(sources.files)
        if source.name.endswith(_SUFFIX)
        for pattern in _INCLUDE.findall(source.text)
    )
    if any("\\" in pattern or "\0" in pattern for _, pattern in patterns):
        return None
    files = tuple(source.name for source in sources.files)
    return Inputs(files, patterns, _digest(head, site, sources, patterns))


def still_same(head: str, site: Path, inputs: Inputs) -> bool:
    """Whether a compilation would read now what it read then."""
    texts = SourceMap()
    for name in inputs.files:
        path = site.parent / name
        try:
            texts.add(name, str(path), path.read_bytes().decode("utf-8-sig"))
        except (OSError, ValueError):
            return False
    if not texts.files or texts.files[0].name != site.name:
        return False
    return _digest(head, site, texts, inputs.patterns) == inputs.digest
