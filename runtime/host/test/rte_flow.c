/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow rules as a driver gets them. No card with flow director is at hand for a test, so the
 * driver is played here, and what it is asked for is compared with what drivers/net/ of DPDK takes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_ethdev.h>
#include <rte_flow.h>

#include "host/steering.h"

enum { MAX_FLOWS = 32 };

static struct {
    uint32_t address, mask;
    uint16_t queue;
    uint16_t vlan;              /* 0: the rule has no such item */
    enum rte_flow_item_type l4; /* END: none */
    bool mark;
} asked[MAX_FLOWS];
static unsigned n_asked;
static unsigned room; /* rules the device takes */

/* ---- the device ------------------------------------------------------------------------------ */

/* The item of IPv4: behind the Ethernet header, and a tag if the rule names one. */
static const struct rte_flow_item *ip_item(const struct rte_flow_item pattern[])
{
    return &pattern[pattern[1].type == RTE_FLOW_ITEM_TYPE_VLAN ? 2 : 1];
}

/* The identifier alone is compared: not the priority, which is the sender's own. */
static uint16_t vlan_of(const struct rte_flow_item pattern[])
{
    const struct rte_flow_item_vlan *spec = pattern[1].spec, *mask = pattern[1].mask;
    struct rte_flow_item_vlan rest;

    if (pattern[1].type != RTE_FLOW_ITEM_TYPE_VLAN)
        return 0;
    rest = *mask;
    rest.hdr.vlan_tci = 0;
    for (size_t i = 0; i < sizeof rest; i++)
        assert_int_equal(((const uint8_t *)&rest)[i], 0);
    assert_int_equal(mask->hdr.vlan_tci, rte_cpu_to_be_16(0x0fff));
    return rte_be_to_cpu_16(spec->hdr.vlan_tci);
}

int rte_flow_validate(uint16_t port, const struct rte_flow_attr *attr,
                      const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
                      struct rte_flow_error *error)
{
    const struct rte_flow_item_ipv4 *mask = ip_item(pattern)->mask;
    struct rte_flow_item_ipv4 rest = *mask;

    (void)port;
    (void)error;
    assert_true(attr->ingress && !attr->egress && !attr->transfer && attr->priority == 0);
    assert_int_equal(pattern[0].type, RTE_FLOW_ITEM_TYPE_ETH);
    assert_null(pattern[0].spec);
    assert_null(pattern[0].mask);
    assert_int_equal(ip_item(pattern)->type, RTE_FLOW_ITEM_TYPE_IPV4);
    rest.hdr.dst_addr = 0; /* nothing but the destination is looked at */
    for (size_t i = 0; i < sizeof rest; i++)
        assert_int_equal(((const uint8_t *)&rest)[i], 0);
    assert_int_equal(actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE); /* ixgbe wants it first */
    return 0;
}

struct rte_flow *rte_flow_create(uint16_t port, const struct rte_flow_attr *attr,
                                 const struct rte_flow_item pattern[],
                                 const struct rte_flow_action actions[],
                                 struct rte_flow_error *error)
{
    const struct rte_flow_item *ip = ip_item(pattern);
    const struct rte_flow_item_ipv4 *spec = ip->spec;
    const struct rte_flow_item_ipv4 *mask = ip->mask;
    const struct rte_flow_action_queue *queue = actions[0].conf;

    (void)port;
    (void)attr;
    if (n_asked == room) {
        error->message = "no room";
        rte_errno = ENOSPC;
        return NULL;
    }
    asked[n_asked].address = rte_be_to_cpu_32(spec->hdr.dst_addr);
    asked[n_asked].mask = rte_be_to_cpu_32(mask->hdr.dst_addr);
    asked[n_asked].queue = queue->index;
    asked[n_asked].vlan = vlan_of(pattern);
    asked[n_asked].l4 = ip[1].type;
    asked[n_asked].mark = actions[1].type == RTE_FLOW_ACTION_TYPE_MARK;
    assert_int_equal(actions[asked[n_asked].mark ? 2 : 1].type, RTE_FLOW_ACTION_TYPE_END);
    if (ip[1].type != RTE_FLOW_ITEM_TYPE_END)
        assert_int_equal(ip[2].type, RTE_FLOW_ITEM_TYPE_END);
    return (struct rte_flow *)&asked[n_asked++];
}

int rte_flow_flush(uint16_t port, struct rte_flow_error *error)
{
    (void)port;
    (void)error;
    n_asked = 0;
    return 0;
}

int rte_eth_xstats_get_id_by_name(uint16_t port, const char *name, uint64_t *id)
{
    (void)port;
    (void)name;
    (void)id;
    return -ENOTSUP;
}

int rte_eth_xstats_get_by_id(uint16_t port, const uint64_t *ids, uint64_t *values, unsigned int n)
{
    (void)port;
    (void)ids;
    (void)values;
    (void)n;
    return -ENOTSUP;
}

const char *rte_strerror(int error)
{
    return strerror(error);
}

RTE_DEFINE_PER_LCORE(int, _rte_errno);

int tvs_steering_rss_start(struct tvs_host *host, struct tvs_host_port *port)
{
    (void)host;
    (void)port;
    return 0;
}

int tvs_steering_rss_verify(struct tvs_host *host, struct tvs_host_port *port)
{
    (void)host;
    (void)port;
    return 0;
}

static char said[4096];

void tvs_log(enum tvs_log_level level, const char *format, ...)
{
    size_t n = strlen(said);
    va_list args;

    (void)level;
    va_start(args, format);
    vsnprintf(said + n, sizeof said - n, format, args);
    va_end(args);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static const struct tvs_gen_rule rules[] = {
    {0xac100001, 0xffffffff, 0, 0, true},
    {0xac100002, 0xffffffff, 1, 0, true},
    {0xac1000f7, 0xfffffff0, 2, TVS_TCP, false},
    {0xac100100, 0xffffff00, 3, TVS_UDP, false},
};

static struct tvs_gen_port gen_port = {.name = "fwd"};
static struct tvs_generation generation = {
    .steering = {.mode = TVS_STEER_FDIR, .n_rules = 4, .rules = rules},
};
static struct tvs_bound bound = {.generation = &generation};
static struct tvs_host host = {.bound = &bound, .n_ports = 1};

static int start(uint8_t family, unsigned device_room)
{
    n_asked = 0;
    room = device_room;
    said[0] = '\0';
    gen_port.family = family;
    host.ports[0].config = &gen_port;
    return tvs_steering_rte_flow.start(&host, &host.ports[0]);
}

static void every_rule_becomes_one_flow(void **state)
{
    (void)state;
    assert_int_equal(start(TVS_NIC_IXGBE, MAX_FLOWS), 0);
    assert_int_equal(n_asked, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(asked[i].address, rules[i].address & rules[i].mask);
        assert_int_equal(asked[i].mask, rules[i].mask);
        assert_int_equal(asked[i].queue, rules[i].worker);
        assert_int_equal(asked[i].mark, rules[i].avoid_ntuple);
    }
    assert_int_equal(asked[0].l4, RTE_FLOW_ITEM_TYPE_END);
    assert_int_equal(asked[2].l4, RTE_FLOW_ITEM_TYPE_TCP);
    assert_int_equal(asked[3].l4, RTE_FLOW_ITEM_TYPE_UDP);
    assert_int_equal(tvs_steering_rte_flow.verify(&host, &host.ports[0]), 0);
    tvs_steering_rte_flow.stop(&host, &host.ports[0]);
}

static void i40e_gets_tcp_udp_and_the_rest(void **state)
{
    (void)state;
    assert_int_equal(start(TVS_NIC_I40E, MAX_FLOWS), 0);
    assert_int_equal(n_asked, 3 + 3 + 1 + 1);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(asked[i].address, rules[i / 3].address);
    assert_int_equal(asked[0].l4, RTE_FLOW_ITEM_TYPE_END);
    assert_int_equal(asked[1].l4, RTE_FLOW_ITEM_TYPE_TCP);
    assert_int_equal(asked[2].l4, RTE_FLOW_ITEM_TYPE_UDP);
    assert_int_equal(tvs_steering_rte_flow.verify(&host, &host.ports[0]), 0);
    tvs_steering_rte_flow.stop(&host, &host.ports[0]);
}

static void mlx5_is_told_the_vlan_of_the_port(void **state)
{
    static const uint8_t families[] = {TVS_NIC_IXGBE, TVS_NIC_I40E, TVS_NIC_MLX5};

    (void)state;
    for (unsigned f = 0; f < sizeof families; f++) {
        for (uint16_t vlan = 0; vlan <= 100; vlan += 100) {
            gen_port.vlan = vlan;
            assert_int_equal(start(families[f], MAX_FLOWS), 0);
            for (unsigned i = 0; i < n_asked; i++)
                assert_int_equal(asked[i].vlan, families[f] == TVS_NIC_MLX5 ? vlan : 0);
            assert_int_equal(asked[n_asked - 1].l4, RTE_FLOW_ITEM_TYPE_UDP);
            assert_int_equal(tvs_steering_rte_flow.verify(&host, &host.ports[0]), 0);
            tvs_steering_rte_flow.stop(&host, &host.ports[0]);
        }
    }
    gen_port.vlan = 0;
}

static void a_full_device_is_named_with_the_rule_it_refused(void **state)
{
    (void)state;
    assert_int_equal(start(TVS_NIC_IXGBE, 2), -ENOSPC);
    assert_non_null(strstr(said, "port fwd"));
    assert_non_null(strstr(said, "flow rule 3 of 4 (172.16.0.247 mask 0xfffffff0"));
    assert_non_null(strstr(said, "no room"));
    assert_non_null(strstr(said, "2 flow rules were taken"));
    assert_int_equal(tvs_steering_rte_flow.verify(&host, &host.ports[0]), -EIO);
    tvs_steering_rte_flow.stop(&host, &host.ports[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_becomes_one_flow),
        cmocka_unit_test(i40e_gets_tcp_udp_and_the_rest),
        cmocka_unit_test(mlx5_is_told_the_vlan_of_the_port),
        cmocka_unit_test(a_full_device_is_named_with_the_rule_it_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
