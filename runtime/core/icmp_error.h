/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors about a session, translated both ways (RFC 5508): path MTU discovery must work
 * through FULLNAT. A message quotes the packet that it complains about as the sender of the message
 * saw it; outer addresses and the quotation are rewritten to what the receiver once sent.
 */
#ifndef TVS_CORE_ICMP_ERROR_H
#define TVS_CORE_ICMP_ERROR_H

#include "core/answer.h"
#include "core/class.h"
#include "core/steer.h"

enum {
    TVS_ICMP_UNREACHABLE = 3,
    TVS_ICMP_TOO_LONG = 4, /* code of it: carries the path MTU */
    TVS_IP4_LEAST_MTU = 68,
    TVS_ICMP_TIME_EXCEEDED = 11,
    TVS_ICMP_PARAMETER = 12,
    TVS_QUOTED_L4_BYTES = 8, /* what every sender must quote (RFC 792): enough for the ports */
};

/* The quotation inside a message, checked to be whole as far as `tuple` needs. */
struct tvs_quoted {
    struct tvs_ip4 *ip;
    uint8_t *l4;
    unsigned l4_bytes;
    struct tvs_tuple tuple;
};

TVS_INLINE bool tvs_icmp_is_error(const struct tvs_icmp *icmp)
{
    return icmp->type == TVS_ICMP_UNREACHABLE || icmp->type == TVS_ICMP_TIME_EXCEEDED ||
           icmp->type == TVS_ICMP_PARAMETER;
}

/* False when the message is damaged, or quotes too little or nothing that we could have sent. */
static bool tvs_icmp_quoted(const struct tvs_frame *frame, const struct tvs_packet *packet,
                            struct tvs_quoted *quoted)
{
    uint8_t *icmp = frame->data + packet->l4;
    unsigned icmp_bytes = tvs_frame_end(frame) - packet->l4;
    unsigned header_bytes;

    if (icmp_bytes < TVS_ICMP_BYTES + TVS_IP4_BYTES ||
        tvs_csum_fold(tvs_csum_sum(icmp, icmp_bytes)) != 0xffff)
        return false;
    quoted->ip = (struct tvs_ip4 *)(icmp + TVS_ICMP_BYTES);
    header_bytes = (quoted->ip->version_ihl & 0x0fU) * 4;
    if (quoted->ip->version_ihl >> 4 != 4 || header_bytes < TVS_IP4_BYTES ||
        TVS_ICMP_BYTES + header_bytes + TVS_QUOTED_L4_BYTES > icmp_bytes ||
        (quoted->ip->proto != TVS_TCP && quoted->ip->proto != TVS_UDP) ||
        quoted->ip->fragment_be & htobe16(TVS_IP4_FRAGMENT_BITS))
        return false;
    quoted->l4 = (uint8_t *)quoted->ip + header_bytes;
    quoted->l4_bytes = icmp_bytes - TVS_ICMP_BYTES - header_bytes;
    memcpy(&quoted->tuple, &quoted->ip->saddr_be, 8);
    memcpy(&quoted->tuple.sport_be, quoted->l4, 4);
    return true;
}

/* Replaces the quoted tuple; the quoted checksums follow as far as they are quoted. */
static void tvs_icmp_requote(const struct tvs_quoted *quoted, const struct tvs_tuple *tuple)
{
    uint16_t delta = tvs_csum_delta_tuple(&quoted->tuple, tuple);
    size_t at = quoted->ip->proto == TVS_TCP ? offsetof(struct tvs_tcp, csum)
                                             : offsetof(struct tvs_udp, csum);

    quoted->ip->csum =
        tvs_csum_apply(quoted->ip->csum, tvs_csum_delta_addresses(&quoted->tuple, tuple));
    memcpy(&quoted->ip->saddr_be, &tuple->saddr_be, 8);
    memcpy(quoted->l4, &tuple->sport_be, 4);
    if (at + sizeof(uint16_t) <= quoted->l4_bytes) {
        uint16_t csum = tvs_load16(quoted->l4 + at);

        if (csum != 0 || quoted->ip->proto == TVS_TCP) {
            csum = tvs_csum_apply(csum, delta);
            if (csum == 0 && quoted->ip->proto == TVS_UDP)
                csum = 0xffff; /* 0 would say that the sender computed none */
            memcpy(quoted->l4 + at, &csum, sizeof(csum));
        }
    }
}

/*
 * Sends a message about a live session on, to whoever sent the packet that it is about;
 * `sent` is that packet's tuple as its sender knows it.
 */
static void tvs_icmp_forward(struct tvs_worker *worker, struct tvs_frame *frame,
                             const struct tvs_packet *packet, const struct tvs_quoted *quoted,
                             const struct tvs_tuple *sent, uint64_t *counter)
{
    uint32_t saddr_be = sent->daddr_be;
    uint32_t daddr_be = sent->saddr_be;
    const struct tvs_nexthop *nexthop = &worker->nexthops[worker->route(worker->fib, daddr_be)];
    uint16_t way = tvs_nexthop_way(nexthop);
    struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    struct tvs_icmp *icmp = (struct tvs_icmp *)(frame->data + packet->l4);
    unsigned header_bytes = (unsigned)packet->l4 - TVS_ETH_BYTES;

    if (tvs_ttl_exceeded(worker, frame))
        return;
    if (!tvs_way_is_valid(way)) {
        tvs_drop(worker, frame, TVS_DROP_no_route);
        return;
    }
    tvs_icmp_requote(quoted, sent);
    ip->ttl--;
    ip->saddr_be = saddr_be;
    ip->daddr_be = daddr_be;
    ip->csum = 0;
    ip->csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(ip, header_bytes));
    icmp->csum = 0;
    icmp->csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(icmp, tvs_frame_end(frame) - packet->l4));
    tvs_transmit(worker, frame, nexthop, way, counter);
}

/*
 * A router cannot send a request on, which was longer than what the client had sent: the client
 * must leave room for the option, or what it sends again would be too long again.
 */
static void tvs_icmp_leave_room(struct tvs_icmp *icmp)
{
    uint8_t *at = (uint8_t *)icmp + TVS_ICMP_BYTES - sizeof(uint16_t);
    uint16_t mtu = be16toh(tvs_load16(at));

    if (icmp->type != TVS_ICMP_UNREACHABLE || icmp->code != TVS_ICMP_TOO_LONG ||
        mtu < TVS_IP4_LEAST_MTU + TVS_TOA_BYTES) /* 0: a router that does not say */
        return;
    mtu = htobe16((uint16_t)(mtu - TVS_TOA_BYTES));
    memcpy(at, &mtu, sizeof(mtu));
}

/*
 * To a local IP: a router, or the server itself, complains about a request. The client is told, in
 * the name of the VIP: who stands behind it is not the client's to know.
 */
static TVS_NOINLINE void tvs_icmp_error_to_lip(struct tvs_worker *worker, struct tvs_frame *frame,
                                               const struct tvs_packet *packet)
{
    const struct tvs_record *record;
    struct tvs_quoted quoted;

    if (!tvs_icmp_quoted(frame, packet, &quoted)) {
        tvs_drop(worker, frame, TVS_DROP_bad_l4_header);
        return;
    }
    record = &worker->records[packet->record | be16toh(quoted.tuple.sport_be)];
    if (record->state == TVS_S_FREE || record->proto != quoted.ip->proto ||
        memcmp(&record->out, &quoted.tuple, sizeof(quoted.tuple)) != 0) {
        tvs_drop(worker, frame, TVS_DROP_icmp_no_session);
        return;
    }
    if (record->flags & TVS_RECORD_TOA)
        tvs_icmp_leave_room((struct tvs_icmp *)(frame->data + packet->l4));
    tvs_icmp_forward(worker, frame, packet, &quoted, &record->in, &worker->counters.tx_reply);
}

/*
 * To a VIP: a router, or the client itself, complains about a reply. The NIC hashed the router's
 * address, so the message is on an arbitrary worker; the session's is where RSS puts the flow.
 */
static TVS_NOINLINE void tvs_icmp_error_to_vip(const struct tvs_site *site,
                                               struct tvs_worker *worker, struct tvs_frame *frame,
                                               const struct tvs_packet *packet)
{
    const struct tvs_record *record;
    struct tvs_quoted quoted;
    struct tvs_key key = {0};
    struct tvs_tuple sent;
    uint32_t number;

    if (!tvs_icmp_quoted(frame, packet, &quoted)) {
        tvs_drop(worker, frame, TVS_DROP_bad_l4_header);
        return;
    }
    key.tuple = (struct tvs_tuple){
        .saddr_be = quoted.tuple.daddr_be,
        .daddr_be = quoted.tuple.saddr_be,
        .sport_be = quoted.tuple.dport_be,
        .dport_be = quoted.tuple.sport_be,
    };
    key.proto = quoted.ip->proto;
    if (!(frame->flags & TVS_FRAME_HANDED) && worker->toeplitz != NULL) {
        uint16_t owner =
            site->reta[tvs_toeplitz_tuple(worker->toeplitz, &key.tuple) & site->reta_mask];

        if (owner != worker->index) {
            tvs_hand_over(worker, frame, (uint8_t)owner, TVS_DROP_icmp_no_session);
            return;
        }
    }
    number = tvs_table_find(worker, tvs_key_hash(&key, worker->hash_key), &key);
    if (number == TVS_NO_RECORD) {
        tvs_drop(worker, frame, TVS_DROP_icmp_no_session);
        return;
    }
    record = &worker->records[number];
    /* what is quoted is a reply: the server's packet is `out`, turned round */
    sent = (struct tvs_tuple){
        .saddr_be = record->out.daddr_be,
        .daddr_be = record->out.saddr_be,
        .sport_be = record->out.dport_be,
        .dport_be = record->out.sport_be,
    };
    tvs_icmp_forward(worker, frame, packet, &quoted, &sent, &worker->counters.tx_request);
}

/* ICMP to an address of ours: echo is answered, an error goes on to whom it concerns. */
static TVS_NOINLINE void tvs_icmp(const struct tvs_site *site, struct tvs_worker *worker,
                                  struct tvs_frame *frame, const struct tvs_packet *packet)
{
    const struct tvs_icmp *icmp = (const struct tvs_icmp *)(frame->data + packet->l4);

    if (tvs_frame_end(frame) - packet->l4 < TVS_ICMP_BYTES)
        tvs_drop(worker, frame, TVS_DROP_bad_l4_header);
    else if (icmp->type == TVS_ICMP_ECHO && icmp->code == 0)
        tvs_answer_echo(worker, frame, packet);
    else if (!tvs_icmp_is_error(icmp))
        tvs_drop(worker, frame, TVS_DROP_icmp_unsupported);
    else if (packet->kind == TVS_PK_LOCAL)
        tvs_icmp_error_to_lip(worker, frame, packet);
    else
        tvs_icmp_error_to_vip(site, worker, frame, packet);
}

#endif
