"""NICs as their drivers behave: which rules they take, and to which queue they bring a packet.

    nic, refusals = load_nic(profile, steering, vlan)   # what `SteeringPlan` leaves in the device
    nic.decide(FlowClass(destination, TCP))       # for all packets of the class at once
    nic.queue(Packet(...))                        # for one packet

The differences between drivers are rows of a table (`family.py`); `device.py` is the one machine
that they all are: tables of rules in order of precedence, then Toeplitz and the redirection table.
Nothing here knows clusters or services: `tvsc.checks.steering_proof` runs packets through it.
"""

from tvsc.nic.device import Decision, LoadedNic, Refusal, load_nic, software
from tvsc.nic.family import (
    FAMILIES,
    DeviceRule,
    Family,
    Tagged,
    device_rules,
    rules_per_planned,
)
from tvsc.nic.packet import ICMP, TCP, UDP, FlowClass, Packet
from tvsc.nic.spread import Spread

__all__ = [
    "FAMILIES",
    "ICMP",
    "TCP",
    "UDP",
    "Decision",
    "DeviceRule",
    "Family",
    "FlowClass",
    "LoadedNic",
    "Packet",
    "Refusal",
    "Spread",
    "Tagged",
    "device_rules",
    "load_nic",
    "rules_per_planned",
    "software",
]
