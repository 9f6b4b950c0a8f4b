/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers on two cores: they begin what is measured at the same moment, and only the time in
 * which both were at it counts.
 */
#ifndef TVS_BENCH_GATE_H
#define TVS_BENCH_GATE_H

#include "tvs/base.h"

struct bench_gate {
    uint32_t arrived;         /* ever */
    uint64_t from, to;        /* the time that both measured, in the making */
    uint64_t spans, overlaps; /* TSC cycles, summed over both: measured, and of that in common */
    bool is_open;             /* one of the two has given up: nobody waits any more */
};

void bench_gate_reset(struct bench_gate *gate);

/* Both threads leave together. They spin: waking up would take longer than a burst. */
void bench_gate_meet(struct bench_gate *gate);

/* A thread measured between `first` and `last`: both learn what the two have in common. */
void bench_gate_overlap(struct bench_gate *gate, uint64_t first, uint64_t last, uint64_t *from,
                        uint64_t *to);

/* Lets the other one through for good. */
void bench_gate_open(struct bench_gate *gate);

#endif
