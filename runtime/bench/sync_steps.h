/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of session sync that a worker takes between bursts, each measured alone. */
#ifndef TVS_BENCH_SYNC_STEPS_H
#define TVS_BENCH_SYNC_STEPS_H

#include "bench/node/histogram.h"
#include "bench/sync.h"

enum bench_sync_step_kind {
    BENCH_STEP_TELL,       /* a turn that tells all peers of a message's worth of sessions */
    BENCH_STEP_ASKED,      /* a message that says which updates were lost */
    BENCH_STEP_AGAIN,      /* a turn that tells one peer once more what it has lost */
    BENCH_STEP_BULK,       /* a turn that answers a pull */
    BENCH_STEP_BULK_EMPTY, /* the same where nothing is found */
    BENCH_STEP_LEARN,      /* a message of sessions that are new here */
    BENCH_STEP_RENEW,      /* a message of sessions that are here */
    BENCH_N_SYNC_STEPS
};

/* Times in TSC cycles. Steps during which the core was taken away count in `disturbed` alone. */
struct bench_sync_step {
    const char *name;
    const char *bound; /* the constant that bounds it */
    uint32_t records;  /* its value */
    uint32_t disturbed;
    struct bench_histogram spent;
};

/* Takes the steps in a run whose direction `sync` has begun. NULL or what went wrong. */
const char *bench_sync_steps(struct bench_run *run, struct bench_sync_step *steps);

#endif
