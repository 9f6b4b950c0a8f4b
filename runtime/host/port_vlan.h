/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 802.1Q tag of a port with a VLAN: by the device where it can both strip and insert, else by
 * the worker. Ports without a VLAN are none of this module's: a worker asks once a burst.
 */
#ifndef TVS_PORT_VLAN_H
#define TVS_PORT_VLAN_H

#include <rte_ethdev.h>

#include "host.h"

/* Before the port is configured: offloads in `conf`. -ERANGE: the device takes no such frames. */
int tvs_port_vlan_configure(struct tvs_host_port *port, const struct rte_eth_dev_info *info,
                            struct rte_eth_conf *conf);
/* After it has started: the device's filter, and the offloads read back. */
int tvs_port_vlan_start(const struct tvs_host_port *port);

/*
 * Received frames of the port: those of its VLAN stay in `mbufs`, in their order and without the
 * tag; the others go to `others` [n]. Returns how many stay.
 */
unsigned tvs_port_vlan_take(const struct tvs_host_port *port, struct rte_mbuf **mbufs, unsigned n,
                            struct rte_mbuf **others);
/* Frames on their way out get the tag; likewise, `others` have no room for it. */
unsigned tvs_port_vlan_put(const struct tvs_host_port *port, struct rte_mbuf **mbufs, unsigned n,
                           struct rte_mbuf **others);

#endif
