"""docs/python.md says everything that the classes have, and they have all of the language."""

import os
import re
from pathlib import Path

import pytest

import tvsc
from tvsc.diag import Diagnostic, render_text
from tvsc.dsl import Loader, parse
from tvsc.lower import load_site, resolve
from tvsc.lower.schema import KINDS
from tvsc.model import Site
from tvsc.site import parts
from tvsc.site.load import parse_python
from tvsc.site.parts import Form, Part
from tvsc.source import SourceMap

DOCUMENT = Path(__file__).parents[2] / "docs" / "python.md"
CLASSES = sorted(Part.__subclasses__(), key=lambda c: c.__name__)


def table() -> str:
    rows = ["| class | fields |", "|---|---|"]
    for cls in CLASSES:
        fields = ", ".join(f"`{name}`" for name in cls.model_fields)
        rows.append(f"| `{cls.__name__}` | {fields} |")
    return "\n" + "\n".join(rows) + "\n\n"


def test_table_is_current() -> None:
    text = DOCUMENT.read_text()
    head, rest = text.split("<!-- table: classes -->\n")
    filled = f"{head}<!-- table: classes -->\n{table()}{rest[rest.index('<!-- end -->') :]}"
    if os.environ.get("TVSC_UPDATE"):
        DOCUMENT.write_text(filled)
        text = filled
    assert text == filled


def test_every_class_is_public() -> None:
    for cls in CLASSES:
        assert getattr(tvsc, cls.__name__) is cls
        assert cls.__doc__
    assert set(tvsc.__all__) == {c.__name__ for c in CLASSES} | {"host", "subnet"}
    with pytest.raises(AttributeError):
        tvsc.nothing  # noqa: B018


def keywords(cls: type[Part]) -> set[str]:
    found = set()
    for name, field in cls.model_fields.items():
        form = next((m for m in field.metadata if isinstance(m, Form)), None)
        if form is not None and form.kind != "name":
            found.add(form.keyword or name.replace("_", "-"))
    return found


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"file"}))
def test_every_setting_has_a_field(kind: str) -> None:
    cls = next(c for c in CLASSES if c.kind == kind)
    assert keywords(cls) == set(KINDS[kind].settings)


def test_every_block_of_a_file_has_a_field() -> None:
    single = {name.rstrip("s") if name != "defaults" else name for name in parts.Site.model_fields}
    assert set(KINDS["file"].settings) - {"language", "site"} <= single


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


def test_small_site(tmp_path: Path) -> None:
    (tmp_path / "site.py").write_text(examples()[0])
    site, diagnostics, sources = load_site(tmp_path / "site.py")
    assert site is not None, render_text(diagnostics, sources)
    assert diagnostics == []


def test_message(tmp_path: Path) -> None:
    shown = re.search(
        r"^error\[TVS0109\].*?(?=^```)", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE
    )
    assert shown is not None
    text = "from tvsc import Pool, Site\n" + "\n" * 10
    text += 'pool = Pool(name="web", schedule="rrr")\n'
    text += 'site = Site(name="shop", asn=64512, seed="shop-2026", pools=[pool])\n'
    (tmp_path / "site.py").write_text(text)
    _, diagnostics, sources = load_site(tmp_path / "site.py")
    assert render_text(diagnostics, sources).replace(f"{tmp_path}/", "") == shown[0]


# Every form that a value has in the table of the document, in one site that is held against text.
TEXT = """language 1
site s { asn 1  seed "s" }
nic mine { driver ixgbe  packet-buffer 64KiB  queues 8 }
cluster A {
    role primary
    workers 2
    steering fdir
    sessions 16k per worker
    sync { port 7000  key file "sync.key" }
    local-ips { short 172.16.0.0/22  long /24 per node  workers 4 each }
    fabric 192.0.2.1 { asn 64500  hold 9s  password env "BGP" }
    node n1 {
        router-id 10.255.0.1
        workers cores 2-3 socket 0
        control core 1
        port fwd {
            pci 3b:00.0
            nic mine
            address 192.0.2.11/24
            gateway 192.0.2.1
            gateway-mac 02:00:00:00:00:01
            promiscuous yes
            vlan 7
        }
    }
}
pool web {
    check http { expect 200..299, 404  host "a.example" }
    server 10.20.1.1:80 weight 2 drain
    servers from "more.csv"
}
pool sorry { server 10.20.1.9:80 }
service web {
    vip 203.0.113.10, 2001:db8::10
    listen tcp 80 -> web
    mode tunnel
    client-address proxy-v2
    limits { connections 2M  new-per-source 200/s  allow 10.0.0.0/8  deny from "no.txt" }
    load { sessions 100  new 10/s }
    min-up 1
    sorry sorry
}
"""
PYTHON = """
from datetime import timedelta
from ipaddress import *
from tvsc import *
port = Port(name="fwd", pci="3b:00.0", address=IPv4Interface("192.0.2.11/24"), vlan=7,
    gateway="192.0.2.1", gateway_mac="02:00:00:00:00:01", promiscuous=True)
mine = Nic(name="mine", driver="ixgbe", packet_buffer="64KiB", queues=8)
port.nic = mine
sorry = Pool(name="sorry", servers=["10.20.1.9:80"])
site = Site(name="s", asn=1, seed="s", nics=[mine],
  clusters=[Cluster(name="A", role="primary", workers=2, steering="fdir", sessions=16_000,
    sync=Sync(port=7000, key=Secret(file="sync.key")),
    local_ips=LocalIps(short=IPv4Network("172.16.0.0/22"), long=24, workers=4),
    fabric=[Fabric(address="192.0.2.1", asn=64500, hold=timedelta(seconds=9),
        password=Secret(env="BGP"))],
    nodes=[Node(name="n1", router_id="10.255.0.1", workers="cores 2-3 socket 0",
        control="core 1", ports=[port])])],
  pools=[
    Pool(name="web", check=Check(type="http", expect=["200..299", 404], host="a.example"),
        servers=[Server(address="10.20.1.1", port=80, weight=2, drain=True)],
        servers_from="more.csv"), sorry],
  services=[Service(name="web", vip=["203.0.113.10", IPv6Address("2001:db8::10")],
    listen="tcp 80 -> web", mode="tunnel", client_address="proxy-v2",
    limits=Limits(connections="2M", new_per_source="200/s", allow="10.0.0.0/8", deny_from="no.txt"),
    load=Load(sessions=100, new="10/s"), min_up=1, sorry=sorry)])
"""


def test_every_form(tmp_path: Path) -> None:
    """The sites are resolved alike, and alike is said what this version cannot do of them."""
    (tmp_path / "more.csv").write_text("10.20.1.2,80,3\n")
    (tmp_path / "no.txt").write_text("10.9.0.0/16\n")
    models: list[Site | None] = []
    messages = []
    for name, text, read in (("site.tvs", TEXT, parse), ("site.py", PYTHON, parse_python)):
        path, sources, found = tmp_path / name, SourceMap(), list[Diagnostic]()
        path.write_text(text)
        program = read(path, sources, found.append)
        assert program is not None
        models.append(resolve(program, Loader(path, sources, found.append), found))
        assert found == []
        messages.append(sorted((d.code.id, d.message) for d in load_site(path)[1]))
    assert models[0] is not None
    assert models[0] == models[1]
    assert messages[0] == messages[1]
    assert {code for code, _ in messages[0]} == {"TVS0705", "TVS0708", "TVS0901"}
