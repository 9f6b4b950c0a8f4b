/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of values over many powers of two with one relative error, after the HdrHistogram of Gil
 * Tene (whose C library Debian 12 does not have). A power of two has 64 buckets, so what
 * bench_histogram_at() gives is at most 1/64 above the true value; values below 128 and the maximum
 * are exact.
 */
#ifndef TVS_BENCH_HISTOGRAM_H
#define TVS_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    BENCH_HISTOGRAM_SUB_BITS = 6,
    BENCH_HISTOGRAM_BUCKETS = (64 - BENCH_HISTOGRAM_SUB_BITS + 1) << BENCH_HISTOGRAM_SUB_BITS,
};

/* All zero: empty. */
struct bench_histogram {
    uint64_t total; /* values counted */
    uint64_t max;
    uint64_t count[BENCH_HISTOGRAM_BUCKETS];
};

void bench_histogram_add(struct bench_histogram *histogram, uint64_t value);
void bench_histogram_merge(struct bench_histogram *into, const struct bench_histogram *from);

/*
 * The smallest value such that `share` (0 to 1) of all values are at most so large; 0 when there is
 * none.
 */
uint64_t bench_histogram_at(const struct bench_histogram *histogram, double share);

#endif
