/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `idle interrupt`: a worker that finds nothing for a few turns arms the interrupts of its queues,
 * looks once more, and sleeps until a queue, another thread or the next tick wakes it. Devices
 * without interrupts are looked at every millisecond.
 */
#ifndef TVS_IDLE_H
#define TVS_IDLE_H

#include <rte_interrupts.h>

#include "host.h"

struct tvs_idle_state {
    struct tvs_host_worker *worker;
    struct rte_epoll_event wake; /* DPDK keeps its address */
    unsigned empty_turns;        /* in a row */
    unsigned patience;           /* so many, then sleep */
    bool armed;
    bool polls; /* a device has no interrupts: sleep shortly */
    uint64_t cycles_per_ms;
};

void tvs_idle_start(struct tvs_idle_state *idle, struct tvs_host_worker *worker);
void tvs_idle_stop(struct tvs_idle_state *idle);
void tvs_idle_disarm(struct tvs_idle_state *idle);

/* After a turn without work; may sleep, until `until_tsc` at the latest. */
void tvs_idle_empty(struct tvs_idle_state *idle, uint64_t until_tsc);

/* After a turn with work. */
static inline void tvs_idle_worked(struct tvs_idle_state *idle)
{
    idle->empty_turns = 0;
    if (idle->armed)
        tvs_idle_disarm(idle);
}

#endif
