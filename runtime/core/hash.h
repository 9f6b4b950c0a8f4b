/* SPDX-License-Identifier: Apache-2.0 */
/* The key of a request, as 16 bytes, and its secret hash. */
#ifndef TVS_CORE_HASH_H
#define TVS_CORE_HASH_H

#include "core/wire.h"
#include "tvs/record.h"

/* First quarter of a record: the tuple, the protocol, then three bytes that are not key. */
struct tvs_key {
    struct tvs_tuple tuple;
    uint8_t proto;
    uint8_t zero[3];
};
_Static_assert(sizeof(struct tvs_key) == 16, "compared as two words");
_Static_assert(offsetof(struct tvs_record, proto) == offsetof(struct tvs_key, proto), "same place");

enum { TVS_KEY_NO_KEY_BITS = 24 }; /* of the second word: what lies behind the protocol */

/* The second word of a key; the first is both addresses. */
TVS_INLINE uint64_t tvs_key_high(uint32_t ports, uint8_t proto)
{
    return ports | (uint64_t)proto << 32;
}

/* Stored as the two words that are loaded later: a load of smaller stores would wait for them. */
TVS_INLINE void tvs_key_set(struct tvs_key *key, uint64_t low, uint64_t high)
{
    memcpy(key, &low, sizeof(low));
    memcpy((uint8_t *)key + sizeof(low), &high, sizeof(high));
}

TVS_INLINE bool tvs_key_matches(const struct tvs_key *key, const struct tvs_record *record)
{
    const uint8_t *k = (const uint8_t *)key;
    const uint8_t *r = (const uint8_t *)record;
    uint64_t low = tvs_load64(k) ^ tvs_load64(r);
    uint64_t high = (tvs_load64(k + 8) ^ tvs_load64(r + 8)) << TVS_KEY_NO_KEY_BITS;

    return (low | high) == 0;
}

TVS_INLINE unsigned __int128 tvs_multiply(uint64_t a, uint64_t b)
{
    return (unsigned __int128)a * b;
}

/*
 * Two rounds of 64x64->128 multiplication, each half masked by a secret word. CRC32 would be a few
 * cycles cheaper, but is linear: whoever may choose source addresses could fill one bucket at will,
 * whatever the seed. One round alone clusters: consecutive addresses make arithmetic progressions,
 * and 0.2 % of 100,000 such flows found both their buckets full at a load of 38 %.
 */
TVS_INLINE uint32_t tvs_words_hash(uint64_t low, uint64_t high, const uint64_t secret[2])
{
    unsigned __int128 mixed = tvs_multiply(low ^ secret[0], high ^ secret[1]);

    mixed = tvs_multiply((uint64_t)mixed ^ secret[1], (uint64_t)(mixed >> 64) ^ secret[0]);
    return (uint32_t)(mixed ^ mixed >> 64);
}

TVS_INLINE uint32_t tvs_key_hash(const struct tvs_key *key, const uint64_t secret[2])
{
    const uint8_t *k = (const uint8_t *)key;

    return tvs_words_hash(tvs_load64(k), tvs_load64(k + 8), secret);
}

#endif
