/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of housekeeping that a worker takes between bursts, each measured alone. */
#ifndef TVS_BENCH_LATENCY_STEPS_H
#define TVS_BENCH_LATENCY_STEPS_H

#include "bench/node/histogram.h"
#include "tvs/worker.h"

/* Times in TSC cycles. Steps during which the core was taken away count in `disturbed` alone. */
struct bench_step {
    const char *name;
    const char *bound; /* the constant that bounds it */
    uint32_t records;  /* visited by one step; 0: none */
    uint32_t freed;    /* sessions, by all steps together */
    uint32_t disturbed;
    struct bench_histogram spent;
};

enum bench_step_kind {
    BENCH_STEP_BUSY,         /* after a turn with packets, nothing expires */
    BENCH_STEP_IDLE,         /* after a turn without */
    BENCH_STEP_BUSY_EXPIRED, /* the same when every record visited has expired */
    BENCH_STEP_IDLE_EXPIRED,
    BENCH_N_STEPS
};

/*
 * Takes the steps on the calling thread; the worker's must have ended. Every session is gone
 * afterwards.
 */
void bench_steps_measure(struct tvs_worker *worker, struct bench_step *steps);

#endif
