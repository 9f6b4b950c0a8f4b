/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two things about DPDK's TAP driver.
 *
 * It asks the kernel for a signal per packet, to save itself a read of an empty queue. A signal per
 * packet interrupts the control thread for every one; a worker that sleeps until its queue has
 * something reads no empty queues. The driver leaves it when no real-time signal is free, so they
 * are taken while it starts.
 *
 * It gives the kernel's end of the TAP the same MAC as the node's end. On a link between two
 * machines each has its own.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "port.h"

static void nothing(int signal)
{
    (void)signal;
}

int tvs_port_tap_prepare(void)
{
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++) {
        struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};

        if (sigaction(signal, &action, NULL) < 0)
            return -errno;
    }
    return 0;
}

int tvs_port_tap_settle(const struct tvs_host_port *port)
{
    struct rte_eth_dev_info info;
    struct ifreq request = {0};
    int error = rte_eth_dev_info_get(port->dpdk_id, &info);
    int fd;

    if (error < 0)
        return error;
    if (if_indextoname(info.if_index, request.ifr_name) == NULL) {
        tvs_error("port %s: `%s` is no TAP: the site names another NIC", port->config->name,
                  port->config->device);
        return -ENODEV;
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, port->mac, sizeof port->mac);
    request.ifr_hwaddr.sa_data[0] |= 0x02; /* locally administered */
    request.ifr_hwaddr.sa_data[5] ^= 0x01;
    if (ioctl(fd, SIOCSIFHWADDR, &request) < 0) {
        error = -errno;
        tvs_error("port %s: %s takes no MAC: %s", port->config->name, request.ifr_name,
                  strerror(errno));
    }
    close(fd);
    return error;
}
