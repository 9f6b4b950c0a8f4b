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

/* EAL once per process. It pins the thread; the bench stays where it was put. */
static bool eal_ready(void)
{
    static int state;
    char *arguments[] = {"bench",
                         "--no-pci",
                         "--in-memory",
                         "--no-telemetry",
                         "--log-level=lib.eal:error",
                         "--log-level=error",
                         "--lcores=0@0",
                         "-m",
                         "640",
                         NULL};
    cpu_set_t cpus;

    if (state != 0)
        return state > 0;
    sched_getaffinity(0, sizeof(cpus), &cpus);
    state = rte_eal_init(9, arguments) < 0 ? -1 : 1;
    sched_setaffinity(0, sizeof(cpus), &cpus);
    return state > 0;
}

struct bench_hash *bench_hash_make(uint32_t entries)
{
    const struct rte_hash_parameters parameters = {
        .name = "bench",
        .entries = entries < 64 ? 64 : entries + entries / 8,
        .key_len = sizeof(struct tvs_key),
        .hash_func = rte_hash_crc,
        .socket_id = SOCKET_ID_ANY,
    };
    struct bench_hash *hash;

    if (!eal_ready())
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

void bench_hash_find(const struct bench_hash *hash, const struct tvs_key *keys, unsigned n,
                     int32_t *positions)
{
    const void *list[RTE_HASH_LOOKUP_BULK_MAX];

    for (unsigned i = 0; i < n; i++)
        list[i] = &keys[i];
    rte_hash_lookup_bulk(hash->table, list, n, positions);
}
