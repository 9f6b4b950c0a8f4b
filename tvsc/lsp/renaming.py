"""A rename asked for by a client: finds all sites that are concerned, and answers with the edits.

Nothing is answered from an old analysis: a rename waits for the current one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lsprotocol import types

from tvsc.lsp.analysis import Analysis, analyse, check_site
from tvsc.lsp.index import Occurrence, Target
from tvsc.lsp.protocol import RefusedError
from tvsc.lsp.rename import Edit, all_edits, apply_edits, check_name, prove, target_at
from tvsc.lsp.session import Session
from tvsc.lsp.sites import Finder
from tvsc.lsp.text import LineIndex
from tvsc.lsp.uris import key_of
from tvsc.lsp.view import View, views

WAIT_S = 120.0
"""So long the current text may take to be analysed."""

# No ModifiedError: editors keep that from the user, who waits for a new name.
CHANGED = "the text changed meanwhile: try again"


@dataclass(frozen=True, slots=True)
class Place:
    """What a client wants to rename."""

    view: View
    target: Target
    occurrence: Occurrence

    @classmethod
    async def find(cls, session: Session, uri: str, position: types.Position) -> Place:
        """What is named at a position. Raises RefusedError where nothing can be renamed."""
        key = key_of(uri)
        asked = session.buffers.get(key)
        if asked is None:
            raise RefusedError("the file is not open")
        if not asked.is_site_file:
            raise RefusedError("names are renamed in .tvs files")
        settled = await session.settle(key, WAIT_S)
        if session.buffers.get(key) is not asked:
            raise RefusedError(CHANGED)
        view = next(iter(views(session, key)), None)
        if view is None or not settled or not view.shift.same:
            raise RefusedError("the site is still being read: try again in a moment")
        _must_be_good(view.analysis, view.site.whole)
        offset = view.buffer.lines.offset(position)
        target, occurrence = target_at(view.analysis, view.number, offset)
        return cls(view, target, occurrence)


def _must_be_good(analysis: Analysis, whole: bool) -> None:
    if not whole:
        raise RefusedError(
            "no site includes this file, so it is not known what else has the name: open the site"
            " file, or its folder"
        )
    checked = analysis.checked
    if not checked.parsed or checked.site is None:
        first = next((d for d in checked.diagnostics if d.severity == "error"), None)
        where = "" if first is None else f" ({checked.sources.label(first.span)}: {first.message})"
        raise RefusedError(f"the site has errors; correct them before you rename{where}")


@dataclass(frozen=True, slots=True)
class FileEdits:
    """The edits of one file. `version` is that of the open document, if it is one."""

    uri: str
    version: int | None
    edits: tuple[types.TextEdit, ...]


async def renamed_files(session: Session, place: Place, name: str) -> list[FileEdits]:
    """The edits that rename what is at a place, proved in every site that they touch.

    Raises RefusedError for names that cannot be, and where the proof fails.
    """
    target = place.target
    if name == target.name:
        return []
    check_name(target, name)
    analysis = place.view.analysis
    texts = session.texts()
    analyses = [analysis]
    while True:
        edits = all_edits(analyses, analysis, target, name)
        keys = {edit.key for edit in edits}
        more = await _other_sites(session, keys, analyses, texts)
        if not more:
            break
        analyses += more
    before = {key: one.text(number) for one in analyses for key, number in one.numbers.items()}
    after = apply_edits(before, edits)
    for one in analyses:
        await session.errand(partial(prove, one, texts, after, target, name))
    if session.texts() != texts:
        raise RefusedError(CHANGED)
    return [_file_edits(session, key, before[key], edits) for key in sorted(after)]


async def _other_sites(
    session: Session, keys: set[str], known: Sequence[Analysis], texts: dict[str, str]
) -> list[Analysis]:
    """Sites beyond the known ones that have one of these files, open or not."""
    finder = Finder(texts, session.folders)
    roots: set[str] = {site.key for key in keys for site in session.sites_with(key) if site.whole}
    for key in sorted(keys):
        roots.update(await session.errand(partial(finder.sites_of, key)))
    found = []
    for root in sorted(roots - {one.keys[0] for one in known}):
        path = session.root_path(root)
        checked = await session.errand(partial(check_site, path, texts))
        one = await session.errand(partial(analyse, checked, session.wishes.encoding))
        if any(key in one.numbers for key in keys):
            _must_be_good(one, whole=True)
            found.append(one)
    return found


def _file_edits(session: Session, key: str, text: str, edits: Sequence[Edit]) -> FileEdits:
    lines = LineIndex(text, session.wishes.encoding)
    buffer = session.buffers.get(key)
    made = tuple(
        types.TextEdit(lines.range(edit.start, edit.end), edit.text)
        for edit in edits
        if edit.key == key
    )
    return FileEdits(session.uri(key), None if buffer is None else buffer.version, made)


def workspace_edit(files: Sequence[FileEdits], versions: bool) -> types.WorkspaceEdit:
    """The protocol's edit; with `versions` for a client that compares them."""
    if not versions:
        return types.WorkspaceEdit(changes={one.uri: list(one.edits) for one in files})
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(uri=one.uri, version=one.version),
                list(one.edits),
            )
            for one in files
        ]
    )
