"""Templates stay thin: the context is resolved before, so that they only place it."""

import re
from pathlib import Path

import pytest

from tests.tidy.tree import lines, text, under

TEMPLATES = under("templates")
MAX_TEMPLATE_LINES = 80

TAG = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}", re.DOTALL)
STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
ARITHMETIC = re.compile(r"[\w)\]]\s*(?:\+|\*\*?|//?|%)\s*[\w(\[]|[\w)\]]\s-\s[\w(\[]|<<|>>")


def arithmetic(source: str) -> list[str]:
    """The expressions of a template that compute."""
    tags = [STRING.sub("''", (a or b).strip("-+ ")) for a, b in TAG.findall(source)]
    return [tag for tag in tags if ARITHMETIC.search(tag)]


def nesting(source: str) -> int:
    """How deep conditions are nested."""
    depth = deepest = 0
    for tag in re.findall(r"\{%[-+]?\s*(if|endif)\b", source):
        depth += 1 if tag == "if" else -1
        deepest = max(deepest, depth)
    return deepest


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_template_is_thin(path: Path) -> None:
    assert len(lines(path)) <= MAX_TEMPLATE_LINES
    assert arithmetic(text(path)) == []
    assert nesting(text(path)) <= 1


def test_what_counts_as_arithmetic() -> None:
    assert arithmetic("{{ a + 1 }} {{ b|x('a - b') }} {%- if n % 2 %} {{- c }}") == [
        "a + 1",
        "if n % 2",
    ]
    assert nesting("{% if a %}{% if b %}{% endif %}{% endif %}") == 2
