"""The lab's tests use a copy of the laptop example: a lab of one's own beside them is no bother."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tvsc.lab.state import RUN, RunDirectory, State
from tvsc.lab.topology import lab_name
from tvsc.lower import load_site
from tvsc.model import Site

ROOT = Path(__file__).resolve().parents[2]
LAPTOP = ROOT / "examples" / "laptop" / "site.tvs"
PATIENCE_S = 60


@dataclass
class Laptop:
    """A site file, and the lab commands on it."""

    site: Path
    out: Path

    @property
    def name(self) -> str:
        return lab_name(self.site)

    def command(self, *arguments: str) -> list[str]:
        verb, *rest = arguments
        out = [] if verb == "down" else ["--out", str(self.out)]
        return [sys.executable, "-m", "tvsc.cli.main", "lab", verb, str(self.site), *out, *rest]

    def tvsc(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs `tvsc lab ARGUMENTS` to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 2,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Starts `tvsc lab ARGUMENTS`; `until` reads what it says."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def state(self) -> State:
        state = RunDirectory(self.name).load()
        assert state is not None
        return state

    def traces(self) -> list[str]:
        """Everything on this machine that is the lab's."""
        found = [f"namespace {p.name}" for p in _listing("/run/netns") if self.name in p.name]
        found += [f"file {path}" for path in _listing(str(RUN)) if path.name == self.name]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if f"/tvsc-lab/{self.name}/" in words or f"supervisor {self.name}" in words:
                found.append(f"process {process.name}: {words}")
        return found

    def assert_nothing_left(self, patience_s: float = 0.0) -> None:
        """After `patience_s` at the latest; zero: now."""
        assert until(lambda: not self.traces(), patience_s), self.traces()


def until(condition: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def read_until(process: "subprocess.Popen[str]", text: str) -> None:
    """Reads the output up to the first line with `text`."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return
    pytest.fail(f"`{text}` never came:\n{''.join(seen)}")


def _listing(directory: str) -> list[Path]:
    path = Path(directory)
    return list(path.iterdir()) if path.is_dir() else []


@pytest.fixture(scope="session")
def laptop() -> Site:
    site, diagnostics, _ = load_site(LAPTOP)
    assert site is not None, diagnostics
    return site


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A copy of the example, compiled once; whatever a test leaves is taken down at the end."""
    folder = tmp_path_factory.mktemp("lab") / "laptop"
    shutil.copytree(LAPTOP.parent, folder)
    lab = Laptop(folder / "site.tvs", folder / "out")
    compiled = subprocess.run(
        [sys.executable, "-m", "tvsc.cli.main", "compile", str(lab.site), "-o", str(lab.out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    yield lab
    lab.tvsc("down")


@pytest.fixture
def clean(lab: Laptop) -> Iterator[Laptop]:
    """The same; nothing is there before, and nothing stays after a test that fails."""
    lab.assert_nothing_left()
    yield lab
    if lab.traces():
        lab.tvsc("down")


INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
