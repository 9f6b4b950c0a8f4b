/* SPDX-License-Identifier: Apache-2.0 */
/* The picks of a worker, each against what it says. tests/differential has whole packets. */
#include "check.h"

#include "core/schedule.h"

enum { N_SERVERS = 4096, N_WORKERS = 2 };

static struct tvs_backend backends[N_SERVERS];
static uint32_t active[N_SERVERS], position[1];
static const struct tvs_binding binding = {.backends = backends};
static const struct tvs_site site = {.n_workers = N_WORKERS, .flow_key = {11, 12}};
static struct tvs_worker worker;

/* A pool of `n` servers with a weight that `weight_of` says, all idle, the worker at its start. */
static struct tvs_ring *pool_make(uint32_t n, uint32_t (*weight_of)(uint32_t))
{
    const struct tvs_table_config config = {.scheduler = TVS_SCHED_LEAST_LOADED};
    static uint32_t id[N_SERVERS];
    struct tvs_ring *ring;

    for (uint32_t i = 0; i < n; i++) {
        id[i] = i;
        active[i] = 0;
        backends[i] =
            (struct tvs_backend){.id = i, .state = TVS_BACKEND_UP, .weight = weight_of(i)};
    }
    position[0] = UINT32_MAX;
    worker.ring_pos = position;
    worker.backend_active = active;
    worker.binding = &binding;
    assert_int_equal(tvs_pool_table_make(&ring, &config, backends, id, n), 0);
    return ring;
}

static uint32_t one(uint32_t i)
{
    (void)i;
    return 1;
}

static uint32_t mixed(uint32_t i)
{
    return 1 + i % 7;
}

static uint32_t pick(const struct tvs_ring *ring, uint8_t scheduler, uint32_t hash)
{
    static const struct tvs_key no_key;
    uint32_t next = UINT32_MAX;
    uint32_t id = tvs_schedule_pick(scheduler, &site, &worker, ring, &no_key, hash, 0, &next);

    if (tvs_schedule_has_turns(scheduler))
        position[0] = next;
    else
        assert_int_equal(next, UINT32_MAX);
    return id;
}

static void test_turns(void **state)
{
    struct tvs_ring *ring = pool_make(10, one);

    (void)state;
    for (uint32_t w = 0; w < N_WORKERS; w++) {
        position[0] = UINT32_MAX;
        worker.index = (uint16_t)w;
        for (uint32_t i = 0; i < 25; i++)
            assert_int_equal(pick(ring, TVS_SCHED_RR, 0), (5 * w + i) % 10);
    }
    worker.index = 0;
    position[0] = 23; /* of a ring that was longer */
    assert_int_equal(pick(ring, TVS_SCHED_WRR, 0), 3);
    free(ring);
}

/* Of the two that were looked at the one with fewer sessions for its weight, or else its turn. */
static void test_the_less_loaded_of_two(void **state)
{
    struct tvs_ring *ring = pool_make(50, mixed);
    uint64_t chance = 4;

    (void)state;
    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t most = round % 2 ? 5 : UINT32_MAX, hash = (uint32_t)random_next(&chance);
        uint32_t turn, other, got;
        __int128 load_turn, load_other;

        for (uint32_t i = 0; i < 50; i++)
            active[i] = random_below(&chance, most);
        turn = ring->backend[position[0] == UINT32_MAX ? 0 : position[0]];
        other = ring->backend[(uint64_t)hash * ring->len / (UINT64_C(1) << 32)];
        /* both loads as fractions of the common denominator of all weights, 420 */
        load_turn = (__int128)active[turn] * (420 / backends[turn].weight);
        load_other = (__int128)active[other] * (420 / backends[other].weight);
        got = pick(ring, TVS_SCHED_LEAST_LOADED, hash);
        assert_int_equal(got, load_other < load_turn ? other : turn);
    }
    free(ring);
}

/*
 * Servers that keep their sessions get fewer: where plain turns would pile them up, the loads stay
 * within a few sessions of each other.
 */
static void test_a_slow_server_is_relieved(void **state)
{
    enum { SERVERS = 40, ROUNDS = 40000, LIVES = 400 };
    static uint32_t open[LIVES];
    uint32_t by_turns[2], by_load[2];
    uint64_t chance = 8;

    (void)state;
    for (int balanced = 0; balanced < 2; balanced++) {
        struct tvs_ring *ring = pool_make(SERVERS, one);
        uint32_t *most = balanced ? by_load : by_turns;

        for (uint32_t i = 0; i < LIVES; i++)
            active[open[i] = pick(ring, TVS_SCHED_RR, 0)]++;
        for (uint32_t round = 0; round < ROUNDS; round++) {
            uint32_t i = random_below(&chance, LIVES);

            /* server 0 ends one session for ten of another */
            if (open[i] == 0 && random_below(&chance, 10) != 0)
                continue;
            active[open[i]]--;
            open[i] = pick(ring, balanced ? TVS_SCHED_LEAST_LOADED : TVS_SCHED_RR,
                           (uint32_t)random_next(&chance));
            active[open[i]]++;
        }
        most[0] = active[0];
        most[1] = 0;
        for (uint32_t i = 1; i < SERVERS; i++)
            most[1] = active[i] > most[1] ? active[i] : most[1];
        free(ring);
    }
    /* the average is 10 a server */
    assert_true(by_turns[0] > 50);
    assert_in_range(by_load[0], 0, 15);
    assert_in_range(by_load[1], 10, 15);
}

/* 4096 servers filled from empty: no server gets more than two sessions above its share. */
static void test_many_servers(void **state)
{
    struct tvs_ring *ring = pool_make(N_SERVERS, mixed);
    uint64_t chance = 1;

    (void)state;
    for (uint32_t i = 0; i < 10 * ring->len; i++)
        active[pick(ring, TVS_SCHED_LEAST_LOADED, (uint32_t)random_next(&chance))]++;
    for (uint32_t i = 0; i < N_SERVERS; i++)
        assert_in_range(active[i], 10 * mixed(i) - 5, 10 * mixed(i) + 5);
    free(ring);
}

/* What a class that a reload replaces may meet for a moment: any table, down to one entry. */
static void test_any_table_does(void **state)
{
    struct tvs_ring *ring = pool_make(1, one);

    (void)state;
    for (uint8_t scheduler = TVS_SCHED_WRR; scheduler <= TVS_SCHED_LEAST_LOADED; scheduler++) {
        assert_int_equal(pick(ring, scheduler, 0), 0);
        assert_int_equal(pick(ring, scheduler, UINT32_MAX), 0);
        assert_string_not_equal(tvs_scheduler_name(scheduler), "unknown");
    }
    assert_string_equal(tvs_scheduler_name(TVS_SCHED_LEAST_LOADED + 1), "unknown");
    free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_the_less_loaded_of_two),
        cmocka_unit_test(test_a_slow_server_is_relieved),
        cmocka_unit_test(test_many_servers),
        cmocka_unit_test(test_any_table_does),
    };

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
