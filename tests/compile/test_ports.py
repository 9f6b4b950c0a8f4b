"""A node with several NIC ports: each is planned and rendered, and neighbours find theirs."""

from pathlib import Path

from tvsc.codegen import render_node
from tvsc.lower import load_site
from tvsc.plan import NodePlan, PlanOptions, plan_site

SITE = """language 1
site s { asn 64512  seed "s" }
cluster A {
    workers  2
    steering fdir
    sessions 16k per worker
    local-ips { short 172.16.0.0/22  long /24 per node  workers 4 each }
    fabric 192.0.2.1 { asn 64500 }
    fabric 198.51.100.1 { asn 64501 }
    for n in 1..2 {
        node "a{n}" {
            router-id host(10.255.0.0/24, n)
            workers   cores 2-3 socket 0
            control   core 1
            port fwd {
                pci 0000:3b:00.0  nic ixgbe
                address host(192.0.2.0/24, 10 + n)/24  gateway 192.0.2.1
            }
            port back {
                pci 0000:3b:00.1  nic ixgbe  mtu 9000
                address host(198.51.100.0/24, 10 + n)/24  gateway 198.51.100.1
            }
        }
    }
}
pool web { server 10.20.1.1:80  server 10.20.1.2:80 }
service web { vip 203.0.113.10  listen tcp 80 -> web }
"""


def plans(directory: Path, text: str = SITE) -> tuple[NodePlan, ...]:
    (directory / "site.tvs").write_text(text)
    site, diagnostics, sources = load_site(directory / "site.tvs")
    assert diagnostics == []
    assert site is not None
    return plan_site(site, sources, PlanOptions(base="same"), None).nodes


def test_two_ports(tmp_path: Path) -> None:
    for n, plan in enumerate(plans(tmp_path), 1):
        assert [str(port.address) for port in plan.ports] == [
            f"192.0.2.{10 + n}/24",
            f"198.51.100.{10 + n}/24",
        ]
        assert [port.mtu for port in plan.ports] == [1500, 9000]
        locals_ = [str(neighbor.local) for neighbor in plan.bgp.neighbors]
        assert locals_ == [f"192.0.2.{10 + n}", f"198.51.100.{10 + n}"]
        texts = render_node(plan)
        everything = "".join(texts.values())
        for word in ("0000:3b:00.0", "0000:3b:00.1", "198.51.100.1"):
            assert word in everything
        assert locals_[1] in texts["bird.conf"]


def test_a_vlan_is_of_its_port_alone(tmp_path: Path) -> None:
    """The daemon hears of it, and BIRD's file says that it will see none of it."""
    for plan in plans(tmp_path, SITE.replace("mtu 9000", "mtu 9000  vlan 300")):
        fwd, back = plan.ports
        assert (fwd.vlan, back.vlan) == (None, 300)
        assert "no tag" in fwd.vlan_reason
        assert "tag of VLAN 300" in back.vlan_reason
        texts = render_node(plan)
        assert texts["generation.c"].count(".vlan = ") == 1
        assert ".mtu = 9000,\n        .vlan = 300,\n" in texts["generation.c"]
        assert "# port back: frames on the wire have the tag of VLAN 300" in texts["bird.conf"]
        assert "# port fwd" not in texts["bird.conf"]
        assert not any("300" in texts[name] for name in texts if "sysctl" in name)
