/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy of the kernel's main table that workers route by: what netlink tells goes in, an
 * immutable table to publish comes out. Only routes through the exception TAPs are kept, since a
 * worker can send nowhere else. It knows neither sockets nor workers.
 *
 * An address on the link becomes an entry of its own once its neighbour is known; until then the
 * look-up says "no route" and puts the question to the control thread.
 */
#ifndef TVS_FIB_H
#define TVS_FIB_H

#include "tvs/backend.h"

#include "glean.h"
#include "nexthop.h"
#include "rtnl.h"

enum { TVS_FIB_MAX_ROUTES = 262144 };

struct tvs_fib;
struct tvs_fib_table; /* what workers see */

/* of the type tvs_route_fn; `table` is a struct tvs_fib_table */
uint16_t tvs_fib_lookup(const void *table, uint32_t daddr_be);

/* port_mac: [n_ports], copied. NULL: out of memory or descriptors. */
struct tvs_fib *tvs_fib_new(unsigned n_ports, const uint8_t (*port_mac)[6]);
/* The tables it built are the caller's. */
void tvs_fib_free(struct tvs_fib *fib);

struct tvs_nexthops *tvs_fib_nexthops(struct tvs_fib *fib);
struct tvs_glean *tvs_fib_glean(struct tvs_fib *fib);

/* Before a dump: what the dump does not bring again is gone. */
void tvs_fib_routes_clear(struct tvs_fib *fib);
void tvs_fib_neighbours_clear(struct tvs_fib *fib);
/* port < 0: through no port of ours, which only ever removes. -E2BIG: too many routes. */
int tvs_fib_route(struct tvs_fib *fib, int port, const struct tvs_rtnl_route *route, bool deleted,
                  bool replace);
void tvs_fib_neighbour(struct tvs_fib *fib, unsigned port,
                       const struct tvs_rtnl_neighbour *neighbour);
/* A worker's question; true: the kernel should be asked. */
bool tvs_fib_miss(struct tvs_fib *fib, unsigned port, uint32_t address, uint64_t now_ms);

/* True when a build would give another table. */
bool tvs_fib_dirty(const struct tvs_fib *fib);
void tvs_fib_touch(struct tvs_fib *fib);

/*
 * Builds a table from everything known and from backends that need a neighbour. NULL: out of
 * memory, and the fib stays dirty.
 */
struct tvs_fib_table *tvs_fib_build(struct tvs_fib *fib, const struct tvs_backend *backends,
                                    unsigned n_backends, uint64_t now_ms);
void tvs_fib_table_free(void *table);

/* The port that the table sends an address to; negative: none. */
int tvs_fib_port_of(const struct tvs_fib_table *table, const struct tvs_nexthop *nexthops,
                    uint32_t address);

/* For listings: the routes in order; returns how many there are. */
struct tvs_fib_route_info {
    uint32_t address, gateway, priority;
    uint8_t prefix_len, type, port;
};
unsigned tvs_fib_routes(struct tvs_fib *fib, const struct tvs_fib_route_info **routes);
unsigned tvs_fib_routes_count(const struct tvs_fib *fib);
unsigned tvs_fib_refused(const struct tvs_fib *fib); /* next hops that found no room */

#endif
