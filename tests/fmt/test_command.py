"""`tvsc fmt`: what it writes, what it leaves alone, and what it answers."""

import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tvsc.cli.main import main
from tvsc.dsl import format as formatter
from tvsc.dsl import format_file
from tvsc.dsl.format import FormatError, format_text
from tvsc.dsl.format_file import Formatted, replace_file
from tvsc.dsl.format_layout import lay_out
from tvsc.dsl.format_tree import Body, build_tree
from tvsc.dsl.lexer import Scanner
from tvsc.dsl.parser import parse_file

ROOT = Path(__file__).parents[2]
LAPTOP = ROOT / "examples" / "laptop" / "site.tvs"

UGLY = "pool web {\n  server 10.0.0.1:80   # first\n\n\n}"
NICE = f"pool web {{\n{'    server 10.0.0.1:80':<35}# first\n}}\n"


class Ended(NamedTuple):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


Fmt = Callable[..., Ended]


@pytest.fixture
def fmt(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Fmt:
    """`tvsc fmt`, in this process: it is quicker."""

    def run(*args: str | Path, stdin: str = "") -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            with pytest.raises(SystemExit) as ended:
                main(["fmt", *map(str, args)])
        output = capsysbinary.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, output.out.decode(), output.err.decode())

    return run


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "ugly.tvs"
    path.write_text(UGLY)
    return path


def test_in_place(fmt: Fmt, ugly: Path) -> None:
    ugly.chmod(0o640)
    result = fmt(ugly)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", f"{ugly}: formatted\n")
    assert ugly.read_text() == NICE
    assert stat.S_IMODE(ugly.stat().st_mode) == 0o640
    assert list(ugly.parent.iterdir()) == [ugly]
    before = ugly.stat().st_ino
    again = fmt(ugly)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert ugly.stat().st_ino == before


def test_check(fmt: Fmt, ugly: Path) -> None:
    result = fmt("--check", LAPTOP, ugly)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"{ugly}: would change\n"
    assert ugly.read_text() == UGLY
    assert fmt("--check", LAPTOP).returncode == 0


def test_diff(fmt: Fmt, ugly: Path) -> None:
    """The difference is a patch that other tools can apply, with or without a final newline."""
    result = fmt("--diff", ugly)
    assert result.returncode == 0
    assert ugly.read_text() == UGLY
    assert "+    server 10.0.0.1:80" in result.stdout
    patched = subprocess.run(["patch", str(ugly)], input=result.stdout, text=True, check=False)
    assert patched.returncode == 0
    assert ugly.read_text() == NICE
    assert fmt("--diff", "--check", ugly).stdout == ""


def test_diff_and_check(fmt: Fmt, ugly: Path) -> None:
    result = fmt("--diff", "--check", ugly)
    assert result.returncode == 1
    assert result.stdout.startswith(f"--- {ugly}\n+++ {ugly}\n@@ ")


def test_stdin(fmt: Fmt) -> None:
    result = fmt("-", stdin=UGLY)
    assert (result.returncode, result.stdout, result.stderr) == (0, NICE, "")
    result = fmt("-", stdin=LAPTOP.read_text())
    assert (result.returncode, result.stdout, result.stderr) == (0, LAPTOP.read_text(), "")
    result = fmt("--check", "-", stdin=UGLY)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")
    assert fmt("--check", "-", stdin=NICE).returncode == 0
    assert fmt("-", "other.tvs").returncode == 2


@pytest.mark.parametrize("text", ["pool p {", "pool p }\n", 'let x = "\n', "let x 1\n", "a ; b\n"])
def test_errors_leave_the_file_alone(fmt: Fmt, tmp_path: Path, ugly: Path, text: str) -> None:
    """One file's errors do not keep the others from being formatted."""
    path = tmp_path / "bad.tvs"
    path.write_text(text)
    before = path.stat().st_mtime_ns
    result = fmt(path, ugly)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"--> {path}:" in result.stderr
    assert "error[TVS00" in result.stderr
    assert (path.read_text(), path.stat().st_mtime_ns) == (text, before)
    assert ugly.read_text() == NICE
    result = fmt("-", stdin=text)
    assert (result.returncode, result.stdout) == (1, "")
    assert "error[TVS00" in result.stderr


def test_files_that_are_none(fmt: Fmt, tmp_path: Path) -> None:
    latin = tmp_path / "latin.tvs"
    latin.write_bytes(b"# caf\xe9\n")
    result = fmt(tmp_path / "none.tvs", tmp_path, latin)
    assert result.returncode == 1
    assert "TVS0001" in result.stderr
    assert "is a directory" in result.stderr
    assert "TVS0002" in result.stderr
    assert latin.read_bytes() == b"# caf\xe9\n"
    assert fmt().returncode == 2


def test_bytes_that_are_no_text(fmt: Fmt, tmp_path: Path) -> None:
    """A byte-order mark and carriage returns go; the text is UTF-8 whatever the locale."""
    path = tmp_path / "site.tvs"
    path.write_bytes(b'\xef\xbb\xbf# caf\xc3\xa9\r\nsite "s" {\r\n  asn 1\r\n}\r\n')
    assert fmt("--check", path).returncode == 1
    assert fmt(path).returncode == 0
    assert path.read_bytes() == b'# caf\xc3\xa9\nsite "s" {\n    asn 1\n}\n'
    command = [sys.executable, "-m", "tvsc.cli.main", "fmt", "-"]
    result = subprocess.run(
        command,
        input=b"# caf\xc3\xa9  \n",
        capture_output=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"},
        check=True,
    )
    assert result.stdout == b"# caf\xc3\xa9\n"
    result = subprocess.run(command, input=b"\n\xff", capture_output=True, check=False)
    assert result.returncode == 1
    assert b"line 2 has the byte 0xff" in result.stderr


def test_symbolic_link_stays_one(fmt: Fmt, tmp_path: Path, ugly: Path) -> None:
    link = tmp_path / "link.tvs"
    link.symlink_to(ugly.name)
    assert fmt(link).returncode == 0
    assert link.is_symlink()
    assert ugly.read_text() == NICE


def test_file_changed_meanwhile(tmp_path: Path, ugly: Path) -> None:
    """What someone else has just written is not overwritten."""
    with pytest.raises(OSError, match="changed while"):
        replace_file(Formatted(ugly, b"what it was before", NICE))
    assert ugly.read_text() == UGLY
    assert list(tmp_path.iterdir()) == [ugly]


def test_errors_of_meaning_do_not_matter(fmt: Fmt, tmp_path: Path) -> None:
    path = tmp_path / "site.tvs"
    path.write_text('language 1\ninclude "none/*.tvs"\npool p { nonsense 5   }\n')
    assert fmt(path).returncode == 0
    assert path.read_text().endswith("pool p { nonsense 5 }\n")


# --- the proof ------------------------------------------------------------------------------------


def tree_of(text: str) -> Body:
    scanner = Scanner(0, text, lambda _: None)
    scanner.scan()
    return build_tree(scanner, parse_file(0, text, lambda _: None).body)


SPOILED = {
    "an error": ("\n", "{\n"),
    "other words": ("10.0.0.1", "10.0.0.2"),
    "other comments": ("first", "second"),
    "another meaning": ("server 10.0.0.1:80", "server\n10.0.0.1:80"),
    "formatted otherwise": ("pool web", "pool  web"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_spoiled_text_is_no_result(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout that is wrong in whatever way is a bug, and is said to be one."""
    old, new = SPOILED[what]
    answers = iter([lay_out(tree_of(UGLY)).replace(old, new, 1), NICE])
    monkeypatch.setattr(formatter, "lay_out", lambda _: next(answers))
    with pytest.raises(FormatError, match=what):
        format_text(UGLY, lambda _: None)


def test_another_model_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole site is resolved before and after."""
    path = tmp_path / "site.tvs"
    path.write_text(LAPTOP.read_text() + "\n")
    assert format_file.format_file(path)[0] is not None

    def spoiled(text: str, _report: object) -> str:
        return text.replace("asn  64512", "asn  64513")

    monkeypatch.setattr(format_file, "format_text", spoiled)
    with pytest.raises(FormatError, match="another model"):
        format_file.format_file(path)


def test_included_files_are_part_of_the_proof(tmp_path: Path) -> None:
    for part in (ROOT / "examples" / "two-clusters").rglob("*.*"):
        copy = tmp_path / part.relative_to(ROOT / "examples" / "two-clusters")
        copy.parent.mkdir(exist_ok=True)
        text = part.read_text()
        copy.write_text(text.replace("    ", "  ") if part.suffix == ".tvs" else text)
    for part in sorted(tmp_path.rglob("*.tvs")):
        result, found, _ = format_file.format_file(part)
        assert found == []
        assert result is not None
        assert result.changed
        replace_file(result)
        original = ROOT / "examples" / "two-clusters" / part.relative_to(tmp_path)
        assert part.read_text() == original.read_text()
