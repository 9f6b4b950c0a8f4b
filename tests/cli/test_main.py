"""The command line's frame: fast help, every command documented, failures without a traceback."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

import pytest
import typer

from tvsc import __version__
from tvsc.cli.main import COMMANDS, EXIT_BUG, EXIT_FAILED, Command, main

HEAVY = ("lark", "pydantic", "jinja2", "pyroute2", "zstandard")


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(args)
    output = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, output.out, output.err


def fake_command(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Puts a module in the place of `tvsc check` whose command raises `error`."""

    def register(app: typer.Typer) -> None:
        @app.command("check")
        def check(site: Annotated[str, typer.Argument()] = "") -> None:
            raise error

    module = ModuleType("tvsc.cli.check")
    module.__dict__["register"] = register
    monkeypatch.setitem(sys.modules, "tvsc.cli.check", module)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["--help"], capsys)
    assert code == 0
    for command in COMMANDS:
        assert command.name in out
        assert command.summary in out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_command_help(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command's own help begins with the line of the table, and shows an example."""
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run([command.name, "--help"], capsys)
    assert code == 0
    assert command.summary in out
    assert f"tvsc {command.name}" in out.partition("Usage:")[2].partition("\n")[2]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"], capsys)[:2] == (0, f"tvsc {__version__}\n")


def test_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(["chekc"], capsys)
    assert code == 2
    assert "check" in err


def test_bug_has_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TVSC_DEBUG", raising=False)
    fake_command(monkeypatch, KeyError("x"))
    code, _, err = run(["check", "a.tvs"], capsys)
    assert code == EXIT_BUG
    assert "this is a bug in tvsc: KeyError: 'x'" in err
    assert "tvsc --debug check a.tvs" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("how", ["option", "environment"])
def test_bug_with_traceback(
    how: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_command(monkeypatch, KeyError("x"))
    monkeypatch.setenv("TVSC_DEBUG", "1" if how == "environment" else "0")
    code, _, err = run((["--debug"] if how == "option" else []) + ["check"], capsys)
    assert code == EXIT_BUG
    assert "Traceback" in err


def test_missing_dependency_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_command(monkeypatch, ModuleNotFoundError("No module named 'foo.bar'", name="foo.bar"))
    code, _, err = run(["check"], capsys)
    assert code == EXIT_FAILED
    assert "`foo` is not installed" in err


def test_file_error_is_not_a_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_command(monkeypatch, PermissionError(13, "Permission denied", "out/x"))
    assert run(["check"], capsys) == (EXIT_FAILED, "", "error: out/x: Permission denied\n")


def test_names_do_not_reach_the_terminal_raw(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(["compile", "none.tvs", "-o", 'o\n"q\x1b[31m'], capsys)
    assert (code, out) == (2, "")
    assert "a control character" in err
    assert "\x1b[31m" not in err
    fake_command(monkeypatch, PermissionError(13, "Permission denied", "o\x1b[31m"))
    assert run(["check"], capsys)[2] == "error: o\N{REPLACEMENT CHARACTER}[31m: Permission denied\n"


def test_help_is_fast() -> None:
    """Asking for help imports none of the heavy libraries."""
    probe = (
        "import sys\nfrom tvsc.cli.main import build_app\nfrom typer.main import get_command\n"
        "get_command(build_app(None))\nprint(*sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert set(HEAVY) & set(out.stdout.split()) == set()


def test_a_process_ends_at_once_and_whole(tmp_path: Path) -> None:
    """What was printed and what others left to the exit is done; the status is what it was."""
    bad = tmp_path / "bad.tvs"
    bad.write_text("language 1\n")
    good = Path(__file__).parents[2] / "examples" / "laptop" / "site.tvs"
    program = (
        "import atexit, sys; from tvsc.cli.main import main;"
        " atexit.register(print, 'bye'); sys.argv = ['tvsc', 'check', sys.argv[1]]; main()"
    )
    for site, status, end in ((good, 0, ": good\nbye\n"), (bad, 1, "bye\n")):
        argv = [sys.executable, "-c", program, str(site)]
        ended = subprocess.run(argv, check=False, capture_output=True, text=True)
        assert (ended.returncode, ended.stdout[-len(end) :]) == (status, end)
        assert ("1 error" in ended.stderr) == bool(status)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_heard() -> None:
    good = Path(__file__).parents[2] / "examples" / "laptop" / "site.tvs"
    argv = [sys.executable, "-m", "tvsc.cli.main", "check", str(good)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(argv, check=False, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 1
    assert b"No space left" in ended.stderr
