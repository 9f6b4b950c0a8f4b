/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 (Aumasson, Bernstein 2012), for short messages; mac.h is for those of a kilobyte. */
#ifndef TVS_CORE_SIP_H
#define TVS_CORE_SIP_H

#include "core/wire.h"

struct tvs_sip {
    uint64_t v[4];
};

TVS_INLINE uint64_t tvs_sip_rotate(uint64_t word, unsigned by)
{
    return word << by | word >> (64 - by);
}

TVS_INLINE void tvs_sip_round(struct tvs_sip *sip)
{
    uint64_t *v = sip->v;

    v[0] += v[1];
    v[2] += v[3];
    v[1] = tvs_sip_rotate(v[1], 13) ^ v[0];
    v[3] = tvs_sip_rotate(v[3], 16) ^ v[2];
    v[0] = tvs_sip_rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = tvs_sip_rotate(v[1], 17) ^ v[2];
    v[3] = tvs_sip_rotate(v[3], 21) ^ v[0];
    v[2] = tvs_sip_rotate(v[2], 32);
}

TVS_INLINE void tvs_sip_word(struct tvs_sip *sip, uint64_t word)
{
    sip->v[3] ^= word;
    tvs_sip_round(sip);
    tvs_sip_round(sip);
    sip->v[0] ^= word;
}

TVS_INLINE uint64_t tvs_sip_hash(const uint64_t key[2], const void *data, size_t bytes)
{
    struct tvs_sip sip = {
        .v = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
              key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)}};
    const uint8_t *at = data;
    uint64_t last = (uint64_t)bytes << 56;
    size_t left = bytes;

    for (; left >= sizeof(uint64_t); at += sizeof(uint64_t), left -= sizeof(uint64_t))
        tvs_sip_word(&sip, tvs_load64(at));
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)at[i] << 8 * i;
    tvs_sip_word(&sip, last);
    sip.v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        tvs_sip_round(&sip);
    return sip.v[0] ^ sip.v[1] ^ sip.v[2] ^ sip.v[3];
}

#endif
