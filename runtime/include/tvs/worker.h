/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's memory, as host and generation see it. One thread writes it; the control thread only
 * reads counters. Everything here outlives a generation.
 */
#ifndef TVS_WORKER_H
#define TVS_WORKER_H

#include "tvs/backend.h"
#include "tvs/base.h"
#include "tvs/counters.h"
#include "tvs/nexthop.h"
#include "tvs/record.h"

enum { TVS_BUCKET_SLOTS = 8 };

/* One line: eight signatures compared at once, eight record numbers, and who overflowed. */
struct tvs_bucket {
    uint16_t sig[TVS_BUCKET_SLOTS]; /* 0: slot is empty */
    uint32_t record[TVS_BUCKET_SLOTS];
    uint32_t overflow; /* entries whose first choice this is and that live in their second */
    uint32_t spare[3];
} TVS_CACHE_ALIGNED;
_Static_assert(sizeof(struct tvs_bucket) == TVS_CACHE_LINE, "a bucket is one line");

/* Free record numbers, oldest first, over all local IPs of the worker; capacity a power of two. */
struct tvs_free_ring {
    uint32_t *record;
    uint32_t mask;
    uint32_t head; /* next to hand out */
    uint32_t tail; /* next place to put back; tail - head are free */
};

/*
 * Records whose state the peers have to be told, each once: what they are when they are told is
 * what counts. Without session sync there is no place in it.
 */
struct tvs_sync_queue {
    uint32_t *record;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t head;
    uint32_t tail;
    uint64_t lost; /* it was full; the sweep finds them again */
};

/*
 * Client addresses that have opened sessions of services with `new-per-source`. A source that is in
 * debt, and only such a one matters, takes one of the four places of its set, a line.
 */
enum { TVS_SOURCE_WAYS = 4, TVS_SOURCE_SETS = 1 << 14 };
struct tvs_source {
    uint64_t due; /* when its bucket is full again, in 2^-32 ticks */
    uint32_t addr_be;
    uint16_t service; /* host-stable id of the first of those that are limited together */
    uint16_t spare;
};
struct tvs_source_set {
    struct tvs_source source[TVS_SOURCE_WAYS];
} TVS_CACHE_ALIGNED;
_Static_assert(sizeof(struct tvs_source_set) == TVS_CACHE_LINE, "a set is one line");

enum { TVS_NO_LIMIT = 0xffff };

struct tvs_sync;

/*
 * What ties a generation's own numbering to the host's: made by the host at load, swapped together
 * with the generation at a quiescent point.
 */
struct tvs_binding {
    const uint8_t *class_of_service;    /* [TVS_MAX_SERVICES] by host-stable id; 0xff: not served */
    const uint16_t *service_id;         /* [generation's n_services] -> host-stable id */
    struct tvs_pool *const *pools;      /* [generation's n_pools] */
    const struct tvs_backend *backends; /* by host-stable id */
    const struct tvs_site *site;        /* the generation's; used by session sync alone */
    const struct tvs_backend_index *backend_index; /* likewise */
    const uint16_t *limit_group; /* [TVS_MAX_SERVICES] by host-stable id: whose `connections` it
                                    counts towards, TVS_NO_LIMIT: nobody's; NULL: none has any */
};

/* The first bytes of a frame: Ethernet, and IPv4 up to the middle of the destination. */
struct tvs_start {
    uint8_t byte[32];
} __attribute__((aligned(32)));

struct tvs_worker {
    /* set before every burst by the adapter */
    uint32_t now_tick;
    uint16_t fib_epoch; /* never 0 */
    uint16_t index;

    /* the established path */
    struct tvs_bucket *buckets;
    struct tvs_record *records; /* [n_slots << 16] */
    const struct tvs_nexthop *nexthops;
    const struct tvs_binding *binding;
    uint64_t hash_key[2]; /* secret: nobody outside can aim at a bucket */
    uint32_t bucket_mask;
    uint32_t n_slots;
    struct tvs_start start[TVS_MAX_PORTS]; /* how every frame for us on this port begins */
    struct tvs_start start_mask;           /* which bits of that count */

    /* new sessions */
    struct tvs_free_ring free TVS_CACHE_ALIGNED;
    uint32_t n_sessions; /* of own local IPs */
    uint32_t max_sessions;
    uint32_t own_records; /* records below are of own local IPs, the others of peers' */
    uint32_t n_copies;    /* sessions of peers' local IPs */
    struct tvs_sync_queue sync_queue;
    uint32_t *ring_pos;       /* [pool] where the worker stands in the pool's ring */
    uint32_t *backend_active; /* [n_backends_max] sessions now */
    uint64_t *backend_opened; /* same index: sessions ever */
    uint32_t *lip_addr_be;    /* [n_slots] */
    uint32_t n_backends_max;
    uint32_t sweep_cursor;
    uint16_t port_first, port_last; /* local ports, inclusive */
    uint16_t port_start;            /* the first that was handed out */
    struct tvs_sync *sync;          /* NULL: the cluster has no session sync */
    tvs_route_fn route;
    const void *fib;
    const uint16_t *limit_group;    /* the binding's */
    uint32_t *limit_active;         /* [limit_group] sessions of own local IPs, now */
    uint32_t *limit_counted;        /* the same by host-stable service id: outlives the groups */
    struct tvs_source_set *sources; /* [TVS_SOURCE_SETS] */

    /* software steering: Toeplitz as twelve tables of 256, made from the cluster's key */
    const uint32_t (*toeplitz)[256];

    uint16_t mtu[TVS_MAX_PORTS]; /* of our ports, without the Ethernet header */

    struct tvs_counters counters;
} TVS_CACHE_ALIGNED;

#endif
