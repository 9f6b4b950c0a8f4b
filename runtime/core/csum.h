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

/*
 * Checksum after its data changed by `delta`. ~(~csum + delta) with the carry added is csum - delta
 * with the borrow subtracted, bit for bit: two instructions.
 */
TVS_INLINE uint16_t tvs_csum_apply(uint16_t csum, uint16_t delta)
{
    uint16_t difference;
    bool borrow = __builtin_sub_overflow(csum, delta, &difference);

    return (uint16_t)(difference - borrow);
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

/*
 * Whether the IPv4 header without options at `ip` sums to 0xffff, which is whether 65535 divides
 * the sum of its words of any size. Three additions with carry, which compilers do not make of C,
 * then one multiplication: the factor is (2^64 - 1) / 65535 and minus the inverse of 65535 at the
 * same time, and no header with a version sums to 0.
 */
TVS_INLINE bool tvs_csum_ip4_is_good(const struct tvs_ip4 *ip)
{
    uint64_t sum = tvs_load64(ip);
    uint64_t factor = UINT64_C(0x0001000100010001);

    __asm__("add %1, %0\n\tadc %2, %0\n\tadc $0, %0"
            : "+&r"(sum)
            : "r"(tvs_load64(&ip->ttl)), "r"((uint64_t)ip->daddr_be)
            : "cc");
    __asm__("" : "+r"(factor)); /* or it becomes shifts and additions */
    return sum * factor >= -UINT64_C(0x0001000100010001);
}

/* Sum of the pseudo header of TCP or UDP. */
TVS_INLINE uint64_t tvs_csum_pseudo(uint32_t saddr_be, uint32_t daddr_be, uint8_t proto,
                                    uint16_t l4_bytes)
{
    return (uint64_t)saddr_be + daddr_be + htobe16(proto) + htobe16(l4_bytes);
}

#endif
