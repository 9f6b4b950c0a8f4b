"""Hover: what stands at a place, with its type and value, or what the name there stands for."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from tvsc.dsl.ast import Call, Expr, For, Interpolation, Let, Name, Several
from tvsc.lsp.index import Occurrence, Thing
from tvsc.lsp.locate import Found, innermost, is_value, locate
from tvsc.lsp.show import FIRST_VALUES, code, show_function, show_setting, show_values
from tvsc.lsp.summary import summary
from tvsc.lsp.variables import Uses, Variable, name_of, name_span, names_in, values_of
from tvsc.lsp.view import View
from tvsc.model import Site
from tvsc.source import Span

MAX_THINGS = 3
"""So many of the things that one name with variables stands for are shown."""

Answer = tuple[str, Span]


def hover(view: View, position: types.Position) -> types.Hover | None:
    """The answer, or None where there is nothing to say."""
    offset = view.offset(position)
    if offset is None:
        return None
    answer = _named(view, offset) or _placed(view, offset)
    if answer is None:
        return None
    text, span = answer
    range_ = view.range(span)
    if range_ is None or not range_.start <= position <= range_.end:
        # What stood here was moved by what is being typed.
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), range_)


def _named(view: View, offset: int) -> Answer | None:
    found = view.occurrences(offset)
    if not found:
        return None
    targets = list(dict.fromkeys(target for one in found for target in one.targets))
    variables = [target for target in targets if isinstance(target, Variable)]
    if variables:
        parts = [_variable(view, variable) for variable in variables[:MAX_THINGS]]
    else:
        parts = _things(view, [t for t in targets if isinstance(t, Thing)])
    return ("\n\n---\n\n".join(parts), found[0].span) if parts else None


def _things(view: View, things: Sequence[Thing]) -> list[str]:
    parts = [summary(thing, _site(view)) for thing in things[:MAX_THINGS]]
    if len(things) > MAX_THINGS:
        parts.append(f"and {len(things) - MAX_THINGS:,} more")
    return parts


def _site(view: View) -> Site | None:
    """The model, or the last one that there was."""
    if view.analysis.checked.site is not None:
        return view.analysis.checked.site
    return None if view.site.good is None else view.site.good.checked.site


def _variable(view: View, variable: Variable) -> str:
    head = "for" if variable.loop else "let"
    joint = "in" if variable.loop else "="
    text = view.analysis.text(variable.span.file)
    end = text.find("\n", variable.span.end)
    line = text[variable.span.end : len(text) if end < 0 else end]
    value = variable.value.span
    written = text[value.start : value.end]
    parts = [code(f"{head} {variable.name} {joint} {written}")]
    name = Name(variable.name, variable.span)
    values = values_of(name, {variable.name: variable}, FIRST_VALUES)
    if values is not None:
        parts.append(show_values(values))
    comment = "" if '"' in line else line.partition("#")[2].strip()
    if comment:
        parts.append(comment)
    return "\n\n".join(parts)


def _placed(view: View, offset: int) -> Answer | None:
    file = view.analysis.files.get(view.number)
    if file is None:
        return None
    found = locate(file, view.analysis.index.kinds.get(view.number), offset)
    if found is None or found.item is None:
        return None
    if isinstance(found.statement, Let | For) or is_value(found.item, found.taken):
        return _expression(view, found, offset)
    return _setting(found)


def _setting(found: Found) -> Answer | None:
    if found.taken is None or found.kind is None or found.item is None:
        return None
    return show_setting(found.taken.setting, found.kind.name), found.item.span


def _expression(view: View, found: Found, offset: int) -> Answer | None:
    assert found.item is not None
    expr = innermost(found.item, offset)
    if isinstance(expr, Several):
        return _setting(found)
    parts = []
    if isinstance(expr, Call) and offset <= expr.span.start + len(expr.function):
        parts.append(show_function(expr.function) or "")
    values = values_of(expr, _uses(view, expr), FIRST_VALUES)
    if values is not None:
        parts.append(show_values(values))
    if found.taken is not None:
        setting = found.taken.setting
        parts.append(f"`{setting.usage}`: {setting.doc}")
    text = "\n\n".join(part for part in parts if part)
    return (text, expr.span) if text else None


def _uses(view: View, expr: Expr) -> Uses:
    """Which variable each name of an expression means, as the index has it."""
    uses: dict[str, Variable] = {}
    for place in names_in(expr):
        for one in _at(view, place):
            for target in one.targets:
                if isinstance(target, Variable):
                    uses.setdefault(name_of(place), target)
    return uses


def _at(view: View, place: Name | Interpolation) -> list[Occurrence]:
    span = name_span(place)
    return [one for one in view.occurrences(span.start) if one.span == span]
