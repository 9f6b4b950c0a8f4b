"""`tvsc compile` from outside: what is written, when, and what is left alone."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

from tests.compile.archive import unpack

ROOT = Path(__file__).parents[2]

SITE = """\
language 1

site small { asn 64512  seed "small" }
nic tap0 { driver tap }

cluster A {
    role     primary
    workers  2
    steering fdir
    sessions 16k per worker
    idle     interrupt
    local-ips { short 172.16.0.0/23  long /24 per node  workers 4 each }
    fabric 192.0.2.1 { asn 64500  hold 9s  password env "BGP_PASSWORD" }
    for n in 1..2 {
        node "lb{n}" {
            router-id host(10.255.0.0/24, n)
            workers shared
            control shared
            port fwd {
                vdev    "net_tap0,iface=lb{n}"
                nic     tap0
                address host(192.0.2.0/24, 10 + n)/24
                gateway 192.0.2.1
            }
        }
    }
}

pool web {
    schedule wrr
    check tcp { every 1s  timeout 500ms  rise 2  fall 3 }
    include "servers.tvs"
}

service web {
    vip    203.0.113.10
    listen tcp 80 -> web
}
"""
SERVERS = "server 10.20.0.11:8080 weight 1\nserver 10.20.0.12:8080 weight 2\n"

pytestmark = pytest.mark.slow


def write_site(directory: Path, text: str = SITE) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "servers.tvs").write_text(SERVERS, encoding="utf-8")
    site = directory / "site.tvs"
    site.write_text(text, encoding="utf-8")
    return site


@cache
def installation() -> Path:
    """A copy of the compiler, so that an edit of the tree during the tests does not change it."""
    copy = Path(tempfile.mkdtemp(prefix="tvsc-installation-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("tvsc", "templates", "runtime"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    return copy


def command(site: Path | str, out: Path | str, *options: str) -> list[str]:
    start = [sys.executable, "-m", "tvsc.cli.main", "compile", str(site), "-o", str(out)]
    return [*start, *(options if "--bundle" in options else ("--no-bundle", *options))]


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(installation()), "NO_COLOR": "1", **changes}


def tvsc(
    site: Path | str, out: Path | str, *options: str, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(site, out, *options),
        cwd=cwd or installation(),
        env=environment(**env),
        capture_output=True,
        text=True,
        check=False,
    )


def compiled(site: Path | str, out: Path | str, *options: str, **env: str) -> dict[str, object]:
    result = tvsc(site, out, "--format", "json", *options, cwd=None, **env)
    assert result.returncode == 0, result.stdout + result.stderr
    report: dict[str, object] = json.loads(result.stdout)
    return report


def contents(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".tvsc" not in path.parts
    }


def looks(directory: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(directory)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".tvsc" not in path.parts
    }


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A site and what was compiled from it; tests work on copies."""
    directory = tmp_path_factory.mktemp("good")
    site = write_site(directory / "site")
    out = directory / "out"
    compiled(site, out)
    return site, out


@pytest.fixture
def made(good: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A copy of a good site and its output, mtimes and all."""
    site, out = good
    shutil.copytree(site.parent, tmp_path / "site")
    shutil.copytree(out, tmp_path / "out")
    return tmp_path / "site" / site.name, tmp_path / "out"


def test_what_is_written(good: tuple[Path, Path]) -> None:
    _, out = good
    names = {
        *("parts.h", "pools.c", "servers-000.c", "services.c", "path.c", "generation.c"),
        *("bird.conf", "bird-secrets.sh", "tvsd.service", "tvs-bird.service", "sysctl.conf"),
        *("cmdline", "plan.json", "generation.so"),
    }
    assert set(contents(out)) == {f"nodes/{n}/{f}" for n in ("lb1", "lb2") for f in names}
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", "--format=just-symbols", out / "nodes/lb1/generation.so"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert symbols.stdout.split() == ["tvs_generation"]


def test_the_same_bytes_from_another_directory(good: tuple[Path, Path], tmp_path: Path) -> None:
    """Another place of the site, of the output and of the caller, and one job instead of two."""
    _, out = good
    write_site(tmp_path / "a much longer name" / "b")
    here = tmp_path / "a much longer name"
    result = tvsc("b/site.tvs", "../deep/er/out", "--jobs", "1", cwd=here)
    assert result.returncode == 0, result.stderr
    assert contents(tmp_path / "deep/er/out") == contents(out)


def test_unchanged_rebuilds_nothing(made: tuple[Path, Path]) -> None:
    site, out = made
    before = looks(out)
    report = compiled(site, out, CC="gcc")
    assert report["unchanged"] is True
    assert looks(out) == before


def test_a_change_reaches_the_output(made: tuple[Path, Path]) -> None:
    site, out = made
    before = contents(out)
    servers = site.with_name("servers.tvs")
    servers.write_text(SERVERS.replace("weight 2", "weight 7"), encoding="utf-8")
    assert compiled(site, out)["unchanged"] is False
    after = contents(out)
    changed = {name for name in after if after[name] != before[name]}
    assert "nodes/lb1/generation.c" in changed and "nodes/lb1/generation.so" in changed
    assert "nodes/lb1/path.c" not in changed and "nodes/lb1/bird.conf" not in changed


@pytest.mark.parametrize("damage", ["removed", "changed", "extra"])
def test_damage_is_mended(made: tuple[Path, Path], damage: str) -> None:
    site, out = made
    before = contents(out)
    victim = out / "nodes/lb2/generation.so"
    if damage == "removed":
        victim.unlink()
    elif damage == "changed":
        victim.write_bytes(b"broken")
    else:
        (out / "nodes/stranger").mkdir()
    assert compiled(site, out)["unchanged"] is False
    assert contents(out) == before
    assert not (out / "nodes/stranger").exists()


BAD = {
    "syntax": SITE.replace("service web {", "service web {{"),
    "unknown name": SITE.replace("-> web", "-> wed"),
    "local IP outside": SITE.replace("172.16.0.0/23", "172.16.0.0/25"),
    "empty": "",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_input_writes_nothing(made: tuple[Path, Path], tmp_path: Path, text: str) -> None:
    site, out = made
    site.write_text(text, encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in sorted(out.rglob("*"))}
    result = tvsc(site, out)
    assert result.returncode == 1
    assert "error[TVS" in result.stderr and "Traceback" not in result.stderr
    assert {path: path.stat().st_mtime_ns for path in sorted(out.rglob("*"))} == before
    fresh = tvsc(site, tmp_path / "new" / "out")
    assert fresh.returncode == 1
    assert not (tmp_path / "new").exists()


def test_bad_input_for_machines(made: tuple[Path, Path]) -> None:
    site, out = made
    site.write_text(BAD["unknown name"], encoding="utf-8")
    result = tvsc(site, out, "--format", "json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["errors"] >= 1


SLOW_CC = """\
#!/bin/sh
case " $* " in *" -c "*path.c*) touch {flag}; sleep 1;; esac
exec gcc "$@"
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_compile_leaves_the_last_good(
    made: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    site, out = made
    before = looks(out)
    flag = tmp_path / "compiling"
    slow = tmp_path / "slow-cc"
    slow.write_text(SLOW_CC.format(flag=flag), encoding="utf-8")
    slow.chmod(0o755)
    changed = SITE.replace("tcp 80", "tcp 81")
    site.write_text(changed, encoding="utf-8")
    process = subprocess.Popen(
        command(site, out, "--jobs", "1"),
        cwd=installation(),
        env=environment(CC=str(slow)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not flag.exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(getattr(signal, name))
    assert process.wait(timeout=30) != 0
    assert looks(out) == before
    assert compiled(site, out)["unchanged"] is False
    assert contents(out) != {}
    assert "81" in (out / "nodes/lb1/plan.json").read_text(encoding="utf-8")


def test_two_at_once_say_so(made: tuple[Path, Path]) -> None:
    site, out = made
    before = looks(out)
    with (out / ".tvsc/lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = tvsc(site, out)
    assert result.returncode == 1
    assert "error[TVS0807]: another `tvsc compile`" in result.stderr
    assert looks(out) == before


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_foreign_output_is_refused(good: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    site, _ = good
    out = tmp_path / "mine"
    if kind == "file":
        out.write_text("precious", encoding="utf-8")
    else:
        out.mkdir()
        (out / "precious").write_text("precious", encoding="utf-8")
    result = tvsc(site, out)
    assert result.returncode == 1
    assert "error[TVS0806]" in result.stderr and "was not made by tvsc" in result.stderr
    assert (f"`{out}/NAME` for example" in result.stderr) == (kind == "directory")
    precious = out if kind == "file" else out / "precious"
    assert precious.read_text(encoding="utf-8") == "precious"
    assert not (out / ".tvsc").exists()


def test_an_empty_directory_will_do(good: tuple[Path, Path], tmp_path: Path) -> None:
    site, out = good
    (tmp_path / "empty").mkdir()
    compiled(site, tmp_path / "empty")
    assert contents(tmp_path / "empty") == contents(out)


def test_one_node(good: tuple[Path, Path], made: tuple[Path, Path], tmp_path: Path) -> None:
    _, reference = good
    site, out = made
    alone = tmp_path / "alone"
    compiled(site, alone, "--node", "lb2")
    assert {name.split("/")[1] for name in contents(alone)} == {"lb2"}
    assert compiled(site, alone, "--node", "lb2")["unchanged"] is True
    before = looks(out / "nodes/lb1")
    site.write_text(SITE.replace("tcp 80", "tcp 81"), encoding="utf-8")
    compiled(site, out, "--node", "lb2")
    assert looks(out / "nodes/lb1") == before
    assert contents(out / "nodes/lb2") != contents(reference / "nodes/lb2")
    assert compiled(site, out)["unchanged"] is False


def test_a_node_that_is_not_there(made: tuple[Path, Path]) -> None:
    site, out = made
    result = tvsc(site, out, "--node", "lb3")
    assert result.returncode == 1
    assert "the site has no node `lb3`" in result.stderr
    assert "`lb1`, `lb2`" in result.stderr


def test_software_steering(made: tuple[Path, Path]) -> None:
    site, out = made
    compiled(site, out, "--steering", "software")
    plan = json.loads((out / "nodes/lb1/plan.json").read_text(encoding="utf-8"))
    assert plan["steering"]["mode"] == "software" and plan["steering"]["rules"] == []


def test_summary_for_people(made: tuple[Path, Path]) -> None:
    site, out = made
    result = tvsc(site, out)
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["node", "generation", "workers"]
    assert lines[1].startswith("lb1 ") and lines[2].startswith("lb2 ")
    assert lines[3].startswith("unchanged: 2 nodes in ")


@pytest.mark.timeout(600)
def test_bundles(made: tuple[Path, Path], tmp_path: Path) -> None:
    """Host binary built once; archives equal from two outputs; the manifest is right."""
    site, out = made
    report = compiled(site, out, "--bundle")
    assert report["unchanged"] is False
    assert compiled(site, out, "--bundle")["unchanged"] is True
    compiled(site, tmp_path / "again", "--bundle")
    assert contents(tmp_path / "again") == contents(out)

    rows = report["nodes"]
    assert isinstance(rows, list) and len(rows) == 2
    for row in rows:
        name = f"{row['node']}-{row['generation']}"
        with unpack(out / "bundles" / f"{name}.tar.zst") as archive:
            data = {}
            for member in archive.getmembers():
                file = archive.extractfile(member)
                assert file and member.name.startswith(f"{name}/")
                data[member.name.removeprefix(f"{name}/")] = file.read()
        manifest = json.loads(data.pop("manifest.json"))
        assert set(manifest["files"]) == set(data)
        assert {"tvsd", "tvs", "generation.so", "bird.conf", "plan.json"} <= set(data)
        for path, content in data.items():
            assert manifest["files"][path]["sha256"] == hashlib.sha256(content).hexdigest()
        assert data["tvsd"] == (out / "bin/tvsd").read_bytes()
        assert set(manifest["inputs"]) == {"site.tvs", "servers.tvs"}
