/* SPDX-License-Identifier: Apache-2.0 */
/* Session sync of services that tell the client's address: who puts it into packets, and when. */
#include "sync_cluster.h"

static uint64_t added(const struct side *side)
{
    uint64_t sum = 0;

    for (unsigned w = 0; w < WORKERS; w++)
        sum += side->node->workers[w]->counters.toa_added;
    return sum;
}

/* The handshake; what the client sends does not leave as it came, so nothing is compared. */
static struct flow handshake(struct side *side, uint16_t port)
{
    struct flow flow;

    assert_true(flow_begin(side, &flow, TVS_TCP, CLIENT, port));
    flow_offer(side, &flow, TVS_REPLY, TVS_TCP_SYN | TVS_TCP_ACK);
    flow_offer(side, &flow, TVS_REQUEST, TVS_TCP_ACK);
    return flow;
}

/* A survivor was told that the session is established: it adds nothing. */
static void test_a_copy_owes_nothing(void **state)
{
    struct cluster cluster;
    struct flow flows[20];

    (void)state;
    cluster_start(&cluster, 2, 11);
    for (unsigned i = 0; i < 20; i++)
        flows[i] = handshake(&cluster.side[0], (uint16_t)(2000 + i));
    assert_int_equal(added(&cluster.side[0]), 40);
    cluster_run(&cluster, 50);
    side_down(&cluster.side[0]);
    for (unsigned i = 0; i < 20; i++) {
        assert_true(flow_request(&cluster.side[1], &flows[i], TVS_TCP_ACK));
        assert_true(flow_reply(&cluster.side[1], &flows[i], TVS_TCP_ACK));
    }
    assert_int_equal(added(&cluster.side[1]), 0);
    cluster_free(&cluster);
}

/* The owner goes on until it has heard the server, whatever it has told and whatever it is told. */
static void test_the_owner_owes_until_the_server_answers(void **state)
{
    struct cluster cluster;
    struct flow flow;

    (void)state;
    cluster_start(&cluster, 2, 12);
    flow = handshake(&cluster.side[0], 3000);
    cluster_run(&cluster, 50);
    flow_offer(&cluster.side[1], &flow, TVS_REQUEST, TVS_TCP_FIN | TVS_TCP_ACK);
    cluster_run(&cluster, 50);
    assert_int_equal(flow_record(&cluster.side[0], &flow)->state, TVS_S_FIN_CLIENT);
    flow_offer(&cluster.side[0], &flow, TVS_REQUEST, TVS_TCP_ACK);
    assert_int_equal(added(&cluster.side[0]), 3);
    assert_true(flow_reply(&cluster.side[0], &flow, TVS_TCP_ACK));
    assert_true(flow_request(&cluster.side[0], &flow, TVS_TCP_ACK));
    assert_int_equal(added(&cluster.side[0]), 3);
    side_check(&cluster.side[0]);
    cluster_free(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_owes_nothing),
        cmocka_unit_test(test_the_owner_owes_until_the_server_answers),
    };

    return cmocka_run_group_tests_name("sync_toa", tests, NULL, NULL);
}
