/* SPDX-License-Identifier: Apache-2.0 */
/* Two workers of one node, each a thread on a core of its own. */
#ifndef TVS_BENCH_PAIR_H
#define TVS_BENCH_PAIR_H

#include "bench/choice.h"
#include "bench/run.h"

/*
 * Measures every chosen direction, pattern, burst and size three times per repeat: worker 0 while
 * the other sleeps, worker 1 likewise, and both at the same time. `runs` are prepared, but not
 * open. Prints rows; NULL or what went wrong.
 */
const char *bench_pair(const struct bench_choice *choice, struct bench_run runs[2],
                       uint32_t sessions);

/* The calling thread runs on this processor from now on: 0 or a negative errno. */
int bench_pin(uint32_t cpu);

/* How often another process has taken the core from the calling thread. */
uint64_t bench_preempted(void);

#endif
