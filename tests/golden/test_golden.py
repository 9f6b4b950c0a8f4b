"""The plan and every generated text of both examples, as people review them.

One node of each cluster is kept in full. When a change of the output is meant:

    pytest tests/golden --update-golden

and read the difference like hand-written code. The same texts are checked for what they mean: C is
laid out as clang-format would, and compiles without a warning on both compilers; BIRD reads its
configuration.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tvsc.build.bird import check_bird
from tvsc.build.toolchain import find_bird
from tvsc.codegen import C_FILES, ETC_FILES, render_node
from tvsc.diag import render_text
from tvsc.lower import load_site
from tvsc.plan import NodePlan, PlanOptions, plan_site
from tvsc.resources import runtime_dir

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEPT = (
    ("two-clusters", "tvs-a1"),
    ("two-clusters", "tvs-b4"),
    ("laptop", "tvs-a1"),
    ("laptop", "tvs-b4"),
)
FILES = (*C_FILES, *ETC_FILES, "plan.json")
WARNINGS = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]


@cache
def plan_of(example: str, node: str) -> NodePlan:
    site, diagnostics, sources = load_site(ROOT / "examples" / example / "site.tvs")
    assert site is not None, render_text(diagnostics, sources)
    return plan_site(site, sources, PlanOptions(base="golden"), [node]).nodes[0]


@cache
def texts_of(example: str, node: str) -> dict[str, str]:
    return render_node(plan_of(example, node))


@pytest.mark.parametrize(("example", "node"), KEPT)
def test_every_text_is_kept(example: str, node: str) -> None:
    assert sorted(texts_of(example, node)) == sorted(FILES)
    kept = {path.name for path in (HERE / example / node).iterdir()}
    assert kept == set(FILES)


@pytest.mark.parametrize(("example", "node"), KEPT)
@pytest.mark.parametrize("name", FILES)
def test_text(example: str, node: str, name: str, request: pytest.FixtureRequest) -> None:
    path = HERE / example / node / name
    text = texts_of(example, node)[name]
    if request.config.getoption("update_golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def write_sources(example: str, node: str, directory: Path) -> None:
    for name in C_FILES:
        (directory / name).write_text(texts_of(example, node)[name], encoding="utf-8")


@pytest.mark.parametrize(("example", "node"), KEPT)
def test_layout_is_that_of_clang_format(example: str, node: str, tmp_path: Path) -> None:
    write_sources(example, node, tmp_path)
    command = ["clang-format", f"--style=file:{ROOT}/.clang-format", "--dry-run", "--Werror"]
    result = subprocess.run(
        [*command, *C_FILES], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(("example", "node"), KEPT)
def test_compiles_without_a_warning(example: str, node: str, compiler: str, tmp_path: Path) -> None:
    assert shutil.which(compiler), f"{compiler} is missing: make setup"
    write_sources(example, node, tmp_path)
    march = f"-march={plan_of(example, node).march}"
    include = [f"-I{runtime_dir() / 'include'}", f"-I{runtime_dir()}"]
    for name in C_FILES:
        if name.endswith(".c"):
            command = [compiler, *WARNINGS, march, *include, "-fPIC", "-c", name, "-o", "/dev/null"]
            result = subprocess.run(
                command, cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("example", "node"), KEPT)
def test_bird_reads_it(example: str, node: str, tmp_path: Path) -> None:
    check_bird(find_bird(), plan_of(example, node), tmp_path)


@pytest.mark.parametrize(("example", "node"), KEPT)
def test_no_secret_and_no_place(example: str, node: str) -> None:
    """No absolute path of this machine and no secret's content is in any text."""
    for name, text in texts_of(example, node).items():
        assert str(ROOT) not in text, name
        assert str(Path.home()) + "/" not in text, name


@pytest.mark.parametrize("node", ["tvs-a1", "tvs-b4"])
def test_a_session_costs_at_most_96_bytes(node: str) -> None:
    """Where local IPs and sessions are in proportion, as on the big machines."""
    assert plan_of("two-clusters", node).memory.bytes_per_session <= 96
