"""Completion: what may be written at a cursor, in a text that need not be right yet."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from lsprotocol import types

from tvsc.dsl import limits
from tvsc.dsl.ast import Name
from tvsc.dsl.format_settings import kind_of_file
from tvsc.lower.evaluate import FUNCTIONS
from tvsc.lower.schema import KINDS, Kind, Setting
from tvsc.lsp.analysis import Analysis
from tvsc.lsp.context import Context, Where, context_at
from tvsc.lsp.expect import Expected, expected_after
from tvsc.lsp.index import Thing
from tvsc.lsp.record import What
from tvsc.lsp.show import FIRST_VALUES, code, show_function, show_setting, show_value
from tvsc.lsp.sites import is_site_text
from tvsc.lsp.summary import summary
from tvsc.lsp.text import Buffer
from tvsc.lsp.variables import Variable, values_of
from tvsc.lsp.view import View
from tvsc.model import Driver

MAX_ITEMS = 300
"""More are not sent: the client asks again when more is typed."""

_TRIGGERS = {
    " ": (Where.ITEM, Where.FOR_IN),
    ">": (Where.ITEM,),
    "{": (Where.INSERTION,),
    '"': (Where.FILE,),
    "/": (Where.FILE,),
}

TRIGGERS = tuple(_TRIGGERS)
"""The keys that ask without being told to."""

_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9]*(?:[:/][A-Z]+)?")

_STATEMENTS = {
    "let": ("let ${1:name} = ${0:value}", "let NAME = VALUE", "Gives a value a name."),
    "for": (
        "for ${1:n} in ${2:1}..${3:4} {\n    $0\n}",
        "for NAME in FIRST..LAST { ... }",
        "Repeats its statements.",
    ),
    "include": ('include "${0:pools/*.tvs}"', 'include "PATTERN"', "Reads other files here."),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """One thing that may be written; `order` sorts the sorts of them."""

    label: str
    sort: types.CompletionItemKind
    order: int
    detail: str = ""
    doc: str = ""
    snippet: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request: who asks, by what key (None: by hand), and whether snippets are understood."""

    buffer: Buffer
    views: tuple[View, ...]
    trigger: str | None
    snippets: bool

    @property
    def analyses(self) -> list[Analysis]:
        """The last analyses, and where they had syntax errors the last ones that had none."""
        return [view.analysis for view in self.views]


def complete(wanted: Wanted, position: types.Position) -> types.CompletionList:
    """What may be written at a position. A key that was typed asks only for what belongs behind
    it: a blank for words and names, not for everything.
    """
    buffer = wanted.buffer
    offset = buffer.lines.offset(position)
    context = context_at(buffer.text, offset, _file_kind(wanted))
    found = _proposals(wanted, context, offset)
    if wanted.trigger is not None:
        meant = context.where in _TRIGGERS.get(wanted.trigger, ())
        found = (p for p in found if meant and (p.order == 0 or context.where is not Where.ITEM))
    fitting = [p for p in found if _fits(p.label, context.word)]
    fitting = list({(p.label, p.sort): p for p in fitting}.values())
    range_ = buffer.lines.range(context.start, offset)
    items = [_item(p, range_, wanted.snippets) for p in fitting[:MAX_ITEMS]]
    return types.CompletionList(is_incomplete=len(fitting) > MAX_ITEMS, items=items)


def _fits(label: str, word: str) -> bool:
    """Whether the letters typed so far occur in the label in their order."""
    letters = iter(label.lower())
    return all(letter in letters for letter in word.lower())


def _item(proposal: Proposal, range_: types.Range, snippets: bool) -> types.CompletionItem:
    snippet = proposal.snippet if snippets else None
    text = types.TextEdit(range_, proposal.label if snippet is None else snippet)
    doc = types.MarkupContent(types.MarkupKind.Markdown, proposal.doc) if proposal.doc else None
    return types.CompletionItem(
        proposal.label,
        kind=proposal.sort,
        detail=proposal.detail or None,
        documentation=doc,
        sort_text=f"{proposal.order}{proposal.label}",
        filter_text=proposal.label,
        insert_text_format=types.InsertTextFormat.PlainText
        if snippet is None
        else types.InsertTextFormat.Snippet,
        text_edit=text,
    )


def _file_kind(wanted: Wanted) -> Kind | None:
    for view in wanted.views:
        kind = view.analysis.index.kinds.get(view.number)
        if kind is not None and view.site.whole:
            return kind
    if is_site_text(wanted.buffer.text):
        return KINDS["file"]
    for view in wanted.views:
        file = view.analysis.files.get(view.number)
        if file is not None and file.body:
            return kind_of_file(file.body)
    return KINDS["file"]


def _proposals(wanted: Wanted, context: Context, offset: int) -> Iterator[Proposal]:
    if context.where is Where.STATEMENT:
        yield from _settings(context.kind)
        yield from _statements()
    elif context.where is Where.VALUE:
        yield from _values(wanted, context, offset)
    elif context.where is Where.INSERTION:
        yield from _variables(wanted, context, offset)
    elif context.where is Where.FOR_IN:
        yield Proposal("in", types.CompletionItemKind.Keyword, 0)
    elif context.where is Where.FILE:
        yield from _files(wanted.buffer, context.word)
    elif context.where is Where.ITEM and context.kind is not None:
        yield from _next(wanted, context, offset, expected_after(context.kind, context.items))


def _next(wanted: Wanted, context: Context, offset: int, expected: Expected) -> Iterator[Proposal]:
    setting = expected.setting
    detail = "" if setting is None else setting.usage
    doc = "" if setting is None else f"{code(setting.usage)}\n{setting.doc}"
    for word in dict.fromkeys(expected.words):
        yield Proposal(word, types.CompletionItemKind.EnumMember, 0, detail, doc)
    if expected.place is not None:
        yield from _names(wanted, expected.place.what, expected.place.defines)
    if expected.value:
        yield from _values(wanted, context, offset)
    if expected.secret is not None:
        yield from _secrets(wanted, expected.secret)
    if expected.settings:
        yield from _settings(context.kind, order=4)


def _settings(kind: Kind | None, order: int = 1) -> Iterator[Proposal]:
    for setting in () if kind is None else kind.settings.values():
        assert kind is not None
        yield Proposal(
            setting.keyword,
            types.CompletionItemKind.Property
            if setting.block is None
            else types.CompletionItemKind.Struct,
            order,
            setting.usage,
            show_setting(setting, kind.name),
            _snippet(setting),
        )


def _snippet(setting: Setting) -> str | None:
    """A block with what it needs to be filled in; None for a setting without one."""
    usage = setting.usage.split(" | ")[0] if "{" in setting.usage else ""
    head, brace, _ = usage.partition("{")
    if not brace:
        return None
    head = re.sub(r"\[[^\]]*\] ", "", head)
    numbers = iter(range(1, 10))
    head = _PLACEHOLDER.sub(lambda match: f"${{{next(numbers)}:{match[0]}}}", head)
    return f"{head}{{\n    $0\n}}"


def _statements() -> Iterator[Proposal]:
    for word, (snippet, usage, doc) in _STATEMENTS.items():
        yield Proposal(word, types.CompletionItemKind.Keyword, 3, usage, doc, snippet)


def _values(wanted: Wanted, context: Context, offset: int) -> Iterator[Proposal]:
    yield from _variables(wanted, context, offset)
    for name, (usage, doc) in FUNCTIONS.items():
        yield Proposal(
            name,
            types.CompletionItemKind.Function,
            2,
            usage,
            show_function(name) or doc,
            f"{name}($0)",
        )


def _variables(wanted: Wanted, context: Context, offset: int) -> Iterator[Proposal]:
    for name in context.loops:
        yield Proposal(name, types.CompletionItemKind.Variable, 1, f"for {name}")
    for view in wanted.views:
        old = view.shift.to_old(offset)
        old = view.shift.head if old is None else old
        for variable in view.analysis.index.scope_at(view.number, old).visible().values():
            later = variable.span.file == view.number and variable.span.start >= old
            if not later:
                yield _variable(variable)


def _variable(variable: Variable) -> Proposal:
    name = Name(variable.name, variable.span)
    values = values_of(name, {variable.name: variable}, FIRST_VALUES)
    shown = "" if values is None else ", ".join(show_value(value) for value in values.first)
    head = "for" if variable.loop else "let"
    return Proposal(
        variable.name,
        types.CompletionItemKind.Variable,
        1,
        f"{head} {variable.name}" + (f": {shown}" if shown else ""),
    )


def _names(wanted: Wanted, what: What, defines: bool) -> Iterator[Proposal]:
    """The names that can stand here. A new thing has a new name; ports alone are named again."""
    if defines and what is not What.PORT:
        return
    names: dict[str, None] = {}
    for analysis in wanted.analyses:
        names.update(dict.fromkeys(analysis.index.things(what)))
    if what is What.NIC:
        names.update(dict.fromkeys(driver.value for driver in Driver))
    sites = (analysis.checked.site for analysis in wanted.analyses)
    site = next((one for one in sites if one is not None), None)
    for name in islice(names, 20 * MAX_ITEMS):
        doc = summary(Thing(what, name), site) if len(names) <= MAX_ITEMS else ""
        yield Proposal(
            name if _is_bare(name) else f'"{name}"',
            types.CompletionItemKind.Reference,
            0,
            what.value,
            doc,
        )


def _is_bare(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*(?:-\w+)*", name, re.ASCII) is not None


def _secrets(wanted: Wanted, source: str) -> Iterator[Proposal]:
    found = chain.from_iterable(analysis.index.secrets for analysis in wanted.analyses)
    for known, name in dict.fromkeys(found):
        if known == source:
            yield Proposal(
                f'"{name}"', types.CompletionItemKind.Constant, 0, f"{source} of the site"
            )


def _files(buffer: Buffer, typed: str) -> Iterator[Proposal]:
    """Files and folders that a path may go on with."""
    folder, _, _ = typed.rpartition("/")
    base = Path(os.path.normpath(Path(buffer.key).parent / folder))
    try:
        with os.scandir(base) as entries:
            found = sorted(
                (entry.name, entry.is_dir()) for entry in islice(entries, 20 * MAX_ITEMS)
            )
    except (OSError, ValueError):
        return
    before = f"{folder}/" if folder else ""
    for name, is_folder in found:
        if name.startswith("."):
            continue
        if is_folder:
            yield Proposal(f"{before}{name}/", types.CompletionItemKind.Folder, 1)
        elif name.endswith(limits.SUFFIXES):
            yield Proposal(f"{before}{name}", types.CompletionItemKind.File, 0)
