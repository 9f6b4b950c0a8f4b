/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the sweep goes on: a step of records at a time, the steps evenly over the period in which
 * every record is looked at once. How many are due follows from the time that has passed and not
 * from the turns that the worker made, so no part of a tick carries more of them than another.
 *
 * A turn costs one comparison; nothing is divided after the start.
 */
#ifndef TVS_CORE_PACE_H
#define TVS_CORE_PACE_H

#include "tvs/core.h"

enum { TVS_PACE_STEP = 16 }; /* records: their lines are fetched side by side, as one miss */

struct tvs_pace {
    uint64_t step_cycles; /* TVS_PACE_STEP records fall due every so many */
    uint64_t next_tsc;    /* when the next ones do */
    uint64_t lag_cycles;  /* what fell due longer ago is never made up for */
};

/* All of the worker's records once in `period_cycles`, from `now` on. */
TVS_INLINE void tvs_pace_start(struct tvs_pace *pace, const struct tvs_worker *worker,
                               uint64_t period_cycles, uint64_t lag_cycles, uint64_t now)
{
    uint64_t n_steps = ((uint64_t)worker->n_slots << 16) / TVS_PACE_STEP;

    pace->step_cycles = period_cycles > n_steps ? period_cycles / n_steps : 1;
    pace->lag_cycles = lag_cycles;
    pace->next_tsc = now + pace->step_cycles;
}

/*
 * How many records to look at now: the steps that are due, as many of them as fit into `most`,
 * which is a step or more.
 */
TVS_INLINE uint32_t tvs_pace_take(struct tvs_pace *pace, uint64_t now, uint32_t most)
{
    uint32_t n = 0;

    if (TVS_LIKELY(now < pace->next_tsc))
        return 0;
    if (TVS_UNLIKELY(now - pace->next_tsc > pace->lag_cycles))
        pace->next_tsc = now - pace->lag_cycles;
    do {
        n += TVS_PACE_STEP;
        pace->next_tsc += pace->step_cycles;
    } while (n + TVS_PACE_STEP <= most && now >= pace->next_tsc);
    return n;
}

/*
 * Sweeps what is due, at most `most` records. True: that was not all. Without a session
 * nothing expires, and pages that were never used stay untouched.
 */
TVS_INLINE bool tvs_pace_sweep(struct tvs_pace *pace, struct tvs_worker *worker, uint64_t now,
                               uint32_t most)
{
    uint32_t n = tvs_pace_take(pace, now, most);

    if (TVS_LIKELY(n == 0))
        return false;
    if (worker->n_sessions + worker->n_copies == 0) {
        pace->next_tsc = now + pace->step_cycles;
        return false;
    }
    tvs_worker_sweep(worker, n);
    return now >= pace->next_tsc;
}

#endif
