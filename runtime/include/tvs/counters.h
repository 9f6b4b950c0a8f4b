/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker counts. Written by one worker alone, read by the control thread at any time. */
#ifndef TVS_COUNTERS_H
#define TVS_COUNTERS_H

#include "tvs/base.h"

enum tvs_drop {
#define TVS_DROP(name, text) TVS_DROP_##name,
#include "tvs/drops.def"
#undef TVS_DROP
    TVS_N_DROPS
};
_Static_assert(TVS_N_DROPS <= UINT8_MAX, "a reason travels in one byte");

/*
 * Every frame given to a burst is in exactly one of the rows of `out`:
 *   frames == tx_request + tx_reply + tx_local + kernel + handover + sync + sum(drops)
 */
struct tvs_counters {
    uint64_t bursts;
    uint64_t frames;        /* handed over ones included */
    uint64_t frames_handed; /* of these, received from another worker */
    uint64_t bytes;
    uint64_t tx_request; /* client -> server */
    uint64_t tx_reply;   /* server -> client */
    uint64_t tx_local;   /* answered here: echo replies, resets */
    uint64_t tx_bytes;
    uint64_t kernel;
    uint64_t handover;
    uint64_t sync; /* messages of peers */

    uint64_t sessions_opened;
    uint64_t sessions_sorry;    /* of these, on a server of a sorry pool */
    uint64_t sessions_expired;  /* freed by the sweep */
    uint64_t sessions_replaced; /* freed by a new SYN of the same client address and port */
    uint64_t sessions_reset;    /* ended because the backend is down */

    /* clients' packets of `client-address toa` whose server may not know the address yet */
    uint64_t toa_added;
    uint64_t toa_no_room;  /* went without: the TCP header is full */
    uint64_t toa_too_long; /* went without: longer than the port's MTU with it */
    uint64_t toa_forged;   /* carried an address of the client's own, which was blanked */

    uint64_t drops[TVS_N_DROPS];
} TVS_CACHE_ALIGNED;

#endif
