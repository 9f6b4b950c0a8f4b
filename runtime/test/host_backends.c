/* SPDX-License-Identifier: Apache-2.0 */
/* Pools over their life: ids, rings, drain, weight, and what a new generation keeps. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host_stubs.h"

#include "host/backends.h"

enum { A = 0x0a000001, B = 0x0a000002, C = 0x0a000003 };

static struct tvs_host host;
static struct tvs_pool *pools[2];
static struct tvs_timer end;

static void stop(void *context)
{
    (void)context;
    tvs_loop_stop(host.loop);
}

/* Lets what is due happen. */
static void turn(void)
{
    tvs_timer_init(&end, stop, NULL);
    tvs_timer_set(host.loop, &end, 2, 0);
    assert_int_equal(tvs_loop_run(host.loop), 0);
}

static int setup(void **state)
{
    (void)state;
    memset(&host, 0, sizeof(host));
    host.loop = tvs_loop_new();
    tvs_log_level_set(TVS_LOG_ERROR);
    return tvs_backends_start(&host);
}

static int teardown(void **state)
{
    (void)state;
    tvs_backends_stop(&host);
    memset(&stub_changed, 0, sizeof(stub_changed));
    stub_retired_release();
    tvs_loop_free(host.loop);
    return 0;
}

static int bind_scheduled(const struct tvs_gen_backend *backends, uint32_t n, uint8_t check,
                          uint8_t scheduler)
{
    const struct tvs_gen_pool gen_pools[] = {{.name = "web",
                                              .scheduler = scheduler,
                                              .table_size = 251,
                                              .n_backends = n,
                                              .backends = backends,
                                              .check = {.kind = check}},
                                             {.name = "empty", .table_size = 251}};
    const struct tvs_generation generation = {
        .n_pools = 2, .pools = gen_pools, .path_site = &stub_site};

    return tvs_backends_bind(&host, &generation, pools, NULL);
}

static int bind_web(const struct tvs_gen_backend *backends, uint32_t n, uint8_t check)
{
    return bind_scheduled(backends, n, check, TVS_SCHED_WRR);
}

/* How often `id` is in the ring. */
static uint32_t share(uint32_t id)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < pools[0]->ring->len; i++)
        n += pools[0]->ring->backend[i] == id;
    return n;
}

static uint32_t id_of(uint32_t address)
{
    bool known;
    int64_t id = tvs_backends_find(&host, "web", address, 80, &known);

    assert_true(id >= 0);
    assert_int_equal(host.backend_table[id].addr_be, htonl(address));
    return (uint32_t)id;
}

static const struct tvs_gen_backend three[] = {
    {.address = A, .port = 80, .weight = 1},
    {.address = B, .port = 80, .weight = 2},
    {.address = C, .port = 80, .weight = 1, .drain = true},
};

static void unchecked_backends_serve_at_once(void **state)
{
    (void)state;
    assert_int_equal(bind_web(three, 3, TVS_CHECK_NONE), 0);
    assert_int_equal(pools[0]->ring->len, 3);
    assert_int_equal(share(id_of(A)), 1);
    assert_int_equal(share(id_of(B)), 2);
    assert_int_equal(host.backend_table[id_of(C)].state, TVS_BACKEND_DRAIN);
    assert_int_equal(pools[1]->ring->len, 0);
}

static void checked_backends_wait_for_their_check(void **state)
{
    (void)state;
    assert_int_equal(bind_web(three, 3, TVS_CHECK_TCP), 0);
    assert_int_equal(pools[0]->ring->len, 0);
    tvs_backends_health(&host, id_of(B), true);
    tvs_backends_health(&host, id_of(C), true);
    turn();
    assert_int_equal(pools[0]->ring->len, 1);
    assert_int_equal(share(id_of(B)), 1);
    tvs_backends_drain(&host, id_of(C), false);
    turn();
    assert_int_equal(pools[0]->ring->len, 3);
    tvs_backends_health(&host, id_of(B), false);
    turn();
    assert_int_equal(share(id_of(B)), 0);
    assert_int_equal(host.backend_table[id_of(B)].state, TVS_BACKEND_DOWN);
}

/* Servers that count for `min-up`: those that take new sessions, and nobody else. */
static void levels_follow_what_takes_sessions(void **state)
{
    (void)state;
    assert_int_equal(bind_web(three, 3, TVS_CHECK_NONE), 0);
    assert_int_equal(stub_changed.n, 0); /* the generation that is bound is told at the end */
    tvs_backends_drain(&host, id_of(A), true);
    turn();
    assert_int_equal(stub_changed.level, 1);
    tvs_backends_weight(&host, id_of(B), 0);
    turn();
    assert_int_equal(stub_changed.level, 0);
    tvs_backends_drain(&host, id_of(C), false);
    tvs_backends_flush(&host);
    assert_int_equal(stub_changed.level, 1);
    assert_int_equal(stub_changed.n, 3);
    assert_int_equal(stub_changed.pool, 0);
}

/* New servers neither take a pool down before their first check nor bring it up. */
static void levels_wait_for_first_checks(void **state)
{
    static const struct tvs_gen_backend old[] = {{.address = A, .port = 80, .weight = 1},
                                                 {.address = B, .port = 80, .weight = 1}};
    static const struct tvs_gen_backend new[] = {{.address = C, .port = 80, .weight = 1},
                                                 {.address = C + 1, .port = 80, .weight = 1}};

    (void)state;
    assert_int_equal(bind_web(old, 2, TVS_CHECK_TCP), 0);
    turn();
    assert_int_equal(stub_changed.n, 0);
    tvs_backends_health(&host, id_of(A), true);
    tvs_backends_health(&host, id_of(B), true);
    turn();
    assert_int_equal(stub_changed.level, 2);
    assert_int_equal(bind_web(new, 2, TVS_CHECK_TCP), 0);
    turn();
    assert_int_equal(pools[0]->ring->len, 0);
    assert_int_equal(stub_changed.level, 2);
    tvs_backends_health(&host, id_of(C), true);
    turn();
    assert_int_equal(stub_changed.level, 2);
    tvs_backends_health(&host, id_of(C + 1), false); /* down from the first: no ring changes */
    turn();
    assert_int_equal(stub_changed.level, 1);
    tvs_backends_health(&host, id_of(C), false);
    turn();
    assert_int_equal(stub_changed.level, 0);
    /* the first two come back as they were left */
    assert_int_equal(bind_web(old, 2, TVS_CHECK_TCP), 0);
    assert_int_equal(pools[0]->ring->len, 2);
}

static void operators_weight_counts(void **state)
{
    (void)state;
    assert_int_equal(bind_web(three, 3, TVS_CHECK_NONE), 0);
    assert_int_equal(tvs_backends_weight(&host, id_of(A), 4), 0);
    turn();
    assert_int_equal(share(id_of(A)), 2);
    assert_int_equal(share(id_of(B)), 1);
    assert_int_equal(tvs_backends_weight(&host, id_of(A), 0), 0);
    turn();
    assert_int_equal(share(id_of(A)), 0);
    assert_int_equal(tvs_backends_weight(&host, id_of(A), TVS_RING_MAX + 1), -E2BIG);
    assert_int_equal(tvs_backends_info(&host, id_of(A))->weight, 0);
}

static void ids_and_marks_outlive_generations(void **state)
{
    static const struct tvs_gen_backend next[] = {
        {.address = C, .port = 80, .weight = 1}, /* no longer drained by the site */
        {.address = A, .port = 80, .weight = 1},
    };
    uint32_t a, b, c;
    bool known;

    (void)state;
    assert_int_equal(bind_web(three, 3, TVS_CHECK_NONE), 0);
    a = id_of(A);
    b = id_of(B);
    c = id_of(C);
    tvs_backends_drain(&host, a, true);
    assert_int_equal(bind_web(next, 2, TVS_CHECK_TCP), 0);
    tvs_backends_settle(&host);
    turn();
    assert_int_equal(id_of(A), a);
    assert_int_equal(id_of(C), c);
    /* gone from the site: its sessions go on, new ones do not come */
    assert_true(tvs_backends_find(&host, "web", B, 80, &known) < 0);
    assert_true(known);
    assert_int_equal(host.backend_table[b].state, TVS_BACKEND_DRAIN);
    /* the operator's mark stays; a first check does not take down what served without one */
    assert_int_equal(host.backend_table[a].state, TVS_BACKEND_DRAIN);
    assert_int_equal(host.backend_table[c].state, TVS_BACKEND_UP);
    assert_int_equal(pools[0]->ring->len, 1);
    assert_int_equal(share(c), 1);
}

static void impossible_weights_are_refused_whole(void **state)
{
    static const struct tvs_gen_backend huge[] = {
        {.address = A, .port = 80, .weight = TVS_RING_MAX},
        {.address = B, .port = 80, .weight = 1},
    };

    (void)state;
    assert_int_equal(bind_web(three, 3, TVS_CHECK_NONE), 0);
    tvs_log_level_set(0);
    assert_int_equal(bind_web(huge, 2, TVS_CHECK_NONE), -E2BIG);
    assert_int_equal(pools[0]->ring->len, 3);
    assert_int_equal(tvs_backends_info(&host, id_of(B))->weight, 2);
}

static const struct tvs_gen_backend trio[] = {
    {.address = A, .port = 80, .weight = 1},
    {.address = B, .port = 80, .weight = 1},
    {.address = C, .port = 80, .weight = 1},
};

/* Entries of the others that changed hands between two tables. */
static uint32_t moved(const struct tvs_ring *one, const struct tvs_ring *other, uint32_t except)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < one->len; i++)
        n += one->backend[i] != except && one->backend[i] != other->backend[i];
    return n;
}

static void maglev_tables_follow_health_drain_and_weight(void **state)
{
    const struct tvs_ring *full;

    (void)state;
    assert_int_equal(bind_scheduled(trio, 3, TVS_CHECK_NONE, TVS_SCHED_MAGLEV), 0);
    full = pools[0]->ring; /* retired only when the test ends */
    assert_int_equal(full->len, 251);
    assert_in_range(share(id_of(A)), 83, 84);
    assert_in_range(share(id_of(B)), 83, 84);

    tvs_backends_drain(&host, id_of(B), true);
    turn();
    assert_int_equal(pools[0]->ring->len, 251);
    assert_int_equal(share(id_of(B)), 0);
    assert_true(moved(full, pools[0]->ring, id_of(B)) * 100 <= 251 * 5);
    tvs_backends_drain(&host, id_of(B), false);
    turn();
    assert_int_equal(moved(full, pools[0]->ring, UINT32_MAX), 0);

    assert_int_equal(tvs_backends_weight(&host, id_of(A), 3), 0);
    turn();
    assert_in_range(share(id_of(A)), 150, 151);
    assert_int_equal(tvs_backends_weight(&host, id_of(A), 0), 0);
    turn();
    assert_int_equal(share(id_of(A)), 0);
    tvs_backends_drain(&host, id_of(B), true);
    tvs_backends_drain(&host, id_of(C), true);
    turn();
    assert_int_equal(pools[0]->ring->len, 0);
    assert_int_equal(pools[1]->ring->len, 0);
}

static void a_pool_changes_its_scheduler(void **state)
{
    (void)state;
    assert_int_equal(bind_scheduled(trio, 3, TVS_CHECK_NONE, TVS_SCHED_LEAST_LOADED), 0);
    assert_int_equal(pools[0]->ring->len, 3);
    assert_int_equal(bind_scheduled(trio, 3, TVS_CHECK_NONE, TVS_SCHED_SOURCE_HASH), 0);
    assert_int_equal(pools[0]->ring->len, 251);
    assert_string_equal(tvs_backends_scheduler(&host, id_of(A)), "source-hash");
    assert_int_equal(bind_scheduled(trio, 3, TVS_CHECK_NONE, TVS_SCHED_RR), 0);
    assert_int_equal(pools[0]->ring->len, 3);
    assert_string_equal(tvs_backends_scheduler(&host, id_of(A)), "rr");
}

/* After a large table the next one waits, and then has all that has changed meanwhile. */
static void large_tables_are_not_made_one_after_the_other(void **state)
{
    enum { N = 400, CHANGES = 20 };
    static struct tvs_gen_backend many[N];
    unsigned before;

    (void)state;
    for (uint32_t i = 0; i < N; i++)
        many[i] = (struct tvs_gen_backend){.address = A + i, .port = 80, .weight = 1 + i % 100};
    assert_int_equal(bind_web(many, N, TVS_CHECK_NONE), 0);
    assert_true(pools[0]->ring->len > 16 * 1024);
    before = stub_retired.n;
    for (uint32_t i = 0; i < CHANGES; i++) {
        tvs_backends_drain(&host, id_of(A + i), true);
        turn();
    }
    assert_true(stub_retired.n - before < CHANGES / 2);
    for (unsigned i = 0; i < 100 && share(id_of(A + CHANGES - 1)) != 0; i++)
        turn();
    for (uint32_t i = 0; i < CHANGES; i++)
        assert_int_equal(share(id_of(A + i)), 0);
    /* a reload does not wait */
    many[CHANGES].drain = true;
    assert_int_equal(bind_web(many, N, TVS_CHECK_NONE), 0);
    assert_int_equal(share(id_of(A + CHANGES)), 0);
}

/*
 * A pool that has nobody left does not wait: its sorry pool takes over as soon as it is empty. Nor
 * do VIPs wait for any table.
 */
static void a_table_that_becomes_empty_does_not_rest(void **state)
{
    enum { N = 400 };
    static struct tvs_gen_backend many[N];

    (void)state;
    for (uint32_t i = 0; i < N; i++)
        many[i] = (struct tvs_gen_backend){.address = A + i, .port = 80, .weight = 1 + i % 100};
    assert_int_equal(bind_scheduled(many, N, TVS_CHECK_NONE, TVS_SCHED_WRR), 0);
    assert_true(pools[0]->ring->len > 16 * 1024);
    tvs_backends_drain(&host, id_of(A), true);
    turn();
    assert_int_equal(stub_changed.level, N - 1);
    for (uint32_t i = 0; i < N; i++)
        tvs_backends_drain(&host, id_of(A + i), true);
    turn();
    assert_int_equal(stub_changed.level, 0);
    assert_int_equal(pools[0]->ring->len, 0);
    tvs_backends_drain(&host, id_of(B), false); /* and an empty one is not rested from */
    turn();
    assert_int_equal(stub_changed.level, 1);
    assert_int_equal(share(id_of(B)), 1);
}

/* Round robin takes any weight; another scheduler that comes with a reload may not. */
static void an_operators_weight_is_judged_by_the_next_scheduler(void **state)
{
    static const uint8_t next[] = {TVS_SCHED_WRR, TVS_SCHED_MAGLEV};

    (void)state;
    assert_int_equal(bind_scheduled(trio, 3, TVS_CHECK_NONE, TVS_SCHED_RR), 0);
    assert_int_equal(tvs_backends_weight(&host, id_of(A), TVS_RING_MAX), 0);
    turn();
    assert_int_equal(pools[0]->ring->len, 3);
    tvs_log_level_set(0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(bind_scheduled(trio, 3, TVS_CHECK_NONE, next[i]), -E2BIG);
    assert_string_equal(tvs_backends_scheduler(&host, id_of(A)), "rr");
    assert_int_equal(tvs_backends_weight(&host, id_of(A), 2), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(bind_scheduled(trio, 3, TVS_CHECK_NONE, next[i]), 0);
    assert_in_range(share(id_of(A)), 125, 126);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(unchecked_backends_serve_at_once),
        TEST(checked_backends_wait_for_their_check),
        TEST(levels_follow_what_takes_sessions),
        TEST(levels_wait_for_first_checks),
        TEST(operators_weight_counts),
        TEST(ids_and_marks_outlive_generations),
        TEST(impossible_weights_are_refused_whole),
        TEST(maglev_tables_follow_health_drain_and_weight),
        TEST(a_pool_changes_its_scheduler),
        TEST(large_tables_are_not_made_one_after_the_other),
        TEST(a_table_that_becomes_empty_does_not_rest),
        TEST(an_operators_weight_is_judged_by_the_next_scheduler),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
