/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maglev tables: against the definition, written out; how even they are; how little moves when a
 * server leaves, comes or changes its weight. docs/schedulers.md states the bounds.
 */
#include <errno.h>

#include "check.h"

#include "core/schedule.h"

enum { MAX_SERVERS = 170, TWO = 2 };

static const uint64_t key[2] = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

/* Server i of 10.20.0.0/16, with id 1000 + i; those of no weight are left out. */
static uint32_t servers_make(struct tvs_maglev_server *server, const uint32_t *weight, uint32_t n)
{
    uint32_t n_up = 0;

    for (uint32_t i = 0; i < n; i++)
        if (weight[i] != 0)
            server[n_up++] = (struct tvs_maglev_server){
                .id = 1000 + i,
                .addr_be = htobe32(0x0a140000 + i),
                .port_be = htobe16(8080),
                .weight = weight[i],
            };
    return n_up;
}

static struct tvs_ring *table_make(uint32_t size, const uint32_t *weight, uint32_t n)
{
    struct tvs_maglev_server server[MAX_SERVERS];
    struct tvs_ring *table = malloc(sizeof(*table) + size * sizeof(table->backend[0]));
    uint32_t n_up = servers_make(server, weight, n);

    assert_non_null(table);
    assert_int_equal(tvs_maglev_build(table, size, key, server, n_up), 0);
    assert_int_equal(table->len, n_up != 0 ? size : 0);
    return table;
}

/* The paper's loop over permutations that are written out, the turns found by looking at all. */
static void table_naive(uint32_t *entry, uint32_t size, const uint32_t *weight, uint32_t n)
{
    uint32_t *permutation = malloc(sizeof(uint32_t) * n * size);
    uint32_t next[MAX_SERVERS] = {0}, taken[MAX_SERVERS] = {0};

    assert_non_null(permutation);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t name = (UINT64_C(0x0a140000) + i) << 16 | 8080;
        uint64_t offset = tvs_words_hash(name, 1, key) % size;
        uint64_t skip = tvs_words_hash(name, 2, key) % (size - 1) + 1;

        for (uint64_t j = 0; j < size; j++)
            permutation[i * size + j] = (uint32_t)((offset + j * skip) % size);
    }
    for (uint32_t e = 0; e < size; e++)
        entry[e] = 0;
    for (uint32_t filled = 0; filled < size; filled++) {
        uint32_t best = n, at;

        for (uint32_t i = 0; i < n; i++)
            if (weight[i] != 0 && (best == n || (uint64_t)(2 * taken[i] + 1) * weight[best] <
                                                    (uint64_t)(2 * taken[best] + 1) * weight[i]))
                best = i;
        taken[best]++;
        do
            at = permutation[best * size + next[best]++];
        while (entry[at] != 0);
        entry[at] = 1000 + best;
    }
    free(permutation);
}

static void test_against_the_definition(void **state)
{
    static const uint32_t sizes[] = {3, 7, 13, 251, 1021};
    uint64_t chance = 5;

    (void)state;
    for (int round = 0; round < 200; round++) {
        uint32_t size = sizes[random_below(&chance, 5)], weight[12];
        uint32_t n = 1 + random_below(&chance, size < 12 ? size : 12);
        uint32_t most = random_below(&chance, 2) ? 3 : 1000;
        uint32_t wanted[1021];
        struct tvs_ring *table;

        for (uint32_t i = 0; i < n; i++)
            weight[i] = random_below(&chance, most);
        weight[0]++;
        table = table_make(size, weight, n);
        table_naive(wanted, size, weight, n);
        assert_memory_equal(table->backend, wanted, size * sizeof(wanted[0]));
        free(table);
    }
}

static void test_neither_order_nor_ids_matter(void **state)
{
    const uint32_t weight[] = {1, 2, 3, 1, 1};
    struct tvs_maglev_server server[5], turned[5];
    struct tvs_ring *table = table_make(251, weight, 5), *other = table_make(251, weight, 5);

    (void)state;
    servers_make(server, weight, 5);
    for (uint32_t i = 0; i < 5; i++) {
        turned[i] = server[4 - i];
        turned[i].id += 5000;
    }
    assert_int_equal(tvs_maglev_build(other, 251, key, turned, 5), 0);
    for (uint32_t e = 0; e < 251; e++)
        assert_int_equal(other->backend[e], table->backend[e] + 5000);
    free(table);
    free(other);
}

/* With equal weights shares differ by one entry; otherwise each is right to less than two. */
static void test_evenness(void **state)
{
    static const struct {
        uint32_t size, n;
    } pools[] = {{1021, 2}, {1021, 3}, {1021, 10}, {4093, 11}, {4093, 40}, {16381, 163}};
    uint64_t chance = 9;

    (void)state;
    for (int round = 0; round < 60; round++) {
        uint32_t size = pools[round % 6].size, n = pools[round % 6].n, most = round % 3 ? 100 : 1;
        uint32_t weight[MAX_SERVERS], count[MAX_SERVERS] = {0};
        int64_t sum = 0;
        struct tvs_ring *table;

        for (uint32_t i = 0; i < n; i++)
            sum += weight[i] = 1 + random_below(&chance, most);
        table = table_make(size, weight, n);
        for (uint32_t e = 0; e < size; e++)
            count[table->backend[e] - 1000]++;
        for (uint32_t i = 0; i < n; i++) {
            int64_t off = (int64_t)count[i] * sum - (int64_t)size * weight[i];

            assert_true(llabs(off) < (most == 1 ? 1 : TWO) * sum);
        }
        free(table);
    }
}

/* Of the entries that `one` has for servers other than `left`, how many are others' in `other`. */
static uint32_t moved(const struct tvs_ring *one, const struct tvs_ring *other, uint32_t left,
                      uint32_t *kept)
{
    uint32_t n = 0;

    *kept = 0;
    for (uint32_t e = 0; e < one->len; e++) {
        if (one->backend[e] == left)
            continue;
        n += one->backend[e] != other->backend[e];
        *kept += 1;
    }
    return n;
}

enum { MOST_MOVED_PERMILLE = 50 };

/* Every server of pools of every size class leaves; read backwards, it comes. */
static void test_disruption(void **state)
{
    uint64_t chance = 21;

    (void)state;
    for (uint32_t n = 2; n <= 163; n += n < 40 ? 1 : 41) {
        uint32_t size = n <= 10 ? 1021 : n <= 40 ? 4093 : 16381;
        uint32_t weight[MAX_SERVERS], kept;
        struct tvs_ring *table;

        for (uint32_t i = 0; i < n; i++)
            weight[i] = n % 2 ? 1 : 1 + random_below(&chance, 10);
        table = table_make(size, weight, n);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t was = weight[i], changed;
            struct tvs_ring *without;

            weight[i] = 0;
            without = table_make(size, weight, n);
            changed = moved(table, without, 1000 + i, &kept);
            if (changed * UINT32_C(1000) > kept * MOST_MOVED_PERMILLE)
                fail_msg("%u of %u entries of %u servers moved", changed, kept, n);
            free(without);
            weight[i] = was;
        }
        free(table);
    }
}

/* A server gets half its weight: nothing but its own share and a few entries change hands. */
static void test_disruption_of_a_weight(void **state)
{
    uint32_t weight[20], kept;

    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        weight[i] = 10;
    for (uint32_t i = 0; i < 20; i++) {
        struct tvs_ring *before = table_make(4093, weight, 20), *after;
        uint32_t changed;

        weight[i] = 5;
        after = table_make(4093, weight, 20);
        weight[i] = 10;
        changed = moved(before, after, 1000 + i, &kept);
        assert_true(changed * 1000 <= kept * MOST_MOVED_PERMILLE);
        free(before);
        free(after);
    }
}

/* Neighbouring addresses and ports, the worst for a simple hash, are spread as by chance. */
static void test_flows_are_spread(void **state)
{
    const uint32_t weight[] = {1, 1, 2, 4};
    enum { FLOWS = 65536 };
    struct tvs_site site = {.flow_key = {key[0], key[1]}};
    struct tvs_ring *table = table_make(1021, weight, 4);
    uint32_t by_flow[4] = {0}, by_source[4] = {0};

    (void)state;
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct tvs_key flow = {.proto = TVS_TCP};

        flow.tuple = (struct tvs_tuple){
            .saddr_be = htobe32(0xc6120000 + i),
            .daddr_be = htobe32(0xcb00710a),
            .sport_be = htobe16(1024),
            .dport_be = htobe16(80),
        };
        by_source[tvs_schedule_by_source(&site, table, &flow) - 1000]++;
        flow.tuple.saddr_be = htobe32(0xc6120001);
        flow.tuple.sport_be = htobe16((uint16_t)i);
        by_flow[tvs_schedule_by_flow(&site, table, &flow) - 1000]++;
    }
    for (uint32_t i = 0; i < 4; i++) {
        /* six standard deviations at most, sqrt(65536 p (1 - p)) < 128, and an entry's share */
        int32_t share = (int32_t)(FLOWS * weight[i] / 8);

        assert_in_range(abs((int32_t)by_source[i] - share), 0, 6 * 128 + FLOWS / 1021);
        assert_in_range(abs((int32_t)by_flow[i] - share), 0, 6 * 128 + FLOWS / 1021);
    }
    free(table);
}

static void test_a_client_keeps_its_server(void **state)
{
    const uint32_t weight[] = {1, 1, 1, 1, 1};
    struct tvs_site site = {.flow_key = {key[0], key[1]}};
    struct tvs_ring *table = table_make(1021, weight, 5);
    struct tvs_key flow = {.proto = TVS_TCP, .tuple = {.saddr_be = htobe32(0xc6120001)}};
    uint32_t first = tvs_schedule_by_source(&site, table, &flow);

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        flow.tuple.sport_be = (uint16_t)(i * 7919);
        flow.tuple.dport_be = (uint16_t)i;
        flow.proto = i % 2 ? TVS_TCP : TVS_UDP;
        assert_int_equal(tvs_schedule_by_source(&site, table, &flow), first);
    }
    free(table);
}

static void test_what_cannot_be(void **state)
{
    const uint32_t none[] = {0, 0};
    struct tvs_maglev_server server = {.weight = 1};
    struct tvs_ring *empty = table_make(251, none, 2), table = {.len = 77};

    (void)state;
    free(empty);
    assert_int_equal(tvs_maglev_build(&table, 252, key, &server, 1), -EINVAL);
    assert_int_equal(table.len, 0);
    assert_int_equal(tvs_maglev_build(&table, 0, key, &server, 1), -EINVAL);
    assert_int_equal(tvs_maglev_build(&table, (1 << 20) + 7, key, &server, 1), -EINVAL);
    assert_false(tvs_maglev_size_is_valid(251, 252));
    assert_true(tvs_maglev_size_is_valid(251, 251));
    assert_true(tvs_maglev_size_is_valid(1048573, 10485));
    assert_false(tvs_maglev_size_is_valid(1021 * 1019, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_definition),
        cmocka_unit_test(test_neither_order_nor_ids_matter),
        cmocka_unit_test(test_evenness),
        cmocka_unit_test(test_disruption),
        cmocka_unit_test(test_disruption_of_a_weight),
        cmocka_unit_test(test_flows_are_spread),
        cmocka_unit_test(test_a_client_keeps_its_server),
        cmocka_unit_test(test_what_cannot_be),
    };

    return cmocka_run_group_tests_name("maglev", tests, NULL, NULL);
}
