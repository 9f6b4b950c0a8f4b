/* SPDX-License-Identifier: Apache-2.0 */
/* Where a packet leaves: its whole Ethernet header, ready to store. Kept by the control thread. */
#ifndef TVS_NEXTHOP_H
#define TVS_NEXTHOP_H

#include "tvs/base.h"
#include "tvs/frame.h"

/* Entry 0 is never valid: it means "no route". */
struct tvs_nexthop {
    uint8_t l2[14]; /* destination, source, type IPv4 */
    uint8_t valid;  /* 0 until the neighbour is resolved, then TVS_V_TX */
    uint8_t port;   /* these two become a frame's verdict and argument by one store */
} __attribute__((aligned(16)));
_Static_assert(TVS_V_TX == 1, "a next hop is valid or not");
_Static_assert(offsetof(struct tvs_nexthop, port) - offsetof(struct tvs_nexthop, valid) ==
                   offsetof(struct tvs_frame, arg) - offsetof(struct tvs_frame, verdict),
               "copied together");
_Static_assert(sizeof(struct tvs_nexthop) == 16, "replaced by one 16-byte store");

/* Longest-prefix match in the host's copy of the kernel's main table; returns an entry's index. */
typedef uint16_t (*tvs_route_fn)(const void *fib, uint32_t daddr_be);

#endif
