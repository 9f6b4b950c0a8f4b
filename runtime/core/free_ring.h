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

/* There is a place for every record of the worker. Returns the place, plus 1. */
TVS_INLINE uint32_t tvs_free_put(struct tvs_free_ring *ring, uint32_t number)
{
    uint32_t at = ring->tail++ & ring->mask;

    ring->record[at] = number;
    return at + 1;
}

/*
 * Takes a number out of the middle: a session came from a peer whose local port is one of ours. The
 * oldest takes its place, a little younger now than it was.
 */
TVS_INLINE void tvs_free_remove(struct tvs_worker *worker, uint32_t number)
{
    struct tvs_free_ring *ring = &worker->free;
    uint32_t at = worker->records[number].free_at;
    uint32_t oldest;

    if (at == 0) { /* where fill_free_ring() put it */
        uint32_t n_ports = (uint32_t)worker->port_last - worker->port_first + 1;
        uint32_t port = number & UINT16_MAX;
        uint32_t turn = (port + n_ports - worker->port_start) % n_ports;

        at = turn * (worker->own_records >> 16) + (number >> 16) + 1;
    }
    oldest = tvs_free_take(ring);
    if (oldest != number) {
        ring->record[at - 1] = oldest;
        worker->records[oldest].free_at = at;
    }
}

#endif
