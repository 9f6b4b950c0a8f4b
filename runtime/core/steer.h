/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `steering software`: what RSS would have done, done by the worker that happened to receive the
 * packet. Replies need none of it, since a local IP names its owner.
 */
#ifndef TVS_CORE_STEER_H
#define TVS_CORE_STEER_H

#include "core/parse.h"
#include "core/vip.h"

/* Toeplitz over a tuple as it lies on the wire, by one table per input byte. */
TVS_INLINE uint32_t tvs_toeplitz_tuple(const uint32_t (*table)[256], const struct tvs_tuple *tuple)
{
    const uint8_t *byte = (const uint8_t *)tuple;
    uint32_t hash = 0;

    for (unsigned i = 0; i < sizeof(*tuple); i++)
        hash ^= table[i][byte[i]];
    return hash;
}

/* False: the request is for a VIP and another worker, and is handed to that one. */
TVS_INLINE bool tvs_steer(const struct tvs_site *site, struct tvs_worker *worker,
                          struct tvs_frame *frame, const struct tvs_packet *packet)
{
    uint16_t owner;

    if (frame->flags & TVS_FRAME_HANDED ||
        tvs_vip_find(site, be32toh(packet->key.tuple.daddr_be), 0, 0) == NULL)
        return true;
    owner = site->reta[tvs_toeplitz_tuple(worker->toeplitz, &packet->key.tuple) & site->reta_mask];
    if (owner == worker->index)
        return true;
    tvs_hand_over(worker, frame, (uint8_t)owner, TVS_DROP_vip_no_listener);
    return false;
}

#endif
