"""What a port does beside its device."""

from __future__ import annotations


def vlan_reason(vlan: int | None) -> str:
    """Who puts the tag of a port on and takes it off, and who never sees it."""
    if vlan is None:
        return "the site names no VLAN: frames have no tag"
    return (
        f"frames on the wire have the tag of VLAN {vlan}, others are dropped (other_vlan); it is"
        " put on and taken off at the port, so the packet path, the kernel behind the TAP and BIRD"
        " see none"
    )
