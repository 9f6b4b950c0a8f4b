/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel tells -> where a worker would send. */
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/fib.h"

enum { LINK = 0xc0000200, GATEWAY = LINK + 1, OTHER = LINK + 2, FAR = 0x08080808 };

static const uint8_t port_macs[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
static struct tvs_fib *fib;
static struct tvs_fib_table *table;

static int setup(void **state)
{
    (void)state;
    fib = tvs_fib_new(2, port_macs);
    table = NULL;
    return fib ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tvs_fib_table_free(table);
    tvs_fib_free(fib);
    return 0;
}

static void build(void)
{
    tvs_fib_table_free(table);
    table = tvs_fib_build(fib, NULL, 0, 0);
    assert_non_null(table);
    assert_false(tvs_fib_dirty(fib));
}

static uint16_t look(uint32_t address)
{
    return tvs_fib_lookup(table, htonl(address));
}

static const struct tvs_nexthop *entry(uint16_t id)
{
    return &tvs_nexthops_entries(tvs_fib_nexthops(fib))[id];
}

static void route(int port, uint32_t address, uint8_t prefix_len, uint32_t gateway,
                  uint32_t priority)
{
    struct tvs_rtnl_route value = {.address = address,
                                   .prefix_len = prefix_len,
                                   .gateway = gateway,
                                   .priority = priority,
                                   .type = RTN_UNICAST,
                                   .table = RT_TABLE_MAIN};

    assert_int_equal(tvs_fib_route(fib, port, &value, false, false), 0);
}

static void neighbour(unsigned port, uint32_t address, uint16_t state, uint8_t mac)
{
    struct tvs_rtnl_neighbour value = {
        .address = address, .state = state, .has_mac = mac != 0, .mac = {6, 0, 0, 0, 0, mac}};

    tvs_fib_neighbour(fib, port, &value);
}

static unsigned questions(void)
{
    uint32_t address;
    uint8_t port;
    unsigned n = 0;

    tvs_glean_begin(tvs_fib_glean(fib));
    for (unsigned i = 0; i < TVS_GLEAN_SLOTS; i++)
        n += (unsigned)tvs_glean_take(tvs_fib_glean(fib), i, &port, &address);
    return n;
}

static void gateway_is_used_once_it_is_known(void **state)
{
    uint16_t id;

    (void)state;
    route(0, LINK, 24, 0, 0);
    route(0, 0, 0, GATEWAY, 1024);
    build();
    id = look(FAR);
    assert_int_not_equal(id, 0);
    assert_int_equal(entry(id)->valid, 0);

    neighbour(0, GATEWAY, NUD_REACHABLE, 9);
    assert_int_equal(entry(id)->valid, 1);
    assert_memory_equal(entry(id)->l2, "\x06\0\0\0\0\x09\x02\0\0\0\0\x01\x08\0", 14);
    neighbour(0, GATEWAY, NUD_STALE, 10); /* another card */
    assert_int_equal(entry(id)->l2[5], 10);
    neighbour(0, GATEWAY, NUD_FAILED, 0);
    assert_int_equal(entry(id)->valid, 0);
    build();
    assert_int_equal(look(FAR), id); /* still the gateway's, until it answers */
}

static void address_on_the_link_is_asked_for(void **state)
{
    uint16_t id;

    (void)state;
    route(1, LINK, 24, 0, 0);
    build();
    assert_int_equal(look(OTHER), 0);
    assert_int_equal(look(OTHER), 0);
    assert_int_equal(questions(), 1);
    assert_true(tvs_fib_miss(fib, 1, OTHER, 0));

    neighbour(1, OTHER, NUD_REACHABLE, 7);
    assert_true(tvs_fib_dirty(fib));
    build();
    id = look(OTHER);
    assert_int_equal(entry(id)->valid, 1);
    assert_int_equal(entry(id)->port, 1);
    assert_int_equal(questions(), 0);
    assert_int_equal(look(OTHER + 1), 0);
}

static void lowest_metric_counts_and_the_next_takes_over(void **state)
{
    struct tvs_rtnl_route better = {
        .gateway = OTHER, .priority = 5, .type = RTN_UNICAST, .table = RT_TABLE_MAIN};

    (void)state;
    route(0, LINK, 24, 0, 0);
    route(0, 0, 0, GATEWAY, 1024);
    assert_int_equal(tvs_fib_route(fib, 0, &better, false, false), 0);
    neighbour(0, GATEWAY, NUD_PERMANENT, 1);
    neighbour(0, OTHER, NUD_PERMANENT, 2);
    build();
    assert_int_equal(entry(look(FAR))->l2[5], 2);
    assert_int_equal(tvs_fib_route(fib, 0, &better, true, false), 0);
    build();
    assert_int_equal(entry(look(FAR))->l2[5], 1);
}

static void replacing_takes_the_old_route_away(void **state)
{
    struct tvs_rtnl_route elsewhere = {.type = RTN_UNICAST, .table = RT_TABLE_MAIN, .priority = 7};

    (void)state;
    route(0, LINK, 24, 0, 0);
    route(0, 0, 0, GATEWAY, 7);
    build();
    assert_int_not_equal(look(FAR), 0);
    assert_int_equal(tvs_fib_route(fib, -1, &elsewhere, false, true), 0);
    build();
    assert_int_equal(look(FAR), 0);
}

static void other_tables_and_refused_prefixes(void **state)
{
    struct tvs_rtnl_route refused = {
        .address = FAR, .prefix_len = 32, .type = RTN_BLACKHOLE, .table = RT_TABLE_MAIN};
    struct tvs_rtnl_route foreign = {
        .address = FAR + 1, .prefix_len = 32, .gateway = OTHER, .type = RTN_UNICAST, .table = 100};

    (void)state;
    route(0, 0, 0, GATEWAY, 0);
    tvs_fib_route(fib, 0, &refused, false, false);
    tvs_fib_route(fib, 0, &foreign, false, false);
    build();
    assert_int_equal(look(FAR), 0);
    assert_int_equal(look(FAR + 1), look(FAR + 2));
}

static void unneeded_next_hops_come_back_later(void **state)
{
    struct tvs_nexthops *nexthops = tvs_fib_nexthops(fib);
    uint16_t id, again;

    (void)state;
    route(0, LINK, 24, 0, 0);
    neighbour(0, OTHER, NUD_REACHABLE, 7);
    build();
    id = look(OTHER);
    neighbour(0, OTHER, 0, 0); /* the kernel forgot it */
    build();
    assert_int_equal(tvs_nexthops_collect(nexthops), 1);
    assert_int_equal(entry(id)->valid, 0);
    for (unsigned i = 0; i < TVS_MAX_NEXTHOPS - 2; i++) {
        again = tvs_nexthops_want(nexthops, 0, 0x0a000000 + i, TVS_NEED_MISS);
        assert_int_not_equal(again, 0);
        assert_int_not_equal(again, id); /* a worker may still hold it */
    }
    assert_int_equal(tvs_nexthops_want(nexthops, 0, FAR, TVS_NEED_MISS), 0);
    tvs_nexthops_reuse(nexthops);
    assert_int_equal(tvs_nexthops_want(nexthops, 0, FAR, TVS_NEED_MISS), id);
    assert_int_equal(tvs_nexthops_want(nexthops, 0, FAR + 1, TVS_NEED_MISS), 0);
}

static void backends_on_the_link_are_wanted(void **state)
{
    struct tvs_backend backends[] = {{.addr_be = htonl(OTHER)}, {.addr_be = htonl(FAR)}};
    struct tvs_nexthops *nexthops = tvs_fib_nexthops(fib);

    (void)state;
    route(1, LINK, 24, 0, 0);
    table = tvs_fib_build(fib, backends, 2, 0);
    assert_int_not_equal(tvs_nexthops_find(nexthops, 1, OTHER), 0);
    assert_int_equal(tvs_nexthops_count(nexthops), 1);
    assert_int_equal(tvs_fib_port_of(table, tvs_nexthops_entries(nexthops), OTHER), 1);
    assert_true(tvs_fib_port_of(table, tvs_nexthops_entries(nexthops), FAR) < 0);
}

static void flood_of_questions_is_bounded(void **state)
{
    unsigned taken = 0;

    (void)state;
    route(0, 0, 0, 0, 0); /* everything on the link */
    build();
    for (uint32_t i = 1; i < 100000; i++)
        look(i * 2654435761u);
    assert_true(questions() <= TVS_GLEAN_SLOTS);
    for (uint32_t i = 1; i < 100000; i++)
        taken += tvs_fib_miss(fib, 0, i, 0);
    assert_true(taken <= 1024);
    tvs_fib_table_free(table);
    table = tvs_fib_build(fib, NULL, 0, 60000);
    tvs_nexthops_collect(tvs_fib_nexthops(fib));
    assert_int_equal(tvs_nexthops_count(tvs_fib_nexthops(fib)), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(gateway_is_used_once_it_is_known),
        TEST(address_on_the_link_is_asked_for),
        TEST(lowest_metric_counts_and_the_next_takes_over),
        TEST(replacing_takes_the_old_route_away),
        TEST(other_tables_and_refused_prefixes),
        TEST(unneeded_next_hops_come_back_later),
        TEST(backends_on_the_link_are_wanted),
        TEST(flood_of_questions_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
