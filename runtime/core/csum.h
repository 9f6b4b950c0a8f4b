/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internet checksums, updated by differences (RFC 1624, equation 3). One's complement sums do not
 * care about byte order, so everything here works on the words as loaded.
 */
#ifndef TVS_CORE_CSUM_H
#define TVS_CORE_CSUM_H

#include "core/wire.h"
#include "tvs/record.h"

/* The difference that one TTL step makes: ttl is the low byte of its word, and ~1 means minus 1. */
enum { TVS_CSUM_TTL_STEP = 0xfffe };

/* A word plus itself with its halves swapped: the upper half is the sum of both, carry included. */
TVS_INLINE uint16_t tvs_csum_fold32(uint32_t sum)
{
    return (uint16_t)((sum + (sum << 16 | sum >> 16)) >> 16);
}

TVS_INLINE uint16_t tvs_csum_fold(uint64_t sum)
{
    return tvs_csum_fold32((uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32));
}

/* Checksum after its data changed by `delta`, itself a folded sum or two of them added. */
TVS_INLINE uint16_t tvs_csum_apply(uint16_t csum, uint32_t delta)
{
    return (uint16_t)~tvs_csum_fold32((uint16_t)~csum + delta);
}

/* What a checksum over `from` must be corrected by when `to` takes its place. */
TVS_INLINE uint16_t tvs_csum_delta_addresses(const struct tvs_tuple *from,
                                             const struct tvs_tuple *to)
{
    return tvs_csum_fold((uint64_t)to->saddr_be + to->daddr_be + (uint32_t)~from->saddr_be +
                         (uint32_t)~from->daddr_be);
}

TVS_INLINE uint16_t tvs_csum_delta_tuple(const struct tvs_tuple *from, const struct tvs_tuple *to)
{
    return tvs_csum_fold((uint64_t)tvs_csum_delta_addresses(from, to) + to->sport_be +
                         to->dport_be + (uint16_t)~from->sport_be + (uint16_t)~from->dport_be);
}

/* The difference the other way. */
TVS_INLINE uint16_t tvs_csum_negate(uint16_t delta)
{
    return (uint16_t)~delta;
}

/* Sum over `bytes` bytes; an odd last byte counts as the low half of its word, as on the wire. */
TVS_INLINE uint64_t tvs_csum_sum(const void *data, size_t bytes)
{
    const uint8_t *at = data;
    uint64_t sum = 0;

    for (; bytes >= 4; at += 4, bytes -= 4)
        sum += tvs_load32(at);
    if (bytes & 2) {
        sum += tvs_load16(at);
        at += 2;
    }
    if (bytes & 1)
        sum += *at;
    return sum;
}

/* Sum of an IPv4 header without options, carries put back in. */
TVS_INLINE uint64_t tvs_csum_sum_ip4(const struct tvs_ip4 *ip)
{
    uint64_t middle = tvs_load64(&ip->ttl);
    uint64_t sum = tvs_load64(ip) + middle;

    sum += sum < middle;
    sum += ip->daddr_be;
    return sum + (sum < ip->daddr_be);
}

/* Sum of the pseudo header of TCP or UDP. */
TVS_INLINE uint64_t tvs_csum_pseudo(uint32_t saddr_be, uint32_t daddr_be, uint8_t proto,
                                    uint16_t l4_bytes)
{
    return (uint64_t)saddr_be + daddr_be + htobe16(proto) + htobe16(l4_bytes);
}

#endif
