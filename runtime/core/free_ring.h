/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free local ports of a worker, oldest first: the port that has been unused longest is handed out
 * next, so a server that keeps the last connection in TIME_WAIT is not hit by its port again early.
 * The ring names whole records, all local IPs interleaved: one queue, no search.
 */
#ifndef TVS_CORE_FREE_RING_H
#define TVS_CORE_FREE_RING_H

#include "tvs/worker.h"

TVS_INLINE uint32_t tvs_free_count(const struct tvs_free_ring *ring)
{
    return ring->tail - ring->head;
}

/* The number `ahead` places from the oldest, without taking it; any stale number beyond the end. */
TVS_INLINE uint32_t tvs_free_peek(const struct tvs_free_ring *ring, uint32_t ahead)
{
    return ring->record[(ring->head + ahead) & ring->mask];
}

/* The caller has seen that tvs_free_count() > 0. */
TVS_INLINE uint32_t tvs_free_take(struct tvs_free_ring *ring)
{
    return ring->record[ring->head++ & ring->mask];
}

/* There is a place for every record of the worker. */
TVS_INLINE void tvs_free_put(struct tvs_free_ring *ring, uint32_t number)
{
    ring->record[ring->tail++ & ring->mask] = number;
}

#endif
