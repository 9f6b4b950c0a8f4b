/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FULLNAT: client -> VIP becomes local IP -> server, and back. A rewrite stores addresses and ports
 * as they lie in the record and corrects both checksums by a difference computed once per session.
 */
#ifndef TVS_CORE_FULLNAT_H
#define TVS_CORE_FULLNAT_H

#include "core/csum.h"
#include "core/parse.h"
#include "core/verdict.h"

/*
 * Stores both addresses and both ports and corrects the checksums; the deltas are those of
 * tvs_csum_apply(). The packet's own checksums stay wrong if they were: the end host must see it,
 * not we hide it.
 */
TVS_INLINE void tvs_fullnat_store(struct tvs_frame *frame, const struct tvs_packet *packet,
                                  uint8_t proto, uint64_t addresses, uint32_t ports,
                                  uint16_t ip_delta, uint16_t l4_delta)
{
    uint8_t *data =
        frame->data; /* once: a store to a packet might change it for all that is known */
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(data + TVS_ETH_BYTES);
    uint8_t *l4 = data + packet->l4;

    ip->ttl--;
    ip->csum = tvs_csum_apply(tvs_csum_apply(ip->csum, ip_delta), TVS_CSUM_TTL_STEP);
    memcpy(&ip->saddr_be, &addresses, sizeof(addresses));
    memcpy(l4, &ports, sizeof(ports));
    if (proto == TVS_TCP) {
        struct tvs_tcp *tcp = (struct tvs_tcp *)l4;

        tcp->csum = tvs_csum_apply(tcp->csum, l4_delta);
    } else {
        struct tvs_udp *udp = (struct tvs_udp *)l4;

        if (udp->csum != 0) { /* 0: the sender computed none */
            uint16_t csum = tvs_csum_apply(udp->csum, l4_delta);

            udp->csum = csum != 0 ? csum : 0xffff;
        }
    }
}

TVS_INLINE void tvs_fullnat_request(struct tvs_frame *frame, const struct tvs_packet *packet,
                                    uint8_t proto, const struct tvs_record *record)
{
    tvs_fullnat_store(frame, packet, proto, tvs_load64(&record->out.saddr_be),
                      tvs_load32(&record->out.sport_be), record->ip_delta, record->l4_delta);
}

/* The request's tuple the other way round: the halves of both words change places. */
TVS_INLINE void tvs_fullnat_reply(struct tvs_frame *frame, const struct tvs_packet *packet,
                                  uint8_t proto, const struct tvs_record *record)
{
    uint64_t addresses = tvs_load64(&record->in.saddr_be);
    uint32_t ports = tvs_load32(&record->in.sport_be);

    tvs_fullnat_store(frame, packet, proto, addresses << 32 | addresses >> 32,
                      ports << 16 | ports >> 16, tvs_csum_negate(record->ip_delta),
                      tvs_csum_negate(record->l4_delta));
}

#endif
