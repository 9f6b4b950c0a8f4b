/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon's parts ask of those that a bench has not: kernel routes, TAP, health checks. */
#include "host/exception.h"
#include "host/host.h"
#include "host/netlink.h"

void tvs_netlink_touch(struct tvs_host *host)
{
    (void)host;
}

int tvs_exception_announce(struct tvs_host *host)
{
    (void)host;
    return 0;
}

void tvs_exception_pool_changed(struct tvs_host *host, uint32_t pool, uint32_t level)
{
    (void)host;
    (void)pool;
    (void)level;
}

int tvs_health_reload(struct tvs_host *host)
{
    (void)host;
    return 0;
}

void tvs_exception_receive(struct tvs_host *host, struct rte_mbuf **mbufs, unsigned n)
{
    (void)host;
    rte_pktmbuf_free_bulk(mbufs, n);
}
