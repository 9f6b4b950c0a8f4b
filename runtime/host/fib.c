/* SPDX-License-Identifier: Apache-2.0 */
#include "fib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tvs/base.h"

#include "lpm.h"

/* A leaf with this bit is a link, the low bits its port: the neighbour has to be found. */
enum { LEAF_LINK = 0x8000 };
enum { MISS_MS = 5000, MISS_MAX = 1024 };

struct tvs_fib_table {
    struct tvs_lpm *lpm;
    struct tvs_glean *glean;
};

struct tvs_fib {
    struct tvs_nexthops *nexthops;
    struct tvs_fib_route_info *routes; /* by address, prefix, priority unless `unsorted` */
    unsigned n_routes, room;
    bool unsorted, dirty;
    unsigned n_ports, n_misses, refused;
    uint8_t port_mac[TVS_MAX_PORTS][6];
    struct tvs_glean glean;
};

uint16_t tvs_fib_lookup(const void *pointer, uint32_t daddr_be)
{
    const struct tvs_fib_table *table = pointer;
    uint32_t address = ntohl(daddr_be);
    uint16_t leaf = tvs_lpm_find(table->lpm, address);

    if (TVS_LIKELY(!(leaf & LEAF_LINK)))
        return leaf;
    tvs_glean_put(table->glean, (uint8_t)leaf, address);
    return 0;
}

int tvs_fib_port_of(const struct tvs_fib_table *table, const struct tvs_nexthop *nexthops,
                    uint32_t address)
{
    uint16_t leaf = tvs_lpm_find(table->lpm, address);

    if (leaf & LEAF_LINK)
        return leaf & 0xff;
    return leaf ? nexthops[leaf].port : -ENOENT;
}

struct tvs_fib *tvs_fib_new(unsigned n_ports, const uint8_t (*port_mac)[6])
{
    struct tvs_fib *fib = calloc(1, sizeof(*fib));

    if (!fib)
        return NULL;
    fib->n_ports = n_ports;
    memcpy(fib->port_mac, port_mac, n_ports * sizeof(port_mac[0]));
    fib->dirty = true;
    fib->nexthops = tvs_nexthops_new();
    if (!fib->nexthops)
        goto free_fib;
    fib->glean.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fib->glean.wake_fd < 0)
        goto free_nexthops;
    return fib;

free_nexthops:
    tvs_nexthops_free(fib->nexthops);
free_fib:
    free(fib);
    return NULL;
}

void tvs_fib_free(struct tvs_fib *fib)
{
    if (!fib)
        return;
    close(fib->glean.wake_fd);
    tvs_nexthops_free(fib->nexthops);
    free(fib->routes);
    free(fib);
}

struct tvs_nexthops *tvs_fib_nexthops(struct tvs_fib *fib)
{
    return fib->nexthops;
}

struct tvs_glean *tvs_fib_glean(struct tvs_fib *fib)
{
    return &fib->glean;
}

bool tvs_fib_dirty(const struct tvs_fib *fib)
{
    return fib->dirty;
}

void tvs_fib_touch(struct tvs_fib *fib)
{
    fib->dirty = true;
}

unsigned tvs_fib_refused(const struct tvs_fib *fib)
{
    return fib->refused;
}

/* ---- routes ---------------------------------------------------------------------------------- */

static int route_order(const void *left, const void *right)
{
    const struct tvs_fib_route_info *a = left, *b = right;

    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    if (a->prefix_len != b->prefix_len)
        return a->prefix_len < b->prefix_len ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return 0;
}

unsigned tvs_fib_routes(struct tvs_fib *fib, const struct tvs_fib_route_info **routes)
{
    if (fib->unsorted)
        qsort(fib->routes, fib->n_routes, sizeof(fib->routes[0]), route_order);
    fib->unsorted = false;
    *routes = fib->routes;
    return fib->n_routes;
}

unsigned tvs_fib_routes_count(const struct tvs_fib *fib)
{
    return fib->n_routes;
}

void tvs_fib_routes_clear(struct tvs_fib *fib)
{
    fib->n_routes = 0;
    fib->dirty = true;
}

void tvs_fib_neighbours_clear(struct tvs_fib *fib)
{
    tvs_nexthops_forget(fib->nexthops, TVS_NEED_NEIGHBOUR);
    fib->dirty = true;
}

/* Removes what stands under the key; with `exact` only the one with the same way out. */
static void routes_remove(struct tvs_fib *fib, const struct tvs_fib_route_info *route, bool exact)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < fib->n_routes; i++) {
        const struct tvs_fib_route_info *other = &fib->routes[i];
        bool same = route_order(other, route) == 0 &&
                    (!exact || (other->gateway == route->gateway && other->port == route->port &&
                                other->type == route->type));

        if (!same)
            fib->routes[kept++] = *other;
    }
    if (kept != fib->n_routes)
        fib->dirty = true;
    fib->n_routes = kept;
}

int tvs_fib_route(struct tvs_fib *fib, int port, const struct tvs_rtnl_route *route, bool deleted,
                  bool replace)
{
    struct tvs_fib_route_info info = {
        .address = route->address,
        .gateway = route->gateway,
        .priority = route->priority,
        .prefix_len = route->prefix_len,
        .type = route->type,
        .port = port < 0 ? 0 : (uint8_t)port,
    };

    if (route->table != RT_TABLE_MAIN)
        return 0;
    if (replace || (deleted && port >= 0))
        routes_remove(fib, &info, !replace);
    if (deleted || port < 0)
        return 0;
    if (fib->n_routes == TVS_FIB_MAX_ROUTES)
        return -E2BIG;
    if (fib->n_routes == fib->room) {
        unsigned room = fib->room ? 2 * fib->room : 64;
        void *grown = reallocarray(fib->routes, room, sizeof(fib->routes[0]));

        if (!grown)
            return -ENOMEM;
        fib->routes = grown;
        fib->room = room;
    }
    fib->routes[fib->n_routes++] = info;
    fib->unsorted = true;
    fib->dirty = true;
    return 0;
}

/* ---- neighbours ------------------------------------------------------------------------------ */

void tvs_fib_neighbour(struct tvs_fib *fib, unsigned port,
                       const struct tvs_rtnl_neighbour *neighbour)
{
    enum {
        USABLE = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT,
    };
    uint16_t id = tvs_nexthops_find(fib->nexthops, (uint8_t)port, neighbour->address);
    struct tvs_nexthop_info *info;

    if (neighbour->has_mac && neighbour->state & USABLE) {
        if (!id || !tvs_nexthops_entries(fib->nexthops)[id].valid)
            fib->dirty = true; /* the address gets an entry of its own */
        id =
            tvs_nexthops_want(fib->nexthops, (uint8_t)port, neighbour->address, TVS_NEED_NEIGHBOUR);
        if (!id) {
            fib->refused++;
            return;
        }
        info = tvs_nexthops_info(fib->nexthops, id);
        info->stale = neighbour->state & NUD_STALE;
        tvs_nexthops_resolve(fib->nexthops, id, neighbour->mac, fib->port_mac[port]);
        return;
    }

    info = id ? tvs_nexthops_info(fib->nexthops, id) : NULL;
    if (!info)
        return;
    if (neighbour->state & NUD_FAILED) {
        info->need &= (uint8_t)~TVS_NEED_NEIGHBOUR;
        tvs_nexthops_invalidate(fib->nexthops, id);
        fib->dirty = true;
    } else if (!neighbour->state && info->need & TVS_NEED_NEIGHBOUR) {
        /* forgotten by the kernel, not known to be dead: who needs it asks, and sends meanwhile */
        info->need &= (uint8_t)~TVS_NEED_NEIGHBOUR;
        info->stale = true;
        fib->dirty = true;
    }
}

bool tvs_fib_miss(struct tvs_fib *fib, unsigned port, uint32_t address, uint64_t now_ms)
{
    uint16_t id = tvs_nexthops_find(fib->nexthops, (uint8_t)port, address);
    struct tvs_nexthop_info *info;

    if (!id && fib->n_misses >= MISS_MAX)
        return false;
    id = tvs_nexthops_want(fib->nexthops, (uint8_t)port, address, 0);
    if (!id) {
        fib->refused++;
        return false;
    }
    info = tvs_nexthops_info(fib->nexthops, id);
    if (!(info->need & TVS_NEED_MISS))
        fib->n_misses++;
    info->need |= TVS_NEED_MISS;
    info->miss_until_ms = now_ms + MISS_MS;
    return !tvs_nexthops_entries(fib->nexthops)[id].valid;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void misses_expire(struct tvs_fib *fib, uint64_t now_ms)
{
    fib->n_misses = 0;
    for (unsigned id = 1; id < TVS_MAX_NEXTHOPS; id++) {
        struct tvs_nexthop_info *info = tvs_nexthops_info(fib->nexthops, (uint16_t)id);

        if (!info || !(info->need & TVS_NEED_MISS))
            continue;
        if (info->miss_until_ms <= now_ms)
            info->need &= (uint8_t)~TVS_NEED_MISS;
        else
            fib->n_misses++;
    }
}

static uint16_t route_leaf(struct tvs_fib *fib, const struct tvs_fib_route_info *route)
{
    uint16_t id;

    if (route->type != RTN_UNICAST)
        return 0;
    if (!route->gateway)
        return (uint16_t)(LEAF_LINK | route->port);
    id = tvs_nexthops_want(fib->nexthops, route->port, route->gateway, TVS_NEED_ROUTE);
    if (!id)
        fib->refused++;
    return id;
}

static unsigned routes_collect(struct tvs_fib *fib, struct tvs_lpm_route *list)
{
    const struct tvs_fib_route_info *routes;
    unsigned n = tvs_fib_routes(fib, &routes), kept = 0;

    for (unsigned i = 0; i < n; i++) {
        /* in order of the metric: the first one of a prefix is the one that counts */
        if (i > 0 && routes[i].address == routes[i - 1].address &&
            routes[i].prefix_len == routes[i - 1].prefix_len)
            continue;
        list[kept++] = (struct tvs_lpm_route){.address = routes[i].address,
                                              .prefix_len = routes[i].prefix_len,
                                              .leaf = route_leaf(fib, &routes[i])};
    }
    return kept;
}

/* Neighbours that are known, where the routes alone say only "on this link". */
static unsigned hosts_collect(struct tvs_fib *fib, const struct tvs_lpm *lpm,
                              struct tvs_lpm_route *list)
{
    const struct tvs_nexthop *entries = tvs_nexthops_entries(fib->nexthops);
    unsigned n = 0;

    for (unsigned id = 1; id < TVS_MAX_NEXTHOPS; id++) {
        const struct tvs_nexthop_info *info = tvs_nexthops_info(fib->nexthops, (uint16_t)id);

        if (!info || !info->need || !entries[id].valid ||
            tvs_lpm_find(lpm, info->address) != (LEAF_LINK | info->port))
            continue;
        list[n++] = (struct tvs_lpm_route){
            .address = info->address, .prefix_len = 32, .leaf = (uint16_t)id};
    }
    return n;
}

static void backends_want(struct tvs_fib *fib, const struct tvs_lpm *lpm,
                          const struct tvs_backend *backends, unsigned n_backends)
{
    for (unsigned i = 0; i < n_backends; i++) {
        uint32_t address = ntohl(backends[i].addr_be);
        uint16_t leaf = tvs_lpm_find(lpm, address);

        if (!(leaf & LEAF_LINK))
            continue;
        if (!tvs_nexthops_want(fib->nexthops, (uint8_t)leaf, address, TVS_NEED_BACKEND))
            fib->refused++;
    }
}

struct tvs_fib_table *tvs_fib_build(struct tvs_fib *fib, const struct tvs_backend *backends,
                                    unsigned n_backends, uint64_t now_ms)
{
    struct tvs_fib_table *table = calloc(1, sizeof(*table));
    struct tvs_lpm_route *list;
    struct tvs_lpm *links;
    unsigned n;

    list = calloc(fib->n_routes + TVS_MAX_NEXTHOPS, sizeof(*list));
    if (!table || !list)
        goto free_list;
    table->glean = &fib->glean;
    fib->refused = 0;
    misses_expire(fib, now_ms);
    tvs_nexthops_forget(fib->nexthops, TVS_NEED_ROUTE | TVS_NEED_BACKEND);
    n = routes_collect(fib, list);
    links = tvs_lpm_build(list, n);
    if (!links)
        goto free_list;
    backends_want(fib, links, backends, n_backends);

    n += hosts_collect(fib, links, list + n);
    table->lpm = tvs_lpm_build(list, n);
    tvs_lpm_free(links);
    if (!table->lpm)
        goto free_list;
    free(list);
    fib->dirty = false;
    return table;

free_list:
    free(list);
    free(table);
    return NULL;
}

void tvs_fib_table_free(void *pointer)
{
    struct tvs_fib_table *table = pointer;

    if (!table)
        return;
    tvs_lpm_free(table->lpm);
    free(table);
}
