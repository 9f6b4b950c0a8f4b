/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that the node answers itself, made in place of the question. None is on the hot path. */
#ifndef TVS_CORE_ANSWER_H
#define TVS_CORE_ANSWER_H

#include "core/csum.h"
#include "core/parse.h"
#include "core/session.h"
#include "core/verdict.h"

/* Sends the frame back to whoever `daddr_be` is, or drops it. */
static TVS_NOINLINE void tvs_answer_send(struct tvs_worker *worker, struct tvs_frame *frame,
                                         uint32_t daddr_be)
{
    const struct tvs_nexthop *nexthop = &worker->nexthops[worker->route(worker->fib, daddr_be)];
    uint16_t way = tvs_nexthop_way(nexthop);

    if (!tvs_way_is_valid(way)) {
        tvs_drop(worker, frame, TVS_DROP_no_route);
        return;
    }
    tvs_transmit(worker, frame, nexthop, way, &worker->counters.tx_local);
}

/* An echo request to an address of ours. */
static TVS_NOINLINE void tvs_answer_echo(struct tvs_worker *worker, struct tvs_frame *frame,
                                         const struct tvs_packet *packet)
{
    struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    struct tvs_icmp *icmp = (struct tvs_icmp *)(frame->data + packet->l4);
    uint32_t client_be = ip->saddr_be;

    if (tvs_source_is_martian(client_be, ip->daddr_be)) {
        tvs_drop(worker, frame, TVS_DROP_martian_source);
        return;
    }
    ip->saddr_be = ip->daddr_be;
    ip->daddr_be = client_be;
    /* the swap changes no sum; a new TTL and a new type change one byte each */
    ip->csum = tvs_csum_apply(tvs_csum_apply(ip->csum, TVS_TTL_OWN), (uint16_t)~ip->ttl);
    ip->ttl = TVS_TTL_OWN;
    icmp->csum = tvs_csum_apply(icmp->csum, TVS_ICMP_ECHO_REPLY + (uint16_t)~TVS_ICMP_ECHO);
    icmp->type = TVS_ICMP_ECHO_REPLY;
    tvs_answer_send(worker, frame, client_be);
}

/* A RST to the sender of a TCP packet whose session has just ended (RFC 9293, 3.10.7.1). */
static TVS_NOINLINE void tvs_answer_reset(struct tvs_worker *worker, struct tvs_frame *frame,
                                          const struct tvs_packet *packet)
{
    struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    struct tvs_tcp *tcp = (struct tvs_tcp *)(frame->data + packet->l4);
    const struct tvs_tuple from = packet->key.tuple;
    uint32_t header_bytes = (tcp->data_offset >> 4) * 4U;
    uint32_t used = tvs_frame_end(frame) - packet->l4 - header_bytes +
                    !!(tcp->flags & TVS_TCP_SYN) + !!(tcp->flags & TVS_TCP_FIN);
    bool has_ack = tcp->flags & TVS_TCP_ACK;
    uint32_t seq_be = has_ack ? tcp->ack_be : 0;
    uint32_t ack_be = has_ack ? 0 : htobe32(be32toh(tcp->seq_be) + used);

    *ip = (struct tvs_ip4){
        .version_ihl = 0x45,
        .total_len_be = htobe16(TVS_IP4_BYTES + TVS_TCP_BYTES),
        .fragment_be = htobe16(TVS_IP4_DONT_FRAGMENT),
        .ttl = TVS_TTL_OWN,
        .proto = TVS_TCP,
        .saddr_be = from.daddr_be,
        .daddr_be = from.saddr_be,
    };
    ip->csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(ip, TVS_IP4_BYTES));
    tcp = (struct tvs_tcp *)(ip + 1);
    *tcp = (struct tvs_tcp){
        .sport_be = from.dport_be,
        .dport_be = from.sport_be,
        .seq_be = seq_be,
        .ack_be = ack_be,
        .data_offset = (TVS_TCP_BYTES / 4) << 4,
        .flags = has_ack ? TVS_TCP_RST : TVS_TCP_RST | TVS_TCP_ACK,
    };
    tcp->csum = (uint16_t)~tvs_csum_fold(
        tvs_csum_pseudo(from.daddr_be, from.saddr_be, TVS_TCP, TVS_TCP_BYTES) +
        tvs_csum_sum(tcp, TVS_TCP_BYTES));
    frame->len = TVS_ETH_BYTES + TVS_IP4_BYTES + TVS_TCP_BYTES;
    tvs_answer_send(worker, frame, from.saddr_be);
}

#endif
