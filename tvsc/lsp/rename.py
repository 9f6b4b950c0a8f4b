"""Rename: every place that names a thing or a variable, in all files of all sites that have one.

What is renamed is proved before it is answered: each site is resolved with the new texts and must
be the same model but for the name. So a rename that would catch another name, or miss one, is
refused and nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tvsc.dsl.lexer import KEYWORDS
from tvsc.lower.evaluate import FUNCTIONS
from tvsc.lsp.analysis import Analysis
from tvsc.lsp.index import Occurrence, Target, Thing
from tvsc.lsp.proof import model_of
from tvsc.lsp.protocol import RefusedError
from tvsc.lsp.record import What
from tvsc.lsp.renamed import same_but_for
from tvsc.lsp.variables import Variable
from tvsc.model import Driver

_BARE = re.compile(r"[A-Za-z_]\w*(?:-\w+)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?", re.ASCII)
# Words that a line takes for its own where a name may stand.
_LIKE = "like"


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Characters `start` to `end` of a file become `text`."""

    key: str
    start: int
    end: int
    text: str


def target_at(analysis: Analysis, number: int, offset: int) -> tuple[Target, Occurrence]:
    """What is named at a place. Raises RefusedError where nothing can be renamed."""
    found = analysis.index.at(number, offset)
    if not found:
        raise RefusedError("there is no name here that can be renamed")
    if not analysis.index.complete:
        raise RefusedError("the site is too large for a safe rename: not all names are known")
    targets = list(dict.fromkeys(target for one in found for target in one.targets))
    if any(one.made for one in found):
        raise RefusedError("this name is made of variables: change its text, or the variables")
    if len(targets) != 1:
        raise RefusedError(
            "the file is included more than once, and this is another name each time"
        )
    target = targets[0]
    if isinstance(target, Thing) and not any(
        one.defines for one in analysis.index.by_target[target]
    ):
        builtin = target.what is What.NIC and target.name in {d.value for d in Driver}
        why = "comes with tvsc" if builtin else "is not defined anywhere"
        raise RefusedError(f"{target.what} `{target.name}` {why}, so there is nothing to rename")
    return target, found[0]


def check_name(target: Target, name: str) -> None:
    """Raises RefusedError for what is no name."""
    if isinstance(target, Variable):
        if not _BARE.fullmatch(name):
            raise RefusedError(
                f"`{name}` is no name of a variable: those have letters, digits, `_` and `-`"
                " between them, and begin with a letter"
            )
        if name in KEYWORDS:
            raise RefusedError(f"`{name}` is a keyword of the language")
        if name in FUNCTIONS:
            raise RefusedError(f"`{name}` is a function of the language")
    elif not _NAME.fullmatch(name):
        raise RefusedError(
            f"`{name}` is no name: it has 1 to 64 letters, digits, `_`, `-` and `.`, and neither"
            " `-` nor `.` at its ends"
        )


def edits_in(analysis: Analysis, target: Target, name: str) -> list[Edit]:
    """The edits that rename a target in one site. Raises RefusedError for names that collide."""
    found = analysis.index.by_target.get(target, [])
    if isinstance(target, Variable):
        _no_other_variable(analysis, target, name)
    else:
        _no_other_thing(analysis, target, name)
    made = next((one for one in found if one.made), None)
    if made is not None:
        where = analysis.checked.sources.label(made.span)
        raise RefusedError(f"`{target.name}` is also named by a text with variables ({where})")
    needs_quotes = not _BARE.fullmatch(name) or name in (*KEYWORDS, _LIKE)
    spelling = f'"{name}"' if isinstance(target, Thing) and needs_quotes else name
    edits = []
    for one in found:
        text = f'"{name}"' if one.quoted else spelling
        key = analysis.keys[one.span.file]
        edits.append(Edit(key, one.span.start, one.span.end, text))
    return sorted(set(edits))


def _no_other_variable(analysis: Analysis, target: Variable, name: str) -> None:
    """No variable of that name where the two could be taken for each other."""
    for other in analysis.index.by_target:
        if not isinstance(other, Variable) or other.name != name or other is target:
            continue
        if other.scope.within(target.scope) or target.scope.within(other.scope):
            where = analysis.checked.sources.label(other.span)
            raise RefusedError(f"there is a variable `{name}` already ({where})")


def _no_other_thing(analysis: Analysis, target: Thing, name: str) -> None:
    taken = analysis.index.by_target.get(Thing(target.what, name), [])
    if target.what is What.NIC and name in {driver.value for driver in Driver}:
        raise RefusedError(f"`{name}` is the NIC profile of a driver")
    if taken:
        where = analysis.checked.sources.label(taken[0].span)
        raise RefusedError(f"there is a {target.what} `{name}` already ({where})")


def all_edits(
    analyses: Sequence[Analysis], analysis: Analysis, target: Target, name: str
) -> list[Edit]:
    """The edits in every site: what one site renames in a file that another has, too, is renamed
    there, and so are the places that name it.
    """
    edits = set(edits_in(analysis, target, name))
    while True:
        more: set[Edit] = set()
        for other in analyses:
            for edit in edits:
                number = other.numbers.get(edit.key)
                if number is None:
                    continue
                for one in other.index.at(number, edit.start):
                    if (one.span.start, one.span.end) != (edit.start, edit.end):
                        continue
                    for same in one.targets:
                        more.update(edits_in(other, same, name))
        if more <= edits:
            return sorted(edits)
        edits |= more


def apply_edits(texts: Mapping[str, str], edits: Iterable[Edit]) -> dict[str, str]:
    """The texts of the files that have edits, after them."""
    found = dict[str, str]()
    for edit in sorted(edits, reverse=True):
        text = found.get(edit.key, texts[edit.key])
        found[edit.key] = text[: edit.start] + edit.text + text[edit.end :]
    return found


def prove(
    before: Analysis,
    texts: Mapping[str, str],
    after: Mapping[str, str],
    target: Target,
    name: str,
) -> None:
    """Raises RefusedError unless the site is the same but for the name.

    `before` is the site as it is now; `texts` are the open buffers by key, `after` those of the
    files that change.
    """
    root, site = before.checked.root, before.checked.site
    if site is None:
        raise RefusedError(f"{root.name} has errors; correct them before you rename")
    renamed, problems = model_of(root, {**texts, **after})
    if renamed is None:
        message = problems[0].message if problems else ""
        raise RefusedError(f"the name `{name}` would break {root.name}: {message}")
    thing = target if isinstance(target, Thing) else None
    if not same_but_for(site, renamed, thing, name):
        raise RefusedError(f"the name `{name}` would change what {root.name} means")
