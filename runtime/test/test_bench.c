/* SPDX-License-Identifier: Apache-2.0 */
/* The bench: which sessions there are, and whose records a new one gets. No test looks at time. */
#include "bench/loops.h"
#include "bench/sync_steps.h"
#include "check.h"
#include "core/free_ring.h"

enum { SESSIONS = 1000, BATCH = SESSIONS / 8 };

extern const struct tvs_generation tvs_generation;

struct open_run {
    struct bench_options options;
    struct tvs_node *node;
    struct bench_run run;
};

static void run_open(struct open_run *open, uint8_t proto, uint32_t n_packets, bool has_sync)
{
    const struct tvs_node_config config = {.seed = 1, .is_idle = true};
    char error[256];

    open->node = tvs_node_make(&tvs_generation, &config, error, sizeof(error));
    assert_non_null(open->node);
    open->options = (struct bench_options){.proto = proto,
                                           .n_packets = n_packets,
                                           .burst = TVS_MAX_BURST,
                                           .frame_bytes = BENCH_MIN_FRAME,
                                           .repeats = 1,
                                           .packets_per_tick = 1000000,
                                           .seed = 42,
                                           .has_sync = has_sync,
                                           .small_pages = true};
    open->run = (struct bench_run){.options = &open->options,
                                   .tsc_hz = 2.5e9,
                                   .node = open->node,
                                   .traffic = {.random = 42,
                                               .proto = proto,
                                               .vip_be = htobe32(tvs_generation.services[0].vip),
                                               .vip_port_be = htobe16(proto == TVS_TCP ? 80 : 53),
                                               .steering = &tvs_generation.steering}};
    assert_null(bench_run_open(&open->run, SESSIONS));
    assert_int_equal(open->run.worker->n_sessions, SESSIONS);
}

static void run_make(struct open_run *open, uint8_t proto, uint32_t n_packets)
{
    run_open(open, proto, n_packets, false);
}

static void run_drop(struct open_run *open)
{
    bench_run_close(&open->run);
    tvs_node_close(open->node);
}

/* Flows [first, SESSIONS) are the sessions of the worker, each once. */
static void assert_sessions(const struct bench_run *run, uint32_t first)
{
    static bool seen[1 << 16];

    memset(seen, 0, sizeof(seen));
    assert_int_equal(run->worker->n_sessions, SESSIONS - first);
    for (uint32_t i = first; i < SESSIONS; i++) {
        const struct bench_flow *flow = &run->traffic.flows[i];
        uint16_t port = be16toh(flow->local_port_be);

        assert_false(seen[port]);
        seen[port] = true;
        assert_int_equal(run->worker->records[port].proto, run->traffic.proto);
        assert_int_equal(run->worker->records[port].in.saddr_be, flow->client_be);
        assert_int_equal(run->worker->records[port].in.sport_be, flow->client_port_be);
    }
}

static void test_as_many_sessions_end_as_begin(void **state)
{
    static const uint8_t protos[] = {TVS_TCP, TVS_UDP};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct open_run open;
        double cycles = 0;

        run_make(&open, protos[i], 2048);
        assert_sessions(&open.run, 0);
        for (unsigned repeat = 0; repeat < 3; repeat++) {
            assert_null(bench_direction_begin(&open.run, BENCH_NEW));
            assert_sessions(&open.run, BATCH);
            assert_null(bench_repeat(&open.run, BENCH_NEW, BENCH_SITE, &cycles));
            assert_sessions(&open.run, BATCH);
            assert_true(cycles > 0);
        }
        run_drop(&open);
    }
}

/* How many of the free records lie right behind the one that is handed out before them. */
static uint32_t in_order(const struct tvs_free_ring *ring)
{
    uint32_t found = 0;

    for (uint32_t i = 1; i < tvs_free_count(ring); i++)
        found += tvs_free_peek(ring, i) == tvs_free_peek(ring, i - 1) + 1;
    return found;
}

static void test_new_sessions_find_ports_in_the_order_of_a_worker_that_has_run(void **state)
{
    struct open_run open;
    const struct tvs_free_ring *ring;
    uint32_t n_free;

    (void)state;
    run_make(&open, TVS_TCP, 2048);
    ring = &open.run.worker->free;
    n_free = tvs_free_count(ring);
    assert_int_equal(in_order(ring), n_free - 1);
    assert_null(bench_direction_begin(&open.run, BENCH_NEW));
    assert_int_equal(tvs_free_count(ring), n_free + BATCH);
    assert_true(in_order(ring) < n_free / 100);
    run_drop(&open);
}

static void test_the_first_packets_are_not_timed(void **state)
{
    (void)state;
    for (uint32_t n = 1; n < 5000; n++)
        for (uint32_t longest = BENCH_PAIR_STRETCH; longest <= BENCH_STRETCH;
             longest += BENCH_STRETCH - BENCH_PAIR_STRETCH) {
            struct bench_stretches stretches = bench_stretches_of(n, longest);

            assert_in_range(stretches.packets, 1, longest);
            assert_true(stretches.first + stretches.packets <= n);
            assert_true(n == 1 || stretches.first > 0);
            assert_true(stretches.first + stretches.packets > n / 2);
        }
}

static uint32_t sessions_in(const struct tvs_worker *worker, uint32_t from, uint32_t to)
{
    uint32_t found = 0;

    for (uint32_t i = from; i < to; i++)
        found += worker->records[i].proto != 0;
    return found;
}

/* As many begin as end, each is told of when it is established and at either FIN. */
static void test_session_sync_tells_what_the_traffic_does(void **state)
{
    static const enum bench_subject subjects[] = {BENCH_SITE, BENCH_TELLS, BENCH_LEARNS};
    const struct bench_sync_counts *counts;
    const struct tvs_worker *worker;
    struct open_run open;
    double cycles;

    (void)state;
    run_open(&open, TVS_TCP, 512, true);
    worker = open.run.worker;
    assert_null(bench_direction_begin(&open.run, BENCH_SYNC));
    for (unsigned repeat = 0; repeat < 4; repeat++)
        for (unsigned i = 0; i < 3; i++) {
            unsigned at = repeat % 2 ? 2 - i : i;

            assert_null(bench_repeat(&open.run, BENCH_SYNC, subjects[at], &cycles));
            assert_true(cycles > 0);
            assert_int_equal(open.run.sync->peers.n_heard, open.run.sync->peers.n_made);
        }
    counts = open.run.sync->counts;
    assert_int_equal(counts[BENCH_SITE].told + counts[BENCH_SITE].messages, 0);
    assert_int_equal(counts[BENCH_TELLS].learned + counts[BENCH_TELLS].heard, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(counts[subjects[i]].packets / counts[subjects[i]].opened, 9, 11);
    for (unsigned i = 1; i < 3; i++) {
        const struct bench_sync_counts *told = &counts[subjects[i]];

        assert_in_range(told->told * 10 / told->opened, 26, 34);
        assert_in_range(told->told, 38 * told->messages, TVS_SYNC_SESSIONS * told->messages);
        assert_in_range(told->sent, BENCH_PEERS * told->messages,
                        BENCH_PEERS * (told->messages + 20)); /* hellos */
        assert_true(told->of_state[TVS_S_FIN_CLIENT] > 0);
        assert_true(told->of_state[TVS_S_ESTABLISHED] > 0 && told->of_state[TVS_S_CLOSED] > 0);
    }
    assert_in_range(counts[BENCH_LEARNS].heard + 40, counts[BENCH_LEARNS].messages,
                    counts[BENCH_LEARNS].messages + 40);
    assert_true(counts[BENCH_LEARNS].learned > 0 && counts[BENCH_LEARNS].renewed > 0);
    /* the tables know of nobody else, and nothing is counted twice */
    assert_int_equal(sessions_in(worker, 0, worker->own_records), worker->n_sessions);
    assert_int_equal(sessions_in(worker, worker->own_records, worker->n_slots << 16),
                     worker->n_copies);
    assert_int_equal(bench_peers_refused(&open.run.sync->peers), 0);
    run_drop(&open);
}

/* Each step does what it says as often as it is taken, whatever time that takes. */
static void test_steps_of_session_sync_are_bounded_by_constants(void **state)
{
    static struct bench_sync_step steps[BENCH_N_SYNC_STEPS];
    struct open_run open;

    (void)state;
    run_open(&open, TVS_TCP, 512, true);
    assert_null(bench_direction_begin(&open.run, BENCH_SYNC));
    assert_null(bench_sync_steps(&open.run, steps));
    for (unsigned i = 0; i < BENCH_N_SYNC_STEPS; i++) {
        assert_true(steps[i].records == TVS_SYNC_SESSIONS || steps[i].records == TVS_SYNC_SCAN ||
                    steps[i].records == TVS_SYNC_WINDOW);
        assert_true(steps[i].spent.total + steps[i].disturbed >= 500);
    }
    assert_int_equal(open.run.worker->n_sessions + open.run.worker->n_copies, 0);
    run_drop(&open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_sessions_end_as_begin),
        cmocka_unit_test(test_new_sessions_find_ports_in_the_order_of_a_worker_that_has_run),
        cmocka_unit_test(test_the_first_packets_are_not_timed),
        cmocka_unit_test(test_session_sync_tells_what_the_traffic_does),
        cmocka_unit_test(test_steps_of_session_sync_are_bounded_by_constants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
