"""`tvsc bench lab` in its smallest form: everybody is answered, and nothing stays behind.

How fast anything was is in the report and not in a test.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.conftest import PATIENCE_S, until
from tvsc.bench.lab import SUBJECTS, Lab
from tvsc.bench.lab_load import Measure
from tvsc.bench.lab_report import section
from tvsc.bench.report import read_result
from tvsc.lab.topology import lab_name

ROOT = Path(__file__).resolve().parents[2]
LAPTOP = ROOT / "examples" / "laptop"

RELOADS = 4

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def _tvsc(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tvsc.cli.main", "bench", "lab", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _left(name: str) -> list[str]:
    """Namespaces, files and processes of the lab."""
    folders = [Path("/run/netns"), Path("/run/tvsc-lab")]
    found = [f"{path}" for each in folders if each.is_dir() for path in each.glob(f"*{name}*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"/run/tvsc-lab/bench-{name}" in words:
            found.append(words)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example: a lab of its own beside others is no bother."""
    folder = tmp_path_factory.mktemp("bench") / "laptop"
    shutil.copytree(LAPTOP, folder)
    return folder / "site.tvs"


@pytest.fixture(scope="module")
def written(site: Path) -> Path:
    """One short round of requests and of UDP, and a few reloads."""
    done = _tvsc(
        *(f"{site}", "--rounds", "1", "--seconds", "1", "--reloads", f"{RELOADS}"),
        *("--measure", "requests", "--measure", "packets"),
        *("--format", "json", "--out", f"{site.parent / 'out'}"),
    )
    assert done.returncode == 0, done.stderr
    assert _left(lab_name(site)) == []
    path = site.parent / "lab.json"
    path.write_text(done.stdout, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def result(written: Path) -> Lab:
    return Lab.model_validate_json(written.read_text(encoding="utf-8"))


def test_every_request_was_answered(result: Lab) -> None:
    assert result.problems == ()
    assert result.drops == {}
    assert [each.measure for each in result.comparisons] == [Measure.REQUESTS, Measure.PACKETS]
    for comparison in result.comparisons:
        assert [figure.subject for figure in comparison.figures] == list(SUBJECTS)
        for figure in comparison.figures:
            assert figure.made > 0
            assert figure.failed == 0


def test_reloads_under_load_lose_nothing(result: Lab) -> None:
    assert result.reloads is not None
    assert result.reloads.times == RELOADS
    assert result.reloads.made > 0
    assert result.reloads.failed == 0


def test_ratios_are_of_the_figures(result: Lab) -> None:
    for comparison in result.comparisons:
        direct, forward, tvsd = (figure.per_s.median for figure in comparison.figures)
        assert comparison.tvsd_to_forward.median == pytest.approx(tvsd / forward)
        assert comparison.tvsd_to_direct.median == pytest.approx(tvsd / direct)
        assert comparison.forward_to_direct.median == pytest.approx(forward / direct)
        spent = {figure.subject: figure.cpu_us_per_unit for figure in comparison.figures}
        assert comparison.cpu_tvsd_to_forward.median == pytest.approx(
            spent["tvsd"]["tvsd"] / spent["forward"]["forward"]
        )


def test_packets_went_through_whom_they_should(result: Lab) -> None:
    """Each program's CPU time per unit of work is largest where the packets are its own."""
    for comparison in result.comparisons:
        spent = {figure.subject: figure.cpu_us_per_unit for figure in comparison.figures}
        for name in ("forward", "tvsd"):
            assert spent[name][name] == max(each[name] for each in spent.values()) > 0
        assert {"nginx", "sockperf"} <= set(spent["direct"])


def test_the_page_shows_it(written: Path, result: Lab) -> None:
    assert read_result(written) == result
    drawn = section([result])
    assert len(drawn.parts) == len(result.comparisons) + 1
    assert any("plain DPDK forwarder" in text for text in drawn.text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_behind_whoever_is_killed(written: Path, number: signal.Signals) -> None:
    site = written.parent / "site.tvs"
    words = ["--measure", "requests", "--seconds", "60", "--out", f"{site.parent / 'out'}"]
    command = [sys.executable, "-m", "tvsc.cli.main", "bench", "lab", f"{site}", *words]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next((line for line in process.stderr if line.startswith("round 1")), "")
        process.send_signal(number)
        process.wait(PATIENCE_S)
    assert said
    assert until(lambda: _left(lab_name(site)) == [], PATIENCE_S), _left(lab_name(site))


def test_unknown_nodes_are_refused_before_anything_is_made(site: Path) -> None:
    done = _tvsc(f"{site}", "--node", "nobody", "--out", f"{site.parent / 'out'}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the site has no node `nobody`")
    assert _left(lab_name(site)) == []


def test_a_site_with_real_cards_is_refused() -> None:
    done = _tvsc(f"{ROOT / 'examples' / 'two-clusters' / 'site.tvs'}")
    assert done.returncode == 1
    assert "is no TAP device" in done.stderr
