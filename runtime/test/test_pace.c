/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep's pace against an oracle that divides: what is due follows from the time alone. */
#include "check.h"
#include "core/pace.h"
#include "core/session.h"

enum { STEP_CYCLES = 1000, N_SLOTS = 2, N_RECORDS = N_SLOTS << 16, BUSY = 16, IDLE = 1024 };
enum { N_STEPS = N_RECORDS / TVS_PACE_STEP, PERIOD = N_STEPS * STEP_CYCLES, LAG = PERIOD / 15 };

enum { EVERY = 61, N_LATE = N_RECORDS / EVERY + 1, ALIVE = N_RECORDS - 1, NOW_TICK = 100 };
_Static_assert(ALIVE % EVERY != 0, "the one that lives is none of the late ones");

static const uint32_t lips_be[N_SLOTS] = {0x010010ac, 0x020010ac};

static struct tvs_worker *make(void)
{
    static const struct tvs_worker_config config = {.n_slots = N_SLOTS,
                                                    .lip_addr_be = lips_be,
                                                    .n_buckets = 1024,
                                                    .max_sessions = N_RECORDS,
                                                    .port_first = 1,
                                                    .port_last = 65535,
                                                    .max_pools = 1,
                                                    .max_backends = 1,
                                                    .n_workers = 1};
    struct tvs_worker *worker = worker_make(&config);

    worker->now_tick = NOW_TICK;
    return worker;
}

static void session_open(struct tvs_worker *worker, uint32_t number, uint32_t expires)
{
    struct tvs_record *record = &worker->records[number];

    if (tvs_free_count(&worker->free) > 0)
        tvs_free_take(&worker->free);
    record->in = (struct tvs_tuple){.saddr_be = number + 1};
    record->proto = TVS_UDP;
    record->state = TVS_S_UDP;
    record->expires_tick = expires;
    record->hash = number * 2654435761u;
    assert_true(tvs_table_insert(worker, record->hash, number));
    worker->n_sessions++;
    worker->backend_active[0]++;
}

static struct tvs_pace started(const struct tvs_worker *worker, uint64_t now)
{
    struct tvs_pace pace;

    tvs_pace_start(&pace, worker, PERIOD, LAG, now);
    assert_int_equal(pace.step_cycles, STEP_CYCLES);
    return pace;
}

/* What must have been looked at `passed` cycles after the start. */
static uint64_t due(uint64_t passed)
{
    return passed / STEP_CYCLES * TVS_PACE_STEP;
}

/*
 * Turns of every length, shorter and longer than a step's time: after each of them exactly what is
 * due has been taken, as far as `most` allows; so no turn takes more than its share and one step.
 */
static void test_share_of_the_time(void **state)
{
    static const uint64_t starts[] = {0, 1, UINT64_C(1) << 45};
    static const uint32_t longest[] = {2, STEP_CYCLES / 10, STEP_CYCLES, 5 * STEP_CYCLES};
    struct tvs_worker *worker = make();

    (void)state;
    for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
        for (size_t l = 0; l < sizeof(longest) / sizeof(longest[0]); l++) {
            struct tvs_pace pace = started(worker, starts[s]);
            uint64_t chance = 7 + s, passed = 0, taken = 0;

            for (uint32_t turn = 0; turn < 50000; turn++) {
                uint64_t length = random_below(&chance, longest[l]) + 1;
                uint32_t most = random_below(&chance, 2) ? BUSY : IDLE, n;
                uint64_t owed;

                passed += length;
                owed = due(passed) - taken;
                n = tvs_pace_take(&pace, starts[s] + passed, most);
                assert_int_equal(n, owed < most ? owed : most);
                if (taken == due(passed - length)) /* it was not behind */
                    assert_true(n <= length * TVS_PACE_STEP / STEP_CYCLES + TVS_PACE_STEP);
                taken += n;
            }
        }
    }
    free(worker);
}

/*
 * A late session on every 61st record: each is freed once, in the turn in which its record's step
 * falls due, whether turns are short or sparse. After a period the cursor is back at the beginning.
 */
static void test_every_record_once(void **state)
{
    static const uint32_t lengths[] = {97, STEP_CYCLES, IDLE / TVS_PACE_STEP * STEP_CYCLES};

    (void)state;
    for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
        struct tvs_worker *worker = make();
        struct tvs_pace pace = started(worker, 5000);
        uint64_t passed = 0;
        uint32_t next = 0;

        session_open(worker, ALIVE, NOW_TICK + 1000); /* or the sweep would rest at the end */
        for (uint32_t number = 0; number < N_RECORDS; number += EVERY)
            session_open(worker, number, NOW_TICK - 1);
        while (passed < PERIOD) {
            passed = passed + lengths[l] < PERIOD ? passed + lengths[l] : PERIOD;
            assert_false(tvs_pace_sweep(&pace, worker, 5000 + passed, IDLE));
            for (; next < N_RECORDS && next < due(passed); next += EVERY)
                assert_int_equal(worker->records[next].state, TVS_S_FREE);
            if (next < N_RECORDS)
                assert_int_equal(worker->records[next].state, TVS_S_UDP);
            assert_int_equal(worker->counters.sessions_expired, next / EVERY);
        }
        assert_int_equal(worker->counters.sessions_expired, N_LATE);
        assert_int_equal(worker->n_sessions, 1);
        assert_int_equal(worker->sweep_cursor, 0);
        free(worker);
    }
}

/* Turns that take longer than a step: the worker falls behind, and sweeps in each of them. */
static void test_overload(void **state)
{
    struct tvs_worker *worker = make();
    struct tvs_pace pace = started(worker, 0);
    uint64_t now = 0, visited = 0;

    (void)state;
    session_open(worker, ALIVE, NOW_TICK + 1000);
    for (uint32_t turn = 1; turn < 500; turn++) {
        now += 2 * STEP_CYCLES;
        assert_true(tvs_pace_sweep(&pace, worker, now, BUSY));
        visited += BUSY;
        assert_int_equal(worker->sweep_cursor, visited);
    }
    /* then there is less to do: it makes up for all of it, so many records a turn */
    while (tvs_pace_sweep(&pace, worker, ++now, IDLE))
        assert_int_equal(worker->sweep_cursor, visited += IDLE);
    assert_int_equal(worker->sweep_cursor, due(now));
    free(worker);
}

/* The clock jumps: what fell due before the lag is let go, and the rest is bounded per turn. */
static void test_jump(void **state)
{
    static const uint64_t jumps[] = {LAG - STEP_CYCLES, LAG + STEP_CYCLES, 3 * LAG, 100 * PERIOD,
                                     UINT64_C(1) << 62};
    struct tvs_worker *worker = make();

    (void)state;
    session_open(worker, ALIVE, NOW_TICK + 1000);
    for (size_t j = 0; j < sizeof(jumps) / sizeof(jumps[0]); j++) {
        struct tvs_pace pace = started(worker, 10);
        uint64_t now = 10 + jumps[j], most = due(LAG) + TVS_PACE_STEP, visited = 0;
        bool behind = true;

        if (due(jumps[j]) < most)
            most = due(jumps[j]);
        worker->sweep_cursor = 0;
        while (behind) {
            behind = tvs_pace_sweep(&pace, worker, now, IDLE);
            assert_true(worker->sweep_cursor - visited <= IDLE);
            assert_true(worker->sweep_cursor > visited);
            visited = worker->sweep_cursor;
        }
        assert_int_equal(visited, most);
        assert_true(pace.next_tsc > now && pace.next_tsc <= now + STEP_CYCLES);
    }
    free(worker);
}

/* Without a session nothing is visited, and none of that time is owed when one comes. */
static void test_rests_without_sessions(void **state)
{
    struct tvs_worker *worker = make();
    struct tvs_pace pace = started(worker, 0);
    uint64_t now = 0;

    (void)state;
    for (uint32_t turn = 0; turn < 100; turn++) {
        now += LAG / 2;
        assert_false(tvs_pace_sweep(&pace, worker, now, IDLE));
    }
    assert_int_equal(worker->sweep_cursor, 0);
    session_open(worker, ALIVE, NOW_TICK - 1);
    assert_false(tvs_pace_sweep(&pace, worker, now + STEP_CYCLES, IDLE));
    assert_int_equal(worker->sweep_cursor, TVS_PACE_STEP);
    for (uint64_t passed = STEP_CYCLES; passed <= PERIOD; passed += STEP_CYCLES) {
        assert_int_equal(worker->n_sessions, 1);
        assert_false(tvs_pace_sweep(&pace, worker, now + passed, IDLE));
    }
    assert_int_equal(worker->n_sessions, 0);
    free(worker);
}

/* More records than cycles: a step in each. */
static void test_shortest_step(void **state)
{
    struct tvs_worker *worker = make();
    struct tvs_pace pace;

    (void)state;
    tvs_pace_start(&pace, worker, 1, LAG, 0);
    assert_int_equal(pace.step_cycles, 1);
    assert_int_equal(tvs_pace_take(&pace, 0, BUSY), 0);
    assert_int_equal(tvs_pace_take(&pace, 1, BUSY), TVS_PACE_STEP);
    free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share_of_the_time),
        cmocka_unit_test(test_every_record_once),
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_jump),
        cmocka_unit_test(test_rests_without_sessions),
        cmocka_unit_test(test_shortest_step),
    };

    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
