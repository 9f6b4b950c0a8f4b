/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The non-inlined part of the core (libtvscore): worker memory, schedule rings, expiry. Used by the
 * daemon, by tvs-replay and by tests; free of DPDK.
 */
#ifndef TVS_CORE_H
#define TVS_CORE_H

#include "tvs/generation.h"
#include "tvs/worker.h"

struct tvs_worker_config {
    uint16_t index;
    uint32_t n_slots;            /* local IPs whose records it has */
    uint32_t n_own_slots;        /* of these, the first, its own; 0: all */
    const uint32_t *lip_addr_be; /* [n_own_slots] */
    uint32_t n_buckets;          /* power of two */
    uint32_t max_sessions;
    uint16_t port_first, port_last; /* inclusive */
    uint16_t port_start;            /* the first to be handed out; 0: port_first */
    uint32_t max_pools;
    uint32_t max_backends;
    uint16_t n_workers;
    uint32_t sync_queue; /* records that may wait to be told to peers: a power of two, or 0 */
    uint64_t hash_key[2];
    uint16_t mtu[TVS_MAX_PORTS];
    const uint8_t *rss_key; /* >= 40 bytes, for software steering; may be NULL */
};

/* Bytes of one worker with all its tables; 0 when the config is outside the limits. */
size_t tvs_worker_bytes(const struct tvs_worker_config *config);

/*
 * Lays a worker out in `memory` (zeroed, cache-line aligned, tvs_worker_bytes() long) and returns
 * it. Routes, next hops, MACs and the binding are the caller's to set. NULL: config outside limits.
 */
struct tvs_worker *tvs_worker_init(void *memory, const struct tvs_worker_config *config);

/*
 * Changes the generation that the worker's sessions are bound to, between two bursts. Sessions that
 * were counted towards a service's `connections` count towards those of the new one.
 */
void tvs_worker_bind(struct tvs_worker *worker, const struct tvs_binding *binding);

/*
 * binding->limit_group of a generation whose services have these host-stable ids: to be freed, NULL
 * when no service limits its connections. -ENOMEM.
 */
int tvs_limit_groups_make(const struct tvs_generation *generation, const uint16_t *service_id,
                          uint16_t **group);

/* The station of a port; frames for others are dropped after tvs_worker_stations_check(). */
void tvs_worker_station_set(struct tvs_worker *worker, unsigned port, const uint8_t mac[6]);
void tvs_worker_stations_check(struct tvs_worker *worker);

/* Config of worker `index` as the generation describes it; lip_addr_be has room for slots. */
void tvs_worker_config_from(struct tvs_worker_config *config,
                            const struct tvs_generation *generation, uint16_t index,
                            uint32_t *lip_addr_be);

/* Frees what expired among the `budget` records after the last call's; returns how many. */
uint32_t tvs_worker_sweep(struct tvs_worker *worker, uint32_t budget);

/* How many records a sweep must visit per tick so that each is seen once in `period_ticks`. */
uint32_t tvs_worker_sweep_budget(const struct tvs_worker *worker, uint32_t period_ticks);

/*
 * The ring's length for these weights (after division by their greatest common divisor); 0 when all
 * are 0 and when it would exceed TVS_RING_MAX.
 */
enum { TVS_RING_MAX = 1 << 20 };
uint32_t tvs_ring_len(const uint32_t *weight, uint32_t n);

/*
 * Fills ring->backend[0..len): entry k of server i stands at (k + 1/2) / weight_i, ties in order of
 * the list. `ring` has room for tvs_ring_len(). Returns 0, or -ENOMEM, -E2BIG.
 */
int tvs_ring_build(struct tvs_ring *ring, const uint32_t *id, const uint32_t *weight, uint32_t n);

/* A server as a Maglev table sees it. */
struct tvs_maglev_server {
    uint32_t id;
    uint32_t addr_be;
    uint16_t port_be;
    uint32_t weight;
};

/* Whether a Maglev table may have so many entries for so many servers: a prime that bounds all. */
bool tvs_maglev_size_is_valid(uint32_t size, uint32_t n);

/*
 * Fills the `size` entries of `table`, for which there is room. The servers' addresses and ports,
 * which differ, their weights and `key` decide, neither their ids nor their order; the servers are
 * sorted. Returns 0 (of no weight at all: an empty table), or -ENOMEM, -E2BIG as for a ring,
 * -EINVAL.
 */
int tvs_maglev_build(struct tvs_ring *table, uint32_t size, const uint64_t key[2],
                     struct tvs_maglev_server *server, uint32_t n);

/* What a pool's table follows from, besides its servers. */
struct tvs_table_config {
    uint8_t scheduler;   /* enum tvs_scheduler */
    uint32_t table_size; /* as in struct tvs_gen_pool */
    uint64_t key[2];     /* the site's flow_key; unused where the schedule goes in turns */
};

/* The weight that counts: round robin knows none but 0 and 1. */
uint32_t tvs_schedule_weight(uint8_t scheduler, uint32_t weight);

/*
 * Makes the table of a pool whose `n` servers are backends[id[i]], of those that are up and have
 * weight. The caller frees it. Returns 0, or the errors of tvs_ring_build(), tvs_maglev_build().
 */
int tvs_pool_table_make(struct tvs_ring **table, const struct tvs_table_config *config,
                        const struct tvs_backend *backends, const uint32_t *id, uint32_t n);

/* Toeplitz over 12 bytes (addresses, ports, network order) with a 40-byte key, bit by bit. */
uint32_t tvs_toeplitz(const uint8_t *key, const uint8_t *input, size_t input_bytes);

/* A loaded generation's shared object; all zero: none. */
struct tvs_library {
    void *handle;
    int fd;
};

/*
 * Loads the generation at `path` from a copy of the file: what happens to the file afterwards does
 * not matter, and loading a path again gives what is there now. Returns 0, or negative errno with
 * the reason in `why`: no whole file, no generation, or one that is refused.
 */
int tvs_library_open(struct tvs_library *library, const char *path,
                     const struct tvs_generation **generation, char *why, size_t why_bytes);

/* Harmless when nothing is loaded. Nobody may be inside the generation any more. */
void tvs_library_close(struct tvs_library *library);

/* Why a loaded generation cannot be used by this host: a static text, or NULL when it can. */
const char *tvs_generation_refuse(const struct tvs_generation *generation);

/* Text of a drop reason, and its name for metrics. */
const char *tvs_drop_text(unsigned reason);
const char *tvs_drop_name(unsigned reason);
const char *tvs_state_name(unsigned state);
const char *tvs_scheduler_name(unsigned scheduler); /* as the language says it */

#endif
