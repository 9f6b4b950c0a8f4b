/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session sync of services with limits, a sorry pool and `client-address toa`: what counts on which
 * node, while nodes die and return.
 */
#include "sync_cluster.h"

enum { KEPT_TCP = 2, POOL_KEPT = 2, PER_WORKER = 5 }; /* as the fixture has it */

static uint32_t active(const struct side *side)
{
    uint32_t sum = 0;

    for (unsigned w = 0; w < WORKERS; w++)
        sum += side->node->workers[w]->limit_active[KEPT_TCP];
    return sum;
}

/* Sessions of own local IPs count, each once, and nothing else; recounted from the records. */
static void counts_check(const struct side *side)
{
    static uint32_t counted[TVS_MAX_SERVICES];

    for (unsigned w = 0; w < WORKERS; w++) {
        const struct tvs_worker *worker = side->node->workers[w];
        uint32_t n_kept = 0;

        memset(counted, 0, sizeof(counted));
        for (uint32_t at = 0; at < worker->n_slots << 16; at++) {
            const struct tvs_record *record = &worker->records[at];
            bool is_own = at < worker->own_records && record->state != TVS_S_FREE;
            bool is_limited = is_own && worker->limit_group[record->service] != TVS_NO_LIMIT;

            assert_int_equal((record->flags & TVS_RECORD_COUNTED) != 0, is_limited);
            if (!is_limited)
                continue;
            counted[record->service]++;
            n_kept += worker->limit_group[record->service] == KEPT_TCP;
        }
        assert_memory_equal(worker->limit_counted, counted, sizeof(counted));
        assert_int_equal(worker->limit_active[KEPT_TCP], n_kept);
    }
    side_check(side);
}

/* Of a client of its own, so that no source is too fast. */
static bool kept_begin(struct side *side, struct flow *flow, uint32_t client)
{
    return flow_begin_to(side, flow, TVS_TCP, CLIENT + client, 2000, VIP_B, VIP_KEPT_PORT);
}

/* The handshake of as many sessions as the service may have; returns how many. */
static unsigned kept_fill(struct side *side, struct flow *flows, uint32_t first_client)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < 60; i++) {
        if (!kept_begin(side, &flows[n], first_client + i))
            continue;
        flow_offer(side, &flows[n], TVS_REPLY, TVS_TCP_SYN | TVS_TCP_ACK);
        flow_offer(side, &flows[n], TVS_REQUEST, TVS_TCP_ACK);
        n++;
    }
    assert_int_equal(n, WORKERS * PER_WORKER);
    return n;
}

static void kept_set(struct side *side, uint8_t state)
{
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(tvs_node_set_backend(side->node, POOL_KEPT, i, state, 1), 0);
}

static void test_copies_do_not_count_and_returned_sessions_do(void **state)
{
    struct cluster cluster;
    struct flow flows[60], more[60], one;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    unsigned n;

    (void)state;
    cluster_start(&cluster, 2, 21);
    kept_set(a, TVS_BACKEND_DOWN); /* all on the sorry pool */
    n = kept_fill(a, flows, 0);
    cluster_run(&cluster, 50);
    assert_int_equal(COUNT(b, learned), n);
    assert_int_equal(active(a), n);
    assert_int_equal(active(b), 0);
    counts_check(a);
    counts_check(b);

    /* copies are no reason to refuse, not even those that it forwards for */
    side_down(a);
    for (unsigned i = 0; i < n; i++)
        assert_true(flow_request(b, &flows[i], TVS_TCP_ACK));
    kept_fill(b, more, 100);
    counts_check(b);

    /* whose they are counts them again: it is full at once */
    side_up(a);
    for (unsigned ms = 0; ms < 5000 && !side_is_ready(a); ms += 10)
        cluster_run(&cluster, 10);
    assert_true(side_is_ready(a));
    assert_int_equal(active(a), n);
    counts_check(a);
    counts_check(b);
    for (uint32_t i = 0; i < 20; i++)
        assert_false(kept_begin(a, &one, 200 + i));

    /* and lets others in as they end, here or there */
    flow_offer(a, &flows[0], TVS_REQUEST, TVS_TCP_RST);
    flow_offer(b, &flows[1], TVS_REQUEST, TVS_TCP_RST);
    cluster_run(&cluster, 10000);
    assert_int_equal(active(a), n - 2);
    counts_check(a);
    cluster_free(&cluster);
}

/* Nodes die and return, packets take any way, servers fail: the counts always fit. */
static void test_counts_over_random_lives(void **state)
{
    struct cluster cluster;
    struct flow flows[64];
    unsigned n = 0;

    (void)state;
    cluster_start(&cluster, 3, 22);
    cluster.loss = 5;
    for (unsigned step = 0; step < 1500; step++) {
        struct side *side = &cluster.side[random_below(&cluster.chance, 3)];
        uint32_t what = (uint32_t)random_below(&cluster.chance, 100);
        struct flow *flow = n == 0 ? NULL : &flows[random_below(&cluster.chance, n)];
        static const uint8_t flags[] = {TVS_TCP_SYN, TVS_TCP_ACK, TVS_TCP_ACK, TVS_TCP_RST,
                                        TVS_TCP_FIN | TVS_TCP_ACK};

        if (what < 2 && side->node != NULL)
            side_down(side);
        else if (what < 20 && side->node == NULL)
            side_up(side);
        else if (side->node == NULL)
            cluster_run(&cluster, 20);
        else if (what < 5)
            kept_set(side, what & 1 ? TVS_BACKEND_DOWN : TVS_BACKEND_UP);
        else if (what < 40)
            n += n < 64 && kept_begin(side, &flows[n], (uint32_t)random_below(&cluster.chance, 40));
        else if (what < 85 && flow != NULL)
            flow_offer(side, flow, what & 1 ? TVS_REQUEST : TVS_REPLY,
                       what % 7 == 0 ? TVS_TCP_SYN | TVS_TCP_ACK : flags[what % 5]);
        else if (what < 88 && flow != NULL)
            *flow = flows[--n];
        else
            cluster_run(&cluster, what == 99 ? 5000 : 30);
        if (step % 50 == 0)
            for (unsigned i = 0; i < 3; i++)
                if (cluster.side[i].node != NULL)
                    counts_check(&cluster.side[i]);
    }
    cluster_free(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_do_not_count_and_returned_sessions_do),
        cmocka_unit_test(test_counts_over_random_lives),
    };

    return cmocka_run_group_tests_name("sync_limits", tests, NULL, NULL);
}
