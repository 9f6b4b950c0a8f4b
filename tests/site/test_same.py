"""A Python site is the same site: model, plan and every generated text, but for the origins."""

import re
from pathlib import Path

import pytest

from tvsc.codegen import render_node
from tvsc.diag import render_text
from tvsc.lower import load_site
from tvsc.model import Site
from tvsc.plan import NodePlan, PlanOptions, plan_site

ROOT = Path(__file__).parents[2]
TEXT = ROOT / "examples" / "laptop" / "site.tvs"
PYTHON = Path(__file__).parent / "laptop" / "site.py"


def loaded(path: Path) -> tuple[Site, tuple[NodePlan, ...]]:
    site, diagnostics, sources = load_site(path)
    assert site is not None, render_text(diagnostics, sources)
    assert diagnostics == []
    return site, plan_site(site, sources, PlanOptions(base="same"), None).nodes


def without_origins(text: str, generation: str) -> str:
    """Neither the origins, nor what follows from them: a generation's name covers the plan with
    its origins, and a comment is broken into lines after them.
    """
    text = re.sub(r"\bsite\.(tvs|py)(:\d+)?", "ORIGIN", text.replace(generation, "GENERATION"))
    return re.sub(r"\s+(\* )?", " ", text)


def test_model() -> None:
    assert loaded(PYTHON)[0] == loaded(TEXT)[0]


@pytest.mark.parametrize("index", range(8))
def test_plan_and_texts(index: int) -> None:
    plans = [loaded(path)[1][index] for path in (PYTHON, TEXT)]
    ours, theirs = (
        {name: without_origins(text, plan.generation) for name, text in render_node(plan).items()}
        for plan in plans
    )
    assert "plan.json" in ours
    assert ours == theirs


def test_origins_name_the_python_file() -> None:
    texts = render_node(loaded(PYTHON)[1][0])
    lines = PYTHON.read_text().splitlines()
    origins = {int(n) for text in texts.values() for n in re.findall(r"site\.py:(\d+)", text)}
    assert origins
    assert any("port=80, pool=web" in lines[n - 1] for n in origins)


def test_again_is_the_same() -> None:
    """A second run in one process starts afresh."""
    assert loaded(PYTHON) == loaded(PYTHON)


def test_generated_example() -> None:
    path = ROOT / "examples" / "generated" / "site.py"
    site, diagnostics, _ = load_site(path)
    assert diagnostics == []
    assert site is not None
    assert len(site.services) == 500
    code = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(code) <= 20


def test_modules_are_inputs(tmp_path: Path) -> None:
    """The files that a site imports from beside it are among its sources."""
    (tmp_path / "facts.py").write_text("ASN = 64512\n")
    small = (ROOT / "examples" / "generated" / "site.py").read_text()
    small = small.replace("asn=64512", "asn=facts.ASN").replace("LINK,", "import facts\nLINK,", 1)
    (tmp_path / "site.py").write_text(small.replace("range(500)", "range(2)"))
    site, diagnostics, sources = load_site(tmp_path / "site.py")
    assert diagnostics == []
    assert site is not None
    assert [source.name for source in sources.files] == ["site.py", "facts.py"]


def test_several_lists(tmp_path: Path) -> None:
    """Servers come from several files, as several `servers from` in text."""
    for name, host in (("a.csv", 11), ("b.csv", 12)):
        (tmp_path / name).write_text(f"10.20.7.{host},80\n")
    small = (ROOT / "examples" / "generated" / "site.py").read_text().replace("range(500)", "[0]")
    (tmp_path / "site.py").write_text(
        f'{small}\nfor pool in site.pools:\n    pool.servers_from = ["a.csv", "b.csv"]\n'
    )
    site, diagnostics, _ = load_site(tmp_path / "site.py")
    assert diagnostics == []
    assert site is not None
    assert {"10.20.7.11:80", "10.20.7.12:80"} <= {s.key for s in site.pools[0].servers}
