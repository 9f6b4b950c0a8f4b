"""What a port does beside its device."""

from __future__ import annotations


def vlan_reason(vlan: int | None) -> str:
    """Who puts the tag of a port on and takes it off, and who never sees it."""
    if vlan is None:
        return "the site names no VLAN: frames have no tag"
    return (
        f"every frame on the wire has the tag of VLAN {vlan}, others are dropped as `other_vlan`;"
        " the device strips and inserts it if its driver does both, else the workers do: the packet"
        " path, the kernel behind tvsN and BIRD see frames without it"
    )
