/* SPDX-License-Identifier: Apache-2.0 */
/* What has been measured, as lines of text or one JSON object a line. */
#ifndef TVS_BENCH_PRINT_H
#define TVS_BENCH_PRINT_H

#include "bench/counters.h"
#include "bench/run.h"
#include "bench/sync_steps.h"

/* Cycles per packet over repeats. */
struct bench_figure {
    double median, p10, p90;
};

/* Sorts the values; those of 0 do not count. */
struct bench_figure bench_figure_of(double *values, uint32_t n);

struct bench_row {
    enum bench_direction direction;
    struct bench_figure figures[BENCH_N_SUBJECTS]; /* all 0: not measured */
    uint64_t preempted;                            /* how often another process took the core */
};

/* Each of two workers alone, and both at the same time. */
struct bench_pair_row {
    enum bench_direction direction;
    struct bench_figure alone[2], together[2];
    double scaling; /* what both do, in workers that are alone */
    double overlap; /* of the time measured, how much both were at it */
    double cores;   /* `scaling` of additions, which share nothing but their core */
    uint64_t preempted;
};

void bench_print_head(const struct bench_run *run, double tsc_hz, const struct tvs_gen_service *to);
void bench_print_open(const struct bench_run *run);
void bench_print_skipped(const struct bench_run *run, uint32_t sessions, uint32_t room);
void bench_print_regions(const struct bench_run *run, const volatile uint32_t *marks);
void bench_print_row(const struct bench_run *run, const struct bench_row *row, double tsc_hz);
void bench_print_steps(const struct bench_run *run, const struct bench_sync_step *steps);
void bench_print_pair(const struct bench_run *run, const struct bench_pair_row *row);

#endif
