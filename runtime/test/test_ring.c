/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule ring against its definition: exact shares, even spacing, ties as in the list. */
#include <errno.h>

#include "check.h"

static struct tvs_ring *ring_make(const uint32_t *weight, uint32_t n)
{
    uint32_t id[64], len = tvs_ring_len(weight, n);
    struct tvs_ring *ring = malloc(sizeof(*ring) + len * sizeof(ring->backend[0]));

    assert_non_null(ring);
    for (uint32_t i = 0; i < n; i++)
        id[i] = 1000 + i;
    assert_int_equal(tvs_ring_build(ring, id, weight, n), 0);
    assert_int_equal(ring->len, len);
    return ring;
}

static void expect(const uint32_t *weight, uint32_t n, const uint32_t *wanted, uint32_t len)
{
    struct tvs_ring *ring = ring_make(weight, n);

    assert_int_equal(ring->len, len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(ring->backend[i], 1000 + wanted[i]);
    free(ring);
}

static void test_small_rings(void **state)
{
    (void)state;
    expect((uint32_t[]){3, 2, 1}, 3, (uint32_t[]){0, 1, 0, 2, 1, 0}, 6);
    expect((uint32_t[]){1, 1, 1}, 3, (uint32_t[]){0, 1, 2}, 3);
    expect((uint32_t[]){100, 100}, 2, (uint32_t[]){0, 1}, 2);
    expect((uint32_t[]){0, 7, 0}, 3, (uint32_t[]){1}, 1);
    expect((uint32_t[]){4, 2}, 2, (uint32_t[]){0, 1, 0}, 3);
    expect((uint32_t[]){1, 5}, 2, (uint32_t[]){1, 1, 0, 1, 1, 1}, 6);
    expect((uint32_t[]){0, 0}, 2, NULL, 0);
    expect(NULL, 0, NULL, 0);
}

/* At every point of the period a server has had its share, to less than one session. */
static void test_share_is_kept_all_along(void **state)
{
    uint64_t chance = 11;

    (void)state;
    for (int round = 0; round < 300; round++) {
        uint32_t n = 1 + random_below(&chance, 8), weight[8], count[8] = {0}, sum = 0;
        struct tvs_ring *ring;

        for (uint32_t i = 0; i < n; i++)
            weight[i] = random_below(&chance, 30);
        ring = ring_make(weight, n);
        for (uint32_t i = 0; i < n; i++)
            sum += weight[i];
        for (uint32_t k = 0; k < ring->len; k++) {
            uint32_t server = ring->backend[k] - 1000;

            count[server]++;
            for (uint32_t i = 0; i < n; i++) {
                double due = (double)(k + 1) * weight[i] / sum, off = count[i] - due;

                assert_true(off > -(double)n && off < (double)n);
                if (n <= 2)
                    assert_true(off > -1 && off < 1);
            }
        }
        for (uint32_t i = 0; i < n && ring->len; i++)
            assert_int_equal((uint64_t)count[i] * sum, (uint64_t)ring->len * weight[i]);
        free(ring);
    }
}

/* Straight from the definition: the next entry is the one with the least (k + 1/2) / weight. */
static void test_against_selection(void **state)
{
    uint64_t chance = 3;

    (void)state;
    for (int round = 0; round < 200; round++) {
        uint32_t n = 1 + random_below(&chance, 6), weight[6], taken[6] = {0};
        struct tvs_ring *ring;

        for (uint32_t i = 0; i < n; i++)
            weight[i] = random_below(&chance, 20);
        ring = ring_make(weight, n);
        for (uint32_t k = 0; k < ring->len; k++) {
            uint32_t best = n;

            for (uint32_t i = 0; i < n; i++) {
                if (weight[i] && (best == n || (2 * taken[i] + 1) * weight[best] <
                                                   (2 * taken[best] + 1) * weight[i]))
                    best = i;
            }
            assert_int_equal(ring->backend[k], 1000 + best);
            taken[best]++;
        }
        free(ring);
    }
}

static void test_too_long(void **state)
{
    const uint32_t coprime[] = {TVS_RING_MAX, 1}, largest[] = {UINT32_MAX, UINT32_MAX - 1};
    const uint32_t fits[] = {TVS_RING_MAX - 1, 1}, id[] = {0, 1};
    struct tvs_ring ring = {.len = 77};

    (void)state;
    assert_int_equal(tvs_ring_len(coprime, 2), 0);
    assert_int_equal(tvs_ring_build(&ring, id, coprime, 2), -E2BIG);
    assert_int_equal(ring.len, 0);
    assert_int_equal(tvs_ring_len(largest, 2), 0);
    assert_int_equal(tvs_ring_len(fits, 2), TVS_RING_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_rings),
        cmocka_unit_test(test_share_is_kept_all_along),
        cmocka_unit_test(test_against_selection),
        cmocka_unit_test(test_too_long),
    };

    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
