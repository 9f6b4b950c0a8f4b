"""Where a name is defined and used, which files a statement names, and what a file holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from lsprotocol import types

from tvsc.dsl.ast import For, Include, Let, Line, Statement, Text
from tvsc.lower.schema import KINDS, Kind
from tvsc.lsp.index import Occurrence
from tvsc.lsp.locate import locate
from tvsc.lsp.record import What, block_setting, settings_of
from tvsc.lsp.view import View
from tvsc.source import Span

_SYMBOLS = {
    What.SITE: types.SymbolKind.Namespace,
    What.NIC: types.SymbolKind.Interface,
    What.CLUSTER: types.SymbolKind.Module,
    What.NODE: types.SymbolKind.Object,
    What.PORT: types.SymbolKind.Property,
    What.POOL: types.SymbolKind.Array,
    What.SERVICE: types.SymbolKind.Function,
}


def definition(view: View, position: types.Position) -> list[types.Location]:
    """Where what stands at a place is defined: a variable, a thing, a file."""
    offset = view.offset(position)
    if offset is None:
        return []
    named = _all_of(view, offset)
    if named:
        return _locations(view, [one.span for one in named if one.defines])
    return list(_files(view, offset))


def references(view: View, position: types.Position, definitions: bool) -> list[types.Location]:
    """Where what stands at a place is named, in all files of the site."""
    offset = view.offset(position)
    found = [] if offset is None else _all_of(view, offset)
    return _locations(view, [one.span for one in found if definitions or not one.defines])


def highlights(view: View, position: types.Position) -> list[types.DocumentHighlight]:
    """Where what stands at a place is named in the same file."""
    offset = view.offset(position)
    found = [] if offset is None else _all_of(view, offset)
    kinds = {True: types.DocumentHighlightKind.Write, False: types.DocumentHighlightKind.Read}
    places = dict.fromkeys((o.span, o.defines) for o in found if o.span.file == view.number)
    ranges = [(view.range(span), kinds[defines]) for span, defines in places]
    return [types.DocumentHighlight(r, kind) for r, kind in ranges if r is not None]


def _all_of(view: View, offset: int) -> list[Occurrence]:
    """Every occurrence of what is named at an offset."""
    by_target = view.analysis.index.by_target
    targets = dict.fromkeys(t for one in view.occurrences(offset) for t in one.targets)
    return [occurrence for target in targets for occurrence in by_target.get(target, ())]


def _locations(view: View, spans: Sequence[Span]) -> list[types.Location]:
    found = (view.location(span) for span in dict.fromkeys(spans))
    return [location for location in found if location is not None]


def _files(view: View, offset: int) -> Iterator[types.Location]:
    """The files that the text at an offset names."""
    file = view.analysis.files.get(view.number)
    if file is None:
        return
    found = locate(file, view.analysis.index.kinds.get(view.number), offset)
    if found is None or not isinstance(found.item, Text):
        return
    start = types.Range(types.Position(0, 0), types.Position(0, 0))
    program = view.analysis.checked.program
    if isinstance(found.statement, Include):
        included = program.included.get(found.statement.span, ()) if program is not None else ()
        keys = [view.analysis.keys[one.number] for one in included]
    elif found.taken is not None and found.item in found.taken.files:
        keys = [_list_key(view, found.item)]
    else:
        return
    for key in keys:
        yield types.Location(view.session.uri(key), start)


def _list_key(view: View, text: Text) -> str:
    name = "".join(part for part in text.parts if isinstance(part, str))
    return os.path.realpath(os.path.join(os.path.dirname(view.analysis.keys[view.number]), name))  # noqa: PTH118, PTH120


# --- the outline of a file ------------------------------------------------------------------------


def symbols(view: View) -> list[types.DocumentSymbol]:
    """The variables and named blocks of a file."""
    file = view.analysis.files.get(view.number)
    if file is None:
        return []
    return list(_symbols(view, file.body, view.analysis.index.kinds.get(view.number)))


def _symbols(
    view: View, body: Sequence[Statement], kind: Kind | None
) -> Iterator[types.DocumentSymbol]:
    for statement in body:
        if isinstance(statement, Let):
            end = statement.value.span.end
            symbol = _symbol(view, statement.name.text, statement.name.span, end, None)
            if symbol is not None:
                yield symbol
        elif isinstance(statement, For):
            yield from _symbols(view, statement.block.body, kind)
        elif isinstance(statement, Line) and statement.block is not None:
            yield from _block(view, statement, kind)


def _block(view: View, line: Line, kind: Kind | None) -> Iterator[types.DocumentSymbol]:
    assert line.block is not None
    found = settings_of(kind, line.items)
    setting = block_setting(line, found)
    inner = None if setting is None or setting.block is None else KINDS[setting.block]
    children = list(_symbols(view, line.block.body, inner))
    named = found[-1].names if found else []
    if not named or setting is None:
        yield from children
        return
    place, item = named[0]
    text = view.analysis.text(view.number)
    name = text[item.span.start : item.span.end].strip('"')
    head = line.items[found[-1].first].span
    symbol = _symbol(view, name, item.span, line.block.span.end, place.what, head.start)
    if symbol is None:
        yield from children
        return
    symbol.children = children
    yield symbol


def _symbol(
    view: View, name: str, span: Span, end: int, what: What | None, start: int | None = None
) -> types.DocumentSymbol | None:
    whole = view.range(Span(span.file, span.start if start is None else start, end))
    selection = view.range(span)
    if selection is None or not name:
        return None
    if whole is None:
        # Changed since: the name at least is where it was.
        whole = selection
    kind = types.SymbolKind.Variable if what is None else _SYMBOLS[what]
    return types.DocumentSymbol(name, kind, whole, selection, detail=what or "let")
