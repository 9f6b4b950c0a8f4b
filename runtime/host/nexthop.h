/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of next hops: (port, neighbour's address) -> an index that stays the same while anybody
 * needs it, and the Ethernet header that workers copy. Control thread only; workers read the
 * entries.
 */
#ifndef TVS_NEXTHOP_TABLE_H
#define TVS_NEXTHOP_TABLE_H

#include "tvs/nexthop.h"

/* Why an entry exists. An entry without any reason goes with the next tvs_nexthops_collect(). */
enum tvs_nexthop_need {
    TVS_NEED_ROUTE = 1 << 0,     /* gateway of a route */
    TVS_NEED_BACKEND = 1 << 1,   /* a backend on the link */
    TVS_NEED_NEIGHBOUR = 1 << 2, /* the kernel knows it */
    TVS_NEED_MISS = 1 << 3,      /* a worker asked for it */
};

struct tvs_nexthop_info {
    uint32_t address; /* host order */
    uint8_t port;
    uint8_t need; /* enum tvs_nexthop_need; 0: entry is free */
    bool asked;   /* resolution was triggered and no answer came yet */
    bool stale;   /* the kernel doubts the neighbour: ask it to make sure */
    uint64_t miss_until_ms;
};

struct tvs_nexthops;

struct tvs_nexthops *tvs_nexthops_new(void);
void tvs_nexthops_free(struct tvs_nexthops *nexthops);

/* [TVS_MAX_NEXTHOPS], for the workers; 16-byte aligned. */
const struct tvs_nexthop *tvs_nexthops_entries(const struct tvs_nexthops *nexthops);

/* 0: none. */
uint16_t tvs_nexthops_find(const struct tvs_nexthops *nexthops, uint8_t port, uint32_t address);
/* Finds or makes one and adds `need`; 0: the table is full. */
uint16_t tvs_nexthops_want(struct tvs_nexthops *nexthops, uint8_t port, uint32_t address,
                           uint8_t need);
/* NULL for an index that is free. */
struct tvs_nexthop_info *tvs_nexthops_info(struct tvs_nexthops *nexthops, uint16_t index);

/* One 16-byte store each: a worker sees the old header or the new one. */
void tvs_nexthops_resolve(struct tvs_nexthops *nexthops, uint16_t index, const uint8_t neighbour[6],
                          const uint8_t port_mac[6]);
void tvs_nexthops_invalidate(struct tvs_nexthops *nexthops, uint16_t index);

/* Removes a need from every entry, before they are counted anew. */
void tvs_nexthops_forget(struct tvs_nexthops *nexthops, uint8_t need);
/*
 * Takes entries that nobody needs out of use; returns how many. They are not handed out again
 * before tvs_nexthops_reuse(), to be called once no worker can still hold their index.
 */
unsigned tvs_nexthops_collect(struct tvs_nexthops *nexthops);
void tvs_nexthops_reuse(struct tvs_nexthops *nexthops);

unsigned tvs_nexthops_count(const struct tvs_nexthops *nexthops);

#endif
