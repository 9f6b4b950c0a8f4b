"""Secrets that stand in a site by mistake: found in a line, and kept out of every message.

A site names the place of a secret (`password file "PATH"`). Who pastes the secret itself gets an
error, and what is printed ends in terminals, logs of CI and scanners. The line is searched as text,
because what is no reference often is no value of the language either, and another message may be
about the same line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.source import SourceMap, Span

_QUOTED = r'"(?:[^"\\]|\\.)*(?:"|$)'

# --- text of the language ------------------------------------------------------------------------

# Of words that are no setting, only a text can be meant for a secret: they are names elsewhere.
_SETTING = re.compile(
    r"""(?<![\w.{-])(?:(?:password|key)(?![\w-])"""
    r"""|(?:pass[\w-]*|secret[\w-]*|[\w-]*md5[\w-]*|auth[\w-]*|keys|psk)(?=[ =:]*["']))"""
    rf"""[ \t]*(?:->|[=:])?[ \t]*(?P<reference>(?:file|env)(?![\w-])[ \t]*(?P<name>{_QUOTED})?)?"""
)
_NAMED = re.compile(
    r"(?:\b(?:let|for|in|like|site|nic|cluster|node|port|pool|service|sorry)|->)\s*$"
)
_NAMED_BEFORE = 16
_TEXT_OR_COMMENT = re.compile(rf"{_QUOTED}|#.*")
_VARIABLE = re.compile(r'"[A-Za-z_]\w*"', re.ASCII)
_TEXTS = re.compile(rf"[ \t]*,?[ \t]*{_QUOTED}")
_WORDS = re.compile(rf"(?:{_QUOTED}|(?!  |\s*}}\s|\s*}}$).)+")
_NO_VALUE = re.compile(r"\s*(?:[{}),#+*/-]|\.\.|$)")
_WITHOUT_VALUE = re.compile(r"(?<![\w-])(?:password|key)[ \t]*[=:(]?[ \t]*$")
_OTHER_SETTING = re.compile(r"[ \t]*(?:[{}#]|[a-z][a-z0-9-]*[ \t]|$)")


def _in_text(line: str, before: str) -> Iterator[tuple[int, int]]:
    """Columns of secrets in a line; `before` is the line before it."""
    if _WITHOUT_VALUE.search(before):
        yield from _value(line, 0)
    hidden = {at for found in _TEXT_OR_COMMENT.finditer(line) for at in range(*found.span())}
    for found in _SETTING.finditer(line):
        start = found.start()
        if start in hidden or _NAMED.search(line, max(0, start - _NAMED_BEFORE), start):
            continue
        name, at = found["name"], found.end()
        if found["reference"] and name:
            if found["reference"].startswith("env") and not _VARIABLE.fullmatch(name):
                yield found.span("name")
            if not _OTHER_SETTING.match(line, at):
                yield from _value(line, at)
        elif not _NO_VALUE.match(line, at):
            yield from _value(line, at)


def _value(line: str, at: int) -> Iterator[tuple[int, int]]:
    """Texts, or everything up to what ends a setting."""
    at += len(line[at:]) - len(line[at:].lstrip())
    if not line.startswith('"', at):
        words = _WORDS.match(line, at)
        if words:
            yield words.span()
        return
    while texts := _TEXTS.match(line, at):
        yield line.index('"', at), texts.end()
        at = texts.end()


# --- Python --------------------------------------------------------------------------------------

_LITERAL = (
    r"""[rRbBuUfF]{0,2}(?P<text>\"{3}.*?(?:\"{3}|$)|'{3}.*?(?:'{3}|$)"""
    r"""|"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$))"""
)
_ARGUMENT = re.compile(rf"""(?<!\w)(?:pass\w*|key|secret\w*)["']?\s*[=:]\s*\(?\s*{_LITERAL}""")
_ARGUMENT_BEFORE = re.compile(r"(?<!\w)(?:pass\w*|key|secret\w*)\s*=\s*\(?\s*$")
_SECRET = re.compile(rf"(?<!\w)Secret\(\s*(?:(?P<field>\w+)\s*=\s*)?{_LITERAL}")
_OF_SECRET = re.compile(rf"(?<!\w)env\s*=\s*{_LITERAL}")
_LITERAL_FIRST = re.compile(rf"\s*{_LITERAL}")
_NAME = re.compile(r"""["'][A-Za-z_]\w*["']""", re.ASCII)


def _in_python(line: str, before: str) -> Iterator[tuple[int, int]]:
    """As `_in_text`."""
    if _ARGUMENT_BEFORE.search(before) and (found := _LITERAL_FIRST.match(line)):
        yield found.span("text")
    for found in _ARGUMENT.finditer(line):
        yield found.span("text")
    for found in _SECRET.finditer(line):
        if found["field"] not in ("file", "env"):
            yield found.span("text")
    for found in _OF_SECRET.finditer(line):
        if not _NAME.fullmatch(found["text"]):
            yield found.span("text")


# --- what is shown -------------------------------------------------------------------------------

_NEAR = 5000
"""Characters of a line that are searched before and after a place: more than a text can have."""


class Secrets(NamedTuple):
    """The parts of a site's files that messages do not show: what `diagnostics` say are secrets,
    and what looks like one in a line.
    """

    sources: SourceMap
    told: frozenset[Span]

    def near(self, span: Span) -> list[Span]:
        """The secrets in the line where a span begins, no further than `_NEAR` from there."""
        source = self.sources.files[span.file]
        text = source.text
        begin = text.rfind("\n", max(0, span.start - _NEAR), span.start) + 1
        begin = begin or max(0, span.start - _NEAR)
        end = text.find("\n", span.start, span.start + _NEAR)
        line = text[begin : end if end >= 0 else span.start + _NEAR].rstrip("\r")
        before = text[max(0, begin - _NEAR) : max(0, begin - 1)].rpartition("\n")[2]
        look = _in_python if source.path.endswith(".py") else _in_text
        found = [Span(span.file, begin + a, begin + b) for a, b in look(line, before)]
        for told in self.told:
            first, last = max(told.start, begin), min(told.end, begin + len(line))
            if told.file == span.file and first < last:
                found.append(Span(span.file, first, last))
        return found

    def masked(self, span: Span) -> str:
        """The line where a span begins, with every secret near it replaced, as long as before."""
        source = self.sources.files[span.file]
        number = self.sources.locate(span).line
        line = source.line_text(number)
        secrets = self.near(span)
        if not secrets:
            return line
        begin = source.line_starts[number - 1]
        first = min(secret.start for secret in secrets) - begin
        last = max(secret.end for secret in secrets) - begin
        part = line[first:last]
        for secret in secrets:
            a, b = secret.start - begin - first, secret.end - begin - first
            part = part[:a] + _stars(part[a:b]) + part[b:]
        return line[:first] + part + line[last:]

    def at(self, span: Span) -> list[str]:
        """The secrets that a span touches."""
        text = self.sources.files[span.file].text
        end = max(span.end, span.start + 1)
        return [
            text[s.start : s.end] for s in self.near(span) if s.start < end and span.start < s.end
        ]


def secrets_of(diagnostics: Sequence[Diagnostic], sources: SourceMap) -> Secrets:
    """What must not be shown along with these messages."""
    told = frozenset(d.span for d in diagnostics if d.secret and d.span is not None)
    return Secrets(sources, told)


def concealed(diagnostics: Sequence[Diagnostic], sources: SourceMap) -> list[Diagnostic]:
    """The messages without what they quote of a secret."""
    secrets = secrets_of(diagnostics, sources)
    return [_concealed(d, secrets) for d in diagnostics]


def _stars(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return f"{text[0]}{'*' * (len(text) - 2)}{text[0]}"
    return f"{text[0]}{'*' * (len(text) - 1)}" if text[0] in "\"'" else "*" * len(text)


_OURS = {"password", "key", "file", "env", '"', "\\", "\\\\"}
_PIECE = re.compile(r"`([^`]+)`")


def _concealed(diagnostic: Diagnostic, secrets: Secrets) -> Diagnostic:
    if diagnostic.span is None:
        return diagnostic
    texts = secrets.at(diagnostic.span)
    if not texts:
        return diagnostic

    def hide(found: re.Match[str]) -> str:
        piece = found[1]
        inside = piece not in _OURS and any(piece in text for text in texts)
        return "`***`" if inside else found[0]

    return replace(
        diagnostic,
        message=_PIECE.sub(hide, diagnostic.message),
        notes=tuple(Note(_PIECE.sub(hide, n.message), n.span) for n in diagnostic.notes),
        help=_PIECE.sub(hide, diagnostic.help) if diagnostic.help else diagnostic.help,
    )
