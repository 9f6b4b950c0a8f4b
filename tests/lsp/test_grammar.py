"""The TextMate grammar: up to date, read by the editors' engine, and of one mind with the lexer."""

import json
import os
import re
from pathlib import Path

import onigurumacffi
import pytest

from tests.lsp.textmate import Grammar
from tvsc.dsl.lexer import KEYWORDS, Scanner
from tvsc.dsl.literals import BYTES, COUNT, MS
from tvsc.lower.evaluate import FUNCTIONS
from tvsc.lower.schema import KINDS
from tvsc.lsp.grammar import grammar, words_of

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "editors" / "tvs.tmLanguage.json",
    ROOT / "editors" / "vscode" / "tvs.tmLanguage.json",
]
SITES = sorted((ROOT / "examples").rglob("*.tvs"))
GRAMMAR = Grammar(FILES[0].read_text(encoding="utf-8")) if FILES[0].exists() else None

# What the lexer calls a token: the scopes that its characters may have.
SCOPES = {
    "VALUE": "constant.numeric.",
    "TEXT": "string.quoted.double.",
    "LET": "keyword.control.",
    "FOR": "keyword.control.",
    "IN": "keyword.control.",
    "INCLUDE": "keyword.control.",
    "FUNCTION": "support.function.",
    "ARROW": "keyword.operator.arrow.",
    "OPERATOR": "keyword.operator.",
    "EQUALS": "keyword.operator.",
    "LBRACE": "punctuation.",
    "RBRACE": "punctuation.",
    "LPAREN": "punctuation.",
    "RPAREN": "punctuation.",
    "COMMA": "punctuation.",
}
NAMES = ("variable.other.", "entity.", "storage.type.", "keyword.other.", "constant.language.")


def scopes(text: str) -> list[str]:
    assert GRAMMAR is not None
    return GRAMMAR.scopes(text)


def scope_of(line: str, word: str) -> str:
    """The scope of a word that stands in a line once."""
    start = re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", line)
    assert start is not None
    found = set(scopes(line)[start.start() : start.end()])
    assert len(found) == 1, found
    return found.pop()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.parent.name)
def test_is_current(path: Path) -> None:
    """`TVSC_UPDATE=1 .venv/bin/pytest tests/lsp/test_grammar.py` writes it anew."""
    if os.environ.get("TVSC_UPDATE"):
        path.write_text(grammar(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == grammar()


def test_every_expression_compiles() -> None:
    count = 0

    def walk(node: object) -> None:
        nonlocal count
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("match", "begin", "end"):
                    onigurumacffi.compile(value)
                    count += 1
                else:
                    walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(FILES[0].read_text(encoding="utf-8")))
    assert count > 20


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_every_word_of_the_vocabulary(kind: object) -> None:
    from tvsc.lower.schema import Kind

    assert isinstance(kind, Kind)
    for setting in kind.settings.values():
        everywhere = [k.settings.get(setting.keyword) for k in KINDS.values()]
        has_block = any(one is not None and one.block is not None for one in everywhere)
        expected = "storage.type.tvs" if has_block else "keyword.other.setting.tvs"
        assert scope_of(f"    {setting.keyword} 1\n", setting.keyword) == expected
        for word in words_of(kind, setting):
            found = scope_of(f"    {setting.keyword} {word} 1\n", word)
            wanted = ("constant.language.", "keyword.other.", "storage.type.")
            assert found.startswith(wanted), (setting.keyword, word, found)


def test_every_keyword_and_function() -> None:
    for word in KEYWORDS:
        assert scope_of(f"{word} x\n", word) == "keyword.control.tvs"
    for name in FUNCTIONS:
        assert scope_of(f"let x = {name}(1, 2)\n", name) == "support.function.tvs"
        assert scope_of(f"let x = {name} + 1\n", name) != "support.function.tvs"


def test_names_of_blocks() -> None:
    """What follows a block that has no name is a word or a variable of its own."""
    assert scope_of("pool web {\n", "web") == "entity.name.type.tvs"
    assert scope_of("node n like m {\n", "n") == "entity.name.type.tvs"
    assert scope_of("    check tcp { every 2s }\n", "tcp") == "constant.language.tvs"
    assert scope_of("    fabric there { asn 1 }\n", "there") == "variable.other.tvs"


def test_every_unit() -> None:
    for unit in [*MS, *COUNT, *BYTES]:
        assert scope_of(f"let x = 12{unit}\n", f"12{unit}") == "constant.numeric.tvs"


LITERALS = {
    "": ("8", "1.5", "300ms", "2GiB"),
    "rate.": ("200/s", "10k/s"),
    "range.": ("2-9",),
    "ipv4.": ("192.0.2.1", "10.20.0.0/16", "10.20.1.1:8080"),
    "ipv6.": ("2001:db8::1", "2001:db8::/32", "[2001:db8::1]:80", "::/0", "fe80::1"),
    "length.": ("/24",),
    "pci.": ("0000:3b:00.0", "3b:00.0"),
    "mac.": ("02:00:00:00:00:01",),
}
EXAMPLES = [(literal, sort) for sort, literals in LITERALS.items() for literal in literals]


@pytest.mark.parametrize(("literal", "sort"), EXAMPLES)
def test_literals(literal: str, sort: str) -> None:
    line = f"    weight {literal} x\n"
    found = set(scopes(line)[11 : 11 + len(literal)])
    assert found == {f"constant.numeric.{sort}tvs"}


def test_texts() -> None:
    line = 'node "lb{n:02}-\\"{{x}}" # "no text"\n'
    found = scopes(line)
    assert found[line.index("lb")] == "string.quoted.double.tvs"
    assert found[line.index("n:02")] == "variable.other.tvs"
    assert found[line.index("{n")] == "meta.interpolation.tvs"
    assert found[line.index('\\"')] == "constant.character.escape.tvs"
    assert found[line.index("{{")] == "constant.character.escape.tvs"
    assert found[line.index("# ")] == "comment.line.number-sign.tvs"
    assert found[line.index("no text")] == "comment.line.number-sign.tvs"
    assert (
        scopes('a "x\nlet b = 1\n')[5:8] == ["keyword.control.tvs"] * 3
    )  # no quote: the line ends it


@pytest.mark.parametrize("path", SITES, ids=lambda p: p.stem)
def test_of_one_mind_with_the_lexer(path: Path) -> None:
    """Every token of the examples has the scope of its sort; what is no token is a comment."""
    text = path.read_text(encoding="utf-8")
    found = scopes(text)
    scanner = Scanner(0, text, lambda d: pytest.fail(d.message))
    scanner.scan()
    covered: set[int] = set()
    for token, span in zip(scanner.tokens, scanner.spans, strict=True):
        if token.type == "END":
            continue
        end = span.end - 1 if token.type == "FUNCTION" else span.end
        inside = set(found[span.start : end])
        covered.update(range(span.start, span.end))
        if token.type == "NAME":
            assert len(inside) == 1 and inside.pop().startswith(NAMES), text[span.start : end]
        elif token.type == "TEXT":
            assert {found[span.start], found[end - 1]} == {"string.quoted.double.tvs"}
        else:
            wanted = SCOPES[token.type]
            assert all(scope.startswith(wanted) for scope in inside), (token, inside)
    for at, character in enumerate(text):
        if at not in covered and not character.isspace():
            assert found[at].startswith("comment."), (at, character)
