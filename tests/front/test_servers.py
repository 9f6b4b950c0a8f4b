"""Servers by address, against looking at each of them."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from tvsc.model import Pool, Server
from tvsc.model.pool import OnDown, Schedule
from tvsc.model.servers import Servers

NUMBERS = st.integers(0, 40)
EDGES = (0, 2**32 - 1)


def _pool(addresses: list[str]) -> Pool:
    servers = (Server(address=ip_address(a), port=80, weight=1) for a in addresses)
    return Pool(
        name="p", schedule=Schedule.WRR, check=None, on_down=OnDown.RESET, servers=tuple(servers)
    )


@given(
    pools=st.lists(st.lists(NUMBERS | st.sampled_from(EDGES) | st.none(), max_size=6), max_size=4),
    ranges=st.lists(st.tuples(NUMBERS, NUMBERS).map(sorted).map(tuple), max_size=5),
)
def test_as_one_by_one(pools: list[list[int | None]], ranges: list[tuple[int, int]]) -> None:
    """None stands for an IPv6 server: no range has it, whatever its number."""
    made = tuple(
        _pool(["::7" if n is None else str(ip_address(n)) for n in numbers]) for numbers in pools
    )
    servers = Servers(made)
    every = [s for pool in made for s in pool.servers]
    assert list(servers.ipv6) == [s for s in every if s.address.version == 6]
    found = list(servers.within(ranges))
    wanted = [
        s
        for s in every
        if s.address.version == 4 and any(a <= int(s.address) <= b for a, b in ranges)
    ]
    assert list(map(id, found)) == list(map(id, wanted))
