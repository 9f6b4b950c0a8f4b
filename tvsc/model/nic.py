"""NIC profiles: what a driver's RSS and flow rules can do, so that a plan can be checked before
it meets hardware.
"""

from __future__ import annotations

from enum import StrEnum

from tvsc.model.base import Model, Noun


class Driver(StrEnum):
    """DPDK drivers with a known profile."""

    IXGBE = "ixgbe"
    I40E = "i40e"
    ICE = "ice"
    MLX5 = "mlx5"
    VIRTIO = "virtio"
    VMXNET3 = "vmxnet3"
    TAP = "tap"
    AF_PACKET = "af_packet"
    PCAP = "pcap"
    RING = "ring"
    NULL = "null"
    MEMIF = "memif"


class RuleMasks(StrEnum):
    """Which masks a driver's flow rules take."""

    FULL = "full"
    """Full masks only; a partial one is refused or silently ignored."""
    ONE_SHAPE = "one-shape"
    """Any mask, but the same one for all rules of the port."""
    ANY = "any"
    """Any mask, per rule."""


class FlowRules(Model):
    """What the port takes as rules `destination address -> queue`.

    `exact_trap` is the size of a smaller table that catches rules with a full destination mask
    first and fails when it is full (the five-tuple filters of the 82599); None where there is no
    such trap. `max_rules` is None where no limit is known.
    """

    max_rules: int | None
    masks: RuleMasks
    ipv6: bool
    exact_trap: int | None = None


class NicProfile(Noun):
    """A NIC as the site's ports name it.

    `queues` is the most rx queues that RSS can use, `rss_key_bytes` and `reta_size` are 0 where
    the device has no settable RSS; `flow_rules` is None where rules cannot steer.
    """

    name: str
    driver: Driver
    queues: int
    rss_key_bytes: int
    reta_size: int
    flow_rules: FlowRules | None
    emulated: bool = False
    """RSS and flow rules are emulated by the host (the steering program of a TAP), not by
    hardware.
    """
