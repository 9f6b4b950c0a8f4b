"""Inputs made to take all time or memory there is: `tvsc check` answers each with a message that
names the limit, within bounds that the kernel keeps.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.front.bounds import limit_child

HEAD = "language 1\n"
LIST = HEAD + 'site s { asn 1  seed "x" }\npool p { servers from "list.csv" }\n'
MIB = 1 << 20

Files = Mapping[str, bytes | str | Callable[[Path], None]]


def sparse(size: int) -> Callable[[Path], None]:
    """A file of zeros that takes no room."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


def links(path: Path) -> None:
    """A directory of links to itself."""
    path.mkdir()
    for n in range(20):
        (path / f"l{n}").symlink_to(".")


def fan(count: int) -> dict[str, str]:
    """Each file includes the next a thousand times."""
    names = ["site.tvs", *(f"f{n}.tvs" for n in range(1, count))]
    return {
        name: HEAD * (name == "site.tvs") + f'include "f{n + 1}.tvs"\n' * 1000
        for n, name in enumerate(names)
    } | {f"f{count}.tvs": ""}


# Name: the files, a code that is reported, and words of its message.
CASES: dict[str, tuple[Files, str, str]] = {
    "blocks": ({"site.tvs": HEAD + "pool a { " * 10_000}, "TVS0006", "32 deep"),
    "parentheses": ({"site.tvs": HEAD + "let x = " + "(" * 10_000}, "TVS0006", "32 deep"),
    "calls": ({"site.tvs": HEAD + "let x = " + "host(" * 10_000}, "TVS0006", "32 deep"),
    "operators": ({"site.tvs": HEAD + "let x = 1" + "+1" * 100_000}, "TVS0006", "64 operators"),
    "long loop": ({"site.tvs": HEAD + "for i in 1..1000000000 { }\n"}, "TVS0115", "250,000"),
    "longest loop": (
        {"site.tvs": HEAD + f'for i in 1..{"9" * 18} {{ pool "p{{i}}" {{ }} }}\n'},
        "TVS0115",
        "250,000",
    ),
    "loops in loops": (
        {"site.tvs": HEAD + "".join(f"for {v} in 1..1000 {{ " for v in "abc") + "} } }\n"},
        "TVS0115",
        "250,000",
    ),
    "empty loops": (
        {"site.tvs": HEAD + "for a in 1..400000 { for b in 1..400000 { } }\n"},
        "TVS0115",
        "250,000",
    ),
    "include in a loop": (
        {
            "site.tvs": HEAD + 'for a in 1..400000 { include "a.tvs" }\n',
            "a.tvs": "",
        },
        "TVS0115",
        "250,000",
    ),
    "includes of includes": (fan(4), "TVS0115", "5,000,000"),
    "include of itself": ({"site.tvs": HEAD + 'include "*.tvs"\n'}, "TVS0004", "includes itself"),
    "include of a pipe": (
        {"site.tvs": HEAD + 'include "p.tvs"\n', "p.tvs": os.mkfifo},
        "TVS0001",
        "not a regular file",
    ),
    "include of zeros": ({"site.tvs": HEAD + 'include "/dev/zero"\n'}, "TVS0001", "not a regular"),
    "include of the machine": (
        {"site.tvs": HEAD + 'include "/**/*.nothing.tvs"\n'},
        "TVS0003",
        "100,000 names",
    ),
    "include through links": (
        {"site.tvs": HEAD + f'include "d/{"*/" * 12}*.tvs"\n', "d": links},
        "TVS0003",
        "100,000 names",
    ),
    "long line of a list": ({"site.tvs": LIST, "list.csv": sparse(60 * MIB)}, "TVS0118", "4096"),
    "1 GB line of a list": ({"site.tvs": LIST, "list.csv": sparse(1 << 30)}, "TVS0003", "64 MiB"),
    "commas": ({"site.tvs": LIST, "list.csv": b"," * (20 * MIB)}, "TVS0118", "4096 characters"),
    "lines": ({"site.tvs": LIST, "list.csv": b"\n" * (4 * MIB)}, "TVS0118", "2,000,000 lines"),
    "wrong lines": ({"site.tvs": LIST, "list.csv": b"x\n" * MIB}, "TVS0118", "columns"),
    "1 GB site": ({"site.tvs": sparse(1 << 30)}, "TVS0003", "64 MiB"),
    "exponent": ({"site.tvs": HEAD + "let x = 1e999999\n"}, "TVS0014", "no number"),
    "number": ({"site.tvs": HEAD + f"let x = {'9' * 22}\n"}, "TVS0014", "18 digits"),
    "digits": ({"site.tvs": HEAD + "9" * MIB}, "TVS0014", "255 characters"),
    "fraction": ({"site.tvs": HEAD + f"let x = 1.{'9' * 200}s\n"}, "TVS0014", "18 digits"),
    "growing number": (
        {"site.tvs": HEAD + "let a = 10 * 10\n" + "let b = a * a\nlet a2 = b * b\n" * 1},
        "TVS0103",
        "no `site`",
    ),
    "product": ({"site.tvs": HEAD + "let a = 1G" + " * 1G" * 60}, "TVS0114", "too large"),
    "width": ({"site.tvs": HEAD + 'let n = 1\nlet t = "{n:1000000000}"\n'}, "TVS0014", "variable"),
    "growing text": (
        {"site.tvs": HEAD + f'let a = "{"x" * 4000}"\nlet b = "{{a}}{{a}}"\n'},
        "TVS0014",
        "4096 characters",
    ),
    "long text": ({"site.tvs": HEAD + f'let a = "{"x" * MIB}"\n'}, "TVS0014", "4096 characters"),
    "long word": ({"site.tvs": HEAD + "a" * (20 * MIB)}, "TVS0014", "255 characters"),
    "long unit": ({"site.tvs": HEAD + "let x = 1" + "a" * MIB}, "TVS0014", "255 characters"),
    "long name": ({"site.tvs": HEAD + f"pool {'a' * 65} {{ }}\n"}, "TVS0119", "64 letters"),
    "nothing but NUL": ({"site.tvs": sparse(MIB)}, "TVS0019", "U+0000"),
    "odd characters": ({"site.tvs": HEAD + "\x01\x02" * 200_000}, "TVS0019", "20 errors"),
    "wrong characters": ({"site.tvs": HEAD + ";é" * 100_000}, "TVS0011", "200 errors"),
    "quotes": ({"site.tvs": HEAD + '"\n' * 100_000}, "TVS0012", "200 errors"),
    "wrong settings": ({"site.tvs": HEAD + "foo\n" * 100_000}, "TVS0101", "200 errors"),
    "wrong lines of a site": ({"site.tvs": HEAD + "let 1\n" * 10_000}, "TVS0010", "20 errors"),
    "carriage returns": ({"site.tvs": b"language 1\r" * 1000}, "TVS0019", "carriage return"),
    "half a character": ({"site.tvs": b'language 1\nlet x = "\xed\xa0\x80"\n'}, "TVS0002", "0xed"),
    "bidirectional text": (
        {"site.tvs": HEAD + "# \u202e } { \u2066\n"},
        "TVS0019",
        "in another order",
    ),
    "two marks": ({"site.tvs": "\ufeff\ufeff" + HEAD}, "TVS0011", "U+FEFF"),
    "like in a circle": (
        {"site.tvs": HEAD + "pool a like b { }\npool b like c { }\npool c like a { }\n"},
        "TVS0116",
        "leads back",
    ),
    "like itself": ({"site.tvs": HEAD + "cluster a like a { }\n"}, "TVS0116", "leads back"),
    "chain of like": (
        {"site.tvs": HEAD + "".join(f"pool p{n} like p{n + 1} {{ }}\n" for n in range(1000))},
        "TVS0006",
        "64 links",
    ),
    "copies": (
        {
            "site.tvs": HEAD
            + "pool b { for i in 1..9000 { server host(10.0.0.0/8, i):80 } }\n"
            + "".join(f"pool p{n} like b {{ }}\n" for n in range(300))
        },
        "TVS0503",
        "2,000,000 settings",
    ),
    "cores": (
        {"site.tvs": HEAD + f"cluster A {{ node n {{ workers cores 0-{'9' * 18} }} }}\n"},
        "TVS0108",
        "1023",
    ),
    "many cores": (
        {"site.tvs": HEAD + f"defaults {{ node {{ workers cores {'0-1023,' * 9999} 1 }} }}\n"},
        "TVS0108",
        "1023 cores",
    ),
}


def check(directory: Path, files: Files) -> tuple[int, str]:
    """Exit status and messages of `tvsc check`, which the kernel ends when it takes too much."""
    for name, content in files.items():
        path = directory / name
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    size = sum(p.stat().st_size for p in directory.iterdir() if p.is_file())
    done = subprocess.run(
        [sys.executable, "-m", "tvsc.cli.main", "check", "site.tvs"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=partial(limit_child, min(size, 100 << 10)),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_hostile(name: str, tmp_path: Path) -> None:
    files, code, words = CASES[name]
    status, text = check(tmp_path, files)
    assert "Traceback" not in text
    assert status == 1, text[-2000:]
    assert f"error[{code}]" in text, text[:2000]
    assert words in text, text[:2000]
    assert len(text) < 200_000


def test_endless_text_to_format() -> None:
    with Path("/dev/zero").open("rb") as zeros:
        done = subprocess.run(
            [sys.executable, "-m", "tvsc.cli.main", "fmt", "-"],
            stdin=zeros,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            preexec_fn=partial(limit_child, 0),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error[TVS0003]: `<stdin>` is too large")


def test_the_kernel_ends_it() -> None:
    """The bounds above are bounds."""
    spin = "while True: pass"
    done = subprocess.run(
        [sys.executable, "-c", spin], preexec_fn=partial(limit_child, 0), check=False
    )
    assert done.returncode < 0
