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

/* The packet's own checksums stay wrong if they were: the end host must see it, not we hide it. */
TVS_INLINE void tvs_rewrite_checksums(struct tvs_frame *frame, const struct tvs_packet *packet,
                                      uint8_t proto, uint16_t ip_delta, uint16_t l4_delta)
{
    struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    uint8_t *l4 = frame->data + packet->l4;

    ip->ttl--;
    ip->csum = tvs_csum_apply(ip->csum, (uint32_t)ip_delta + TVS_CSUM_TTL_STEP);
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
    struct tvs_ip4 *ip = tvs_frame_ip4(frame);

    memcpy(&ip->saddr_be, &record->out.saddr_be, 8);
    memcpy(frame->data + packet->l4, &record->out.sport_be, 4);
    tvs_rewrite_checksums(frame, packet, proto, record->ip_delta, record->l4_delta);
}

TVS_INLINE void tvs_fullnat_reply(struct tvs_frame *frame, const struct tvs_packet *packet,
                                  uint8_t proto, const struct tvs_record *record)
{
    const struct tvs_tuple back = {
        .saddr_be = record->in.daddr_be,
        .daddr_be = record->in.saddr_be,
        .sport_be = record->in.dport_be,
        .dport_be = record->in.sport_be,
    };
    struct tvs_ip4 *ip = tvs_frame_ip4(frame);

    memcpy(&ip->saddr_be, &back.saddr_be, 8);
    memcpy(frame->data + packet->l4, &back.sport_be, 4);
    tvs_rewrite_checksums(frame, packet, proto, tvs_csum_negate(record->ip_delta),
                          tvs_csum_negate(record->l4_delta));
}

#endif
