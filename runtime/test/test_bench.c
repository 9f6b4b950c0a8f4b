/* SPDX-License-Identifier: Apache-2.0 */
/* The bench: which sessions there are, and whose records a new one gets. No test looks at time. */
#include "bench/loops.h"
#include "check.h"
#include "core/free_ring.h"

enum { SESSIONS = 1000, BATCH = SESSIONS / 8 };

extern const struct tvs_generation tvs_generation;

struct open_run {
    struct bench_options options;
    struct tvs_node *node;
    struct bench_run run;
};

static void run_make(struct open_run *open, uint8_t proto, uint32_t n_packets)
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
                                           .small_pages = true};
    open->run = (struct bench_run){.options = &open->options,
                                   .node = open->node,
                                   .traffic = {.random = 42,
                                               .proto = proto,
                                               .vip_be = htobe32(tvs_generation.services[0].vip),
                                               .vip_port_be = htobe16(proto == TVS_TCP ? 80 : 53),
                                               .steering = &tvs_generation.steering}};
    assert_null(bench_run_open(&open->run, SESSIONS));
    assert_int_equal(open->run.worker->n_sessions, SESSIONS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_sessions_end_as_begin),
        cmocka_unit_test(test_new_sessions_find_ports_in_the_order_of_a_worker_that_has_run),
        cmocka_unit_test(test_the_first_packets_are_not_timed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
