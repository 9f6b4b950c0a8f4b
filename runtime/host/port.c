/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>

#include "eal.h"
#include "port_vlan.h"
#include "steering.h"

enum {
    SMALL_PAGE = 4096,
    MBUF_CACHE = 64,
    FRAME_EXTRA = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 4 /* VLAN */
};

/* A whole frame of the largest MTU fits one buffer: the packet path never sees a chain. */
static uint16_t buffer_bytes(const struct tvs_generation *generation)
{
    uint32_t bytes = RTE_MBUF_DEFAULT_DATAROOM;

    for (uint32_t i = 0; i < generation->n_ports; i++)
        if ((uint32_t)generation->ports[i].mtu + FRAME_EXTRA > bytes)
            bytes = (uint32_t)generation->ports[i].mtu + FRAME_EXTRA;
    return (uint16_t)(RTE_ALIGN_CEIL(bytes, 1024) + RTE_PKTMBUF_HEADROOM);
}

/* Without huge pages no buffer crosses one of 4 KB, so most of them have a page of their own. */
uint64_t tvs_ports_bytes(const struct tvs_generation *generation)
{
    uint64_t bytes =
        sizeof(struct rte_mbuf) + buffer_bytes(generation) + 2 * (uint64_t)RTE_CACHE_LINE_SIZE;

    if (!generation->memory.hugepages)
        bytes = bytes > SMALL_PAGE ? RTE_ALIGN_CEIL(bytes, SMALL_PAGE)
                                   : SMALL_PAGE / (SMALL_PAGE / bytes);
    return generation->memory.mbufs * bytes;
}

static int make_buffers(struct tvs_host *host, int socket)
{
    const struct tvs_generation *generation = host->bound->generation;
    const struct tvs_gen_memory *memory = &generation->memory;
    uint32_t least = (uint32_t)host->n_ports * host->n_workers * memory->rx_ring +
                     host->n_workers * (TVS_MAX_BURST + MBUF_CACHE * 3 / 2);

    if (memory->mbufs < least) {
        tvs_error("%u packet buffers do not fill the receive rings: %u workers on %u ports with "
                  "%u descriptors each need at least %u",
                  memory->mbufs, host->n_workers, host->n_ports, memory->rx_ring, least);
        return -ENOBUFS;
    }
    host->mbufs = rte_pktmbuf_pool_create("tvs", memory->mbufs, MBUF_CACHE, 0,
                                          buffer_bytes(generation), socket);
    if (host->mbufs == NULL) {
        tvs_error("no memory for %u packet buffers on socket %d: %s", memory->mbufs, socket,
                  rte_strerror(rte_errno));
        return -rte_errno;
    }
    return 0;
}

static int find(struct tvs_host_port *port, struct rte_eth_dev_info *info)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    int error;

    tvs_eal_device_name(port->config, name, sizeof name);
    if (rte_eth_dev_get_port_by_name(name, &port->dpdk_id) < 0) {
        tvs_error("port %s: DPDK has no device `%s`: %s", port->config->name, name,
                  port->config->is_vdev ? "is the driver part of this tvsd?"
                                        : "is it bound to vfio-pci?");
        return -ENODEV;
    }
    error = rte_eth_dev_info_get(port->dpdk_id, info);
    if (error < 0)
        return error;
    snprintf(port->driver, sizeof port->driver, "%s", info->driver_name);
    port->socket = rte_eth_dev_socket_id(port->dpdk_id);
    if (port->socket < 0)
        port->socket = port->config->socket;
    return 0;
}

/* Each worker has its own two queues; only `steering software` gets by with fewer. */
static int count_queues(struct tvs_host *host, struct tvs_host_port *port,
                        const struct rte_eth_dev_info *info)
{
    uint8_t mode = host->bound->generation->steering.mode;
    uint16_t n = host->n_workers;

    port->n_rx_queues = info->max_rx_queues < n ? info->max_rx_queues : n;
    port->n_tx_queues = info->max_tx_queues < n ? info->max_tx_queues : n;
    if (port->n_rx_queues == 0 || port->n_tx_queues == 0) {
        tvs_error("port %s: driver %s can only %s", port->config->name, port->driver,
                  port->n_rx_queues == 0 ? "send" : "receive");
        return -EOPNOTSUPP;
    }
    if (mode != TVS_STEER_SOFTWARE && (port->n_rx_queues < n || port->n_tx_queues < n)) {
        tvs_error("port %s: driver %s has %u receive and %u transmit queues for %u workers: "
                  "fewer workers, or `steering software`",
                  port->config->name, port->driver, info->max_rx_queues, info->max_tx_queues, n);
        return -EOPNOTSUPP;
    }
    return 0;
}

static int setup_queues(struct tvs_host *host, struct tvs_host_port *port,
                        const struct rte_eth_dev_info *info)
{
    uint16_t rx = host->bound->generation->memory.rx_ring;
    uint16_t tx = host->bound->generation->memory.tx_ring;
    struct rte_eth_txconf tx_conf = info->default_txconf;
    int error = rte_eth_dev_adjust_nb_rx_tx_desc(port->dpdk_id, &rx, &tx);

    for (uint16_t q = 0; error == 0 && q < port->n_rx_queues; q++)
        error = rte_eth_rx_queue_setup(port->dpdk_id, q, rx, (unsigned)port->socket,
                                       &info->default_rxconf, host->mbufs);
    for (uint16_t q = 0; error == 0 && q < port->n_tx_queues; q++)
        error = rte_eth_tx_queue_setup(port->dpdk_id, q, tx, (unsigned)port->socket, &tx_conf);
    if (error < 0)
        tvs_error("port %s: driver %s refuses queues of %u and %u descriptors: %s",
                  port->config->name, port->driver, rx, tx, rte_strerror(-error));
    return error;
}

static int configure(struct tvs_host *host, struct tvs_host_port *port,
                     const struct rte_eth_dev_info *info)
{
    struct rte_eth_conf conf = {
        .rxmode.mtu = port->config->mtu,
        /* checked by the device where it can: the path then need not */
        .rxmode.offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM,
        .intr_conf.rxq = host->bound->generation->idle == TVS_IDLE_INTERRUPT,
    };
    int error;

    /* a TAP's driver computes the checksum in software, as the path would */
    if (port->config->family == TVS_NIC_TAP)
        conf.rxmode.offloads = 0;
    if (port->config->mtu > info->max_mtu || port->config->mtu < info->min_mtu) {
        tvs_error("port %s: MTU %u is outside the %u to %u of driver %s", port->config->name,
                  port->config->mtu, info->min_mtu, info->max_mtu, port->driver);
        return -ERANGE;
    }
    error = tvs_port_vlan_configure(port, info, &conf);
    if (error == 0)
        error = tvs_steering_configure(host, port, info, &conf);
    if (error < 0)
        return error;
    error = rte_eth_dev_configure(port->dpdk_id, port->n_rx_queues, port->n_tx_queues, &conf);
    if (error < 0)
        tvs_error("port %s: driver %s refuses %u receive and %u transmit queues: %s",
                  port->config->name, port->driver, port->n_rx_queues, port->n_tx_queues,
                  rte_strerror(-error));
    return error;
}

/* To have none is no error here, but DPDK would log it as one. */
static bool has_rx_interrupts(const struct tvs_host_port *port)
{
    uint32_t level = tvs_log_level_get() >= TVS_LOG_DEBUG ? RTE_LOG_INFO : RTE_LOG_WARNING;
    bool has;

    rte_log_set_level_pattern("lib.ethdev", RTE_LOG_CRIT);
    has = rte_eth_dev_rx_intr_ctl_q_get_fd(port->dpdk_id, 0) >= 0;
    rte_log_set_level_pattern("lib.ethdev", level);
    return has;
}

static int start(struct tvs_host *host, struct tvs_host_port *port)
{
    struct rte_eth_dev_info info;
    struct rte_ether_addr mac;
    int error;

    error = rte_eth_dev_info_get(port->dpdk_id, &info);
    if (error == 0)
        error = count_queues(host, port, &info);
    if (error == 0)
        error = configure(host, port, &info);
    /* with the offloads configured the defaults of the queues may have changed */
    if (error == 0)
        error = rte_eth_dev_info_get(port->dpdk_id, &info);
    if (error == 0)
        error = setup_queues(host, port, &info);
    if (error < 0)
        return error;
    error = rte_eth_dev_set_mtu(port->dpdk_id, port->config->mtu);
    if (error < 0 && error != -ENOTSUP) {
        tvs_error("port %s: MTU %u refused: %s", port->config->name, port->config->mtu,
                  rte_strerror(-error));
        return error;
    }
    error = rte_eth_dev_start(port->dpdk_id);
    if (error == 0)
        error = rte_eth_macaddr_get(port->dpdk_id, &mac);
    if (error < 0) {
        tvs_error("port %s: driver %s does not start it: %s", port->config->name, port->driver,
                  rte_strerror(-error));
        return error;
    }
    error = tvs_port_vlan_start(port);
    if (error < 0)
        return error;
    if (rte_is_zero_ether_addr(&mac)) /* rings and captures have none; the kernel wants one */
        rte_eth_random_addr(mac.addr_bytes);
    memcpy(port->mac, mac.addr_bytes, sizeof port->mac);
    port->rx_interrupts =
        host->bound->generation->idle == TVS_IDLE_INTERRUPT && has_rx_interrupts(port);
    rte_eth_dev_set_link_up(port->dpdk_id); /* many drivers lack it: start brought it up */
    /* the node's own multicast (BGP needs none, BFD and ARP none) stays the driver's business */
    return port->config->family == TVS_NIC_TAP ? tvs_port_tap_settle(port) : 0;
}

int tvs_ports_start(struct tvs_host *host)
{
    const struct tvs_generation *generation = host->bound->generation;
    struct rte_eth_dev_info info;
    int error = 0;

    for (uint32_t i = 0; error == 0 && i < generation->n_ports; i++) {
        struct tvs_host_port *port = &host->ports[i];

        *port = (struct tvs_host_port){.config = &generation->ports[i], .dpdk_id = UINT16_MAX};
        error = find(port, &info);
        host->n_ports++;
    }
    if (error == 0)
        error = make_buffers(host, host->ports[0].socket);
    for (uint16_t i = 0; error == 0 && i < host->n_ports; i++)
        error = start(host, &host->ports[i]);
    for (uint16_t i = 0; error == 0 && i < host->n_ports; i++) {
        const struct tvs_host_port *port = &host->ports[i];

        tvs_info("port %s: %s, driver %s, %u queues, MTU %u, MAC %02x:%02x:%02x:%02x:%02x:%02x",
                 port->config->name, port->config->device, port->driver, port->n_rx_queues,
                 port->config->mtu, port->mac[0], port->mac[1], port->mac[2], port->mac[3],
                 port->mac[4], port->mac[5]);
    }
    return error;
}

void tvs_ports_stop(struct tvs_host *host)
{
    for (uint16_t i = 0; i < host->n_ports; i++) {
        const struct tvs_host_port *port = &host->ports[i];

        /* A TAP goes with its descriptors; its driver would look for it in this namespace first. */
        if (port->dpdk_id == UINT16_MAX || port->config->family == TVS_NIC_TAP)
            continue;
        if (rte_eth_dev_stop(port->dpdk_id) < 0)
            tvs_warning("port %s: driver %s does not stop it", port->config->name, port->driver);
        rte_eth_dev_close(port->dpdk_id);
    }
    host->n_ports = 0;
}
