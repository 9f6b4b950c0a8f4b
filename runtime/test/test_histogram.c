/* SPDX-License-Identifier: Apache-2.0 */
/* The bench's histogram against percentiles of the sorted values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/node/histogram.h"

enum { N = 20000 };

static const double shares[] = {0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0};

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The value of which `share` of all are at most as large, by definition. */
static uint64_t naive(const uint64_t *sorted, unsigned n, double share)
{
    for (unsigned i = 0; i < n; i++)
        if ((double)(i + 1) >= share * n)
            return sorted[i];
    return sorted[n - 1];
}

static void same_as_sorting(uint64_t *values, unsigned n)
{
    static struct bench_histogram histogram;

    memset(&histogram, 0, sizeof(histogram));
    for (unsigned i = 0; i < n; i++)
        bench_histogram_add(&histogram, values[i]);
    qsort(values, n, sizeof(*values), compare);
    assert_int_equal(histogram.total, n);
    assert_int_equal(histogram.max, values[n - 1]);
    for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        uint64_t want = naive(values, n, shares[i]);
        uint64_t got = bench_histogram_at(&histogram, shares[i]);

        assert_true(got >= want);
        assert_true(got - want <= want / 64);
        if (want < 128)
            assert_int_equal(got, want);
    }
}

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void random_values_of_every_size(void **state)
{
    static uint64_t values[N];
    uint64_t random = 42;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < N; i++) {
            values[i] = next(&random);
            values[i] >>= next(&random) % 64;
        }
        same_as_sorting(values, N);
        same_as_sorting(values, 1 + round);
    }
}

static void edges_of_buckets(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++)
        for (int around = -2; around <= 2; around++) {
            uint64_t values[] = {(UINT64_C(1) << bit) + (uint64_t)(int64_t)around};

            same_as_sorting(values, 1);
        }
    same_as_sorting((uint64_t[]){0, UINT64_MAX}, 2);
}

static void merged_is_as_if_added(void **state)
{
    static struct bench_histogram a, b, both;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        bench_histogram_add(i % 3 != 0 ? &a : &b, i * i);
        bench_histogram_add(&both, i * i);
    }
    bench_histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof(a));
}

static void empty_has_no_percentile(void **state)
{
    static const struct bench_histogram empty;

    (void)state;
    assert_int_equal(bench_histogram_at(&empty, 0.5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_values_of_every_size),
        cmocka_unit_test(edges_of_buckets),
        cmocka_unit_test(merged_is_as_if_added),
        cmocka_unit_test(empty_has_no_percentile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
