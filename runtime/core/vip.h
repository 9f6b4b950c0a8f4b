/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the generation's constant table of VIPs and listeners. */
#ifndef TVS_CORE_VIP_H
#define TVS_CORE_VIP_H

#include "tvs/site.h"

/*
 * The entry of (VIP, port, protocol), all in host byte order, or NULL. Port 0 and protocol 0 ask
 * whether the address is a VIP at all.
 */
TVS_INLINE const struct tvs_vip_entry *tvs_vip_find(const struct tvs_site *site, uint32_t vip,
                                                    uint16_t port, uint8_t proto)
{
    uint32_t at = tvs_vip_hash(vip, port, proto);

    for (uint32_t probe = 0; probe < site->vip_probes; probe++) {
        const struct tvs_vip_entry *entry = &site->vips[(at + probe) & site->vip_mask];

        if (entry->service == TVS_VIP_EMPTY)
            return NULL;
        if (entry->vip == vip && entry->port == port && entry->proto == proto)
            return entry;
    }
    return NULL;
}

#endif
