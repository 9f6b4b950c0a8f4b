"""The public classes of a Python site: one for each kind of block of the language.

A field is the setting of the same name, with `_` for `-`; docs/language.md has what each means, its
limits and its default. A field that is None is not given. Values are written as in the language
("300ms", "10.20.0.0/16", "1M") or as plain Python: numbers, the types of `ipaddress`, `timedelta`.
Nothing is checked here but that parts hold parts of the right kind; the compiler checks values, as
those of any other site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_network,
)
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SkipValidation

from tvsc.site.place import Place, here


@dataclass(frozen=True, slots=True)
class Form:
    """How a field is written in the language.

    `kind` is one of: `value` (an expression), `text` (quoted), `word` (bare), `phrase` (several
    items), `name` (belongs to the header), `block`. `before` and `after` are the bare words
    around it; `keyword` is the setting, when it is not the field's name; `each` says that every
    member of a list is a setting of its own.
    """

    kind: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    keyword: str | None = None
    each: bool = False


Address = str | IPv4Address | IPv6Address
Prefix = str | IPv4Network | IPv6Network | IPv4Address | IPv6Address
Interface = str | IPv4Interface | IPv6Interface
Duration = str | timedelta

_Number = Annotated[SkipValidation[int | str | None], Form("value")]
_Address = Annotated[SkipValidation[Address | None], Form("value")]
_Interface = Annotated[SkipValidation[Interface | None], Form("value")]
_Duration = Annotated[SkipValidation[Duration | None], Form("value")]
_Value = Annotated[SkipValidation[str | None], Form("value")]
_Text = Annotated[SkipValidation[str | None], Form("text")]
_Word = Annotated[SkipValidation[str | None], Form("word")]
_Files = SkipValidation[str | Sequence[str] | None]
_Phrase = Annotated[SkipValidation[str | None], Form("phrase")]
_Name = Annotated[SkipValidation[str | None], Form("name")]


class Part(BaseModel):
    """What all parts of a site have: they know where they were built."""

    model_config = ConfigDict(extra="allow", strict=True, validate_assignment=True)
    kind: ClassVar[str]
    _place: Place | None = PrivateAttr(default=None)

    def model_post_init(self, _context: Any, /) -> None:  # noqa: ANN401 - as pydantic has it
        """Called by pydantic at the end of the constructor."""
        self._place = here()

    @property
    def place(self) -> Place | None:
        """Where the part was built."""
        return self._place


class Secret(Part):
    """Where a node finds a secret: `Secret(file="PATH")` or `Secret(env="NAME")`."""

    kind = "secret"
    file: _Text = None
    env: _Text = None


class Nic(Part):
    """A NIC profile."""

    kind = "nic"
    name: _Name = None
    like: _Name = None
    driver: _Word = None
    queues: _Number = None
    reta: _Number = None
    rules: _Number = None
    packet_buffer: _Number = None


class Port(Part):
    """A dataplane port of a node."""

    kind = "port"
    name: _Name = None
    pci: _Value = None
    vdev: _Text = None
    nic: Annotated[SkipValidation[str | Nic | None], Form("text")] = None
    socket: _Number = None
    address: _Interface = None
    gateway: _Address = None
    gateway_mac: _Value = None
    address6: _Interface = None
    gateway6: _Address = None
    mtu: _Number = None
    promiscuous: Annotated[SkipValidation[bool | None], Form("word")] = None
    vlan: _Number = None


class Node(Part):
    """A machine. `workers` is "shared" or "cores 2-9 socket 0", `control` "shared" or "core 1"."""

    kind = "node"
    name: _Name = None
    like: _Name = None
    router_id: _Address = None
    workers: _Phrase = None
    control: _Phrase = None
    ports: Annotated[Sequence[Port], Form("block", keyword="port", each=True)] = Field(
        default_factory=list
    )


class LocalIps(Part):
    """The local IPs of a cluster; `long` is the length of a node's part, `workers` for each."""

    kind = "local-ips"
    short: Annotated[SkipValidation[Prefix | None], Form("value")] = None
    long: Annotated[SkipValidation[int | str | None], Form("value", after=("per", "node"))] = None
    workers: Annotated[SkipValidation[int | str | None], Form("value", after=("each",))] = None


class Sync(Part):
    """Session sync between the nodes of a cluster."""

    kind = "sync"
    port: _Number = None
    key: Annotated[Secret | None, Form("phrase")] = None


class Fabric(Part):
    """A BGP neighbour of every node: the upstream switch. `bfd` is like "300ms x 3"."""

    kind = "fabric"
    address: Annotated[SkipValidation[Address | None], Form("name")] = None
    asn: _Number = None
    hold: _Duration = None
    bfd: _Phrase = None
    password: Annotated[Secret | None, Form("phrase")] = None


class Cluster(Part):
    """A cluster of nodes. `role` is "primary", "standby" or like "standby prepend 3"."""

    kind = "cluster"
    name: _Name = None
    like: _Name = None
    role: _Phrase = None
    workers: _Number = None
    steering: _Word = None
    sessions: Annotated[
        SkipValidation[int | str | None], Form("value", after=("per", "worker"))
    ] = None
    idle: _Word = None
    cpu: _Word = None
    failover: _Duration = None
    local_ips: Annotated[LocalIps | None, Form("block")] = None
    sync: Annotated[Sync | None, Form("block")] = None
    fabric: Annotated[Fabric | Sequence[Fabric] | None, Form("block", each=True)] = None
    nodes: Annotated[Sequence[Node], Form("block", keyword="node", each=True)] = Field(
        default_factory=list
    )


class Server(Part):
    """A real server: `Server(address="10.20.1.1:8080")`, or address and port apart."""

    kind = "server"
    address: SkipValidation[Address | None] = None
    port: SkipValidation[int | None] = None
    weight: SkipValidation[int | str | None] = None
    drain: bool = False


class Check(Part):
    """A health check; `type` is "http", "tcp" or "none"."""

    kind = "check"
    type: Annotated[SkipValidation[str | None], Form("name")] = None
    path: _Text = None
    expect: Annotated[SkipValidation[int | str | Sequence[int | str] | None], Form("value")] = None
    host: _Text = None
    port: _Number = None
    every: _Duration = None
    timeout: _Duration = None
    rise: _Number = None
    fall: _Number = None


class Pool(Part):
    """Real servers that do the same. `servers_from` names CSV files."""

    kind = "pool"
    name: _Name = None
    like: _Name = None
    schedule: _Word = None
    check: Annotated[Check | None, Form("block")] = None
    on_down: _Word = None
    servers: Annotated[Sequence[Server | str], Form("value", keyword="server", each=True)] = Field(
        default_factory=list
    )
    servers_from: Annotated[
        _Files, Form("text", keyword="servers", before=("from",), each=True)
    ] = None


class Listen(Part):
    """What the VIPs of a service listen on, and the pool that serves it."""

    kind = "listen"
    protocol: SkipValidation[str | None] = None
    port: SkipValidation[int | str | None] = None
    pool: SkipValidation[str | Pool | None] = None


class Timeouts(Part):
    """How long a session may be idle."""

    kind = "timeouts"
    syn: _Duration = None
    established: _Duration = None
    fin: _Duration = None
    close: _Duration = None
    udp: _Duration = None


class Limits(Part):
    """Protections of a service. `deny` wins over `allow`."""

    kind = "limits"
    connections: _Number = None
    new_per_source: _Value = None
    allow: Annotated[SkipValidation[Prefix | Sequence[Prefix] | None], Form("value")] = None
    allow_from: Annotated[_Files, Form("text", keyword="allow", before=("from",), each=True)] = None
    deny: Annotated[SkipValidation[Prefix | Sequence[Prefix] | None], Form("value")] = None
    deny_from: Annotated[_Files, Form("text", keyword="deny", before=("from",), each=True)] = None


class Load(Part):
    """What a service must be able to carry."""

    kind = "load"
    sessions: _Number = None
    new: _Value = None


class Service(Part):
    """VIPs, what they listen on, and how packets reach the pool. `listen` has `Listen`s, or texts
    like "tcp 80 -> web".
    """

    kind = "service"
    name: _Name = None
    like: _Name = None
    vip: Annotated[SkipValidation[Address | Sequence[Address] | None], Form("value")] = None
    listen: Annotated[str | Listen | Sequence[str | Listen] | None, Form("phrase", each=True)] = (
        None
    )
    mode: _Word = None
    client_address: _Word = None
    timeouts: Annotated[Timeouts | None, Form("block")] = None
    limits: Annotated[Limits | None, Form("block")] = None
    load: Annotated[Load | None, Form("block")] = None
    min_up: _Number = None
    sorry: Annotated[SkipValidation[str | Pool | None], Form("text")] = None


class Defaults(Part):
    """What every cluster, node, pool and service starts from; these have no name."""

    kind = "defaults"
    cluster: Annotated[Cluster | None, Form("block")] = None
    node: Annotated[Node | None, Form("block")] = None
    pool: Annotated[Pool | None, Form("block")] = None
    service: Annotated[Service | None, Form("block")] = None


class Site(Part):
    """The whole site; a Python site file leaves one in its variable `site`."""

    kind = "site"
    name: _Name = None
    asn: _Number = None
    seed: _Text = None
    nics: Sequence[Nic] = Field(default_factory=list)
    defaults: Defaults | None = None
    clusters: Sequence[Cluster] = Field(default_factory=list)
    pools: Sequence[Pool] = Field(default_factory=list)
    services: Sequence[Service] = Field(default_factory=list)


def _whole(number: object) -> int:
    if not isinstance(number, int):
        raise TypeError(f"expected a whole number, not a value of type `{type(number).__name__}`")
    return number


def host(prefix: str | IPv4Network | IPv6Network, n: int) -> IPv4Address | IPv6Address:
    """The n-th address of a prefix, counted from its network address."""
    network, n = ip_network(prefix), _whole(n)
    if not 0 <= n < network.num_addresses:
        raise ValueError(f"{network} has no address number {n}")
    return network[n]


def subnet(prefix: str | IPv4Network | IPv6Network, length: int, i: int) -> Prefix:
    """The i-th (from 0) prefix of this length inside a prefix."""
    network, length, i = ip_network(prefix), _whole(length), _whole(i)
    if not network.prefixlen <= length <= network.max_prefixlen:
        raise ValueError(f"{network} holds no prefix of length {length}")
    if not 0 <= i < 1 << (length - network.prefixlen):
        raise ValueError(f"{network} has no prefix number {i} of length {length}")
    start = int(network.network_address) + (i << (network.max_prefixlen - length))
    if network.version == 4:
        return IPv4Network((start, length))
    return IPv6Network((start, length))
