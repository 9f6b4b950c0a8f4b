/* SPDX-License-Identifier: Apache-2.0 */
#include "handover.h"

#include <errno.h>
#include <stdio.h>

#include <rte_errno.h>

int tvs_handover_start(struct tvs_host *host)
{
    for (uint16_t to = 0; to < host->n_workers; to++) {
        for (uint16_t from = 0; from < host->n_workers; from++) {
            char name[RTE_RING_NAMESIZE];

            if (from == to)
                continue;
            snprintf(name, sizeof name, "handover-%u-%u", from, to);
            host->workers[to].handover[from] = rte_ring_create(
                name, TVS_HANDOVER_RING, host->workers[to].socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
            if (host->workers[to].handover[from] == NULL) {
                tvs_error("no memory for the ring from worker %u to worker %u: %s", from, to,
                          rte_strerror(rte_errno));
                return -ENOMEM;
            }
        }
    }
    return 0;
}

unsigned tvs_handover_take(struct tvs_host_worker *worker, uint16_t from, struct rte_mbuf **mbufs)
{
    struct tvs_inbox *inbox = worker->inbox;
    unsigned left = 0;
    unsigned n;

    if (!atomic_load_explicit(&inbox->pending[from], memory_order_acquire))
        return 0;
    atomic_store_explicit(&inbox->pending[from], 0, memory_order_relaxed);
    /* the mark must be seen gone before the ring is seen empty, or a packet put between is lost */
    atomic_thread_fence(memory_order_seq_cst);
    n = rte_ring_sc_dequeue_burst(worker->handover[from], (void **)mbufs, TVS_MAX_BURST, &left);
    if (left > 0)
        atomic_store_explicit(&inbox->pending[from], 1, memory_order_relaxed);
    return n;
}
