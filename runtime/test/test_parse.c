/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two parsers: one that looks closely and tells every reason apart, and one that only recognises
 * what nearly every frame is. Whatever the short one takes, the careful one takes for the same.
 */
#include "core/parse.h"
#include "packets.h"

enum { N_WORKERS = 2, N_LIPS = 4 };

static const struct tvs_lip_entry lips[N_LIPS] = {
    {.worker = TVS_LIP_NOBODY, .slot = TVS_LIP_NO_SLOT},
    {.worker = 0, .slot = 0},
    {.worker = 1, .slot = 0},
    {.worker = 1, .slot = TVS_LIP_NO_SLOT},
};
static const struct tvs_site site = {
    .n_workers = N_WORKERS, .lip_base = LIP - 1, .lip_count = N_LIPS, .lips = lips};

static struct tvs_worker *parser_make(void)
{
    static const uint32_t lip_be[1];
    const struct tvs_worker_config config = {.n_slots = 1,
                                             .lip_addr_be = lip_be,
                                             .n_buckets = 2,
                                             .max_sessions = 8,
                                             .port_first = 10000,
                                             .port_last = 10007,
                                             .max_pools = 1,
                                             .max_backends = 1,
                                             .n_workers = N_WORKERS,
                                             .hash_key = {0x1234567812345678, 0x8765432187654321}};

    return worker_make(&config);
}

/* A frame near the border between what is plain and what is not. */
static struct packet frame_random(uint64_t *chance)
{
    static const uint8_t protos[] = {TVS_TCP, TVS_UDP, TVS_UDP, TVS_ICMP};
    uint32_t daddr = random_below(chance, 2) ? VIP : LIP - 1 + random_below(chance, N_LIPS);
    struct packet packet =
        packet_make(protos[random_below(chance, 4)], CLIENT, (uint16_t)random_next(chance), daddr,
                    (uint16_t)random_next(chance), TVS_TCP_ACK);
    uint8_t *l4 = packet.data + PACKET_L4;

    if (packet.data[PACKET_IP + 9] == TVS_UDP && random_below(chance, 2)) {
        packet.len = PACKET_L4 + 20 + random_below(chance, 40); /* long enough to be plain */
        l4[5] = (uint8_t)(packet.len - PACKET_L4);
        packet_seal(&packet, true);
    }
    switch (random_below(chance, 8)) {
    case 0: /* any byte of the headers */
        packet.data[random_below(chance, 60)] ^= (uint8_t)(1 << random_below(chance, 8));
        break;
    case 1: /* the same with a right checksum */
        packet.data[PACKET_IP + random_below(chance, 40)] ^=
            (uint8_t)(1 << random_below(chance, 8));
        packet_seal(&packet, false);
        break;
    case 2: /* the TCP header's length, or the UDP length */
        l4[12] = (uint8_t)random_next(chance);
        l4[5] = (uint8_t)random_next(chance);
        break;
    case 3: /* the total length, or a frame that is cut */
        packet.data[PACKET_IP + 3] = (uint8_t)random_next(chance);
        packet_seal(&packet, false);
        break;
    case 4:
        packet.len = random_below(chance, packet.len + 1);
        break;
    case 5: /* padding */
        packet.len += random_below(chance, 40);
        break;
    default:
        break;
    }
    return packet;
}

static void packets_compare(const struct tvs_packet *plain, const struct tvs_packet *close)
{
    assert_int_equal(plain->kind, close->kind);
    if (plain->kind == TVS_PK_REQUEST) {
        assert_memory_equal(&plain->key, &close->key, sizeof(plain->key));
        assert_int_equal(plain->hash, close->hash);
    }
    if (plain->kind == TVS_PK_REPLY)
        assert_int_equal(plain->record, close->record);
    if (plain->kind != TVS_PK_DONE)
        assert_int_equal(plain->l4, close->l4);
}

/* Every frame is for us, or only those to our station, which this one's mostly is. */
static void station_random(struct tvs_worker *worker, const struct packet *packet, uint64_t *chance)
{
    uint8_t mac[6] = {0};

    if (random_below(chance, 8))
        memcpy(mac, packet->data, sizeof(mac));
    mac[0] &= 0xfe; /* as every station's */
    tvs_worker_station_set(worker, 0, mac);
    memset(worker->start_mask.byte, 0, sizeof(mac));
    worker->start_mask.byte[0] = 1;
    if (random_below(chance, 2))
        tvs_worker_stations_check(worker);
}

static void test_parsers_agree(void **state)
{
    struct tvs_worker *worker = parser_make();
    unsigned n_plain[TVS_PK_LOCAL + 1] = {0}, n_close = 0;
    uint64_t chance = 1;

    (void)state;
    for (int round = 0; round < 300000; round++) {
        struct packet packet = frame_random(&chance);
        uint8_t *data = malloc(packet.len ? packet.len : 1); /* exactly as long as it claims */
        struct tvs_frame frame = {.data = data, .len = (uint16_t)packet.len};
        struct tvs_frame again;
        struct tvs_packet plain = {0}, close = {0};

        assert_non_null(data);
        memcpy(data, packet.data, packet.len);
        if (random_below(&chance, 8) == 0)
            frame.flags = (uint8_t)random_below(&chance, 8);
        station_random(worker, &packet, &chance);
        again = frame;
        if (!tvs_parse_is_plain(worker, &frame)) {
            n_close++;
        } else {
            tvs_parse(&site, worker, &frame, &plain);
            close.kind = tvs_parse_closely(&site, worker, &again, &close);
            packets_compare(&plain, &close);
            assert_int_equal(frame.verdict, again.verdict);
            assert_int_equal(frame.arg, again.arg);
            n_plain[plain.kind]++;
        }
        free(data);
    }
    /* neither side is idle */
    assert_true(n_close > 10000);
    assert_true(n_plain[TVS_PK_REQUEST] > 10000 && n_plain[TVS_PK_REPLY] > 10000);
    assert_true(n_plain[TVS_PK_DONE] > 10000);
    assert_int_equal(n_plain[TVS_PK_OTHER] + n_plain[TVS_PK_LOCAL], 0);
    free(worker);
}

/* What the short one must take, or the path would be slow and nobody would notice. */
static void test_plain_is_plain(void **state)
{
    struct tvs_worker *worker = parser_make();
    struct packet tcp = packet_make(TVS_TCP, CLIENT, 1, VIP, 80, TVS_TCP_ACK);
    struct packet udp = packet_make(TVS_UDP, CLIENT, 1, VIP, 53, 0);
    struct tvs_frame frame = {.data = tcp.data, .len = (uint16_t)tcp.len};

    (void)state;
    assert_true(tvs_parse_is_plain(worker, &frame));
    udp.len += 7; /* padded by the device, as frames of 60 bytes are */
    frame = (struct tvs_frame){.data = udp.data, .len = (uint16_t)udp.len};
    assert_true(tvs_parse_is_plain(worker, &frame));
    free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsers_agree),
        cmocka_unit_test(test_plain_is_plain),
    };

    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
