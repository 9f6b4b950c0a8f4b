"""The process that reads large sites for the server: same answers, and nothing depends on it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.front.test_apart import places
from tests.lsp.client import TIMEOUT_S
from tests.lsp.wire import COMMAND, INITIALIZE, message
from tvsc.bench.sites import write_site
from tvsc.diag import render_text
from tvsc.lower import Reading
from tvsc.lower.block_record import Job
from tvsc.lower.records import make_records
from tvsc.lower.store import Store
from tvsc.lsp import reader
from tvsc.lsp.analysis import AbandonedError, Checked, check_site
from tvsc.lsp.overlay import file_key

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("site"), 300)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text is too small for the process."""
    monkeypatch.setattr(reader, "WORTH_CHARACTERS", 1)


def read(
    site: Path,
    store: Store,
    texts: dict[str, str] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Checked:
    reading = replace(reader.usual_reading(tick), jobs=2, apart_characters=0, store=store)
    return check_site(site, texts or {}, reading=reading)


def same(one: Checked, other: Checked) -> bool:
    assert (one.site is None) == (other.site is None)
    found = [places(c.site, c.sources) for c in (one, other) if c.site is not None]
    return (
        one.site == other.site
        and render_text(one.diagnostics, one.sources)
        == render_text(other.diagnostics, other.sources)
        and found[:1] == found[1:]
    )


def here(site: Path, texts: dict[str, str] | None = None) -> Checked:
    """What is read in one piece."""
    return check_site(site, texts or {}, reading=Reading.nothing_apart())


@contextmanager
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The processes that were started."""
    pids: list[int] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **rest: int) -> None:
            super().__init__(command, **rest)  # type: ignore[call-overload]
            pids.append(self.pid)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", Noted)
        yield pids


def test_same_answers(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also for text that is in no file; and what was made is kept, of good blocks alone."""
    (included,) = (site.parent / "services").iterdir()
    text = included.read_text(encoding="utf-8")
    texts = {file_key(included): text.replace("weight 80", "weight 81")}
    wrong = {file_key(included): text.replace("weight 80", "weight x", 1)}
    assert text not in (*texts.values(), *wrong.values())
    with started(monkeypatch) as pids:
        for some in ({}, texts, wrong):
            store = Store(tmp_path)
            assert same(read(site, store, some), here(site, some))
        assert len(pids) == 3
        monkeypatch.setattr(reader, "_from_child", None)
        assert same(read(site, Store(tmp_path), texts), here(site, texts))
        assert len(pids) == 3
    assert caplog.text == ""


@pytest.mark.parametrize("command", ["/bin/false", "/bin/true", "/nowhere/python"])
def test_without_the_process(
    site: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    """What does not start, or ends at once, is no mistake of the site."""
    monkeypatch.setattr(sys, "executable", command)
    assert same(read(site, Store(None)), here(site))
    assert "the reading process failed" in caplog.text


def test_killed_in_the_middle(
    site: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it has made counts, the rest is made here."""
    whole = reader._from_child

    def cut(request: bytes, tick: Callable[[], None]) -> Iterator[bytes | None]:
        for made in whole(request, tick):
            yield made
            for pid in pids:
                os.kill(pid, signal.SIGKILL)

    with started(monkeypatch) as pids:
        monkeypatch.setattr(reader, "_from_child", cut)
        assert same(read(site, Store(None)), here(site))
        assert len(pids) == 1
    assert "the reading process failed" in caplog.text


def test_of_another_version(
    site: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that was replaced while its server ran makes other records."""
    monkeypatch.setattr(reader, "version", lambda: b"older")
    assert same(read(site, Store(None)), here(site))
    assert "the reading process failed" in caplog.text


def test_given_up(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An analysis that nobody wants any more ends the process; what it made stays."""

    def tick() -> None:
        if pids and any(tmp_path.glob("*/*")):
            raise AbandonedError

    with started(monkeypatch) as pids:
        with pytest.raises(AbandonedError):
            read(site, Store(tmp_path), tick=tick)
        (pid,) = pids
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_it_needs_no_path_of_the_editor(site: Path, tmp_path: Path) -> None:
    """What lies in the editor's folder is not run."""
    (tmp_path / "tvsc").mkdir()
    (tmp_path / "tvsc" / "__init__.py").write_text("1/0")
    (tmp_path / "json.py").write_text("1/0")
    program = (
        "import pathlib, sys; from tvsc.lsp import reader; reader.WORTH_CHARACTERS = 0\n"
        "from tvsc.lsp.analysis import check_site\n"
        "print(check_site(pathlib.Path(sys.argv[1]), {}).site is not None)"
    )
    command = [sys.executable, "-P", "-c", program, str(site)]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True)
    assert (result.stdout, result.stderr) == (b"True\n", b"")


def children(pid: int) -> list[int]:
    """The processes that a process has."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, path.read_text().split())
    return found


def gone(pid: int) -> bool:
    """Whether a process runs no more; its new parent may not have asked for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_server(tmp_path: Path, number: signal.Signals) -> None:
    site = write_site(tmp_path / "site", 3000)
    text = site.read_text(encoding="utf-8")
    item = {"uri": site.as_uri(), "languageId": "tvs", "version": 1, "text": text}
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=env
    ) as server:
        try:
            assert server.stdin is not None
            opened = message("textDocument/didOpen", params={"textDocument": item})
            server.stdin.write(INITIALIZE + opened)
            server.stdin.flush()
            until(lambda: any(children(child) for child in children(server.pid)))
            (child,) = children(server.pid)
            grandchildren = children(child)
            server.send_signal(number)
            assert server.wait(TIMEOUT_S) == -number
            until(lambda: all(gone(pid) for pid in (child, *grandchildren)))
        finally:
            server.kill()


def test_small_changes_are_read_here(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process would take longer."""
    monkeypatch.undo()
    jobs_seen: list[int] = []

    def make(jobs: list[Job], *rest: object) -> Iterator[bytes | None]:
        jobs_seen.append(len(jobs))
        return make_records(jobs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(reader, "make_records", make)
    monkeypatch.setattr(reader, "_from_child", None)
    assert same(read(site, Store(tmp_path)), here(site))
    assert jobs_seen
