"""`role` of a cluster: whether it is the one that serves, and how a standby says that it is not."""

from __future__ import annotations

import re

from tvsc.diag import codes
from tvsc.lower.evaluate import did_you_mean, fail
from tvsc.lower.reader import Reader
from tvsc.lower.schema import KINDS
from tvsc.lower.settings_site import MAX_ASN
from tvsc.model import Lowering, Preference, Role

DEFAULT_PREPEND = 3
MAX_PREPEND = 16

_COMMUNITY = re.compile(r"(\d{1,10}):(\d{1,10})(?::(\d{1,10}))?", re.ASCII)
_MAX_PART = 0xFFFF
_MAX_LARGE_PART = 0xFFFF_FFFF

_WELL_KNOWN = 0xFFFF
_GRACEFUL_SHUTDOWN = (_WELL_KNOWN, 0)
"""RFC 8326: who knows it prefers any other route."""


def role(reader: Reader) -> object:
    """`primary`, or `standby` with at most one way of lowering its preference."""
    found = _role(reader)
    if reader.peek_word() in list(Lowering):
        fail(
            codes.EXTRA_VALUE,
            "a standby lowers its preference in one way",
            reader.items[reader.at].span,
        )
    return found


def _role(reader: Reader) -> Role:
    preference = Preference(reader.word([p.value for p in Preference]))
    words = [w.value for w in Lowering]
    next_word = reader.peek_word()
    if next_word not in words:
        settings = KINDS["cluster"].settings
        if next_word is not None and next_word not in settings:
            fail(
                codes.UNKNOWN_WORD,
                f"`{next_word}` is neither a setting of `cluster` nor a way to lower a standby",
                reader.items[reader.at].span,
                did_you_mean(next_word, [*words, *settings]) or f"write `{reader.usage}`",
            )
        if preference is Preference.PRIMARY:
            return Role(preference=preference)
        return Role(preference=preference, lowering=Lowering.PREPEND, prepend=DEFAULT_PREPEND)
    lowering = Lowering(reader.word(words))
    if preference is Preference.PRIMARY:
        fail(
            codes.UNKNOWN_WORD,
            "a primary keeps its preference: only a standby lowers it",
            reader.last,
        )
    if lowering is Lowering.PREPEND:
        times = reader.number(0, MAX_PREPEND, "`prepend`")
        return Role(preference=preference, lowering=lowering, prepend=times)
    if lowering is Lowering.MED:
        return Role(
            preference=preference, lowering=lowering, med=reader.number(0, MAX_ASN, "`med`")
        )
    if lowering is Lowering.LOCAL_PREF:
        most = reader.number(0, MAX_ASN, "`local-pref`")
        return Role(preference=preference, lowering=lowering, local_pref=most)
    return Role(preference=preference, lowering=lowering, community=_community(reader))


def _community(reader: Reader) -> tuple[int, ...]:
    """`a:b` (RFC 1997) or `a:b:c` (RFC 8092), as its numbers."""
    text = reader.text('a community like "64512:80"')
    match = _COMMUNITY.fullmatch(text)
    if match is None:
        fail(
            codes.WRONG_TYPE,
            f"`{text}` is no community",
            reader.last,
            'write two numbers, as "64512:80", or three, as "64512:80:1"; a well-known one by its'
            ' numbers, as "65535:0" for GRACEFUL_SHUTDOWN',
        )
    parts = tuple(int(part) for part in match.groups() if part is not None)
    most = _MAX_PART if len(parts) == 2 else _MAX_LARGE_PART
    for part in parts:
        if part > most:
            kind = "community of two" if len(parts) == 2 else "large community"
            fail(
                codes.OUT_OF_RANGE,
                f"a number of a {kind} is 0 to {most}, not {part}",
                reader.last,
                'an AS of 32 bits needs three, as "4200000000:80:1"' if len(parts) == 2 else None,
            )
    if len(parts) == 2 and parts[0] == _WELL_KNOWN and parts != _GRACEFUL_SHUTDOWN:
        fail(
            codes.OUT_OF_RANGE,
            f"`{text}` is kept for well-known communities that do not lower preference",
            reader.last,
            'the one that does is "65535:0" (GRACEFUL_SHUTDOWN)',
        )
    return parts
