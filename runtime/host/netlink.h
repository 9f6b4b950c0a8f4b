/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the workers' routes and next hops as the kernel has them. host.h has start and stop. */
#ifndef TVS_NETLINK_H
#define TVS_NETLINK_H

#include <stdint.h>

struct tvs_host;
struct tvs_fib;

struct tvs_netlink_stats {
    uint64_t builds;         /* tables given to the workers */
    uint64_t resyncs;        /* times everything was dumped anew */
    uint64_t routes_lost;    /* above the limit, or no memory */
    uint64_t neighbour_asks; /* resolutions asked of the kernel */
    uint64_t misses;         /* questions of workers */
};

const struct tvs_netlink_stats *tvs_netlink_stats(const struct tvs_host *host);
/* NULL while the module does not run. */
struct tvs_fib *tvs_netlink_fib(const struct tvs_host *host);
/* The set of backends has changed: those on a link need a neighbour. */
void tvs_netlink_touch(struct tvs_host *host);
/* The port that packets to an address leave by; negative: no route. */
int tvs_netlink_port_of(const struct tvs_host *host, uint32_t address);

#endif
