/* SPDX-License-Identifier: Apache-2.0 */
/* What modules of the host ask of others, for tests of one module without a node. */
#ifndef TVS_HOST_STUBS_H
#define TVS_HOST_STUBS_H

#include <errno.h>
#include <stdlib.h>

#include "host/exception.h"
#include "host/host.h"
#include "host/netlink.h"

/* What every generation has. */
static const struct tvs_site stub_site = {
    .flow_key = {UINT64_C(0x0011223344556677), UINT64_C(0x8899aabbccddeeff)},
};

/* Workers that never turn: what is retired stays readable until the end of the test. */
enum { STUB_RETIRED = 2 * TVS_MAX_POOLS };
static struct {
    unsigned n;
    void *memory[STUB_RETIRED];
    void (*release[STUB_RETIRED])(void *);
} stub_retired;

int tvs_workers_retire(struct tvs_host *host, void (*release)(void *), void *memory)
{
    (void)host;
    if (stub_retired.n == STUB_RETIRED)
        return -ENOMEM;
    stub_retired.memory[stub_retired.n] = memory;
    stub_retired.release[stub_retired.n++] = release;
    return 0;
}

static inline void stub_retired_release(void)
{
    while (stub_retired.n) {
        stub_retired.n--;
        stub_retired.release[stub_retired.n](stub_retired.memory[stub_retired.n]);
    }
}

void tvs_netlink_touch(struct tvs_host *host)
{
    (void)host;
}

/* What backends.c said last, and how often. */
static struct {
    unsigned n;
    uint32_t pool, level;
} stub_changed;

void tvs_exception_pool_changed(struct tvs_host *host, uint32_t pool, uint32_t level)
{
    (void)host;
    stub_changed.n++;
    stub_changed.pool = pool;
    stub_changed.level = level;
}

int tvs_netlink_port_of(const struct tvs_host *host, uint32_t address)
{
    (void)host;
    (void)address;
    return -ENOENT;
}

/* No TAP: checks go where the machine's own routes lead, to the loopback device. */
const struct tvs_exception_port *tvs_exception_port(const struct tvs_host *host, unsigned port)
{
    (void)host;
    (void)port;
    return NULL;
}

#endif
