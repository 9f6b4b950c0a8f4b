/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/node/histogram.h"

enum { SUB = 1 << BENCH_HISTOGRAM_SUB_BITS };

static unsigned bucket_of(uint64_t value)
{
    unsigned shift = value < SUB ? 0 : 63U - (unsigned)__builtin_clzll(value);

    shift -= shift > BENCH_HISTOGRAM_SUB_BITS ? BENCH_HISTOGRAM_SUB_BITS : shift;
    return shift * SUB + (unsigned)(value >> shift);
}

static uint64_t largest_of(unsigned bucket)
{
    unsigned shift = bucket < 2 * SUB ? 0 : bucket / SUB - 1;
    uint64_t leading = bucket - shift * SUB;

    return ((leading + 1) << shift) - 1;
}

void bench_histogram_add(struct bench_histogram *histogram, uint64_t value)
{
    histogram->count[bucket_of(value)]++;
    histogram->total++;
    if (value > histogram->max)
        histogram->max = value;
}

void bench_histogram_merge(struct bench_histogram *into, const struct bench_histogram *from)
{
    for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++)
        into->count[i] += from->count[i];
    into->total += from->total;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t bench_histogram_at(const struct bench_histogram *histogram, double share)
{
    double exact = share * (double)histogram->total;
    uint64_t wanted = (uint64_t)exact;
    uint64_t seen = 0;

    if (histogram->total == 0)
        return 0;
    wanted += (double)wanted < exact || wanted == 0;
    for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->count[i];
        if (seen >= wanted)
            return largest_of(i) < histogram->max ? largest_of(i) : histogram->max;
    }
    return histogram->max;
}
