/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow director of a real NIC, by rte_flow: destination address under a mask, perhaps the protocol,
 * to a queue. All rules of a site have one shape, because that is what the hardware takes.
 *
 * Of a port with a VLAN a rule names the VLAN where `eth / ipv4` would mean untagged packets only
 * (mlx5, by its guide). Flow director of ixgbe and i40e compares the tag only if a rule names it
 * (FDIRM masks it, the input set lacks it), so there the rules are those of an untagged port.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_flow.h>

#include "core/vlan.h"
#include "steering.h"

/* Handles of the rules of each port; there is nothing else to know them by. */
static struct {
    struct rte_flow **flows;
    uint32_t n_flows;
    int64_t added_before; /* the driver's own count before our first rule; -1: it keeps none */
} ports[TVS_MAX_PORTS];

/* A rule as rte_flow wants it: arrays that point into the same struct. */
struct rule {
    struct rte_flow_attr attr;
    struct rte_flow_item_vlan vlan, vlan_mask;
    struct rte_flow_item_ipv4 ip, ip_mask;
    struct rte_flow_item_tcp tcp, tcp_mask;
    struct rte_flow_item_udp udp, udp_mask;
    struct rte_flow_item pattern[5];
    struct rte_flow_action_queue queue;
    struct rte_flow_action_mark mark;
    struct rte_flow_action actions[3];
};

static void rule_fill(struct rule *rule, const struct tvs_gen_port *port,
                      const struct tvs_gen_rule *from, uint8_t proto)
{
    unsigned n = 0;

    memset(rule, 0, sizeof *rule);
    rule->attr.ingress = 1;
    rule->vlan.hdr.vlan_tci = rte_cpu_to_be_16(port->vlan);
    rule->vlan_mask.hdr.vlan_tci = rte_cpu_to_be_16(TVS_VLAN_ID);
    rule->ip.hdr.dst_addr = rte_cpu_to_be_32(from->address & from->mask);
    rule->ip_mask.hdr.dst_addr = rte_cpu_to_be_32(from->mask);
    rule->pattern[n++] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_ETH};
    if (port->vlan != 0 && port->family == TVS_NIC_MLX5)
        rule->pattern[n++] = (struct rte_flow_item){
            .type = RTE_FLOW_ITEM_TYPE_VLAN, .spec = &rule->vlan, .mask = &rule->vlan_mask};
    rule->pattern[n++] = (struct rte_flow_item){
        .type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &rule->ip, .mask = &rule->ip_mask};
    if (proto == TVS_TCP)
        rule->pattern[n++] = (struct rte_flow_item){
            .type = RTE_FLOW_ITEM_TYPE_TCP, .spec = &rule->tcp, .mask = &rule->tcp_mask};
    else if (proto == TVS_UDP)
        rule->pattern[n++] = (struct rte_flow_item){
            .type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &rule->udp, .mask = &rule->udp_mask};
    rule->pattern[n] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_END};

    n = 0;
    rule->queue.index = from->worker;
    rule->actions[n++] =
        (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &rule->queue};
    /*
     * ixgbe tries its 128 five-tuple filters before flow director and does not fall back when they
     * are full. They cannot mark, so a mark (which nobody reads) makes it flow director's.
     */
    if (from->avoid_ntuple) {
        rule->mark.id = 1;
        rule->actions[n++] =
            (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &rule->mark};
    }
    rule->actions[n] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_END};
}

static int refused(const struct tvs_host_port *port, unsigned at,
                   const struct tvs_gen_steering *steering, uint32_t i, const char *verb, int error,
                   const struct rte_flow_error *detail)
{
    const struct tvs_gen_rule *rule = &steering->rules[i];

    tvs_error("port %s: driver %s does not %s flow rule %u of %u (%u.%u.%u.%u mask 0x%08x proto %u "
              "-> queue %u): %s (%s)",
              port->config->name, port->driver, verb, i + 1, steering->n_rules, rule->address >> 24,
              rule->address >> 16 & 0xff, rule->address >> 8 & 0xff, rule->address & 0xff,
              rule->mask, rule->proto, rule->worker,
              detail->message ? detail->message : "no reason given", rte_strerror(error));
    tvs_error("port %s: %u flow rules were taken before it; `steering software` needs none",
              port->config->name, ports[at].n_flows);
    return -error;
}

/*
 * To i40e a rule without a protocol means "neither TCP nor UDP" and would do nothing for a session;
 * so there one rule of the site is three of the device. The others take it for any IPv4.
 */
static const uint8_t protocols[] = {0, TVS_TCP, TVS_UDP};

static uint32_t flows_per_rule(const struct tvs_host_port *port, const struct tvs_gen_rule *rule)
{
    return port->config->family == TVS_NIC_I40E && rule->proto == 0 ? 3 : 1;
}

static uint32_t count_flows(const struct tvs_host_port *port,
                            const struct tvs_gen_steering *steering)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < steering->n_rules; i++)
        n += flows_per_rule(port, &steering->rules[i]);
    return n;
}

/* ixgbe and i40e count their filters; the others say nothing. */
static int64_t driver_count(const struct tvs_host_port *port)
{
    uint64_t id, value;

    if (rte_eth_xstats_get_id_by_name(port->dpdk_id, "flow_director_added_filters", &id) < 0 ||
        rte_eth_xstats_get_by_id(port->dpdk_id, &id, &value, 1) != 1)
        return -1;
    return (int64_t)value;
}

static int create(const struct tvs_host_port *port, unsigned at,
                  const struct tvs_gen_steering *steering, uint32_t i, uint8_t proto)
{
    struct rte_flow_error detail = {0};
    struct rte_flow *flow;
    struct rule rule;
    int error;

    rule_fill(&rule, port->config, &steering->rules[i], proto);
    error = rte_flow_validate(port->dpdk_id, &rule.attr, rule.pattern, rule.actions, &detail);
    if (error < 0)
        return refused(port, at, steering, i, "accept", -error, &detail);
    flow = rte_flow_create(port->dpdk_id, &rule.attr, rule.pattern, rule.actions, &detail);
    if (flow == NULL)
        return refused(port, at, steering, i, "create", rte_errno, &detail);
    ports[at].flows[ports[at].n_flows++] = flow;
    return 0;
}

static int start(struct tvs_host *host, struct tvs_host_port *port)
{
    const struct tvs_gen_steering *steering = &host->bound->generation->steering;
    unsigned at = (unsigned)(port - host->ports);
    int error = tvs_steering_rss_start(host, port);

    if (error < 0)
        return error;
    ports[at].flows = calloc(count_flows(port, steering) + 1, sizeof(struct rte_flow *));
    if (ports[at].flows == NULL)
        return -ENOMEM;
    ports[at].added_before = driver_count(port);
    for (uint32_t i = 0; i < steering->n_rules; i++) {
        const struct tvs_gen_rule *rule = &steering->rules[i];
        uint32_t n = flows_per_rule(port, rule);

        for (uint32_t k = 0; error == 0 && k < n; k++)
            error = create(port, at, steering, i, n > 1 ? protocols[k] : rule->proto);
        if (error < 0)
            return error;
    }
    return 0;
}

/* No driver tells a rule back; count handles, and the driver's filters where it counts them. */
static int verify(struct tvs_host *host, struct tvs_host_port *port)
{
    const struct tvs_gen_steering *steering = &host->bound->generation->steering;
    unsigned at = (unsigned)(port - host->ports);
    int64_t added = driver_count(port);
    uint32_t want = count_flows(port, steering);
    int error = tvs_steering_rss_verify(host, port);

    if (error < 0)
        return error;
    if (ports[at].n_flows != want) {
        tvs_error("port %s: %u of %u flow rules are set", port->config->name, ports[at].n_flows,
                  want);
        return -EIO;
    }
    /* no card was at hand to see how its counter behaves, so a difference is only told */
    if (ports[at].added_before >= 0 && added - ports[at].added_before < (int64_t)want)
        tvs_warning("port %s: driver %s counts %lld flow director filters, %u rules were created: "
                    "some may have gone elsewhere",
                    port->config->name, port->driver, (long long)(added - ports[at].added_before),
                    want);
    return 0;
}

static void stop(struct tvs_host *host, struct tvs_host_port *port)
{
    unsigned at = (unsigned)(port - host->ports);
    struct rte_flow_error detail;

    if (ports[at].flows == NULL)
        return;
    rte_flow_flush(port->dpdk_id, &detail);
    free(ports[at].flows);
    ports[at].flows = NULL;
    ports[at].n_flows = 0;
}

const struct tvs_steering_ops tvs_steering_rte_flow = {
    .name = "RSS and flow rules of the device",
    .start = start,
    .verify = verify,
    .stop = stop,
};
