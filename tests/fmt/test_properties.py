"""Whatever well-formed text is formatted: the same words, comments and tree, and formatting again
changes nothing.

The formatter proves that itself before it answers. Here it is asked of texts that nobody would
write, with means of the tests' own.
"""

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tvsc.diag import Diagnostic
from tvsc.dsl import Loader, parse
from tvsc.dsl.ast import For, Line, Statement
from tvsc.dsl.format import format_text
from tvsc.dsl.parser import parse_file
from tvsc.lower import resolve
from tvsc.lower.schema import KINDS
from tvsc.model import Site
from tvsc.source import SourceMap, Span

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").rglob("*.tvs"))
TEXTS = [path.read_text() for path in EXAMPLES]

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

# --- what is asked of a formatted text ------------------------------------------------------------


def tree(text: str) -> tuple[Statement, ...] | None:
    """The syntax tree; None after an error."""
    found: list[Diagnostic] = []
    file = parse_file(0, text, found.append)
    return None if found else file.body


def comments(text: str) -> list[str]:
    """By hand: from a `#` outside quotes to the end of its line."""
    found = []
    for line in text.split("\n"):
        quoted = escaped = False
        for at, character in enumerate(line):
            if character == "#" and not quoted:
                found.append(line[at:].rstrip(" \t\r\f"))
                break
            if character == '"' and not escaped:
                quoted = not quoted
            escaped = character == "\\" and quoted and not escaped
    return found


def items(body: tuple[Statement, ...]) -> list[object]:
    """What a body says, whatever stands on one line: the items one after the other."""
    found: list[object] = []
    for statement in body:
        if isinstance(statement, Line):
            found += [without_places(item) for item in statement.items]
            if statement.block is not None:
                found.append(items(statement.block.body))
        elif isinstance(statement, For):
            head = without_places((statement.name, statement.values))
            found.append(("for", head, items(statement.block.body)))
        else:
            found.append(without_places(statement))
    return found


def without_places(node: object) -> object:
    if isinstance(node, Span):
        return "a place"
    if isinstance(node, tuple):
        return [type(node), *map(without_places, node)]
    if is_dataclass(node):
        return [type(node), *(without_places(getattr(node, f.name)) for f in fields(node))]
    return node


def holds(text: str) -> str:
    """Format a well-formed text and look at the result."""
    before = tree(text)
    assert before is not None
    found: list[Diagnostic] = []
    result = format_text(text, found.append)
    assert found == []
    assert result is not None
    after = tree(result)
    assert after is not None
    assert items(after) == items(before)
    assert comments(result) == comments(text)
    assert format_text(result, found.append) == result
    assert result == "" or result.endswith("\n")
    assert not result.endswith("\n\n")
    assert "\n\n\n" not in result
    return result


# --- texts that nobody would write ----------------------------------------------------------------

WORDS = sorted({word for kind in KINDS.values() for word in kind.settings})
NAMES = [*WORDS, "a", "b", "s", "ab", "fe80", "like", "per", "x", "tap", "http", "tcp", "from"]
LITERALS = ["1", "04", "16k", "1.5M", "300ms", "2GiB", "200/s", "2-9", "10.0.0.1", "10.0.0.0/8"]
LITERALS += ["10.0.0.1:80", "2001:db8::1", "::/0", "3b:00.0", "[::1]:80", "02:00:00:00:00:01"]
LITERALS += ['"text"', '""', '"#"', '"a{n}"', '"{{"', "/24"]

blank = st.sampled_from(["", " ", "  ", "\t", "\f "])
line_end = st.sampled_from(["\n", "\r\n"])
space = st.sampled_from([" ", "  ", "\t", "    "])
remark = st.sampled_from(["# c", "#", '#"{', "#  wide  \t", "# é\xa0"])
name = st.sampled_from(NAMES)


@st.composite
def newline(draw: st.DrawFn) -> str:
    """One line end or several, with or without comments."""
    count = draw(st.integers(1, 3))
    lines = [draw(blank) + draw(st.one_of(st.just(""), remark)) for _ in range(count)]
    return "".join(line + draw(line_end) for line in lines) + draw(blank)


@st.composite
def expression(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 6 if depth else 2))
    if kind <= 1:
        return draw(st.sampled_from(LITERALS))
    if kind == 2:
        return draw(name)
    inner = expression(depth - 1)
    inside = st.one_of(space, newline())
    if kind == 3:
        return f"({draw(inside)}{draw(inner)}{draw(inside)})"
    if kind == 4:
        arguments = draw(st.lists(inner, max_size=3))
        return f"host({draw(inside)}{f',{draw(inside)}'.join(arguments)}{draw(blank)})"
    operator = draw(st.sampled_from(["+", "-", "*", "/", "..", ":"]))
    after = draw(st.one_of(blank, newline()))
    return f"{draw(inner)}{draw(blank)}{operator}{after}{draw(inner)}"


@st.composite
def item(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return "->"
    members = draw(st.lists(expression(), min_size=1, max_size=3))
    return draw(st.sampled_from([",", ", ", " ,\n", ", # c\n\n  "])).join(members)


@st.composite
def block(draw: st.DrawFn, depth: int) -> str:
    if draw(st.booleans()):
        return f"{{ {draw(st.sampled_from(['', 'every 1s  timeout 2s', 'mtu 1500', 'rise 2 ']))} }}"
    return "{" + draw(newline()) + draw(body(depth - 1)) + "}"


@st.composite
def statement(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return f"let {draw(name)}{draw(blank)}= {draw(expression())}"
    if kind == 1:
        return f'include{draw(space)}"{draw(name)}/*.tvs"'
    if kind == 2 and depth:
        return f"for {draw(name)} in {draw(expression())}{draw(space)}{draw(block(depth))}"
    line = draw(space).join([draw(name), *draw(st.lists(item(), max_size=4))])
    return line + draw(space) + draw(block(depth)) if kind < 6 and depth else line


@st.composite
def body(draw: st.DrawFn, depth: int = 2) -> str:
    statements = draw(st.lists(statement(depth), max_size=4))
    return "".join(one + draw(newline()) for one in statements)


@given(text=body())
@relaxed
def test_generated(text: str) -> None:
    text = "language 1\n" + text
    assume(tree(text) is not None)
    holds(text)


@given(text=body())
@relaxed
def test_generated_fragment(text: str) -> None:
    assume(tree(text) is not None)
    holds(text)


# --- the examples, changed ------------------------------------------------------------------------


@given(data=st.data())
@relaxed
def test_other_blanks(data: st.DataObject) -> None:
    """Another layout of an example gives an example: where lines stay, the very same."""
    text = data.draw(st.sampled_from(TEXTS))
    lines = []
    for line in text.split("\n"):
        code, mark, comment = line.partition("#")
        words = code.split()
        glue = data.draw(st.sampled_from([" ", "  ", " \t"]))
        margin = data.draw(blank)
        lines.append(margin + glue.join(words) + (glue if words else "") + mark + comment)
    assert holds(data.draw(line_end).join(lines)) == text


@given(data=st.data())
@relaxed
def test_piece_changed(data: st.DataObject) -> None:
    """An example with a piece cut out, put in or replaced: formatted, or refused for its errors."""
    text = data.draw(st.sampled_from(TEXTS))
    start = data.draw(st.integers(0, len(text)))
    end = min(len(text), start + data.draw(st.integers(0, 40)))
    piece = data.draw(st.one_of(newline(), body(1), expression(), remark, st.text(max_size=4)))
    text = text[:start] + piece + text[end:]
    found: list[Diagnostic] = []
    if tree(text) is None:
        assert format_text(text, found.append) is None
        assert found
    else:
        holds(text)


def model(path: Path, text: str) -> Site | None:
    found: list[Diagnostic] = []
    sources = SourceMap()
    sources.add(path.name, str(path), text)
    program = parse(path, sources, found.append)
    assert program is not None
    return resolve(program, Loader(path, sources, found.append), found) if not found else None


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.name == "site.tvs"], ids=str)
@given(data=st.data())
@settings(relaxed, max_examples=15)
def test_same_model(path: Path, data: st.DataObject) -> None:
    """Blocks of an example put on one line, or taken apart: the same site."""
    lines = path.read_text().split("\n")
    at = data.draw(st.integers(0, len(lines) - 4))
    count = data.draw(st.integers(2, 5))
    kept = [line.partition("#")[0].strip() for line in lines[at : at + count]]
    text = "\n".join([*lines[:at], "  ".join(kept), *lines[at + count :]])
    assume(tree(text) is not None)
    site = model(path, text)
    if site is not None:
        assert model(path, holds(text)) == site
