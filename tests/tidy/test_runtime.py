"""Rules for the C code that no compiler checks."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, lines, text, under

C_FILES = under("runtime", ".c", ".h")
MAX_C_LINES = 600
MAX_COLUMNS = 100

DPDK_FREE = [p for p in C_FILES if p.parts[1] not in ("host", "bench")]

# A condition may tell languages and machines apart; what a build contains is decided by constants,
# not by the preprocessor.
ALLOWED_CONDITION = re.compile(
    r"(__cplusplus|__x86_64__|__aarch64__|__SSE\w*__|__AVX\w*__|__clang__|__GNUC__"
    r"|__has_include|__has_feature|__SANITIZE_\w+__)"
)


def conditions(source: str) -> list[str]:
    """The preprocessor conditions of a file, its include guard left out."""
    found = re.findall(r"^[ \t]*#[ \t]*(if(?:n?def)?\b.*|elif\b.*)$", source, re.MULTILINE)
    guard = re.search(r"^#ifndef (\w+)\n#define \1\n", source, re.MULTILINE)
    return [c for c in found if not (guard and c == f"ifndef {guard[1]}")]


@pytest.mark.parametrize("path", C_FILES, ids=str)
def test_lines_fit(path: Path) -> None:
    assert len(lines(path)) <= MAX_C_LINES
    long = [n for n, line in enumerate(lines(path), 1) if len(line) > MAX_COLUMNS]
    assert long == []


@pytest.mark.parametrize("path", DPDK_FREE, ids=str)
def test_no_dpdk_outside_the_host(path: Path) -> None:
    assert re.findall(r"\b(?:rte_\w+|RTE_\w+)\b", text(path)) == []


@pytest.mark.parametrize("path", C_FILES, ids=str)
def test_no_feature_conditions(path: Path) -> None:
    assert [c for c in conditions(text(path)) if not ALLOWED_CONDITION.search(c)] == []


def test_conditions_are_seen() -> None:
    source = "#ifndef A_H\n#define A_H\n#ifdef WITH_X\n#endif\n# if FOO > 1\n#endif\n#endif\n"
    assert conditions(source) == ["ifdef WITH_X", "if FOO > 1"]


@pytest.mark.parametrize("path", under("runtime", ".h"), ids=str)
def test_header_is_guarded(path: Path) -> None:
    assert re.search(r"^#pragma once$|^#ifndef (\w+)\n#define \1\n", text(path), re.MULTILINE)


def test_layout() -> None:
    formatter = shutil.which("clang-format-14") or shutil.which("clang-format")
    assert formatter, "clang-format is missing: make setup"
    command = [formatter, "--dry-run", "--Werror", *map(str, C_FILES)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    named = sorted(set(re.findall(r"^(runtime/\S+?):\d+", result.stderr, re.MULTILINE)))
    assert result.returncode == 0, f"run `make format`; not laid out: {named}"
