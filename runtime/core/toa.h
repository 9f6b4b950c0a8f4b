/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's address as a TCP option (`client-address toa`): kind 254, length 8, the client's
 * port and IPv4 address. It goes with every packet of the client until the server has shown that it
 * has the connection, whichever of them completes the handshake (docs/adr/0015). All of this is out
 * of line: an established session pays one test of its record's flags.
 */
#ifndef TVS_CORE_TOA_H
#define TVS_CORE_TOA_H

#include "core/csum.h"
#include "core/parse.h"
#include "tvs/site.h"
#include "tvs/worker.h"

enum {
    TVS_TCP_MAX_BYTES = 60, /* of a header with options */
    TVS_OPT_END = 0,
    TVS_OPT_NOP = 1,
    TVS_OPT_MSS = 2,
    TVS_OPT_MSS_BYTES = 4,
    TVS_OPT_TOA = 254,
    TVS_TOA_BYTES = 8,
};

struct tvs_toa {
    uint8_t kind;
    uint8_t bytes;
    uint16_t port_be;
    uint32_t addr_be;
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_toa) == TVS_TOA_BYTES, "two words of a TCP header");
_Static_assert(sizeof(struct tvs_toa) <= (size_t)TVS_FRAME_HEADROOM,
               "a frame can grow by the option");

/* Whether the client's packets of this session still carry the option. */
TVS_INLINE bool tvs_toa_is_due(const struct tvs_class *class, const struct tvs_record *record)
{
    return tvs_class_has_toa(class) && TVS_UNLIKELY(record->flags & TVS_RECORD_TOA);
}

/* The options of a TCP header that parsing found whole. */
struct tvs_options {
    uint8_t *at;
    uint8_t *end;
};

TVS_INLINE struct tvs_options tvs_options_of(struct tvs_tcp *tcp)
{
    uint8_t *start = (uint8_t *)tcp;

    return (struct tvs_options){start + TVS_TCP_BYTES, start + ((tcp->data_offset & 0xf0U) >> 2)};
}

TVS_INLINE uint16_t tvs_options_sum(const struct tvs_options *options)
{
    return tvs_csum_fold(tvs_csum_sum(options->at, (size_t)(options->end - options->at)));
}

/*
 * The first option of this kind from `at` on; NULL: none. The list ends with END, and with an
 * option that claims less than its own two bytes or more than there are.
 */
static inline uint8_t *tvs_option_find(uint8_t *at, const uint8_t *end, uint8_t kind)
{
    while (at < end && *at != TVS_OPT_END) {
        if (*at == TVS_OPT_NOP) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return NULL;
        if (*at == kind)
            return at;
        at += at[1];
    }
    return NULL;
}

/*
 * An address that the client says itself is a lie: the server would believe it, above all where
 * there is no room for ours. Becomes no operation.
 */
static inline bool tvs_toa_blank(struct tvs_tcp *tcp)
{
    struct tvs_options options = tvs_options_of(tcp);
    uint8_t *at = tvs_option_find(options.at, options.end, TVS_OPT_TOA);
    uint16_t before;

    if (TVS_LIKELY(at == NULL))
        return false;
    before = tvs_options_sum(&options);
    while (at != NULL) {
        uint8_t bytes = at[1];

        memset(at, TVS_OPT_NOP, bytes);
        at = tvs_option_find(at + bytes, options.end, TVS_OPT_TOA);
    }
    tcp->csum = tvs_csum_apply(
        tcp->csum, tvs_csum_fold((uint64_t)tvs_options_sum(&options) + (uint16_t)~before));
    return true;
}

/*
 * Makes room behind the TCP header proper, before all other options, by moving what is before it to
 * the front: 54 bytes as a rule, whatever the payload.
 */
TVS_INLINE void tvs_toa_insert(struct tvs_frame *frame, const struct tvs_packet *packet,
                               const struct tvs_toa *toa)
{
    uint8_t *data = frame->data - TVS_TOA_BYTES;
    size_t before = (size_t)packet->l4 + TVS_TCP_BYTES;
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(data + TVS_ETH_BYTES);
    struct tvs_tcp *tcp = (struct tvs_tcp *)(data + packet->l4);
    const uint8_t words = TVS_TOA_BYTES / 4 << 4; /* in the data offset's place */

    memmove(data, frame->data, before);
    memcpy(data + before, toa, sizeof(*toa));
    frame->data = data;
    frame->headroom = (uint16_t)(frame->headroom - TVS_TOA_BYTES);
    frame->len = (uint16_t)(frame->len + TVS_TOA_BYTES);

    ip->total_len_be = htobe16((uint16_t)(be16toh(ip->total_len_be) + TVS_TOA_BYTES));
    ip->csum = tvs_csum_apply(ip->csum, htobe16(TVS_TOA_BYTES));
    tcp->data_offset = (uint8_t)(tcp->data_offset + words);
    /* the length in the pseudo header, the data offset, the option */
    tcp->csum = tvs_csum_apply(tcp->csum, tvs_csum_fold((uint64_t)htobe16(TVS_TOA_BYTES) +
                                                        htobe16((uint16_t)(words << 8)) +
                                                        tvs_csum_sum(toa, sizeof(*toa))));
}

/*
 * A client's packet, before it is rewritten. A reset completes no handshake; a packet that has no
 * room, or would be too long for the port it leaves by, goes on without.
 */
static TVS_NOINLINE void tvs_toa_request(struct tvs_worker *worker, struct tvs_frame *frame,
                                         const struct tvs_packet *packet,
                                         const struct tvs_record *record, uint8_t port)
{
    struct tvs_tcp *tcp = (struct tvs_tcp *)(frame->data + packet->l4);
    const struct tvs_toa toa = {
        .kind = TVS_OPT_TOA,
        .bytes = TVS_TOA_BYTES,
        .port_be = record->in.sport_be,
        .addr_be = record->in.saddr_be,
    };

    if (tcp->flags & TVS_TCP_RST)
        return;
    worker->counters.toa_forged += tvs_toa_blank(tcp);
    if (((tcp->data_offset & 0xf0U) >> 2) + TVS_TOA_BYTES > TVS_TCP_MAX_BYTES ||
        frame->headroom < TVS_TOA_BYTES) {
        worker->counters.toa_no_room++;
    } else if ((unsigned)frame->len + TVS_TOA_BYTES > TVS_ETH_BYTES + (unsigned)worker->mtu[port]) {
        worker->counters.toa_too_long++;
    } else {
        tvs_toa_insert(frame, packet, &toa);
        worker->counters.toa_added++;
    }
}

/*
 * A server's packet of a session whose option is due. It has the connection when it sends anything
 * but the handshake's second packet after the client's third: what comes before that is about an
 * older connection of the same local port.
 */
static TVS_NOINLINE void tvs_toa_heard(const struct tvs_frame *frame,
                                       const struct tvs_packet *packet, struct tvs_record *record)
{
    uint8_t flags = tvs_frame_tcp_flags(frame, packet);

    if (record->state >= TVS_S_ESTABLISHED && !(flags & (TVS_TCP_SYN | TVS_TCP_RST)))
        record->flags &= (uint16_t)~TVS_RECORD_TOA;
}

/*
 * What the server takes at most in one segment, less what we add: so no full segment of the client
 * is too large with the option, neither for the server nor for our own port to it.
 */
static TVS_NOINLINE void tvs_toa_clamp_mss(const struct tvs_worker *worker, struct tvs_frame *frame,
                                           const struct tvs_packet *packet,
                                           const struct tvs_record *record)
{
    struct tvs_tcp *tcp = (struct tvs_tcp *)(frame->data + packet->l4);
    struct tvs_options options = tvs_options_of(tcp);
    uint8_t *at = tvs_option_find(options.at, options.end, TVS_OPT_MSS);
    int mtu = worker->mtu[worker->nexthops[record->nexthop_request].port];
    int most = mtu - TVS_IP4_BYTES - TVS_TCP_BYTES;
    uint16_t before, mss_be;
    int mss;

    if (at == NULL || at[1] != TVS_OPT_MSS_BYTES)
        return;
    mss = be16toh(tvs_load16(at + 2));
    most = (most < mss ? most : mss) - TVS_TOA_BYTES;
    if (most <= 0) /* no TCP means that */
        return;
    before = tvs_options_sum(&options); /* the option may lie across two words of the sum */
    mss_be = htobe16((uint16_t)most);
    memcpy(at + 2, &mss_be, sizeof(mss_be));
    tcp->csum = tvs_csum_apply(
        tcp->csum, tvs_csum_fold((uint64_t)tvs_options_sum(&options) + (uint16_t)~before));
}

#endif
