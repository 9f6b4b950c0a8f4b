"""Secrets are named and never read: no command prints one, and no file has one.

Every command runs with the secrets at hand, in the environment and in files wherever a path could
lead, and with an audit hook that writes down what Python opens.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compile.archive import unpack

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
VALUES = {"env": "MARK-env-3f9c0d", "file": "MARK-file-77ab1e", "sync": "MARK-sync-c05d24"}
SITE = """language 1
site s { asn 64512  seed "s" }
cluster A {
    workers  2
    steering fdir
    sessions 16k per worker
    idle     interrupt
    local-ips { short 172.16.0.0/23  long /24 per node  workers 4 each }
    fabric 192.0.2.1 { asn 64500  password env "BGP_PASSWORD" }
    fabric 192.0.2.2 { asn 64500  password file "secrets/bgp.key" }
    sync { port 7000  key file "secrets/sync.key" }
    node a1 {
        router-id 10.255.0.1
        workers   shared
        port fwd { vdev "net_tap0,iface=a1"  nic tap  address 192.0.2.11/24  gateway 192.0.2.1 }
    }
    node a2 like a1 {
        router-id 10.255.0.2
        port fwd { vdev "net_tap0,iface=a2"  address 192.0.2.12/24 }
    }
}
pool web { server 10.20.1.1:80  server 10.20.1.2:80 }
service web { vip 203.0.113.10  listen tcp 80 -> web }
"""
HOOK = """
import sys
log = open(sys.argv.pop(1), "a")
sys.addaudithook(lambda event, args: event == "open" and print(args[0], file=log, flush=True))
from tvsc.cli.main import main
main()
"""


class Place:
    """A directory with the site, and all secrets where somebody could look for them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened = directory / "opened"
        (directory / "secrets").mkdir()
        for name in ("bgp", "sync"):
            key = VALUES["file" if name == "bgp" else "sync"]
            (directory / "secrets" / f"{name}.key").write_text(f"{key}\n")
        (directory / "site.tvs").write_text(SITE)
        (directory / "wrong.tvs").write_text(SITE.replace("port 7000", "port 3784"))

    def run(self, *args: str) -> bytes:
        """All that a command prints."""
        done = subprocess.run(
            [sys.executable, "-c", HOOK, str(self.opened), *args],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), "BGP_PASSWORD": VALUES["env"]},
            capture_output=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("secrets"))


def files(out: Path) -> Iterator[tuple[str, bytes]]:
    """Everything below a directory, and everything in its bundles."""
    for path in sorted(p for p in out.rglob("*") if p.is_file() and not p.is_symlink()):
        yield str(path), path.read_bytes()
        if path.suffix == ".zst":
            with unpack(path) as archive:
                for member in archive.getmembers():
                    inner = archive.extractfile(member)
                    yield f"{path}:{member.name}", b"" if inner is None else inner.read()


def assert_clean(what: str, data: bytes) -> None:
    for value in VALUES.values():
        assert value.encode() not in data, what


COMMANDS = [
    *(["check", "--format", f, s] for f in ("text", "json", "sarif", "github") for s in "gw"),
    ["check", "--report", "--format", "json", "g"],
    ["explain", "flow", "g", "198.51.100.7:5555 -> 203.0.113.10:80/tcp"],
    ["fmt", "--diff", "g"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands(place: Place, words: list[str]) -> None:
    names = {"g": "site.tvs", "w": "wrong.tvs"}
    assert_clean(str(words), place.run(*(names.get(word, word) for word in words)))
    assert "site.tvs" in (text := place.opened.read_text()) or "wrong.tvs" in text
    assert ".key" not in text


def test_outputs(place: Place) -> None:
    out = place.directory / "out"
    report = place.run("compile", "site.tvs", "-o", "out", "--format", "json")
    assert_clean("report", report)
    assert json.loads(report[: report.rindex(b"}") + 1])
    seen = dict(files(out))
    assert any(name.endswith(".zst:plan.json") or "plan.json" in name for name in seen)
    assert any(".zst:" in name for name in seen)
    for name, data in seen.items():
        assert_clean(name, data)
    assert any(b"BGP_PASSWORD" in data for data in seen.values())
    assert any(b"bgp.key" in data for data in seen.values())
    assert any(b"sync.key" in data for name, data in seen.items() if name.endswith("generation.c"))
    assert ".key" not in place.opened.read_text()
