/* SPDX-License-Identifier: Apache-2.0 */
/* From a server's address to its id: every server is found, and in few steps wherever they are. */
#include <endian.h>
#include <stdlib.h>

#include "check.h"
#include "core/backend_index.h"

enum { MOST_STEPS = 32 };

static struct tvs_backend_index *index_make(uint32_t n, uint32_t step, uint32_t per_address,
                                            uint16_t n_pools)
{
    struct tvs_backend_index *index = tvs_backend_index_make(n);

    assert_non_null(index);
    for (uint32_t i = 0; i < n; i++)
        tvs_backend_index_add(index, (uint16_t)(i % n_pools),
                              htobe32(0x0a000001 + i / per_address * step),
                              htobe16((uint16_t)(8000 + i % per_address)), i);
    return index;
}

/* The longest row of entries in use is as far as any look-up goes, also one for nothing. */
static uint32_t longest_row(const struct tvs_backend_index *index)
{
    uint32_t longest = 0, row = 0;

    for (uint32_t at = 0; at < 2 * (index->mask + 1); at++) {
        row = index->entry[at & index->mask].id_plus_1 != 0 ? row + 1 : 0;
        longest = row > longest ? row : longest;
    }
    return longest;
}

static void test_every_server_is_found_in_few_steps(void **state)
{
    static const struct {
        uint32_t n, step, per_address;
        uint16_t n_pools;
    } sites[] = {
        {64, 1, 1, 1},      {50000, 1, 1, 500},   {10000, 256, 1, 1},   {250, 65536, 1, 1},
        {10000, 1, 100, 7}, {100, 1 << 24, 1, 1}, {10000, 1, 1, 10000}, {10000, 1, 10000, 1},
    };

    (void)state;
    for (unsigned s = 0; s < sizeof(sites) / sizeof(sites[0]); s++) {
        struct tvs_backend_index *index =
            index_make(sites[s].n, sites[s].step, sites[s].per_address, sites[s].n_pools);
        uint32_t id;

        for (uint32_t i = 0; i < sites[s].n; i++) {
            uint32_t address = 0x0a000001 + i / sites[s].per_address * sites[s].step;
            uint16_t port = (uint16_t)(8000 + i % sites[s].per_address);

            assert_true(tvs_backend_index_find(index, (uint16_t)(i % sites[s].n_pools),
                                               htobe32(address), htobe16(port), &id));
            assert_int_equal(id, i);
            assert_false(
                tvs_backend_index_find(index, UINT16_MAX, htobe32(address), htobe16(port), &id));
        }
        assert_in_range(longest_row(index), 1, MOST_STEPS);
        free(index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_server_is_found_in_few_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
