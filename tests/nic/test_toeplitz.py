"""Toeplitz agrees with what Microsoft published and with DPDK's own; RSS keys with their tables."""

from __future__ import annotations

import random
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tvsc.nic import ICMP, TCP, UDP, Packet, Spread
from tvsc.plan.rss import reta, rss_key, toeplitz

# "Verifying the RSS hash calculation": key; destination, source, hash with ports, without
KEY = bytes.fromhex(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa"
)
VECTORS = [
    ("161.142.100.80", 1766, "66.9.149.187", 2794, 0x51CCC178, 0x323E8FC2),
    ("65.69.140.83", 4739, "199.92.111.2", 14230, 0xC626B0EA, 0xD718262A),
    ("12.22.207.184", 38024, "24.19.198.95", 12898, 0x5C2B394A, 0xD2D0A5DE),
    ("209.142.163.6", 2217, "38.27.205.30", 48228, 0xAFC7327F, 0x82989176),
    ("202.188.127.2", 1303, "153.39.163.191", 44251, 0x10E828A2, 0x5D1809C5),
]


def packet(row: tuple[str, int, str, int, int, int], protocol: int = TCP) -> Packet:
    destination, port, source, source_port, _, _ = row
    return Packet(
        int(IPv4Address(source)), int(IPv4Address(destination)), protocol, source_port, port
    )


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: str(row[0]))
def test_published_vectors(row: tuple[str, int, str, int, int, int]) -> None:
    with_ports, without = row[4:]
    assert toeplitz(KEY, packet(row).rss_input) == with_ports
    assert toeplitz(KEY, packet(row, UDP).rss_input) == with_ports
    assert toeplitz(KEY, packet(row, ICMP).rss_input) == without
    fragment = Packet(packet(row).source, packet(row).destination, TCP, 1, 2, fragment=True)
    assert toeplitz(KEY, fragment.rss_input) == without


@pytest.fixture(scope="module")
def dpdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program around DPDK's rte_softrss."""
    program = tmp_path_factory.mktemp("softrss") / "softrss"
    command = ["pkg-config", "--cflags", "--libs", "libdpdk"]
    flags = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    source = Path(__file__).with_name("softrss.c")
    subprocess.run(["cc", "-O1", "-Wall", str(source), "-o", str(program), *flags], check=True)
    return program


def by_dpdk(dpdk: Path, pairs: list[tuple[bytes, bytes]]) -> list[int]:
    text = "".join(f"{key.hex()} {data.hex()}\n" for key, data in pairs)
    done = subprocess.run([str(dpdk)], input=text, check=True, capture_output=True, text=True)
    return [int(line, 16) for line in done.stdout.split()]


def test_dpdk_knows_the_published_vectors(dpdk: Path) -> None:
    pairs = [(KEY, packet(row).rss_input) for row in VECTORS]
    assert by_dpdk(dpdk, pairs) == [row[4] for row in VECTORS]


def test_dpdk_agrees(dpdk: Path) -> None:
    """Keys of both lengths, inputs with and without ports."""
    chance = random.Random(3)
    pairs = [
        (chance.randbytes(chance.choice([40, 52])), chance.randbytes(chance.choice([8, 12])))
        for _ in range(2000)
    ]
    pairs += [
        (rss_key("a seed", f"c{n}")[0][: 40 + 12 * (n % 2)], chance.randbytes(12))
        for n in range(100)
    ]
    assert by_dpdk(dpdk, pairs) == [toeplitz(key, data) for key, data in pairs]


def test_search_by_source_port_finds_what_the_hash_says() -> None:
    """The search uses that Toeplitz is linear; the hash itself does not."""
    spread = Spread(rss_key("a seed", "A")[0], reta(512, 7))
    like = Packet(0x0A000001, 0xCB00710A, TCP, 0, 443)
    for worker in range(7):
        found = spread.reaching(worker, like)
        astray = spread.reaching(worker, like, other=True)
        assert found is not None and spread.worker(found) == worker
        assert astray is not None and spread.worker(astray) != worker
    assert spread.reaching(7, like) is None


def test_tables_of_different_length_may_spread_alike() -> None:
    key = rss_key("a seed", "A")[0]
    assert Spread(key, reta(128, 4)).like(Spread(key, reta(512, 4)))
    assert not Spread(key, reta(128, 3)).like(Spread(key, reta(512, 3)))
    assert Spread(key, reta(512, 4)).period == 4
