/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "backends.h"
#include "exception.h"
#include "fib.h"
#include "host.h"

enum {
    BUILD_DELAY_MS = 5, /* a daemon that loads its routes causes one build, not thousands */
    REFRESH_MS = 1000,  /* neighbours without an answer are asked for again */
    ROUTES_PER_MS = 1000,
    EVENT_BUDGET = 64,    /* datagrams before the loop looks at anything else */
    REFRESH_BUDGET = 512, /* neighbours asked for per turn */
    DUMP_TRIES = 5,       /* the kernel's tables change while they are read */
};

struct tvs_netlink {
    struct tvs_rtnl *events, *requests;
    struct tvs_fib_table *table; /* published */
    struct tvs_timer build, refresh;
    struct tvs_netlink_stats stats;
    uint16_t refresh_cursor;
    bool retiring; /* next hops wait until no worker can hold their index */
    bool resync;
    bool full_said;
    bool link_down[TVS_MAX_PORTS];
};

const struct tvs_netlink_stats *tvs_netlink_stats(const struct tvs_host *host)
{
    return host->netlink ? &host->netlink->stats : NULL;
}

struct tvs_fib *tvs_netlink_fib(const struct tvs_host *host)
{
    return host->netlink ? host->fib : NULL;
}

int tvs_netlink_port_of(const struct tvs_host *host, uint32_t address)
{
    if (!host->netlink || !host->netlink->table)
        return -ENOENT;
    return tvs_fib_port_of(host->netlink->table, host->nexthops, address);
}

/* ---- what the kernel tells ------------------------------------------------------------------- */

static void on_route(void *context, const struct tvs_rtnl_route *route, bool deleted, bool replace)
{
    struct tvs_host *host = context;
    int port = tvs_exception_port_of(host, route->ifindex);

    /* a prefix that must not be reached counts for every port */
    if (route->type == RTN_BLACKHOLE || route->type == RTN_UNREACHABLE ||
        route->type == RTN_PROHIBIT)
        port = 0;
    else if (route->type != RTN_UNICAST)
        return;
    if (tvs_fib_route(host->fib, port, route, deleted, replace) != 0)
        host->netlink->stats.routes_lost++;
}

static void on_neighbour(void *context, const struct tvs_rtnl_neighbour *neighbour)
{
    struct tvs_host *host = context;
    int port = tvs_exception_port_of(host, neighbour->ifindex);

    if (port >= 0)
        tvs_fib_neighbour(host->fib, (unsigned)port, neighbour);
}

/* The kernel drops the routes of a link that goes down and does not say so. */
static void on_link(void *context, const struct tvs_rtnl_link *link)
{
    struct tvs_host *host = context;
    int port = tvs_exception_port_of(host, link->ifindex);
    bool down = link->gone || !link->up;

    if (port < 0 || host->netlink->link_down[port] == down)
        return;
    host->netlink->link_down[port] = down;
    host->netlink->resync = true;
    if (!down)
        tvs_exception_restore(host);
    tvs_warning("%s is %s", tvs_exception_port(host, (unsigned)port)->name, down ? "down" : "up");
}

static int dump(struct tvs_host *host)
{
    const struct tvs_rtnl_sink sink = {
        .route = on_route, .neighbour = on_neighbour, .context = host};
    struct tvs_rtnl *rtnl = host->netlink->requests;
    int err = 0;

    for (unsigned i = 0; i < DUMP_TRIES; i++) {
        tvs_fib_routes_clear(host->fib);
        tvs_fib_neighbours_clear(host->fib);
        err = tvs_rtnl_dump_routes(rtnl, &sink);
        if (!err)
            err = tvs_rtnl_dump_neighbours(rtnl, &sink);
        if (err != -EINTR)
            break;
    }
    host->netlink->stats.resyncs++;
    return err;
}

static void resync(struct tvs_host *host)
{
    int err = dump(host);

    host->netlink->resync = err != 0; /* the next refresh tries again */
    if (err)
        tvs_error("routes: cannot read the kernel's tables: %s", strerror(-err));
}

/* The more routes, the longer a build takes and the more of them change together. */
static void build_soon(struct tvs_host *host)
{
    uint32_t delay_ms = BUILD_DELAY_MS + tvs_fib_routes_count(host->fib) / ROUTES_PER_MS;

    if (tvs_fib_dirty(host->fib) && !host->netlink->build.heap_index)
        tvs_timer_set(host->loop, &host->netlink->build, delay_ms, 0);
}

static void events_readable(void *context, int fd, uint32_t events)
{
    const struct tvs_rtnl_sink sink = {
        .route = on_route, .neighbour = on_neighbour, .link = on_link, .context = context};
    struct tvs_host *host = context;
    struct tvs_netlink *netlink = host->netlink;
    int err;

    (void)fd;
    (void)events;
    err = tvs_rtnl_events(netlink->events, &sink, EVENT_BUDGET);
    if (err == -ENOBUFS)
        netlink->resync = true;
    /* the kernel drops events until the socket is empty: a dump before that is too early */
    if (netlink->resync && err == -EAGAIN)
        resync(host);
    build_soon(host);
}

/* ---- neighbours ------------------------------------------------------------------------------ */

static void neighbour_ask(struct tvs_host *host, struct tvs_nexthop_info *info)
{
    const struct tvs_exception_port *port = tvs_exception_port(host, info->port);

    if (!port)
        return;
    info->stale = false;
    host->netlink->stats.neighbour_asks++;
    tvs_rtnl_neighbour_use(host->netlink->requests, port->ifindex, info->address);
}

/*
 * The kernel does not see the packets that workers send, so it would let a neighbour rot that is
 * in use all the time: every one that routes or backends need is confirmed when the kernel doubts
 * it, and asked for until it answers.
 */
static void neighbours_refresh(void *context)
{
    struct tvs_host *host = context;
    struct tvs_netlink *netlink = host->netlink;
    struct tvs_nexthops *nexthops = tvs_fib_nexthops(host->fib);
    unsigned asked = 0;

    if (netlink->resync) /* a dump failed: once more */
        events_readable(host, tvs_rtnl_fd(netlink->events), 0);
    for (unsigned i = 0; i < TVS_MAX_NEXTHOPS && asked < REFRESH_BUDGET; i++) {
        struct tvs_nexthop_info *info;

        netlink->refresh_cursor = (netlink->refresh_cursor + 1) % TVS_MAX_NEXTHOPS;
        info = tvs_nexthops_info(nexthops, netlink->refresh_cursor);
        if (!info || !(info->need & (TVS_NEED_ROUTE | TVS_NEED_BACKEND | TVS_NEED_MISS)))
            continue;
        if (info->need & TVS_NEED_MISS && info->miss_until_ms < tvs_loop_now_ms(host->loop))
            tvs_fib_touch(host->fib);
        if (!info->stale && tvs_nexthops_entries(nexthops)[netlink->refresh_cursor].valid)
            continue;
        neighbour_ask(host, info);
        asked++;
    }
    build_soon(host);
}

static void misses_readable(void *context, int fd, uint32_t events)
{
    struct tvs_host *host = context;
    struct tvs_glean *glean = tvs_fib_glean(host->fib);

    (void)fd;
    (void)events;
    tvs_glean_begin(glean);
    for (unsigned i = 0; i < TVS_GLEAN_SLOTS; i++) {
        uint32_t address;
        uint8_t port;

        if (!tvs_glean_take(glean, i, &port, &address))
            continue;
        host->netlink->stats.misses++;
        if (tvs_fib_miss(host->fib, port, address, tvs_loop_now_ms(host->loop)))
            neighbour_ask(host, tvs_nexthops_info(
                                    tvs_fib_nexthops(host->fib),
                                    tvs_nexthops_find(tvs_fib_nexthops(host->fib), port, address)));
    }
}

/* ---- publishing ------------------------------------------------------------------------------ */

static void nexthops_reuse(void *context)
{
    struct tvs_host *host = context;

    if (!host->netlink)
        return;
    tvs_nexthops_reuse(tvs_fib_nexthops(host->fib));
    host->netlink->retiring = false;
}

static void publish(struct tvs_host *host, struct tvs_fib_table *table)
{
    struct tvs_netlink *netlink = host->netlink;
    struct tvs_fib_table *old = netlink->table;
    uint16_t epoch = atomic_load_explicit(&host->published.fib_epoch, memory_order_relaxed);

    netlink->table = table;
    epoch = (uint16_t)(epoch + 1);
    atomic_store_explicit(&host->published.fib, table, memory_order_release);
    atomic_store_explicit(&host->published.fib_epoch, epoch ? epoch : 1, memory_order_release);
    netlink->stats.builds++;

    /* a table that cannot be queued for its end stays allocated: better than one freed in use */
    if (old && tvs_workers_retire(host, tvs_fib_table_free, old) != 0)
        tvs_warning("routes: no memory to retire a table, it stays");
    if (!netlink->retiring && tvs_nexthops_collect(tvs_fib_nexthops(host->fib)) > 0) {
        netlink->retiring = true;
        if (tvs_workers_retire(host, nexthops_reuse, host) != 0)
            netlink->retiring = false; /* tried again with the next table */
    }
}

static void build(void *context)
{
    struct tvs_host *host = context;
    struct tvs_netlink *netlink = host->netlink;
    struct tvs_fib_table *table;

    if (!tvs_fib_dirty(host->fib))
        return;
    table = tvs_fib_build(host->fib, host->backend_table, tvs_backends_count(host),
                          tvs_loop_now_ms(host->loop));
    if (!table) {
        tvs_error("routes: no memory for a new table, the old one stays");
        tvs_timer_set(host->loop, &netlink->build, REFRESH_MS, 0);
        return;
    }
    publish(host, table);
    if (tvs_fib_refused(host->fib) && !netlink->full_said)
        tvs_warning("routes: %u neighbours have no next hop: all %u are in use",
                    tvs_fib_refused(host->fib), TVS_MAX_NEXTHOPS - 1);
    netlink->full_said = tvs_fib_refused(host->fib) > 0;
    /* those that this build found it needs */
    neighbours_refresh(host);
}

void tvs_netlink_touch(struct tvs_host *host)
{
    if (!host->netlink)
        return;
    tvs_fib_touch(host->fib);
    build_soon(host);
}

/* ---- life ------------------------------------------------------------------------------------ */

int tvs_netlink_start(struct tvs_host *host)
{
    struct tvs_netlink *netlink = calloc(1, sizeof(*netlink));
    uint8_t macs[TVS_MAX_PORTS][6];
    int err = -ENOMEM;

    if (!netlink)
        return -ENOMEM;
    for (unsigned i = 0; i < host->n_ports; i++)
        memcpy(macs[i], host->ports[i].mac, 6);
    host->netlink = netlink;
    tvs_timer_init(&netlink->build, build, host);
    tvs_timer_init(&netlink->refresh, neighbours_refresh, host);
    host->fib = tvs_fib_new(host->n_ports, macs);
    if (!host->fib)
        goto stop;
    host->route = tvs_fib_lookup;
    host->nexthops = tvs_nexthops_entries(tvs_fib_nexthops(host->fib));

    /* listen first, then dump: what changes in between is seen twice, not never */
    err = tvs_rtnl_open(&netlink->events, true);
    if (!err)
        err = tvs_rtnl_open(&netlink->requests, false);
    if (!err)
        err = dump(host);
    if (!err)
        err =
            tvs_loop_add(host->loop, tvs_rtnl_fd(netlink->events), EPOLLIN, events_readable, host);
    if (!err)
        err = tvs_loop_add(host->loop, tvs_fib_glean(host->fib)->wake_fd, EPOLLIN, misses_readable,
                           host);
    if (!err)
        err = tvs_timer_set(host->loop, &netlink->refresh, REFRESH_MS, REFRESH_MS);
    if (err)
        goto stop;
    build(host);
    if (netlink->table)
        return 0;
    err = -ENOMEM;

stop:
    tvs_error("routes: cannot follow the kernel's tables: %s", strerror(-err));
    tvs_netlink_stop(host);
    return err;
}

void tvs_netlink_stop(struct tvs_host *host)
{
    struct tvs_netlink *netlink = host->netlink;

    if (!netlink)
        return;
    tvs_timer_unset(host->loop, &netlink->build);
    tvs_timer_unset(host->loop, &netlink->refresh);
    if (host->fib)
        tvs_loop_remove(host->loop, tvs_fib_glean(host->fib)->wake_fd);
    if (netlink->events)
        tvs_loop_remove(host->loop, tvs_rtnl_fd(netlink->events));
    tvs_rtnl_close(netlink->events);
    tvs_rtnl_close(netlink->requests);
    /* workers have ended: what is published is read by nobody */
    atomic_store(&host->published.fib, NULL);
    tvs_fib_table_free(netlink->table);
    tvs_fib_free(host->fib);
    free(netlink);
    host->fib = NULL;
    host->netlink = NULL;
}
