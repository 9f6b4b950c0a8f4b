/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's rte_hash over the same keys, to compare with; absent in builds without DPDK. */
#ifndef TVS_BENCH_HASH_H
#define TVS_BENCH_HASH_H

#include "core/hash.h"

struct bench_hash;

/* Whether this build has DPDK. */
bool bench_hash_built(void);

/* About what it takes, EAL included. */
size_t bench_hash_bytes(uint32_t entries);

/* Empty, with room for `entries`. NULL: no DPDK, or no memory for it. */
struct bench_hash *bench_hash_make(uint32_t entries, bool small_pages);
void bench_hash_free(struct bench_hash *hash);

/* Position of the new key, or a negative errno. */
int32_t bench_hash_add(struct bench_hash *hash, const struct tvs_key *key);

void bench_hash_remove(struct bench_hash *hash, const struct tvs_key *key);

/* Positions of `n` keys; negative where there is none. */
void bench_hash_find(const struct bench_hash *hash, const struct tvs_key *keys, unsigned n,
                     int32_t *positions);

#endif
