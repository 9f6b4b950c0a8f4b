/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forward table: hash -> record number. A key has two buckets; it lives in the first while that
 * has room, so that nearly every look-up touches one line, and a bucket counts what overflowed from
 * it, so that a miss knows whether the second line is worth reading. When both are full, one entry
 * of the sixteen moves to its own other bucket: at half load, which is how the compiler sizes the
 * table, that happens to one new session in 6,000, and insert and remove stay O(1).
 */
#ifndef TVS_CORE_TABLE_H
#define TVS_CORE_TABLE_H

#include <emmintrin.h>

#include "core/hash.h"
#include "core/sync_queue.h"
#include "tvs/worker.h"

enum { TVS_NO_RECORD = 0 }; /* slot 0, port 0: never handed out */

/* A signature is never 0, which marks an empty slot. */
TVS_INLINE uint16_t tvs_table_sig(uint32_t hash)
{
    uint16_t sig = (uint16_t)(hash >> 16);

    return sig != 0 ? sig : 1;
}

TVS_INLINE uint32_t tvs_table_first(const struct tvs_worker *worker, uint32_t hash)
{
    return hash & worker->bucket_mask;
}

/* Symmetric: the second of the second is the first. */
TVS_INLINE uint32_t tvs_table_other(const struct tvs_worker *worker, uint32_t bucket, uint16_t sig)
{
    return (bucket ^ (sig * UINT32_C(0x5bd1e995) | 1)) & worker->bucket_mask;
}

/* One bit pair per slot whose signature is `sig`; slot = bit index / 2. */
TVS_INLINE uint32_t tvs_bucket_match(const struct tvs_bucket *bucket, uint16_t sig)
{
    __m128i all = _mm_load_si128((const __m128i *)bucket->sig);

    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi16(all, _mm_set1_epi16((short)sig)));
}

TVS_INLINE unsigned tvs_bucket_slot(uint32_t matches)
{
    return (unsigned)__builtin_ctz(matches) / 2;
}

/*
 * The likely record of a hash, from its first bucket alone: right almost always, checked by the
 * caller against the record's key. False: nothing like it there.
 */
TVS_INLINE bool tvs_table_candidate(const struct tvs_worker *worker, uint32_t hash,
                                    uint32_t *number)
{
    const struct tvs_bucket *bucket = &worker->buckets[tvs_table_first(worker, hash)];
    uint32_t matches = tvs_bucket_match(bucket, tvs_table_sig(hash));

    if (matches == 0)
        return false;
    *number = bucket->record[tvs_bucket_slot(matches)];
    return true;
}

/* The second bucket of a hash if anything went on from the first to another, else NULL. */
TVS_INLINE const struct tvs_bucket *tvs_table_overflow(const struct tvs_worker *worker,
                                                       uint32_t hash)
{
    uint32_t first = tvs_table_first(worker, hash);

    if (TVS_LIKELY(worker->buckets[first].overflow == 0))
        return NULL;
    return &worker->buckets[tvs_table_other(worker, first, tvs_table_sig(hash))];
}

TVS_INLINE uint32_t tvs_bucket_find(const struct tvs_worker *worker,
                                    const struct tvs_bucket *bucket, uint16_t sig,
                                    const struct tvs_key *key)
{
    uint32_t matches = tvs_bucket_match(bucket, sig);

    while (matches != 0) {
        uint32_t number = bucket->record[tvs_bucket_slot(matches)];

        if (tvs_key_matches(key, &worker->records[number]))
            return number;
        matches &= matches - 1;
        matches &= matches - 1;
    }
    return TVS_NO_RECORD;
}

/* The record of a key, wherever it is; TVS_NO_RECORD when there is none. */
TVS_INLINE uint32_t tvs_table_find(const struct tvs_worker *worker, uint32_t hash,
                                   const struct tvs_key *key)
{
    uint16_t sig = tvs_table_sig(hash);
    uint32_t first = tvs_table_first(worker, hash);
    const struct tvs_bucket *bucket = &worker->buckets[first];
    uint32_t number = tvs_bucket_find(worker, bucket, sig, key);

    if (TVS_LIKELY(number != TVS_NO_RECORD || bucket->overflow == 0))
        return number;
    return tvs_bucket_find(worker, &worker->buckets[tvs_table_other(worker, first, sig)], sig, key);
}

TVS_INLINE void tvs_bucket_put(struct tvs_bucket *bucket, uint32_t empty, uint16_t sig,
                               uint32_t number)
{
    unsigned slot = tvs_bucket_slot(empty);

    bucket->sig[slot] = sig;
    bucket->record[slot] = number;
}

/*
 * Empties one slot of a full bucket by moving its entry to that entry's other bucket. False: all
 * eight of those are full as well.
 */
static TVS_NOINLINE bool tvs_table_make_room(struct tvs_worker *worker, uint32_t at)
{
    struct tvs_bucket *bucket = &worker->buckets[at];

    for (unsigned slot = 0; slot < TVS_BUCKET_SLOTS; slot++) {
        uint16_t sig = bucket->sig[slot];
        uint32_t number = bucket->record[slot];
        uint32_t to = tvs_table_other(worker, at, sig);
        uint32_t empty = tvs_bucket_match(&worker->buckets[to], 0);

        if (empty == 0)
            continue;
        tvs_bucket_put(&worker->buckets[to], empty, sig, number);
        bucket->sig[slot] = 0;
        tvs_sync_queue_put(worker, &worker->records[number]); /* a peer's pull may miss it now */
        if (tvs_table_first(worker, worker->records[number].hash) == at)
            bucket->overflow++;
        else
            worker->buckets[to].overflow--;
        return true;
    }
    return false;
}

/* Enters a number under a hash that the caller knows to be absent. False: no room can be made. */
TVS_INLINE bool tvs_table_insert(struct tvs_worker *worker, uint32_t hash, uint32_t number)
{
    uint16_t sig = tvs_table_sig(hash);
    uint32_t first = tvs_table_first(worker, hash);
    struct tvs_bucket *home = &worker->buckets[first];
    struct tvs_bucket *bucket = home;
    uint32_t empty = tvs_bucket_match(bucket, 0);

    if (TVS_UNLIKELY(empty == 0)) {
        uint32_t second = tvs_table_other(worker, first, sig);

        bucket = &worker->buckets[second];
        empty = tvs_bucket_match(bucket, 0);
        if (empty == 0) {
            if (tvs_table_make_room(worker, first))
                bucket = home;
            else if (!tvs_table_make_room(worker, second))
                return false;
            empty = tvs_bucket_match(bucket, 0);
        }
        home->overflow += bucket != home;
    }
    tvs_bucket_put(bucket, empty, sig, number);
    return true;
}

TVS_INLINE bool tvs_bucket_remove(struct tvs_bucket *bucket, uint16_t sig, uint32_t number)
{
    uint32_t matches = tvs_bucket_match(bucket, sig);

    while (matches != 0) {
        unsigned slot = tvs_bucket_slot(matches);

        if (bucket->record[slot] == number) {
            bucket->sig[slot] = 0;
            return true;
        }
        matches &= matches - 1;
        matches &= matches - 1;
    }
    return false;
}

/* Takes a number out again. False when it was not there, which only a bug can cause. */
TVS_INLINE bool tvs_table_remove(struct tvs_worker *worker, uint32_t hash, uint32_t number)
{
    uint16_t sig = tvs_table_sig(hash);
    uint32_t first = tvs_table_first(worker, hash);
    struct tvs_bucket *home = &worker->buckets[first];

    if (TVS_LIKELY(tvs_bucket_remove(home, sig, number)))
        return true;
    if (!tvs_bucket_remove(&worker->buckets[tvs_table_other(worker, first, sig)], sig, number))
        return false;
    home->overflow--;
    return true;
}

#endif
