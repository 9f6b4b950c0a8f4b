"""Every question at every place of a text, whole or broken: an answer or none, never a failure."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from tests.lsp.test_analysis import analysis
from tvsc.lsp import navigate
from tvsc.lsp.analysis import Analysis
from tvsc.lsp.completion import Wanted, complete
from tvsc.lsp.hover import hover
from tvsc.lsp.overlay import file_key
from tvsc.lsp.protocol import RefusedError
from tvsc.lsp.rename import edits_in, target_at
from tvsc.lsp.session import Session, SiteState
from tvsc.lsp.text import Buffer, LineIndex
from tvsc.lsp.view import View, views

ROOT = Path(__file__).parents[2]
SITES = sorted((ROOT / "examples").glob("*/site.tvs"))
FILES = sorted((ROOT / "examples").rglob("*.tvs"))
ANALYSES = {site.parent: analysis(site) for site in SITES}

relaxed = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def show(path: Path, text: str, known: Analysis) -> tuple[Buffer, tuple[View, ...]]:
    """A buffer with a text, in a session that knows the site by an older analysis."""
    session = Session(lambda *_: None)
    buffer = Buffer(path.as_uri(), file_key(path), path, "tvs", 1, LineIndex(text, "utf-16"))
    session.buffers[buffer.key] = buffer
    root = known.checked.root
    site = SiteState(root, file_key(root), whole=True, latest=known, good=known)
    session.sites[site.key] = site
    return buffer, tuple(views(session, buffer.key))


def ask_everything(buffer: Buffer, seen: tuple[View, ...], position: types.Position) -> None:
    for trigger in (None, " "):
        found = complete(Wanted(buffer, seen, trigger, True), position)
        assert len({item.label for item in found.items}) <= len(found.items)
        for item in found.items:
            assert isinstance(item.text_edit, types.TextEdit)
            assert item.text_edit.range.end == position
            assert item.text_edit.range.start.line == position.line
    for view in seen:
        answer = hover(view, position)
        if answer is not None:
            assert isinstance(answer.contents, types.MarkupContent)
            assert answer.contents.value and answer.range is not None
            assert answer.range.start <= position <= answer.range.end
        places = navigate.references(view, position, definitions=True)
        defined = navigate.definition(view, position)
        if places:
            assert all(place in places for place in defined)
        navigate.highlights(view, position)


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_whole_text(path: Path) -> None:
    """Where the text is whole, so are the answers: every name and value can be hovered."""
    known = next(known for folder, known in ANALYSES.items() if path.is_relative_to(folder))
    text = path.read_text(encoding="utf-8")
    buffer, seen = show(path, text, known)
    hovered = set()
    for offset in range(0, len(text) + 1, 1 if len(text) < 1500 else 3):
        position = buffer.lines.position(offset)
        ask_everything(buffer, seen, position)
        if hover(seen[0], position) is not None:
            hovered.add(offset)
        try:
            target, _ = target_at(known, seen[0].number, offset)
            edits = edits_in(known, target, "quite-another")
        except RefusedError:
            continue
        assert any(edit.start <= offset <= edit.end for edit in edits)
    for number, line in enumerate(text.split("\n")):
        code = line.partition("#")[0].strip()
        start = buffer.lines.offset(types.Position(number, 0))
        if code and code not in ("}", "} }") and not code.startswith(("let", "for", "include")):
            assert hovered & set(range(start, start + len(line))), line
    json.dumps([symbol.name for symbol in navigate.symbols(seen[0])])


def broken(text: str, data: st.DataObject) -> Iterator[str]:
    start = data.draw(st.integers(0, len(text)))
    end = min(len(text), start + data.draw(st.integers(0, 60)))
    piece = data.draw(
        st.sampled_from(
            ["", "{", "}", '"', "(", "#", "->", "host(", "x", "\n", "for n in 1..", "😀"]
        )
    )
    yield text[:start] + piece + text[end:]
    yield text[:start] + piece


@given(data=st.data())
@relaxed
def test_broken_text(data: st.DataObject) -> None:
    """A text that was cut, an analysis of what it was before: no question fails."""
    path = data.draw(st.sampled_from(FILES))
    known = next(known for folder, known in ANALYSES.items() if path.is_relative_to(folder))
    for text in broken(path.read_text(encoding="utf-8"), data):
        buffer, seen = show(path, text, known)
        for _ in range(5):
            offset = data.draw(st.integers(0, len(text)))
            ask_everything(buffer, seen, buffer.lines.position(offset))
        for view in seen:
            navigate.symbols(view)


@given(data=st.data())
@relaxed
def test_analysis_of_broken_text(data: st.DataObject) -> None:
    """The index is made of what is left of a text, whatever that is."""
    path = data.draw(st.sampled_from(SITES))
    for text in broken(path.read_text(encoding="utf-8"), data):
        found = analysis(path, {path: text})
        buffer, seen = show(path, text, found)
        for _ in range(5):
            offset = data.draw(st.integers(0, len(text)))
            ask_everything(buffer, seen, buffer.lines.position(offset))
