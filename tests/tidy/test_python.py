"""Python files stay as long as one reads in a sitting.

The goal is 400 lines a file and 70 a function; the tests fail where it is missed by far.
"""

import ast
from pathlib import Path

import pytest

from tests.tidy.tree import lines, text, under

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 100

PYTHON = under("tvsc", ".py") + under("tests", ".py")


def test_there_is_something_to_look_at() -> None:
    assert len(PYTHON) > 5


@pytest.mark.parametrize("path", under("tvsc", ".py"), ids=str)
def test_file_is_read_in_a_sitting(path: Path) -> None:
    assert len(lines(path)) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", PYTHON, ids=str)
def test_functions_are_short(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(text(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = {
        node.name: length
        for node in functions
        if node.end_lineno and (length := node.end_lineno - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert long == {}


@pytest.mark.parametrize("path", under("tvsc", ".py"), ids=str)
def test_module_says_what_it_is(path: Path) -> None:
    if text(path).strip():
        assert ast.get_docstring(ast.parse(text(path)))


@pytest.mark.parametrize("path", under("tvsc", ".py"), ids=str)
def test_subprocesses_stay_at_the_edges(path: Path) -> None:
    """Only the build stage and the lab start other programs; the server starts itself, to read."""
    starts = "import subprocess" in text(path) or "from subprocess" in text(path)
    reads = path.parts[1:] == ("lsp", "reader.py")
    assert not starts or reads or path.parts[1] in ("build", "bundle", "lab")
