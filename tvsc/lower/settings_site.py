"""The vocabulary of a file's top level, of `site`, `nic` and `defaults`."""

from __future__ import annotations

from tvsc.diag import codes
from tvsc.lower.evaluate import fail
from tvsc.lower.reader import Reader
from tvsc.lower.schema import Setting, kind, name_key, named, nothing, number, text, word
from tvsc.model import Driver

MAX_ASN = 2**32 - 1
RESERVED_ASNS = {23456: "RFC 6793", 65535: "RFC 7300", MAX_ASN: "RFC 7300"}


def _language(reader: Reader) -> object:
    return reader.number(1, 1_000_000)


def _site(reader: Reader) -> object:
    return reader.name("the site's name")


def asn(reader: Reader) -> object:
    """An AS number that a network can have."""
    value = reader.number(1, MAX_ASN)
    if value in RESERVED_ASNS:
        fail(
            codes.OUT_OF_RANGE,
            f"AS {value} is reserved ({RESERVED_ASNS[value]}): no router speaks for it",
            reader.last,
        )
    return value


def _packet_buffer(reader: Reader) -> object:
    return reader.memory(64 * 1024, 256 * 1024, "KiB")


kind(
    "file",
    Setting(
        "language",
        "language 1",
        "The version of the language; the first statement of a site.",
        _language,
    ),
    Setting(
        "site",
        "site NAME { ... }",
        "Facts about the whole site. Once.",
        _site,
        required=True,
        block="site",
        needs_block=True,
    ),
    Setting(
        "nic",
        "nic NAME [like NAME] { ... }",
        "A NIC profile: what the ports that name it can do.",
        named("NIC profile"),
        block="nic",
        needs_block=True,
        key=name_key,
        duplicate=codes.DUPLICATE_NAME,
    ),
    Setting(
        "cluster",
        "cluster NAME [like NAME] { ... }",
        "A cluster of nodes. `like` copies everything but the nodes.",
        named("cluster"),
        block="cluster",
        needs_block=True,
        key=name_key,
        duplicate=codes.DUPLICATE_NAME,
    ),
    Setting(
        "pool",
        "pool NAME [like NAME] { ... }",
        "Real servers that do the same.",
        named("pool"),
        block="pool",
        needs_block=True,
        key=name_key,
        duplicate=codes.DUPLICATE_NAME,
    ),
    Setting(
        "service",
        "service NAME [like NAME] { ... }",
        "VIPs, what they listen on, and how packets reach the pool.",
        named("service"),
        block="service",
        needs_block=True,
        key=name_key,
        duplicate=codes.DUPLICATE_NAME,
    ),
    Setting(
        "defaults",
        "defaults { ... }",
        "What every cluster, node, pool and service starts from. Once.",
        nothing,
        block="defaults",
        needs_block=True,
    ),
)

kind(
    "defaults",
    Setting(
        "cluster",
        "cluster { ... }",
        "Defaults of clusters.",
        nothing,
        block="cluster",
        needs_block=True,
    ),
    Setting("node", "node { ... }", "Defaults of nodes.", nothing, block="node", needs_block=True),
    Setting("pool", "pool { ... }", "Defaults of pools.", nothing, block="pool", needs_block=True),
    Setting(
        "service",
        "service { ... }",
        "Defaults of services.",
        nothing,
        block="service",
        needs_block=True,
    ),
)

kind(
    "site",
    Setting(
        "asn",
        "asn NUMBER",
        "The AS that the nodes speak BGP with.",
        asn,
        required=True,
    ),
    Setting(
        "seed",
        'seed "TEXT"',
        "Any text; the RSS key and other constants derive from it, the same on every machine.",
        text,
        required=True,
    ),
)

kind(
    "nic",
    Setting(
        "driver",
        "driver NAME",
        "The DPDK driver, whose limits the profile starts from.",
        word(*Driver),
        required=True,
    ),
    Setting(
        "queues",
        "queues NUMBER",
        "The most rx queues, where the device has fewer than the driver allows.",
        number(1, 1024),
        default="the driver's",
    ),
    Setting(
        "reta",
        "reta NUMBER",
        "Entries of the RSS redirection table, where the driver offers several sizes.",
        number(64, 4096),
        default="the driver's",
    ),
    Setting(
        "rules",
        "rules NUMBER",
        "The most flow rules, where the firmware has room for fewer than the driver allows.",
        number(1, 1_000_000),
        default="the driver's",
    ),
    Setting(
        "packet-buffer",
        "packet-buffer MEMORY",
        "`ixgbe` only: packet buffer given up for flow rules, 2048 for each 64KiB.",
        _packet_buffer,
        default="64KiB",
    ),
)
