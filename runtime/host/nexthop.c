/* SPDX-License-Identifier: Apache-2.0 */
#include "nexthop.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_SIZE = 4 * TVS_MAX_NEXTHOPS }; /* open addressing at a quarter full */
_Static_assert((INDEX_SIZE & (INDEX_SIZE - 1)) == 0, "masked");
_Static_assert(TVS_MAX_NEXTHOPS <= 0x8000, "the top bit of a leaf is the FIB's");

enum use { USE_FREE, USE_LIVE, USE_LEAVING, USE_NEVER };

struct tvs_nexthops {
    struct tvs_nexthop entry[TVS_MAX_NEXTHOPS]; /* first: aligned for the workers */
    struct tvs_nexthop_info info[TVS_MAX_NEXTHOPS];
    uint8_t use[TVS_MAX_NEXTHOPS]; /* enum use */
    uint16_t index[INDEX_SIZE];    /* 0: empty */
    unsigned count;
    uint16_t cursor; /* where the last free entry was found: the longest unused comes next */
};

typedef uint64_t whole __attribute__((vector_size(16), may_alias));

/* An aligned 16-byte store is one store on every machine that DPDK runs on with AVX or NEON. */
static void entry_store(struct tvs_nexthop *entry, const struct tvs_nexthop *value)
{
    *(volatile whole *)entry = *(const whole *)value;
}

static uint32_t index_start(uint8_t port, uint32_t address)
{
    uint64_t key = (uint64_t)port << 32 | address;

    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (INDEX_SIZE - 1);
}

static void index_put(struct tvs_nexthops *nexthops, uint16_t id)
{
    const struct tvs_nexthop_info *info = &nexthops->info[id];
    uint32_t at = index_start(info->port, info->address);

    while (nexthops->index[at])
        at = (at + 1) & (INDEX_SIZE - 1);
    nexthops->index[at] = id;
}

struct tvs_nexthops *tvs_nexthops_new(void)
{
    struct tvs_nexthops *nexthops = aligned_alloc(TVS_CACHE_LINE, (sizeof(*nexthops) + 63) & ~63ul);

    if (!nexthops)
        return NULL;
    memset(nexthops, 0, sizeof(*nexthops));
    nexthops->use[0] = USE_NEVER; /* never valid, never handed out */
    return nexthops;
}

void tvs_nexthops_free(struct tvs_nexthops *nexthops)
{
    free(nexthops);
}

const struct tvs_nexthop *tvs_nexthops_entries(const struct tvs_nexthops *nexthops)
{
    return nexthops->entry;
}

uint16_t tvs_nexthops_find(const struct tvs_nexthops *nexthops, uint8_t port, uint32_t address)
{
    uint16_t id;

    for (uint32_t at = index_start(port, address); (id = nexthops->index[at]) != 0;
         at = (at + 1) & (INDEX_SIZE - 1))
        if (nexthops->info[id].address == address && nexthops->info[id].port == port)
            return id;
    return 0;
}

static uint16_t free_entry(struct tvs_nexthops *nexthops)
{
    for (unsigned i = 0; i < TVS_MAX_NEXTHOPS; i++) {
        nexthops->cursor = (nexthops->cursor + 1) % TVS_MAX_NEXTHOPS;
        if (nexthops->use[nexthops->cursor] == USE_FREE)
            return nexthops->cursor;
    }
    return 0;
}

uint16_t tvs_nexthops_want(struct tvs_nexthops *nexthops, uint8_t port, uint32_t address,
                           uint8_t need)
{
    uint16_t id = tvs_nexthops_find(nexthops, port, address);

    if (!id) {
        if (nexthops->count >= TVS_MAX_NEXTHOPS - 1)
            return 0;
        id = free_entry(nexthops);
        if (!id)
            return 0;
        nexthops->info[id] = (struct tvs_nexthop_info){.address = address, .port = port};
        nexthops->use[id] = USE_LIVE;
        nexthops->count++;
        index_put(nexthops, id);
    }
    nexthops->info[id].need |= need;
    return id;
}

struct tvs_nexthop_info *tvs_nexthops_info(struct tvs_nexthops *nexthops, uint16_t index)
{
    if (index >= TVS_MAX_NEXTHOPS || nexthops->use[index] != USE_LIVE)
        return NULL;
    return &nexthops->info[index];
}

void tvs_nexthops_resolve(struct tvs_nexthops *nexthops, uint16_t index, const uint8_t neighbour[6],
                          const uint8_t port_mac[6])
{
    struct tvs_nexthop value = {.port = nexthops->info[index].port, .valid = 1};

    memcpy(value.l2, neighbour, 6);
    memcpy(value.l2 + 6, port_mac, 6);
    value.l2[12] = 0x08;
    value.l2[13] = 0x00;
    nexthops->info[index].asked = false;
    if (memcmp(&nexthops->entry[index], &value, sizeof(value)) != 0)
        entry_store(&nexthops->entry[index], &value);
}

void tvs_nexthops_invalidate(struct tvs_nexthops *nexthops, uint16_t index)
{
    /* nothing but this: a worker that has just found it valid still sends to that neighbour */
    __atomic_store_n(&nexthops->entry[index].valid, 0, __ATOMIC_RELAXED);
}

void tvs_nexthops_forget(struct tvs_nexthops *nexthops, uint8_t need)
{
    for (unsigned id = 1; id < TVS_MAX_NEXTHOPS; id++)
        nexthops->info[id].need &= (uint8_t)~need;
}

unsigned tvs_nexthops_collect(struct tvs_nexthops *nexthops)
{
    unsigned collected = 0;

    for (unsigned id = 1; id < TVS_MAX_NEXTHOPS; id++) {
        if (nexthops->use[id] != USE_LIVE || nexthops->info[id].need)
            continue;
        tvs_nexthops_invalidate(nexthops, (uint16_t)id);
        nexthops->use[id] = USE_LEAVING;
        nexthops->count--;
        collected++;
    }
    if (!collected)
        return 0;

    /* rebuilding is simpler than deleting from open addressing, and rare */
    memset(nexthops->index, 0, sizeof(nexthops->index));
    for (unsigned id = 1; id < TVS_MAX_NEXTHOPS; id++)
        if (nexthops->use[id] == USE_LIVE)
            index_put(nexthops, (uint16_t)id);
    return collected;
}

void tvs_nexthops_reuse(struct tvs_nexthops *nexthops)
{
    for (unsigned id = 1; id < TVS_MAX_NEXTHOPS; id++)
        if (nexthops->use[id] == USE_LEAVING)
            nexthops->use[id] = USE_FREE;
}

unsigned tvs_nexthops_count(const struct tvs_nexthops *nexthops)
{
    return nexthops->count;
}
