"""The files that a pattern names, against pathlib; and its limit."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tvsc.dsl import limits
from tvsc.dsl.pattern import TooManyNamesError, files_matching
from tvsc.lower import load_site

PLACES = [
    "a.tvs",
    "b.tvs",
    "d/a.tvs",
    "d/e/a.tvs",
    "d/e/f/c.csv",
    "g/.h.tvs",
    "g/[x].tvs",
    ".i/a.tvs",
]
PIECES = ["*", "**", "?.tvs", "*.tvs", "[ab].tvs", "[!a]*", "d", "e", "..", ".", "g", "a.tvs", "d*"]
PIECES += [".*", ".h.tvs"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # so deep that five times `..` does not lead to what other tests are just writing
    root = tmp_path_factory.mktemp("tree") / "1" / "2" / "3" / "4" / "5"
    for place in PLACES:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text("")
    (root / "d" / "again").symlink_to(root)
    (root / "g" / "link.tvs").symlink_to("../a.tvs")
    (root / "g" / "dangling.tvs").symlink_to("nowhere")
    (root / "g" / "circle.tvs").symlink_to("circle.tvs")
    return root


@given(parts=st.lists(st.sampled_from(PIECES), min_size=1, max_size=5))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_as_pathlib(tree: Path, parts: list[str]) -> None:
    pattern = os.path.normpath("/".join(parts))
    found = {os.path.realpath(path) for path in files_matching(str(tree), pattern)}
    wanted = [] if pattern == "." else tree.glob(pattern)
    assert found == {os.path.realpath(p) for p in wanted if p.is_file() and seen(p, pattern)}


def seen(path: Path, pattern: str) -> bool:
    """Names with a dot in front want one in the pattern; pathlib does not mind."""
    return any(p[0] == "." != p for p in pattern.replace("..", "").split("/") if p) or not any(
        p[0] == "." for p in path.parts if p != ".."
    )


def test_loops_of_links_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten links to the directory itself, and a pattern that goes through them again and again."""
    monkeypatch.setattr(limits, "PATTERN_NAMES", 1000)
    for n in range(10):
        (tmp_path / f"l{n}").symlink_to(".")
    with pytest.raises(TooManyNamesError):
        files_matching(str(tmp_path), "*/" * 20 + "*.tvs")
    assert files_matching(str(tmp_path), "**/" * 500 + "*.tvs") == set()
    site = tmp_path / "site.tvs"
    site.write_text(f'language 1\ninclude "{"*/" * 20}*.tvs"\n')
    _, diagnostics, _ = load_site(site)
    assert [d.code.id for d in diagnostics] == ["TVS0003"]
    assert "looks at more than 1,000 names" in diagnostics[0].message
