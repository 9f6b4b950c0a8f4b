"""Where each part of the model was written: model path -> Span."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tvsc.source import Span

Later = Callable[[], Iterable[tuple[str, Span]]]


class Origins:
    """Maps a path such as `pool/web/server/10.20.1.1:8080/weight` to the smallest span that gave
    the value.

    A path that was not written (a default) has the span of its nearest written parent. Two tables
    always compare equal: a site is the same site wherever it was written.
    """

    __slots__ = ("_later", "_spans")

    def __init__(self) -> None:
        self._spans: dict[str, Span] = {}
        self._later: dict[str, Later] = {}

    def put(self, path: str, span: Span) -> None:
        """Record where `path` was written; the first writer wins."""
        self._spans.setdefault(path, span)

    def put_parts(self, path: str, span: Span, parts: dict[str, Span]) -> None:
        """As `put`, of a path and of what lies below it by the names of the parts."""
        spans = self._spans
        spans.setdefault(path, span)
        for part, its_span in parts.items():
            spans.setdefault(f"{path}/{part}", its_span)

    def put_later(self, noun: str, places: Later) -> None:
        """As `put`, for all that is below `noun`, two names like `pool/web`, or for its servers,
        `pool/web/server`: `places` are found out when one is asked for. A good site is rarely
        asked.
        """
        self._later.setdefault(noun, places)

    def _fetch(self, path: str) -> None:
        kind, name, *below = path.split("/", 3) if "/" in path else (path, "")
        self._take(f"{kind}/{name}")
        if below and below[0] == "server":
            self._take(f"{kind}/{name}/server")

    def _take(self, noun: str) -> None:
        places = self._later.pop(noun, None)
        for place, span in places() if places is not None else ():
            self._spans.setdefault(place, span)

    def items(self) -> Iterable[tuple[str, Span]]:
        """Every path that was written, with its span."""
        for noun in tuple(self._later):
            self._fetch(noun)
        return self._spans.items()

    def exact(self, path: str) -> Span | None:
        """The span of exactly this path: None when the value is a default."""
        if self._later:
            self._fetch(path)
        return self._spans.get(path)

    def span(self, path: str) -> Span | None:
        """The span of the path or of its nearest written parent."""
        if self._later:
            self._fetch(path)
        while path:
            found = self._spans.get(path)
            if found is not None:
                return found
            path = path.rpartition("/")[0]
        return self._spans.get("")

    def __len__(self) -> int:
        return sum(1 for _ in self.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origins)

    def __hash__(self) -> int:
        return 0
