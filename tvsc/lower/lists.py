"""Bulk lists: servers and prefixes that lie in files of their own, one a line."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from tvsc.diag import codes
from tvsc.dsl import limits
from tvsc.dsl.hidden import report_hidden
from tvsc.dsl.values import Endpoint
from tvsc.lower.scope import Context
from tvsc.lower.settings_service import MAX_WEIGHT, FromFile, ServerLine
from tvsc.source import Span

_LENGTH = re.compile("(?:0|[1-9][0-9]{0,2})?", re.ASCII)
COLUMNS = ("address", "port", "weight")


class _WrongLineError(Exception):
    """What is wrong with a line."""


def _lines(context: Context, source: FromFile) -> Iterator[tuple[str, Span]]:
    """The lines that say something, without comments and blanks, each with its span."""
    name = source.name
    if not name or "\0" in name:
        context.report(codes.FILE_UNREADABLE, "the list has no file name", source.span)
        return
    number = context.loader.read(context.loader.beside(name, source.span.file), source.span)
    if number is None:
        return
    text = context.loader.sources.files[number].text
    report_hidden(number, text, context.sink)
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if end - start > limits.LIST_LINE_CHARACTERS:
            message = f"a line of a list has at most {limits.LIST_LINE_CHARACTERS} characters"
            context.report(codes.LIST_FILE, message, Span(number, start, start + 80))
            return
        if not context.take_line(Span(number, start, end)):
            return
        raw = text[start:end].partition("#")[0]
        line = raw.strip()
        if line:
            at = start + raw.index(line[0])
            yield line, Span(number, at, at + len(line))
        start = end + 1


def csv_servers(context: Context, source: FromFile) -> Iterator[tuple[ServerLine, Span]]:
    """`address,port[,weight]`, one server a line; the first may name the columns."""
    wrong = 0
    for index, (line, span) in enumerate(_lines(context, source)):
        cells = [cell.strip() for cell in line.split(",")]
        try:
            if index == 0 and cells[0].lower() == COLUMNS[0]:
                _header(cells)
                continue
            yield _server(cells), span
        except _WrongLineError as error:
            context.report(
                codes.LIST_FILE,
                str(error),
                span,
                "a line is `address,port` or `address,port,weight`",
            )
            wrong += 1
            if wrong >= limits.LIST_ERRORS:
                return


def _header(cells: list[str]) -> None:
    """A list whose columns are others, or in another order, is not read as if they were these."""
    if tuple(cell.lower() for cell in cells) not in (COLUMNS, COLUMNS[:2]):
        raise _WrongLineError(f"the columns are {', '.join(f'`{cell}`' for cell in cells)[:200]}")


def _server(cells: list[str]) -> ServerLine:
    if not 2 <= len(cells) <= 3:
        raise _WrongLineError(f"a server has 2 or 3 columns, not {len(cells)}")
    try:
        address = ipaddress.ip_address(cells[0])
    except ValueError:
        raise _WrongLineError(f"`{cells[0]}` is no address") from None
    port = _int(cells[1], 1, 65535, "port")
    weight = _int(cells[2], 0, MAX_WEIGHT, "weight") if len(cells) == 3 else 1
    return ServerLine(Endpoint(address, port), weight, False)


def _int(text: str, low: int, high: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
        raise _WrongLineError(f"`{text}` is no {what}: {low} to {high}")
    return int(text)


def prefixes(
    context: Context, source: FromFile
) -> Iterator[tuple[IPv4Network | IPv6Network, Span]]:
    """One prefix or address a line."""
    wrong = 0
    for line, span in _lines(context, source):
        try:
            network = ipaddress.ip_network(line)
            if not _LENGTH.fullmatch(line.partition("/")[2]):
                raise ValueError(line)  # a mask, which the language does not know either
        except ValueError:
            context.report(codes.LIST_FILE, f"`{line[:80]}` is no prefix", span, _shorter(line))
            wrong += 1
            if wrong >= limits.LIST_ERRORS:
                return
        else:
            yield network, span


def _shorter(line: str) -> str | None:
    """What to write for a prefix that has bits after its length."""
    try:
        return f"write `{ipaddress.ip_network(line, strict=False)}`"
    except ValueError:
        return None
