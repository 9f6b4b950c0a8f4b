/* SPDX-License-Identifier: Apache-2.0 */
/* Birth and death of a session: the record, the forward table, the port, the backend's count. */
#ifndef TVS_CORE_SESSION_H
#define TVS_CORE_SESSION_H

#include "core/csum.h"
#include "core/free_ring.h"
#include "core/limits.h"
#include "core/schedule.h"
#include "core/sync_queue.h"
#include "core/table.h"
#include "tvs/site.h"
#include "tvs/worker.h"

TVS_INLINE uint32_t tvs_session_number(const struct tvs_worker *worker,
                                       const struct tvs_record *record)
{
    return (uint32_t)(record - worker->records);
}

/* Stores only a deadline that differs: a busy session dirties its line per tick, not per packet. */
TVS_INLINE void tvs_session_renew(const struct tvs_worker *worker, struct tvs_record *record,
                                  uint32_t timeout_ticks)
{
    uint32_t expires = worker->now_tick + timeout_ticks;

    if (record->expires_tick != expires)
        record->expires_tick = expires;
}

TVS_INLINE bool tvs_session_expired(const struct tvs_record *record, uint32_t now_tick)
{
    return (int32_t)(now_tick - record->expires_tick) >= 0;
}

/* Frees a session; its port goes to the end of the queue. */
TVS_INLINE void tvs_session_close(struct tvs_worker *worker, struct tvs_record *record)
{
    uint32_t number = tvs_session_number(worker, record);

    tvs_table_remove(worker, record->hash, number);
    record->state = TVS_S_FREE;
    record->proto = 0;
    record->flags &= (uint16_t)~TVS_RECORD_TOA; /* the next session here may be of another class */
    if (TVS_UNLIKELY(number >= worker->own_records)) {
        worker->n_copies--;
        return;
    }
    worker->backend_active[record->backend]--;
    worker->n_sessions--;
    if (TVS_UNLIKELY(record->flags & TVS_RECORD_COUNTED))
        tvs_limits_uncount(worker, record);
    record->free_at = tvs_free_put(&worker->free, number);
}

/*
 * The next hop of `daddr_be` after routes changed. Kept out of line: it runs once per session and
 * direction after a change.
 */
static TVS_NOINLINE void tvs_session_reroute(const struct tvs_worker *worker,
                                             struct tvs_record *record)
{
    record->nexthop_request = worker->route(worker->fib, record->out.daddr_be);
    record->nexthop_reply = worker->route(worker->fib, record->in.saddr_be);
    record->fib_epoch = worker->fib_epoch;
}

/* A source that no reply could reach, or that would make us answer to everybody. */
TVS_INLINE bool tvs_source_is_martian(uint32_t saddr_be, uint32_t vip_be)
{
    uint8_t first = (uint8_t)(be32toh(saddr_be) >> 24);

    return first == 0 || first == 127 || first >= 224 || saddr_be == vip_be;
}

/* The pool's server for the session of `key`; NULL when none is up. */
TVS_INLINE const struct tvs_backend *tvs_schedule(uint8_t scheduler, const struct tvs_site *site,
                                                  const struct tvs_worker *worker,
                                                  const struct tvs_key *key, uint32_t hash,
                                                  uint32_t pool, uint32_t *next)
{
    const struct tvs_binding *binding = worker->binding;
    const struct tvs_ring *ring = __atomic_load_n(&binding->pools[pool]->ring, __ATOMIC_ACQUIRE);

    if (TVS_UNLIKELY(ring == NULL || ring->len == 0))
        return NULL;
    return &binding
                ->backends[tvs_schedule_pick(scheduler, site, worker, ring, key, hash, pool, next)];
}

/*
 * Opens the session of `key`, which is not in the table: server, local port, record. Returns NULL
 * with the reason, and without a trace, when something is missing.
 */
TVS_INLINE struct tvs_record *tvs_session_open(const struct tvs_class *class,
                                               const struct tvs_site *site,
                                               struct tvs_worker *worker, const struct tvs_key *key,
                                               uint32_t hash, const struct tvs_vip_entry *vip,
                                               enum tvs_drop *reason)
{
    const struct tvs_backend *backend;
    struct tvs_record *record;
    uint32_t number;
    uint32_t sorry = TVS_NO_POOL; /* the pool, when the server is of that one */
    uint32_t next = 0;
    uint16_t nexthop;

    *reason = TVS_DROP_session_limit;
    if (TVS_UNLIKELY(worker->n_sessions >= worker->max_sessions))
        return NULL;
    *reason = TVS_DROP_no_backend;
    backend = tvs_schedule(class->scheduler, site, worker, key, hash, vip->pool, &next);
    if (class->has_sorry && TVS_UNLIKELY(backend == NULL)) {
        sorry = site->sorry[vip->service];
        backend = tvs_schedule(class->sorry_schedule, site, worker, key, hash, sorry, &next);
    }
    if (TVS_UNLIKELY(backend == NULL))
        return NULL;
    *reason = TVS_DROP_no_local_port;
    if (TVS_UNLIKELY(tvs_free_count(&worker->free) == 0))
        return NULL;
    number = tvs_free_peek(&worker->free, 0);
    *reason = TVS_DROP_table_full;
    if (TVS_UNLIKELY(!tvs_table_insert(worker, hash, number)))
        return NULL;
    *reason = TVS_DROP_no_route;
    nexthop = worker->route(worker->fib, backend->addr_be);
    if (TVS_UNLIKELY(!worker->nexthops[nexthop].valid)) {
        tvs_table_remove(worker, hash, number);
        return NULL;
    }

    tvs_free_take(&worker->free);
    /* not a variable for either pool: to keep it costs the established path a register */
    if (sorry == TVS_NO_POOL ? tvs_schedule_has_turns(class->scheduler)
                             : tvs_schedule_has_turns(class->sorry_schedule))
        worker->ring_pos[sorry == TVS_NO_POOL ? vip->pool : sorry] = next;
    worker->n_sessions++;
    worker->backend_active[backend->id]++;
    worker->backend_opened[backend->id]++;
    worker->counters.sessions_opened++;
    if (class->has_sorry)
        worker->counters.sessions_sorry += sorry != TVS_NO_POOL;

    record = &worker->records[number];
    record->in = key->tuple;
    record->proto = class->proto;
    record->state = class->proto == TVS_TCP ? TVS_S_SYN : TVS_S_UDP;
    record->service = worker->binding->service_id[vip->service];
    record->out.saddr_be = worker->lip_addr_be[number >> 16];
    record->out.daddr_be = backend->addr_be;
    record->out.sport_be = htobe16((uint16_t)number);
    record->out.dport_be = backend->port_be;
    record->expires_tick = worker->now_tick + class->timeout_ticks[record->state];
    record->ip_delta = tvs_csum_delta_addresses(&record->in, &record->out);
    record->l4_delta = tvs_csum_delta_tuple(&record->in, &record->out);
    record->nexthop_request = nexthop;
    record->nexthop_reply = worker->route(worker->fib, key->tuple.saddr_be);
    record->backend = backend->id;
    record->fib_epoch = worker->fib_epoch;
    record->hash = hash;
    record->opened_tick = worker->now_tick;
    if (class->is_synced) {
        record->flags &= TVS_RECORD_QUEUED;
        record->told_tick = record->expires_tick;
    }
    if (tvs_class_has_toa(class))
        record->flags |= TVS_RECORD_TOA;
    if (class->has_limits)
        tvs_limits_count(worker, record);
    return record;
}

#endif
