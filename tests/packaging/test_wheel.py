"""The wheel carries everything that the compiler reads, and works far from the source checkout."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, under

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


SITE = ROOT / "examples/laptop/site.tvs"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = directory.glob("tvsc-*.whl")
    return path


@pytest.fixture(scope="module")
def tvsc(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `tvsc` of a scratch environment with nothing in it but the wheel."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = str(environment / "bin/pip")
    command = [pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(command, check=True)
    # ninja is a dependency with a program; it comes from here, as the Python ones do (see `run`)
    (environment / "bin/ninja").symlink_to(Path(sys.executable).with_name("ninja"))
    return environment / "bin/tvsc"


def run(tvsc: Path, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the scratch `tvsc`, with the dependencies (not tvsc itself) of this environment."""
    env = {
        **os.environ,
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "XDG_CACHE_HOME": str(cwd / "cache"),
    }
    return subprocess.run(
        [tvsc, *args], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def test_wheel_holds_templates_and_runtime(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"tvsc/_data/{path}" for path in under("templates") + under("runtime")}
    expected |= {str(path) for path in under("tvsc")}
    assert expected - names == set()


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    foreign = [n for n in names if not n.startswith(("tvsc/", "tvsc-"))]
    assert foreign == []
    assert [n for n in names if "__pycache__" in n or n.endswith((".so", ".o", ".a"))] == []


def test_resources_are_those_of_the_wheel(tvsc: Path, tmp_path: Path) -> None:
    probe = "from tvsc import resources as r; print(r.templates_dir(), r.runtime_dir())"
    env = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    command = [str(tvsc.parent / "python"), "-c", probe]
    out = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
    templates, runtime = map(Path, out.stdout.split())
    environment = tvsc.parents[1].resolve()
    assert templates.is_relative_to(environment)
    assert runtime.is_relative_to(environment)
    assert (runtime / "meson.build").is_file()


def test_check_works_elsewhere(tvsc: Path, tmp_path: Path) -> None:
    assert run(tvsc, "--version", cwd=tmp_path).stdout.startswith("tvsc ")
    checked = run(tvsc, "check", str(SITE), cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_compile_works_elsewhere(tvsc: Path, tmp_path: Path) -> None:
    """Host and generation are built from the sources in the wheel, into a cache of their own."""
    compiled = run(tvsc, "compile", str(SITE), "-o", "out", "--node", "tvs-a1", cwd=tmp_path)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    assert (tmp_path / "out/nodes/tvs-a1/generation.so").is_file()
    assert len(list((tmp_path / "out/bundles").glob("tvs-a1-*.tar.zst"))) == 1
