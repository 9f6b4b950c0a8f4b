/* SPDX-License-Identifier: Apache-2.0 */
/* A pool's name -> its index. Grows only: a pool stays for the host's lifetime. */
#ifndef TVS_POOLS_MAP_H
#define TVS_POOLS_MAP_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "tvs/base.h"

enum { TVS_POOLS_MAP_SIZE = 2 * TVS_MAX_POOLS }; /* half full at most: probes stay short */
_Static_assert((TVS_POOLS_MAP_SIZE & (TVS_POOLS_MAP_SIZE - 1)) == 0, "masked");
_Static_assert(TVS_MAX_POOLS < UINT16_MAX, "an index and one more fit");

struct tvs_pools_map {
    struct tvs_pools_key {
        const char *name; /* the pool's own */
        uint32_t hash;
        uint16_t index_plus_1; /* 0: empty */
    } keys[TVS_POOLS_MAP_SIZE];
};

/* FNV-1a: names differ mostly at their ends, and every byte reaches the low bits. */
static inline uint32_t tvs_pools_hash(const char *name)
{
    uint32_t hash = UINT32_C(2166136261);

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT32_C(16777619);
    return hash;
}

/* Where the name is, or where it would go. */
static inline const struct tvs_pools_key *tvs_pools_map_at(const struct tvs_pools_map *map,
                                                           const char *name, uint32_t hash)
{
    uint32_t at = hash % TVS_POOLS_MAP_SIZE;

    while (map->keys[at].index_plus_1 &&
           (map->keys[at].hash != hash || strcmp(map->keys[at].name, name) != 0))
        at = (at + 1) % TVS_POOLS_MAP_SIZE;
    return &map->keys[at];
}

/* -ENOENT: unknown. */
static inline int tvs_pools_map_find(const struct tvs_pools_map *map, const char *name)
{
    const struct tvs_pools_key *key = tvs_pools_map_at(map, name, tvs_pools_hash(name));

    return key->index_plus_1 ? key->index_plus_1 - 1 : -ENOENT;
}

/* For a name that is not there; it has to stay where it is. */
static inline void tvs_pools_map_put(struct tvs_pools_map *map, const char *name, unsigned index)
{
    uint32_t hash = tvs_pools_hash(name);
    const struct tvs_pools_key *key = tvs_pools_map_at(map, name, hash);

    map->keys[key - map->keys] =
        (struct tvs_pools_key){.name = name, .hash = hash, .index_plus_1 = (uint16_t)(index + 1)};
}

#endif
