/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 802.1Q tag of a port with a VLAN, as bytes. It ends where frames come in and begins where
 * they go out, in the adapters: the packet path sees and writes untagged frames only.
 */
#ifndef TVS_CORE_VLAN_H
#define TVS_CORE_VLAN_H

#include <stddef.h>

#include "core/wire.h"

enum {
    TVS_VLAN_BYTES = 4,
    TVS_VLAN_LAST = 4094,
    TVS_VLAN_ID = 0x0fff, /* the rest of the tag is priority */
    TVS_ETHERTYPE_VLAN = 0x8100,
    TVS_MACS_BYTES = 12,
};

/* Whether the tag's identifier is `vlan`, whatever the priority. Identifier 0 is no VLAN's. */
TVS_INLINE bool tvs_vlan_is(uint16_t tag, uint16_t vlan)
{
    return (tag & TVS_VLAN_ID) == vlan;
}

/* Whether the frame has the tag of `vlan`; of two tags the outer one counts. */
TVS_INLINE bool tvs_vlan_tagged(const uint8_t *frame, size_t len, uint16_t vlan)
{
    return len >= TVS_ETH_BYTES + TVS_VLAN_BYTES &&
           be16toh(tvs_load16(frame + TVS_MACS_BYTES)) == TVS_ETHERTYPE_VLAN &&
           tvs_vlan_is(be16toh(tvs_load16(frame + TVS_ETH_BYTES)), vlan);
}

/* The addresses move, not the packet: 12 bytes through registers, as source and target overlap. */
TVS_INLINE void tvs_vlan_move_macs(uint8_t *to, const uint8_t *from)
{
    uint64_t first = tvs_load64(from);
    uint32_t rest = tvs_load32(from + sizeof(first));

    memcpy(to, &first, sizeof(first));
    memcpy(to + sizeof(first), &rest, sizeof(rest));
}

/* Takes the tag out of a frame that has one. Returns where the frame begins then. */
TVS_INLINE uint8_t *tvs_vlan_strip(uint8_t *frame)
{
    tvs_vlan_move_macs(frame + TVS_VLAN_BYTES, frame);
    return frame + TVS_VLAN_BYTES;
}

/* Puts the tag, of priority 0, into a frame before which TVS_VLAN_BYTES are writable; likewise. */
TVS_INLINE uint8_t *tvs_vlan_insert(uint8_t *frame, uint16_t vlan)
{
    const uint16_t tag[2] = {htobe16(TVS_ETHERTYPE_VLAN), htobe16(vlan)};

    tvs_vlan_move_macs(frame - TVS_VLAN_BYTES, frame);
    memcpy(frame - TVS_VLAN_BYTES + TVS_MACS_BYTES, tag, sizeof(tag));
    return frame - TVS_VLAN_BYTES;
}

#endif
