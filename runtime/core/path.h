/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet path: read this first. A packet goes through three stages, each some packets behind
 * the one before, so that every cache miss of one packet is waited for while others are worked on:
 *
 *   1. parse, hash a request, compute a reply's record       -> prefetch its bucket or record
 *   2. compare the signatures of a request's bucket          -> prefetch the candidate record
 *   3. check the key, then act by class: forward, open, answer, or drop with a reason
 *
 * A generated source defines the site and its classes as constants, wires them with struct
 * tvs_dispatch, and calls tvs_path_burst(); all but what rarely happens is inlined into that one
 * function.
 */
#ifndef TVS_CORE_PATH_H
#define TVS_CORE_PATH_H

#include "core/class.h"
#include "core/icmp_error.h"
#include "core/steer.h"
#include "core/sync_claim.h"

/* From a class number to the path compiled for that class. */
struct tvs_dispatch {
    enum tvs_request_result (*request)(uint8_t class_id, struct tvs_worker *worker,
                                       struct tvs_frame *frame, const struct tvs_packet *packet,
                                       struct tvs_record *record);
    void (*reply)(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                  const struct tvs_packet *packet, struct tvs_record *record);
    void (*open)(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                 const struct tvs_packet *packet, const struct tvs_vip_entry *vip);
};

/* A request that belongs to no session: to a listener, to a VIP without one, or not for us. */
TVS_INLINE void tvs_path_miss(const struct tvs_site *site, const struct tvs_dispatch *dispatch,
                              struct tvs_worker *worker, struct tvs_frame *frame,
                              const struct tvs_packet *packet)
{
    uint32_t vip = be32toh(packet->key.tuple.daddr_be);
    const struct tvs_vip_entry *entry =
        tvs_vip_find(site, vip, be16toh(packet->key.tuple.dport_be), packet->key.proto);

    if (TVS_LIKELY(entry != NULL))
        dispatch->open(entry->class_id, worker, frame, packet, entry);
    else if (tvs_vip_find(site, vip, 0, 0) != NULL)
        tvs_drop(worker, frame, TVS_DROP_vip_no_listener);
    else if (worker->sync == NULL || !tvs_sync_claim(worker, frame, packet))
        tvs_to_kernel(worker, frame);
}

TVS_INLINE void tvs_path_request(const struct tvs_site *site, const struct tvs_dispatch *dispatch,
                                 struct tvs_worker *worker, struct tvs_frame *frame,
                                 const struct tvs_packet *packet)
{
    uint32_t number = packet->record;
    struct tvs_record *record = &worker->records[number];
    uint8_t class_id;

    /*
     * The candidate was read before earlier packets of this burst had acted. They may have ended or
     * opened this very session, so only a record that fits now counts; otherwise look again. No key
     * is that of a free record, nor of the one that stands for none.
     */
    if (TVS_UNLIKELY(!tvs_key_matches(&packet->key, record))) {
        number = tvs_table_find(worker, packet->hash, &packet->key);
        if (number == TVS_NO_RECORD)
            goto miss;
        record = &worker->records[number];
    }
    class_id = worker->binding->class_of_service[record->service];
    if (TVS_LIKELY(dispatch->request(class_id, worker, frame, packet, record) == TVS_REQUEST_DONE))
        return;
miss:
    tvs_path_miss(site, dispatch, worker, frame, packet);
}

TVS_INLINE void tvs_path_reply(const struct tvs_dispatch *dispatch, struct tvs_worker *worker,
                               struct tvs_frame *frame, const struct tvs_packet *packet)
{
    struct tvs_record *record = &worker->records[packet->record];
    const struct tvs_ip4 *ip = tvs_frame_ip4(frame);

    if (TVS_UNLIKELY(record->proto != ip->proto)) { /* a free one has none */
        tvs_drop(worker, frame, TVS_DROP_reply_no_session);
        return;
    }
    if (TVS_UNLIKELY(record->out.daddr_be != ip->saddr_be ||
                     record->out.dport_be != tvs_load16(frame->data + packet->l4))) {
        tvs_drop(worker, frame, TVS_DROP_reply_foreign);
        return;
    }
    dispatch->reply(worker->binding->class_of_service[record->service], worker, frame, packet,
                    record);
}

/* No flow: to one of our addresses it is answered or dropped, to any other it is the kernel's. */
TVS_INLINE void tvs_path_other(const struct tvs_site *site, struct tvs_worker *worker,
                               struct tvs_frame *frame, const struct tvs_packet *packet)
{
    if (packet->kind == TVS_PK_OTHER &&
        tvs_vip_find(site, be32toh(tvs_frame_ip4(frame)->daddr_be), 0, 0) == NULL)
        tvs_to_kernel(worker, frame);
    else if (packet->reason == TVS_N_DROPS)
        tvs_icmp(site, worker, frame, packet);
    else
        tvs_drop(worker, frame, (enum tvs_drop)packet->reason);
}

/* Stage 1. */
TVS_INLINE void tvs_path_classify(const struct tvs_site *site, struct tvs_worker *worker,
                                  struct tvs_frame *frame, struct tvs_packet *packet)
{
    tvs_parse(site, worker, frame, packet);
    if (site->steering == TVS_STEER_SOFTWARE && packet->kind == TVS_PK_REQUEST &&
        !tvs_steer(site, worker, frame, packet))
        packet->kind = TVS_PK_DONE;
    if (TVS_LIKELY(packet->kind == TVS_PK_REQUEST)) {
        __builtin_prefetch(&worker->buckets[tvs_table_first(worker, packet->hash)], 0);
    } else if (packet->kind == TVS_PK_REPLY) {
        __builtin_prefetch(&worker->records[packet->record], 1);
    }
}

/*
 * Stage 2. A miss is either an entry that lives in its second bucket or, most likely, a new
 * session, whose record will be the oldest free one. `next_free` is where the free ring's head will
 * be when the new sessions before this packet have been opened.
 */
TVS_INLINE void tvs_path_locate(const struct tvs_worker *worker, struct tvs_packet *packet,
                                uint32_t *next_free)
{
    const struct tvs_bucket *second;

    if (packet->kind != TVS_PK_REQUEST)
        return;
    if (TVS_LIKELY(tvs_table_candidate(worker, packet->hash, &packet->record))) {
        __builtin_prefetch(&worker->records[packet->record], 1);
        return;
    }
    packet->record = TVS_NO_RECORD;
    second = tvs_table_overflow(worker, packet->hash);
    if (second != NULL)
        __builtin_prefetch(second);
    else
        __builtin_prefetch(
            &worker->records[tvs_free_peek(&worker->free, (*next_free)++ - worker->free.head)], 1);
}

/* Stage 3. */
TVS_INLINE void tvs_path_act(const struct tvs_site *site, const struct tvs_dispatch *dispatch,
                             struct tvs_worker *worker, struct tvs_frame *frame,
                             const struct tvs_packet *packet)
{
    if (TVS_LIKELY(packet->kind == TVS_PK_REQUEST))
        tvs_path_request(site, dispatch, worker, frame, packet);
    else if (packet->kind == TVS_PK_REPLY)
        tvs_path_reply(dispatch, worker, frame, packet);
    else if (packet->kind != TVS_PK_DONE)
        tvs_path_other(site, worker, frame, packet);
}

/*
 * How many packets a stage takes in a row, and how far it is behind the first. A miss to memory
 * lasts as long as sixteen packets' work; with whole passes over the burst the prefetches would
 * come all at once, more of them than a core has in flight. Eight in a row, because it takes
 * instructions to change stages. The distances are the best of those measured: the second stage
 * runs beside the first and then beside the third, which so begins when a full burst has been
 * parsed.
 */
enum { TVS_STEP = 8, TVS_LOCATE_BEHIND = 16, TVS_ACT_BEHIND = 32 };

/* How many packets the turn takes that begins at packet `at` of `n`. */
TVS_INLINE unsigned tvs_path_turn(unsigned at, unsigned n)
{
    return n - at < TVS_STEP ? n - at : TVS_STEP;
}

TVS_INLINE uint64_t tvs_path_handed(const struct tvs_frame *frames, unsigned n)
{
    uint64_t handed = 0;

    for (unsigned i = 0; i < n; i++)
        handed += frames[i].flags & TVS_FRAME_HANDED;
    return handed;
}

/* `restrict`: no store to a packet, a record or a bucket changes fields of worker or frames. */
TVS_INLINE void tvs_path_burst(const struct tvs_site *site, const struct tvs_dispatch *dispatch,
                               struct tvs_worker *restrict worker,
                               struct tvs_frame *restrict frames, unsigned n)
{
    struct tvs_packet packets[TVS_MAX_BURST];
    uint32_t next_free = worker->free.head;
    uint64_t bytes = 0;
    unsigned flags = 0;

    for (unsigned at = 0; at < n + TVS_ACT_BEHIND; at += TVS_STEP) {
        struct tvs_packet *packet = packets;
        struct tvs_frame *frame = frames;
        const struct tvs_packet *stop;

        if (at < n) {
            packet += at;
            frame += at;
            for (stop = packet + tvs_path_turn(at, n); packet != stop; packet++, frame++) {
                bytes += frame->len;
                flags |= frame->flags;
                tvs_path_classify(site, worker, frame, packet);
            }
        }
        if (at - TVS_LOCATE_BEHIND < n) {
            packet = &packets[at - TVS_LOCATE_BEHIND];
            for (stop = packet + tvs_path_turn(at - TVS_LOCATE_BEHIND, n); packet != stop; packet++)
                tvs_path_locate(worker, packet, &next_free);
        }
        if (at - TVS_ACT_BEHIND < n) {
            packet = &packets[at - TVS_ACT_BEHIND];
            frame = &frames[at - TVS_ACT_BEHIND];
            for (stop = packet + tvs_path_turn(at - TVS_ACT_BEHIND, n); packet != stop;
                 packet++, frame++)
                tvs_path_act(site, dispatch, worker, frame, packet);
        }
    }
    worker->counters.bursts++;
    worker->counters.frames += n;
    if (TVS_UNLIKELY(flags & TVS_FRAME_HANDED))
        worker->counters.frames_handed += tvs_path_handed(frames, n);
    worker->counters.bytes += bytes;
}

#endif
