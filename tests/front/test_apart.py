"""Blocks that are read apart, in parallel, or not at all because they were read before: the site
and the messages are those of the site read in one piece.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvsc.bench.sites import write_site
from tvsc.diag import Diagnostic, render_text
from tvsc.dsl import split as split_module
from tvsc.dsl.ast import Statement
from tvsc.dsl.parser import parse_part
from tvsc.dsl.split import split
from tvsc.lower import Reading, load_site
from tvsc.lower.nouns import noun, to_json
from tvsc.lower.processes import in_processes
from tvsc.lower.store import Store
from tvsc.model import Site
from tvsc.source import SourceMap

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests" / "diagnostics" / "cases").glob("*.tvs"))
EXAMPLES = sorted((ROOT / "examples").glob("*/site.tvs"))


class CountingStore(Store):
    """A store that counts."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.directory = directory
        self.hits = 0
        self.puts = 0

    def get(self, key: str) -> bytes | None:
        found = super().get(key)
        self.hits += found is not None
        return found

    def put(self, key: str, body: bytes) -> None:
        self.puts += 1
        super().put(key, body)


def places(site: Site, sources: SourceMap) -> dict[str, tuple[str, int, int]]:
    return {
        path: (sources.files[span.file].name, span.start, span.end)
        for path, span in site.origins.items()
    }


def outcome(path: Path, reading: Reading) -> tuple[Site | None, str, object]:
    """The site, the messages, and of a good site where everything is from. (Which files were read
    until a mistake was found may differ.)
    """
    site, diagnostics, sources = load_site(path, reading)
    if site is None:
        return None, render_text(diagnostics, sources), None
    files = sorted((file.name, file.text) for file in sources.files)
    return site, render_text(diagnostics, sources), (places(site, sources), files)


def apart(store: Store, jobs: int = 1) -> Reading:
    return Reading(jobs, 0, store)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_module, "LEAST_CHARACTERS", 200)
    monkeypatch.setattr(split_module, "MOST_CHARACTERS", 1500)


@pytest.mark.parametrize("path", [*CASES, *EXAMPLES], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_same_as_in_one_piece(path: Path, tmp_path: Path, small_parts: None) -> None:
    plain = outcome(path, Reading.nothing_apart())
    for _ in ("made", "from the store"):
        assert outcome(path, apart(Store(tmp_path))) == plain
    assert outcome(path, apart(Store(None), jobs=2)) == plain


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


LOOPS = """\
for i in 1..30 {
    pool loop-{i} { server host(rs, i):80 weight w }
    service loop-{i} { vip host(vips, i)  listen tcp 81 -> loop-{i}  timeouts { syn 3s } }
}
for i in 31..60 {
    pool "loop-{i}" { servers from "more.csv" }
    service "loop-{i}" { vip host(vips, i)  listen tcp 81 -> "loop-{i}" }
}
"""


@pytest.fixture
def large(tmp_path: Path, small_parts: None) -> Path:
    """A generated site, and loops, variables and a list beside it."""
    site = write_site(tmp_path / "site", 60, 4)
    (site.parent / "services" / "more.csv").write_text("10.250.0.1,80,3\n10.250.0.2,80\n")
    loops = LOOPS.replace("loop-{i} {", '"loop-{i}" {').replace("-> loop-{i}", '-> "loop-{i}"')
    (site.parent / "services" / "zz.tvs").write_text(loops)
    lets = "let rs = 10.240.0.0/16\nlet vips = 198.19.0.0/16\nlet w = 7\n\nsite bench"
    edit(site, "site bench", lets)
    return site


Edit = tuple[str, str, str]

EDITS: dict[str, Edit] = {
    "weight": ("services/000.tvs", "weight 50", "weight 51"),
    "line above": ("services/000.tvs", "pool p00000", "# new\n\npool p00000"),
    "comment": ("services/000.tvs", "server 10.0.2.1", "# was 2\n    server 10.0.2.1"),
    "pool gone": ("services/000.tvs", "pool p00030 {", "pool other {"),
    "variable": ("site.tvs", "let w = 7", "let w = 8"),
    "variable elsewhere": ("site.tvs", "let fabric = 64500", "let fabric = 64501"),
    "variable's type": ("site.tvs", "let w = 7", "let w = 7s"),
    "variable gone": ("site.tvs", "let w = 7\n", ""),
    "defaults": ("site.tvs", "every 2s", "every 3s"),
    "defaults' place": ("site.tvs", "defaults {", "\n\ndefaults {"),
    "defaults with a mistake": ("site.tvs", "every 2s", "every 2"),
    "list": ("services/more.csv", "10.250.0.2,80", "10.250.0.2,81,5"),
    "list with a mistake": ("services/more.csv", "10.250.0.2,80", "10.250.0.2,port"),
    "list twice": ("services/more.csv", "10.250.0.2", "10.250.0.1"),
    "syntax": ("services/000.tvs", "weight 50", "weight 50 ->, "),
    "brace": ("services/000.tvs", "pool p00030 {", "pool p00030 "),
    "quote": ("services/000.tvs", "pool p00030 {", 'pool "p00030 {'),
    "unknown setting": ("services/000.tvs", "listen tcp 80", "lisen tcp 80"),
    "wrong value": ("services/000.tvs", "weight 50", "weight 5000"),
    "twice": ("services/000.tvs", "pool p00031", "pool p00030"),
    "no such pool": ("services/000.tvs", "-> p00030", "-> p0003O"),
    "like": ("services/000.tvs", "pool p00030 {", "pool p00030 like p00029 {"),
    "like a loop's": ("services/000.tvs", "pool p00030 {", 'pool p00030 like "loop-3" {'),
    "like nothing": ("services/000.tvs", "pool p00030 {", "pool p00030 like p0002g {"),
    "a let between": ("services/000.tvs", "pool p00030", "let w2 = 3\npool p00030"),
    "language": ("site.tvs", "language 1", "language 2"),
    "syntax in two": ("site.tvs", "asn  64512", "asn = 64512"),
}


@pytest.mark.parametrize("name", EDITS)
def test_same_after_an_edit(name: str, large: Path, tmp_path: Path) -> None:
    """Also with the records of the site before the edit, and with more than one mistake."""
    store = CountingStore(tmp_path / "store")
    before = outcome(large, apart(store))
    assert before == outcome(large, Reading.nothing_apart())
    assert before[0] is not None and store.puts > 5
    file, old, new = EDITS[name]
    edit(large.parent / file, old, new)
    if name == "syntax in two":
        edit(large.parent / "services" / "000.tvs", "weight 50", "weight (50")
    plain = outcome(large, Reading.nothing_apart())
    for _ in ("made", "from the store"):
        assert outcome(large, apart(store)) == plain


@pytest.mark.parametrize("name", ["weight", "line above", "variable elsewhere", "defaults' place"])
def test_an_edit_costs_its_own_part(name: str, large: Path, tmp_path: Path) -> None:
    store = CountingStore(tmp_path / "store")
    outcome(large, apart(store))
    first, store.puts = store.puts, 0
    file, old, new = EDITS[name]
    edit(large.parent / file, old, new)
    outcome(large, apart(store))
    assert store.puts <= 2 < first
    assert store.hits >= first - 2


def test_a_variable_costs_the_parts_that_use_it(large: Path, tmp_path: Path) -> None:
    store = CountingStore(tmp_path / "store")
    outcome(large, apart(store))
    store.puts = 0
    edit(large, "let w = 7", "let w = 8")
    outcome(large, apart(store))
    assert store.puts == 1


def test_in_processes_as_here(large: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert outcome(large, apart(Store(one))) == outcome(large, apart(Store(two), jobs=3))
    assert {p.name: p.read_bytes() for p in one.glob("*/*")} == {
        p.name: p.read_bytes() for p in two.glob("*/*")
    }


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _another(path: Path) -> None:
    others = sorted(p for p in path.parent.parent.glob("*/*") if p != path and p.is_file())
    path.write_bytes(others[0].read_bytes())


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGE: list[Callable[[Path], object]] = [
    Path.unlink,
    _cut,
    _flip,
    _another,
    _directory,
    _endless,
    _pipe,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(os.urandom(500)),
]


@pytest.mark.parametrize("damage", range(len(DAMAGE)))
def test_damage_is_as_good_as_absence(damage: int, large: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    plain = outcome(large, apart(Store(store)))
    for entry in sorted(store.glob("*/*")):
        DAMAGE[damage](entry)
    assert outcome(large, apart(Store(store))) == plain


def test_a_directory_that_cannot_be_written_is_no_store(large: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plain = outcome(large, Reading.nothing_apart())
    assert outcome(large, apart(Store(tmp_path / "file" / "store"))) == plain


def test_the_store_is_trimmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvsc.lower.store.MOST_BYTES", 10_000)
    store = Store(tmp_path)
    for n in range(40):
        store.put(f"{n:040x}", b"x" * 1000)
        os.utime(tmp_path / "00" / f"{n:040x}", (n, n))
    store.trim()
    left = sorted(int(p.name, 16) for p in tmp_path.glob("*/*"))
    assert left == list(range(40 - len(left), 40))
    assert 0 < len(left) <= 5
    assert store.get(f"{39:040x}") == b"x" * 1000


# --- the pieces -------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    (
        *("pool", "service", "for", "let", "include", "like", "a", "b-1", "=", "1", "1..3", "in"),
        *('"t{n}"', '"{"', '"}', "# {\n", "# }\n", "{", "}", "}\n", "{\n", "\n", ",", "("),
        *("server 10.0.0.1:80", "pool a { server 10.0.0.1:80 }\n", "service b {\n}\n"),
        "for n in 1..2 { pool c { } }\n",
    )
)


@given(st.lists(_WORDS, max_size=60), st.integers(1, 80))
def test_parts_parse_to_what_the_whole_does(words: list[str], least: int) -> None:
    text = " ".join(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_module, "LEAST_CHARACTERS", least)
        parts = split(text)
    assert [p.start for p in parts] == [0, *(p.end for p in parts[:-1])]
    assert parts[-1].end == len(text)
    said: list[Diagnostic] = []
    whole = parse_part(0, text, said.append, 0, len(text))
    if said:
        return
    apart: tuple[Statement, ...] = ()
    for part in parts:
        apart += parse_part(0, text, said.append, part.start, part.end)
    assert not said
    assert apart == whole


def test_where_a_part_ends_is_a_matter_of_its_text(tmp_path: Path) -> None:
    """Lines added at the start move all parts and change the first alone."""
    text = (write_site(tmp_path, 500).parent / "services" / "000.tvs").read_text()
    before = {text[p.start : p.end] for p in split(text)}
    more = "pool first {\n    server 10.255.1.1:80\n}\n" + text
    after = {more[p.start : p.end] for p in split(more)}
    assert len(before) > 15
    assert len(after - before) <= 1


def test_nouns_keep_everything(tmp_path: Path) -> None:
    for path in EXAMPLES:
        site, _, _ = load_site(path)
        assert site is not None
        for one in (*site.pools, *site.services):
            again = noun(json.loads(json.dumps(to_json(one))))
            assert again == one
            assert repr(again) == repr(one)
            assert again.model_dump_json() == one.model_dump_json()
            assert type(again).model_validate(again.model_dump()) is not None


def test_processes_give_what_one_gives() -> None:
    def work(n: int) -> bytes | None:
        return None if n % 5 == 0 else bytes([n]) * 100_000

    expected = [work(n) for n in range(23)]
    assert list(in_processes(work, 23, 4)) == expected
    assert list(in_processes(work, 23, 1)) == expected
    assert list(in_processes(work, 0, 4)) == []


def test_what_a_dead_process_owes_is_done_here() -> None:
    parent = os.getpid()

    def work(n: int) -> bytes | None:
        if os.getpid() != parent and n in (3, 4):
            os.kill(os.getpid(), signal.SIGKILL)
        return str(n).encode()

    assert list(in_processes(work, 12, 2)) == [str(n).encode() for n in range(12)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    """The children hold the write end of a pipe, which is at its end when they are gone."""
    program = (
        "import os, time\n"
        "from tvsc.lower.processes import in_processes\n"
        "def work(n):\n"
        "    os.write(1, b'begun\\n')\n"
        "    time.sleep(60)\n"
        "list(in_processes(work, 4, 2))\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"begun\n"] * 2
        process.send_signal(number)
        assert process.stdout.read() == b""
        assert process.wait() != 0


def test_an_error_in_a_process_is_an_error_here() -> None:
    def work(n: int) -> bytes | None:
        if n == 5:
            raise ValueError("five")
        return b""

    with pytest.raises(ValueError, match="five"):
        list(in_processes(work, 8, 2))
