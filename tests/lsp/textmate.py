"""A small reader of TextMate grammars: `match`, `begin` and `end`, captures, one repository.

Regular expressions are those of oniguruma, the engine of the editors that read such grammars.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import onigurumacffi


@dataclass
class Rule:
    """One rule, compiled."""

    name: str = ""
    match: object = None
    end: object = None
    captures: dict[int, str] = field(default_factory=dict)
    inside: list["Rule"] = field(default_factory=list)


class Grammar:
    """A grammar that gives each character of a text its innermost scope."""

    def __init__(self, text: str) -> None:
        document = json.loads(text)
        self.scope: str = document["scopeName"]
        self.repository = document["repository"]
        self.rules = self._rules(document["patterns"])

    def _rules(self, patterns: list[dict[str, object]]) -> list[Rule]:
        found = []
        for pattern in patterns:
            if "include" in pattern:
                name = str(pattern["include"])
                assert name.startswith("#")
                found += self._rules([self.repository[name[1:]]])
            elif "match" in pattern or "begin" in pattern:
                found.append(self._rule(pattern))
            else:
                inner = pattern["patterns"]
                assert isinstance(inner, list)
                found += self._rules(inner)
        return found

    def _rule(self, pattern: dict[str, object]) -> Rule:
        known = {"name", "match", "begin", "end", "captures", "patterns"}
        assert set(pattern) <= known, pattern
        captures = pattern.get("captures", {})
        inner = pattern.get("patterns", [])
        assert isinstance(captures, dict) and isinstance(inner, list)
        end = pattern.get("end")
        return Rule(
            str(pattern.get("name", "")),
            onigurumacffi.compile(str(pattern.get("match") or pattern["begin"])),
            None if end is None else onigurumacffi.compile(str(end)),
            {int(number): value["name"] for number, value in captures.items()},
            self._rules(inner),
        )

    def scopes(self, text: str) -> list[str]:
        """The innermost scope of each character."""
        found: list[str] = []
        open_: list[Rule] = []
        for line in text.splitlines(keepends=True):
            scopes = [self.scope] * len(line)
            for start, end, scope in self._line(line, open_):
                scopes[start:end] = [scope] * (end - start)
            found += scopes
        assert not open_
        return found

    def _line(self, line: str, open_: list[Rule]) -> Iterator[tuple[int, int, str]]:
        at = 0
        while at <= len(line):
            around = open_[-1] if open_ else None
            rules = self.rules if around is None else around.inside
            matches = [(rule, rule.match.search(line, at)) for rule in rules]  # type: ignore[attr-defined]
            ended = None if around is None else around.end.search(line, at)  # type: ignore[attr-defined]
            best = min(
                ((rule, m) for rule, m in matches if m is not None and m.end() > m.start()),
                key=lambda pair: pair[1].start(),
                default=None,
            )
            if around is not None:
                stop = len(line) if ended is None else ended.start()
                if ended is not None and (best is None or ended.start() <= best[1].start()):
                    yield at, ended.end(), around.name
                    open_.pop()
                    at = max(ended.end(), at)
                    continue
                yield at, stop if best is None else best[1].start(), around.name
            if best is None:
                return
            rule, match = best
            if rule.name:
                yield match.start(), match.end(), rule.name
            for number, name in rule.captures.items():
                if match.start(number) >= 0:
                    yield match.start(number), match.end(number), name
            if rule.end is not None:
                open_.append(rule)
            at = match.end()
