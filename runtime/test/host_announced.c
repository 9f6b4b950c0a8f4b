/* SPDX-License-Identifier: Apache-2.0 */
/* What a reload changes of the announced routes; the test plays the kernel. */
#include "check.h"

#include <errno.h>

#include "host/announced.h"
#include "host/exception.h"
#include "host/log.h"

enum { N_ADDRESSES = 64, IFINDEX = 7 };

/* The kernel's table: [address][prefix length - 31]. */
static bool table[N_ADDRESSES][2];
static unsigned n_added, n_deleted, fail_at;

static bool *place(const struct tvs_rtnl_route *route)
{
    assert_int_equal(route->table, TVS_EXCEPTION_TABLE);
    assert_int_equal(route->ifindex, IFINDEX);
    assert_true(route->address < N_ADDRESSES);
    return &table[route->address][route->prefix_len - 31];
}

int tvs_rtnl_route_add(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route)
{
    (void)rtnl;
    if (fail_at && ++n_added == fail_at)
        return -ENOBUFS;
    *place(route) = true;
    return 0;
}

int tvs_rtnl_route_del(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route)
{
    bool *there = place(route);

    (void)rtnl;
    n_deleted++;
    if (!*there)
        return -ESRCH;
    *there = false;
    return 0;
}

/* A generation of random routes, in random order, some of them twice, some VIPs withheld. */
struct wanted {
    struct tvs_gen_route routes[2 * N_ADDRESSES];
    bool withheld[2 * N_ADDRESSES]; /* by VIP route */
    bool table[N_ADDRESSES][2];
    struct tvs_generation generation;
};

static void draw(struct wanted *wanted, uint64_t *chance)
{
    bool held[N_ADDRESSES][2];
    uint32_t n = random_below(chance, 2 * N_ADDRESSES + 1);
    uint32_t n_vips = n ? random_below(chance, n) : 0;

    memset(wanted, 0, sizeof(*wanted));
    for (uint32_t i = 0; i < 2 * N_ADDRESSES; i++)
        held[i / 2][i % 2] = random_below(chance, 4) == 0;
    for (uint32_t i = 0; i < n; i++) {
        bool is_vip = i < n_vips; /* no route of another kind is to a VIP */
        uint32_t address = random_below(chance, N_ADDRESSES / 2) + (is_vip ? 0 : N_ADDRESSES / 2);
        uint32_t longer = random_below(chance, 2);

        wanted->routes[i] =
            (struct tvs_gen_route){.address = address, .prefix_len = (uint8_t)(31 + longer)};
        wanted->withheld[i] = is_vip && held[address][longer];
        wanted->table[address][longer] = !wanted->withheld[i];
    }
    wanted->generation = (struct tvs_generation){.vip_routes = wanted->routes,
                                                 .n_vip_routes = n_vips,
                                                 .routes = wanted->routes + n_vips,
                                                 .n_routes = n - n_vips};
}

static int follow(struct tvs_announced *announced, const struct wanted *wanted)
{
    n_added = n_deleted = 0;
    return tvs_announced_follow(announced, NULL, &wanted->generation, wanted->withheld, IFINDEX,
                                "tvs0");
}

/* Whatever comes after whatever, and however often it fails: the kernel has one of the two. */
static void test_the_kernel_follows(void **state)
{
    struct tvs_announced announced = {0};
    static struct wanted now, next;
    uint64_t chance = 1;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        draw(&next, &chance);
        fail_at = random_below(&chance, 3) ? 0 : 1 + random_below(&chance, N_ADDRESSES);
        if (follow(&announced, &next) == 0)
            now = next;
        else
            assert_int_equal(n_added, fail_at);
        assert_memory_equal(table, now.table, sizeof(table));
        assert_int_equal(announced.n, now.generation.n_vip_routes + now.generation.n_routes);
    }
    fail_at = 0;
    memset(table, 0, sizeof(table));
    assert_int_equal(tvs_announced_restore(&announced, NULL), 0);
    assert_memory_equal(table, now.table, sizeof(table));
    tvs_announced_withdraw(&announced, NULL, "tvs0");
    assert_int_equal(announced.n, 0);
    memset(now.table, 0, sizeof(now.table));
    assert_memory_equal(table, now.table, sizeof(table));
    tvs_announced_free(&announced);
}

/* What stays is never out of the table, not for a moment. */
static void test_what_stays_is_not_touched(void **state)
{
    struct tvs_announced announced = {0};
    static struct wanted wanted;
    uint64_t chance = 2;

    (void)state;
    do
        draw(&wanted, &chance);
    while (wanted.generation.n_routes == 0);
    assert_int_equal(follow(&announced, &wanted), 0);
    assert_int_equal(follow(&announced, &wanted), 0);
    assert_int_equal(n_deleted, 0);
    tvs_announced_withdraw(&announced, NULL, "tvs0");
    tvs_announced_free(&announced);
}

/* One VIP's route goes and comes; no other is touched, and a link that comes back keeps to it. */
static void test_a_vip_is_withheld(void **state)
{
    static struct wanted wanted;
    struct tvs_announced announced = {0};
    struct tvs_gen_route vips[N_ADDRESSES / 2];
    uint64_t chance = 3;

    (void)state;
    for (uint32_t i = 0; i < N_ADDRESSES / 2; i++)
        vips[i] = (struct tvs_gen_route){.address = i * 7 % (N_ADDRESSES / 2), .prefix_len = 32};
    wanted.generation =
        (struct tvs_generation){.vip_routes = vips, .n_vip_routes = N_ADDRESSES / 2};
    assert_int_equal(follow(&announced, &wanted), 0);
    for (uint32_t i = 0; i < N_ADDRESSES / 2; i++)
        wanted.table[i][1] = true;
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t vip = random_below(&chance, N_ADDRESSES / 2);
        bool withheld = random_below(&chance, 2), changes = wanted.table[vip][1] == withheld;

        n_added = n_deleted = 0;
        fail_at = random_below(&chance, 4) == 0;
        if (tvs_announced_withhold(&announced, NULL, vip, withheld) == 0)
            wanted.table[vip][1] = !withheld;
        else
            assert_true(fail_at && changes && !withheld);
        assert_int_equal(n_deleted, changes && withheld);
        assert_memory_equal(table, wanted.table, sizeof(table));
        fail_at = 0;
        if (random_below(&chance, 10) == 0) {
            memset(table, 0, sizeof(table));
            assert_int_equal(tvs_announced_restore(&announced, NULL), 0);
            assert_memory_equal(table, wanted.table, sizeof(table));
        }
    }
    tvs_announced_withdraw(&announced, NULL, "tvs0");
    memset(wanted.table, 0, sizeof(wanted.table));
    assert_memory_equal(table, wanted.table, sizeof(table));
    assert_int_equal(tvs_announced_withhold(&announced, NULL, 1, false), 0);
    assert_memory_equal(table, wanted.table, sizeof(table));
    tvs_announced_free(&announced);
}

static int quiet(void **state)
{
    (void)state;
    tvs_log_level_set(TVS_LOG_ERROR - 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_kernel_follows),
        cmocka_unit_test(test_what_stays_is_not_touched),
        cmocka_unit_test(test_a_vip_is_withheld),
    };

    return cmocka_run_group_tests_name("announced", tests, quiet, NULL);
}
