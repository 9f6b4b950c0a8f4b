/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a generation's pool and a server's address and port to the host's id, for sessions that a
 * peer tells of: ids are each host's own. Made when a generation is bound, then only read.
 */
#ifndef TVS_CORE_BACKEND_INDEX_H
#define TVS_CORE_BACKEND_INDEX_H

#include <stdlib.h>

#include "tvs/base.h"

struct tvs_backend_entry {
    uint32_t address_be;
    uint16_t port_be;
    uint16_t pool;      /* the generation's number */
    uint32_t id_plus_1; /* 0: empty */
};

struct tvs_backend_index {
    uint32_t mask;
    struct tvs_backend_entry entry[]; /* [mask + 1], linear probing, at most half full */
};

/*
 * Both halves of the product: of the upper one every bit depends on every bit of the key. The lower
 * bits of one half alone are the same for all servers of a network.
 */
TVS_INLINE uint32_t tvs_backend_hash(uint16_t pool, uint32_t address_be, uint16_t port_be)
{
    uint64_t key = (uint64_t)address_be << 32 | (uint32_t)port_be << 16 | pool;
    unsigned __int128 mixed = (unsigned __int128)key * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(mixed ^ mixed >> 64);
}

/* Empty, with room for so many servers; the caller's to free(). NULL: no memory. */
TVS_INLINE struct tvs_backend_index *tvs_backend_index_make(uint32_t n_backends)
{
    struct tvs_backend_index *index;
    uint32_t size = 2;

    while (size < 2 * n_backends)
        size *= 2;
    index = calloc(1, sizeof(*index) + size * sizeof(index->entry[0]));
    if (index != NULL)
        index->mask = size - 1;
    return index;
}

/* No more than it was made for. Of two with one key the first stays. */
TVS_INLINE void tvs_backend_index_add(struct tvs_backend_index *index, uint16_t pool,
                                      uint32_t address_be, uint16_t port_be, uint32_t id)
{
    uint32_t at = tvs_backend_hash(pool, address_be, port_be);

    while (index->entry[at & index->mask].id_plus_1 != 0)
        at++;
    index->entry[at & index->mask] = (struct tvs_backend_entry){
        .address_be = address_be, .port_be = port_be, .pool = pool, .id_plus_1 = id + 1};
}

/* False: the pool has no such server. */
TVS_INLINE bool tvs_backend_index_find(const struct tvs_backend_index *index, uint16_t pool,
                                       uint32_t address_be, uint16_t port_be, uint32_t *id)
{
    for (uint32_t at = tvs_backend_hash(pool, address_be, port_be);; at++) {
        const struct tvs_backend_entry *entry = &index->entry[at & index->mask];

        if (entry->id_plus_1 == 0)
            return false;
        if (entry->address_be == address_be && entry->port_be == port_be && entry->pool == pool) {
            *id = entry->id_plus_1 - 1;
            return true;
        }
    }
}

#endif
