/* SPDX-License-Identifier: Apache-2.0 */
#include "exception.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "announced.h"
#include "host.h"
#include "rtnl.h"
#include "tap.h"
#include "vips.h"

enum {
    TURN_PACKETS = 64, /* from one TAP before the loop looks at anything else */
    INJECT_BURST = 32,
    SAY_VIPS = 10,   /* of one event; `tvs status` has all */
    AGAIN_MS = 1000, /* when the kernel refused to change a route */
    RETRY_MS = 1, /* when worker 0's ring is full: the kernel's queue holds what comes meanwhile */
    FRAME_EXTRA = 14 + 4 /* Ethernet and one VLAN tag above the MTU */
};

struct tap_context {
    struct tvs_host *host;
    uint8_t port;
    unsigned n_held; /* read from the TAP, not yet taken by worker 0 */
    struct rte_mbuf *held[INJECT_BURST];
    struct tvs_timer retry;
};

struct tvs_exception {
    struct tvs_rtnl *rtnl;
    struct tvs_exception_port port[TVS_MAX_PORTS];
    struct tap_context context[TVS_MAX_PORTS];
    struct tvs_announced announced;
    struct tvs_timer again;
};

const struct tvs_exception_port *tvs_exception_port(const struct tvs_host *host, unsigned port)
{
    if (!host->exception || port >= host->n_ports)
        return NULL;
    return &host->exception->port[port];
}

int tvs_exception_port_of(const struct tvs_host *host, unsigned ifindex)
{
    for (unsigned i = 0; host->exception && ifindex && i < host->n_ports; i++)
        if (host->exception->port[i].ifindex == ifindex)
            return (int)i;
    return -ENOENT;
}

/* ---- packets --------------------------------------------------------------------------------- */

void tvs_exception_receive(struct tvs_host *host, struct rte_mbuf **mbufs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct tvs_exception_port *port;
        struct iovec part[16];
        int parts = 0;

        port = &host->exception->port[mbufs[i]->port < host->n_ports ? mbufs[i]->port : 0];
        for (struct rte_mbuf *m = mbufs[i]; m && parts < 16; m = m->next)
            part[parts++] =
                (struct iovec){.iov_base = rte_pktmbuf_mtod(m, void *), .iov_len = m->data_len};
        if (parts == mbufs[i]->nb_segs && writev(port->fd, part, parts) >= 0)
            port->to_kernel++;
        else
            port->to_kernel_lost++;
        rte_pktmbuf_free(mbufs[i]);
    }
}

/* One frame of the TAP as an mbuf. NULL: nothing to read; or lost, which is counted, and *more. */
static struct rte_mbuf *tap_read(struct tvs_host *host, uint8_t index, bool *more)
{
    struct tvs_exception_port *port = &host->exception->port[index];
    struct rte_mbuf *m = rte_pktmbuf_alloc(host->mbufs);
    char excess[64];
    struct iovec part[2] = {{0}, {.iov_base = excess, .iov_len = sizeof(excess)}};
    ssize_t got;

    if (!m) {
        /* take it out all the same, or a level-triggered descriptor spins the loop */
        *more = read(port->fd, excess, sizeof(excess)) > 0;
        port->from_kernel_lost += *more;
        return NULL;
    }
    part[0].iov_base = rte_pktmbuf_mtod(m, void *);
    part[0].iov_len = rte_pktmbuf_tailroom(m);
    got = readv(port->fd, part, 2);
    *more = got > 0;
    if (got > 0 && (size_t)got <= part[0].iov_len) {
        m->data_len = (uint16_t)got;
        m->pkt_len = (uint32_t)got;
        m->port = index;
        return m;
    }
    port->from_kernel_lost += *more;
    rte_pktmbuf_free(m);
    return NULL;
}

/* False when worker 0 takes no more: the rest is held and the TAP is not read until it does. */
static bool tap_inject(struct tap_context *context)
{
    struct tvs_host *host = context->host;
    unsigned sent = tvs_workers_inject(host, context->held, context->n_held);

    host->exception->port[context->port].from_kernel += sent;
    context->n_held -= sent;
    memmove(context->held, context->held + sent, context->n_held * sizeof(context->held[0]));
    return context->n_held == 0;
}

static void tap_retry(void *pointer)
{
    struct tap_context *context = pointer;
    struct tvs_loop *loop = context->host->loop;

    if (tap_inject(context))
        tvs_loop_change(loop, context->host->exception->port[context->port].fd, EPOLLIN);
    else
        tvs_timer_set(loop, &context->retry, RETRY_MS, 0);
}

static void tap_readable(void *pointer, int fd, uint32_t events)
{
    struct tap_context *context = pointer;
    bool more = true;

    if (events & EPOLLERR) {
        tvs_error("%s was taken away: ending", context->host->exception->port[context->port].name);
        tvs_loop_remove(context->host->loop, fd);
        tvs_host_stop(context->host, 1);
        return;
    }
    for (unsigned turn = 0; turn < TURN_PACKETS && more; turn += INJECT_BURST) {
        for (unsigned i = 0; i < INJECT_BURST && more; i++) {
            struct rte_mbuf *m = tap_read(context->host, context->port, &more);

            if (m)
                context->held[context->n_held++] = m;
        }
        if (context->n_held && !tap_inject(context)) {
            tvs_loop_change(context->host->loop, fd, 0);
            tvs_timer_set(context->host->loop, &context->retry, RETRY_MS, 0);
            return;
        }
    }
}

/* ---- the devices ----------------------------------------------------------------------------- */

static int fail(const char *name, const char *what, int err)
{
    tvs_error("%s: cannot %s: %s", name, what, strerror(-err));
    return err;
}

static int default_route(struct tvs_host *host, unsigned index)
{
    const struct tvs_gen_port *config = host->ports[index].config;
    struct tvs_exception_port *port = &host->exception->port[index];
    struct tvs_rtnl_route route = {.table = RT_TABLE_MAIN,
                                   .gateway = config->gateway,
                                   .priority = TVS_EXCEPTION_METRIC + index,
                                   .ifindex = port->ifindex};
    int err;

    if (!config->gateway)
        return 0;
    if (config->has_gateway_mac) {
        err = tvs_rtnl_neighbour_set(host->exception->rtnl, port->ifindex, config->gateway,
                                     config->gateway_mac);
        if (err)
            return fail(port->name, "set the gateway's neighbour entry", err);
    }
    err = tvs_rtnl_route_add(host->exception->rtnl, &route);
    return err ? fail(port->name, "add the default route", err) : 0;
}

static int port_start(struct tvs_host *host, unsigned index)
{
    const struct tvs_host_port *nic = &host->ports[index];
    struct tvs_exception *exception = host->exception;
    struct tvs_exception_port *port = &exception->port[index];
    unsigned frame = nic->config->mtu + FRAME_EXTRA;
    int err;

    snprintf(port->name, sizeof(port->name), "tvs%u", index);
    if (frame + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(host->mbufs))
        return fail(port->name, "hold a frame of the port's MTU in one buffer", -EMSGSIZE);
    port->fd = tvs_tap_open(port->name, &port->ifindex);
    if (port->fd < 0)
        return fail(port->name, "make the exception TAP", port->fd);
    err = tvs_rtnl_link_set(exception->rtnl, port->ifindex, nic->mac, nic->config->mtu, true);
    if (err)
        return fail(port->name, "set MAC address and MTU of the exception TAP", err);
    err = tvs_rtnl_address_add(exception->rtnl, port->ifindex, nic->config->address,
                               nic->config->prefix_len);
    if (err)
        return fail(port->name, "put the node's address on the exception TAP", err);
    err = default_route(host, index);
    if (err)
        return err;
    exception->context[index].host = host;
    exception->context[index].port = (uint8_t)index;
    tvs_timer_init(&exception->context[index].retry, tap_retry, &exception->context[index]);
    err = tvs_loop_add(host->loop, port->fd, EPOLLIN, tap_readable, &exception->context[index]);
    return err ? fail(port->name, "watch the exception TAP", err) : 0;
}

static void announce_again(void *context); /* among what is announced, below */

int tvs_exception_start(struct tvs_host *host)
{
    struct tvs_exception *exception = calloc(1, sizeof(*exception));
    int err;

    if (!exception)
        return -ENOMEM;
    for (unsigned i = 0; i < TVS_MAX_PORTS; i++)
        exception->port[i].fd = -1;
    host->exception = exception;
    tvs_timer_init(&exception->again, announce_again, host);
    err = tvs_rtnl_open(&exception->rtnl, false);
    if (err) {
        fail("exception path", "open a routing socket", err);
        goto stop;
    }
    for (unsigned i = 0; i < host->n_ports; i++) {
        err = port_start(host, i);
        if (err)
            goto stop;
    }
    return 0;

stop:
    tvs_exception_stop(host);
    return err;
}

void tvs_exception_stop(struct tvs_host *host)
{
    struct tvs_exception *exception = host->exception;

    if (!exception)
        return;
    for (unsigned i = 0; i < TVS_MAX_PORTS; i++) {
        if (exception->port[i].fd < 0)
            continue;
        if (exception->context[i].host)
            tvs_timer_unset(host->loop, &exception->context[i].retry);
        tvs_loop_remove(host->loop, exception->port[i].fd);
        close(exception->port[i].fd);
        for (unsigned k = 0; k < exception->context[i].n_held; k++)
            rte_pktmbuf_free(exception->context[i].held[k]);
    }
    tvs_timer_unset(host->loop, &exception->again);
    tvs_rtnl_close(exception->rtnl);
    tvs_announced_free(&exception->announced);
    free(exception);
    host->exception = NULL;
}

/* ---- announcing ------------------------------------------------------------------------------ */

static void announce_again(void *context)
{
    struct tvs_host *host = context;

    if (host->announced && tvs_exception_announce(host) < 0)
        tvs_timer_set(host->loop, &host->exception->again, AGAIN_MS, 0);
}

static void vip_say(const struct tvs_gen_service *service, const char *pool, uint32_t level,
                    bool withheld)
{
    uint32_t a = service->vip;

    tvs_log(withheld ? TVS_LOG_WARNING : TVS_LOG_INFO,
            "VIP %u.%u.%u.%u is %s: pool %s has %u up, service %s wants %u", a >> 24, a >> 16 & 255,
            a >> 8 & 255, a & 255, withheld ? "withdrawn" : "announced", pool, level, service->name,
            service->min_up);
}

/* VIPs that begin their life without enough servers. */
static void lacks_say(const struct tvs_vips *vips)
{
    struct tvs_vips_lack lack;
    uint32_t cursor = 0;

    for (unsigned i = 0; i < SAY_VIPS && tvs_vips_lack_next(vips, &cursor, &lack); i++)
        vip_say(lack.service, lack.pool->name, lack.level, true);
    if (tvs_vips_n_withheld(vips))
        tvs_warning("%u VIPs are withdrawn for want of servers", tvs_vips_n_withheld(vips));
}

int tvs_exception_announce(struct tvs_host *host)
{
    struct tvs_exception *exception = host->exception;
    int err;

    if (!exception)
        return -ENODEV;
    err = tvs_announced_follow(&exception->announced, exception->rtnl, host->bound->generation,
                               tvs_vips_withheld(host->bound->vips), exception->port[0].ifindex,
                               exception->port[0].name);
    if (err)
        return err;
    host->announced = true;
    lacks_say(host->bound->vips);
    return 0;
}

struct vip_event {
    struct tvs_host *host;
    const char *pool;
    unsigned n;
};

static void vip_changed(void *context, const struct tvs_gen_service *service, uint32_t level,
                        bool withheld)
{
    struct vip_event *event = context;
    struct tvs_exception *exception = event->host->exception;
    int err;

    if (!event->host->announced)
        return;
    if (event->n++ < SAY_VIPS)
        vip_say(service, event->pool, level, withheld);
    err = tvs_announced_withhold(&exception->announced, exception->rtnl, service->vip, withheld);
    if (err) {
        tvs_error("%s: cannot change a VIP's route: %s", exception->port[0].name, strerror(-err));
        tvs_timer_set(event->host->loop, &exception->again, AGAIN_MS, 0);
    }
}

void tvs_exception_pool_changed(struct tvs_host *host, uint32_t pool, uint32_t level)
{
    struct vip_event event = {.host = host, .pool = host->bound->generation->pools[pool].name};

    tvs_vips_pool_set(host->bound->vips, pool, level, vip_changed, &event);
    if (event.n > SAY_VIPS)
        tvs_warning("pool %s: %u VIPs followed it in all", event.pool, event.n);
}

void tvs_exception_withdraw(struct tvs_host *host)
{
    struct tvs_exception *exception = host->exception;

    if (!exception)
        return;
    tvs_announced_withdraw(&exception->announced, exception->rtnl, exception->port[0].name);
    host->announced = false;
}

void tvs_exception_restore(struct tvs_host *host)
{
    const struct tvs_exception *exception = host->exception;
    int err = 0;

    for (unsigned i = 0; i < host->n_ports && !err; i++)
        err = default_route(host, i);
    if (!err)
        err = tvs_announced_restore(&exception->announced, exception->rtnl);
    if (err)
        tvs_warning("%s: routes are not back yet: %s", exception->port[0].name, strerror(-err));
}
