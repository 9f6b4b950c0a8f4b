/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for the fixture generation, with right checksums until somebody spoils them. */
#ifndef TVS_TEST_PACKETS_H
#define TVS_TEST_PACKETS_H

#include <endian.h>

#include "check.h"
#include "core/csum.h"

enum { PACKET_MAX = 256, PACKET_IP = TVS_ETH_BYTES, PACKET_L4 = PACKET_IP + TVS_IP4_BYTES };

struct packet {
    uint8_t data[PACKET_MAX];
    uint32_t len;
};

#define ADDRESS(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

enum { VIP_WEB_PORT = 80, VIP_DNS_PORT = 53, VIP_KEPT_PORT = 443, FIRST_LOCAL_PORT = 10000 };
#define VIP    ADDRESS(203, 0, 113, 10)
#define VIP_B  ADDRESS(203, 0, 113, 11)
#define CLIENT ADDRESS(198, 18, 0, 1)
#define LIP    ADDRESS(172, 16, 0, 1) /* worker 0, slot 0 */
#define SERVER ADDRESS(10, 20, 1, 1)

/* The IPv4 header's length and checksum, and ICMP's, after somebody changed the packet. */
static inline void packet_seal(struct packet *packet, bool set_length)
{
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(packet->data + PACKET_IP);
    unsigned header_bytes = (ip->version_ihl & 15u) * 4;

    if (packet->len < PACKET_L4)
        return;
    if (set_length)
        ip->total_len_be = htobe16((uint16_t)(packet->len - PACKET_IP));
    if (PACKET_IP + header_bytes > packet->len)
        return;
    ip->csum = 0;
    ip->csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(ip, header_bytes));
    if (ip->proto == TVS_ICMP && PACKET_IP + header_bytes + TVS_ICMP_BYTES <= packet->len) {
        uint8_t *icmp = packet->data + PACKET_IP + header_bytes;
        uint16_t csum = 0;

        memcpy(icmp + 2, &csum, sizeof(csum));
        csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(icmp, packet->len - PACKET_IP - header_bytes));
        memcpy(icmp + 2, &csum, sizeof(csum));
    }
}

static inline struct packet packet_make(uint8_t proto, uint32_t saddr, uint16_t sport,
                                        uint32_t daddr, uint16_t dport, uint8_t tcp_flags)
{
    struct packet packet = {.len = PACKET_L4 + (proto == TVS_TCP ? 20 : 8) + 11};
    uint8_t *l4 = packet.data + PACKET_L4;
    uint16_t ports[2] = {htobe16(sport), htobe16(dport)};

    memcpy(packet.data, "\x02tvs\0\0\x02\0\0\0\0\xc1\x08\0", 14);
    *(struct tvs_ip4 *)(packet.data + PACKET_IP) = (struct tvs_ip4){.version_ihl = 0x45,
                                                                    .ttl = 64,
                                                                    .proto = proto,
                                                                    .saddr_be = htobe32(saddr),
                                                                    .daddr_be = htobe32(daddr)};
    memcpy(l4, ports, sizeof(ports));
    memcpy(packet.data + packet.len - 11, "hello world", 11);
    if (proto == TVS_TCP) {
        l4[12] = 5 << 4;
        l4[13] = tcp_flags;
    } else if (proto == TVS_UDP) {
        l4[5] = 8 + 11;
    } else {
        l4[0] = 8; /* echo request */
        l4[1] = 0;
    }
    packet_seal(&packet, true);
    return packet;
}

/* A router's "fragmentation needed" about `inner`. */
static inline struct packet packet_complaint(uint32_t to, const struct packet *inner)
{
    struct packet packet = packet_make(TVS_ICMP, ADDRESS(192, 0, 2, 99), 0, to, 1400, 0);
    uint8_t *icmp = packet.data + PACKET_L4;

    icmp[0] = 3;
    icmp[1] = 4;
    memcpy(icmp + TVS_ICMP_BYTES, inner->data + PACKET_IP, inner->len - PACKET_IP);
    packet.len = PACKET_L4 + TVS_ICMP_BYTES + inner->len - PACKET_IP;
    packet_seal(&packet, true);
    return packet;
}

#endif
