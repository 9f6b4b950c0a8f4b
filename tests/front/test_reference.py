"""docs/language.md says everything that the language has, and its examples are true."""

import os
import re
from pathlib import Path

import pytest

from tvsc.diag import CODES, Diagnostic
from tvsc.dsl import limits
from tvsc.dsl.lexer import KEYWORDS
from tvsc.dsl.literals import BYTES, COUNT, MS
from tvsc.dsl.parser import _PRECEDENCE, parse_file
from tvsc.lower import load_site
from tvsc.lower.reference import tables_in, with_tables
from tvsc.lower.schema import KINDS

GRAMMAR = (Path(__file__).parents[2] / "tvsc" / "dsl" / "tvsc.lark").read_text()
DOCUMENT = Path(__file__).parents[2] / "docs" / "language.md"


def test_tables_are_current() -> None:
    text = DOCUMENT.read_text()
    filled = with_tables(text)
    if os.environ.get("TVSC_UPDATE"):
        DOCUMENT.write_text(filled)
        text = filled
    assert text == filled


def test_every_block_has_its_table() -> None:
    assert tables_in(DOCUMENT.read_text()) == {*KINDS, "functions", "drivers", "bounds"}


def test_every_limit_is_documented() -> None:
    assert set(limits.MEANINGS) == {n for n, v in vars(limits).items() if isinstance(v, int)}


def test_every_token_is_documented() -> None:
    """The keywords, operators and marks of the grammar."""
    text = DOCUMENT.read_text()
    marks = {"EQUALS": "=", "ARROW": "->", "COMMA": ",", "LBRACE": "{", "LPAREN": "("}
    keywords = {kind: word for word, kind in KEYWORDS.items()}
    leaves = {"OPERATOR", "NAME", "VALUE", "TEXT", "FUNCTION", "END", "RBRACE", "RPAREN"}
    declared = set(re.findall(r"^%declare (.*)$", GRAMMAR, re.MULTILINE)[0].split())
    declared |= set(re.findall(r"^%declare (.*)$", GRAMMAR, re.MULTILINE)[1].split())
    assert declared == set(marks) | set(keywords) | leaves
    for word in (*keywords.values(), "like", *marks.values()):
        assert re.search(rf"`[^`\n]*{re.escape(word)}[^`\n]*`", text), word
    for operator in _PRECEDENCE:
        assert re.search(rf"`[^`\n]*{re.escape(operator)}[^`\n]*`", text), operator


def test_every_suffix_is_documented() -> None:
    for suffix in limits.SUFFIXES:
        assert f"`{suffix}`" in DOCUMENT.read_text()


def test_every_unit_is_documented() -> None:
    units = re.findall(
        r"`[^`]*`", DOCUMENT.read_text().partition("## Values")[2].partition("\n## ")[0]
    )
    words = " ".join(units)
    for unit in [*MS, *COUNT, *BYTES]:
        assert re.search(rf"\d{unit}\b|`{unit}`", words), unit


def test_examples_are_well_formed() -> None:
    blocks = re.findall(r"```tvs\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        found: list[Diagnostic] = []
        parse_file(0, block, found.append)
        assert found == []


def test_codes_exist() -> None:
    assert set(re.findall(r"TVS\d{4}", DOCUMENT.read_text())) <= set(CODES)


def test_small_site(tmp_path: Path) -> None:
    """The first example compiles as it stands."""
    code = re.search(r"## A small site\n\n```tvs\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert code is not None
    path = tmp_path / "site.tvs"
    path.write_text(code[1])
    site, diagnostics, _ = load_site(path)
    assert diagnostics == []
    assert site is not None


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_settings_are_described(kind: object) -> None:
    from tvsc.lower.schema import Kind

    assert isinstance(kind, Kind)
    for setting in kind.settings.values():
        assert setting.doc.endswith((".", "each.", ")"))
        assert setting.usage.startswith(setting.keyword)
        assert not (setting.required and setting.default)
