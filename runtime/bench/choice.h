/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line asks for. */
#ifndef TVS_BENCH_CHOICE_H
#define TVS_BENCH_CHOICE_H

#include "bench/bench.h"

enum { BENCH_MAX_LIST = 16 };

struct bench_list {
    uint32_t n;
    uint32_t at[BENCH_MAX_LIST];
};

struct bench_choice {
    struct bench_options options; /* burst and frame_bytes: of the measurement that is running */
    struct bench_list sessions, bursts, sizes;
    bool direction[BENCH_N_DIRECTIONS];
    bool pattern[BENCH_N_PATTERNS];
    struct bench_list cpus; /* none: wherever the thread is */
    bool two_workers;
    bool is_traced;
    bool takes_steps; /* of session sync, instead of directions */
};

/* One thing to measure in an open run. */
struct bench_combination {
    enum bench_direction direction;
    enum bench_pattern pattern;
    uint32_t burst, frame_bytes;
    uint32_t at; /* how many were looked at; begin with 0 */
};

/* The next one that is chosen and makes sense; directions that leave other sessions come last. */
bool bench_combination_next(const struct bench_choice *choice,
                            struct bench_combination *combination);

extern const char bench_usage[];

/* Reads the command line: 0, 1 when only help was wanted, -EINVAL. */
int bench_choice_read(struct bench_choice *choice, int argc, char **argv);

#endif
