"""`tvsc bench path` on a tiny workload: what it says is whole, agrees with itself, can be drawn.

No test looks at how long anything took: a busy machine is slow and not wrong.
"""

import errno
import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.naive.scheduled import scheduled_site
from tvsc.bench import generic
from tvsc.bench.errors import BenchError
from tvsc.bench.harness import Batch, run_batch
from tvsc.bench.path import FLOORS, PathResult
from tvsc.bench.path_plan import Choice, counted
from tvsc.bench.report import read_result, render_page
from tvsc.build.failure import BuildError
from tvsc.build.progress import Progress
from tvsc.build.toolchain import Compiler
from tvsc.cli.main import main
from tvsc.diag import codes

ROOT = Path(__file__).resolve().parents[2]
TINY = ("--small-pages", "--sessions", "64,512,64", "--repeats", "2", "--packets", "2048")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _tvsc(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tvsc.cli.main", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("path")


@pytest.fixture(scope="module")
def written(out: Path) -> Path:
    """The site made for measuring, in two patterns, burst sizes and frame sizes."""
    path = out / "path.json"
    done = _tvsc(
        *("path", *TINY, "--pattern", "uniform,one", "--burst", "1,32", "--size", "60,1514"),
        *("--direction", "request,reply,close,new,refused,sweep,sync"),
        *("--out", str(out / "out"), "--save", str(path), "--format", "json"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(path.read_text(encoding="utf-8"))
    return path


@pytest.fixture(scope="module")
def result(written: Path) -> PathResult:
    return PathResult.model_validate_json(written.read_text(encoding="utf-8"))


def test_every_schedule_is_measured(out: Path) -> None:
    """New sessions of a class for each: only classes that go in turns are alike."""
    done = _tvsc(
        *("path", str(scheduled_site()), *TINY, "--direction", "new", "--workers", "1"),
        *("--no-count", "--out", str(out / "scheduled"), "--format", "json"),
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["workload"]["service_class"] for row in rows} == {
        "fullnat+maglev/tcp",
        "fullnat+least-loaded/tcp",
        "fullnat+source-hash/udp",
    }


def test_every_combination_is_there_once(result: PathResult) -> None:
    works = [row.workload for row in result.rows]
    keys = [
        (w.service_class, w.direction, w.pattern, w.sessions, w.burst, w.frame_bytes) for w in works
    ]
    assert len(keys) == len(set(keys))
    for sessions in (64, 512):
        for name, directions in (("tcp", 7), ("udp", 5)):
            mine = [
                w for w in works if w.service_class == f"fullnat/{name}" and w.sessions == sessions
            ]
            assert len({w.direction for w in mine}) == directions
            # request and reply: two patterns; the others one; four shapes each but the sweep
            assert len(mine) == 2 * 2 * 4 + (directions - 3) * 4 + 1


def test_every_packet_has_its_floors(result: PathResult) -> None:
    for row in result.rows:
        work = row.workload
        if work.direction in ("sweep", "sync"):
            assert row.floors == {}
            continue
        looked_up = work.direction in ("request", "reply", "close", "new")
        assert set(row.floors) == set(FLOORS) - (set() if looked_up else {"rte_hash"})
        for floor in row.floors.values():
            assert floor.ratio == pytest.approx(floor.cycles.median / row.cycles.median, abs=0.01)


def test_figures_are_in_order(result: PathResult) -> None:
    for row in result.rows:
        assert 0 < row.cycles.p10 <= row.cycles.median <= row.cycles.p90
        assert row.bytes_per_session > 64
        assert result.machine.tsc_mhz is not None
        assert row.mpps == pytest.approx(
            result.machine.tsc_mhz / row.cycles.median, rel=0.01, abs=0.005
        )


def test_two_workers_stand_beside_one(result: PathResult) -> None:
    assert {pair.workload.workers for pair in result.pairs} == {2}
    assert {pair.workload.direction for pair in result.pairs} == {
        "request",
        "reply",
        "close",
        "new",
        "refused",
    }
    for pair in result.pairs:
        assert 0 <= pair.overlap <= 1
        assert 0 <= pair.cores < 4  # 0: one of the two never ran while the other did
        assert all(alone.median > 0 for alone in pair.alone)
        if all(spread.median > 0 for spread in pair.together):  # else they never met
            both = sum(1 / spread.median for spread in pair.together)
            one = sum(1 / spread.median for spread in pair.alone) / 2
            assert pair.scaling == pytest.approx(both / one, abs=0.02)
        else:
            assert pair.scaling == 0
    if result.machine.cpus <= 2:
        assert any("two workers took all processors" in note for note in result.notes)


def test_lines_of_a_packet_are_counted(result: PathResult) -> None:
    by_direction = {
        touched.workload.direction: touched
        for touched in result.touches
        if touched.workload.service_class == "fullnat/tcp"
    }
    assert set(by_direction) == {"request", "reply", "close", "new", "refused"}
    for touched in by_direction.values():
        assert touched.lines["packets"] == 1
        assert 50 < touched.instructions < 5000
    request, reply = by_direction["request"], by_direction["reply"]
    # one bucket and one record; some flows come twice in a burst
    assert 0.7 < request.lines["buckets"] <= 1.1
    assert 0.7 < request.lines["records"] <= 1.1
    assert "buckets" not in reply.lines
    assert 0.7 < reply.lines["records"] <= 1
    assert request.lines_sum > reply.lines_sum


def test_only_the_directions_asked_for_are_counted(out: Path, written: Path) -> None:
    built = out / "out" / "nodes" / "bench-1" / "generation.so"
    arguments = ("--direction", "reply", "--workers", "1", "--format", "json")
    done = _tvsc("path", str(built), *TINY, *arguments)
    assert done.returncode == 0, done.stderr
    result = PathResult.model_validate_json(done.stdout)
    assert {row.workload.direction for row in result.rows} == {"reply"}
    counted_for = [(t.workload.service_class, t.workload.direction) for t in result.touches]
    assert counted_for == [("fullnat/tcp", "reply"), ("fullnat/udp", "reply")]


def test_what_is_counted_is_what_has_packets() -> None:
    every = ("request", "reply", "close", "new", "refused")
    assert counted(Choice(), "fullnat/tcp") == every
    assert counted(Choice(full=True), "fullnat/tcp") == every
    assert counted(Choice(), "fullnat/udp") == ("request", "reply", "new", "refused")
    asked = Choice(directions=("sweep", "refused", "close"))
    assert counted(asked, "fullnat/tcp") == ("close", "refused")
    assert counted(asked, "fullnat/udp") == ("refused",)
    assert counted(Choice(directions=("sweep",)), "fullnat/tcp") == ()


def test_sync_is_measured_in_turn_with_none(result: PathResult) -> None:
    rows = [row for row in result.rows if row.workload.direction == "sync"]
    assert {row.workload.service_class for row in rows} == {"fullnat/tcp"}
    assert [row for row in result.rows if (row.sync is not None) != (row in rows)] == []
    for row in rows:
        cost = row.sync
        assert cost is not None
        assert row.floors == {}
        for spread, percent in (
            (cost.tells, cost.tells_percent),
            (cost.learns, cost.learns_percent),
        ):
            assert 0 < spread.p10 <= spread.median <= spread.p90
            more = 100 * (spread.median / row.cycles.median - 1)
            assert percent == pytest.approx(more, abs=0.1)
        counts = cost.counts
        assert counts.peers == 3
        assert counts.packets_per_session == pytest.approx(10, rel=0.2)
        # established, first FIN, closed; what changes again while it waits is told once
        assert 0 < counts.told_per_session < 3.5
        told = counts.established + counts.finishing + counts.closed
        assert told == pytest.approx(counts.told_per_session, abs=0.01)
        assert 1 <= counts.sessions_per_message <= 40
        assert counts.learned_per_session > 0 < counts.renewed_per_session
    assert any("built with it" in note for note in result.notes)
    assert any("has no peers" in note for note in result.notes)


def test_small_pages_are_said(result: PathResult) -> None:
    assert result.pages != "2 MB"
    assert any("without 2 MB pages" in note for note in result.notes)


class _Page(HTMLParser):
    """Every element is closed, and none names an address."""

    VOID = ("meta", "link", "br", "img", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_needs_nothing_else(written: Path, out: Path) -> None:
    page = out / "bench.html"
    done = _tvsc("report", str(written), "-o", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    parser = _Page()
    parser.feed(text)
    assert parser.open == []
    assert all(link.startswith("#") for link in parser.links)
    assert "script" not in parser.seen
    assert not re.search(r"https?://|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text
    plots = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(plots) == 4  # two per class
    for plot in plots:
        ET.fromstring(plot)
    assert "measured separately" in text
    for name in ("DPVS", "nftables", "floor: rte_hash"):
        assert name in text


def test_plots_stand_alone(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plots = tmp_path / "new" / "plots"
    with pytest.raises(SystemExit) as ended:
        main(
            ["bench", "report", str(written), "-o", str(tmp_path / "a.html"), "--plots", str(plots)]
        )
    assert ended.value.code == 0
    names = sorted(path.name for path in plots.iterdir())
    assert names == [f"path-{n}.svg" for n in range(1, len(names) + 1)]
    page = (tmp_path / "a.html").read_text()
    assert len(names) == page.count("<svg") > 1
    for path in plots.iterdir():
        root = ET.fromstring(path.read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.find(".//{http://www.w3.org/2000/svg}polyline") is not None


def test_a_generation_alone_is_measured(out: Path, written: Path) -> None:
    """Without sources beside it there is no generic floor, and the result says so."""
    built = out / "out" / "nodes" / "bench-1" / "generation.so"
    alone = out / "alone.so"
    alone.write_bytes(built.read_bytes())
    done = _tvsc(
        *("path", str(alone), *TINY, "--direction", "request", "--no-count", "--format", "json"),
        *("--workers", "1"),
    )
    assert done.returncode == 0, done.stderr
    result = PathResult.model_validate_json(done.stdout)
    assert {row.workload.sessions for row in result.rows} == {64, 512}
    assert all(set(row.floors) == {"touch", "rte_hash"} for row in result.rows)
    assert any("`generic` was left out" in note for note in result.notes)
    assert result.pairs == ()
    assert len(result.cpus) == 1
    assert render_page([result]).count("<svg") == 2
    assert any("instructions are not counted" in note for note in result.notes)


def test_every_class_is_synced_once() -> None:
    path = "static const struct tvs_class class_0 = {\n    .proto = TVS_TCP,\n"
    synced = path.replace("{\n", "{\n    .is_synced = true,\n")
    assert generic.synced_path(path) == synced
    assert generic.synced_path(synced) == synced
    assert generic.synced_path(synced.replace("true", "false")) == synced


def test_a_full_cache_is_said(
    out: Path, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> dict[str, Path]:
        raise OSError(errno.ENOSPC, "No space left on device", f"{tmp_path}")

    monkeypatch.setenv("XDG_CACHE_HOME", f"{tmp_path}")
    monkeypatch.setattr(generic, "build_generations", full)
    sources = generic.read_sources(out / "out" / "nodes" / "bench-1")
    assert sources is not None
    with pytest.raises(BuildError) as caught:
        generic.build_generic(
            sources, "x86-64-v2", "base", Compiler(("gcc",), "gcc"), Progress(quiet=True)
        )
    assert caught.value.diagnostic.code is codes.OUTPUT_FULL


def test_what_a_generation_alone_does_not_have(out: Path, written: Path) -> None:
    """Without plan.json nobody knows its classes, and it is of one node."""
    alone = out / "alone too.so"
    alone.write_bytes((out / "out" / "nodes" / "bench-1" / "generation.so").read_bytes())
    done = _tvsc("path", str(alone), "--class", "sctp")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no class `sctp`\nhelp: without plan.json")
    done = _tvsc("path", str(alone), "--node", "bench-1")
    assert done.returncode == 1
    assert done.stderr.startswith("error: a generation is of one node")


def test_no_tool_outlives_a_bench_that_is_killed(tmp_path: Path) -> None:
    valgrind = tmp_path / "valgrind"
    valgrind.write_text(f"#!/bin/sh\necho $$ > '{tmp_path}/pid'\nexec sleep 600\n")
    valgrind.chmod(0o755)
    text = (
        "import sys; from pathlib import Path; from tvsc.build.trace import traced; "
        "traced(Path(sys.argv[1]), ['program'], lambda line: False, lambda lines: None)"
    )
    with subprocess.Popen([sys.executable, "-c", text, str(valgrind)], cwd=ROOT) as process:
        _until(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text() != "")
        tool = int((tmp_path / "pid").read_text())
        process.kill()
    _until(lambda: not _runs(tool))


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    """Whether there is such a process, and it is more than a name that nobody has asked for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("path", "nowhere.so"), 1, "there is no generation at `nowhere.so`"),
        (("path", "--sessions", "10"), 2, "is not in 64.."),
        (("path", "--sessions", "1k,x"), 2, "`x` is no number"),
        (("path", "--direction", "request,up"), 2, "`up` is none of request"),
        (("path", "--size", "1515"), 2, "is not in 60..1514"),
        (("path", "--node", "b"), 1, "has no node `b`"),
        (("path", "--class", "sctp"), 1, "has no class `sctp`"),
        (("path", "--class", "udp", "--direction", "close", "--no-count"), 1, "is of TCP only"),
        (("path", "--class", "udp", "--direction", "sync", "--no-count"), 1, "is of TCP only"),
        (("path", "--workers", "2", "--direction", "sync"), 1, "`sync` is of one worker"),
        (("path", "--cpus", "0,0"), 2, "name one core, or two that differ"),
        (("path", "--cpus", "0,1,2"), 2, "name one core, or two that differ"),
        (("path", "--sessions", "9M", "--small-pages", "--workers", "1"), 1, "local ports for"),
        (("path", "--save", "nowhere/a.json"), 1, "there is no directory `nowhere`"),
        (("path", "--save", "docs"), 1, "`docs` is a directory"),
        (("report", "nowhere.json"), 1, "nowhere.json"),
        (("report", "pyproject.toml"), 1, "is no JSON"),
    ],
)
def test_wrong_input_is_said(
    arguments: tuple[str, ...],
    status: int,
    said: str,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "200")
    place = ("--out", str(out / "out")) if arguments[0] == "path" else ()
    with pytest.raises(SystemExit) as ended:
        main(["bench", *arguments, *place])
    assert ended.value.code == status
    error = capsys.readouterr().err
    assert said in " ".join(error.replace("│", " ").split())
    assert "Traceback" not in error


def test_missing_pages_name_the_sysctl(tmp_path: Path) -> None:
    """The program counts them before it measures; here one that says what it says then."""
    program = tmp_path / "tvs-bench"
    program.write_text(
        "#!/bin/sh\necho 'tvs-bench: 600 free huge pages of 2 MB are needed, 500 are missing: "
        "sysctl -w vm.nr_hugepages=700' >&2\nexit 1\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    batch = Batch("tcp", (1000,), ("request",))
    with pytest.raises(BenchError) as caught:
        run_batch(program, tmp_path / "generation.so", None, batch, (), False, lambda _: None)
    assert caught.value.problem == "600 free huge pages of 2 MB are needed, 500 are missing"
    assert "sysctl -w vm.nr_hugepages=700" in caught.value.help


def test_foreign_results_are_refused(out: Path) -> None:
    foreign = out / "foreign.json"
    foreign.write_text('{"kind": "path", "format_version": 99}', encoding="utf-8")
    with pytest.raises(Exception, match="format version 99"):
        read_result(foreign)
    foreign.write_text('{"kind": "path", "format_version": 1}', encoding="utf-8")
    with pytest.raises(Exception, match="is not whole"):
        read_result(foreign)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_results_without_a_figure_are_refused(written: Path, out: Path, value: float) -> None:
    """A plot has no place for them; a file that was changed may hold them."""
    raw = json.loads(written.read_text(encoding="utf-8"))
    raw["rows"][0]["cycles"]["median"] = value
    foreign = out / "foreign.json"
    foreign.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(BenchError, match=r"is not whole: rows\.0\.cycles"):
        read_result(foreign)


def test_another_processors_code_is_said(tmp_path: Path) -> None:
    program = tmp_path / "tvs-bench"
    program.write_text("#!/bin/sh\nkill -ILL $$\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(BenchError, match="this processor cannot run"):
        run_batch(
            program,
            tmp_path / "generation.so",
            None,
            Batch("tcp", (1000,), ("request",)),
            (),
            False,
            lambda _: None,
        )
