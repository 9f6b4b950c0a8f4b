"""Diagnostics for code scanners: reads Diagnostic and SourceMap, writes a SARIF 2.1.0 log.

The rules are the codes that occur, with their pages; the results refer to them. Columns count
Unicode code points from 1, as everywhere in tvsc. Files are named as the user named them: relative
to where he stands, which in CI is the top of the repository.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Sequence
from typing import NotRequired, TypedDict
from urllib.parse import quote

from tvsc import __version__
from tvsc.diag.codes import Code, Severity
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.diag.pages import explain_page
from tvsc.diag.secrets import concealed
from tvsc.source import SourceMap, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"


class Message(TypedDict):
    """A text, and the same with markup where it has some."""

    text: str
    markdown: NotRequired[str]


class Region(TypedDict):
    """Lines and columns from 1; `endColumn` is the first one after the region."""

    startLine: int
    startColumn: int
    endLine: int
    endColumn: int


class ArtifactLocation(TypedDict):
    """A file, as a URI or relative to the place where tvsc ran."""

    uri: str


class PhysicalLocation(TypedDict):
    """A place in a file."""

    artifactLocation: ArtifactLocation
    region: Region


class SarifLocation(TypedDict):
    """A place, and what is there; `id` is that of a related place."""

    id: NotRequired[int]
    physicalLocation: PhysicalLocation
    message: NotRequired[Message]


class Configuration(TypedDict):
    """How bad a rule's results are if nothing else is said."""

    level: str


class Rule(TypedDict):
    """A code and its page."""

    id: str
    shortDescription: Message
    help: Message
    defaultConfiguration: Configuration


class Result(TypedDict):
    """One diagnostic."""

    ruleId: str
    ruleIndex: int
    level: str
    message: Message
    locations: list[SarifLocation]
    relatedLocations: list[SarifLocation]


class Driver(TypedDict):
    """tvsc itself."""

    name: str
    semanticVersion: str
    rules: list[Rule]


class Tool(TypedDict):
    """What ran."""

    driver: Driver


class SarifRun(TypedDict):
    """One run of tvsc."""

    tool: Tool
    columnKind: str
    results: list[Result]


# The name of a member is no Python name.
Log = TypedDict("Log", {"$schema": str, "version": str, "runs": list[SarifRun]})


def log(diagnostics: Sequence[Diagnostic], sources: SourceMap) -> Log:
    """The diagnostics as plain data, in the order given."""
    codes = sorted({d.code for d in diagnostics}, key=lambda code: code.id)
    numbers = {code: n for n, code in enumerate(codes)}
    driver = Driver(name="tvsc", semanticVersion=__version__, rules=[_rule(c) for c in codes])
    run = SarifRun(
        tool=Tool(driver=driver),
        columnKind="unicodeCodePoints",
        results=[_result(d, numbers[d.code], sources) for d in concealed(diagnostics, sources)],
    )
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def render_sarif(diagnostics: Sequence[Diagnostic], sources: SourceMap) -> str:
    """The log as indented JSON, ending with a newline."""
    return json.dumps(log(diagnostics, sources), indent=2) + "\n"


def _rule(code: Code) -> Rule:
    page = explain_page(code)
    return Rule(
        id=code.id,
        shortDescription=Message(text=code.title),
        help=Message(text=page, markdown=page),
        defaultConfiguration=Configuration(level=_level(code.severity)),
    )


def _result(diagnostic: Diagnostic, rule: int, sources: SourceMap) -> Result:
    """Notes with a place become related locations; what else is said stands in the message."""
    lines = [diagnostic.message]
    lines += [f"note: {note.message}" for note in diagnostic.notes if note.span is None]
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    return Result(
        ruleId=diagnostic.code.id,
        ruleIndex=rule,
        level=_level(diagnostic.severity),
        message=Message(text="\n".join(lines)),
        locations=[_location(diagnostic.span, sources)] if diagnostic.span else [],
        relatedLocations=_related(diagnostic.notes, sources),
    )


def _related(notes: Sequence[Note], sources: SourceMap) -> list[SarifLocation]:
    """The places of notes, each once: the schema wants them different."""
    found: list[SarifLocation] = []
    for note in dict.fromkeys(notes):
        if note.span is not None:
            location = _location(note.span, sources)
            location["id"] = len(found) + 1
            location["message"] = Message(text=note.message)
            found.append(location)
    return found


def _location(span: Span, sources: SourceMap) -> SarifLocation:
    at = sources.locate(span)
    return SarifLocation(
        physicalLocation=PhysicalLocation(
            artifactLocation=ArtifactLocation(uri=_uri(at.path)),
            region=Region(
                startLine=at.line,
                startColumn=at.column,
                endLine=at.end_line,
                endColumn=at.end_column,
            ),
        )
    )


def _uri(path: str) -> str:
    """A path as a URI; a relative one stays relative, whatever characters it has."""
    path = posixpath.normpath(path)
    quoted = quote(path, errors="surrogateescape")
    return f"file://{quoted}" if path.startswith("/") else quoted


def _level(severity: Severity) -> str:
    return "error" if severity is Severity.ERROR else "warning"
