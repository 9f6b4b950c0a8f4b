/* SPDX-License-Identifier: Apache-2.0 */
#include "sync_learn.h"

#include "core/backend_index.h"
#include "core/session.h"
#include "core/vip.h"

enum {
    /* ages of one moment, told and compared by two clocks, differ by no more */
    TRANSIT_TICKS = 3,
    /* by so much less age it is another session of the same addresses, not the same one */
    ANOTHER_TICKS = 20,
};

/* Where a session of a message is, or would be. */
struct place {
    uint32_t number; /* its record's; TVS_NO_RECORD: it cannot be */
    uint32_t hash;
};

static bool state_is_possible(uint8_t proto, uint8_t state)
{
    if (proto == TVS_UDP)
        return state == TVS_S_UDP;
    return proto == TVS_TCP && state >= TVS_S_ESTABLISHED && state <= TVS_S_RESET;
}

/* The record that the local address names, if it can be a session's on this worker. */
static uint32_t number_of(const struct tvs_worker *worker, const struct tvs_sync_session *session)
{
    const struct tvs_site *site = worker->binding->site;
    uint32_t offset = be32toh(session->out.saddr_be) - site->lip_base;
    uint16_t port = be16toh(session->out.sport_be);
    const struct tvs_lip_entry *lip;

    if (offset >= site->lip_count || port < worker->port_first || port > worker->port_last ||
        !state_is_possible(session->proto, session->state) || session->left_ticks > INT32_MAX)
        return TVS_NO_RECORD;
    lip = &site->lips[offset];
    if (lip->worker != worker->index || lip->slot >= worker->n_slots)
        return TVS_NO_RECORD;
    return (uint32_t)lip->slot << 16 | port;
}

static void key_of(const struct tvs_sync_session *session, struct tvs_key *key)
{
    const uint8_t *tuple = (const uint8_t *)&session->in;

    tvs_key_set(key, tvs_load64(tuple), tvs_key_high(tvs_load32(tuple + 8), session->proto));
}

static bool is_same(const struct tvs_record *record, const struct tvs_sync_session *session)
{
    return record->proto == session->proto &&
           memcmp(&record->in, &session->in, sizeof(record->in)) == 0 &&
           memcmp(&record->out, &session->out, sizeof(record->out)) == 0;
}

/* Second pass: only what is not in its record needs its bucket, which is as cold. */
static void place_find(const struct tvs_worker *worker, const struct tvs_sync_session *session,
                       struct place *place)
{
    struct tvs_key key;

    key_of(session, &key);
    place->hash = tvs_key_hash(&key, worker->hash_key);
    if (!is_same(&worker->records[place->number], session))
        __builtin_prefetch(&worker->buckets[tvs_table_first(worker, place->hash)], 1);
}

/* By how many ticks what a peer tells of began after what is here, as far as ages can be told. */
static int32_t younger_by(const struct tvs_worker *worker, const struct tvs_record *record,
                          const struct tvs_sync_session *session)
{
    uint32_t age = worker->now_tick - record->opened_tick;

    return (int32_t)(age < UINT16_MAX ? age : UINT16_MAX) - (int32_t)session->age_ticks;
}

/*
 * Whether what a peer tells of takes the place of another session: the younger does. Of two that
 * began together one that is over or never was established gives way; so does a mere copy, since
 * the peer, who has one session per client address and port, has it no more; else the one that has
 * been silent for longer.
 */
static bool takes_place(const struct tvs_worker *worker, const struct tvs_record *record,
                        const struct tvs_sync_session *session)
{
    int32_t by = younger_by(worker, record, session);
    uint32_t expires = worker->now_tick + session->left_ticks;
    bool is_copy =
        record->flags & TVS_RECORD_TOLD && (int32_t)(record->told_tick - record->expires_tick) >= 0;
    bool is_alive = record->state == TVS_S_ESTABLISHED || record->state == TVS_S_UDP;

    if (tvs_session_expired(record, worker->now_tick) || by > TRANSIT_TICKS)
        return true;
    return by >= -TRANSIT_TICKS &&
           (!is_alive || is_copy || (int32_t)(expires - record->expires_tick) > 0);
}

/* Clocks drift apart over hours: only a state that went back tells of another life. */
static bool is_same_life(const struct tvs_worker *worker, const struct tvs_record *record,
                         const struct tvs_sync_session *session)
{
    return is_same(record, session) && !tvs_session_expired(record, worker->now_tick) &&
           (session->state >= record->state ||
            younger_by(worker, record, session) <= ANOTHER_TICKS);
}

/*
 * The later state counts, so that the order of two messages does not matter; both ends having
 * finished is more than either.
 */
static uint8_t later_state(uint8_t here, uint8_t there)
{
    if ((here == TVS_S_FIN_CLIENT && there == TVS_S_FIN_SERVER) ||
        (here == TVS_S_FIN_SERVER && there == TVS_S_FIN_CLIENT))
        return TVS_S_CLOSED;
    return here > there ? here : there;
}

static void renew(const struct tvs_worker *worker, struct tvs_record *record,
                  const struct tvs_sync_session *session)
{
    uint32_t expires = worker->now_tick + session->left_ticks;
    uint8_t state = later_state(record->state, session->state);

    /* a new state has its own, shorter time; in the same state the longer one is the fresher */
    if (state != record->state ||
        (state == session->state && (int32_t)(expires - record->expires_tick) > 0))
        record->expires_tick = expires;
    record->state = state;
    record->told_tick = expires; /* the peer's copy, whatever ours */
    record->flags |= TVS_RECORD_TOLD;
}

/* The id of the session's server: one of the service's pool or of its sorry pool. */
static bool backend_find(const struct tvs_binding *binding, const struct tvs_vip_entry *vip,
                         const struct tvs_sync_session *session, uint32_t *backend)
{
    const struct tvs_backend_index *index = binding->backend_index;
    const uint16_t *sorry = binding->site->sorry;
    uint32_t address_be = session->out.daddr_be;
    uint16_t port_be = session->out.dport_be;

    return tvs_backend_index_find(index, vip->pool, address_be, port_be, backend) ||
           (sorry != NULL && sorry[vip->service] != TVS_NO_POOL &&
            tvs_backend_index_find(index, sorry[vip->service], address_be, port_be, backend));
}

/* Everything that a session needs here. Returns the counter of what it lacks, NULL: installed. */
static uint64_t *install(struct tvs_sync *sync, struct tvs_worker *worker,
                         const struct tvs_sync_session *session, const struct place *place)
{
    struct tvs_record *record = &worker->records[place->number];
    const struct tvs_binding *binding = worker->binding;
    const struct tvs_vip_entry *vip = tvs_vip_find(binding->site, be32toh(session->in.daddr_be),
                                                   be16toh(session->in.dport_be), session->proto);
    uint32_t backend;

    if (vip == NULL)
        return &sync->counters.no_service;
    if (!backend_find(binding, vip, session, &backend))
        return &sync->counters.no_server;
    if (!tvs_table_insert(worker, place->hash, place->number))
        return &sync->counters.no_room;
    if (place->number < worker->own_records) {
        tvs_free_remove(worker, place->number);
        worker->n_sessions++;
        worker->backend_active[backend]++;
    } else {
        worker->n_copies++;
    }
    record->in = session->in;
    record->proto = session->proto;
    record->state = session->state;
    record->service = binding->service_id[vip->service];
    record->out = session->out;
    record->expires_tick = worker->now_tick + session->left_ticks;
    record->ip_delta = tvs_csum_delta_addresses(&record->in, &record->out);
    record->l4_delta = tvs_csum_delta_tuple(&record->in, &record->out);
    record->nexthop_request = 0;
    record->nexthop_reply = 0;
    record->backend = backend;
    record->fib_epoch = 0; /* both next hops are looked up by the first packet */
    record->flags = (record->flags & TVS_RECORD_QUEUED) | TVS_RECORD_TOLD;
    record->hash = place->hash;
    record->opened_tick = worker->now_tick - session->age_ticks;
    record->told_tick = record->expires_tick;
    if (place->number < worker->own_records)
        tvs_limits_count(worker, record);
    return NULL;
}

/* Third pass. What stands in its way is another session of the same place or the same client. */
static void learn(struct tvs_sync *sync, struct tvs_worker *worker,
                  const struct tvs_sync_session *session, const struct place *place)
{
    struct tvs_record *record = &worker->records[place->number];
    struct tvs_key key;
    uint32_t other;
    uint64_t *lack;

    if (place->number == TVS_NO_RECORD) {
        sync->counters.bad_session++;
        return;
    }
    if (record->state != TVS_S_FREE) {
        if (is_same_life(worker, record, session)) {
            renew(worker, record, session);
            sync->counters.renewed++;
            return;
        }
        if (!takes_place(worker, record, session)) {
            sync->counters.stale++;
            return;
        }
        tvs_session_close(worker, record);
    }
    key_of(session, &key);
    other = tvs_table_find(worker, place->hash, &key);
    if (other != TVS_NO_RECORD) {
        if (!takes_place(worker, &worker->records[other], session)) {
            sync->counters.stale++;
            return;
        }
        tvs_session_close(worker, &worker->records[other]);
    }
    lack = install(sync, worker, session, place);
    ++*(lack != NULL ? lack : &sync->counters.learned);
}

/* Passes, so that the misses of one session are waited for while others are worked on. */
void tvs_sync_learn(struct tvs_sync *sync, struct tvs_worker *worker,
                    const struct tvs_sync_session *sessions, unsigned n)
{
    struct place places[TVS_SYNC_SESSIONS];

    for (unsigned i = 0; i < n; i++) {
        places[i].number = number_of(worker, &sessions[i]);
        __builtin_prefetch(&worker->records[places[i].number], 1);
    }
    for (unsigned i = 0; i < n; i++)
        place_find(worker, &sessions[i], &places[i]);
    for (unsigned i = 0; i < n; i++)
        learn(sync, worker, &sessions[i], &places[i]);
}
