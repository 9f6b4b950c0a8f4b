/* SPDX-License-Identifier: Apache-2.0 */
/* RSS of a device: the key that the site derived and the table from hash to queue. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "steering.h"

enum { KEY_MAX = 64, RETA_MAX = RTE_ETH_RSS_RETA_SIZE_512 * 4 };

/* What the compiler assumed of every NIC: addresses, and ports of TCP and UDP. */
static const uint64_t hash_fields = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 |
                                    RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
                                    RTE_ETH_RSS_NONFRAG_IPV4_OTHER;
static const uint64_t hash_needed = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;

static bool by_device(const struct tvs_host *host, const struct tvs_host_port *port)
{
    return host->bound->generation->steering.mode != TVS_STEER_SOFTWARE &&
           port->config->family != TVS_NIC_TAP;
}

int tvs_steering_configure(struct tvs_host *host, const struct tvs_host_port *port,
                           const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
    const struct tvs_gen_steering *steering = &host->bound->generation->steering;
    const char *name = port->config->name;

    if (!by_device(host, port))
        return 0;
    if ((info->flow_type_rss_offloads & hash_needed) != hash_needed) {
        tvs_error("port %s: driver %s does not hash the ports of TCP and UDP (RSS): "
                  "`steering software` needs nothing of the device",
                  name, port->driver);
        return -EOPNOTSUPP;
    }
    if (info->hash_key_size != 0 && info->hash_key_size != steering->key_bytes) {
        tvs_error("port %s: driver %s wants an RSS key of %u bytes, the generation has %u: "
                  "the site names another NIC",
                  name, port->driver, info->hash_key_size, steering->key_bytes);
        return -EINVAL;
    }
    if (info->reta_size != steering->reta_size || steering->reta_size > RETA_MAX) {
        tvs_error("port %s: driver %s has a RETA of %u, the generation one of %u: "
                  "the site names another NIC",
                  name, port->driver, info->reta_size, steering->reta_size);
        return -EINVAL;
    }
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
        .rss_key = (uint8_t *)(uintptr_t)steering->key,
        .rss_key_len = steering->key_bytes,
        .rss_hf = hash_fields & info->flow_type_rss_offloads,
    };
    return 0;
}

int tvs_steering_rss_start(struct tvs_host *host, struct tvs_host_port *port)
{
    const struct tvs_gen_steering *steering = &host->bound->generation->steering;
    struct rte_eth_rss_reta_entry64 reta[RETA_MAX / RTE_ETH_RETA_GROUP_SIZE] = {0};
    int error;

    for (uint16_t i = 0; i < steering->reta_size; i++) {
        struct rte_eth_rss_reta_entry64 *group = &reta[i / RTE_ETH_RETA_GROUP_SIZE];

        group->mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
        group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = steering->reta[i];
    }
    error = rte_eth_dev_rss_reta_update(port->dpdk_id, reta, steering->reta_size);
    if (error < 0)
        tvs_error("port %s: driver %s refuses the RETA of %u entries: %s", port->config->name,
                  port->driver, steering->reta_size, rte_strerror(-error));
    return error;
}

static int verify_key(const struct tvs_host_port *port, const struct tvs_gen_steering *steering)
{
    uint8_t key[KEY_MAX] = {0};
    struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = sizeof key};
    int error = rte_eth_dev_rss_hash_conf_get(port->dpdk_id, &conf);

    if (error < 0) {
        tvs_error("port %s: driver %s does not say which RSS key it uses: %s", port->config->name,
                  port->driver, rte_strerror(-error));
        return error;
    }
    if (memcmp(key, steering->key, steering->key_bytes) != 0) {
        tvs_error("port %s: driver %s uses another RSS key than it was given", port->config->name,
                  port->driver);
        return -EIO;
    }
    if ((conf.rss_hf & hash_needed) != hash_needed) {
        tvs_error("port %s: driver %s does not hash TCP and UDP ports though told to (0x%" PRIx64
                  ")",
                  port->config->name, port->driver, conf.rss_hf);
        return -EIO;
    }
    return 0;
}

static int verify_reta(const struct tvs_host_port *port, const struct tvs_gen_steering *steering)
{
    struct rte_eth_rss_reta_entry64 reta[RETA_MAX / RTE_ETH_RETA_GROUP_SIZE] = {0};
    int error;

    for (uint16_t i = 0; i < steering->reta_size; i++)
        reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
    error = rte_eth_dev_rss_reta_query(port->dpdk_id, reta, steering->reta_size);
    if (error < 0) {
        tvs_error("port %s: driver %s does not say which RETA it uses: %s", port->config->name,
                  port->driver, rte_strerror(-error));
        return error;
    }
    for (uint16_t i = 0; i < steering->reta_size; i++) {
        uint16_t queue = reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];

        if (queue != steering->reta[i]) {
            tvs_error("port %s: driver %s has queue %u at RETA entry %u, it was given %u",
                      port->config->name, port->driver, queue, i, steering->reta[i]);
            return -EIO;
        }
    }
    return 0;
}

int tvs_steering_rss_verify(struct tvs_host *host, struct tvs_host_port *port)
{
    const struct tvs_gen_steering *steering = &host->bound->generation->steering;
    int error = verify_key(port, steering);

    return error < 0 ? error : verify_reta(port, steering);
}
