/* SPDX-License-Identifier: Apache-2.0 */
#include "port_vlan.h"

#include <errno.h>

#include "core/vlan.h"

/*
 * Half of it would be two ways of handling a frame where one will do. To insert may cost a driver
 * its shortest transmit function (ixgbe, i40e); no card was at hand to say which is cheaper.
 */
static const uint64_t rx_wanted = RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
static const uint64_t tx_wanted = RTE_ETH_TX_OFFLOAD_VLAN_INSERT;

int tvs_port_vlan_configure(struct tvs_host_port *port, const struct rte_eth_dev_info *info,
                            struct rte_eth_conf *conf)
{
    uint32_t frame =
        port->config->mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + (uint32_t)TVS_VLAN_BYTES;

    if (port->config->vlan == 0)
        return 0;
    port->vlan_by_device = (info->rx_offload_capa & rx_wanted) == rx_wanted &&
                           (info->tx_offload_capa & tx_wanted) == tx_wanted;
    /* the MTU is that of IP: a device that takes tags off has its own idea of what they add */
    if (!port->vlan_by_device && frame > info->max_rx_pktlen) {
        tvs_error("port %s: frames of MTU %u with a VLAN tag have %u bytes, driver %s takes %u",
                  port->config->name, port->config->mtu, frame, port->driver, info->max_rx_pktlen);
        return -ERANGE;
    }
    if (port->vlan_by_device) {
        conf->rxmode.offloads |= rx_wanted;
        conf->txmode.offloads |= tx_wanted;
    }
    conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
    return 0;
}

int tvs_port_vlan_start(const struct tvs_host_port *port)
{
    const char *name = port->config->name;
    uint16_t vlan = port->config->vlan;
    int has = vlan == 0 ? 0 : rte_eth_dev_get_vlan_offload(port->dpdk_id);
    bool filters = has > 0 && has & RTE_ETH_VLAN_FILTER_OFFLOAD;
    int error;

    if (vlan == 0)
        return 0;
    if (port->vlan_by_device && (has < 0 || !(has & RTE_ETH_VLAN_STRIP_OFFLOAD))) {
        tvs_error("port %s: driver %s does not strip VLAN tags though told to", name, port->driver);
        return -EIO;
    }
    error = filters ? rte_eth_dev_vlan_filter(port->dpdk_id, vlan, 1) : 0;
    if (error < 0) {
        tvs_error("port %s: driver %s does not let VLAN %u through its filter: %s", name,
                  port->driver, vlan, rte_strerror(-error));
        return error;
    }
    tvs_info("port %s: VLAN %u, tags %s%s", name, vlan,
             port->vlan_by_device ? "by the device" : "by the workers",
             filters ? ", which filters other VLANs" : "");
    return 0;
}

/*
 * A driver may strip without having been told to, and may leave a tag though it was: so what the
 * packet says is looked at, not what was configured.
 */
static bool take(uint16_t vlan, struct rte_mbuf *mbuf)
{
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

    if (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
        return tvs_vlan_is(mbuf->vlan_tci, vlan);
    if (!tvs_vlan_tagged(frame, mbuf->data_len, vlan))
        return false;
    tvs_vlan_strip(frame);
    rte_pktmbuf_adj(mbuf, TVS_VLAN_BYTES);
    return true;
}

unsigned tvs_port_vlan_take(const struct tvs_host_port *port, struct rte_mbuf **mbufs, unsigned n,
                            struct rte_mbuf **others)
{
    uint16_t vlan = port->config->vlan;
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *mbuf = mbufs[i];

        if (TVS_LIKELY(take(vlan, mbuf)))
            mbufs[kept++] = mbuf;
        else
            others[i - kept] = mbuf;
    }
    return kept;
}

static bool put(const struct tvs_host_port *port, struct rte_mbuf *mbuf)
{
    if (port->vlan_by_device) {
        mbuf->ol_flags |= RTE_MBUF_F_TX_VLAN;
        mbuf->vlan_tci = port->config->vlan;
        return true;
    }
    if (TVS_UNLIKELY(rte_pktmbuf_headroom(mbuf) < TVS_VLAN_BYTES))
        return false;
    tvs_vlan_insert(rte_pktmbuf_mtod(mbuf, uint8_t *), port->config->vlan);
    rte_pktmbuf_prepend(mbuf, TVS_VLAN_BYTES);
    return true;
}

unsigned tvs_port_vlan_put(const struct tvs_host_port *port, struct rte_mbuf **mbufs, unsigned n,
                           struct rte_mbuf **others)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *mbuf = mbufs[i];

        if (TVS_LIKELY(put(port, mbuf)))
            mbufs[kept++] = mbuf;
        else
            others[i - kept] = mbuf;
    }
    return kept;
}
