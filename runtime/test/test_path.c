/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet path of the fixture generation under hostile frames, each in an allocation of exactly
 * its length, and under random traffic: whatever comes, every frame has one verdict, the counters
 * add up, and a burst does what its packets would have done one by one.
 */
#include <stdio.h>

#include "adapters/node.h"
#include "adapters/stats.h"
#include "packets.h"

extern const struct tvs_generation tvs_generation;

static struct tvs_node *node_make(void)
{
    const struct tvs_node_config config = {.seed = 1, .exact_frames = true};
    char error[256] = "";
    struct tvs_node *node = tvs_node_make(&tvs_generation, &config, error, sizeof(error));

    assert_string_equal(error, "");
    assert_non_null(node);
    tvs_node_set_tick(node, 1);
    return node;
}

static void counters_check(const struct tvs_node *node)
{
    for (uint16_t w = 0; w < node->n_workers; w++) {
        const struct tvs_counters *c = &node->workers[w]->counters;
        uint64_t sum =
            c->tx_request + c->tx_reply + c->tx_local + c->kernel + c->handover + c->sync;

        for (unsigned reason = 0; reason < TVS_N_DROPS; reason++)
            sum += c->drops[reason];
        assert_int_equal(c->frames, sum);
    }
}

static struct tvs_node_packet run(struct tvs_node *node, const struct packet *packet)
{
    struct tvs_node_packet one = {
        .data = packet->data, .len = packet->len, .rx_worker = TVS_NODE_STEER};

    assert_int_equal(tvs_node_run(node, &one, 1), 0);
    if (one.verdict == TVS_V_KERNEL) {
        assert_int_equal(one.result_len, packet->len);
        assert_memory_equal(one.result, packet->data, packet->len);
    }
    if (one.verdict == TVS_V_TX)
        assert_true(one.result_len <= packet->len + TVS_FRAME_HEADROOM);
    return one;
}

enum { N_BASES = 10 };

/* One frame of each kind that has its own way through the code; session 0 is opened first. */
static void bases_make(struct packet *base)
{
    struct packet to_server =
        packet_make(TVS_TCP, LIP, FIRST_LOCAL_PORT, SERVER, 8080, TVS_TCP_ACK);
    struct packet to_client = packet_make(TVS_TCP, VIP, VIP_WEB_PORT, CLIENT, 1001, TVS_TCP_ACK);

    base[0] = packet_make(TVS_TCP, CLIENT, 1001, VIP, VIP_WEB_PORT, TVS_TCP_SYN);
    base[1] = packet_make(TVS_TCP, CLIENT, 1001, VIP, VIP_WEB_PORT, TVS_TCP_ACK);
    base[2] = packet_make(TVS_UDP, CLIENT, 1001, VIP, VIP_DNS_PORT, 0);
    base[3] = packet_make(TVS_TCP, SERVER, 8080, LIP, FIRST_LOCAL_PORT, TVS_TCP_ACK);
    base[4] = packet_make(TVS_ICMP, CLIENT, 0, VIP, 7, 0);
    base[5] = packet_make(TVS_ICMP, CLIENT, 0, LIP, 7, 0);
    base[6] = packet_make(47, CLIENT, 0, VIP, 7, 0);
    base[7] = packet_make(TVS_TCP, CLIENT, 1001, VIP, VIP_WEB_PORT, TVS_TCP_SYN);
    memmove(base[7].data + PACKET_L4 + 8, base[7].data + PACKET_L4, base[7].len - PACKET_L4);
    memset(base[7].data + PACKET_L4, 1, 8); /* options: no operation */
    base[7].data[PACKET_IP] = 0x47;
    base[7].len += 8;
    packet_seal(&base[7], true);
    base[8] = packet_complaint(LIP, &to_server);
    base[9] = packet_complaint(VIP, &to_client);
}

/* The bases are what they are meant to be: each of them gets through. */
static void test_the_bases(void **state)
{
    struct tvs_node *node = node_make();
    struct packet base[N_BASES];

    (void)state;
    bases_make(base);
    for (unsigned b = 0; b < N_BASES; b++) {
        struct tvs_node_packet result = run(node, &base[b]);

        if (b != 6) /* a protocol that no VIP serves */
            assert_int_equal(result.verdict, TVS_V_TX);
    }
    tvs_node_close(node);
}

static void test_every_length(void **state)
{
    struct tvs_node *node = node_make();
    struct packet base[N_BASES];

    (void)state;
    bases_make(base);
    for (unsigned b = 0; b < N_BASES; b++) {
        for (uint32_t len = 0; len <= base[b].len; len++) {
            struct packet cut = base[b];
            struct tvs_node_packet result;

            cut.len = len;
            result = run(node, &cut);
            if (len < base[b].len) {
                assert_int_equal(result.verdict, TVS_V_DROP);
                assert_int_equal(result.arg, TVS_DROP_truncated);
            }
            packet_seal(&cut, true); /* the same, with a header that admits it */
            run(node, &cut);
        }
    }
    counters_check(node);
    tvs_node_close(node);
}

/* Every value of every byte of the headers; the IPv4 checksum made right again or left alone. */
static void test_every_byte(void **state)
{
    struct tvs_node *node = node_make();
    struct packet base[N_BASES];

    (void)state;
    bases_make(base);
    for (unsigned b = 0; b < N_BASES; b++) {
        for (uint32_t at = 0; at < base[b].len; at++) {
            for (unsigned value = 0; value < 256; value++) {
                struct packet bad = base[b];

                bad.data[at] = (uint8_t)value;
                run(node, &bad);
                packet_seal(&bad, false);
                run(node, &bad);
            }
        }
    }
    counters_check(node);
    tvs_node_close(node);
}

static void test_random_damage(void **state)
{
    struct tvs_node *node = node_make();
    struct packet base[N_BASES];
    uint64_t chance = 77;

    (void)state;
    bases_make(base);
    for (int round = 0; round < 60000; round++) {
        struct packet bad = base[random_below(&chance, N_BASES)];

        for (uint32_t n = random_below(&chance, 6); n > 0; n--)
            bad.data[12 + random_below(&chance, 60)] = (uint8_t)random_next(&chance);
        bad.len = random_below(&chance, 2) ? bad.len : random_below(&chance, bad.len + 1);
        if (random_below(&chance, 4))
            packet_seal(&bad, random_below(&chance, 2));
        run(node, &bad);
    }
    counters_check(node);
    tvs_node_close(node);
}

/* Requests, replies, noise; few flows, so that a burst holds several packets of one session. */
static struct packet random_packet(uint64_t *chance)
{
    static const uint8_t flags[] = {
        TVS_TCP_SYN, TVS_TCP_SYN, TVS_TCP_SYN | TVS_TCP_ACK, TVS_TCP_ACK, TVS_TCP_FIN | TVS_TCP_ACK,
        TVS_TCP_RST};
    uint8_t proto = random_below(chance, 3) ? TVS_TCP : TVS_UDP;
    uint8_t tcp_flags = flags[random_below(chance, sizeof(flags))];
    uint16_t port = (uint16_t)(1000 + random_below(chance, 30));
    struct packet packet;

    if (random_below(chance, 3)) {
        packet = packet_make(proto, CLIENT, port, VIP, proto == TVS_TCP ? 80 : 53, tcp_flags);
    } else {
        uint32_t lip = ADDRESS(172, 16, 0, 1 + random_below(chance, 4));
        uint16_t local = (uint16_t)(FIRST_LOCAL_PORT + random_below(chance, 12));

        packet = proto == TVS_TCP ? packet_make(proto, SERVER + random_below(chance, 3), 8080, lip,
                                                local, tcp_flags)
                                  : packet_make(proto, ADDRESS(10, 20, 2, 1), 53, lip, local, 0);
    }
    if (random_below(chance, 20) == 0) {
        packet.data[14 + random_below(chance, 30)] ^= (uint8_t)random_next(chance);
        packet_seal(&packet, false);
    }
    return packet;
}

static void nodes_compare(const struct tvs_node *a, const struct tvs_node *b)
{
    for (uint16_t w = 0; w < a->n_workers; w++) {
        size_t bytes = ((size_t)a->workers[w]->n_slots << 16) * sizeof(struct tvs_record);

        for (unsigned c = 1; c < tvs_stats_counters(); c++) /* all but bursts */
            assert_int_equal(tvs_stats_counter_get(&a->workers[w]->counters, c),
                             tvs_stats_counter_get(&b->workers[w]->counters, c));
        assert_int_equal(a->workers[w]->n_sessions, b->workers[w]->n_sessions);
        assert_memory_equal(a->workers[w]->records, b->workers[w]->records, bytes);
    }
}

static void test_a_burst_is_its_packets_one_by_one(void **state)
{
    struct tvs_node *together = node_make(), *alone = node_make();
    uint64_t chance = 42;
    uint32_t tick = 1;

    (void)state;
    for (int round = 0; round < 1500; round++) {
        struct packet packets[TVS_MAX_BURST];
        struct tvs_node_packet many[TVS_MAX_BURST];
        uint32_t n = 1 + random_below(&chance, TVS_MAX_BURST);

        for (uint32_t i = 0; i < n; i++) {
            packets[i] = random_packet(&chance);
            many[i] = (struct tvs_node_packet){
                .data = packets[i].data, .len = packets[i].len, .rx_worker = TVS_NODE_STEER};
        }
        if (random_below(&chance, 10) == 0) {
            uint32_t server = random_below(&chance, 3), up = random_below(&chance, 2);

            tvs_node_set_backend(together, 0, server, (uint8_t)up, 1);
            tvs_node_set_backend(alone, 0, server, (uint8_t)up, 1);
        }
        tick += random_below(&chance, 12);
        tvs_node_set_tick(together, tick);
        tvs_node_set_tick(alone, tick);
        for (uint16_t w = 0; w < 2 && random_below(&chance, 3) == 0; w++)
            assert_int_equal(tvs_worker_sweep(together->workers[w], UINT32_MAX),
                             tvs_worker_sweep(alone->workers[w], UINT32_MAX));

        assert_int_equal(tvs_node_run(together, many, n), 0);
        for (uint32_t i = 0; i < n; i++) {
            struct tvs_node_packet one = run(alone, &packets[i]);

            assert_int_equal(many[i].verdict, one.verdict);
            assert_int_equal(many[i].arg, one.arg);
            assert_int_equal(many[i].result_len, one.result_len);
            assert_memory_equal(many[i].result, one.result, one.result_len);
        }
    }
    nodes_compare(together, alone);
    counters_check(together);
    assert_true(together->workers[0]->counters.sessions_opened > 100);
    assert_true(together->workers[0]->counters.sessions_replaced > 10);
    assert_true(together->workers[0]->counters.sessions_expired > 10);
    assert_true(together->workers[0]->counters.tx_reply > 10);
    tvs_node_close(together);
    tvs_node_close(alone);
}

static void test_every_listener_is_found(void **state)
{
    struct tvs_node *node = node_make();

    (void)state;
    for (uint32_t s = 0; s < tvs_generation.n_services; s++) {
        const struct tvs_gen_service *service = &tvs_generation.services[s];
        struct packet first =
            packet_make(service->proto, CLIENT, 5, service->vip, service->port, TVS_TCP_SYN);
        struct packet other =
            packet_make(service->proto, CLIENT, 5, service->vip, service->port ^ 1, TVS_TCP_SYN);
        struct tvs_node_packet result = run(node, &first);

        assert_int_equal(result.verdict, TVS_V_TX);
        result = run(node, &other);
        assert_int_equal(result.verdict, TVS_V_DROP);
        assert_int_equal(result.arg, TVS_DROP_vip_no_listener);
    }
    tvs_node_close(node);
}

/* With the device's word for it the checksum is not looked at. */
static void test_flags_of_the_device(void **state)
{
    struct tvs_node *node = node_make();
    struct packet packet = packet_make(TVS_UDP, CLIENT, 5, VIP, VIP_DNS_PORT, 0);
    struct tvs_frame frame = {.data = packet.data, .len = (uint16_t)packet.len};

    (void)state;
    packet.data[PACKET_IP + 10] ^= 0x55;
    tvs_generation.burst(node->workers[0], &frame, 1);
    assert_int_equal(frame.verdict, TVS_V_DROP);
    assert_int_equal(frame.arg, TVS_DROP_bad_ip_checksum);
    frame.flags = TVS_FRAME_IP_CSUM_GOOD;
    tvs_generation.burst(node->workers[0], &frame, 1);
    assert_int_equal(frame.verdict, TVS_V_TX);
    frame.flags = TVS_FRAME_NOT_CONTIGUOUS;
    tvs_generation.burst(node->workers[0], &frame, 1);
    assert_int_equal(frame.verdict, TVS_V_DROP);
    assert_int_equal(frame.arg, TVS_DROP_not_contiguous);
    tvs_node_close(node);
}

/*
 * A UDP checksum that comes to zero is sent as 0xffff, since 0 says that there is none (RFC 768).
 * What a client gets quoted is what it sent, whatever the checksum became on the way.
 */
static void test_a_quoted_udp_checksum_is_never_zero(void **state)
{
    static const uint16_t sent[] = {1, 0x0100, 0x1234, 0xfffe, 0xffff};
    struct tvs_node *node = node_make();

    (void)state;
    for (unsigned i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        struct packet packet = packet_make(TVS_UDP, CLIENT, 5, VIP, VIP_DNS_PORT, 0), inner;
        struct tvs_node_packet result;
        const uint8_t *quoted;

        memcpy(packet.data + PACKET_L4 + 6, &sent[i], sizeof(sent[i]));
        result = run(node, &packet);
        assert_int_equal(result.verdict, TVS_V_TX);
        inner.len = result.result_len;
        memcpy(inner.data, result.result, inner.len);
        packet = packet_complaint(be32toh(tvs_load32(inner.data + PACKET_IP + 12)), &inner);
        result = run(node, &packet);
        assert_int_equal(result.verdict, TVS_V_TX);
        quoted = result.result + PACKET_L4 + TVS_ICMP_BYTES + TVS_IP4_BYTES;
        assert_int_equal(tvs_load16(quoted + 6), sent[i]);
    }
    tvs_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_listener_is_found),
        cmocka_unit_test(test_flags_of_the_device),
        cmocka_unit_test(test_a_quoted_udp_checksum_is_never_zero),
        cmocka_unit_test(test_the_bases),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_a_burst_is_its_packets_one_by_one),
    };

    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
