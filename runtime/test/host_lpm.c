/* SPDX-License-Identifier: Apache-2.0 */
/* The range table against a scan of all prefixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host/lpm.h"

enum { ROUNDS = 60, ROUTES_MAX = 300, LOOKUPS = 3000 };

static uint32_t random_u32(void)
{
    return (uint32_t)random() << 16 ^ (uint32_t)random();
}

static uint32_t mask(uint8_t prefix_len)
{
    return prefix_len ? UINT32_MAX << (32 - prefix_len) : 0;
}

static uint16_t naive_find(const struct tvs_lpm_route *routes, unsigned n, uint32_t address)
{
    int best = -1;
    uint16_t leaf = 0;

    for (unsigned i = 0; i < n; i++) {
        if ((address & mask(routes[i].prefix_len)) !=
            (routes[i].address & mask(routes[i].prefix_len)))
            continue;
        if (routes[i].prefix_len > best) {
            best = routes[i].prefix_len;
            leaf = routes[i].leaf;
        }
    }
    return leaf;
}

/* Close together, so that prefixes nest, touch and share their top 16 bits. */
static uint32_t address_near(uint32_t base)
{
    return base ^ (random_u32() & UINT32_MAX >> random() % 32);
}

static void one_round(unsigned n)
{
    struct tvs_lpm_route routes[ROUTES_MAX];
    uint32_t base = random_u32();
    struct tvs_lpm *lpm;

    for (unsigned i = 0; i < n; i++) {
        routes[i].prefix_len = (uint8_t)(random() % 33);
        routes[i].address = address_near(base) & mask(routes[i].prefix_len);
        routes[i].leaf = (uint16_t)(1 + random() % 5);
        /* of equal prefixes any may count: give them equal leaves */
        for (unsigned k = 0; k < i; k++)
            if (routes[k].address == routes[i].address &&
                routes[k].prefix_len == routes[i].prefix_len)
                routes[i].leaf = routes[k].leaf;
    }
    lpm = tvs_lpm_build(routes, n);
    assert_non_null(lpm);
    for (unsigned i = 0; i < LOOKUPS; i++) {
        uint32_t address = address_near(base);

        assert_int_equal(tvs_lpm_find(lpm, address), naive_find(routes, n, address));
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t first = routes[i].address, last = first | ~mask(routes[i].prefix_len);
        uint32_t edges[] = {first, last, first - 1, last + 1};

        for (unsigned k = 0; k < 4; k++)
            assert_int_equal(tvs_lpm_find(lpm, edges[k]), naive_find(routes, n, edges[k]));
    }
    tvs_lpm_free(lpm);
}

static void agrees_with_a_scan(void **state)
{
    (void)state;
    srandom(1);
    for (unsigned round = 0; round < ROUNDS; round++)
        one_round((unsigned)(random() % ROUTES_MAX));
}

static void empty_finds_nothing(void **state)
{
    struct tvs_lpm *lpm = tvs_lpm_build(NULL, 0);

    (void)state;
    assert_int_equal(tvs_lpm_find(lpm, 0), 0);
    assert_int_equal(tvs_lpm_find(lpm, UINT32_MAX), 0);
    tvs_lpm_free(lpm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_scan),
        cmocka_unit_test(empty_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
