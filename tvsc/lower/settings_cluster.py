"""The vocabulary of `cluster` and the blocks inside it."""

from __future__ import annotations

import re

from tvsc.diag import codes
from tvsc.lower.evaluate import fail
from tvsc.lower.reader import Reader
from tvsc.lower.schema import (
    Setting,
    duration,
    kind,
    name_key,
    named,
    nothing,
    number,
    word,
    yes_or_no,
)
from tvsc.lower.settings_role import role
from tvsc.lower.settings_site import asn
from tvsc.model import Bfd, IdlePolicy, Steering, kernel_interface

MAX_WORKERS = 64
MAX_CORE = 1023
MAX_SOCKET = 7
MAX_SESSIONS = 64_000_000
MAX_LIPS_PER_WORKER = 1024
MIN_LINK_LENGTH = 8
MAX_INTERFACE_NAME = 15
_INTERFACE = re.compile(rf"[\w.-]{{1,{MAX_INTERFACE_NAME}}}", re.ASCII)
_VDEV = re.compile(r"net_[a-z][a-z0-9_]{,58}", re.ASCII)  # DPDK's limit is 63 characters
_TAKEN = re.compile(r"lo|tvs[0-7]")
CPUS = ("x86-64-v2", "x86-64-v3", "x86-64-v4")


def _sessions(reader: Reader) -> object:
    count = reader.number(1024, MAX_SESSIONS)
    reader.literal("per")
    reader.literal("worker")
    return count


def _long(reader: Reader) -> object:
    bits = reader.prefix_length(8, 32)
    reader.literal("per")
    reader.literal("node")
    return bits


def _lips(reader: Reader) -> object:
    count = reader.number(1, MAX_LIPS_PER_WORKER)
    reader.literal("each")
    return count


def _short(reader: Reader) -> object:
    prefix = reader.prefix()
    if prefix.version != 4:
        fail(codes.UNSUPPORTED, "IPv6 local IPs are not supported in this version", reader.last)
    return prefix


def _bfd(reader: Reader) -> object:
    interval = reader.duration(10, 60_000)
    reader.literal("x")
    return Bfd(interval_ms=interval, multiplier=reader.number(1, 255, "the multiplier of `bfd`"))


def _workers(reader: Reader) -> object:
    if reader.word(("cores", "shared")) == "shared":
        return ((), None)
    ranges = reader.ranges(0, MAX_CORE)
    if sum(len(r) for r in ranges) > MAX_CORE:
        fail(codes.OUT_OF_RANGE, f"`workers` has at most {MAX_CORE} cores", reader.last)
    cores = tuple(core for r in ranges for core in range(r.first, r.last + 1))
    socket = None
    if reader.optional("socket"):
        socket = reader.number(0, MAX_SOCKET, "`socket`")
        reader.mark("socket", reader.last)
    return (cores, socket)


def _control(reader: Reader) -> object:
    if reader.word(("core", "shared")) == "shared":
        return None
    return reader.number(0, MAX_CORE, "a core")


def _vdev(reader: Reader) -> object:
    args = reader.text('a DPDK device like "net_tap0,iface=fwd0"')
    if not _VDEV.fullmatch(args.partition(",")[0]) or any(c.isspace() for c in args):
        fail(
            codes.WRONG_TYPE,
            "`vdev` needs a DPDK device like `net_tap0`, and its arguments, without blanks",
            reader.last,
        )
    iface = kernel_interface(args)
    if iface is None:
        return args
    if not _INTERFACE.fullmatch(iface) or iface in (".", ".."):
        fail(
            codes.OUT_OF_RANGE,
            f"`{iface}` is no interface name: those have 1 to {MAX_INTERFACE_NAME} characters of"
            " letters, digits, `_`, `-` and `.`",
            reader.last,
        )
    if _TAKEN.fullmatch(iface):
        owner = "the kernel" if iface == "lo" else "the host, for what the kernel shall get"
        fail(codes.OUT_OF_RANGE, f"`{iface}` is an interface of {owner}", reader.last)
    return args


def _address(reader: Reader) -> object:
    interface = reader.interface4()
    length = interface.network.prefixlen
    if length < MIN_LINK_LENGTH:
        fail(
            codes.OUT_OF_RANGE,
            f"the length of a port's network is /{MIN_LINK_LENGTH} to /32, not /{length}",
            reader.last,
        )
    return interface


kind(
    "cluster",
    Setting(
        "role",
        "role primary | role standby [prepend N | med N | local-pref N | community TEXT]",
        "Whether the cluster keeps the default preference of its VIPs or lowers it, and how.",
        role,
        default="primary; a standby prepends its AS 3 times",
    ),
    Setting(
        "workers",
        "workers NUMBER",
        "Forwarding workers of each node; each has a receive queue of its own.",
        number(1, MAX_WORKERS),
        required=True,
    ),
    Setting(
        "steering",
        "steering fdir | rss-port | software",
        "How a reply finds the worker that owns its session: a flow rule of the NIC, a chosen"
        " port, or software.",
        word(*Steering),
        required=True,
    ),
    Setting(
        "sessions",
        "sessions NUMBER per worker",
        "Room in each worker's session table.",
        _sessions,
        required=True,
    ),
    Setting(
        "idle",
        "idle busy | interrupt",
        "What a worker without packets does: poll on, or sleep until there are some.",
        word(*IdlePolicy),
        default="busy",
    ),
    Setting(
        "cpu",
        "cpu x86-64-v2 | x86-64-v3 | x86-64-v4",
        "The instruction set that every node of the cluster has.",
        word(*CPUS),
        default="x86-64-v2",
    ),
    Setting(
        "failover",
        "failover DURATION",
        "How soon the switch shall notice a dead node; `bfd` and `hold` are held against it.",
        duration(10, 3_600_000),
        default="not checked",
    ),
    Setting(
        "local-ips",
        "local-ips { ... }",
        "The local IPs of the cluster.",
        nothing,
        required=True,
        block="local-ips",
        needs_block=True,
    ),
    Setting(
        "sync",
        "sync { ... }",
        "Session sync: the nodes tell each other of their sessions.",
        nothing,
        block="sync",
        needs_block=True,
    ),
    Setting(
        "fabric",
        "fabric ADDRESS { ... }",
        "A BGP neighbour of every node: the upstream switch.",
        lambda reader: reader.address(),
        required=True,
        block="fabric",
        needs_block=True,
        key=str,
        duplicate=codes.DUPLICATE_NAME,
    ),
    Setting(
        "node",
        "node NAME [like NAME] { ... }",
        "A machine. `like` may name a node of another cluster.",
        named("node"),
        required=True,
        block="node",
        needs_block=True,
        key=name_key,
        duplicate=codes.DUPLICATE_NAME,
    ),
)

kind(
    "local-ips",
    Setting(
        "short",
        "short PREFIX",
        "Holds all local IPs; announced by every node.",
        _short,
        required=True,
    ),
    Setting(
        "long",
        "long /LENGTH per node",
        "Length of the part of `short` that one node has and announces alone.",
        _long,
        required=True,
    ),
    Setting("workers", "workers NUMBER each", "Local IPs of each worker.", _lips, required=True),
)

kind(
    "sync",
    Setting(
        "port", "port NUMBER", "UDP port on which the nodes talk.", number(1, 65535), required=True
    ),
    Setting(
        "key",
        'key file "PATH" | key env "NAME"',
        "Where a node finds the key that all share: 32 hexadecimal digits.",
        lambda reader: reader.secret(),
        required=True,
    ),
)

kind(
    "fabric",
    Setting("asn", "asn NUMBER", "The neighbour's AS.", asn, required=True),
    Setting(
        "hold",
        "hold DURATION",
        "BGP hold time, in whole seconds.",
        duration(3000, 3_600_000, 1000),
        default="9s",
    ),
    Setting(
        "bfd",
        "bfd DURATION x NUMBER",
        "BFD: interval, and how many missed packets mean down.",
        _bfd,
        default="no BFD",
    ),
    Setting(
        "password",
        'password file "PATH" | password env "NAME"',
        "Where a node finds the TCP-MD5 password.",
        lambda reader: reader.secret(),
        default="none",
    ),
)

kind(
    "node",
    Setting(
        "router-id",
        "router-id ADDRESS",
        "BGP router id.",
        lambda reader: reader.ipv4(),
        required=True,
    ),
    Setting(
        "workers",
        "workers cores LIST [socket N] | workers shared",
        "One core for each worker, in order; or no cores of their own (a laptop).",
        _workers,
        required=True,
    ),
    Setting(
        "control",
        "control core N | control shared",
        "The core of the control thread (health checks, netlink, the control socket).",
        _control,
        default="shared",
    ),
    Setting(
        "port",
        "port NAME { ... }",
        "A dataplane port.",
        lambda reader: reader.name("the port's name"),
        required=True,
        block="port",
        needs_block=True,
        key=str,
        duplicate=codes.DUPLICATE_NAME,
    ),
)

kind(
    "port",
    Setting("pci", "pci ADDRESS", "A NIC by its PCI address.", lambda reader: reader.pci()),
    Setting("vdev", 'vdev "net_..."', "Any DPDK virtual device, with its arguments.", _vdev),
    Setting(
        "nic",
        "nic NAME",
        "The NIC profile.",
        lambda reader: reader.name("the name of a NIC profile"),
        required=True,
    ),
    Setting(
        "socket",
        "socket N",
        "The NUMA socket that the NIC is attached to.",
        number(0, MAX_SOCKET),
        default="that of the workers",
    ),
    Setting(
        "address",
        "address ADDRESS/LENGTH",
        "The port's own address, with the length of its network.",
        _address,
        required=True,
    ),
    Setting(
        "gateway",
        "gateway ADDRESS",
        "Where packets go that have no better route.",
        lambda reader: reader.ipv4(),
        required=True,
    ),
    Setting(
        "gateway-mac",
        "gateway-mac MAC",
        "The gateway's MAC address, when it is not to be asked for.",
        lambda reader: reader.mac(),
        default="asked for with ARP",
    ),
    Setting(
        "address6",
        "address6 ADDRESS/LENGTH",
        "The port's IPv6 address.",
        lambda reader: reader.interface6(),
        default="none",
    ),
    Setting(
        "gateway6",
        "gateway6 ADDRESS",
        "Where IPv6 packets go.",
        lambda reader: reader.ipv6(),
        default="none",
    ),
    Setting(
        "mtu",
        "mtu NUMBER",
        "In bytes, without the Ethernet header.",
        number(576, 9216),
        default="1500",
    ),
    Setting(
        "promiscuous",
        "promiscuous yes | no",
        "Take frames for other stations.",
        yes_or_no,
        default="no",
    ),
    Setting(
        "vlan",
        "vlan NUMBER",
        "The 802.1Q tag of all its frames, 1 to 4094; others are dropped.",
        number(1, 4094),
        default="untagged",
    ),
)
