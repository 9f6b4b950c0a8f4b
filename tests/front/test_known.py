"""Nouns that are put together without validation are what validation would have made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tvsc.lower import Reading, load_site
from tvsc.lower.build_service import build_service
from tvsc.lower.fields import Entry
from tvsc.lower.scope import Context
from tvsc.model import Service
from tvsc.model.base import Noun

HEAD = """language 1
site s { asn 64512  seed "x" }
defaults { service { timeouts { syn 3s } } }
pool p { server 10.9.0.1:80  server [2001:db8::1]:80 weight 2 }
"""

LOOPS = [
    'for i in 1..4 { service "s{i}" { vip 10.0.0.0 + i  listen tcp 80 -> p } }',
    'for i in 1..4 { service "s{i}" { vip 10.0.0.0 + i, 10.1.0.0 + i  listen udp 50 + i -> p } }',
    'for i in 1..4 { service "s{i}" { vip 2001:db8::0 + i  listen tcp 80 -> p  mode tunnel } }',
    'for i in 1..4 { service "s{i}" { vip 10.0.0.1  timeouts { udp 9s }  load { sessions 5 } } }',
    'for i in 1..4 { service "s{i}" { vip 10.0.0.1  sorry p  limits { deny 10.0.0.0/8 } } }',
]


def parts(noun: Noun) -> Iterator[Noun]:
    """A noun and all nouns in it."""
    yield noun
    for value in noun.__dict__.values():
        for member in value if isinstance(value, tuple) else (value,):
            if isinstance(member, Noun):
                yield from parts(member)


def services(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Service, ...]:
    """Those of a site without a cluster, which is an error."""
    made: list[Service] = []

    def kept(context: Context, entry: Entry) -> Service:
        made.append(build_service(context, entry))
        return made[-1]

    monkeypatch.setattr("tvsc.lower.build.build_service", kept)
    load_site(path, Reading.nothing_apart())
    return tuple(made)


@pytest.mark.parametrize("defaults", [True, False])
@pytest.mark.parametrize("loop", LOOPS)
def test_as_if_validated(
    loop: str, defaults: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "site.tvs"
    head = HEAD if defaults else "\n".join(r for r in HEAD.split("\n") if "defaults" not in r)
    path.write_text(head + loop + "\n")
    made = services(path, monkeypatch)
    assert len(made) == 4
    for part in (part for service in made for part in parts(service)):
        again = type(part)(**part.__dict__)
        assert again == part
        assert again.model_fields_set == part.model_fields_set
        assert hash(again) == hash(part)
        assert list(again.__dict__) == list(part.__dict__)
        assert again.at == part.at != ""
