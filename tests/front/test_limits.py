"""Inputs that are too large or too deep end with a message, quickly."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tvsc.checks import capacity
from tvsc.diag import Diagnostic, render_github, render_sarif, render_text
from tvsc.dsl import limits
from tvsc.lower import load_site
from tvsc.lower.settings_cluster import MAX_WORKERS
from tvsc.lower.settings_service import TICK_MS


def codes_of(path: Path) -> list[str]:
    _, diagnostics, _ = load_site(path)
    return [d.code.id for d in diagnostics]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.tvs"
    path.write_text(text)
    return path


def test_file_too_large(tmp_path: Path) -> None:
    path = tmp_path / "site.tvs"
    with path.open("wb") as file:
        file.truncate(limits.FILE_CHARACTERS + 1)
    assert codes_of(path) == ["TVS0003"]


def test_site_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SITE_CHARACTERS", 60)
    (tmp_path / "more.tvs").write_text("# " + "x" * 40 + "\n")
    path = write(tmp_path, 'language 1\ninclude "more.tvs"\n')
    assert "TVS0003" in codes_of(path)


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "pipe"])
def test_device_is_no_file(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (write(tmp_path, f'language 1\ninclude "{name}"\n'), tmp_path / name):
        _, (first, *_), _ = load_site(path)
        assert first.code.id == "TVS0001"
        assert first.message.endswith(f"{name}` cannot be read: is not a regular file")


def test_directory_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named as itself, also where its path has no name; and where the site is, is said."""
    monkeypatch.chdir(tmp_path)
    _, (first,), _ = load_site(Path())
    assert (first.message, first.help) == ("`.` cannot be read: is a directory", None)
    write(tmp_path, "language 1\n")
    _, (first,), _ = load_site(Path())
    assert first.help == "the site is in a file: `./site.tvs`"


@pytest.mark.parametrize("text", ['include "more.tvs"', 'pool p { servers from "list.csv" }'])
def test_link_to_a_file_of_no_site(tmp_path: Path, text: str) -> None:
    """A link's name does not make a list of what lies behind it."""
    (tmp_path / "secret").write_text("root:hunter2\n")
    (tmp_path / "list.csv").symlink_to("secret")
    (tmp_path / "more.tvs").symlink_to("list.csv")
    base = Path(__file__).parents[1] / "diagnostics" / "cases" / "base"
    path = write(tmp_path, f'language 1\ninclude "{base}/*.tvs"\n{text}\n')
    _, diagnostics, sources = load_site(path)
    assert "TVS0007" in [d.code.id for d in diagnostics]
    assert "hunter2" not in render_text(diagnostics, sources)


@pytest.mark.parametrize("name", [b"\xff.tvs", b"a\nb.tvs", b"\x1b[2J.tvs", "\u202e.tvs".encode()])
def test_name_that_cannot_be_shown(tmp_path: Path, name: bytes) -> None:
    """Of a file that is included, or of the site's own: it would stand in generated files."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    odd.write_text("language 1\n")
    for path in (write(tmp_path, 'language 1\ninclude "[!s]*.tvs"\n'), odd):
        _, (first, *_), sources = load_site(path)
        assert first.code.id == "TVS0007"
        assert "cannot be shown" in render_text([first], sources)
        render_sarif([first], sources).encode()
        render_github([first], sources).encode()
    if b"\xff" in name:
        command = [sys.executable, "-m", "tvsc.cli.main", "compile", str(odd), "-o", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 1


def test_missing_site(tmp_path: Path) -> None:
    assert codes_of(tmp_path / "none.tvs") == ["TVS0001"]
    assert codes_of(tmp_path) == ["TVS0001"]


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        "}" * 100_000,
        "(" * 100_000,
        'let x = "' + "a" * 200_000,
        "let x = " + "1 + " * 20_000 + "1",
        "a," * 50_000,
        "a " * 50_000,
        "9" * 100_000,
        "\n" * 200_000,
        "é" * 50_000,
        "1:" * 50_000,
        "fe80:" * 50_000,
        "a-" * 50_000,
        "let x 1\n" * 5_000,
        "pool p { server 10.0.0.1:80 }\n" * 5_000,
        '"{{' * 30_000,
    ],
    ids=lambda text: text[:9].strip(),
)
def test_quick_end(tmp_path: Path, text: str) -> None:
    """Repetition of any token costs linear time and gives few messages."""
    path = write(tmp_path, "language 1\n" + text + "\n")
    start = time.process_time()
    found = codes_of(path)
    assert time.process_time() - start < 20
    assert found
    assert len(found) <= limits.ERRORS + 10


def test_chains_of_everything(tmp_path: Path) -> None:
    """Deep includes end with a message."""
    for n in range(limits.NESTING + 2):
        (tmp_path / f"f{n}.tvs").write_text(f'include "f{n + 1}.tvs"\n')
    path = write(tmp_path, 'language 1\ninclude "f0.tvs"\n')
    assert "TVS0006" in codes_of(path)


def test_a_flood_of_one_code(tmp_path: Path) -> None:
    """Ten thousand times the same mistake: 200 of them, and how many there are."""
    text = 'for n in 1..10000 { service "s{n}" { vip 11.0.0.0 + n  listen tcp 80 -> "p{n}" } }\n'
    _, found, sources = load_site(
        write(tmp_path, f'language 1\nsite s {{ asn 1  seed "s" }}\n{text}')
    )
    assert [d.code.id for d in found].count("TVS0104") == limits.CODE_MESSAGES
    assert "TVS0103" in [d.code.id for d in found]
    assert "and 9,800 more of TVS0104, which are not shown" in render_text(found, sources)


def test_messages_are_values() -> None:
    """Two equal messages are one."""
    from tvsc.diag import codes, in_source_order

    one = Diagnostic(codes.SYNTAX, "x")
    assert in_source_order([one, Diagnostic(codes.SYNTAX, "x")]) == [one]


def test_limits_of_the_runtime() -> None:
    """The checks and the runtime's headers know the same limits."""
    headers = Path(__file__).parents[2] / "runtime" / "include" / "tvs"
    text = (headers / "base.h").read_text() + (headers / "core.h").read_text()
    found = re.findall(r"(TVS_\w+) = (\d+)(?: << (\d+))?", text)
    value = {name: int(number) << int(shift or 0) for name, number, shift in found}
    assert {
        "TVS_MAX_SLOTS": capacity.MAX_SLOTS,
        "TVS_MAX_SERVICES": capacity.MAX_SERVICES,
        "TVS_MAX_POOLS": capacity.MAX_POOLS,
        "TVS_MAX_BACKENDS": capacity.MAX_BACKENDS,
        "TVS_RING_MAX": capacity.MAX_RING,
        "TVS_MAX_PORTS": capacity.MAX_PORTS,
        "TVS_MAX_WORKERS": MAX_WORKERS,
        "TVS_TICK_MS": TICK_MS,
    }.items() <= value.items()


def test_copies_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INHERITED_SETTINGS", 1000)
    servers = "    for i in 1..100 { server host(10.1.0.0/16, i):80 }\n"
    text = f'pool base {{\n{servers}}}\nfor n in 1..50 {{ pool "p{{n}}" like base {{ }} }}\n'
    assert "TVS0503" in codes_of(write(tmp_path, "language 1\n" + text))


def test_list_lines_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIST_LINES", 10)
    (tmp_path / "list.csv").write_text("".join(f"10.0.0.{n},80\n" for n in range(1, 8)))
    text = 'for n in 1..3 { pool "p{n}" { servers from "list.csv" } }\nsite s { asn 1  seed "" }\n'
    assert codes_of(write(tmp_path, "language 1\n" + text)).count("TVS0118") == 1


def test_statements_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STATEMENTS", 100)
    (tmp_path / "more.tvs").write_text("schedule rr\n" * 20)
    text = "".join(f'pool p{n} {{ include "more.tvs" }}\n' for n in range(10))
    assert "TVS0115" in codes_of(write(tmp_path, "language 1\n" + text))


def test_many_nodes_with_many_local_ips(tmp_path: Path) -> None:
    """A short description of billions of local IPs costs nothing."""
    text = """language 1
site s { asn 1  seed "s" }
cluster A {
    workers 64  steering software  sessions 1k * 2 per worker  idle interrupt
    local-ips { short 172.16.0.0/13  long /24 per node  workers 1024 each }
    fabric 10.0.0.1 { asn 2 }
    for n in 1..4096 {
        node "n{n}" {
            router-id 10.0.0.1 + n
            workers shared
            port p { vdev "net_tap0"  nic tap  address (10.0.0.1 + n)/8  gateway 10.0.0.1 }
        }
    }
}
"""
    start = time.process_time()
    found = codes_of(write(tmp_path, text))
    assert {"TVS0302", "TVS0502", "TVS0503"} <= set(found)
    assert time.process_time() - start < 20
