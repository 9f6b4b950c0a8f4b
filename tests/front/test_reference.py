"""docs/language.md says everything that the language has, and its examples are true."""

import os
import re
from pathlib import Path

import pytest

from tvsc.diag import CODES, Diagnostic
from tvsc.dsl.literals import BYTES, COUNT, MS
from tvsc.dsl.parser import parse_file
from tvsc.lower import load_site
from tvsc.lower.reference import tables_in, with_tables
from tvsc.lower.schema import KINDS

DOCUMENT = Path(__file__).parents[2] / "docs" / "language.md"


def test_tables_are_current() -> None:
    text = DOCUMENT.read_text()
    filled = with_tables(text)
    if os.environ.get("TVSC_UPDATE"):
        DOCUMENT.write_text(filled)
        text = filled
    assert text == filled


def test_every_block_has_its_table() -> None:
    assert tables_in(DOCUMENT.read_text()) == {*KINDS, "functions", "drivers"}


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
