/* SPDX-License-Identifier: Apache-2.0 */
/* What a run of tvs-latency has found out, and its JSON. */
#ifndef TVS_BENCH_LATENCY_PRINT_H
#define TVS_BENCH_LATENCY_PRINT_H

#include "bench/node/latency_node.h"
#include "bench/node/latency_steps.h"

enum { BENCH_N_LOADS = 3, BENCH_N_BURSTS = 2 };

extern const uint32_t bench_load_percent[BENCH_N_LOADS];

struct bench_result {
    uint32_t burst;
    double packets_per_cycle; /* capacity, measured last */
    uint32_t capacity_rounds; /* quiet ones it is the median of */
    struct bench_phase capacity;
    struct bench_phase load[BENCH_N_LOADS];
    double load_packets_per_cycle[BENCH_N_LOADS]; /* capacity, just before the load */
};

struct bench_report {
    const struct bench_latency_options *options;
    struct bench_result result[BENCH_N_BURSTS];
    struct bench_phase idle_flip, flip, change;
    struct bench_phase floor; /* of flips: the same schedule for as long, nothing done */
    uint32_t idle_flips, flips, changes;
    uint64_t received, sent, starved;
    struct bench_step step[BENCH_N_STEPS];
    double hz;
    char id[65];
};

/* One object on stdout; tvsc/bench/latency.py reads it. */
void bench_report_print(const struct bench_report *report);

#endif
