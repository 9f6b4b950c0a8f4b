"""Failing sites, each with the messages that it must get.

`cases/NAME.tvs` is the site, `cases/NAME.txt` the messages as `tvsc check` prints them. To write
the expectations anew after a change, and then review the diff:

    TVSC_UPDATE=1 .venv/bin/pytest tests/diagnostics
"""

import os
from pathlib import Path

import pytest

from tvsc.diag import (
    CODES,
    Code,
    Severity,
    codes,
    explain_page,
    has_errors,
    in_source_order,
    render_text,
)
from tvsc.lower import load_site

CASES = Path(__file__).parent / "cases"
SITES = sorted(CASES.glob("*.tvs"))
ROOT = Path(__file__).parents[2]


def messages(site: Path) -> str:
    _, diagnostics, sources = load_site(site)
    return render_text(diagnostics, sources).replace(f"{site.parent}/", "")


@pytest.mark.parametrize("site", SITES, ids=lambda p: p.stem)
def test_messages(site: Path) -> None:
    expected = site.with_suffix(".txt")
    found = messages(site)
    if os.environ.get("TVSC_UPDATE"):
        expected.write_text(found)
    assert found == expected.read_text()


@pytest.mark.parametrize("site", SITES, ids=lambda p: p.stem)
def test_outcome(site: Path) -> None:
    """The code in the file's name is reported, in source order, and an error gives no site."""
    model, diagnostics, _ = load_site(site)
    assert site.name[:7] in {d.code.id for d in diagnostics}
    assert diagnostics == in_source_order(diagnostics)
    assert (model is None) == has_errors(diagnostics)


def test_no_expectation_without_a_site() -> None:
    assert {p.stem for p in CASES.glob("*.txt")} == {p.stem for p in SITES}


# Failing input too large for a file of the corpus (tests/front/test_limits.py), flows of the
# command line (tests/explain/test_flow.py), Python sites (tests/site/test_messages.py), plans that
# no site leads to (tests/nic/test_proof.py).
ELSEWHERE = {"TVS0003", "TVS0016", "TVS0017", "TVS0018", "TVS0405", "TVS0406", "TVS0407"}


@pytest.mark.parametrize("code", CODES.values(), ids=lambda c: c.id)
def test_code_is_complete(code: Code) -> None:
    """Every code has a failing site, a page of what, why and how, and a place that emits it."""
    name = next(n for n, c in vars(codes).items() if c is code)
    assert _tested(code, name), f"no test makes {code.id} appear"
    emitted = [
        path
        for path in sorted((ROOT / "tvsc").rglob("*.py"))
        if path.name != "codes.py" and f"codes.{name}" in path.read_text()
    ]
    assert emitted, f"nothing emits {name}"
    page = explain_page(code)
    assert page.startswith(f"# {code.id}: {code.title}\n")
    if not _of_the_machine(code):
        for heading in ("\n## Why\n", "\n## Example\n", "\n## Fix\n"):
            assert heading in page


def _of_the_machine(code: Code) -> bool:
    """Codes about the machine and the output: no site can provoke them."""
    return code.id.startswith("TVS08")


def _tested(code: Code, name: str) -> bool:
    if any(p.name.startswith(code.id) for p in SITES):
        return True
    if not _of_the_machine(code) and code.id not in ELSEWHERE:
        return False
    others = (p for p in (ROOT / "tests").rglob("test_*.py") if p != Path(__file__))
    return any(word in text for text in (p.read_text() for p in others) for word in (code.id, name))


def test_no_page_without_a_code() -> None:
    pages = (ROOT / "tvsc" / "diag" / "explain").glob("*.md")
    assert {p.stem for p in pages} == set(CODES)


def test_sound_parts(tmp_path: Path) -> None:
    """What the cases build on has no message of its own."""
    path = tmp_path / "site.tvs"
    path.write_text(f'language 1\ninclude "{CASES}/base/*.tvs"\n')
    model, diagnostics, _ = load_site(path)
    assert model is not None
    assert diagnostics == []


def test_severities() -> None:
    """A warning never stops the compiler: only what works, and is not what one would want."""
    warnings = {c.id for c in CODES.values() if c.severity is Severity.WARNING}
    assert warnings == {"TVS0201", "TVS0222", "TVS0223", "TVS0706", "TVS0714"}
