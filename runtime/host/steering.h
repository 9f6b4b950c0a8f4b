/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which queue a packet reaches. What the generation says is written to the device, read back and
 * compared; a device that refuses any of it, or has changed it, keeps the node from starting.
 *   fdir      key, RETA and flow rules (steering_rte_flow.c); on a TAP an eBPF program that does
 *             the same (steering_tap.c)
 *   software  the device spreads as it likes; the packet path hands over (steering_software.c)
 */
#ifndef TVS_STEERING_H
#define TVS_STEERING_H

#include <rte_ethdev.h>

#include "host.h"

/* Before the port is configured: what RSS needs in `conf`. */
int tvs_steering_configure(struct tvs_host *host, const struct tvs_host_port *port,
                           const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);

/* After all ports have started: writes and reads back. Sets port->steering_verified. */
int tvs_steering_start(struct tvs_host *host);
/* Reads back once more and compares; 0, or negative errno after a logged difference. */
int tvs_steering_verify(struct tvs_host *host);
void tvs_steering_stop(struct tvs_host *host);

/* One implementation per kind of device. */
struct tvs_steering_ops {
    const char *name;
    int (*start)(struct tvs_host *host, struct tvs_host_port *port);
    int (*verify)(struct tvs_host *host, struct tvs_host_port *port);
    void (*stop)(struct tvs_host *host, struct tvs_host_port *port);
};
extern const struct tvs_steering_ops tvs_steering_rte_flow;
extern const struct tvs_steering_ops tvs_steering_tap;
extern const struct tvs_steering_ops tvs_steering_software;

/* RSS key and RETA of a device (steering_rss.c). */
int tvs_steering_rss_start(struct tvs_host *host, struct tvs_host_port *port);
int tvs_steering_rss_verify(struct tvs_host *host, struct tvs_host_port *port);

#endif
