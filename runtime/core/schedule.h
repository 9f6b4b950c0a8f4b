/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a class picks a server from its pool's table, which is never empty here: one entry or two,
 * however many servers there are. The scheduler is a constant of the class, so one of these is
 * compiled in and the others are not. Any table does for any scheduler: a class that a reload is
 * about to replace may meet the next one's.
 */
#ifndef TVS_CORE_SCHEDULE_H
#define TVS_CORE_SCHEDULE_H

#include "core/hash.h"
#include "tvs/site.h"
#include "tvs/worker.h"

/* Whether workers go through the table in turns, each from a place of its own. */
TVS_INLINE bool tvs_schedule_has_turns(uint8_t scheduler)
{
    return scheduler != TVS_SCHED_MAGLEV && scheduler != TVS_SCHED_SOURCE_HASH;
}

/* The entry that a hash falls on; each is hit by one in `len`, to one in 2^32. */
TVS_INLINE uint32_t tvs_schedule_entry(const struct tvs_ring *ring, uint32_t hash)
{
    return ring->backend[(uint64_t)hash * ring->len >> 32];
}

/* The flow decides, by a hash that all nodes of the site share. */
TVS_INLINE uint32_t tvs_schedule_by_flow(const struct tvs_site *site, const struct tvs_ring *ring,
                                         const struct tvs_key *key)
{
    return tvs_schedule_entry(ring, tvs_key_hash(key, site->flow_key));
}

/* The client's address alone decides. */
TVS_INLINE uint32_t tvs_schedule_by_source(const struct tvs_site *site, const struct tvs_ring *ring,
                                           const struct tvs_key *key)
{
    return tvs_schedule_entry(ring, tvs_words_hash(key->tuple.saddr_be, 0, site->flow_key));
}

/* The worker's own turn; `next` is where it goes on once the session is open. */
TVS_INLINE uint32_t tvs_schedule_in_turn(const struct tvs_site *site,
                                         const struct tvs_worker *worker,
                                         const struct tvs_ring *ring, uint32_t pool, uint32_t *next)
{
    uint32_t at = worker->ring_pos[pool];

    if (TVS_UNLIKELY(at >= ring->len)) {
        /* the first session ever, where each worker starts elsewhere, or a ring that got shorter */
        at = at == UINT32_MAX ? (uint32_t)((uint64_t)worker->index * ring->len / site->n_workers)
                              : at % ring->len;
    }
    *next = at + 1 == ring->len ? 0 : at + 1;
    return ring->backend[at];
}

/*
 * Of `first` and the server that the worker's secret hash falls on, the one with fewer of the
 * worker's sessions for its weight; `first` when both have as many. Products of 32 bits: exact.
 */
TVS_INLINE uint32_t tvs_schedule_less_loaded(const struct tvs_worker *worker,
                                             const struct tvs_ring *ring, uint32_t first,
                                             uint32_t hash)
{
    const struct tvs_backend *backends = worker->binding->backends;
    uint32_t other = tvs_schedule_entry(ring, hash);

    return (uint64_t)worker->backend_active[other] * backends[first].weight <
                   (uint64_t)worker->backend_active[first] * backends[other].weight
               ? other
               : first;
}

/* The id of the server for the session of `key`; `hash` is the key's in this worker's table. */
TVS_INLINE uint32_t tvs_schedule_pick(uint8_t scheduler, const struct tvs_site *site,
                                      const struct tvs_worker *worker, const struct tvs_ring *ring,
                                      const struct tvs_key *key, uint32_t hash, uint32_t pool,
                                      uint32_t *next)
{
    uint32_t first;

    if (scheduler == TVS_SCHED_MAGLEV)
        return tvs_schedule_by_flow(site, ring, key);
    if (scheduler == TVS_SCHED_SOURCE_HASH)
        return tvs_schedule_by_source(site, ring, key);
    first = tvs_schedule_in_turn(site, worker, ring, pool, next);
    if (scheduler == TVS_SCHED_LEAST_LOADED)
        return tvs_schedule_less_loaded(worker, ring, first, hash);
    return first;
}

#endif
