/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums by difference against checksums over everything; Toeplitz against published vectors. */
#include <endian.h>

#include "check.h"
#include "core/csum.h"
#include "core/steer.h"

/* RFC 1071 as it is written: 16 bits at a time, in network order. */
static uint16_t naive_sum(const uint8_t *data, size_t bytes)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < bytes; i += 2)
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    if (bytes % 2)
        sum += (uint32_t)data[bytes - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void fill(uint64_t *chance, uint8_t *data, size_t bytes)
{
    static const uint8_t edges[] = {0x00, 0xff, 0x01, 0xfe, 0x80};
    bool edgy = random_below(chance, 3) == 0;

    for (size_t i = 0; i < bytes; i++)
        data[i] = edgy ? edges[random_below(chance, sizeof(edges))] : (uint8_t)random_next(chance);
}

static void test_sum_of_any_length(void **state)
{
    uint64_t chance = 1;

    (void)state;
    for (size_t bytes = 0; bytes < 200; bytes++) {
        for (int round = 0; round < 50; round++) {
            uint8_t *data = malloc(bytes ? bytes : 1);

            assert_non_null(data);
            fill(&chance, data, bytes);
            assert_int_equal(be16toh(tvs_csum_fold(tvs_csum_sum(data, bytes))),
                             naive_sum(data, bytes));
            free(data);
        }
    }
}

static void test_fold_of_anything(void **state)
{
    uint64_t chance = 2;
    const uint64_t hard[] = {0, 1, 0xffff, 0x10000, 0xffffffff, UINT64_C(0x1ffffffff), UINT64_MAX};

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t value = i < 7 ? hard[i] : random_next(&chance);
        uint16_t folded = tvs_csum_fold(value);

        assert_int_equal(folded % 0xffff, value % 0xffff);
        assert_int_equal(folded == 0, value == 0);
    }
}

/* A header of tuple, TTL and rest: rewritten by difference, then summed up anew. */
static void test_differences(void **state)
{
    uint64_t chance = 3;

    (void)state;
    for (int round = 0; round < 300000; round++) {
        uint8_t packet[32]; /* tuple, TTL in a low byte, checksum at 14, more */
        struct tvs_tuple from, to;
        uint16_t before, after, delta;

        fill(&chance, packet, sizeof(packet));
        fill(&chance, (uint8_t *)&to, sizeof(to));
        memcpy(&from, packet, sizeof(from));
        packet[12] = (uint8_t)(1 + random_below(&chance, 255));
        memset(packet + 14, 0, 2);
        before = (uint16_t)~htobe16(naive_sum(packet, sizeof(packet)));

        delta = tvs_csum_delta_tuple(&from, &to);
        after = tvs_csum_apply(tvs_csum_apply(before, delta), TVS_CSUM_TTL_STEP);
        memcpy(packet, &to, sizeof(to));
        packet[12]--;
        if (naive_sum(packet, sizeof(packet)) == 0)
            continue; /* no header is all zero */
        assert_int_equal(after, (uint16_t)~htobe16(naive_sum(packet, sizeof(packet))));

        /* and back */
        after = tvs_csum_apply(after, tvs_csum_negate(delta));
        memcpy(packet, &from, sizeof(from));
        assert_int_equal(after, (uint16_t)~htobe16(naive_sum(packet, sizeof(packet))));
    }
}

/* As RFC 1624 writes it, equation 3: also which of the two zeros comes out. */
static void test_equation_3(void **state)
{
    static const uint32_t hard[] = {0, 1, 0x7fff, 0x8000, TVS_CSUM_TTL_STEP, 0xffff};

    (void)state;
    for (uint32_t csum = 0; csum <= 0xffff; csum++)
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t delta = i < 6 ? hard[i] : (csum * 31 + i * 1021) & 0xffff;
            uint32_t sum = (~csum & 0xffff) + delta;

            sum = (sum & 0xffff) + (sum >> 16);
            assert_int_equal(tvs_csum_apply((uint16_t)csum, (uint16_t)delta), ~sum & 0xffff);
        }
}

static void test_header_is_good(void **state)
{
    uint64_t chance = 5;

    (void)state;
    for (int round = 0; round < 300000; round++) {
        struct tvs_ip4 ip;
        uint16_t sum;

        fill(&chance, (uint8_t *)&ip, sizeof(ip));
        ip.version_ihl = 0x45;
        if (random_below(&chance, 2)) {
            ip.csum = 0;
            ip.csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(&ip, sizeof(ip)));
        }
        if (random_below(&chance, 8) == 0)
            ip.id_be ^= (uint16_t)(1 << random_below(&chance, 16));
        sum = naive_sum((const uint8_t *)&ip, sizeof(ip));
        assert_int_equal(tvs_csum_ip4_is_good(&ip), sum == 0xffff);
    }
}

/* A checksum that is wrong stays wrong by as much. */
static void test_errors_are_kept(void **state)
{
    uint64_t chance = 4;

    (void)state;
    for (int round = 0; round < 100000; round++) {
        struct tvs_tuple from, to;
        uint16_t good = (uint16_t)random_next(&chance);
        uint16_t error = (uint16_t)(1 + random_below(&chance, 0xfffd));
        uint16_t bad = tvs_csum_apply(good, error), delta;

        fill(&chance, (uint8_t *)&from, sizeof(from));
        fill(&chance, (uint8_t *)&to, sizeof(to));
        delta = tvs_csum_delta_tuple(&from, &to);
        assert_int_equal(tvs_csum_apply(bad, delta) % 0xffff,
                         tvs_csum_apply(tvs_csum_apply(good, delta), error) % 0xffff);
    }
}

static const uint8_t microsoft_key[40] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static void test_toeplitz_vectors(void **state)
{
    static const struct {
        uint32_t daddr;
        uint16_t dport;
        uint32_t saddr;
        uint16_t sport;
        uint32_t with_ports, without;
    } vectors[] = {
        {IP(161, 142, 100, 80), 1766, IP(66, 9, 149, 187), 2794, 0x51ccc178, 0x323e8fc2},
        {IP(65, 69, 140, 83), 4739, IP(199, 92, 111, 2), 14230, 0xc626b0ea, 0xd718262a},
        {IP(12, 22, 207, 184), 38024, IP(24, 19, 198, 95), 12898, 0x5c2b394a, 0xd2d0a5de},
        {IP(209, 142, 163, 6), 2217, IP(38, 27, 205, 30), 48228, 0xafc7327f, 0x82989176},
        {IP(202, 188, 127, 2), 1303, IP(153, 39, 163, 191), 44251, 0x10e828a2, 0x5d1809c5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct tvs_tuple tuple = {htobe32(vectors[i].saddr), htobe32(vectors[i].daddr),
                                        htobe16(vectors[i].sport), htobe16(vectors[i].dport)};

        assert_int_equal(tvs_toeplitz(microsoft_key, (const uint8_t *)&tuple, 12),
                         vectors[i].with_ports);
        assert_int_equal(tvs_toeplitz(microsoft_key, (const uint8_t *)&tuple, 8),
                         vectors[i].without);
    }
}

/* The tables of software steering say what the bits say. */
static void test_toeplitz_tables(void **state)
{
    static const uint32_t lip_be = 1;
    const struct tvs_worker_config config = {.n_slots = 1,
                                             .lip_addr_be = &lip_be,
                                             .n_buckets = 2,
                                             .max_sessions = 1,
                                             .port_first = 1,
                                             .port_last = 1,
                                             .max_backends = 1,
                                             .n_workers = 1,
                                             .rss_key = microsoft_key};
    struct tvs_worker *worker = worker_make(&config);
    uint64_t chance = 9;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct tvs_tuple tuple;

        fill(&chance, (uint8_t *)&tuple, sizeof(tuple));
        assert_int_equal(tvs_toeplitz_tuple(worker->toeplitz, &tuple),
                         tvs_toeplitz(microsoft_key, (const uint8_t *)&tuple, sizeof(tuple)));
    }
    free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum_of_any_length), cmocka_unit_test(test_fold_of_anything),
        cmocka_unit_test(test_differences),       cmocka_unit_test(test_errors_are_kept),
        cmocka_unit_test(test_equation_3),        cmocka_unit_test(test_header_is_good),
        cmocka_unit_test(test_toeplitz_vectors),  cmocka_unit_test(test_toeplitz_tables),
    };

    return cmocka_run_group_tests_name("csum", tests, NULL, NULL);
}
