"""The TextMate grammar: reads the vocabulary, writes `editors/**/tvs.tmLanguage.json`.

A test keeps the files equal to this; `TVSC_UPDATE=1` rewrites them. Highlighting knows words, not
places: a setting's name is coloured wherever it stands, as a regular expression cannot tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TypeAlias

from tvsc.dsl.ast import Name
from tvsc.dsl.lexer import KEYWORDS
from tvsc.lower.evaluate import FUNCTIONS
from tvsc.lower.schema import KINDS, Kind, Setting
from tvsc.lsp.expect import expected_after
from tvsc.source import Span

Rule: TypeAlias = "dict[str, str | list[Rule] | dict[str, Rule]]"

SCOPE = "source.tvs"

_OCTET = "[0-9a-fA-F]{2}"
_NOT_IN_WORD = r"(?<!\w)"
_NAME = r"[A-Za-z_]\w*(?:-\w+)*"
_INSERTED = r"\{([A-Za-z_]\w*(?:-\w+)*)(?::0?\d)?\}"

# The literals of the lexer, in an order in which the first that matches is right.
_LITERALS = {
    "constant.numeric.pci.tvs": rf"(?:[0-9a-fA-F]{{4}}:)?{_OCTET}:{_OCTET}\.[0-7](?![\w.:])",
    "constant.numeric.mac.tvs": rf"{_OCTET}(?::{_OCTET}){{5}}(?![\w.:])",
    "constant.numeric.ipv4.tvs": r"\d+\.\d+\.\d+\.\d+(?:/\d+|:\d+)?(?![\w.])",
    "constant.numeric.ipv6.tvs": (
        r"(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F.]{0,15}(?:/\d+)?(?![\w:])|\[[^\]\s\"{}]*\]:\d+(?!\w)"
    ),
    "constant.numeric.rate.tvs": r"\d+[kMG]?/s(?!\w)",
    "constant.numeric.range.tvs": r"\d+-\d+(?![\w.-])",
    "constant.numeric.tvs": r"\d+(?:\.\d+)?[A-Za-z]*(?!\w|\.\w)",
}


def grammar() -> str:
    """The grammar as JSON."""
    plain, blocks = _keywords()
    named = sorted({s.keyword for s in _settings() if s.usage.startswith(f"{s.keyword} NAME")})
    rules: dict[str, Rule] = {
        "comment": {"name": "comment.line.number-sign.tvs", "match": "#.*$"},
        "text": _text(),
        "definition": {
            "match": rf"{_before(named)}[ \t]+({_NAME})(?=[ \t]+(?:like\b|\{{))",
            "captures": {
                "1": {"name": "storage.type.tvs"},
                "2": {"name": "entity.name.type.tvs"},
            },
        },
        "like": {
            "match": rf"(?<![\w-])(like)(?![\w-])(?:[ \t]+({_NAME}))?",
            "captures": {
                "1": {"name": "keyword.other.like.tvs"},
                "2": {"name": "entity.other.inherited-class.tvs"},
            },
        },
        "arrow": {
            "match": rf"(->)(?:[ \t]*({_NAME}))?",
            "captures": {
                "1": {"name": "keyword.operator.arrow.tvs"},
                "2": {"name": "entity.name.type.tvs"},
            },
        },
        "variable": {
            "match": rf"(?<![\w-])(let|for)[ \t]+({_NAME})",
            "captures": {
                "1": {"name": "keyword.control.tvs"},
                "2": {"name": "variable.other.definition.tvs"},
            },
        },
        "keyword": {"name": "keyword.control.tvs", "match": _words(KEYWORDS)},
        "literal": {"patterns": _literals()},
        "function": {
            "name": "support.function.tvs",
            "match": rf"(?<![\w-])(?:{_alternatives(FUNCTIONS)})(?=\()",
        },
        "block": {"name": "storage.type.tvs", "match": _words(blocks)},
        "setting": {"name": "keyword.other.setting.tvs", "match": _words(plain)},
        "word": {"name": "constant.language.tvs", "match": _words(_value_words())},
        "name": {"name": "variable.other.tvs", "match": _NAME},
        "operator": {"name": "keyword.operator.tvs", "match": r"\.\.|[-+*/:=]"},
        "punctuation": {"name": "punctuation.tvs", "match": r"[{}(),]"},
    }
    document: Rule = {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "tvs",
        "scopeName": SCOPE,
        "patterns": [{"include": f"#{name}"} for name in rules],
        "repository": rules,
    }
    return json.dumps(document, indent=2) + "\n"


def _text() -> Rule:
    inside: list[Rule] = [
        {"name": "constant.character.escape.tvs", "match": r'\\["\\nt]|\{\{|\}\}'},
        {
            "name": "meta.interpolation.tvs",
            "match": _INSERTED,
            "captures": {"1": {"name": "variable.other.tvs"}},
        },
        {"name": "invalid.illegal.tvs", "match": r"\\.|[{}]"},
    ]
    return {
        "name": "string.quoted.double.tvs",
        "begin": '"',
        "end": '"|$',
        "patterns": inside,
    }


def _literals() -> list[Rule]:
    length: Rule = {"name": "constant.numeric.length.tvs", "match": r"(?<=[\s{(,])/\d+(?!\w)"}
    found: list[Rule] = [
        {"name": name, "match": f"{_NOT_IN_WORD}(?:{pattern})"}
        for name, pattern in _LITERALS.items()
    ]
    return [*found[:-1], length, found[-1]]


def _keywords() -> tuple[list[str], list[str]]:
    """The settings, and those that have a block."""
    blocks = {s.keyword for s in _settings() if s.block is not None}
    return sorted({s.keyword for s in _settings()} - blocks), sorted(blocks)


def _settings() -> list[Setting]:
    return [setting for kind in KINDS.values() for setting in kind.settings.values()]


def _value_words() -> list[str]:
    """The words that settings take as values."""
    settings = {setting.keyword for setting in _settings()}
    found = {
        word
        for kind in KINDS.values()
        for setting in kind.settings.values()
        for word in words_of(kind, setting)
    }
    return sorted(found - settings - {"like"})


def words_of(kind: Kind, setting: Setting) -> set[str]:
    """The words of one setting: those of its usage, and those that its reader offers."""
    nowhere = Span(0, 0, 0)
    offered = expected_after(kind, (Name(setting.keyword, nowhere),)).words
    without_texts = re.sub(r'"[^"]*"', "", setting.usage)
    return {
        word
        for word in (*re.findall(rf"(?<![\w-]){_NAME}", without_texts), *offered)
        if re.fullmatch(r"[a-z][\w-]*", word) and word != setting.keyword
    }


def _alternatives(words: Iterable[str]) -> str:
    """The longest first: alternatives are tried in order."""
    return "|".join(re.escape(word) for word in sorted(words, key=lambda w: (-len(w), w)))


def _words(words: Iterable[str]) -> str:
    return rf"(?<![\w-])(?:{_alternatives(words)})(?![\w-])"


def _before(words: Iterable[str]) -> str:
    return rf"(?<![\w-])({_alternatives(words)})"
