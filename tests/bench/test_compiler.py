"""`tvsc bench compiler`: its edits, its exponents, and a whole run of the smallest sites.

No test looks at how long anything took: a busy machine is slow and not wrong.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tvsc.bench.compiler import CompilerResult, Growth, SiteRun, growth_of
from tvsc.bench.compiler_report import figures, section, step_table, tables
from tvsc.bench.edits import (
    EDITS,
    INTERVAL,
    NEW_VIP,
    SHARED_EDITS,
    WEIGHT,
    Edit,
    apply_edit,
)
from tvsc.bench.report import read_result, render_page
from tvsc.bench.sites import MAX_SERVICES, Form, write_site
from tvsc.dsl.format import format_text
from tvsc.lower import load_site

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "examples" / "two-clusters" / "site.tvs"
SIZES = (2, 20)
FORMS: tuple[Form, ...] = ("tvs", "csv", "variables")


def files_of(site: Path) -> tuple[Path, ...]:
    return (site, *sorted(site.parent.rglob("services/*")))


# Generated sites


@pytest.mark.parametrize("form", FORMS)
def test_generated_sites_are_good(form: Form, tmp_path: Path) -> None:
    path = write_site(tmp_path, 41, 10, form)
    site, diagnostics, _ = load_site(path)
    assert site is not None and diagnostics == []
    assert [len(cluster.nodes) for cluster in site.clusters] == [4, 4]
    assert len(site.services) == 41
    assert sum(len(pool.servers) for pool in site.pools) == 410
    for file in (path, *tmp_path.glob("services/*.tvs")):
        text = file.read_text(encoding="utf-8")
        assert format_text(text, diagnostics.append) == text
    assert diagnostics == []


def test_a_service_is_some_13_lines(tmp_path: Path) -> None:
    """10,000 services come to about 130,000 lines."""
    counts = []
    for services in (400, 800):
        site = write_site(tmp_path, services)
        counts.append(sum(path.read_text().count("\n") for path in files_of(site)))
    assert 13.0 <= (counts[1] - counts[0]) / 400 <= 13.5


def test_the_same_numbers_write_the_same_site(tmp_path: Path) -> None:
    first = write_site(tmp_path / "a", 700)
    again = write_site(tmp_path / "b", 1200)
    again = write_site(tmp_path / "b", 700)
    texts = [[path.read_bytes() for path in files_of(site)] for site in (first, again)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(("services", "servers"), [(0, 1), (MAX_SERVICES + 1, 1), (1, 0), (1, 61)])
def test_sites_out_of_bounds(services: int, servers: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can be written"):
        write_site(tmp_path, services, servers)


# Edits


@pytest.mark.parametrize("edit", (*EDITS, *SHARED_EDITS), ids=lambda edit: str(edit.name))
def test_an_edit_changes_one_line(edit: Edit, tmp_path: Path) -> None:
    shared = edit in SHARED_EDITS
    site = write_site(tmp_path, 60, form="variables" if shared else "tvs")
    before = {path: path.read_text().splitlines() for path in files_of(site)}
    assert apply_edit(edit, (site,) if shared else files_of(site))
    after = {path: path.read_text().splitlines() for path in files_of(site)}
    pairs = [(a, b) for path in before for a, b in zip(before[path], after[path], strict=True)]
    assert len([a for a, b in pairs if a != b]) == 1
    found, diagnostics, _ = load_site(site)
    assert found is not None and diagnostics == []


def test_what_is_edited(tmp_path: Path) -> None:
    path = tmp_path / "x.tvs"
    path.write_text("vip 203.0.113.1\nserver 10.0.0.1:80 weight 9\ncheck tcp { every 500ms }\n")
    assert all(apply_edit(edit, [path]) for edit in (WEIGHT, INTERVAL, NEW_VIP))
    assert path.read_text().splitlines() == [
        "vip 198.51.100.77, 203.0.113.1",
        "server 10.0.0.1:80 weight 10",
        "check tcp { every 501ms }",
    ]
    path.write_text("# nothing\n")
    assert not apply_edit(WEIGHT, [path])


# A whole run


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = [sys.executable, "-m", "tvsc.cli.main", "bench", "compiler", str(SITE)]
    command += ["--sizes", ",".join(map(str, SIZES)), "--servers", "2", "--no-bundle"]
    done = subprocess.run(
        [*command, "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    path = tmp_path_factory.mktemp("compiler") / "compiler.json"
    path.write_text(done.stdout, encoding="utf-8")
    return path


@pytest.fixture
def result(written: Path) -> CompilerResult:
    found = read_result(written)
    assert isinstance(found, CompilerResult)
    return found


def counts(run: SiteRun, action: str) -> tuple[int, int]:
    step = run.step(action)
    assert step is not None, action
    return step.compiled, step.linked


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_each_step_did(result: CompilerResult) -> None:
    example, *generated = result.runs
    assert (example.name, example.size) == ("two-clusters", None)
    assert [run.size for run in generated] == list(SIZES)
    for run in result.runs:
        assert run.output.nodes == 8 and run.output.objects == 13
        assert counts(run, "check, first") == (0, 0)
        assert counts(run, "compile, first") == (13, 8)
        assert counts(run, "compile, unchanged") == (0, 0)
        assert counts(run, "compile, a weight changed") == (9, 8)
    for run in generated:
        assert run.output.services == run.size
        assert run.output.servers == 2 * (run.size or 0)
        for name in ("first", *(edit.name for edit in SHARED_EDITS)):
            assert counts(run, f"check, variables, {name}") == (0, 0)
    assert result.host_build is None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_growth_is_between_the_two_sizes(result: CompilerResult) -> None:
    actions = {growth.action for growth in result.growth}
    assert {"check, first", "compile, first", "compile, unchanged"} <= actions
    assert {(g.services_from, g.services_to) for g in result.growth} == {SIZES}
    small, large = result.runs[1:]
    squared = large.model_copy(
        update={
            "steps": tuple(
                step.model_copy(
                    update={"wall_s": before.wall_s * 100, "cpu_s": before.cpu_s * 10}
                    | {"peak_bytes": before.peak_bytes}
                )
                for step, before in zip(large.steps, small.steps, strict=True)
            )
        }
    )
    for growth in growth_of([squared, small]):
        assert isinstance(growth, Growth)
        assert growth.wall == pytest.approx(2)
        assert growth.cpu == pytest.approx(1)
        assert growth.peak == pytest.approx(0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_shown_and_drawn(result: CompilerResult, written: Path) -> None:
    wall = tables(result)[0]
    assert wall.columns == ("step", "=two-clusters", "=2 services", "=20 services", "=exponent")
    assert all(len(row) == len(wall.columns) for row in wall.rows)
    counted = step_table(result, "x", lambda step: str(step.compiled), None)
    assert counted.rows[0][0] == "check, first"
    page = render_page([read_result(written)])
    assert "The compiler" in page and "two-clusters" in page
    assert [figure.caption.split(" of ")[0] for figure in figures(result)] == [
        "wall time",
        "processor time",
    ]
    assert page.count("<svg") == 2
    assert section([result]).machines[0][0].endswith(result.command)
    assert json.loads(written.read_text())["kind"] == "compiler"


@pytest.mark.parametrize("sizes", ["0", "many", "-5", "16001"])
def test_sizes_that_cannot_be(sizes: str) -> None:
    command = [sys.executable, "-m", "tvsc.cli.main", "bench", "compiler", "--sizes", sizes]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
