/* SPDX-License-Identifier: Apache-2.0 */
/* The only places where a frame gets its verdict, each with its counter. */
#ifndef TVS_CORE_VERDICT_H
#define TVS_CORE_VERDICT_H

#include <string.h>

#include "tvs/frame.h"
#include "tvs/worker.h"

TVS_INLINE void tvs_drop(struct tvs_worker *worker, struct tvs_frame *frame, enum tvs_drop reason)
{
    worker->counters.drops[reason]++;
    frame->verdict = TVS_V_DROP;
    frame->arg = (uint8_t)reason;
}

TVS_INLINE void tvs_to_kernel(struct tvs_worker *worker, struct tvs_frame *frame)
{
    worker->counters.kernel++;
    frame->verdict = TVS_V_KERNEL;
    frame->arg = frame->port_in;
}

/* To the worker it belongs to. A frame moves once: a second time would be a loop, and is a drop. */
TVS_INLINE void tvs_hand_over(struct tvs_worker *worker, struct tvs_frame *frame, uint8_t owner,
                              enum tvs_drop otherwise)
{
    if (TVS_UNLIKELY(frame->flags & TVS_FRAME_HANDED)) {
        tvs_drop(worker, frame, otherwise);
        return;
    }
    worker->counters.handover++;
    frame->verdict = TVS_V_HANDOVER;
    frame->arg = owner;
}

/*
 * A next hop's verdict and argument for a frame, read together and once: the control thread may
 * lose the neighbour at any moment, and what was looked at must be what is done. No verdict: not
 * valid.
 */
TVS_INLINE uint16_t tvs_nexthop_way(const struct tvs_nexthop *nexthop)
{
    return __atomic_load_n((const uint16_t *)(const void *)&nexthop->valid, __ATOMIC_RELAXED);
}

TVS_INLINE bool tvs_way_is_valid(uint16_t way)
{
    return (uint8_t)way != TVS_V_NONE;
}

TVS_INLINE uint8_t tvs_way_port(uint16_t way)
{
    return (uint8_t)(way >> 8);
}

/*
 * Sends a frame whose Ethernet header is still to be written, the way that was found valid.
 * `counter`: the row it belongs to.
 */
TVS_INLINE void tvs_transmit(struct tvs_worker *worker, struct tvs_frame *frame,
                             const struct tvs_nexthop *nexthop, uint16_t way, uint64_t *counter)
{
    __builtin_memcpy(frame->data, nexthop->l2, sizeof(nexthop->l2));
    memcpy(&frame->verdict, &way, sizeof(way)); /* TVS_V_TX, and `arg` is the port */
    worker->counters.tx_bytes += frame->len;
    ++*counter;
}

#endif
