"""Where each part of the model was written: model path -> Span."""

from __future__ import annotations

from tvsc.source import Span


class Origins:
    """Maps a path such as `pool/web/server/10.20.1.1:8080/weight` to the smallest span that gave
    the value.

    A path that was not written (a default) has the span of its nearest written parent. Two tables
    always compare equal: a site is the same site wherever it was written.
    """

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        self._spans: dict[str, Span] = {}

    def put(self, path: str, span: Span) -> None:
        """Record where `path` was written; the first writer wins."""
        self._spans.setdefault(path, span)

    def exact(self, path: str) -> Span | None:
        """The span of exactly this path: None when the value is a default."""
        return self._spans.get(path)

    def span(self, path: str) -> Span | None:
        """The span of the path or of its nearest written parent."""
        while path:
            found = self._spans.get(path)
            if found is not None:
                return found
            path = path.rpartition("/")[0]
        return self._spans.get("")

    def __len__(self) -> int:
        return len(self._spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origins)

    def __hash__(self) -> int:
        return 0
