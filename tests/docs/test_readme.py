"""What the README shows is true: its site passes every check, its error is the real one."""

import re
from pathlib import Path

from tvsc.diag import render_text
from tvsc.lower import load_site

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_site_is_good(tmp_path: Path) -> None:
    path = tmp_path / "site.tvs"
    path.write_text(block("tvs"))
    site, diagnostics, _ = load_site(path)
    assert diagnostics == []
    assert site is not None
    assert [node.name for node in site.clusters[0].nodes] == [f"edge-{n}" for n in range(1, 5)]


def test_the_error_is_the_real_one(tmp_path: Path) -> None:
    path = tmp_path / "site.tvs"
    path.write_text(block("tvs").replace("workers 16 each", "workers 12 each"))
    _, diagnostics, sources = load_site(path)
    shown = re.search(r"^error\[TVS0501\].*?(?=^```)", README, re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert shown[0].strip() in render_text(diagnostics, sources).replace(f"{tmp_path}/", "")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
