"""The tree as a whole: what is in it, and that its lists agree with each other."""

import re
import tomllib
from pathlib import Path

from tests.tidy.tree import ROOT, files, text, under

OUTPUT_AT_THE_TOP = {"build", "dist", "out", ".venv"}
OUTPUT_SUFFIXES = {".o", ".a", ".so", ".pyc", ".zst", ".log"}

# Spelled apart, so that this file does not match itself.
PLACES_OUTSIDE = ["../" + "shared", "/." + "library", "/" + "work/"]


def test_no_build_output() -> None:
    output = [
        p
        for p in files()
        if p.parts[0] in OUTPUT_AT_THE_TOP
        or "__pycache__" in p.parts
        or p.suffix in OUTPUT_SUFFIXES
    ]
    assert output == []


def test_no_place_outside_the_tree() -> None:
    found = []
    for path in files():
        data = (ROOT / path).read_bytes()
        found += [(path, place) for place in PLACES_OUTSIDE if place.encode() in data]
    assert found == []


def apt_rows() -> list[tuple[str, str]]:
    """(package, group) of setup/apt.txt."""
    rows = [line for line in text(Path("setup/apt.txt")).splitlines() if line and line[0] != "#"]
    parsed = [re.fullmatch(r"(\S+) +(\w+) +# .+", row) for row in rows]
    assert all(parsed), "a row of setup/apt.txt is `package  group  # why`"
    return [(row[1], row[2]) for row in parsed if row]


def test_apt_list() -> None:
    rows = apt_rows()
    packages = [package for package, _ in rows]
    assert len(packages) == len(set(packages))
    assert {group for _, group in rows} == {"build", "test", "lab"}


def test_locks_hold_every_dependency() -> None:
    project = tomllib.loads(text(Path("pyproject.toml")))

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^\w.-]", r, maxsplit=1)[0].lower() for r in requirements}

    def locked(path: str) -> set[str]:
        return set(re.findall(r"^([\w.-]+)==", text(Path(path)), re.MULTILINE))

    run = names(project["project"]["dependencies"])
    dev = names(project["dependency-groups"]["dev"])
    assert run - locked("requirements.lock") == set()
    assert (run | dev) - locked("requirements-dev.lock") == set()


def test_shell_scripts_stop_at_errors() -> None:
    scripts = [*under("setup", ".sh"), Path(".ci/run")]
    assert len(scripts) > 3
    for script in scripts:
        assert text(script).startswith("#!/usr/bin/env bash\n"), script
        assert re.search(r"^set -e?uo pipefail$", text(script), re.MULTILINE), script
        assert (ROOT / script).stat().st_mode & 0o111, script
