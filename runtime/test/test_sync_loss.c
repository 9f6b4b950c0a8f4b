/* SPDX-License-Identifier: Apache-2.0 */
/* Session sync over a wire, with buffers and with a queue that lose: in the end nothing is lost. */
#include "sync_cluster.h"

/* Until what is on the way has come, what was lost is asked for, and what is over has expired. */
static void settle(struct cluster *cluster)
{
    cluster->loss = cluster->twice = cluster->no_room = cluster->delay_ms = 0;
    cluster_run(cluster, 45000);
    for (unsigned i = 0; i < cluster->n; i++)
        side_check(&cluster->side[i]);
}

enum { FLOWS = 300 };

struct traffic {
    struct flow flow[FLOWS];
    bool is_open[FLOWS];
    bool has_ended[FLOWS];  /* or has begun to: what was lost of that stays until it expires */
    uint16_t opened[FLOWS]; /* each time from another port of the client */
};

/*
 * One step of one session, through any node, also one that does not know it yet. Those that go on
 * must be on all nodes in the end. Of one that is over a copy may stay: nothing is told of what has
 * already expired when the peer asks again.
 */
static void traffic_step(struct cluster *cluster, struct traffic *traffic)
{
    uint64_t *chance = &cluster->chance;
    unsigned i = random_below(chance, FLOWS);
    struct side *side = &cluster->side[random_below(chance, cluster->n)];
    struct flow *flow = &traffic->flow[i];
    bool is_known;

    if (!traffic->is_open[i]) {
        uint8_t proto = i % 5 ? TVS_TCP : TVS_UDP;

        traffic->has_ended[i] = false;
        side = &cluster->side[random_below(chance, 2)]; /* the third has the second's addresses */
        traffic->is_open[i] =
            flow_begin(side, flow, proto, CLIENT + i % 16,
                       (uint16_t)(2000 + i + FLOWS * (traffic->opened[i]++ % 100)));
        if (!traffic->is_open[i] || i % 10 == 7)
            return; /* some stay half open */
        flow_offer(side, flow, TVS_REPLY, TVS_TCP_SYN | TVS_TCP_ACK);
        flow_offer(side, flow, TVS_REQUEST, TVS_TCP_ACK);
        return;
    }
    is_known = flow_record(side, flow) != NULL; /* else its port is perhaps another's by now */
    if (!is_known && flow->proto == TVS_UDP)
        return; /* it would open another */
    switch (random_below(chance, 12)) {
    case 0:
        traffic->has_ended[i] = true;
        flow_offer(side, flow, TVS_REQUEST, TVS_TCP_FIN | TVS_TCP_ACK);
        break;
    case 1:
        traffic->has_ended[i] = true;
        if (is_known)
            flow_offer(side, flow, TVS_REPLY, TVS_TCP_FIN | TVS_TCP_ACK);
        break;
    case 2:
        traffic->has_ended[i] = true;
        flow_offer(side, flow, TVS_REQUEST, TVS_TCP_RST);
        traffic->is_open[i] = false;
        break;
    case 3:
        traffic->is_open[i] = false;
        break;
    case 4:
        if (is_known)
            flow_offer(side, flow, TVS_REPLY, TVS_TCP_ACK);
        break;
    default:
        flow_offer(side, flow, TVS_REQUEST, TVS_TCP_ACK);
    }
}

/* Whether every node has the session as its first packet made it. */
static bool is_as_known(const struct cluster *cluster, const struct traffic *traffic, unsigned i)
{
    for (unsigned n = 0; n < cluster->n; n++)
        if (flow_record(&cluster->side[n], &traffic->flow[i]) == NULL)
            return false;
    return true;
}

static void test_random_traffic(void **state)
{
    static struct traffic traffic;

    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        unsigned n = seed % 3 == 0 ? 3 : 2, known = 0;
        struct cluster cluster;

        cluster_start(&cluster, n, seed);
        cluster.loss = 30;
        cluster.twice = 20;
        cluster.wrong = 20;
        cluster.no_room = seed % 4 == 0 ? 30 : 0;
        cluster.delay_ms = 12;
        memset(&traffic, 0, sizeof(traffic));
        for (unsigned step = 0; step < 6000; step++) {
            traffic_step(&cluster, &traffic);
            cluster_run(&cluster, random_below(&cluster.chance, 8));
        }
        settle(&cluster);
        for (unsigned i = 0; i < FLOWS; i++)
            if (i % 5 != 0 && i % 10 != 7 && traffic.is_open[i] && !traffic.has_ended[i]) {
                assert_true(is_as_known(&cluster, &traffic, i));
                known++;
            }
        assert_in_range(known, 20, FLOWS);
        for (unsigned i = 0; i < n; i++)
            assert_in_range(COUNT(&cluster.side[i], asked_again), 1, UINT32_MAX);
        cluster_free(&cluster);
    }
}

/* The wire to the peer is cut for longer than the window holds, the peer still being heard. */
static void test_a_gap_larger_than_the_window(void **state)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    struct flow flow[100], unheard;
    uint64_t pulled;

    (void)state;
    cluster_start(&cluster, 2, 20);
    for (unsigned i = 0; i < 100; i++)
        flow[i] = flow_open(a, TVS_TCP, CLIENT, (uint16_t)(2000 + i));
    cluster_run(&cluster, 100);
    pulled = COUNT(b, pulled);
    b->is_deaf = true;
    unheard = flow_open(a, TVS_TCP, CLIENT, 1999);
    cluster_run(&cluster, 10);
    for (unsigned i = 0; i < TVS_SYNC_WINDOW + 10; i++) { /* each a message */
        for (unsigned w = 0; w < WORKERS; w++)
            tvs_sync_queue_put(a->node->workers[w],
                               flow_record(a, &flow[i % 100]) != NULL && flow[i % 100].worker == w
                                   ? flow_record(a, &flow[i % 100])
                                   : flow_record(a, &unheard));
        cluster_run(&cluster, 7);
    }
    assert_null(flow_record(b, &unheard));
    assert_in_range(a->sync[unheard.worker]->updates, TVS_SYNC_WINDOW + 5, UINT32_MAX);
    b->is_deaf = false;
    cluster_run(&cluster, 1500);
    assert_non_null(flow_record(b, &unheard));
    assert_in_range(COUNT(b, pulled), pulled + 1, pulled + 2);
    sides_compare(a, b, TVS_S_ESTABLISHED, 101);
    cluster_free(&cluster);
}

/* Nothing comes after the update that was lost: the next hello tells of it. */
static void test_the_last_update_is_lost(void **state)
{
    struct cluster cluster;
    struct flow flow;

    (void)state;
    cluster_start(&cluster, 2, 21);
    cluster.side[1].is_deaf = true;
    flow = flow_open(&cluster.side[0], TVS_TCP, CLIENT, 2000);
    cluster_run(&cluster, 10);
    cluster.side[1].is_deaf = false;
    assert_null(flow_record(&cluster.side[1], &flow));
    cluster_run(&cluster, TVS_SYNC_HELLO_MS + TVS_SYNC_AGAIN_MS + 10);
    assert_non_null(flow_record(&cluster.side[1], &flow));
    assert_int_equal(COUNT(&cluster.side[1], asked_again), 1);
    assert_int_equal(COUNT(&cluster.side[0], sent_again), 1);
    cluster_free(&cluster);
}

/* The peer goes and comes back as it was: it has missed what was told meanwhile. */
static void test_a_silent_peer_comes_back(void **state)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    struct flow flow[50];

    (void)state;
    cluster_start(&cluster, 2, 22);
    a->is_deaf = b->is_deaf = true;
    cluster_run(&cluster, TVS_SYNC_GONE_MS + 500);
    for (unsigned i = 0; i < 50; i++)
        flow[i] = flow_open(i % 2 ? a : b, TVS_TCP, CLIENT, (uint16_t)(2000 + i));
    cluster.kinds[TVS_SYNC_UPDATE] = 0;
    cluster_run(&cluster, 100);
    assert_int_equal(cluster.kinds[TVS_SYNC_UPDATE], 0);
    a->is_deaf = b->is_deaf = false;
    cluster_run(&cluster, 500);
    for (unsigned i = 0; i < 50; i++)
        assert_non_null(flow_record(i % 2 ? b : a, &flow[i]));
    cluster_free(&cluster);
}

static void test_without_buffers(void **state)
{
    struct cluster cluster;
    struct flow flow[200];

    (void)state;
    cluster_make(&cluster, 3, 23);
    cluster.no_room = 60;
    for (unsigned i = 0; i < 3; i++)
        side_up(&cluster.side[i]);
    cluster_run(&cluster, 3000);
    for (unsigned i = 0; i < 200; i++) {
        flow[i] = flow_open(&cluster.side[i % 2], TVS_TCP, CLIENT, (uint16_t)(2000 + i));
        cluster_run(&cluster, i % 10);
    }
    cluster_run(&cluster, 4000);
    for (unsigned i = 0; i < 200; i++)
        for (unsigned n = 0; n < 3; n++)
            assert_non_null(flow_record(&cluster.side[n], &flow[i]));
    assert_in_range(COUNT(&cluster.side[0], no_buffer), 100, UINT32_MAX);
    cluster_free(&cluster);
}

/* Also of a state that follows one that was told. */
static void test_the_sweep_brings_what_the_queue_lost(void **state)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    struct flow flow[100];

    (void)state;
    cluster_start(&cluster, 2, 24);
    for (unsigned w = 0; w < WORKERS; w++)
        a->node->workers[w]->sync_queue.capacity = 4;
    for (uint8_t step = 0; step < 2; step++) {
        uint64_t lost = 0;

        for (unsigned i = 0; i < 100; i++)
            if (step == 0)
                flow[i] = flow_open(a, TVS_TCP, CLIENT, (uint16_t)(2000 + i));
            else
                assert_true(flow_request(a, &flow[i], TVS_TCP_FIN | TVS_TCP_ACK));
        for (unsigned w = 0; w < WORKERS; w++)
            lost += a->node->workers[w]->sync_queue.lost;
        assert_int_equal(lost, (step + 1) * (100 - 2 * 4));
        cluster_run(&cluster, 10);
        for (unsigned w = 0; w < WORKERS; w++) /* or it would take a sweep for each four */
            a->node->workers[w]->sync_queue.capacity = 256;
        cluster_run(&cluster, 4000);
        for (unsigned i = 0; i < 100; i++) {
            const struct tvs_record *copy = flow_record(b, &flow[i]);

            assert_non_null(copy);
            assert_int_equal(copy->state, step == 0 ? TVS_S_ESTABLISHED : TVS_S_FIN_CLIENT);
        }
        for (unsigned w = 0; w < WORKERS; w++)
            a->node->workers[w]->sync_queue.capacity = 4;
    }
    cluster_free(&cluster);
}

/* On a link that always loses, what is lost is asked for, and not everything for each of it. */
static void test_a_bad_link_is_no_reason_to_pull(void **state)
{
    struct cluster cluster;
    struct flow flow[50];

    (void)state;
    cluster_start(&cluster, 2, 25);
    for (unsigned i = 0; i < 50; i++)
        flow[i] = flow_open(&cluster.side[0], TVS_TCP, CLIENT, (uint16_t)(2000 + i));
    cluster.loss = 10;
    for (unsigned ms = 0; ms < 20000; ms++) {
        const struct flow *one = &flow[ms % 50];

        tvs_sync_queue_put(cluster.side[0].node->workers[one->worker],
                           flow_record(&cluster.side[0], one));
        cluster_run(&cluster, 1);
    }
    assert_in_range(COUNT(&cluster.side[1], asked_again), 100, UINT32_MAX);
    assert_in_range(COUNT(&cluster.side[1], pulled), 2, 4);
    cluster_free(&cluster);
}

/* Answers that come twice, late, and of a pull that has begun anew: each question is answered. */
static void test_doubled_answers_are_one(void **state)
{
    struct cluster cluster;
    struct flow flow[200];

    (void)state;
    cluster_make(&cluster, 2, 26);
    side_up(&cluster.side[0]);
    cluster_run(&cluster, 2000);
    for (unsigned i = 0; i < 200; i++)
        flow[i] = flow_open(&cluster.side[0], TVS_TCP, CLIENT, (uint16_t)(2000 + i));
    cluster.twice = 100;
    cluster.delay_ms = 3;
    side_up(&cluster.side[1]);
    cluster_run(&cluster, 1500);
    assert_true(side_is_ready(&cluster.side[1]));
    for (unsigned i = 0; i < 200; i++)
        assert_non_null(flow_record(&cluster.side[1], &flow[i]));
    assert_in_range(cluster.kinds[TVS_SYNC_PULL], 8, 60);
    assert_in_range(cluster.kinds[TVS_SYNC_BULK], 8, 80);
    cluster_free(&cluster);
}

/* The last answer of a pull is on its way while everything has to be asked for once more. */
static void test_a_late_answer_does_not_end_the_next_pull(void **state)
{
    struct cluster cluster;
    struct side *a = &cluster.side[0], *b = &cluster.side[1];
    struct tvs_sync_peer *peer;
    struct flow flow;

    (void)state;
    cluster_start(&cluster, 2, 27);
    flow = flow_open(a, TVS_TCP, CLIENT, 2000);
    cluster_run(&cluster, 20);
    peer = &b->sync[flow.worker]->peers[0];
    for (unsigned late = 0; late < 4; late++) {
        struct tvs_record *copy = flow_record(b, &flow);

        assert_non_null(copy);
        tvs_session_close(b->node->workers[flow.worker], copy); /* as if it had been lost */
        for (unsigned again = 0; again < 2; again++) {
            peer->pull = TVS_SYNC_PULL_GOES_ON; /* as tvs_sync_pull_start() */
            peer->pull_cursor = again ? 0 : 2 << 16 | (PORT_LAST - late * 100);
            peer->pull_question++;
            peer->pull_at = 0;
            b->sync[flow.worker]->due = 0;
            cluster.holds = !again;
            cluster_run(&cluster, again ? 50 : 2);
            if (!again) { /* the question comes, its answer waits */
                cluster.holds = false;
                cluster_run(&cluster, 1);
                cluster.holds = true;
                cluster_run(&cluster, 1);
            }
        }
        assert_int_equal(peer->pull, TVS_SYNC_PULL_DONE);
        assert_non_null(flow_record(b, &flow));
    }
    cluster_free(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_traffic),
        cmocka_unit_test(test_a_gap_larger_than_the_window),
        cmocka_unit_test(test_the_last_update_is_lost),
        cmocka_unit_test(test_a_silent_peer_comes_back),
        cmocka_unit_test(test_without_buffers),
        cmocka_unit_test(test_the_sweep_brings_what_the_queue_lost),
        cmocka_unit_test(test_a_bad_link_is_no_reason_to_pull),
        cmocka_unit_test(test_doubled_answers_are_one),
        cmocka_unit_test(test_a_late_answer_does_not_end_the_next_pull),
    };

    return cmocka_run_group_tests_name("sync_loss", tests, NULL, NULL);
}
