/* SPDX-License-Identifier: Apache-2.0 */
/* The timed loops: who handles the packets of a run's pool, and how long it takes. */
#ifndef TVS_BENCH_LOOPS_H
#define TVS_BENCH_LOOPS_H

#include "bench/run.h"

enum {
    BENCH_STRETCH = 1024,     /* packets between two looks at the clock, at most */
    BENCH_PAIR_STRETCH = 128, /* with another worker: of a longer one less would be in common */
};

/* A frame of the pool. */
uint8_t *bench_frame_of(const struct bench_run *run, uint32_t packet);

/* It as the subject left it, once all were forwarded: the path may have moved its start. */
const uint8_t *bench_sent_frame(const struct bench_run *run, enum bench_subject subject,
                                uint32_t packet);

/* How many packets lie between two looks at the clock, and the first of those that are timed. */
struct bench_stretches {
    uint32_t packets, first;
};

/* Of `n` packets. All of the first half come before: they only warm up. */
struct bench_stretches bench_stretches_of(uint32_t n, uint32_t longest);

/*
 * Runs the first `n` packets of the pool: the cycles of one packet, the median over stretches,
 * because another process that takes the core for a moment is not what is measured. The first half
 * only brings back what the subject measured before has driven out, page tables above all.
 */
double bench_timed(struct bench_run *run, enum bench_subject subject, uint32_t n);

/* The record of a flow whose session is open. */
struct tvs_record *bench_record_of(const struct bench_run *run, const struct bench_flow *flow);

/* directions.c: opens all flows of the traffic, packet by packet, as clients and servers would. */
const char *bench_flows_open(struct bench_run *run);

#endif
