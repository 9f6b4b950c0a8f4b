"""What the known drivers can do, as read in DPDK's sources and the vendors' data sheets.

82599 (ixgbe): RSS reaches 16 queues; perfect filters share one global mask, 2048 of them for each
64 KiB of packet buffer; a rule with a full destination mask is first tried as one of only 128
five-tuple filters. i40e and ice take full masks only. virtio, vmxnet3 and the virtual devices have
neither flow rules nor a settable RSS key. `tap` is the multi-queue TAP whose steering program is
set by the host: it plays the RSS and the flow rules of a NIC.
"""

from __future__ import annotations

from tvsc.model import Driver, FlowRules, NicProfile, RuleMasks

PACKET_BUFFER_BYTES = 64 * 1024

_IXGBE = FlowRules(max_rules=2048, masks=RuleMasks.ONE_SHAPE, ipv6=False, exact_trap=128)
_I40E = FlowRules(max_rules=8192, masks=RuleMasks.FULL, ipv6=True)
_ICE = FlowRules(max_rules=16384, masks=RuleMasks.FULL, ipv6=True)
_MLX5 = FlowRules(max_rules=None, masks=RuleMasks.ANY, ipv6=True)
_TAP = FlowRules(max_rules=4096, masks=RuleMasks.FULL, ipv6=False)

# driver: queues that RSS reaches, RSS key bytes, RETA entries, flow rules
FACTS: dict[Driver, tuple[int, int, int, FlowRules | None]] = {
    Driver.IXGBE: (16, 40, 128, _IXGBE),
    Driver.I40E: (64, 52, 512, _I40E),
    Driver.ICE: (256, 52, 512, _ICE),
    Driver.MLX5: (256, 40, 512, _MLX5),
    Driver.VIRTIO: (256, 0, 0, None),
    Driver.VMXNET3: (16, 0, 0, None),
    Driver.TAP: (16, 40, 128, _TAP),
    Driver.AF_PACKET: (16, 0, 0, None),
    Driver.PCAP: (16, 0, 0, None),
    Driver.RING: (16, 0, 0, None),
    Driver.NULL: (1024, 0, 0, None),
    Driver.MEMIF: (256, 0, 0, None),
}

# The sizes that a driver's redirection table can have, where there is a choice.
RETA_SIZES: dict[Driver, tuple[int, ...]] = {Driver.ICE: (128, 512, 2048)}


def profile(name: str, driver: Driver, at: str) -> NicProfile:
    """The driver's own profile under a name."""
    queues, key_bytes, reta, rules = FACTS[driver]
    return NicProfile(
        at=at,
        name=name,
        driver=driver,
        queues=queues,
        rss_key_bytes=key_bytes,
        reta_size=reta,
        flow_rules=rules,
        emulated=driver is Driver.TAP,
    )
