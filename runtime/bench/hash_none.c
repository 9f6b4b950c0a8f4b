/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/hash.h"

#include <errno.h>

bool bench_hash_built(void)
{
    return false;
}

size_t bench_hash_bytes(uint32_t entries)
{
    (void)entries;
    return 0;
}

struct bench_hash *bench_hash_make(uint32_t entries, bool small_pages)
{
    (void)entries;
    (void)small_pages;
    return NULL;
}

void bench_hash_free(struct bench_hash *hash)
{
    (void)hash;
}

int32_t bench_hash_add(struct bench_hash *hash, const struct tvs_key *key)
{
    (void)hash;
    (void)key;
    return -ENOTSUP;
}

void bench_hash_remove(struct bench_hash *hash, const struct tvs_key *key)
{
    (void)hash;
    (void)key;
}

void bench_hash_find(const struct bench_hash *hash, const struct tvs_key *keys, unsigned n,
                     int32_t *positions)
{
    (void)hash;
    (void)keys;
    for (unsigned i = 0; i < n; i++)
        positions[i] = -ENOENT;
}
