/* SPDX-License-Identifier: Apache-2.0 */
/* Session sync between nodes whose wire loses nothing: what is copied, when, and until when. */
#include "sync_cluster.h"

static void test_alone_it_waits_for_others(void **state)
{
    struct cluster cluster;

    (void)state;
    cluster_make(&cluster, 2, 1);
    side_up(&cluster.side[0]);
    cluster_run(&cluster, TVS_SYNC_FIND_MS - 1);
    assert_false(cluster.side[0].sync[0]->ready || cluster.side[0].sync[1]->ready);
    cluster_run(&cluster, 1 + TVS_SYNC_SEARCH_MS);
    assert_true(side_is_ready(&cluster.side[0]));
    cluster_free(&cluster);
}

/* Neighbours of its ports: the fixture's peers are on its first, with that port's gateway. */
static void links_set(const struct side *side, bool first, bool second)
{
    assert_int_equal(tvs_node_set_nexthop(side->node, 0, first), 0);
    assert_int_equal(tvs_node_set_nexthop(side->node, 1, second), 0);
}

/* Its patience begins when it can ask: links and neighbours take as long as they take. */
static void test_it_waits_for_its_link(void **state)
{
    struct cluster cluster;

    (void)state;
    cluster_make(&cluster, 2, 1);
    side_up(&cluster.side[0]);
    links_set(&cluster.side[0], false, false);
    cluster_run(&cluster, 10000);
    assert_false(side_is_ready(&cluster.side[0]));
    links_set(&cluster.side[0], true, true);
    cluster_run(&cluster, TVS_SYNC_FIND_MS - TVS_SYNC_SEARCH_MS);
    assert_false(side_is_ready(&cluster.side[0]));
    cluster_run(&cluster, 3 * TVS_SYNC_SEARCH_MS);
    assert_true(side_is_ready(&cluster.side[0]));
    cluster_free(&cluster);

    cluster_make(&cluster, 2, 1); /* its peer was there all the time, behind the link */
    side_up(&cluster.side[1]);
    cluster_run(&cluster, 3000);
    side_up(&cluster.side[0]);
    links_set(&cluster.side[0], false, false);
    cluster_run(&cluster, 3000);
    assert_false(side_is_ready(&cluster.side[0]));
    links_set(&cluster.side[0], true, true);
    cluster_run(&cluster, 500);
    assert_true(side_is_ready(&cluster.side[0]));
    assert_int_equal(COUNT(&cluster.side[0], pulled), WORKERS);
    cluster_free(&cluster);
}

static void test_without_a_link_it_does_not_wait_for_ever(void **state)
{
    struct cluster cluster;

    (void)state;
    cluster_make(&cluster, 2, 1);
    side_up(&cluster.side[0]);
    links_set(&cluster.side[0], false, false);
    cluster_run(&cluster, TVS_SYNC_READY_MS - TVS_SYNC_SEARCH_MS);
    assert_false(side_is_ready(&cluster.side[0]));
    cluster_run(&cluster, 3 * TVS_SYNC_SEARCH_MS);
    assert_true(side_is_ready(&cluster.side[0]));
    cluster_free(&cluster);
}

static void test_together_they_are_ready_soon(void **state)
{
    struct cluster cluster;

    (void)state;
    cluster_make(&cluster, NODES_MAX, 2);
    for (unsigned i = 0; i < NODES_MAX; i++)
        side_up(&cluster.side[i]);
    cluster_run(&cluster, 500);
    for (unsigned i = 0; i < NODES_MAX; i++) {
        assert_true(side_is_ready(&cluster.side[i]));
        assert_int_equal(COUNT(&cluster.side[i], pulled), (NODES_MAX - 1) * WORKERS);
    }
    cluster_free(&cluster);
}

/* Also when the frames come to the wrong worker, and with a node that only listens. */
static void test_a_copy_forwards_as_the_owner_does(void **state)
{
    struct cluster cluster;
    struct flow flows[60];

    (void)state;
    cluster_start(&cluster, NODES_MAX, 3);
    cluster.wrong = 50;
    for (unsigned i = 0; i < 60; i++)
        flows[i] = flow_open(&cluster.side[0], TVS_TCP, CLIENT + i % 7, (uint16_t)(2000 + i));
    cluster_run(&cluster, 50);
    for (unsigned other = 1; other < NODES_MAX; other++) {
        struct side *side = &cluster.side[other];

        for (unsigned i = 0; i < 60; i++) {
            assert_true(flow_request(side, &flows[i], TVS_TCP_ACK));
            assert_true(flow_reply(side, &flows[i], TVS_TCP_ACK));
            assert_true(flow_reply(&cluster.side[0], &flows[i], TVS_TCP_ACK));
        }
        assert_int_equal(COUNT(side, learned), 60);
        assert_int_equal(side->node->workers[0]->n_copies + side->node->workers[1]->n_copies, 60);
        side_check(side);
    }
    assert_int_equal(COUNT(&cluster.side[0], told), 60);
    sides_compare(&cluster.side[0], &cluster.side[1], TVS_S_ESTABLISHED, 60);
    sides_compare(&cluster.side[0], &cluster.side[2], TVS_S_ESTABLISHED, 60);
    cluster_free(&cluster);
}

/* The owner's own pool is empty, the peer's is not: it has the session all the same. */
static void test_a_session_of_a_sorry_pool_is_copied(void **state)
{
    enum { POOL_WEB = 0, POOL_KEPT = 2 };
    struct cluster cluster;
    struct flow flow = {0};
    const struct tvs_record *copy;
    uint32_t web;

    (void)state;
    cluster_start(&cluster, 2, 3);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(
            tvs_node_set_backend(cluster.side[0].node, POOL_KEPT, i, TVS_BACKEND_DOWN, 1), 0);
    assert_true(
        flow_begin_to(&cluster.side[0], &flow, TVS_TCP, CLIENT, 2000, VIP_B, VIP_KEPT_PORT));
    assert_int_equal(flow.server & ~3u, SERVER & ~3u);
    assert_true(flow_reply(&cluster.side[0], &flow, TVS_TCP_SYN | TVS_TCP_ACK));
    assert_true(flow_request(&cluster.side[0], &flow, TVS_TCP_ACK));
    cluster_run(&cluster, 50);
    assert_int_equal(COUNT(&cluster.side[1], learned), 1);
    assert_int_equal(COUNT(&cluster.side[1], no_server), 0);
    copy = flow_record(&cluster.side[1], &flow);
    assert_non_null(copy);
    web = cluster.side[1].node->first_backend[POOL_WEB];
    assert_in_range(copy->backend, web, web + 2);
    assert_true(flow_request(&cluster.side[1], &flow, TVS_TCP_ACK));
    assert_true(flow_reply(&cluster.side[1], &flow, TVS_TCP_ACK));
    cluster_free(&cluster);
}

static void test_half_open_sessions_stay_at_home(void **state)
{
    struct cluster cluster;
    struct flow flow = {0};

    (void)state;
    cluster_start(&cluster, 2, 4);
    assert_true(flow_begin(&cluster.side[0], &flow, TVS_TCP, CLIENT, 2000));
    assert_true(flow_reply(&cluster.side[0], &flow, TVS_TCP_SYN | TVS_TCP_ACK));
    cluster_run(&cluster, 3000);
    assert_null(flow_record(&cluster.side[1], &flow));
    assert_false(flow_request(&cluster.side[1], &flow, TVS_TCP_ACK));
    assert_int_equal(cluster.kinds[TVS_SYNC_UPDATE], 0);
    cluster_free(&cluster);
}

static uint8_t state_of(const struct side *side, const struct flow *flow)
{
    const struct tvs_record *record = flow_record(side, flow);

    return record != NULL ? record->state : TVS_S_FREE;
}

static void states_are(struct cluster *cluster, const struct flow *flow, uint8_t expected)
{
    cluster_run(cluster, 20);
    assert_int_equal(state_of(&cluster->side[0], flow), expected);
    assert_int_equal(state_of(&cluster->side[1], flow), expected);
}

/* One end's packets pass one node, the other end's the other: both know what either saw. */
static void test_states_follow(void **state)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    struct flow fin, rst, crossed;

    (void)state;
    cluster_start(&cluster, 2, 5);
    fin = flow_open(a, TVS_TCP, CLIENT, 2000);
    rst = flow_open(b, TVS_TCP, CLIENT, 2001);
    crossed = flow_open(a, TVS_TCP, CLIENT, 2002);
    states_are(&cluster, &fin, TVS_S_ESTABLISHED);
    states_are(&cluster, &rst, TVS_S_ESTABLISHED);
    assert_true(flow_request(a, &fin, TVS_TCP_FIN | TVS_TCP_ACK));
    states_are(&cluster, &fin, TVS_S_FIN_CLIENT);
    assert_true(flow_reply(b, &fin, TVS_TCP_FIN | TVS_TCP_ACK));
    assert_true(flow_request(a, &rst, TVS_TCP_RST));
    states_are(&cluster, &fin, TVS_S_CLOSED);
    states_are(&cluster, &rst, TVS_S_RESET);
    assert_true(flow_request(a, &crossed, TVS_TCP_FIN | TVS_TCP_ACK));
    assert_true(flow_reply(b, &crossed, TVS_TCP_FIN | TVS_TCP_ACK));
    states_are(&cluster, &crossed, TVS_S_CLOSED);
    cluster_run(&cluster, 6000);
    assert_int_equal(state_of(a, &fin) + state_of(b, &fin), 2 * TVS_S_FREE);
    assert_int_equal(state_of(a, &rst) + state_of(b, &rst), 2 * TVS_S_FREE);
    cluster_run(&cluster, 30000);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(state_of(&cluster.side[i], &crossed), TVS_S_FREE);
        for (unsigned w = 0; w < WORKERS; w++)
            assert_int_equal(cluster.side[i].node->workers[w]->n_sessions +
                                 cluster.side[i].node->workers[w]->n_copies,
                             0);
        side_check(&cluster.side[i]);
    }
    cluster_free(&cluster);
}

/* The copy of a session that goes on never runs out; that of an idle one does, with it. */
static void test_copies_live_as_long(void **state)
{
    struct cluster cluster;
    struct flow busy, idle;

    (void)state;
    cluster_start(&cluster, 2, 6);
    busy = flow_open(&cluster.side[0], TVS_TCP, CLIENT, 2000);
    idle = flow_open(&cluster.side[0], TVS_TCP, CLIENT, 2001);
    for (unsigned second = 0; second < 1000; second += 5) {
        const struct tvs_record *copy;

        assert_true(flow_request(&cluster.side[0], &busy, TVS_TCP_ACK));
        cluster_run(&cluster, 5000);
        copy = flow_record(&cluster.side[1], &busy);
        assert_non_null(copy);
        assert_true((int32_t)(copy->expires_tick - cluster.side[1].node->now_tick) > 1000);
        if (second < 290)
            assert_non_null(flow_record(&cluster.side[1], &idle));
        if (second > 310)
            assert_null(flow_record(&cluster.side[1], &idle));
    }
    assert_in_range(COUNT(&cluster.side[0], told), 5, 12); /* not with each packet */
    assert_int_equal(COUNT(&cluster.side[1], told), 0);
    cluster_free(&cluster);
}

/* The peer's word on a session says when the peer's copy ends, not when ours does. */
static void test_a_stale_copy_is_refreshed(void **state)
{
    struct cluster cluster;
    struct flow flow;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];

    (void)state;
    cluster_start(&cluster, 2, 7);
    flow = flow_open(a, TVS_TCP, CLIENT, 2000);
    for (unsigned second = 0; second < 130; second += 10) {
        cluster_run(&cluster, 10000);
        assert_true(flow_request(a, &flow, TVS_TCP_ACK));
    }
    /* as when too much was lost: everything is asked for once more */
    a->sync[flow.worker]->peers[0].pull = TVS_SYNC_PULL_GOES_ON;
    a->sync[flow.worker]->peers[0].pull_cursor = 0;
    for (unsigned second = 0; second < 400; second += 10) {
        const struct tvs_record *copy;

        cluster_run(&cluster, 10000);
        assert_true(flow_request(a, &flow, TVS_TCP_ACK));
        copy = flow_record(b, &flow);
        assert_non_null(copy);
        assert_true((int32_t)(copy->expires_tick - b->node->now_tick) > 1000);
    }
    cluster_free(&cluster);
}

static void test_udp_is_copied_when_it_goes_on(void **state)
{
    struct cluster cluster;
    struct flow question, stream;

    (void)state;
    cluster_start(&cluster, 2, 8);
    question = flow_open(&cluster.side[0], TVS_UDP, CLIENT, 2000);
    stream = flow_open(&cluster.side[0], TVS_UDP, CLIENT, 2001);
    for (unsigned i = 0; i < 12; i++) {
        cluster_run(&cluster, 500);
        assert_true(flow_request(&cluster.side[0], &stream, 0));
    }
    assert_non_null(flow_record(&cluster.side[0], &question));
    assert_null(flow_record(&cluster.side[1], &question));
    assert_true(flow_request(&cluster.side[1], &stream, 0));
    assert_true(flow_reply(&cluster.side[1], &stream, 0));
    cluster_free(&cluster);
}

/* Numbers go on while nobody hears them: who comes then knows that it lacks something. */
static void test_nobody_is_told_when_nobody_is_here(void **state)
{
    struct cluster cluster;
    struct flow flow;

    (void)state;
    cluster_make(&cluster, 2, 9);
    side_up(&cluster.side[0]);
    cluster_run(&cluster, 2000);
    flow = flow_open(&cluster.side[0], TVS_TCP, CLIENT, 2000);
    cluster_run(&cluster, 100);
    assert_int_equal(cluster.kinds[TVS_SYNC_UPDATE], 0);
    assert_int_equal(cluster.side[0].sync[flow.worker]->updates, 1);
    side_up(&cluster.side[1]);
    cluster_run(&cluster, 500);
    assert_true(side_is_ready(&cluster.side[1]));
    assert_true(flow_request(&cluster.side[1], &flow, TVS_TCP_ACK));
    cluster_free(&cluster);
}

/* More sessions than one update and one scan hold, and ports until there are none. */
static void restart(unsigned loss, uint64_t seed)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    struct flow flows[300], more;
    unsigned in_use, opened = 0;

    cluster_start(&cluster, 2, seed);
    for (unsigned i = 0; i < 300; i++) {
        flows[i] = flow_open(&cluster.side[i % 3 == 2], TVS_TCP, CLIENT + i, 3000);
        if (i % 20 == 0)
            cluster_run(&cluster, 1);
    }
    cluster_run(&cluster, 200);
    side_down(a);
    cluster.loss = loss;
    cluster_run(&cluster, 5000);
    for (unsigned i = 0; i < 300; i++)
        assert_true(flow_request(b, &flows[i], TVS_TCP_ACK));
    side_up(a);
    for (unsigned ms = 0; !side_is_ready(a); ms++) {
        assert_in_range(ms, 0, loss != 0 ? 20000 : 1000);
        cluster_run(&cluster, 1);
    }
    for (unsigned i = 0; i < 300; i++) {
        assert_true(flow_reply(a, &flows[i], TVS_TCP_ACK));
        assert_true(flow_request(a, &flows[i], TVS_TCP_ACK));
    }
    side_check(a);
    in_use = a->node->workers[0]->n_sessions + a->node->workers[1]->n_sessions;
    assert_int_equal(in_use, 200);
    for (uint16_t port = 4000; port < 6000; port++) {
        if (!flow_begin(a, &more, TVS_TCP, CLIENT, port))
            continue;
        opened++;
        for (unsigned i = 0; i < 300; i++)
            assert_false(more.local == flows[i].local && more.local_port == flows[i].local_port);
    }
    assert_int_equal(in_use + opened, 4 * (PORT_LAST - FIRST_LOCAL_PORT + 1));
    assert_int_equal(tvs_free_count(&a->node->workers[0]->free), 0);
    for (unsigned i = 0; i < 300; i++)
        assert_true(flow_request(a, &flows[i], TVS_TCP_ACK));
    side_check(a);
    side_check(b);
    cluster_free(&cluster);
}

static void test_a_restarted_node_gets_everything_back(void **state)
{
    (void)state;
    restart(0, 10);
    for (uint64_t seed = 100; seed < 130; seed++)
        restart(30, seed);
}

/* The client's port is used again at once, on the same node and on the other. */
static void test_the_younger_of_one_client_counts(void **state)
{
    (void)state;
    for (unsigned run_ms = 0; run_ms < 2400; run_ms += 800) {
        struct cluster cluster;
        struct side *a = &cluster.side[0], *b = &cluster.side[1];

        cluster_start(&cluster, 2, 12);
        for (uint16_t port = 2000; port < 2050; port++) {
            struct side *opener = port % 2 ? a : b, *next = port % 3 ? a : b;
            struct flow old = flow_open(opener, TVS_TCP, CLIENT, port), new;

            cluster_run(&cluster, 20 + run_ms);
            assert_true(flow_request(opener, &old, TVS_TCP_RST));
            cluster_run(&cluster, 20);
            new = flow_open(next, TVS_TCP, CLIENT, port);
            assert_false(new.local == old.local &&new.local_port == old.local_port);
            cluster_run(&cluster, 20);
            assert_true(flow_request(a, &new, TVS_TCP_ACK));
            assert_true(flow_request(b, &new, TVS_TCP_ACK));
            assert_null(flow_record(a, &old));
            assert_null(flow_record(b, &old));
        }
        side_check(a);
        side_check(b);
        sides_compare(a, b, TVS_S_ESTABLISHED, 50);
        cluster_free(&cluster);
    }
}

/* As above, the peer having heard nothing of the old session's end. */
static void test_the_younger_counts_though_the_end_was_lost(void **state)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];

    (void)state;
    cluster_start(&cluster, 2, 13);
    for (uint16_t port = 2000; port < 2020; port++) {
        struct flow old = flow_open(a, TVS_TCP, CLIENT, port), new;

        cluster_run(&cluster, 10);
        assert_true(flow_request(a, &old, TVS_TCP_RST));
        new = flow_open(a, TVS_TCP, CLIENT, port);
        cluster_run(&cluster, 20);
        assert_true(flow_request(b, &new, TVS_TCP_ACK));
        assert_null(flow_record(b, &old));
    }
    side_check(b);
    cluster_free(&cluster);
}

/* A local port goes from one session to the next as fast as it can. */
static void test_the_younger_of_one_port_counts(void **state)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    struct flow old, new = {0};

    (void)state;
    cluster_start(&cluster, 2, 14);
    for (unsigned w = 0; w < WORKERS; w++)
        while (tvs_free_count(&a->node->workers[w]->free) > 1)
            tvs_free_take(&a->node->workers[w]->free);
    old = flow_open(a, TVS_TCP, CLIENT, 2000);
    cluster_run(&cluster, 20);
    assert_true(flow_request(a, &old, TVS_TCP_RST));
    a->sweep_ticks = 2; /* the other does not see at once that it is over */
    for (uint16_t port = 2001; new.local_port != old.local_port || new.local != old.local; port++) {
        cluster_run(&cluster, 7);
        new = (struct flow){0};
        if (flow_begin(a, &new, TVS_TCP, CLIENT, port)) {
            assert_true(flow_reply(a, &new, TVS_TCP_SYN | TVS_TCP_ACK));
            assert_true(flow_request(a, &new, TVS_TCP_ACK));
        }
        assert_in_range(port, 2001, 2500);
    }
    cluster_run(&cluster, 20);
    assert_true(flow_request(b, &new, TVS_TCP_ACK));
    assert_null(flow_record(b, &old));
    cluster_free(&cluster);
}

/* The same client and the same port once more, while the peer has not swept what was before. */
static void test_the_same_again_is_another_session(void **state)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    struct flow old, new;

    (void)state;
    cluster_start(&cluster, 2, 15);
    for (unsigned w = 0; w < WORKERS; w++)
        while (tvs_free_count(&a->node->workers[w]->free) > 1)
            tvs_free_take(&a->node->workers[w]->free);
    for (uint32_t server = 1; server < 3; server++) /* one is left */
        assert_int_equal(tvs_node_set_backend(a->node, 0, server, TVS_BACKEND_DRAIN, 1), 0);
    a->sweep_ticks = 2;
    b->sweep_ticks = 1000;
    old = flow_open(a, TVS_TCP, CLIENT, 2000);
    cluster_run(&cluster, 20);
    assert_true(flow_request(a, &old, TVS_TCP_RST));
    cluster_run(&cluster, 1300);
    assert_null(flow_record(a, &old));
    assert_non_null(flow_record(b, &old));
    new = flow_open(a, TVS_TCP, CLIENT, 2000);
    assert_memory_equal(&old, &new, sizeof(old));
    cluster_run(&cluster, 20);
    assert_int_equal(state_of(b, &new), TVS_S_ESTABLISHED);
    cluster_free(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone_it_waits_for_others),
        cmocka_unit_test(test_it_waits_for_its_link),
        cmocka_unit_test(test_without_a_link_it_does_not_wait_for_ever),
        cmocka_unit_test(test_together_they_are_ready_soon),
        cmocka_unit_test(test_a_copy_forwards_as_the_owner_does),
        cmocka_unit_test(test_a_session_of_a_sorry_pool_is_copied),
        cmocka_unit_test(test_half_open_sessions_stay_at_home),
        cmocka_unit_test(test_states_follow),
        cmocka_unit_test(test_copies_live_as_long),
        cmocka_unit_test(test_a_stale_copy_is_refreshed),
        cmocka_unit_test(test_udp_is_copied_when_it_goes_on),
        cmocka_unit_test(test_nobody_is_told_when_nobody_is_here),
        cmocka_unit_test(test_a_restarted_node_gets_everything_back),
        cmocka_unit_test(test_the_younger_of_one_client_counts),
        cmocka_unit_test(test_the_younger_counts_though_the_end_was_lost),
        cmocka_unit_test(test_the_younger_of_one_port_counts),
        cmocka_unit_test(test_the_same_again_is_another_session),
    };

    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
