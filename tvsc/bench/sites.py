"""Writes sites of any size: what a compiler that must stay pleasant at 10,000 services is fed with.

`write_site` writes a directory of `.tvs` (and `.csv`) files that pass `tvsc check`. Everything
follows from the numbers given, so that two machines measure the same text. The shape is that of a
large user: two clusters of four nodes, and per service a VIP, a listener and a pool of its own.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, Literal

Form = Literal["tvs", "csv", "variables"]

SERVICES_PER_FILE: Final = 500
MAX_SERVICES: Final = 16000
"""The dataplane has room for so many pools."""

MAX_SERVERS_PER_POOL: Final = 60

_UDP_EVERY = 10
_CHECK_EVERY = 8
_ROUND_ROBIN_EVERY = 5
_VIPS = IPv4Address("198.18.0.0")
_SERVERS = IPv4Address("10.0.0.0")
_SERVER_BLOCK = 64
_POOLS_PER_LIST = 2
_WEIGHTS = (100, 100, 50, 100, 80)

_SITE = """\
# {services} services of {servers} servers each, for measuring the compiler.

language 1

let fabric = 64500
let link   = 192.0.2.0/24
let loop   = 10.255.0.0/24
let lips   = 172.16.0.0/16

{lets}site bench {{
    asn  64512
    seed "bench"
}}

defaults {{
    node {{
        workers cores 2-9 socket 0
        control core 1
        port fwd {{
            pci     0000:3b:00.0
            nic     ixgbe
            socket  0
            gateway host(link, 1)
        }}
    }}
{defaults}    pool {{
        schedule wrr
        check http {{ path "/healthz"  every 2s  timeout 1s  rise 2  fall 3 }}
    }}
}}

cluster A {{
    role     primary
    workers  8
    steering fdir
    sessions 1M per worker

    local-ips {{
        short   subnet(lips, 21, 0)
        long    /24 per node
        workers 16 each
    }}

    fabric host(link, 1) {{
        asn  fabric
        hold 9s
        bfd  300ms x 3
    }}

    for n in 1..4 {{
        node "lb-a{{n}}" {{
            router-id host(loop, n)
            port fwd {{ address host(link, 10 + n)/24 }}
        }}
    }}
}}

cluster B like A {{
    role standby prepend 3
    local-ips {{ short subnet(lips, 21, 1) }}

    for n in 1..4 {{
        node "lb-b{{n}}" {{
            router-id host(loop, 100 + n)
            port fwd {{ address host(link, 20 + n)/24 }}
        }}
    }}
}}

include "services/*.tvs"
"""


_LETS = """\
let servers = 10.0.0.0/8
let shown   = 198.18.0.0/16
let backend = 8080
let full    = 100

"""
_SERVICE_DEFAULTS = """\
    service {
        timeouts { established 15m  fin 20s }
    }
"""


def _is_round_robin(index: int) -> bool:
    return index % _ROUND_ROBIN_EVERY == _ROUND_ROBIN_EVERY - 1


def _rows(index: int, servers: int, plain: bool) -> list[tuple[str, int, int]]:
    """(address, port, weight) of a pool's servers; `plain` are all of one weight."""
    first = _SERVERS + index * _SERVER_BLOCK
    weights = (1,) if plain else _WEIGHTS
    return [
        (str(first + number + 1), 8080, weights[number % len(weights)]) for number in range(servers)
    ]


def _write_list(directory: Path, index: int, servers: int) -> str:
    """The name of a pool's list of servers, written now. Two pools have one list: a site may have
    10,000 files.
    """
    first = index - index % _POOLS_PER_LIST
    plain = any(_is_round_robin(first + number) for number in range(_POOLS_PER_LIST))
    rows = _rows(first, servers, plain)
    name = f"p{first:05}.csv"
    text = "".join(f"{address},{port},{weight}\n" for address, port, weight in rows)
    (directory / name).write_text(text, encoding="utf-8")
    return name


def _write_pool(directory: Path, index: int, servers: int, form: Form) -> list[str]:
    """The lines of a pool; in the form `csv` its servers go to a file of their own."""
    lines = [f"pool p{index:05} {{"]
    round_robin, own_check = _is_round_robin(index), index % _CHECK_EVERY == _CHECK_EVERY - 1
    if round_robin:
        lines.append("    schedule rr")
    if own_check:
        lines.append(f'    check http {{ path "/healthz/{index}"  every 5s }}')
    column = len("schedule") if round_robin and not own_check else 0  # as `tvsc fmt` aligns
    if form == "csv":
        name = _write_list(directory, index, servers)
        lines.append(f'    {"servers":{column}} from "{name}"')
    else:
        server = f"{'server':{column}}"
        rows = _rows(index, servers, round_robin)
        if form == "variables":
            lines += [f"    {server} {_by_variables(a, w)}" for a, _, w in rows]
        else:
            lines += [f"    {server} {address}:{port} weight {w}" for address, port, w in rows]
    return [*lines, "}"]


def _by_variables(address: str, weight: int) -> str:
    """A server whose network, port and usual weight are variables of the site."""
    number = int(IPv4Address(address)) - int(_SERVERS)
    return f"host(servers, {number}):backend weight {'full' if weight == 100 else weight}"


def _service(index: int, form: Form) -> str:
    udp = index % _UDP_EVERY == _UDP_EVERY - 1
    listen = "udp 53" if udp else "tcp 80"
    vip = f"host(shown, {index + 1})" if form == "variables" else f"{_VIPS + index + 1}"
    return f"service s{index:05} {{ vip {vip}  listen {listen} -> p{index:05} }}"


def write_site(
    directory: Path, services: int, servers_per_pool: int = 10, form: Form = "tvs"
) -> Path:
    """Writes a site of `services` services below `directory` and returns its main file.

    `form` says where the servers are: `tvs` as statements (about 13 lines a service), `csv` in one
    list per two pools, `variables` as statements in which variables of the site decide (and with
    defaults of services). Files that a larger site left there are removed. ValueError beyond the
    limits.
    """
    if not 1 <= services <= MAX_SERVICES or not 1 <= servers_per_pool <= MAX_SERVERS_PER_POOL:
        raise ValueError(
            f"1 to {MAX_SERVICES} services of 1 to {MAX_SERVERS_PER_POOL} servers can be written"
        )
    parts = directory / "services"
    parts.mkdir(parents=True, exist_ok=True)
    for old in (*parts.glob("*.tvs"), *parts.glob("*.csv")):
        old.unlink()
    for first in range(0, services, SERVICES_PER_FILE):
        lines: list[str] = []
        for index in range(first, min(first + SERVICES_PER_FILE, services)):
            lines += [*_write_pool(parts, index, servers_per_pool, form), _service(index, form)]
        part = parts / f"{first // SERVICES_PER_FILE:03}.tvs"
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    site = directory / "site.tvs"
    shared = form == "variables"
    text = _SITE.format(
        services=services,
        servers=servers_per_pool,
        lets=_LETS if shared else "",
        defaults=_SERVICE_DEFAULTS if shared else "",
    )
    site.write_text(text, encoding="utf-8")
    return site
