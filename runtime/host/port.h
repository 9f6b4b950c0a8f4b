/* SPDX-License-Identifier: Apache-2.0 */
/* NIC ports: one rx and one tx queue per worker, RSS as the generation has it, read back. */
#ifndef TVS_PORT_H
#define TVS_PORT_H

#include "host.h"

/* Configures and starts every port of the generation. Logs why and returns negative errno. */
int tvs_ports_start(struct tvs_host *host);
void tvs_ports_stop(struct tvs_host *host);

/* Bytes of packet memory that the generation asks for. */
uint64_t tvs_ports_bytes(const struct tvs_generation *generation);

/* DPDK's TAP: what its driver leaves to do. Before EAL starts, and after the port has started. */
int tvs_port_tap_prepare(void);
int tvs_port_tap_settle(const struct tvs_host_port *port);

#endif
