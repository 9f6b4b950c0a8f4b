/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing is asked of the device: it may spread as it likes over as many queues as it has. The
 * packet path computes what RSS and the flow rules would have done and hands over (core/steer.h).
 */
#include "steering.h"

static int start(struct tvs_host *host, struct tvs_host_port *port)
{
    if (port->n_rx_queues < host->n_workers)
        tvs_info("port %s: %u receive queues for %u workers: the others get all by hand-over",
                 port->config->name, port->n_rx_queues, host->n_workers);
    if (port->n_tx_queues < host->n_workers)
        tvs_info("port %s: %u transmit queues for %u workers: worker 0 sends for the others",
                 port->config->name, port->n_tx_queues, host->n_workers);
    return 0;
}

static int verify(struct tvs_host *host, struct tvs_host_port *port)
{
    (void)host;
    (void)port;
    return 0;
}

static void stop(struct tvs_host *host, struct tvs_host_port *port)
{
    (void)host;
    (void)port;
}

const struct tvs_steering_ops tvs_steering_software = {
    .name = "the packet path",
    .start = start,
    .verify = verify,
    .stop = stop,
};
