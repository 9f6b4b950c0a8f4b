"""User text on its way into C, BIRD, systemd and shell. Nothing else may carry it there.

Every function here takes any text and returns text that cannot end the construct it is put in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

COLUMNS = 100

_COMMENT_TROUBLE = re.compile(r"\?\?|\*/|/\*|\\$")
_C_TROUBLE = re.compile(r'[^ -~]|["\\?]')

_C_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _c_bytes(text: str) -> list[str]:
    """The text as pieces of a C string literal, one per byte (octal ends after three digits)."""
    pieces = []
    for char in text:
        if char in _C_ESCAPES:
            pieces.append(_C_ESCAPES[char])
        elif char == "?":
            pieces.append("\\?")  # no trigraph
        elif " " <= char <= "~":
            pieces.append(char)
        else:
            pieces += [f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape")]
    return pieces


def c_string(text: str, before: int = 0, indent: int = 0) -> str:
    """A C string literal.

    `before` is the number of columns that stand left of it on its line (and one `,` right of it).
    A literal that does not fit goes to lines of its own, indented by `indent`, as clang-format
    leaves it.
    """
    pieces: Sequence[str] = _c_bytes(text) if _C_TROUBLE.search(text) else text
    whole = f'"{"".join(pieces)}"'
    if before + len(whole) + 1 <= COLUMNS:
        return whole
    room = COLUMNS - indent - 3
    lines, line = [], ""
    for piece in pieces:
        if len(line) + len(piece) > room:
            lines.append(line)
            line = ""
        line += piece
    lines.append(line)
    pad = " " * indent
    return "\n" + "\n".join(f'{pad}"{line}"' for line in lines)


def c_comment(text: str) -> str:
    """Text inside of a C comment: one line, no comment marks, nothing that reads as another
    direction or as a trigraph.
    """
    plain = _printable(text)
    if not _COMMENT_TROUBLE.search(plain):  # nearly always: large tables have a comment a row
        return plain
    plain = plain.replace("??", "? ?").replace("??", "? ?")
    return re.sub(r"(?<=\*)(?=/)|(?<=/)(?=\*)", " ", plain).rstrip("\\")


def c_block(text: str, indent: int = 0) -> str:
    """A whole C comment at `indent` columns, of as many lines as it takes."""
    plain = c_comment(" ".join(text.split()))
    if indent + len(plain) + 6 <= COLUMNS:
        return f"/* {plain} */"
    pad = " " * indent
    lines = wrap(plain, COLUMNS - indent - 3, break_on_hyphens=False)
    return "\n".join([f"{pad}/*", *(f"{pad} * {line}" for line in lines), f"{pad} */"]).lstrip()


def _visible(char: str) -> str:
    return " " if char in "\n\r\t" else f"<U+{ord(char):04X}>"


def _printable(text: str) -> str:
    """The text in printable ASCII."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if " " <= c <= "~" else _visible(c) for c in text)


def hash_comment(text: str) -> str:
    """Text in a `#` comment of BIRD, systemd, sysctl or shell: one line, printable."""
    return _printable(text).rstrip("\\")


def bird_string(text: str) -> str:
    """A BIRD string. Its syntax has no escapes, so what it cannot hold becomes `_`."""
    return '"' + re.sub(r"[^ !#-\[\]-~]", "_", text) + '"'


def bird_symbol(text: str) -> str:
    """A name in a BIRD configuration that is no keyword: `tvs_` and letters, digits, `_`."""
    return "tvs_" + re.sub(r"[^A-Za-z0-9]", "_", text)[:50]


def systemd_value(text: str) -> str:
    """A value in a unit file: specifiers, variables and line ends have no effect."""
    line = _printable(text)
    return line.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')


def shell_word(text: str) -> str:
    """One word of a shell command, whatever it holds but NUL."""
    return "'" + text.replace("\0", "").replace("'", "'\\''") + "'"


def meson_string(text: str) -> str:
    """A string of a meson build file."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
