/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A MAC of 64 bits for messages of a kilobyte: NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC,
 * 1999) makes 128 bits of the message, one multiplication for two words, and SipHash-2-4 makes the
 * MAC of those, of the length and of how the message begins. Two messages of one length have the
 * same NH under a random key with a probability of 2^-64, whoever chose them; nobody sees an NH. A
 * message begins with who sends it and its number, which makes the MAC another function each time:
 * a forger gains nothing from the MACs of other messages, however many. SipHash alone takes two
 * rounds a word, each waiting for the one before: several times as long.
 */
#ifndef TVS_CORE_MAC_H
#define TVS_CORE_MAC_H

#include "core/hash.h"
#include "core/sip.h"

enum {
    TVS_MAC_WORDS = 168,
    TVS_MAC_BYTES = TVS_MAC_WORDS * 8, /* of the longest message */
    TVS_MAC_START = 4,                 /* words: kind and ends, contract, epoch, number */
};

struct tvs_mac_key {
    uint64_t sip[2];
    uint64_t nh[TVS_MAC_WORDS];
};

/* All else that is hashed with `key` has another length than a word, or than seven. */
TVS_INLINE void tvs_mac_key_make(struct tvs_mac_key *mac, const uint64_t key[2])
{
    mac->sip[0] = key[0];
    mac->sip[1] = key[1];
    for (uint64_t i = 0; i < TVS_MAC_WORDS; i++)
        mac->nh[i] = tvs_sip_hash(key, &i, sizeof(i));
}

TVS_INLINE unsigned __int128 tvs_mac_pair(const uint64_t *key, const uint8_t *at)
{
    return tvs_multiply(tvs_load64(at) + key[0], tvs_load64(at + 8) + key[1]);
}

/* bytes <= TVS_MAC_BYTES. */
TVS_INLINE uint64_t tvs_mac(const struct tvs_mac_key *mac, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    const uint64_t *key = mac->nh;
    unsigned __int128 sum = 0;
    uint8_t last[16] = {0};
    uint64_t words[3 + TVS_MAC_START] = {0};
    size_t start = TVS_MAC_START * sizeof(uint64_t);
    size_t left = bytes;

    for (; left >= sizeof(last); left -= sizeof(last), at += sizeof(last), key += 2)
        sum += tvs_mac_pair(key, at);
    if (left > 0) {
        memcpy(last, at, left);
        sum += tvs_mac_pair(key, last);
    }
    words[0] = (uint64_t)sum;
    words[1] = (uint64_t)(sum >> 64);
    words[2] = bytes;
    memcpy(&words[3], data, bytes < start ? bytes : start);
    return tvs_sip_hash(mac->sip, words, sizeof(words));
}

#endif
