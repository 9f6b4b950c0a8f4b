"""`tvsc bench latency` with the smallest counts: what it says is whole and agrees with itself.

No test looks at how long anything took: a busy machine is slow and not wrong.
"""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tvsc.bench.latency import Latency, Percentiles, Rounds
from tvsc.bench.latency_report import section, time_text
from tvsc.bench.report import read_result

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "examples" / "laptop" / "site.tvs"
ROUNDS, FLIPS, CHANGES = 2, 3, 4

# two cores are needed: one of them runs the worker alone
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _tvsc(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tvsc.cli.main", "bench", "latency", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result file, made with small pages: the test takes none of the machine's large ones."""
    folder = tmp_path_factory.mktemp("latency")
    done = _tvsc(
        *(str(SITE), "--small-pages", "--sessions", "256", "--rounds", str(ROUNDS)),
        *("--flips", str(FLIPS), "--changes", str(CHANGES)),
        *("--out", str(folder / "out"), "--format", "json"),
    )
    assert done.returncode == 0, done.stderr
    path = folder / "latency.json"
    path.write_text(done.stdout, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def result(written: Path) -> Latency:
    return Latency.model_validate_json(written.read_text(encoding="utf-8"))


def _rounds(result: Latency) -> list[Rounds]:
    loads = [load for limit in result.runs[0].results for load in limit.loads]
    kinds = ("quiet", "disturbed", "floor_quiet", "floor_disturbed")
    return [getattr(load, kind) for load in loads for kind in kinds]


def test_every_packet_came_out(result: Latency) -> None:
    run = result.runs[0]
    assert run.received == run.sent > 0
    assert run.starved == 0
    assert run.sessions == 256


def test_every_load_and_burst_limit_is_there(result: Latency) -> None:
    limits = result.runs[0].results
    assert [limit.burst for limit in limits] == [32, 1]
    for limit in limits:
        assert [load.load_percent for load in limit.loads] == [10, 50, 90]
        assert limit.capacity_pps > 0
        for load in limit.loads:
            assert load.quiet.rounds + load.disturbed.rounds == ROUNDS
            assert load.floor_quiet.rounds + load.floor_disturbed.rounds == ROUNDS
            assert load.quiet.packets + load.disturbed.packets > 0
            assert load.floor_quiet.packets + load.floor_disturbed.packets == 0
            floor = load.floor_quiet.latency.count + load.floor_disturbed.latency.count
            assert floor > 0


def test_percentiles_are_in_order(result: Latency) -> None:
    all_percentiles: list[Percentiles] = []
    for rounds in _rounds(result):
        all_percentiles += [rounds.latency, rounds.own]
        assert rounds.own.count <= rounds.latency.count
        assert (rounds.own.count == rounds.latency.count) or rounds.long_turns > 0
    all_percentiles += [step.spent for step in result.runs[0].steps]
    for each in all_percentiles:
        values = [each.p50_ns, each.p99_ns, each.p999_ns, each.max_ns]
        assert all(a <= b for a, b in itertools.pairwise(values))
        assert (each.count == 0) == (each.max_ns == 0)


def test_every_flip_was_seen_and_nothing_lost(result: Latency) -> None:
    run = result.runs[0]
    for events in (run.flip_idle, run.flip_loaded):
        assert events.events == FLIPS
        # one that falls between two rounds, or in one that warms up, is seen by none
        assert 0 < events.flips_seen <= FLIPS
        assert events.turns.count >= events.flips_seen
    floor = run.events_floor.quiet.rounds + run.events_floor.disturbed.rounds
    assert floor == run.flip_loaded.quiet.rounds + run.flip_loaded.disturbed.rounds
    assert run.backend_changes.events == CHANGES
    assert run.backend_changes.flips_seen == 0


def test_housekeeping_is_bounded_by_named_constants(result: Latency) -> None:
    steps = result.runs[0].steps
    headers = ("host/worker.h", "core/sync.h", "include/tvs/sync.h")
    source = "".join((ROOT / "runtime" / name).read_text(encoding="utf-8") for name in headers)
    sync = {"TVS_SYNC_SESSIONS", "TVS_SYNC_SCAN", "TVS_SYNC_WINDOW"}
    assert {step.bound for step in steps} == {"TVS_SWEEP_BUSY", "TVS_SWEEP_IDLE", *sync}
    assert len({step.name for step in steps if step.bound in sync}) == 7
    for step in steps:
        assert f"{step.bound} = {step.records}," in source
        assert step.spent.count + step.disturbed > 0
    assert sum(step.freed for step in steps) == 256


def test_the_page_shows_it(written: Path, result: Latency) -> None:
    read = read_result(written)
    assert read == result
    drawn = section([result])
    captions = [part.caption for part in drawn.parts]
    assert any("at most 32 packets" in caption for caption in captions)
    assert any("at most 1 packet" in caption for caption in captions)
    assert any("no session sync" in text for text in drawn.text) == bool(result.notes)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    done = _tvsc(str(SITE), "--node", "nobody", "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: the site has no node `nobody`\nhelp: its nodes are tvs-a1"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sessions", ["10", "1M"])
def test_sessions_that_cannot_be_are_refused(tmp_path: Path, sessions: str) -> None:
    done = _tvsc(str(SITE), "--sessions", sessions, "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "sessions cannot be measured on node `tvs-a1`" in done.stderr
    assert "has local ports for 258048" in done.stderr


def test_the_machine_stands_in_the_file(written: Path) -> None:
    raw = json.loads(written.read_text(encoding="utf-8"))
    assert raw["format_version"] == 1
    assert raw["kind"] == "latency"
    assert raw["machine"]["cpus"] >= 2
    assert "bench latency" in raw["command"]


@pytest.mark.parametrize(
    ("value_ns", "text"),
    [
        (0, "0 ns"),
        (12.4, "12 ns"),
        (999, "999 ns"),
        (999.6, "1.00 µs"),
        (9_940, "9.94 µs"),
        (99_400, "99.4 µs"),
        (123_456, "123 µs"),
        (1_234_567, "1.23 ms"),
        (2.5e9, "2.50 s"),
    ],
)
def test_times_have_three_digits(value_ns: float, text: str) -> None:
    assert time_text(value_ns) == text
