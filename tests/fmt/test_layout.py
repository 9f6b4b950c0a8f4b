"""The canonical layout, piece by piece, and of the sites that there are."""

import re
from pathlib import Path

import pytest

from tvsc.diag import Diagnostic
from tvsc.dsl.format import format_text
from tvsc.lower import load_site

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "diagnostics" / "cases"


def formatted(text: str) -> str:
    """The canonical layout, which is that of itself."""
    found: list[Diagnostic] = []
    once = format_text(text, found.append)
    assert found == []
    assert once is not None
    assert format_text(once, found.append) == once
    return once


LAYOUTS = sorted((Path(__file__).parent / "layouts").glob("*.txt"))


@pytest.mark.parametrize("case", LAYOUTS, ids=lambda p: p.stem)
def test_layout(case: Path) -> None:
    """Above the line of `=` what is written, below it what it becomes."""
    text, _, expected = case.read_text().partition("\n=====\n")
    assert formatted(text) == expected


def test_line_ends() -> None:
    text = "language 1 \r\n# a \t\r\npool p { }\f\r\n\r\nsite s { }\r\n"
    assert formatted(text) == "language 1\n# a\npool p { }\n\nsite s { }\n"


GOOD = [
    *sorted((ROOT / "examples").rglob("*.tvs")),
    *sorted((CASES / "base").glob("*.tvs")),
    *(p for p in sorted(CASES.glob("*.tvs")) if load_site(p)[0] is not None),
]


def test_there_are_good_sites() -> None:
    assert len(GOOD) > 8


@pytest.mark.parametrize("path", GOOD, ids=lambda p: str(p.relative_to(ROOT)))
def test_good_sites_are_laid_out(path: Path) -> None:
    """To lay them out: tvsc fmt FILE, and where lines moved TVSC_UPDATE=1 pytest
    tests/diagnostics.
    """
    assert formatted(path.read_text()) == path.read_text()


@pytest.mark.parametrize("path", sorted(CASES.glob("*.tvs")), ids=lambda p: p.stem)
def test_bad_sites(path: Path) -> None:
    """A site that means nothing is formatted if it can be read at all; else it is reported."""
    text = path.read_bytes().decode(errors="replace")
    found: list[Diagnostic] = []
    result = format_text(text, found.append)
    assert (result is None) == bool(found)
    if result is not None:
        formatted(text)


@pytest.mark.parametrize("page", ["docs/language.md"])
def test_examples_of_the_documents_are_laid_out(page: str) -> None:
    blocks = re.findall(r"^```tvs\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        assert formatted(block) == block
