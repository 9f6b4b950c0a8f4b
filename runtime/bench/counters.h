/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor counts of this thread's own code, where it lets us. */
#ifndef TVS_BENCH_COUNTERS_H
#define TVS_BENCH_COUNTERS_H

#include "tvs/base.h"

enum bench_event {
    BENCH_INSTRUCTIONS,
    BENCH_CORE_CYCLES, /* against TSC cycles they tell the core's clock */
    BENCH_L1D_MISSES,  /* lines that loads brought in */
    BENCH_LLC_MISSES,
    BENCH_N_EVENTS
};

extern const char *const bench_event_name[BENCH_N_EVENTS];

/* Sums since the last reset; an event that this machine does not count has fd -1. */
struct bench_counters {
    int fd[BENCH_N_EVENTS];
    uint64_t before[BENCH_N_EVENTS];
    uint64_t sum[BENCH_N_EVENTS];
    uint64_t packets;
};

/* Opens what there is for the calling thread: false when nothing is counted on this machine. */
bool bench_counters_open(struct bench_counters *counters);
void bench_counters_close(struct bench_counters *counters);

void bench_counters_reset(struct bench_counters *counters);
void bench_counters_start(struct bench_counters *counters);
void bench_counters_stop(struct bench_counters *counters, uint32_t packets);

#endif
