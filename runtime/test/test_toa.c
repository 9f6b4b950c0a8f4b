/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's address in TCP's options, packet by packet through the fixture node whose TCP
 * services have `client-address toa`: which packets carry it, and every byte of those that do and
 * of those that cannot. What is expected is built anew, with checksums over whole packets.
 */
#include "adapters/node.h"
#include "core/toa.h"
#include "packets.h"

extern const struct tvs_generation tvs_generation;

enum {
    CLIENT_PORT = 1001, /* a flow of worker 0 */
    MTU = 1500,
    ACK = TVS_TCP_ACK,
    SYN = TVS_TCP_SYN,
    HEADERS = PACKET_L4 + TVS_TCP_BYTES,
    BYTES_MAX = PACKET_L4 + MTU + 64,
};

struct segment {
    uint32_t saddr, daddr;
    uint16_t sport, dport;
    uint8_t flags, ttl;
    const char *l2;
    uint8_t options[40];
    unsigned option_bytes, payload_bytes, trailer_bytes;
};

struct bytes {
    uint8_t data[BYTES_MAX];
    uint32_t len;
};

static const char to_us[] = "\x02tvs\0\0\x02\0\0\0\0\xc1\x08\0";
static const char to_server[] = "\x02\0\0\0\x0b\x01\x02tvs\0\x01\x08\0";
static const char to_client[] = "\x02\0\0\0\0\x01\x02tvs\0\0\x08\0";

static struct bytes frame_of(const struct segment *segment)
{
    unsigned l4_bytes = TVS_TCP_BYTES + segment->option_bytes + segment->payload_bytes;
    struct bytes frame = {.len = PACKET_L4 + l4_bytes + segment->trailer_bytes};
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(frame.data + PACKET_IP);
    struct tvs_tcp *tcp = (struct tvs_tcp *)(frame.data + PACKET_L4);

    assert_true(frame.len <= BYTES_MAX && segment->option_bytes % 4 == 0);
    memcpy(frame.data, segment->l2, TVS_ETH_BYTES);
    *ip = (struct tvs_ip4){.version_ihl = 0x45,
                           .total_len_be = htobe16((uint16_t)(TVS_IP4_BYTES + l4_bytes)),
                           .ttl = segment->ttl,
                           .proto = TVS_TCP,
                           .saddr_be = htobe32(segment->saddr),
                           .daddr_be = htobe32(segment->daddr)};
    ip->csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(ip, sizeof(*ip)));
    *tcp = (struct tvs_tcp){.sport_be = htobe16(segment->sport),
                            .dport_be = htobe16(segment->dport),
                            .seq_be = htobe32(1000),
                            .data_offset =
                                (uint8_t)((TVS_TCP_BYTES + segment->option_bytes) / 4 << 4 | 1),
                            .flags = segment->flags,
                            .window_be = htobe16(8192)};
    memcpy(tcp + 1, segment->options, segment->option_bytes);
    for (unsigned i = 0; i < segment->payload_bytes + segment->trailer_bytes; i++)
        frame.data[HEADERS + segment->option_bytes + i] = (uint8_t)(7 * i + 3);
    tcp->csum = (uint16_t)~tvs_csum_fold(
        tvs_csum_pseudo(ip->saddr_be, ip->daddr_be, TVS_TCP, (uint16_t)l4_bytes) +
        tvs_csum_sum(tcp, l4_bytes));
    return frame;
}

static struct segment from_client(uint8_t flags)
{
    return (struct segment){CLIENT, VIP, CLIENT_PORT, VIP_WEB_PORT, flags, 64, to_us, {0}, 0, 0, 0};
}

static struct segment from_server(uint8_t flags)
{
    return (struct segment){SERVER, LIP, 8080, FIRST_LOCAL_PORT, flags, 64, to_us, {0}, 0, 0, 0};
}

static void options_set(struct segment *segment, const void *options, unsigned bytes)
{
    memcpy(segment->options, options, bytes);
    segment->option_bytes = bytes;
}

/* The same as it leaves the node. */
static struct segment rewritten(struct segment segment)
{
    bool is_request = segment.daddr == VIP;

    segment.saddr = is_request ? LIP : VIP;
    segment.sport = is_request ? FIRST_LOCAL_PORT : VIP_WEB_PORT;
    segment.daddr = is_request ? SERVER : CLIENT;
    segment.dport = is_request ? 8080 : CLIENT_PORT;
    segment.l2 = is_request ? to_server : to_client;
    segment.ttl--;
    return segment;
}

static struct segment with_address(struct segment segment)
{
    static const uint8_t option[] = {254,
                                     8,
                                     CLIENT_PORT >> 8,
                                     CLIENT_PORT & 0xff,
                                     CLIENT >> 24,
                                     CLIENT >> 16 & 0xff,
                                     CLIENT >> 8 & 0xff,
                                     CLIENT & 0xff};

    memmove(segment.options + 8, segment.options, segment.option_bytes);
    memcpy(segment.options, option, 8);
    segment.option_bytes += 8;
    return segment;
}

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

static const struct tvs_counters *counters(const struct tvs_node *node)
{
    return &node->workers[0]->counters;
}

/* `in` through the node becomes `out`, byte by byte. */
static void becomes(struct tvs_node *node, const struct segment *in, const struct segment *out)
{
    struct bytes frame = frame_of(in), expected = frame_of(out);
    struct tvs_node_packet packet = {.data = frame.data, .len = frame.len};

    assert_int_equal(tvs_node_run(node, &packet, 1), 0);
    assert_int_equal(packet.verdict, TVS_V_TX);
    assert_int_equal(packet.result_len, expected.len);
    assert_memory_equal(packet.result, expected.data, expected.len);
}

static void plainly(struct tvs_node *node, struct segment segment)
{
    struct segment out = rewritten(segment);

    becomes(node, &segment, &out);
}

static void added(struct tvs_node *node, struct segment segment)
{
    struct segment out = with_address(rewritten(segment));

    becomes(node, &segment, &out);
}

/* A SYN that begins another session, of another local IP and server: it carries the address too. */
static void opens_anew(struct tvs_node *node)
{
    const struct segment syn = from_client(SYN);
    struct bytes frame = frame_of(&syn);
    struct tvs_node_packet packet = {.data = frame.data, .len = frame.len};
    uint64_t before = counters(node)->toa_added;

    assert_int_equal(tvs_node_run(node, &packet, 1), 0);
    assert_int_equal(packet.verdict, TVS_V_TX);
    assert_int_equal(counters(node)->toa_added, before + 1);
    assert_int_equal(counters(node)->sessions_replaced, 1);
}

/* Both SYNs; the client's third packet is the test's. */
static struct tvs_node *node_half_open(void)
{
    struct tvs_node *node = node_make();

    added(node, from_client(SYN));
    plainly(node, from_server(SYN | ACK));
    return node;
}

static void test_until_the_server_has_answered(void **state)
{
    struct tvs_node *node = node_make();
    struct segment data = from_client(ACK | 0x08);

    (void)state;
    data.payload_bytes = 1001;
    added(node, from_client(SYN));
    added(node, from_client(SYN)); /* again: it was lost */
    plainly(node, from_server(SYN | ACK));
    added(node, from_client(ACK)); /* suppose that it is lost as well */
    added(node, data);
    plainly(node, from_server(SYN | ACK)); /* again: the server has heard nothing yet */
    added(node, from_client(ACK));
    added(node, data);
    plainly(node, from_server(ACK));
    plainly(node, from_client(ACK));
    plainly(node, data);
    plainly(node, from_client(TVS_TCP_FIN | ACK));
    assert_int_equal(counters(node)->toa_added, 6);
    tvs_node_close(node);
}

/* A request and its FIN in one, before the server has said anything. */
static void test_a_fin_may_complete_the_handshake(void **state)
{
    struct tvs_node *node = node_half_open();
    struct segment fin = from_client(TVS_TCP_FIN | ACK);

    (void)state;
    fin.payload_bytes = 99;
    added(node, fin);
    added(node, from_client(ACK));
    plainly(node, from_server(ACK));
    plainly(node, fin);
    tvs_node_close(node);
}

static void test_a_reset_completes_nothing(void **state)
{
    struct tvs_node *node = node_half_open();

    (void)state;
    plainly(node, from_client(TVS_TCP_RST));
    plainly(node, from_client(TVS_TCP_RST | ACK));
    opens_anew(node);
    tvs_node_close(node);
}

/* The server's answer to a SYN for an older connection of the port, or its reset, is no answer. */
static void test_what_is_no_answer(void **state)
{
    struct tvs_node *node = node_make();

    (void)state;
    added(node, from_client(SYN));
    plainly(node, from_server(ACK));
    added(node, from_client(SYN));
    plainly(node, from_server(SYN | ACK));
    plainly(node, from_server(ACK));
    added(node, from_client(ACK));
    plainly(node, from_server(TVS_TCP_RST));
    added(node, from_client(ACK));
    tvs_node_close(node);
}

/* TCP Fast Open: data in the SYN, which may be all that the server needs. */
static void test_a_syn_with_data(void **state)
{
    struct tvs_node *node = node_make();
    struct segment syn = from_client(SYN);

    (void)state;
    options_set(&syn,
                "\x02\x04\x05\xb4\x04\x02\x08\x0a\0\0\0\1\0\0\0\0\x01\x03\x03\x07\x22\x0a"
                "cookie67\x01\x01",
                32);
    syn.payload_bytes = 333;
    added(node, syn);
    tvs_node_close(node);
}

static void test_the_next_session_of_the_client_owes_again(void **state)
{
    struct tvs_node *node = node_half_open();

    (void)state;
    added(node, from_client(ACK));
    plainly(node, from_server(ACK));
    plainly(node, from_client(TVS_TCP_FIN | ACK));
    opens_anew(node);
    tvs_node_close(node);
}

static void test_room_in_the_header(void **state)
{
    struct tvs_node *node = node_half_open();
    struct segment full = from_client(ACK);

    (void)state;
    memset(full.options, TVS_OPT_NOP, sizeof(full.options));
    full.option_bytes = 32;
    added(node, full);
    for (full.option_bytes = 36; full.option_bytes <= 40; full.option_bytes += 4)
        plainly(node, full);
    assert_int_equal(counters(node)->toa_no_room, 2);
    tvs_node_close(node);
}

static void test_the_mtu(void **state)
{
    struct tvs_node *node = node_half_open();
    struct segment full = from_client(ACK);

    (void)state;
    full.payload_bytes = MTU - TVS_IP4_BYTES - TVS_TCP_BYTES - TVS_TOA_BYTES;
    added(node, full);
    full.payload_bytes++;
    plainly(node, full);
    full.payload_bytes = MTU - TVS_IP4_BYTES - TVS_TCP_BYTES;
    plainly(node, full);
    assert_int_equal(counters(node)->toa_too_long, 2);
    node->workers[0]->mtu[1] = 9000; /* of the port that it leaves by */
    added(node, full);
    tvs_node_close(node);
}

/* A short frame is padded; the padding stays behind it. IPv4 options stay before it. */
static void test_what_is_around_the_segment(void **state)
{
    struct tvs_node *node = node_half_open();
    struct segment ack = from_client(ACK);
    struct tvs_node_packet packet;
    struct bytes frame;

    (void)state;
    for (ack.trailer_bytes = 0; ack.trailer_bytes <= 6; ack.trailer_bytes++)
        added(node, ack);
    frame = frame_of(&ack);
    memmove(frame.data + PACKET_L4 + 4, frame.data + PACKET_L4, frame.len - PACKET_L4);
    memset(frame.data + PACKET_L4, 1, 4);
    frame.data[PACKET_IP] = 0x46;
    frame.data[PACKET_IP + 3] += 4;
    frame.data[PACKET_IP + 10] = frame.data[PACKET_IP + 11] = 0;
    ((struct tvs_ip4 *)(frame.data + PACKET_IP))->csum =
        (uint16_t)~tvs_csum_fold(tvs_csum_sum(frame.data + PACKET_IP, 24));
    packet = (struct tvs_node_packet){.data = frame.data, .len = frame.len + 4};
    assert_int_equal(tvs_node_run(node, &packet, 1), 0);
    assert_int_equal(packet.result_len, frame.len + 4 + 8);
    assert_memory_equal(packet.result + PACKET_L4, "\1\1\1\1", 4);
    assert_memory_equal(packet.result + HEADERS + 4, "\xfe\x08\x03\xe9\xc6\x12\0\1", 8);
    assert_int_equal(tvs_csum_fold(tvs_csum_sum(packet.result + PACKET_IP, 24)), 0xffff);
    tvs_node_close(node);
}

static void test_a_forged_address(void **state)
{
    static const char *const said[] = {
        "\xfe\x08\x00\x50\x0a\x00\x00\x01",
        "\x01\xfe\x08\x00\x50\x0a\x00\x00\x01\x00\x00\x00",
        "\xfe\x02\x01\x01",
        "\xfe\x06\x00\x50\x0a\x00\x01\x01",
        "\x01\x01\x01\x01",
        "\xfe\x00\x01\x01",
        "\x01\x01\x01\xfe",
        "\x00\xfe\x02\x00",
    };
    static const char *const left[] = {
        "\1\1\1\1\1\1\1\1", "\1\1\1\1\1\1\1\1\1\0\0\0", "\1\1\1\1",         "\1\1\1\1\1\1\1\1",
        "\x01\x01\x01\x01", "\xfe\x00\x01\x01",         "\x01\x01\x01\xfe", "\x00\xfe\x02\x00",
    };
    static const unsigned bytes[] = {8, 12, 4, 8, 4, 4, 4, 4};
    struct tvs_node *node = node_half_open();

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct segment lie = from_client(ACK), out = rewritten(lie);

        options_set(&lie, said[i], bytes[i]);
        options_set(&out, left[i], bytes[i]);
        out = with_address(out);
        becomes(node, &lie, &out);
    }
    assert_int_equal(counters(node)->toa_forged, 4);
    tvs_node_close(node);
}

/* With a full header ours does not fit, and the client's would be believed. */
static void test_a_forged_address_without_room(void **state)
{
    struct tvs_node *node = node_half_open();
    struct segment lie = from_client(ACK), out;

    (void)state;
    for (unsigned i = 0; i < 40; i += 8)
        memcpy(lie.options + i, "\xfe\x08\x00\x50\x0a\x00\x00\x01", 8);
    lie.option_bytes = 40;
    out = rewritten(lie);
    memset(out.options, TVS_OPT_NOP, 40);
    becomes(node, &lie, &out);
    assert_int_equal(counters(node)->toa_forged, 1);
    assert_int_equal(counters(node)->toa_no_room, 1);
    tvs_node_close(node);
}

/* What the server takes at most, at any place among its options; what is no such option stays. */
static void test_the_servers_mss(void **state)
{
    static const struct {
        const char *said, *told;
        unsigned bytes;
    } cases[] = {
        {"\x02\x04\x05\xb4", "\x02\x04\x05\xac", 4}, /* 1460, 1452 */
        {"\x01\x02\x04\x05\xb4\x01\x01\x01", "\x01\x02\x04\x05\xac\x01\x01\x01", 8},
        {"\x02\x04\x01\x07", "\x02\x04\x00\xff", 4}, /* a borrow */
        {"\x02\x04\x22\xc8", "\x02\x04\x05\xac", 4}, /* 8904: more than our own port takes */
        {"\x02\x04\x00\x09", "\x02\x04\x00\x01", 4},
        {"\x02\x04\x00\x08", "\x02\x04\x00\x08", 4},
        {"\x02\x03\x05\x01", "\x02\x03\x05\x01", 4},
        {"\x00\x02\x04\x05\xb4\x00\x00\x00", "\x00\x02\x04\x05\xb4\x00\x00\x00", 8},
        {"\x04\x02\x02\x04\x05\xb4\x00\x00", "\x04\x02\x02\x04\x05\xac\x00\x00", 8},
        {"\x01\x01\x02\x04", "\x01\x01\x02\x04", 4},
        {"", "", 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct segment said = from_server(SYN | ACK), told = rewritten(said);
        struct tvs_node *node = node_make();

        added(node, from_client(SYN));
        options_set(&said, cases[i].said, cases[i].bytes);
        options_set(&told, cases[i].told, cases[i].bytes);
        becomes(node, &said, &told);
        becomes(node, &said, &told); /* again: it is not made less each time */
        tvs_node_close(node);
    }
}

static uint16_t by_first_port(const void *fib, uint32_t daddr_be)
{
    (void)fib;
    (void)daddr_be;
    return 1;
}

/* The port that counts is the one by which the client's segments will leave. */
static void test_the_mss_follows_the_route(void **state)
{
    struct segment said = from_server(SYN | ACK), told = rewritten(said);
    struct tvs_node *node = node_make();

    (void)state;
    added(node, from_client(SYN));
    node->workers[0]->mtu[0] = 1000;
    node->workers[0]->route = by_first_port;
    tvs_node_renew_routes(node);
    options_set(&said, "\x02\x04\x05\xb4", 4);
    options_set(&told, "\x02\x04\x03\xb8", 4); /* 952 */
    becomes(node, &said, &told);
    tvs_node_close(node);
}

/* The client's own is about what the server sends, to which nothing is added. */
static void test_the_clients_mss_stays(void **state)
{
    struct tvs_node *node = node_make();
    struct segment syn = from_client(SYN);

    (void)state;
    options_set(&syn, "\x02\x04\x05\xb4", 4);
    added(node, syn);
    tvs_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until_the_server_has_answered),
        cmocka_unit_test(test_a_fin_may_complete_the_handshake),
        cmocka_unit_test(test_a_reset_completes_nothing),
        cmocka_unit_test(test_what_is_no_answer),
        cmocka_unit_test(test_a_syn_with_data),
        cmocka_unit_test(test_the_next_session_of_the_client_owes_again),
        cmocka_unit_test(test_room_in_the_header),
        cmocka_unit_test(test_the_mtu),
        cmocka_unit_test(test_what_is_around_the_segment),
        cmocka_unit_test(test_a_forged_address),
        cmocka_unit_test(test_a_forged_address_without_room),
        cmocka_unit_test(test_the_servers_mss),
        cmocka_unit_test(test_the_mss_follows_the_route),
        cmocka_unit_test(test_the_clients_mss_stays),
    };

    return cmocka_run_group_tests_name("toa", tests, NULL, NULL);
}
