/* SPDX-License-Identifier: Apache-2.0 */
/* Headers as they lie on the wire, unaligned loads, and byte order. */
#ifndef TVS_CORE_WIRE_H
#define TVS_CORE_WIRE_H

#include <endian.h>
#include <string.h>

#include "tvs/base.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "MAC and prefix compares assume it");

enum {
    TVS_ETH_BYTES = 14,
    TVS_IP4_BYTES = 20,
    TVS_TCP_BYTES = 20,
    TVS_UDP_BYTES = 8,
    TVS_ICMP_BYTES = 8,
    TVS_ETHERTYPE_IP4 = 0x0800,
    TVS_IP4_FRAGMENT_BITS = 0x3fff, /* more-fragments and offset */
    TVS_IP4_DONT_FRAGMENT = 0x4000,
    TVS_TTL_OWN = 64, /* of packets that this node makes itself */
};

enum { TVS_TCP_FIN = 0x01, TVS_TCP_SYN = 0x02, TVS_TCP_RST = 0x04, TVS_TCP_ACK = 0x10 };

struct tvs_ip4 {
    uint8_t version_ihl;
    uint8_t tos;
    uint16_t total_len_be;
    uint16_t id_be;
    uint16_t fragment_be;
    uint8_t ttl;
    uint8_t proto;
    uint16_t csum;
    uint32_t saddr_be;
    uint32_t daddr_be;
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_ip4) == TVS_IP4_BYTES, "IPv4 header");

struct tvs_tcp {
    uint16_t sport_be;
    uint16_t dport_be;
    uint32_t seq_be;
    uint32_t ack_be;
    uint8_t data_offset; /* high nibble, in 32-bit words */
    uint8_t flags;
    uint16_t window_be;
    uint16_t csum;
    uint16_t urgent_be;
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_tcp) == TVS_TCP_BYTES, "TCP header");

struct tvs_udp {
    uint16_t sport_be;
    uint16_t dport_be;
    uint16_t len_be;
    uint16_t csum;
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_udp) == TVS_UDP_BYTES, "UDP header");

struct tvs_icmp {
    uint8_t type;
    uint8_t code;
    uint16_t csum;
    uint32_t rest;
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_icmp) == TVS_ICMP_BYTES, "ICMP header");

enum { TVS_ICMP_ECHO_REPLY = 0, TVS_ICMP_ECHO = 8 };

TVS_INLINE uint16_t tvs_load16(const void *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

TVS_INLINE uint32_t tvs_load32(const void *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

TVS_INLINE uint64_t tvs_load64(const void *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

#endif
