/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one class of services does with a packet. Called with the address of a constant, so that
 * each class compiles to its own straight path: a test of a class field costs nothing.
 */
#ifndef TVS_CORE_CLASS_H
#define TVS_CORE_CLASS_H

#include "core/answer.h"
#include "core/fullnat.h"
#include "core/session.h"
#include "core/tcp_state.h"
#include "core/toa.h"

/* Sends an established session's packet, in either direction. */
TVS_INLINE void tvs_class_forward(const struct tvs_class *class, struct tvs_worker *worker,
                                  struct tvs_frame *frame, const struct tvs_packet *packet,
                                  struct tvs_record *record, uint8_t state,
                                  enum tvs_direction direction)
{
    const struct tvs_nexthop *nexthop;
    uint16_t way;

    tvs_session_renew(worker, record, class->timeout_ticks[state]);
    if (TVS_UNLIKELY(record->fib_epoch != worker->fib_epoch))
        tvs_session_reroute(worker, record);
    nexthop =
        &worker
             ->nexthops[direction == TVS_REQUEST ? record->nexthop_request : record->nexthop_reply];
    way = tvs_nexthop_way(nexthop);
    if (TVS_UNLIKELY(!tvs_way_is_valid(way))) {
        tvs_drop(worker, frame, TVS_DROP_no_route);
        return;
    }
    if (direction == TVS_REQUEST) {
        if (tvs_toa_is_due(class, record))
            tvs_toa_request(worker, frame, packet, record, tvs_way_port(way));
        tvs_fullnat_request(frame, packet, class->proto, record);
        tvs_transmit(worker, frame, nexthop, way, &worker->counters.tx_request);
    } else {
        tvs_fullnat_reply(frame, packet, class->proto, record);
        tvs_transmit(worker, frame, nexthop, way, &worker->counters.tx_reply);
    }
}

/* True when the packet has no hop left; the frame has its verdict then. */
TVS_INLINE bool tvs_ttl_exceeded(struct tvs_worker *worker, struct tvs_frame *frame)
{
    if (TVS_LIKELY(tvs_frame_ip4(frame)->ttl > 1))
        return false;
    tvs_drop(worker, frame, TVS_DROP_ttl_exceeded);
    return true;
}

/* A packet to a VIP's listener that belongs to no session. */
TVS_INLINE void tvs_class_open(const struct tvs_class *class, const struct tvs_site *site,
                               struct tvs_worker *worker, struct tvs_frame *frame,
                               const struct tvs_packet *packet, const struct tvs_vip_entry *vip)
{
    const struct tvs_nexthop *nexthop;
    struct tvs_record *record;
    enum tvs_drop reason;

    if (class->proto == TVS_TCP &&
        tvs_tcp_event(tvs_frame_tcp_flags(frame, packet)) != TVS_EV_SYN) {
        tvs_drop(worker, frame, TVS_DROP_tcp_no_session);
        return;
    }
    if (TVS_UNLIKELY(
            tvs_source_is_martian(packet->key.tuple.saddr_be, packet->key.tuple.daddr_be))) {
        tvs_drop(worker, frame, TVS_DROP_martian_source);
        return;
    }
    if (TVS_UNLIKELY(tvs_ttl_exceeded(worker, frame)))
        return;
    if (class->has_limits && tvs_limits_refuse(site, worker, &packet->key, vip, &reason)) {
        tvs_drop(worker, frame, reason);
        return;
    }
    record = tvs_session_open(class, site, worker, &packet->key, packet->hash, vip, &reason);
    if (TVS_UNLIKELY(record == NULL)) {
        tvs_drop(worker, frame, reason);
        return;
    }
    nexthop = &worker->nexthops[record->nexthop_request];
    if (tvs_class_has_toa(class))
        tvs_toa_request(worker, frame, packet, record, nexthop->port);
    tvs_fullnat_request(frame, packet, class->proto, record);
    /* valid when the session was opened, a moment ago */
    tvs_transmit(worker, frame, nexthop, tvs_nexthop_way(nexthop) | TVS_V_TX,
                 &worker->counters.tx_request);
}

/* What the caller must still do after tvs_class_request(). */
enum tvs_request_result { TVS_REQUEST_DONE, TVS_REQUEST_OPEN_ANEW };

/*
 * The backend is down and the class resets its sessions: the client learns it now rather than by a
 * timeout, and whatever can start again does, on another server.
 */
static TVS_NOINLINE enum tvs_request_result tvs_class_backend_down(struct tvs_worker *worker,
                                                                   struct tvs_frame *frame,
                                                                   const struct tvs_packet *packet,
                                                                   struct tvs_record *record)
{
    uint8_t proto = record->proto;
    enum tvs_tcp_event event;

    tvs_session_close(worker, record);
    worker->counters.sessions_reset++;
    if (proto == TVS_UDP)
        return TVS_REQUEST_OPEN_ANEW;
    event = tvs_tcp_event(tvs_frame_tcp_flags(frame, packet));
    if (event == TVS_EV_SYN)
        return TVS_REQUEST_OPEN_ANEW;
    if (event == TVS_EV_RST)
        tvs_drop(worker, frame, TVS_DROP_backend_down);
    else
        tvs_answer_reset(worker, frame, packet);
    return TVS_REQUEST_DONE;
}

/* Nothing that changes a session's state: neither its flags nor the state that it is in. */
TVS_INLINE bool tvs_class_is_steady(const struct tvs_class *class, const struct tvs_frame *frame,
                                    const struct tvs_packet *packet,
                                    const struct tvs_record *record)
{
    return class->proto != TVS_TCP || (TVS_LIKELY(record->state == TVS_S_ESTABLISHED) &&
                                       TVS_LIKELY(!(tvs_frame_tcp_flags(frame, packet) &
                                                    (TVS_TCP_SYN | TVS_TCP_FIN | TVS_TCP_RST))));
}

/* From ESTABLISHED on the peers are told of every change. */
TVS_INLINE void tvs_class_state_set(const struct tvs_class *class, struct tvs_worker *worker,
                                    struct tvs_record *record, uint8_t state)
{
    if (class->is_synced && state != record->state && state >= TVS_S_ESTABLISHED)
        tvs_sync_queue_put(worker, record);
    record->state = state;
}

/* A client's packet of a session that exists. */
TVS_INLINE enum tvs_request_result
tvs_class_request(const struct tvs_class *class, struct tvs_worker *worker, struct tvs_frame *frame,
                  const struct tvs_packet *packet, struct tvs_record *record)
{
    uint8_t state = class->proto == TVS_TCP ? TVS_S_ESTABLISHED : TVS_S_UDP;

    if (TVS_UNLIKELY(tvs_ttl_exceeded(worker, frame)))
        return TVS_REQUEST_DONE;
    if (class->on_down == TVS_ON_DOWN_RESET &&
        TVS_UNLIKELY(worker->binding->backends[record->backend].state == TVS_BACKEND_DOWN))
        return tvs_class_backend_down(worker, frame, packet, record);
    if (TVS_UNLIKELY(!tvs_class_is_steady(class, frame, packet, record))) {
        state = tvs_tcp_next(TVS_REQUEST, record->state,
                             tvs_tcp_event(tvs_frame_tcp_flags(frame, packet)));
        if (TVS_UNLIKELY(state == TVS_S_REPLACE)) {
            tvs_session_close(worker, record);
            worker->counters.sessions_replaced++;
            return TVS_REQUEST_OPEN_ANEW;
        }
        tvs_class_state_set(class, worker, record, state);
    }
    tvs_class_forward(class, worker, frame, packet, record, state, TVS_REQUEST);
    return TVS_REQUEST_DONE;
}

/* A server's packet of a session that exists. */
TVS_INLINE void tvs_class_reply(const struct tvs_class *class, struct tvs_worker *worker,
                                struct tvs_frame *frame, const struct tvs_packet *packet,
                                struct tvs_record *record)
{
    uint8_t state = class->proto == TVS_TCP ? TVS_S_ESTABLISHED : TVS_S_UDP;

    if (TVS_UNLIKELY(tvs_ttl_exceeded(worker, frame)))
        return;
    if (TVS_UNLIKELY(!tvs_class_is_steady(class, frame, packet, record))) {
        state = tvs_tcp_next(TVS_REPLY, record->state,
                             tvs_tcp_event(tvs_frame_tcp_flags(frame, packet)));
        tvs_class_state_set(class, worker, record, state);
        if (tvs_class_has_toa(class) && tvs_frame_tcp_flags(frame, packet) & TVS_TCP_SYN) {
            if (record->fib_epoch != worker->fib_epoch)
                tvs_session_reroute(worker, record);
            tvs_toa_clamp_mss(worker, frame, packet, record);
        }
    }
    tvs_class_forward(class, worker, frame, packet, record, state, TVS_REPLY);
    if (tvs_toa_is_due(class, record)) /* last: a call before would cost registers */
        tvs_toa_heard(frame, packet, record);
}

#endif
