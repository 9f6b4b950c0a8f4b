/* SPDX-License-Identifier: Apache-2.0 */
#include "steering.h"

#include <errno.h>

static const struct tvs_steering_ops *ops_of(const struct tvs_host *host,
                                             const struct tvs_host_port *port)
{
    if (host->bound->generation->steering.mode == TVS_STEER_SOFTWARE)
        return &tvs_steering_software;
    return port->config->family == TVS_NIC_TAP ? &tvs_steering_tap : &tvs_steering_rte_flow;
}

static const char *mode_name(uint8_t mode)
{
    static const char *const names[] = {
        [TVS_STEER_SOFTWARE] = "software",
        [TVS_STEER_FDIR] = "fdir",
        [TVS_STEER_RSS_PORT] = "rss-port",
    };

    return mode < sizeof names / sizeof names[0] ? names[mode] : "unknown";
}

int tvs_steering_start(struct tvs_host *host)
{
    const struct tvs_gen_steering *steering = &host->bound->generation->steering;

    if (steering->mode != TVS_STEER_FDIR && steering->mode != TVS_STEER_SOFTWARE) {
        tvs_error("steering mode %s is not supported by this tvsd", mode_name(steering->mode));
        return -EOPNOTSUPP;
    }
    for (uint16_t i = 0; i < host->n_ports; i++) {
        struct tvs_host_port *port = &host->ports[i];
        const struct tvs_steering_ops *ops = ops_of(host, port);
        int error = ops->start(host, port);

        if (error == 0)
            error = ops->verify(host, port);
        if (error < 0)
            return error;
        port->steering_verified = true;
        if (steering->mode == TVS_STEER_SOFTWARE)
            tvs_info("port %s: steering software by %s", port->config->name, ops->name);
        else
            tvs_info("port %s: steering %s by %s, %u rules, RETA of %u, read back and equal",
                     port->config->name, mode_name(steering->mode), ops->name, steering->n_rules,
                     steering->reta_size);
    }
    return 0;
}

int tvs_steering_verify(struct tvs_host *host)
{
    int result = 0;

    for (uint16_t i = 0; i < host->n_ports; i++) {
        struct tvs_host_port *port = &host->ports[i];
        int error = ops_of(host, port)->verify(host, port);

        port->steering_verified = error == 0;
        if (error < 0)
            result = error;
    }
    return result;
}

void tvs_steering_stop(struct tvs_host *host)
{
    for (uint16_t i = 0; i < host->n_ports; i++)
        ops_of(host, &host->ports[i])->stop(host, &host->ports[i]);
}
