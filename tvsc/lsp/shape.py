"""The shape of the client's messages: reads JSON values, says which are not as they must be.

The library takes any value where a text or a number is wanted (`null` for the file "None"). Here a
value that is of another kind is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cattrs import Converter, transform_error
from pygls.protocol import default_converter

_MOST = 3
"""Mistakes that are told of one message."""

_UNDERSCORE = re.compile(r"_([a-z])")


def strict_converter() -> Converter:
    """The library's, which takes a text for a text alone and a number for a number."""
    converter = default_converter()  # type: ignore[no-untyped-call]
    assert isinstance(converter, Converter)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _number)
    return converter


def _text(value: object, wanted: type[str]) -> str:
    if wanted is not str:
        return wanted(value)  # an enumeration is of this class, too
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return value


def _number(value: object, wanted: Callable[[object], int]) -> int:
    if wanted is not int:
        return wanted(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # JSON has one kind of numbers
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


def mistakes(error: BaseException | None) -> str:
    """What is wrong with a message, in one line: the places as the client spells them."""
    if not isinstance(error, ExceptionGroup):
        return str(error)
    found = [
        _UNDERSCORE.sub(lambda match: match[1].upper(), f"{where.removeprefix('$.')}: {what}")
        for what, _, where in (
            text.rpartition(" @ ") for text in transform_error(error, format_exception=_said)
        )
    ]
    more = "" if len(found) <= _MOST else f"; {len(found) - _MOST} more"
    return "; ".join(found[:_MOST]) + more


def _said(error: BaseException, _wanted: type | None) -> str:
    if isinstance(error, KeyError):
        return "is missing"
    return str(error) if isinstance(error, ValueError) else "has the wrong shape"
