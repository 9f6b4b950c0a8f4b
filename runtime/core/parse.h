/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First stage: what a frame is and where its session would be, from its headers alone. Nothing is
 * read past `len`, whatever the headers claim. Frames that need nothing more get their verdict
 * here.
 */
#ifndef TVS_CORE_PARSE_H
#define TVS_CORE_PARSE_H

#include "core/csum.h"
#include "core/hash.h"
#include "core/verdict.h"
#include "tvs/frame.h"
#include "tvs/site.h"
#include "tvs/worker.h"

enum tvs_packet_kind {
    TVS_PK_DONE,    /* has its verdict */
    TVS_PK_REQUEST, /* whole TCP or UDP header, not to a local IP: look in the forward table */
    TVS_PK_REPLY,   /* whole TCP or UDP header, to a local IP of this worker */
    TVS_PK_OTHER,   /* perhaps to a VIP, but no flow: `reason` if it is */
    TVS_PK_LOCAL,   /* to a local IP of this worker, but no flow: `reason` */
};

struct tvs_packet {
    struct tvs_key key;
    uint32_t hash;   /* request: of the key */
    uint32_t record; /* reply: its number; request: the candidate's, later */
    uint16_t l4;     /* offset of the TCP, UDP or ICMP header in the frame */
    uint16_t end;    /* offset of the first byte after the IPv4 packet */
    uint8_t kind;    /* enum tvs_packet_kind */
    uint8_t tcp_flags;
    uint8_t reason; /* enum tvs_drop; TVS_N_DROPS: an ICMP message to look at */
    uint8_t spare;
};
_Static_assert(sizeof(struct tvs_packet) == 32, "two per line");

TVS_INLINE struct tvs_ip4 *tvs_frame_ip4(const struct tvs_frame *frame)
{
    return (struct tvs_ip4 *)(frame->data + TVS_ETH_BYTES);
}

/* Station and type. False: verdict set. */
TVS_INLINE bool tvs_parse_ethernet(struct tvs_worker *worker, struct tvs_frame *frame)
{
    uint64_t station;

    if (TVS_UNLIKELY(frame->flags & TVS_FRAME_NOT_CONTIGUOUS)) {
        tvs_drop(worker, frame, TVS_DROP_not_contiguous);
        return false;
    }
    if (TVS_UNLIKELY(frame->len < TVS_ETH_BYTES)) {
        tvs_drop(worker, frame, TVS_DROP_truncated);
        return false;
    }
    if (TVS_UNLIKELY(frame->data[0] & 1)) {
        tvs_to_kernel(worker, frame);
        return false;
    }
    station = tvs_load64(frame->data) ^ worker->port_mac[frame->port_in];
    if (TVS_UNLIKELY(station & worker->port_mac_mask)) {
        tvs_drop(worker, frame, TVS_DROP_not_our_mac);
        return false;
    }
    if (TVS_UNLIKELY(tvs_load16(frame->data + 12) != htobe16(TVS_ETHERTYPE_IP4))) {
        tvs_to_kernel(worker, frame);
        return false;
    }
    return true;
}

/* Lengths and checksum of the IPv4 header. False: verdict set. */
TVS_INLINE bool tvs_parse_ip4(struct tvs_worker *worker, struct tvs_frame *frame,
                              struct tvs_packet *packet)
{
    const struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    unsigned header_bytes;
    unsigned total_bytes;

    if (TVS_UNLIKELY(frame->len < TVS_ETH_BYTES + TVS_IP4_BYTES)) {
        tvs_drop(worker, frame, TVS_DROP_truncated);
        return false;
    }
    header_bytes = (ip->version_ihl & 0x0fU) * 4;
    total_bytes = be16toh(ip->total_len_be);
    if (TVS_UNLIKELY(ip->version_ihl >> 4 != 4 || header_bytes < TVS_IP4_BYTES ||
                     total_bytes < header_bytes)) {
        tvs_drop(worker, frame, TVS_DROP_bad_ip_header);
        return false;
    }
    if (TVS_UNLIKELY(TVS_ETH_BYTES + total_bytes > frame->len)) {
        tvs_drop(worker, frame, TVS_DROP_truncated);
        return false;
    }
    if (!(frame->flags & TVS_FRAME_IP_CSUM_GOOD)) {
        if (TVS_UNLIKELY(tvs_csum_fold(tvs_csum_sum(ip, header_bytes)) != 0xffff)) {
            tvs_drop(worker, frame, TVS_DROP_bad_ip_checksum);
            return false;
        }
    }
    packet->l4 = (uint16_t)(TVS_ETH_BYTES + header_bytes);
    packet->end = (uint16_t)(TVS_ETH_BYTES + total_bytes);
    return true;
}

/*
 * Every frame that is as it should be, and has no IPv4 options, in a few comparisons: Ethernet
 * type, version and header length in one of them. False: to be looked at more closely.
 */
TVS_INLINE bool tvs_parse_plain(const struct tvs_worker *worker, const struct tvs_frame *frame,
                                struct tvs_packet *packet)
{
    uint64_t station, type;
    unsigned end;

    if (frame->len < TVS_ETH_BYTES + TVS_IP4_BYTES || frame->flags & TVS_FRAME_NOT_CONTIGUOUS)
        return false;
    station = tvs_load64(frame->data);
    type = tvs_load64(frame->data + 12); /* the type, then the first six bytes of IPv4 */
    if ((station & 1) | ((station ^ worker->port_mac[frame->port_in]) & worker->port_mac_mask) |
        ((type & 0xffffff) ^ (0x450000 | htobe16(TVS_ETHERTYPE_IP4))))
        return false;
    end = TVS_ETH_BYTES + (unsigned)be16toh((uint16_t)(type >> 32));
    if (end < TVS_ETH_BYTES + TVS_IP4_BYTES || end > frame->len)
        return false;
    if (!(frame->flags & TVS_FRAME_IP_CSUM_GOOD) &&
        tvs_csum_fold(tvs_csum_sum_ip4(tvs_frame_ip4(frame))) != 0xffff)
        return false;
    packet->l4 = TVS_ETH_BYTES + TVS_IP4_BYTES;
    packet->end = (uint16_t)end;
    return true;
}

/* All others. False: verdict set. */
static TVS_NOINLINE bool tvs_parse_closely(struct tvs_worker *worker, struct tvs_frame *frame,
                                           struct tvs_packet *packet)
{
    return tvs_parse_ethernet(worker, frame) && tvs_parse_ip4(worker, frame, packet);
}

/*
 * The flow's key, if this is a whole TCP or UDP header of an unfragmented packet. Otherwise false,
 * and `reason` says what is wrong with it should it be for us.
 */
TVS_INLINE bool tvs_parse_flow(const struct tvs_frame *frame, struct tvs_packet *packet)
{
    const struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    const uint8_t *l4 = frame->data + packet->l4;
    unsigned l4_bytes = (unsigned)packet->end - packet->l4;

    if (TVS_UNLIKELY(ip->fragment_be & htobe16(TVS_IP4_FRAGMENT_BITS))) {
        packet->reason = TVS_DROP_fragment;
        return false;
    }
    packet->reason = TVS_DROP_bad_l4_header;
    if (TVS_LIKELY(ip->proto == TVS_TCP)) {
        const struct tvs_tcp *tcp = (const struct tvs_tcp *)l4;
        unsigned header_bytes;

        if (TVS_UNLIKELY(l4_bytes < TVS_TCP_BYTES))
            return false;
        header_bytes = (tcp->data_offset >> 4) * 4U;
        if (TVS_UNLIKELY(header_bytes < TVS_TCP_BYTES || header_bytes > l4_bytes))
            return false;
        packet->tcp_flags = tcp->flags;
    } else if (ip->proto == TVS_UDP) {
        const struct tvs_udp *udp = (const struct tvs_udp *)l4;
        unsigned udp_bytes;

        if (TVS_UNLIKELY(l4_bytes < TVS_UDP_BYTES))
            return false;
        udp_bytes = be16toh(udp->len_be);
        if (TVS_UNLIKELY(udp_bytes < TVS_UDP_BYTES || udp_bytes > l4_bytes))
            return false;
        packet->tcp_flags = 0;
    } else {
        packet->reason = ip->proto == TVS_ICMP ? (uint8_t)TVS_N_DROPS : TVS_DROP_vip_protocol;
        return false;
    }
    tvs_key_set(&packet->key, &ip->saddr_be, l4, ip->proto);
    return true;
}

/* A packet into the local-IP range: to its owner, whoever that is. */
TVS_INLINE void tvs_parse_local(const struct tvs_site *site, struct tvs_worker *worker,
                                struct tvs_frame *frame, struct tvs_packet *packet,
                                const struct tvs_lip_entry *lip)
{
    packet->kind = TVS_PK_DONE;
    if (TVS_UNLIKELY(lip->worker == TVS_LIP_NOBODY)) {
        tvs_drop(worker, frame, TVS_DROP_lip_unknown);
        return;
    }
    if (TVS_UNLIKELY(lip->slot == TVS_LIP_NO_SLOT)) {
        tvs_drop(worker, frame, TVS_DROP_lip_of_peer);
        return;
    }
    if (TVS_UNLIKELY(site->n_workers > 1 && lip->worker != worker->index)) {
        tvs_hand_over(worker, frame, lip->worker, TVS_DROP_lip_unknown);
        return;
    }
    if (TVS_UNLIKELY(!tvs_parse_flow(frame, packet))) {
        packet->kind = TVS_PK_LOCAL;
        packet->record = (uint32_t)lip->slot << 16; /* of port 0: names the local IP */
        return;
    }
    packet->record = (uint32_t)lip->slot << 16 | be16toh(packet->key.tuple.dport_be);
    packet->kind = TVS_PK_REPLY;
}

TVS_INLINE void tvs_parse(const struct tvs_site *site, struct tvs_worker *worker,
                          struct tvs_frame *frame, struct tvs_packet *packet)
{
    uint32_t lip_offset;

    packet->kind = TVS_PK_DONE;
    if (TVS_UNLIKELY(!tvs_parse_plain(worker, frame, packet)) &&
        !tvs_parse_closely(worker, frame, packet))
        return;
    lip_offset = be32toh(tvs_frame_ip4(frame)->daddr_be) - site->lip_base;
    if (lip_offset < site->lip_count) {
        tvs_parse_local(site, worker, frame, packet, &site->lips[lip_offset]);
        return;
    }
    packet->kind = TVS_LIKELY(tvs_parse_flow(frame, packet)) ? TVS_PK_REQUEST : TVS_PK_OTHER;
}

#endif
