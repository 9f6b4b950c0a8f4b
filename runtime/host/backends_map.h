/* SPDX-License-Identifier: Apache-2.0 */
/* (pool, address, port) -> backend id. Grows only: an id stays for the host's lifetime. */
#ifndef TVS_BACKENDS_MAP_H
#define TVS_BACKENDS_MAP_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

struct tvs_backends_map {
    uint32_t mask;
    struct tvs_backends_key {
        uint32_t address;
        uint16_t port, pool;
        uint32_t id; /* plus 1; 0: empty */
    } * keys;
};

/* Room for `n` (a power of two) at half full. */
static inline int tvs_backends_map_init(struct tvs_backends_map *map, uint32_t n)
{
    map->mask = 2 * n - 1;
    map->keys = calloc(2 * (size_t)n, sizeof(map->keys[0]));
    return map->keys ? 0 : -ENOMEM;
}

static inline void tvs_backends_map_free(struct tvs_backends_map *map)
{
    free(map->keys);
}

/* Where the key is, or where it would go. */
static inline struct tvs_backends_key *tvs_backends_map_at(const struct tvs_backends_map *map,
                                                           uint16_t pool, uint32_t address,
                                                           uint16_t port)
{
    uint64_t hash = ((uint64_t)address << 32 | (uint32_t)port << 16 | pool);
    uint32_t at = (uint32_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & map->mask;
    struct tvs_backends_key *key = &map->keys[at];

    while (key->id && (key->address != address || key->port != port || key->pool != pool)) {
        at = (at + 1) & map->mask;
        key = &map->keys[at];
    }
    return key;
}

/* -ENOENT: unknown. */
static inline int64_t tvs_backends_map_find(const struct tvs_backends_map *map, uint16_t pool,
                                            uint32_t address, uint16_t port)
{
    const struct tvs_backends_key *key = tvs_backends_map_at(map, pool, address, port);

    return key->id ? (int64_t)key->id - 1 : -ENOENT;
}

static inline void tvs_backends_map_put(struct tvs_backends_map *map, uint16_t pool,
                                        uint32_t address, uint16_t port, uint32_t id)
{
    struct tvs_backends_key *key = tvs_backends_map_at(map, pool, address, port);

    *key = (struct tvs_backends_key){.address = address, .port = port, .pool = pool, .id = id + 1};
}

#endif
