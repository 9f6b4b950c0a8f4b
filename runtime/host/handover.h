/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets from the worker that received them to the worker that owns their session. A ring for each
 * pair has one producer and one consumer, so no atomic read-modify-write; a byte per producer in
 * the consumer's line says which rings to look into, so 63 empty ones cost one load each eight.
 */
#ifndef TVS_HANDOVER_H
#define TVS_HANDOVER_H

#include "host.h"
#include "worker.h"

int tvs_handover_start(struct tvs_host *host);

/* False when the ring is full: the packet stays the caller's. */
TVS_INLINE bool tvs_handover_put(struct tvs_host_worker *from, uint8_t to, struct rte_mbuf *mbuf)
{
    struct tvs_host_worker *target = &from->host->workers[to];

    if (rte_ring_sp_enqueue(target->handover[from->index], mbuf) != 0)
        return false;
    atomic_store_explicit(&target->inbox->pending[from->index], 1, memory_order_release);
    return true;
}

/* Up to TVS_MAX_BURST packets of one producer; 0: none, `from` moves on to the next. */
unsigned tvs_handover_take(struct tvs_host_worker *worker, uint16_t from, struct rte_mbuf **mbufs);

/* Whether any producer has put something since it was last taken. */
TVS_INLINE bool tvs_handover_any(const struct tvs_host_worker *worker)
{
    const struct tvs_inbox *inbox = worker->inbox;
    uint64_t any = 0;

    for (unsigned i = 0; i < (worker->host->n_workers + 7U) / 8; i++)
        any |= atomic_load_explicit(&inbox->pending_word[i], memory_order_relaxed);
    return any != 0;
}

#endif
