/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/hash.h"

#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>
#include <sched.h>
#include <stdlib.h>

struct bench_hash {
    struct rte_hash *table;
};

/*
 * EAL once per process. It pins the thread; the bench stays where it was put. Huge pages are taken
 * as they are needed; without them EAL wants to know how much there will be, and takes none of it
 * before it is used.
 */
static bool eal_ready(bool small_pages)
{
    static int state;
    char *arguments[] = {"bench",
                         small_pages ? "--no-shconf" : "--in-memory",
                         "--no-pci",
                         "--no-telemetry",
                         "--iova-mode=va",
                         "--log-level=lib.eal:error",
                         "--log-level=error",
                         "--lcores=0@0",
                         "--no-huge",
                         "-m",
                         "2048",
                         NULL};
    int n_arguments = small_pages ? 11 : 8;
    cpu_set_t cpus;

    if (state != 0)
        return state > 0;
    sched_getaffinity(0, sizeof(cpus), &cpus);
    arguments[n_arguments] = NULL;
    state = rte_eal_init(n_arguments, arguments) < 0 ? -1 : 1;
    sched_setaffinity(0, sizeof(cpus), &cpus);
    return state > 0;
}

bool bench_hash_built(void)
{
    return true;
}

size_t bench_hash_bytes(uint32_t entries)
{
    /* per key: itself with a pointer, a word of the free list, an eighth of a bucket */
    return (32UL << 20) + (entries + entries / 8UL) * (sizeof(struct tvs_key) + 8 + 8 + 16);
}

struct bench_hash *bench_hash_make(uint32_t entries, bool small_pages)
{
    const struct rte_hash_parameters parameters = {
        .name = "bench",
        .entries = entries < 64 ? 64 : entries + entries / 8,
        .key_len = sizeof(struct tvs_key),
        .hash_func = rte_hash_crc,
        .socket_id = SOCKET_ID_ANY,
    };
    struct bench_hash *hash;

    if (!eal_ready(small_pages))
        return NULL;
    hash = malloc(sizeof(*hash));
    if (hash == NULL)
        return NULL;
    hash->table = rte_hash_create(&parameters);
    if (hash->table != NULL)
        return hash;
    free(hash);
    return NULL;
}

void bench_hash_free(struct bench_hash *hash)
{
    if (hash == NULL)
        return;
    rte_hash_free(hash->table);
    free(hash);
}

int32_t bench_hash_add(struct bench_hash *hash, const struct tvs_key *key)
{
    return rte_hash_add_key(hash->table, key);
}

void bench_hash_remove(struct bench_hash *hash, const struct tvs_key *key)
{
    rte_hash_del_key(hash->table, key);
}

void bench_hash_find(const struct bench_hash *hash, const struct tvs_key *keys, unsigned n,
                     int32_t *positions)
{
    const void *list[RTE_HASH_LOOKUP_BULK_MAX];

    for (unsigned i = 0; i < n; i++)
        list[i] = &keys[i];
    rte_hash_lookup_bulk(hash->table, list, n, positions);
}
