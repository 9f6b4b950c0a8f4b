"""The vocabulary as markdown: reads the tables of settings, writes the tables of docs/language.md.

A test keeps the document equal to this; `TVSC_UPDATE=1` rewrites it.
"""

from __future__ import annotations

import re

from tvsc.dsl import limits
from tvsc.lower.decode import VOCABULARY
from tvsc.lower.evaluate import FUNCTIONS
from tvsc.lower.nics import FACTS
from tvsc.lower.schema import KINDS, Setting
from tvsc.model import RuleMasks

_MASKS = {
    RuleMasks.FULL: "full masks only",
    RuleMasks.ONE_SHAPE: "any mask, one for all rules",
    RuleMasks.ANY: "any mask",
}


def settings_table(kind: str) -> str:
    """The settings of one kind of block."""
    assert VOCABULARY
    rows = ["| setting | meaning | default |", "|---|---|---|"]
    rows += [
        f"| {_code(setting.usage)} | {setting.doc} | {_default(setting)} |"
        for setting in KINDS[kind].settings.values()
    ]
    return "\n".join(rows)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    return (setting.default or "").replace("|", "\\|")


def functions_table() -> str:
    """The functions."""
    rows = ["| function | result |", "|---|---|"]
    rows += [f"| {_code(usage)} | {doc} |" for usage, doc in FUNCTIONS.values()]
    return "\n".join(rows)


def drivers_table() -> str:
    """The drivers and what they can do."""
    rows = ["| driver | queues | RSS key | table | flow rules |", "|---|---|---|---|---|"]
    for driver, (queues, key_bytes, reta, rules) in FACTS.items():
        flow = "none"
        if rules is not None:
            room = "no known limit" if rules.max_rules is None else f"{rules.max_rules}"
            flow = f"{room}, {_MASKS[rules.masks]}"
        key = f"{key_bytes} bytes" if key_bytes else "fixed"
        rows.append(f"| `{driver}` | {queues} | {key} | {reta or '-'} | {flow} |")
    return "\n".join(rows)


def limits_table() -> str:
    """What bounds the work that a site can ask for."""
    rows = ["| at most | of |", "|---|---|"]
    for name, meaning in limits.MEANINGS.items():
        most = int(getattr(limits, name))
        number = f"{most >> 20} MiB" if meaning.startswith("bytes") else f"{most:,}"
        rows.append(f"| {number} | {meaning} |")
    return "\n".join(rows)


_MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(document: str) -> str:
    """The document with every `<!-- table: NAME -->` filled in."""
    made = {"functions": functions_table, "drivers": drivers_table, "bounds": limits_table}

    def fill(match: re.Match[str]) -> str:
        name = match[2]
        table = made[name]() if name in made else settings_table(name)
        return f"{match[1]}\n{table}\n\n{match[3]}"

    return _MARKED.sub(fill, document)


def tables_in(document: str) -> set[str]:
    """The names of the tables that a document has."""
    return {match[2] for match in _MARKED.finditer(document)}
