"""Characters to tokens: reads a source text, writes tokens that carry finished syntax-tree leaves.

One regular expression finds the next token of any kind. Values are recognised here whole (an
address, a duration, a PCI address is one token), so that the grammar stays small and a malformed
value is named as what it was meant to be. Errors are reported and the scan goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lark.lexer import Lexer, Token

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note, at_most
from tvsc.dsl import limits
from tvsc.dsl.ast import Arrow, Name, Value
from tvsc.dsl.hidden import is_hidden, report_hidden
from tvsc.dsl.literals import LITERALS, LiteralError, parse_text
from tvsc.source import Span

KEYWORDS = {"let": "LET", "for": "FOR", "in": "IN", "include": "INCLUDE"}

_OCTET = r"[0-9a-fA-F]{2}"
_WORD_END = r"(?![\w.:])"

# In order: the first alternative that matches wins.
_TOKEN = re.compile(
    "|".join(
        (
            # With the empty lines that follow: a file may hold millions of them.
            r"(?P<newline>\n(?:[ \t\r\f]*+\n)*+)",
            # The common cases first: nothing below would take these otherwise.
            r"(?P<word>[A-Za-z_]\w*+(?:-\w++)*+(?![:(]))",
            r"(?P<count>\d{1,15}+(?![\w.:/-]))",
            r'(?P<text>"(?:[^"\\\n]|\\[^\n])*")',
            rf"(?P<pci>(?:[0-9a-fA-F]{{4}}:)?{_OCTET}:{_OCTET}\.[0-7]){_WORD_END}",
            rf"(?P<mac>{_OCTET}(?::{_OCTET}){{5}}){_WORD_END}",
            r"(?P<ipv4>\d+\.\d+\.\d+\.\d+(?:/\d+|:\d+)?)(?![\w.])",
            r"(?P<ipv6>(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F.]{0,15}(?:/\d+)?)(?![\w:])",
            r"(?P<endpoint6>\[[^\]\s\"{}]*\]:\d+)(?!\w)",
            r"(?P<rate>\d+[kMG]?/s)(?!\w)",
            r"(?P<cores>\d+-\d+)(?![\w.-])",
            r"(?P<number>\d+(?:\.\d+)?[A-Za-z]*)(?![\w]|\.\w)",
            r"(?P<badnumber>\d[\w.:/-]*)",
            r"(?P<length>(?<![^\s{(,])/\d+)(?!\w)",
            r"(?P<call>[A-Za-z_]\w*(?:-\w+)*\()",
            r"(?P<name>[A-Za-z_]\w*(?:-\w+)*)",
            r"(?P<arrow>->)",
            r"(?P<operator>\.\.|[-+*/:])",
            r"(?P<punctuation>[{}(),=])",
        )
    ),
    re.ASCII,
)

_BLANK = re.compile(r"(?:[ \t\r\f]+|\#[^\n]*)*")

_PUNCTUATION = {
    "{": "LBRACE",
    "}": "RBRACE",
    "(": "LPAREN",
    ")": "RPAREN",
    ",": "COMMA",
    "=": "EQUALS",
}
_OPENING = {"}": "{", ")": "("}

# A line goes on after these.
_CONTINUES = {"COMMA", "OPERATOR"}


class LeafToken(Token):
    """A lark token with the leaf of the syntax tree that it stands for (its span, for
    punctuation).
    """

    __slots__ = ("leaf",)
    leaf: object

    @classmethod
    def make(cls, kind: str, text: str, leaf: object) -> LeafToken:
        """A token of type `kind`. Does what Token's constructor does, in a third of the time."""
        token = str.__new__(cls, text)
        token.type = kind
        token.value = text
        token.leaf = leaf
        token.start_pos = token.line = token.column = None
        token.end_line = token.end_column = token.end_pos = None
        return token


class Scanner:
    """One pass over a part of one file. `tokens` is what the parser gets; every token has its span
    in `spans`. The part must end where a token does.
    """

    def __init__(
        self,
        number: int,
        text: str,
        report: Callable[[Diagnostic], None],
        start: int = 0,
        end: int | None = None,
    ) -> None:
        self.number = number
        self.text = text
        self.start = start
        self.end = len(text) if end is None else end
        self.report = at_most(limits.ERRORS, report)
        self.tokens: list[LeafToken] = []
        self.spans: list[Span] = []
        self.open: list[tuple[str, Span]] = []
        self.operators = 0

    def scan(self) -> bool:
        """Fill `tokens`; whether the braces and parentheses have their partners and depth."""
        text, number, end = self.text, self.number, self.end
        report_hidden(number, text, self.report, self.start, end)
        match_at, blank_at, put = _TOKEN.match, _BLANK.match, self._put
        at = self.start
        while True:
            blank = blank_at(text, at)
            at = blank.end() if blank is not None else at
            if at >= end:
                break
            match = match_at(text, at)
            if match is None:
                at = self._bad_character(at)
                continue
            kind = match.lastgroup
            start, at = at, match.end()
            if kind == "newline":
                self._newline(Span(number, start, start + 1))
                continue
            span = Span(number, start, at)
            if at - start > limits.WORD_CHARACTERS and kind != "text":
                return self._too_long(span)
            piece = match.group()
            if kind == "word":
                put(KEYWORDS.get(piece, "NAME"), piece, Name(piece, span), span)
            elif kind == "count":
                put("VALUE", piece, Value(int(piece), span), span)
            elif not self._token(kind or "", piece, span):
                return False
        self._end_line(Span(self.number, end, end))
        for bracket, span in self.open:
            self.report(Diagnostic(codes.BRACE_NOT_CLOSED, f"`{bracket}` is never closed", span))
        return not self.open

    def _too_long(self, span: Span) -> bool:
        """Nothing that makes sense is so long, and no message could show it."""
        message = f"a name or value has at most {limits.WORD_CHARACTERS} characters"
        self.report(Diagnostic(codes.BAD_LITERAL, message, span))
        return False

    def _put(self, kind: str, text: str, leaf: object, span: Span) -> None:
        self.tokens.append(LeafToken.make(kind, text, leaf))
        self.spans.append(span)

    def _token(self, kind: str, text: str, span: Span) -> bool:
        if kind in LITERALS:
            self._value(kind, text, span)
        elif kind == "name":
            self._put(KEYWORDS.get(text, "NAME"), text, Name(text, span), span)
        elif kind == "call":
            self.open.append(("(", Span(span.file, span.end - 1, span.end)))
            self._put("FUNCTION", text, Name(text[:-1], span), span)
        elif kind == "text":
            parsed, problems = parse_text(text, span)
            for problem in problems:
                self.report(problem)
            self._put("TEXT", text, parsed, span)
        elif kind == "arrow":
            self._put("ARROW", text, Arrow(span), span)
        elif kind == "operator":
            return self._operator(text, span)
        else:
            return self._punctuation(text, span)
        return self._depth_ok(span) if kind == "call" else True

    def _operator(self, text: str, span: Span) -> bool:
        self._put("OPERATOR", text, span, span)
        self.operators += 1
        if self.operators <= limits.EXPRESSION_OPERATORS:
            return True
        message = f"an expression has more than {limits.EXPRESSION_OPERATORS} operators"
        self.report(Diagnostic(codes.NESTED_TOO_DEEP, message, span))
        return False

    def _value(self, kind: str, text: str, span: Span) -> None:
        try:
            data = LITERALS[kind](text)
        except LiteralError as error:
            self.report(Diagnostic(codes.BAD_LITERAL, error.message, span, help=error.help))
            data = 0
        self._put("VALUE", text, Value(data, span), span)

    def _newline(self, span: Span) -> None:
        if self.open and self.open[-1][0] == "(":
            return
        if self.tokens and self.tokens[-1].type in _CONTINUES:
            return
        self._end_line(span)

    def _end_line(self, span: Span) -> None:
        self.operators = 0
        if self.tokens and self.tokens[-1].type not in ("END", "LBRACE", "RBRACE"):
            self._put("END", "", span, span)

    def _punctuation(self, text: str, span: Span) -> bool:
        if text in "{," and not (self.open and self.open[-1][0] == "("):
            self.operators = 0
        if text in "{(":
            self.open.append((text, span))
        elif text in "})":
            if text == "}":
                self._end_line(Span(self.number, span.start, span.start))
            if not self._close(text, span):
                return False
        self._put(_PUNCTUATION[text], text, span, span)
        return self._depth_ok(span)

    def _close(self, text: str, span: Span) -> bool:
        if not self.open:
            self.report(
                Diagnostic(codes.BRACE_NOT_CLOSED, f"`{text}` closes nothing that is open", span)
            )
            return False
        bracket, opened = self.open.pop()
        if bracket == _OPENING[text]:
            return True
        self.report(
            Diagnostic(
                codes.BRACE_NOT_CLOSED,
                f"`{text}` does not close `{bracket}`",
                span,
                (Note(f"`{bracket}` opened here", opened),),
            )
        )
        return False

    def _depth_ok(self, span: Span) -> bool:
        if len(self.open) <= limits.NESTING:
            return True
        self.report(
            Diagnostic(
                codes.NESTED_TOO_DEEP,
                f"blocks and parentheses are nested more than {limits.NESTING} deep",
                span,
            )
        )
        return False

    def _bad_character(self, at: int) -> int:
        character = self.text[at]
        if character == '"':
            end = self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            span = Span(self.number, at, end)
            self.report(
                Diagnostic(
                    codes.TEXT_NOT_CLOSED,
                    "this text has no closing quote on its line",
                    span,
                    help='end it with `"`',
                )
            )
            self._put("VALUE", "", Value("", span), span)
            return end
        end = at + 1
        while end < len(self.text) and self.text[end] == character:
            end += 1
        if is_hidden(character):
            return end  # said already
        shown = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
        hint = "statements end with the line" if character == ";" else None
        self.report(
            Diagnostic(
                codes.BAD_CHARACTER,
                f"the character {shown} has no meaning here",
                Span(self.number, at, end),
                help=hint,
            )
        )
        return end


class TokenList(Lexer):
    """Lark's custom-lexer interface over tokens that exist already."""

    __future_interface__ = 2

    def __init__(self, _conf: Any) -> None:  # noqa: ANN401 - lark's interface
        pass

    def lex(self, lexer_state: Any, _parser_state: Any) -> Any:  # noqa: ANN401 - lark's interface
        """The tokens, one by one."""
        return iter(lexer_state.text)
