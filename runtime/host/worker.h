/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker threads: their memory, their start and end, and how the control thread reaches them.
 */
#ifndef TVS_HOST_WORKER_H
#define TVS_HOST_WORKER_H

#include <sys/eventfd.h>

#include "core/pace.h"
#include "host.h"

/*
 * Who has put packets into this worker's hand-over rings: written by all, read by it once a turn.
 */
struct tvs_inbox {
    union {
        _Atomic uint8_t pending[TVS_MAX_WORKERS];
        _Atomic uint64_t pending_word[TVS_MAX_WORKERS / 8];
    };
} TVS_CACHE_ALIGNED;
_Static_assert(sizeof(struct tvs_inbox) == TVS_CACHE_LINE, "one line tells of 64 workers");

/* Bytes that all workers' tables take; 0 when a worker's config is outside the limits. */
uint64_t tvs_workers_bytes(const struct tvs_generation *generation);

int tvs_workers_start(struct tvs_host *host);  /* memory and rings, on each worker's socket */
int tvs_workers_launch(struct tvs_host *host); /* the threads */
void tvs_workers_join(struct tvs_host *host);  /* their end */
void tvs_workers_stop(struct tvs_host *host);  /* what start made */

/*
 * Swaps what the workers run; waits until each of them does. -ETIMEDOUT: one did not in a second.
 */
int tvs_workers_flip(struct tvs_host *host, const struct tvs_bound *bound);

/* Ends a worker's sleep, if it sleeps. After the work has been put where the worker looks. */
static inline void tvs_worker_wake(const struct tvs_host_worker *worker)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&worker->asleep, memory_order_relaxed))
        eventfd_write(worker->wake_fd, 1);
}

/* What paces a turn's housekeeping, and what bounds it. */
enum {
    TVS_SWEEP_PERIOD_TICKS = 30, /* each record is looked at once in so long */
    TVS_SWEEP_LAG_TICKS = 2,     /* made up for: a worker may sleep through a tick */
    TVS_SWEEP_BUSY = 16,         /* records per turn that had packets */
    TVS_SWEEP_IDLE = 1024,       /* and per turn that had none, when it is behind */
};
_Static_assert((int)TVS_SWEEP_BUSY >= (int)TVS_PACE_STEP, "a busy worker sweeps all the same");

/* The threads' main function (worker_loop.c). */
int tvs_worker_main(void *host_worker);

/* Ticks since the host started, the unit of session timeouts; the same for all workers. */
struct tvs_clock {
    uint64_t tick_cycles;
    uint64_t next_tsc; /* when the next tick begins */
    uint32_t tick;
};
void tvs_clock_start(struct tvs_clock *clock, const struct tvs_host *host);

#endif
