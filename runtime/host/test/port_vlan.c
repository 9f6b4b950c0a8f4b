/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tag of a port, by the device and by the workers. The devices are played here: none of those
 * at hand has a VLAN filter, or strips what it was not told to.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/vlan.h"
#include "host/port_vlan.h"

enum { VLAN = 100, ROOM = 256, FRAME = 60, N = 8 };

static struct tvs_gen_port gen_port = {.name = "fwd", .mtu = 1500, .vlan = VLAN};
static struct tvs_host_port port = {.config = &gen_port, .driver = "net_test"};

/* ---- the device ------------------------------------------------------------------------------ */

static int offloads; /* as it tells them when asked */
static int filter_result;
static unsigned filtered; /* VLANs let through */

int rte_eth_dev_get_vlan_offload(uint16_t id)
{
    (void)id;
    return offloads;
}

int rte_eth_dev_vlan_filter(uint16_t id, uint16_t vlan, int on)
{
    (void)id;
    assert_int_equal(vlan, VLAN);
    assert_int_equal(on, 1);
    filtered++;
    return filter_result;
}

const char *rte_strerror(int error)
{
    return strerror(error);
}

void tvs_log(enum tvs_log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

/* ---- what the device is asked for ------------------------------------------------------------ */

static const uint64_t strip = RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
static const uint64_t filter = RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
static const uint64_t insert = RTE_ETH_TX_OFFLOAD_VLAN_INSERT;

static int configure(uint64_t rx, uint64_t tx, uint32_t longest, struct rte_eth_conf *conf)
{
    struct rte_eth_dev_info info = {
        .rx_offload_capa = rx, .tx_offload_capa = tx, .max_rx_pktlen = longest};

    *conf = (struct rte_eth_conf){0};
    port.vlan_by_device = false;
    return tvs_port_vlan_configure(&port, &info, conf);
}

static void both_ways_or_none(void **state)
{
    struct rte_eth_conf conf;

    (void)state;
    assert_int_equal(configure(strip, insert, 1522, &conf), 0);
    assert_true(port.vlan_by_device);
    assert_int_equal(conf.rxmode.offloads, strip);
    assert_int_equal(conf.txmode.offloads, insert);
    assert_int_equal(configure(strip | filter, insert, 1522, &conf), 0);
    assert_int_equal(conf.rxmode.offloads, strip | filter);
    assert_int_equal(configure(strip | filter, 0, 1522, &conf), 0);
    assert_false(port.vlan_by_device);
    assert_int_equal(conf.rxmode.offloads, filter);
    assert_int_equal(configure(0, insert, 1522, &conf), 0);
    assert_false(port.vlan_by_device);
    assert_int_equal(conf.rxmode.offloads | conf.txmode.offloads, 0);
}

static void a_tag_needs_room_in_a_frame(void **state)
{
    struct rte_eth_conf conf;

    (void)state;
    assert_int_equal(configure(0, 0, 1521, &conf), -ERANGE);
    assert_int_equal(configure(strip, insert, 1518, &conf), 0);
}

static void a_port_without_a_vlan_asks_for_nothing(void **state)
{
    struct rte_eth_conf conf;

    (void)state;
    gen_port.vlan = 0;
    assert_int_equal(configure(strip | filter, insert, 1518, &conf), 0);
    assert_int_equal(conf.rxmode.offloads | conf.txmode.offloads, 0);
    assert_false(port.vlan_by_device);
    assert_int_equal(tvs_port_vlan_start(&port), 0);
    gen_port.vlan = VLAN;
}

static void offloads_are_read_back(void **state)
{
    (void)state;
    filtered = 0;
    filter_result = 0;
    port.vlan_by_device = true;
    offloads = RTE_ETH_VLAN_STRIP_OFFLOAD;
    assert_int_equal(tvs_port_vlan_start(&port), 0);
    assert_int_equal(filtered, 0);
    offloads |= RTE_ETH_VLAN_FILTER_OFFLOAD;
    assert_int_equal(tvs_port_vlan_start(&port), 0);
    assert_int_equal(filtered, 1);
    offloads = RTE_ETH_VLAN_FILTER_OFFLOAD; /* told to strip, and does not */
    assert_int_equal(tvs_port_vlan_start(&port), -EIO);
    offloads = -ENODEV;
    assert_int_equal(tvs_port_vlan_start(&port), -EIO);
    port.vlan_by_device = false;
    assert_int_equal(tvs_port_vlan_start(&port), 0);
    offloads = RTE_ETH_VLAN_FILTER_OFFLOAD;
    filter_result = -ENOSPC;
    assert_int_equal(tvs_port_vlan_start(&port), -ENOSPC);
}

/* ---- packets --------------------------------------------------------------------------------- */

static struct packet {
    struct rte_mbuf mbuf;
    uint8_t room[ROOM];
} packets[N];

/* Byte i of the untagged frame is i, but for its type, which is IPv4's. */
static void content(uint8_t frame[FRAME])
{
    for (unsigned i = 0; i < FRAME; i++)
        frame[i] = (uint8_t)i;
    frame[12] = 0x08;
    frame[13] = 0x00;
}

/* `tag`: TPID and tag as they follow the addresses; 0: none. */
static struct rte_mbuf *packet(unsigned number, uint16_t headroom, uint32_t tag)
{
    struct packet *made = &packets[number];
    uint8_t frame[FRAME];
    uint8_t *at = made->room + headroom;
    unsigned tag_bytes = tag ? TVS_VLAN_BYTES : 0;

    memset(made, 0, sizeof(*made));
    made->mbuf.buf_addr = made->room;
    made->mbuf.buf_len = ROOM;
    made->mbuf.nb_segs = 1;
    made->mbuf.data_off = headroom;
    made->mbuf.data_len = (uint16_t)(FRAME + tag_bytes);
    made->mbuf.pkt_len = made->mbuf.data_len;
    content(frame);
    memcpy(at, frame, TVS_MACS_BYTES);
    tag = rte_cpu_to_be_32(tag);
    memcpy(at + TVS_MACS_BYTES, &tag, tag_bytes);
    memcpy(at + TVS_MACS_BYTES + tag_bytes, frame + TVS_MACS_BYTES, FRAME - TVS_MACS_BYTES);
    return &made->mbuf;
}

static void is_untagged(const struct rte_mbuf *mbuf)
{
    uint8_t frame[FRAME];

    content(frame);
    assert_int_equal(mbuf->data_len, FRAME);
    assert_int_equal(mbuf->pkt_len, FRAME);
    assert_memory_equal(rte_pktmbuf_mtod(mbuf, uint8_t *), frame, FRAME);
}

static void own_frames_stay_in_their_order(void **state)
{
    struct rte_mbuf *mbufs[N], *others[N], *in[N];

    (void)state;
    mbufs[0] = packet(0, 128, 0x81000000 | VLAN);
    mbufs[1] = packet(1, 128, 0);
    mbufs[2] = packet(2, 128, 0x8100e000 | VLAN); /* of any priority */
    mbufs[3] = packet(3, 128, 0x81000000 | (VLAN + 1));
    mbufs[4] = packet(4, 128, 0x88a80000 | VLAN); /* a provider's tag */
    mbufs[5] = packet(5, 128, 0);
    mbufs[5]->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    mbufs[5]->vlan_tci = 0x6000 | VLAN;
    mbufs[6] = packet(6, 128, 0);
    mbufs[6]->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    mbufs[6]->vlan_tci = VLAN + 1;
    mbufs[7] = packet(7, 128, 0x81000000); /* priority only */
    memcpy(in, mbufs, sizeof(in));

    assert_int_equal(tvs_port_vlan_take(&port, mbufs, N, others), 3);
    for (unsigned i = 0; i < 3; i++) {
        static const unsigned own[] = {0, 2, 5};

        assert_ptr_equal(mbufs[i], in[own[i]]);
        is_untagged(mbufs[i]);
    }
    for (unsigned i = 0; i < N - 3; i++) {
        static const unsigned other[] = {1, 3, 4, 6, 7};

        assert_ptr_equal(others[i], in[other[i]]);
    }
}

/* A driver that strips though the host did not ask for it, and one that leaves tags though told. */
static void the_packet_is_believed_not_the_configuration(void **state)
{
    (void)state;
    for (unsigned by_device = 0; by_device < 2; by_device++) {
        struct rte_mbuf *mbufs[] = {packet(0, 128, 0x81000000 | VLAN), packet(1, 128, 0)};
        struct rte_mbuf *others[2];

        port.vlan_by_device = by_device != 0;
        mbufs[1]->ol_flags = RTE_MBUF_F_RX_VLAN_STRIPPED;
        mbufs[1]->vlan_tci = VLAN;
        assert_int_equal(tvs_port_vlan_take(&port, mbufs, 2, others), 2);
        is_untagged(mbufs[0]);
        is_untagged(mbufs[1]);
    }
}

static void workers_put_the_tag_before_the_frame(void **state)
{
    struct rte_mbuf *mbufs[] = {packet(0, TVS_VLAN_BYTES, 0), packet(1, TVS_VLAN_BYTES - 1, 0),
                                packet(2, 128, 0)};
    struct rte_mbuf *const in[] = {mbufs[0], mbufs[1], mbufs[2]};
    struct rte_mbuf *others[3];

    (void)state;
    port.vlan_by_device = false;
    mbufs[2]->vlan_tci = 7; /* of the link it came from */
    assert_int_equal(tvs_port_vlan_put(&port, mbufs, 3, others), 2);
    assert_ptr_equal(others[0], in[1]);
    is_untagged(others[0]);
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], uint8_t *);

        assert_ptr_equal(mbufs[i], in[2 * i]);
        assert_int_equal(mbufs[i]->data_len, FRAME + TVS_VLAN_BYTES);
        assert_memory_equal(frame + TVS_MACS_BYTES, "\x81\x00\x00\x64", TVS_VLAN_BYTES);
        assert_int_equal(mbufs[i]->ol_flags & RTE_MBUF_F_TX_VLAN, 0);
    }
    assert_int_equal(tvs_port_vlan_take(&port, mbufs, 2, others), 2);
    is_untagged(mbufs[0]);
    is_untagged(mbufs[1]);
}

static void the_device_is_told_the_tag(void **state)
{
    struct rte_mbuf *mbufs[] = {packet(0, 0, 0)};
    struct rte_mbuf *others[1];

    (void)state;
    port.vlan_by_device = true;
    mbufs[0]->vlan_tci = 7;
    assert_int_equal(tvs_port_vlan_put(&port, mbufs, 1, others), 1);
    is_untagged(mbufs[0]);
    assert_true(mbufs[0]->ol_flags & RTE_MBUF_F_TX_VLAN);
    assert_int_equal(mbufs[0]->vlan_tci, VLAN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_or_none),
        cmocka_unit_test(a_tag_needs_room_in_a_frame),
        cmocka_unit_test(a_port_without_a_vlan_asks_for_nothing),
        cmocka_unit_test(offloads_are_read_back),
        cmocka_unit_test(own_frames_stay_in_their_order),
        cmocka_unit_test(the_packet_is_believed_not_the_configuration),
        cmocka_unit_test(workers_put_the_tag_before_the_frame),
        cmocka_unit_test(the_device_is_told_the_tag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
