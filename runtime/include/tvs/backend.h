/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends and pools at run time. The control thread writes, workers read: health, weight and drain
 * never rebuild a generation. Ids are the host's and stay for its lifetime.
 */
#ifndef TVS_BACKEND_H
#define TVS_BACKEND_H

#include "tvs/base.h"

enum tvs_backend_state {
    TVS_BACKEND_DOWN = 0, /* failed its check, or was never up */
    TVS_BACKEND_UP = 1,
    TVS_BACKEND_DRAIN = 2, /* keeps its sessions, gets no new ones */
};

struct tvs_backend {
    uint32_t addr_be;
    uint16_t port_be;
    uint8_t state; /* enum tvs_backend_state; a worker may see a change late, never torn */
    uint8_t spare;
    uint32_t weight;
    uint32_t id;
};
_Static_assert(sizeof(struct tvs_backend) == 16, "four per cache line");

/*
 * What workers pick a pool's servers from. In turns, one period of weighted round robin: of `len`
 * new sessions in a row, backend b gets its weight's share, evenly spaced. By hash, a Maglev table:
 * backend b has its weight's share of the entries. Immutable once published; empty when no backend
 * is up.
 */
struct tvs_ring {
    uint32_t len;
    uint32_t backend[]; /* [len] ids */
};

struct tvs_pool {
    const struct tvs_ring *ring; /* published with release order, read with acquire */
    uint64_t spare;
};

#endif
