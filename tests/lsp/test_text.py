"""Positions of the protocol, in every encoding, against a model that counts bytes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from tvsc.lsp.text import LineIndex, Shift, changed, clean
from tvsc.source import Span

ENCODINGS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
TEXT = st.text(st.sampled_from("ab #\n\r\té€😀𐍈\u2028\x0b\x0c\x85"), max_size=40)


def lines_of(text: str) -> list[str]:
    """The lines without their ends: only CR LF, LF and CR end one."""
    return re.split("\r\n|\r|\n", text)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=TEXT)
def test_every_place_and_back(encoding: str, text: str) -> None:
    index = LineIndex(text, encoding)
    codec, size = ENCODINGS[encoding]
    for number, line in enumerate(lines_of(text)):
        for column in range(len(line) + 1):
            units = len(line[:column].encode(codec)) // size
            position = types.Position(number, units)
            offset = index.offset(position)
            assert index.position(offset) == position
            assert text[:offset].endswith(line[:column])
            assert index.range(offset, offset) == types.Range(position, position)


@pytest.mark.parametrize(
    ("line", "character", "expected"),
    [(0, 99, 4), (1, 0, 5), (9, 9, 8), (2, 1, 8), (0, 2, 1), (0, 3, 2)],
)
def test_places_that_are_none(line: int, character: int, expected: int) -> None:
    """After a line's end is its end; the middle of a pair of surrogates is its start."""
    assert LineIndex("a😀bc\n12\n", "utf-16").offset(types.Position(line, character)) == expected


def test_lone_surrogates_become_characters() -> None:
    assert clean("a\ud83d b") == "a\N{REPLACEMENT CHARACTER} b"
    assert clean("é😀") == "é😀"
    change = types.TextDocumentContentChangeWholeDocument("\udc00")
    assert changed(LineIndex("", "utf-16"), change).text == "\N{REPLACEMENT CHARACTER}"


@given(text=TEXT, new=TEXT, data=st.data())
def test_incremental_change(text: str, new: str, data: st.DataObject) -> None:
    """A client counts in UTF-16; what it has after its edit is what the server has."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    index = LineIndex(text, "utf-16")
    if "\r\n" in (text[start - 1 : start + 1], text[end - 1 : end + 1]):
        return  # between CR and LF there is no position
    range_ = types.Range(index.position(start), index.position(end))
    after = changed(index, types.TextDocumentContentChangePartial(range_, new))
    assert after.text == text[:start] + new + text[end:]


ONE = st.text(st.sampled_from("ab\n"), max_size=12)
OTHER = st.text(st.sampled_from("xy"), max_size=6)
THIRD = st.text(st.sampled_from("vw"), max_size=6)


@given(head=ONE, old=OTHER, new=THIRD, tail=ONE)
def test_shift(head: str, old: str, new: str, tail: str) -> None:
    """What lies before and after a change is found again, to the character and back."""
    before, after = head + old + tail, head + new + tail
    shift = Shift(before, after)
    assert shift.same == (before == after)
    if shift.same:
        return
    outside = [*range(len(head)), *range(len(head) + len(old) + 1, len(before) + 1)]
    for offset in outside if old or new else ():
        now = shift.to_new(offset)
        assert now is not None
        assert shift.to_old(now) == offset
        assert before[offset:] == after[now:] or before[:offset] == after[:now]


@given(before=TEXT, after=TEXT)
def test_spans_that_are_found_are_the_same(before: str, after: str) -> None:
    shift = Shift(before, after)
    found = 0
    for start in range(len(before) + 1):
        for end in range(start, len(before) + 1):
            moved = shift.span_to_new(Span(0, start, end))
            if moved is not None:
                found += 1
                assert before[start:end] == after[moved.start : moved.end]
    assert found >= 1
