"""Diagnostics on a terminal, as JSON, and from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema

from tvsc.diag import CODES, Diagnostic, Note, codes, render_json, render_text, summary
from tvsc.source import SourceMap, Span

CASES = Path(__file__).parents[1] / "diagnostics" / "cases"

TEXT = "\n" * 10 + "pool web {\n    schedule wrr\n\n    server 10.20.1.1:8080 weight 0\n}\n"


def example() -> tuple[list[Diagnostic], SourceMap]:
    sources = SourceMap()
    sources.add("edge.tvs", "edge.tvs", TEXT)
    weight, pool = TEXT.index("weight 0"), TEXT.index("pool web")
    diagnostic = Diagnostic(
        codes.WEIGHTS_ZERO,
        "every server of pool `web` has weight 0",
        Span(0, weight, weight + 8),
        (Note("pool declared here", Span(0, pool, pool + 8)),),
        "give a server a positive weight, or mark it `drain`",
    )
    return [diagnostic], sources


def test_text() -> None:
    diagnostics, sources = example()
    assert (
        render_text(diagnostics, sources)
        == """\
error[TVS0203]: every server of pool `web` has weight 0
 --> edge.tvs:14:27
   |
14 |     server 10.20.1.1:8080 weight 0
   |                           ^^^^^^^^
note: pool declared here --> edge.tvs:11:1
help: give a server a positive weight, or mark it `drain`
"""
    )
    assert summary(diagnostics) == "1 error"


def test_colour_adds_only_colour() -> None:
    import re

    diagnostics, sources = example()
    coloured = render_text(diagnostics, sources, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_text(diagnostics, sources)


def test_terminal_obeys_no_source_text() -> None:
    sources = SourceMap()
    sources.add("x", "x\x1b[2J", "let \x1b]0;title\x07 = 1\n")
    text = render_text([Diagnostic(codes.SYNTAX, "bad \x1b[31m", Span(0, 4, 6))], sources)
    assert "\x1b" not in text
    assert "\x07" not in text


def test_tabs_keep_the_caret_in_place() -> None:
    sources = SourceMap()
    sources.add("x", "x", "\t\tabc def\n")
    lines = render_text([Diagnostic(codes.SYNTAX, "m", Span(0, 6, 9))], sources).splitlines()
    assert lines[3].index("def") == lines[4].index("^^^")


def test_long_lines_are_cut_around_the_span() -> None:
    sources = SourceMap()
    sources.add("x", "x", "a" * 5000 + "HERE" + "b" * 5000)
    lines = render_text([Diagnostic(codes.SYNTAX, "m", Span(0, 5000, 5004))], sources).splitlines()
    assert max(len(line) for line in lines) < 200
    assert lines[3].index("HERE") == lines[4].index("^^^^")


LOCATION = {
    "type": ["object", "null"],
    "required": ["file", "line", "column", "end_line", "end_column"],
    "additionalProperties": False,
    "properties": {
        "file": {"type": "string"},
        **{k: {"type": "integer", "minimum": 1} for k in ("line", "column")},
        **{k: {"type": "integer", "minimum": 1} for k in ("end_line", "end_column")},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["format_version", "errors", "warnings", "diagnostics"],
    "additionalProperties": False,
    "properties": {
        "format_version": {"const": 1},
        "errors": {"type": "integer"},
        "warnings": {"type": "integer"},
        "diagnostics": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "severity", "message", "location", "notes", "help"],
                "additionalProperties": False,
                "properties": {
                    "code": {"enum": list(CODES)},
                    "severity": {"enum": ["error", "warning"]},
                    "message": {"type": "string"},
                    "location": LOCATION,
                    "help": {"type": ["string", "null"]},
                    "notes": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "location"],
                            "properties": {"message": {"type": "string"}, "location": LOCATION},
                        },
                    },
                },
            },
        },
    },
}


def test_json() -> None:
    diagnostics, sources = example()
    report = json.loads(render_json(diagnostics, sources))
    jsonschema.validate(report, SCHEMA)
    assert report["errors"] == 1
    assert report["diagnostics"][0]["location"] == {
        "file": "edge.tvs",
        "line": 14,
        "column": 27,
        "end_line": 14,
        "end_column": 35,
    }


def tvsc(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tvsc.cli.main", *args], capture_output=True, text=True, check=False
    )


def test_check_command() -> None:
    bad = tvsc("check", str(CASES / "TVS0203-weights.tvs"))
    assert bad.returncode == 1
    assert "error[TVS0203]" in bad.stderr
    assert bad.stderr.endswith("TVS0203-weights.tvs: 1 error\n")
    warned = tvsc("check", str(CASES / "TVS0201-unused.tvs"))
    assert warned.returncode == 0
    assert "warning[TVS0201]" in warned.stderr
    assert warned.stdout.endswith("TVS0201-unused.tvs: good, 1 warning\n")


def test_check_command_json() -> None:
    result = tvsc("check", "--format", "json", str(CASES / "TVS0103-settings.tvs"))
    assert result.returncode == 1
    assert result.stderr == ""
    jsonschema.validate(json.loads(result.stdout), SCHEMA)


def test_explain_command() -> None:
    page = tvsc("explain", "tvs0203")
    assert page.returncode == 0
    assert page.stdout.startswith("# TVS0203: all servers have weight 0\n")
    assert tvsc("explain", "203").stdout == page.stdout
    assert len(tvsc("explain").stdout.splitlines()) == len(CODES)
    unknown = tvsc("explain", "TVS9999")
    assert unknown.returncode == 1
    assert "there is no code `TVS9999`" in unknown.stderr
