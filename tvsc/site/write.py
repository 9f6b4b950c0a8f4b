"""Parts to a program: the statements that a `.tvs` file with the same content gives.

Every item has the span of the Python expression that gave it: of the argument where the call
names it, else of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from tvsc.diag import Diagnostic, codes
from tvsc.dsl import limits, values
from tvsc.dsl.ast import (
    Arrow,
    Binary,
    Block,
    Call,
    Expr,
    File,
    Line,
    Name,
    Program,
    Several,
    Statement,
    Text,
    Value,
)
from tvsc.dsl.lexer import Scanner
from tvsc.dsl.parser import parse_file
from tvsc.lower.schema import KINDS
from tvsc.site.parts import (
    Form,
    Limits,
    Listen,
    Nic,
    Part,
    Pool,
    Secret,
    Server,
    Site,
)
from tvsc.site.place import Argument, Positions
from tvsc.source import Span

_AS_THEY_ARE = (IPv4Address, IPv6Address, IPv4Interface, IPv6Interface)
_NO_LISTS = (str, bytes, bytearray, memoryview)
_MICROSECOND = timedelta(microseconds=1)


def write(site: Site, positions: Positions, report: Callable[[Diagnostic], None]) -> Program:
    """The program of a site. Reports values that the language cannot have."""
    return Program(File(0, tuple(_Writer(positions, report).site(site))), {})


def _lets_nobody_in(limits: Limits) -> bool:
    """A list that a program made and that came out empty is not the same as none."""
    given = [value for value in (limits.allow, limits.allow_from) if value is not None]
    return bool(given) and not any(given)


class _Writer:
    def __init__(self, positions: Positions, report: Callable[[Diagnostic], None]) -> None:
        self.positions = positions
        self.report = report

    def site(self, site: Site) -> Iterable[Statement]:
        start = Span(0, 0, 0)
        yield Line((Name("language", start), Value(1, start)), None)
        yield self.part(site)
        if site.defaults is not None:
            yield self.part(site.defaults)
        for field in ("nics", "clusters", "pools", "services"):
            for part in getattr(site, field):
                if isinstance(part, Part):
                    yield self.part(part)
                else:
                    what = f"`{field}` of `Site` cannot hold"
                    self.misfit(what, part, self.positions.span(site.place))

    def misfit(self, what: str, value: object, span: Span) -> None:
        message = f"{what} a Python value of type `{type(value).__name__}`"
        self.report(Diagnostic(codes.WRONG_TYPE, message, span))

    def part(self, part: Part, keyword: str | None = None) -> Line:
        """A block: the keyword, what its header has, and a statement for each field."""
        head, arguments = self.positions.call(part.place)
        items: list[Expr] = [Name(keyword or part.kind, head)]
        body: list[Statement] = []
        for field, info in type(part).model_fields.items():
            form = next((m for m in info.metadata if isinstance(m, Form)), None)
            value = getattr(part, field)
            if form is None or value is None:
                continue
            at = arguments.get(field, Argument(head, head, ()))
            if form.kind == "name":
                items += self.header(part, field, value, at)
            else:
                body += self.setting(part.kind, form.keyword or _dashed(field), form, value, at)
        if isinstance(part, Limits) and _lets_nobody_in(part):
            place = arguments.get("allow") or arguments.get("allow_from")
            self.report(
                Diagnostic(
                    codes.NOBODY_GETS_IN,
                    "`allow` lets in whom it names, and it names nobody",
                    place.value if place else head,
                    help="write None, or leave it out, to let everybody in",
                )
            )
        for field, value in (part.model_extra or {}).items():
            at = arguments.get(field, Argument(head, head, ()))
            body.append(Line((Name(_dashed(field), at.name), Text((str(value),), at.value)), None))
        whole = self.positions.span(part.place)
        if part.kind == "check" and not body:
            return Line(tuple(items), None)
        return Line(tuple(items), Block(tuple(body), whole))

    def header(self, part: Part, field: str, value: object, at: Argument) -> list[Expr]:
        if part.kind == "fabric":
            return [self.value(value, at.value)]
        if part.kind == "check":
            return [self.word(value, at.value)]
        text = self.text(value, at.value)
        return [Name("like", at.name), text] if field == "like" else [text]

    def setting(
        self, kind: str, keyword: str, form: Form, value: object, at: Argument
    ) -> Iterable[Statement]:
        several = isinstance(value, Sequence) and not isinstance(value, _NO_LISTS)
        if form.each:
            members = value if isinstance(value, Sequence) and several else (value,)
            known = len(at.members) == len(members)
            for index, member in enumerate(members):
                name, span = (at.members[index],) * 2 if known else at[:2]
                yield self.one(kind, keyword, form, member, Argument(name, span, ()))
        elif not several or value:
            yield self.one(kind, keyword, form, value, at)

    def one(self, kind: str, keyword: str, form: Form, value: object, at: Argument) -> Line:
        if form.kind == "block" and isinstance(value, Part):
            return self.part(value, keyword=keyword)
        if isinstance(value, Server):
            return self.server(value)
        if isinstance(value, Listen):
            return self.listen(value)
        items: list[Expr]
        if isinstance(value, Secret):
            items = self.secret(value)
        elif form.kind == "phrase":
            items = self.phrase(kind, value, at.value)
        elif form.kind == "word":
            items = [self.word(value, at.value)]
        elif form.kind == "text":
            items = [self.text(value, at.value)]
        else:
            if keyword == "long" and isinstance(value, int):
                value = f"/{value}"
            items = [self.value(value, at.value, at.members)]
        before = [Name(word, at.value) for word in form.before]
        after = [Name(word, at.value) for word in form.after]
        return Line((Name(keyword, at.name), *before, *items, *after), None)

    def server(self, server: Server) -> Line:
        head, arguments = self.positions.call(server.place)
        spans = {name: argument.value for name, argument in arguments.items()}
        items: list[Expr] = [Name("server", head)]
        if server.address is not None:
            at = spans.get("address", head)
            address = self.value(server.address, at)
            if server.port is not None:
                port = self.value(server.port, spans.get("port", head))
                address = Binary(":", address, port, at.to(port.span))
            items.append(address)
        if server.weight is not None:
            name = arguments["weight"].name if "weight" in arguments else head
            items += [Name("weight", name), self.value(server.weight, spans.get("weight", head))]
        if server.drain:
            items.append(Name("drain", spans.get("drain", head)))
        return self.with_extra(server, items, arguments)

    def listen(self, listen: Listen) -> Line:
        head, arguments = self.positions.call(listen.place)
        spans = {name: argument.value for name, argument in arguments.items()}
        items: list[Expr] = [Name("listen", head)]
        if listen.protocol is not None:
            items.append(self.word(listen.protocol, spans.get("protocol", head)))
        if listen.port is not None:
            items.append(self.value(listen.port, spans.get("port", head)))
        if listen.pool is not None:
            at = spans.get("pool", head)
            items += [Arrow(at), self.text(listen.pool, at)]
        return self.with_extra(listen, items, arguments)

    def secret(self, secret: Secret) -> list[Expr]:
        head, arguments = self.positions.call(secret.place)
        items: list[Expr] = []
        for field in ("file", "env"):
            value = getattr(secret, field)
            if value is not None:
                at = arguments.get(field, Argument(head, head, ()))
                items += [Name(field, at.name), self.text(value, at.value)]
        self.extra(secret, arguments)
        return items

    def with_extra(self, part: Part, items: list[Expr], arguments: dict[str, Argument]) -> Line:
        self.extra(part, arguments)
        return Line(tuple(items), None)

    def extra(self, part: Part, arguments: dict[str, Argument]) -> None:
        """Parts that are one line have no settings that the compiler could miss."""
        for field in part.model_extra or {}:
            at = arguments.get(field)
            span = at.name if at else self.positions.span(part.place)
            message = f"`{part.kind}` has no setting `{field}`"
            known = ", ".join(f"`{name}`" for name in type(part).model_fields)
            self.report(Diagnostic(codes.UNKNOWN_SETTING, message, span, help=f"it has {known}"))

    def phrase(self, kind: str, value: object, span: Span) -> list[Expr]:
        """Several items in one text, which must not begin another setting."""
        if not isinstance(value, str):
            return [self.value(value, span)]
        items = self.parse(value, span)
        for index, item in enumerate(items):
            starts = isinstance(item, Name) and item.text in KINDS[kind].settings
            if starts and not (index and isinstance(items[index - 1], Arrow)):
                message = f"`{value}` has values of more than one setting"
                self.report(Diagnostic(codes.EXTRA_VALUE, message, span))
                break
        return items

    def text(self, value: object, span: Span) -> Expr:
        """A quoted text; a part stands for its name."""
        if isinstance(value, Pool | Nic):
            value = value.name
        if not isinstance(value, str):
            return self.value(value, span)
        if len(value) > limits.TEXT_CHARACTERS:
            message = f"a text has at most {limits.TEXT_CHARACTERS} characters"
            self.report(Diagnostic(codes.BAD_LITERAL, message, span))
        return Text((value[: limits.TEXT_CHARACTERS],), span)

    def word(self, value: object, span: Span) -> Expr:
        """A bare word."""
        if isinstance(value, bool):
            return Name("yes" if value else "no", span)
        if isinstance(value, str) and len(value) > limits.WORD_CHARACTERS:
            message = f"a name or value has at most {limits.WORD_CHARACTERS} characters"
            self.report(Diagnostic(codes.BAD_LITERAL, message, span))
            value = ""
        return Name(value, span) if isinstance(value, str) else self.value(value, span)

    def value(
        self, value: object, span: Span, members: tuple[Span, ...] = (), depth: int = 0
    ) -> Expr:
        """One expression: a text in the language, or a Python value."""
        if isinstance(value, str):
            items = self.parse(value, span)
            if len(items) != 1:
                message = f"`{value}` is not one value"
                self.report(Diagnostic(codes.BAD_LITERAL, message, span))
                return Value(0, span)
            return items[0]
        if isinstance(value, Sequence) and not isinstance(value, _NO_LISTS):
            if depth > limits.NESTING:
                message = f"lists are nested more than {limits.NESTING} deep"
                self.report(Diagnostic(codes.NESTED_TOO_DEEP, message, span))
                return Value(0, span)
            spans = members if len(members) == len(value) else (span,) * len(value)
            pairs = zip(value, spans, strict=True)
            found = [self.value(v, s, depth=depth + 1) for v, s in pairs]
            return found[0] if len(found) == 1 else Several(_flat(found), span)
        if isinstance(value, timedelta):
            ms = Fraction(value // _MICROSECOND, 1000)
            return Value(values.Duration(ms), span)
        if isinstance(value, IPv4Network):
            return Value(IPv4Interface((value.network_address, value.prefixlen)), span)
        if isinstance(value, IPv6Network):
            return Value(IPv6Interface((value.network_address, value.prefixlen)), span)
        if isinstance(value, _AS_THEY_ARE) or (
            isinstance(value, int) and not isinstance(value, bool)
        ):
            if isinstance(value, int) and abs(value) >= 10**limits.NUMBER_CHARACTERS:
                message = f"a number has at most {limits.NUMBER_CHARACTERS} digits"
                self.report(Diagnostic(codes.BAD_LITERAL, message, span))
                value = 0
            return Value(value, span)
        message = f"a Python value of type `{type(value).__name__}` means nothing here"
        self.report(Diagnostic(codes.WRONG_TYPE, message, span))
        return Value(0, span)

    def parse(self, text: str, span: Span) -> list[Expr]:
        """The items of a text in the language, all with one span."""
        items, problems = _parse(text)
        for problem in problems:
            self.report(Diagnostic(problem.code, problem.message, span, help=problem.help))
        return [_at(item, span) for item in items] if not problems else [Value(0, span)]


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple[tuple[Expr, ...], tuple[Diagnostic, ...]]:
    found: list[Diagnostic] = []
    # A word before, because nothing else may begin a statement: not `let`, not a block.
    line = f"value {text}"
    scanner = Scanner(0, line, found.append)
    if scanner.scan() and not found and [t.type for t in scanner.tokens[1:3]] == ["VALUE", "END"]:
        leaf = scanner.tokens[1].leaf
        if isinstance(leaf, Value) and len(scanner.tokens) == 3:
            return (leaf,), ()
    found.clear()
    body = parse_file(0, line, found.append).body
    if found:
        return (), tuple(found)
    first = body[0] if len(body) == 1 else None
    if not isinstance(first, Line) or first.block is not None or len(first.items) < 2:
        message = f"`{text}` is no value of the language"
        return (), (Diagnostic(codes.BAD_LITERAL, message),)
    return first.items[1:], ()


def _at(item: Expr, span: Span) -> Expr:
    """The same expression, at another place."""
    if isinstance(item, Value):
        return Value(item.data, span)
    if isinstance(item, Name):
        return Name(item.text, span)
    if isinstance(item, Arrow):
        return Arrow(span)
    if isinstance(item, Text):
        return Text(item.parts, span)
    if isinstance(item, Call):
        return Call(item.function, tuple(_at(a, span) for a in item.arguments), span)
    if isinstance(item, Binary):
        return Binary(item.operator, _at(item.left, span), _at(item.right, span), span)
    return Several(tuple(_at(m, span) for m in item.members), span)


def _flat(found: list[Expr]) -> tuple[Expr, ...]:
    """A list of lists is one list, as in `a, b, c`."""
    return tuple(
        m for item in found for m in (item.members if isinstance(item, Several) else [item])
    )


def _dashed(field: str) -> str:
    return field.replace("_", "-")
