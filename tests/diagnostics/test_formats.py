"""Diagnostics for code scanners and for GitHub, and warnings that are denied."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest

from tvsc.diag import (
    CODES,
    Diagnostic,
    Note,
    Severity,
    codes,
    denied_ids,
    deny,
    explain_page,
    has_errors,
    render_github,
    render_sarif,
    render_text,
)
from tvsc.diag.secrets import concealed
from tvsc.lower import load_site
from tvsc.source import SourceMap, Span

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SITES = sorted((HERE / "cases").glob("*.tvs"))
SCHEMA_FILE = HERE / "sarif" / "sarif-schema-2.1.0.json"
SCHEMA = json.loads(SCHEMA_FILE.read_bytes())
VALIDATOR = jsonschema.Draft7Validator(
    SCHEMA, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
)

TEXT = "pool web {\n    server 10.20.1.1:8080 weight 0\n}\n"


def tvsc(*args: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tvsc.cli.main", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def one(message: str = "m", path: str = "edge.tvs") -> tuple[list[Diagnostic], SourceMap]:
    """A message about the words `weight 0`, with a note and help."""
    sources = SourceMap()
    sources.add("edge.tvs", path, TEXT)
    at = TEXT.index("weight")
    notes = (Note("pool declared here", Span(0, 0, 8)), Note("no place"))
    diagnostic = Diagnostic(codes.WEIGHTS_ZERO, message, Span(0, at, at + 8), notes, "do it")
    return [diagnostic], sources


# --- SARIF ----------------------------------------------------------------------------------------


def test_schema_is_the_official_one() -> None:
    digest = hashlib.sha256(SCHEMA_FILE.read_bytes()).hexdigest()
    assert digest in (HERE / "sarif" / "README.md").read_text()
    assert SCHEMA["$id"].startswith("https://raw.githubusercontent.com/oasis-tcs/sarif-spec/")
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({"version": "2.1.0"})


@pytest.mark.parametrize("site", SITES, ids=lambda p: p.stem)
def test_sarif_of_the_corpus(site: Path) -> None:
    """Every kind of message becomes a log that the schema allows, with all that was said."""
    _, diagnostics, sources = load_site(site)
    shown = concealed(diagnostics, sources)
    log = json.loads(render_sarif(diagnostics, sources))
    VALIDATOR.validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [r["id"] for r in rules] == sorted({d.code.id for d in diagnostics})
    for result, diagnostic in zip(run["results"], shown, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == diagnostic.code.id
        assert result["level"] == diagnostic.severity.value
        said = result["message"]["text"] + str(result["relatedLocations"])
        assert diagnostic.message in said
        assert (diagnostic.help or "") in said
        assert len(result["locations"]) == (diagnostic.span is not None)
        for note in diagnostic.notes:
            assert json.dumps(note.message)[1:-1] in json.dumps(result, ensure_ascii=True)


def test_sarif_of_one() -> None:
    diagnostics, sources = one()
    (run,) = json.loads(render_sarif(diagnostics, sources))["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["help"]["markdown"] == explain_page(codes.WEIGHTS_ZERO)
    (result,) = run["results"]
    assert result["message"]["text"] == "m\nnote: no place\nhelp: do it"
    (location,) = result["locations"]
    assert location["physicalLocation"]["region"] == {
        "startLine": 2,
        "startColumn": 27,
        "endLine": 2,
        "endColumn": 35,
    }
    (related,) = result["relatedLocations"]
    assert related["message"]["text"] == "pool declared here"


def test_sarif_of_nothing() -> None:
    log = json.loads(render_sarif([], SourceMap()))
    VALIDATOR.validate(log)
    assert log["runs"][0]["results"] == []


@pytest.mark.parametrize(
    "path", ["a b#c?%41.tvs", "c:d.tvs", "../é.tvs", "./x/../y.tvs", "/etc/a b.tvs", "x\udcff.tvs"]
)
def test_sarif_names_files_by_uris(path: str) -> None:
    diagnostics, sources = one(path=path)
    log = json.loads(render_sarif(diagnostics, sources))
    VALIDATOR.validate(log)
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    uri = location["artifactLocation"]["uri"]
    assert re.fullmatch(r"(file:///)?[\w/.%~-]+", uri, re.ASCII)
    named = unquote(uri.removeprefix("file://"), errors="surrogateescape")
    assert Path(named) == Path(path.replace("./x/../", ""))


def test_notes_that_are_the_same_place(tmp_path: Path) -> None:
    """The schema wants related locations to differ."""
    (diagnostic,), sources = one()
    note = diagnostic.notes[0]
    twice = Diagnostic(diagnostic.code, "m", diagnostic.span, (note, note))
    VALIDATOR.validate(json.loads(render_sarif([twice], sources)))


# --- GitHub ---------------------------------------------------------------------------------------

COMMAND = re.compile(r"::(error|warning) ([^:\r\n]*)::([^\r\n]*)")


def unescape(text: str, *more: tuple[str, str]) -> str:
    """As the runner of GitHub Actions does it: `%25` is the last."""
    for code, character in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(code, character)
    return text


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner reads it."""
    match = COMMAND.fullmatch(line)
    assert match is not None
    pairs = dict(pair.split("=", 1) for pair in match[2].split(","))
    values = {k: unescape(v, ("%3A", ":"), ("%2C", ",")) for k, v in pairs.items()}
    return match[1], values, unescape(match[3])


def test_annotation() -> None:
    diagnostics, sources = one()
    assert render_github(diagnostics, sources) == (
        "::error file=edge.tvs,line=2,endLine=2,col=27,endColumn=34,title=TVS0203"
        "::m%0Anote: pool declared here --> edge.tvs:1:1%0Anote: no place%0Ahelp: do it\n"
    )


def test_annotation_is_escaped() -> None:
    """Neither a message nor a file's name can end a command or begin another."""
    diagnostics, sources = one("100% ::error::\r\n::set-env a=b,c:d\x1b[2J", "a,b:c%3A=d.tvs")
    (line,) = render_github(diagnostics, sources).splitlines()
    severity, values, message = read(line)
    assert (severity, values["file"]) == ("error", "a,b:c%3A=d.tvs")
    assert message.startswith("100% ::error::")
    assert "\x1b" not in line


def test_annotation_of_several_lines_has_no_columns() -> None:
    sources = SourceMap()
    sources.add("x", "./x", "a {\nb\n}\n")
    line = render_github([Diagnostic(codes.SYNTAX, "m", Span(0, 2, 7))], sources)
    assert line == "::error file=x,line=1,endLine=3,title=TVS0010::m\n"
    assert render_github([Diagnostic(codes.SYNTAX, "m")], sources) == "::error title=TVS0010::m\n"
    assert "col=1,endColumn=1," in render_github(
        [Diagnostic(codes.SYNTAX, "m", Span(0, 0, 0))], sources
    )


@pytest.mark.parametrize("site", SITES, ids=lambda p: p.stem)
def test_annotations_of_the_corpus(site: Path) -> None:
    _, diagnostics, sources = load_site(site)
    lines = render_github(diagnostics, sources).split("\n")
    assert lines.pop() == ""
    for line, diagnostic in zip(lines, diagnostics, strict=True):
        severity, values, message = read(line)
        assert (severity, values["title"]) == (diagnostic.severity.value, diagnostic.code.id)
        if diagnostic.span is not None:
            at = sources.locate(diagnostic.span)
            assert (int(values["line"]), int(values["endLine"])) == (at.line, at.end_line)
            assert Path(values["file"]) == Path(at.path)
        assert len(message.split("\n")) >= 1 + len(diagnostic.notes)


# --- denied warnings ------------------------------------------------------------------------------


def test_deny() -> None:
    warning = Diagnostic(codes.UNUSED_POOL, "m")
    error = Diagnostic(codes.SYNTAX, "m")
    assert deny([warning, error], ()) == [warning, error]
    denied, same = deny([warning, error], denied_ids(["warnings"]))
    assert same is error
    assert denied.severity is Severity.ERROR
    assert has_errors([denied])
    assert "note: an error by `--deny TVS0201`" in render_text([denied], SourceMap())
    assert deny([denied], denied_ids(["tvs0201"])) == [denied]


def test_names_of_what_is_denied() -> None:
    assert denied_ids([]) == frozenset()
    warnings = {c.id for c in CODES.values() if c.severity is Severity.WARNING}
    assert denied_ids(["Warnings"]) == warnings
    assert denied_ids(["tvs0201", "TVS0010"]) == {"TVS0201", "TVS0010"}
    with pytest.raises(KeyError):
        denied_ids(["TVS9999"])


# --- the commands ---------------------------------------------------------------------------------

UNUSED = "tests/diagnostics/cases/TVS0201-unused.tvs"


def test_check_sarif() -> None:
    result = tvsc("check", "--format", "sarif", UNUSED)
    assert (result.returncode, result.stderr) == (0, "")
    log = json.loads(result.stdout)
    VALIDATOR.validate(log)
    assert [r["level"] for r in log["runs"][0]["results"]] == ["warning"]
    assert UNUSED in result.stdout


def test_check_github() -> None:
    result = tvsc("check", "--format", "github", UNUSED)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"::warning file={UNUSED},line=3,")
    denied = tvsc("check", "--format", "github", "--deny", "warnings", UNUSED)
    assert denied.returncode == 1
    assert denied.stdout.startswith(f"::error file={UNUSED},line=3,")


def test_check_deny() -> None:
    result = tvsc("check", "--deny", "TVS0201", UNUSED)
    assert (result.returncode, result.stdout) == (1, "")
    assert "error[TVS0201]" in result.stderr
    assert result.stderr.endswith(": 1 error\n")
    report = json.loads(tvsc("check", "--format=json", "--deny=warnings", UNUSED).stdout)
    assert (report["errors"], report["warnings"]) == (1, 0)
    assert tvsc("check", "--deny", "warnings", "examples/laptop/site.tvs").returncode == 0


def test_compile_deny(tmp_path: Path) -> None:
    """Nothing is written for a site with a denied warning."""
    out = tmp_path / "out"
    result = tvsc("compile", "--deny", "warnings", UNUSED, "-o", out)
    assert (result.returncode, result.stdout) == (1, "")
    assert "error[TVS0201]" in result.stderr
    assert not out.exists()


@pytest.mark.parametrize("command", [["check"], ["compile", "-o", "out"]], ids=str)
def test_unknown_code_is_wrong_usage(command: list[str]) -> None:
    result = tvsc(*command, "--deny", "TVS020", UNUSED)
    assert result.returncode == 2
    assert "did you mean" in result.stderr
    assert tvsc("check", "--report", "--format", "sarif", UNUSED).returncode == 2
