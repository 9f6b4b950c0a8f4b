"""The set-up scripts, with stand-ins for the system's commands: what they say and when they act."""

import subprocess
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

APT = "setup/apt.sh"


class Machine:
    """A directory of stand-in commands that come first in PATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def command(self, name: str, script: str) -> None:
        path = self.directory / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": f"{self.directory}:/usr/bin:/bin"}
        return subprocess.run(
            ["bash", *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which every package but BIRD and clang is installed, and nobody is root."""
    made = Machine(tmp_path)
    made.command(
        "dpkg-query",
        "for last; do :; done; case $last in bird2|clang) exit 1 ;; *) printf installed ;; esac",
    )
    made.command("id", "echo 1000")
    made.command("apt-get", "echo apt-get was called; exit 99")
    return made


def test_nothing_missing_is_silent(machine: Machine) -> None:
    machine.command("dpkg-query", "printf installed")
    result = machine.run(APT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_without_root_it_says_what_to_install(machine: Machine) -> None:
    result = machine.run(APT)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "sudo apt-get install --no-install-recommends bird2 clang\n" in result.stderr


def test_groups(machine: Machine) -> None:
    assert machine.run(APT, "--missing", "build").stdout == "bird2\n"
    assert machine.run(APT, "--missing", "test").stdout == "clang\n"
    lab = machine.run(APT, "--missing", "lab")
    assert (lab.returncode, lab.stdout) == (0, "")


def test_removed_package_with_its_settings_left_is_missing(machine: Machine) -> None:
    machine.command("dpkg-query", "printf config-files")
    assert "gcc\n" in machine.run(APT, "--missing", "build").stdout


def test_old_python_is_named(machine: Machine) -> None:
    machine.command("python3", 'case $1 in -V) echo "Python 3.9.2" ;; *) exit 1 ;; esac')
    result = machine.run("setup/venv.sh")
    assert result.returncode == 1
    assert "python3 is Python 3.9.2; tvsc needs Python 3.11 or newer" in result.stderr


def test_huge_pages_wrapper_keeps_the_exit_status(machine: Machine) -> None:
    script = "setup/with-hugepages.sh"
    assert machine.run(script, "sh", "-c", "exit 7").returncode == 7
    assert machine.run(script, "echo", "a b").stdout == "a b\n"
