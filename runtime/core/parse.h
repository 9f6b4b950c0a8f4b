/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First stage: what a frame is and where its session would be, from its headers alone. Nothing is
 * read past `len`, whatever the headers claim. Frames that need nothing more get their verdict
 * here.
 */
#ifndef TVS_CORE_PARSE_H
#define TVS_CORE_PARSE_H

#include <immintrin.h>

#include "core/csum.h"
#include "core/hash.h"
#include "core/verdict.h"
#include "tvs/frame.h"
#include "tvs/site.h"
#include "tvs/worker.h"

enum { TVS_PLAIN_L4 = TVS_ETH_BYTES + TVS_IP4_BYTES }; /* where TCP begins without IPv4 options */

enum tvs_packet_kind {
    TVS_PK_DONE,    /* has its verdict */
    TVS_PK_REQUEST, /* whole TCP or UDP header, not to a local IP: look in the forward table */
    TVS_PK_REPLY,   /* whole TCP or UDP header, to a local IP of this worker */
    TVS_PK_OTHER,   /* perhaps to a VIP, but no flow: `reason` if it is */
    TVS_PK_LOCAL,   /* to a local IP of this worker, but no flow: `reason` */
};

struct tvs_packet {
    struct tvs_key key; /* request */
    uint32_t hash;      /* request: of the key */
    uint32_t record;    /* reply: its number; request: the candidate's, later */
    union {
        struct {
            uint16_t l4;    /* offset of the TCP, UDP or ICMP header in the frame */
            uint8_t kind;   /* enum tvs_packet_kind */
            uint8_t reason; /* no flow: enum tvs_drop; TVS_N_DROPS: an ICMP message to look at */
        };
        uint32_t what; /* all three, to be stored at once */
    };
    uint32_t spare;
};
_Static_assert(sizeof(struct tvs_packet) == 32, "two per line");

TVS_INLINE struct tvs_ip4 *tvs_frame_ip4(const struct tvs_frame *frame)
{
    return (struct tvs_ip4 *)(frame->data + TVS_ETH_BYTES);
}

/* Offset of the first byte after the IPv4 packet, once its header has been looked at. */
TVS_INLINE unsigned tvs_frame_end(const struct tvs_frame *frame)
{
    return TVS_ETH_BYTES + (unsigned)be16toh(tvs_frame_ip4(frame)->total_len_be);
}

TVS_INLINE uint8_t tvs_frame_tcp_flags(const struct tvs_frame *frame,
                                       const struct tvs_packet *packet)
{
    return ((const struct tvs_tcp *)(frame->data + packet->l4))->flags;
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
    station = tvs_load64(frame->data) ^ tvs_load64(worker->start[frame->port_in].byte);
    if (TVS_UNLIKELY(station & tvs_load64(worker->start_mask.byte))) {
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
    return true;
}

/* Key and hash, of words that are still in registers. */
TVS_INLINE void tvs_packet_key(const struct tvs_worker *worker, struct tvs_packet *packet,
                               const struct tvs_ip4 *ip, const uint8_t *l4)
{
    uint64_t low = tvs_load64(&ip->saddr_be);
    uint64_t high = tvs_key_high(tvs_load32(l4), ip->proto);

    tvs_key_set(&packet->key, low, high);
    packet->hash = tvs_words_hash(low, high, worker->hash_key);
}

/*
 * The flow's key, if this is a whole TCP or UDP header of an unfragmented packet. Otherwise false,
 * and `reason` says what is wrong with it should it be for us.
 */
TVS_INLINE bool tvs_parse_flow(const struct tvs_worker *worker, const struct tvs_frame *frame,
                               struct tvs_packet *packet)
{
    const struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    const uint8_t *l4 = frame->data + packet->l4;
    unsigned l4_bytes = tvs_frame_end(frame) - packet->l4;

    if (ip->fragment_be & htobe16(TVS_IP4_FRAGMENT_BITS)) {
        packet->reason = TVS_DROP_fragment;
        return false;
    }
    packet->reason = TVS_DROP_bad_l4_header;
    if (ip->proto == TVS_TCP) {
        unsigned header_bytes;

        if (l4_bytes < TVS_TCP_BYTES)
            return false;
        header_bytes = (((const struct tvs_tcp *)l4)->data_offset >> 4) * 4U;
        if (header_bytes < TVS_TCP_BYTES || header_bytes > l4_bytes)
            return false;
    } else if (ip->proto == TVS_UDP) {
        unsigned udp_bytes;

        if (l4_bytes < TVS_UDP_BYTES)
            return false;
        udp_bytes = be16toh(((const struct tvs_udp *)l4)->len_be);
        if (udp_bytes < TVS_UDP_BYTES || udp_bytes > l4_bytes)
            return false;
    } else {
        packet->reason = ip->proto == TVS_ICMP ? (uint8_t)TVS_N_DROPS : TVS_DROP_vip_protocol;
        return false;
    }
    tvs_packet_key(worker, packet, ip, l4);
    return true;
}

/* False: an address of the local-IP range that is none of this worker's; verdict set. */
TVS_INLINE bool tvs_parse_local(const struct tvs_site *site, struct tvs_worker *worker,
                                struct tvs_frame *frame, const struct tvs_lip_entry *lip)
{
    if (TVS_UNLIKELY(lip->worker == TVS_LIP_NOBODY)) {
        tvs_drop(worker, frame, TVS_DROP_lip_unknown);
        return false;
    }
    if (TVS_UNLIKELY(lip->slot == TVS_LIP_NO_SLOT)) {
        tvs_drop(worker, frame, TVS_DROP_lip_of_peer);
        return false;
    }
    if (TVS_UNLIKELY(site->n_workers > 1 && lip->worker != worker->index)) {
        tvs_hand_over(worker, frame, lip->worker, TVS_DROP_lip_unknown);
        return false;
    }
    return true;
}

/*
 * Any frame, every reason to look at it otherwise told apart. Returns enum tvs_packet_kind and sets
 * `l4`, `key` and `hash` of a flow, `record` of a local IP, `reason` of what is no flow.
 */
static TVS_NOINLINE uint8_t tvs_parse_closely(const struct tvs_site *site,
                                              struct tvs_worker *worker, struct tvs_frame *frame,
                                              struct tvs_packet *packet)
{
    const struct tvs_lip_entry *lip;
    uint32_t lip_offset;

    if (!tvs_parse_ethernet(worker, frame) || !tvs_parse_ip4(worker, frame, packet))
        return TVS_PK_DONE;
    lip_offset = be32toh(tvs_frame_ip4(frame)->daddr_be) - site->lip_base;
    if (lip_offset >= site->lip_count)
        return tvs_parse_flow(worker, frame, packet) ? TVS_PK_REQUEST : TVS_PK_OTHER;
    lip = &site->lips[lip_offset];
    if (!tvs_parse_local(site, worker, frame, lip))
        return TVS_PK_DONE;
    packet->record = (uint32_t)lip->slot << 16; /* of port 0: names the local IP */
    if (!tvs_parse_flow(worker, frame, packet))
        return TVS_PK_LOCAL;
    packet->record |= be16toh(packet->key.tuple.dport_be);
    return TVS_PK_REPLY;
}

/* Whether the first 32 bytes at `data` are those of `start` in every bit of `mask`. */
TVS_INLINE bool tvs_starts_with(const uint8_t *data, const struct tvs_start *start,
                                const struct tvs_start *mask)
{
#ifdef __AVX2__
    __m256i differs = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)data),
                                       _mm256_load_si256((const __m256i *)start));

    return _mm256_testz_si256(differs, _mm256_load_si256((const __m256i *)mask));
#else
    const __m128i *d = (const __m128i *)data, *s = (const __m128i *)start;
    const __m128i *m = (const __m128i *)mask;

    return _mm_testz_si128(_mm_xor_si128(_mm_loadu_si128(d), _mm_load_si128(s)),
                           _mm_load_si128(m)) &&
           _mm_testz_si128(_mm_xor_si128(_mm_loadu_si128(d + 1), _mm_load_si128(s + 1)),
                           _mm_load_si128(m + 1));
#endif
}

/*
 * What nearly every frame is: for our station, IPv4 without options, whole, unfragmented, TCP or
 * UDP. Few comparisons, each of several fields, and no reason why not: false, look at it closely.
 */
TVS_INLINE bool tvs_parse_is_plain(const struct tvs_worker *worker, const struct tvs_frame *frame)
{
    const uint8_t *data = frame->data;
    const struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    const uint8_t *l4 = data + TVS_PLAIN_L4;
    unsigned l4_bytes, header_bytes;

    if (frame->len < TVS_PLAIN_L4 + TVS_TCP_BYTES || frame->flags & TVS_FRAME_NOT_CONTIGUOUS)
        return false;
    if (!tvs_starts_with(data, &worker->start[frame->port_in], &worker->start_mask))
        return false;
    /* fewer bytes than a header wrap around and are more than there are */
    l4_bytes = (unsigned)be16toh(ip->total_len_be) - TVS_IP4_BYTES;
    if (l4_bytes > (unsigned)frame->len - TVS_PLAIN_L4)
        return false;
    if (!(frame->flags & TVS_FRAME_IP_CSUM_GOOD) && !tvs_csum_ip4_is_good(ip))
        return false;
    if (TVS_LIKELY(ip->proto == TVS_TCP)) {
        header_bytes = (((const struct tvs_tcp *)l4)->data_offset & 0xf0U) >> 2;
        return header_bytes >= TVS_TCP_BYTES && header_bytes <= l4_bytes;
    }
    header_bytes = be16toh(((const struct tvs_udp *)l4)->len_be);
    return ip->proto == TVS_UDP && header_bytes >= TVS_UDP_BYTES && header_bytes <= l4_bytes;
}

/* Sets `kind` and what tvs_parse_closely() says. */
TVS_INLINE void tvs_parse(const struct tvs_site *site, struct tvs_worker *worker,
                          struct tvs_frame *frame, struct tvs_packet *packet)
{
    const struct tvs_ip4 *ip = tvs_frame_ip4(frame);
    const uint8_t *l4 = frame->data + TVS_PLAIN_L4;
    const struct tvs_lip_entry *lip;
    uint32_t lip_offset;

    if (TVS_UNLIKELY(!tvs_parse_is_plain(worker, frame))) {
        packet->kind = tvs_parse_closely(site, worker, frame, packet);
        return;
    }
    packet->what = TVS_PLAIN_L4 | (uint32_t)TVS_PK_REQUEST << 16;
    lip_offset = be32toh(ip->daddr_be) - site->lip_base;
    if (lip_offset >= site->lip_count) {
        tvs_packet_key(worker, packet, ip, l4);
        return;
    }
    lip = &site->lips[lip_offset];
    packet->record = (uint32_t)lip->slot << 16 | be16toh(tvs_load16(l4 + 2));
    packet->kind = tvs_parse_local(site, worker, frame, lip) ? TVS_PK_REPLY : TVS_PK_DONE;
}

#endif
