/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's routing socket: changes that wait for the kernel's answer, dumps, and events.
 * IPv4 alone. Addresses are in host order. Every function returns 0 or negative errno.
 */
#ifndef TVS_RTNL_H
#define TVS_RTNL_H

#include <stdbool.h>
#include <stdint.h>

struct tvs_rtnl;

/* One socket for requests, or (events) one that listens to links, neighbours and routes. */
int tvs_rtnl_open(struct tvs_rtnl **rtnl, bool events);
void tvs_rtnl_close(struct tvs_rtnl *rtnl);
int tvs_rtnl_fd(const struct tvs_rtnl *rtnl);

/* ---- changes --------------------------------------------------------------------------------- */

struct tvs_rtnl_route {
    uint32_t address;
    uint32_t gateway; /* 0: on the link */
    uint32_t table;
    uint32_t priority; /* the kernel's metric: the lowest one counts */
    unsigned ifindex;  /* of the first hop that lives, 0: none (blackhole, unreachable) */
    uint8_t prefix_len;
    uint8_t type; /* RTN_UNICAST ... */
};

int tvs_rtnl_link_set(struct tvs_rtnl *rtnl, unsigned ifindex, const uint8_t mac[6], uint16_t mtu,
                      bool up);
int tvs_rtnl_address_add(struct tvs_rtnl *rtnl, unsigned ifindex, uint32_t address,
                         uint8_t prefix_len);
/* Adds or replaces; protocol static, so that a routing daemon takes it for an operator's. */
int tvs_rtnl_route_add(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route);
int tvs_rtnl_route_del(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route);
int tvs_rtnl_neighbour_set(struct tvs_rtnl *rtnl, unsigned ifindex, uint32_t address,
                           const uint8_t mac[6]);
/* Makes the kernel resolve or confirm a neighbour as if it had a packet for it. */
int tvs_rtnl_neighbour_use(struct tvs_rtnl *rtnl, unsigned ifindex, uint32_t address);

/* ---- what the kernel has --------------------------------------------------------------------- */

struct tvs_rtnl_neighbour {
    unsigned ifindex;
    uint32_t address;
    uint16_t state; /* NUD_*; 0 when deleted */
    bool has_mac;
    uint8_t mac[6];
};

struct tvs_rtnl_link {
    unsigned ifindex;
    bool up; /* by the operator and with carrier */
    bool gone;
};

/* Called for each object of a dump (change: added) or event. NULL members are skipped. */
struct tvs_rtnl_sink {
    /* `replace`: takes the place of the one with the same address, prefix and priority */
    void (*route)(void *context, const struct tvs_rtnl_route *route, bool deleted, bool replace);
    void (*neighbour)(void *context, const struct tvs_rtnl_neighbour *neighbour);
    void (*link)(void *context, const struct tvs_rtnl_link *link);
    void *context;
};

int tvs_rtnl_dump_routes(struct tvs_rtnl *rtnl, const struct tvs_rtnl_sink *sink);
int tvs_rtnl_dump_neighbours(struct tvs_rtnl *rtnl, const struct tvs_rtnl_sink *sink);
/*
 * Reads what is there, at most `budget` datagrams. -EAGAIN: nothing more. -ENOBUFS: the kernel had
 * to drop events and everything must be dumped anew.
 */
int tvs_rtnl_events(struct tvs_rtnl *rtnl, const struct tvs_rtnl_sink *sink, unsigned budget);

#endif
