/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker sends its peers, and when. */
#include "sync.h"

#include "core/wire.h"
#include "sync_message.h"
#include "sync_peer.h"

static size_t aligned(size_t bytes)
{
    return (bytes + TVS_CACHE_LINE - 1) & ~(size_t)(TVS_CACHE_LINE - 1);
}

size_t tvs_sync_bytes(uint32_t n_peers)
{
    return aligned(sizeof(struct tvs_sync)) + aligned(n_peers * sizeof(struct tvs_sync_peer)) +
           TVS_SYNC_WINDOW * TVS_SYNC_SESSIONS * sizeof(uint32_t);
}

/* Of our addresses those that some peer sends to: another port of ours is the kernel's. */
static void local_add(struct tvs_sync *sync, uint32_t local_be)
{
    for (unsigned i = 0; i < sync->n_local; i++)
        if (sync->local_be[i] == local_be)
            return;
    if (sync->n_local < TVS_MAX_PORTS)
        sync->local_be[sync->n_local++] = local_be;
}

static void peer_init(struct tvs_sync *sync, struct tvs_sync_peer *peer,
                      const struct tvs_gen_peer *from, uint64_t now)
{
    peer->node = (uint8_t)from->node;
    peer->challenge = tvs_sync_challenge(sync);
    peer->hello_at = now;
    for (uint16_t i = 0; i < from->n_paths && i < TVS_MAX_PORTS; i++) {
        const struct tvs_gen_sync_path *path = &from->paths[i];

        peer->paths[peer->n_paths++] = (struct tvs_sync_path){
            .local_be = htobe32(path->local),
            .remote_be = htobe32(path->remote),
            .source_port_be = htobe16(path->source_ports[sync->worker]),
        };
        tvs_sync_path_prepare(&peer->paths[i], sync->port_be);
        local_add(sync, peer->paths[i].local_be);
    }
}

struct tvs_sync *tvs_sync_init(void *memory, const struct tvs_sync_config *config,
                               struct tvs_worker *worker, uint64_t now)
{
    const struct tvs_generation *generation = config->generation;
    struct tvs_sync *sync = memory;
    uint8_t *peers = (uint8_t *)memory + aligned(sizeof(*sync));

    sync->port_be = htobe16(generation->sync.port);
    for (uint32_t i = 0; i < generation->n_ports && i < TVS_MAX_PORTS; i++)
        if (generation->ports[i].gateway != 0)
            sync->gateway_be[sync->n_gateways++] = htobe32(generation->ports[i].gateway);
    sync->node = (uint8_t)generation->node_index;
    sync->worker = (uint8_t)config->worker;
    sync->n_workers = generation->cores.n_workers;
    sync->n_peers = generation->sync.n_peers;
    sync->contract = generation->sync_contract;
    sync->epoch = config->epoch;
    tvs_mac_key_make(&sync->key, config->key);
    sync->cycles_per_ms = config->cycles_per_ms;
    sync->started = now;
    sync->due = now;
    sync->peers = (struct tvs_sync_peer *)peers;
    sync->log = (uint32_t(*)[TVS_SYNC_SESSIONS])(
        peers + aligned(sync->n_peers * sizeof(struct tvs_sync_peer)));
    memset(sync->peer_of_node, TVS_SYNC_NO_PEER, sizeof(sync->peer_of_node));
    for (uint32_t i = 0; i < sync->n_peers; i++) {
        peer_init(sync, &sync->peers[i], &generation->sync.peers[i], now);
        sync->peer_of_node[sync->peers[i].node] = (uint8_t)i;
    }
    worker->sync = sync;
    return sync;
}

/* ---- updates --------------------------------------------------------------------------------- */

static bool is_anyone_here(const struct tvs_sync *sync, uint64_t now)
{
    for (uint32_t i = 0; i < sync->n_peers; i++)
        if (tvs_sync_peer_is_here(sync, &sync->peers[i], now))
            return true;
    return false;
}

/*
 * The oldest of the queue, into the log and one message. Numbers and the log go on also when nobody
 * is here to hear it: who comes back then sees the gap.
 */
static void tell(struct tvs_sync *sync, struct tvs_worker *worker, const struct tvs_sync_io *io,
                 uint64_t now)
{
    uint64_t number = sync->updates + 1;
    uint32_t *log = sync->log[number % TVS_SYNC_WINDOW];
    bool is_heard = is_anyone_here(sync, now);
    struct tvs_sync_session nowhere, *session = &nowhere;
    struct tvs_sync_message message;
    uint32_t n;

    if (is_heard) {
        if (!tvs_sync_message_begin(sync, io, &message, TVS_SYNC_UPDATE, NULL, number))
            return; /* they stay queued */
        session = message.body;
    }
    n = tvs_sync_queue_take(&worker->sync_queue, log, TVS_SYNC_SESSIONS);
    for (uint32_t i = 0; i < n; i++)
        __builtin_prefetch(&worker->records[log[i]], 1);
    for (uint32_t i = 0; i < n; i++) {
        struct tvs_record *record = &worker->records[log[i]];
        bool is_told = tvs_sync_session_write(worker, session, record) || !is_heard;
        uint16_t flags = record->flags & (uint16_t)~TVS_RECORD_QUEUED;

        record->flags = is_told ? flags | TVS_RECORD_TOLD : flags;
        record->told_tick = is_told ? tvs_sync_told_tick(worker, record) : record->told_tick;
        session += is_told && is_heard;
    }
    sync->updates = number;
    sync->log_n[number % TVS_SYNC_WINDOW] = (uint8_t)n;
    if (!is_heard)
        return;
    message.n = (unsigned)(session - (struct tvs_sync_session *)message.body);
    sync->counters.told += message.n;
    tvs_sync_message_seal(sync, &message);
    tvs_sync_message_spread(sync, worker, io, &message, now);
}

/* One update that the peer has lost, under its own number, of what its sessions are now. */
static void tell_again(struct tvs_sync *sync, struct tvs_worker *worker,
                       const struct tvs_sync_io *io, struct tvs_sync_peer *peer)
{
    struct tvs_sync_session *session;
    struct tvs_sync_message message;
    uint64_t number = sync->updates;
    unsigned word;

    while (!(peer->wanted[word = number / 64 % TVS_SYNC_WINDOW_WORDS] >> number % 64 & 1))
        number--; /* n_wanted says that there is one among the last TVS_SYNC_WINDOW */
    peer->wanted[word] &= ~(UINT64_C(1) << number % 64);
    peer->n_wanted--;
    if (!tvs_sync_message_begin(sync, io, &message, TVS_SYNC_UPDATE, NULL, number))
        return;
    session = message.body;
    for (unsigned i = 0; i < sync->log_n[number % TVS_SYNC_WINDOW]; i++)
        message.n += tvs_sync_session_write(
            worker, &session[message.n], &worker->records[sync->log[number % TVS_SYNC_WINDOW][i]]);
    sync->counters.sent_again++;
    tvs_sync_message_seal(sync, &message);
    tvs_sync_message_send(sync, worker, io, &message, peer);
}

/* ---- what goes to one peer ------------------------------------------------------------------- */

static bool has_gateway(const struct tvs_sync *sync, const struct tvs_worker *worker)
{
    for (unsigned i = 0; i < sync->n_gateways; i++)
        if (worker->nexthops[worker->route(worker->fib, sync->gateway_be[i])].valid)
            return true;
    return false;
}

static void say_hello(struct tvs_sync *sync, struct tvs_worker *worker,
                      const struct tvs_sync_io *io, struct tvs_sync_peer *peer, uint64_t now)
{
    const struct tvs_sync_hello hello = {
        .challenge = peer->challenge, .answer = peer->answer, .updates = sync->updates};
    struct tvs_sync_message message;
    bool is_here = tvs_sync_peer_is_here(sync, peer, now);

    peer->helloed = now;
    peer->hello_at = now + (is_here ? TVS_SYNC_HELLO_MS : TVS_SYNC_SEARCH_MS) * sync->cycles_per_ms;
    if (!is_here) /* perhaps another way leads there */
        peer->via = (uint8_t)((peer->via + 1) % peer->n_paths);
    if (!tvs_sync_message_begin(sync, io, &message, TVS_SYNC_HELLO, peer, ++peer->sent))
        return;
    memcpy(message.body, &hello, sizeof(hello));
    message.body_bytes = sizeof(hello);
    tvs_sync_message_seal(sync, &message);
    if (tvs_sync_message_send(sync, worker, io, &message, peer) && peer->asked == 0)
        peer->asked = now;
    if (sync->linked == 0 && (peer->asked != 0 || has_gateway(sync, worker)))
        sync->linked = now;
}

static void ask_for_all(struct tvs_sync *sync, struct tvs_worker *worker,
                        const struct tvs_sync_io *io, struct tvs_sync_peer *peer, uint64_t now)
{
    struct tvs_sync_message message;

    peer->pull_at = now + TVS_SYNC_PULL_MS * sync->cycles_per_ms;
    if (!tvs_sync_message_begin(sync, io, &message, TVS_SYNC_PULL, peer, ++peer->sent))
        return;
    message.header->cursor = peer->pull_cursor;
    message.header->question = peer->pull_question;
    tvs_sync_message_seal(sync, &message);
    tvs_sync_message_send(sync, worker, io, &message, peer);
}

static void ask_again(struct tvs_sync *sync, struct tvs_worker *worker,
                      const struct tvs_sync_io *io, struct tvs_sync_peer *peer, uint64_t now)
{
    uint64_t oldest = tvs_sync_window_oldest(&peer->window);
    struct tvs_sync_message message;
    struct tvs_sync_again again;

    if (oldest != peer->again_oldest) { /* on a bad link there is always some gap, another one */
        peer->again_oldest = oldest;
        peer->again_tries = 0;
    }
    peer->again_at = now + TVS_SYNC_AGAIN_MS * sync->cycles_per_ms;
    if (peer->again_tries++ == TVS_SYNC_AGAIN_TRIES) {
        tvs_sync_window_start(&peer->window, peer->window.next);
        tvs_sync_pull_start(sync, peer, now);
        return;
    }
    if (!tvs_sync_message_begin(sync, io, &message, TVS_SYNC_AGAIN, peer, ++peer->sent))
        return;
    again.next = peer->window.next;
    memcpy(again.seen, peer->window.seen, sizeof(again.seen));
    memcpy(message.body, &again, sizeof(again));
    message.body_bytes = sizeof(again);
    sync->counters.asked_again++;
    tvs_sync_message_seal(sync, &message);
    tvs_sync_message_send(sync, worker, io, &message, peer);
}

/*
 * The next of all that is here: as many sessions as fit, of as many buckets as a turn may see. They
 * are found by the forward table, which is as large as the sessions that there may be; records are
 * as many as ports. A session that goes over to its other bucket meanwhile is told of by itself.
 */
static void answer_bulk(struct tvs_sync *sync, struct tvs_worker *worker,
                        const struct tvs_sync_io *io, struct tvs_sync_peer *peer)
{
    struct tvs_sync_session *session;
    uint32_t found[TVS_SYNC_SESSIONS];
    struct tvs_sync_message message;
    uint32_t n_buckets = worker->bucket_mask + 1;
    uint32_t at = peer->bulk_cursor;
    uint32_t end =
        at < n_buckets && n_buckets - at > TVS_SYNC_SCAN ? at + TVS_SYNC_SCAN : n_buckets;
    unsigned n = 0;

    if (!tvs_sync_message_begin(sync, io, &message, TVS_SYNC_BULK, peer, ++peer->sent))
        return;
    peer->wants_bulk = false;
    session = message.body;
    for (; at < end && n + TVS_BUCKET_SLOTS <= TVS_SYNC_SESSIONS; at++)
        for (unsigned slot = 0; slot < TVS_BUCKET_SLOTS; slot++) {
            const struct tvs_bucket *bucket = &worker->buckets[at];

            if (bucket->sig[slot] == 0)
                continue;
            found[n] = bucket->record[slot];
            __builtin_prefetch(&worker->records[found[n++]]);
        }
    for (unsigned i = 0; i < n; i++)
        message.n +=
            tvs_sync_session_write(worker, &session[message.n], &worker->records[found[i]]);
    message.header->cursor = at < n_buckets ? at : TVS_SYNC_END;
    message.header->question = peer->bulk_question;
    tvs_sync_message_seal(sync, &message);
    tvs_sync_message_send(sync, worker, io, &message, peer);
}

/* ---- when ------------------------------------------------------------------------------------ */

static bool is_past(const struct tvs_sync *sync, uint64_t now, uint64_t since, uint64_t ms)
{
    return since != 0 && now - since >= ms * sync->cycles_per_ms;
}

/*
 * Whether every peer that is there has told what it has. The time that a peer is given begins when
 * it can be asked: links and neighbours need seconds of their own.
 */
static bool has_found_all(const struct tvs_sync *sync, uint64_t now)
{
    if (is_past(sync, now, sync->started, TVS_SYNC_READY_MS))
        return true;
    for (uint32_t i = 0; i < sync->n_peers; i++) {
        const struct tvs_sync_peer *peer = &sync->peers[i];
        bool is_found =
            tvs_sync_peer_is_here(sync, peer, now)
                ? peer->pull == TVS_SYNC_PULL_DONE
                : is_past(sync, now, peer->asked, TVS_SYNC_FIND_MS) ||
                      (peer->asked == 0 && is_past(sync, now, sync->linked, TVS_SYNC_ROUTE_MS));

        if (!is_found)
            return false;
    }
    return true;
}

static bool is_pulling(const struct tvs_sync *sync, const struct tvs_sync_peer *peer, uint64_t now)
{
    return peer->pull == TVS_SYNC_PULL_GOES_ON && tvs_sync_peer_is_here(sync, peer, now);
}

static bool has_gap(const struct tvs_sync *sync, const struct tvs_sync_peer *peer, uint64_t now)
{
    return peer->window.missing > 0 && tvs_sync_peer_is_here(sync, peer, now);
}

static void earlier(uint64_t *due, uint64_t at)
{
    if (at < *due)
        *due = at;
}

void tvs_sync_reckon(struct tvs_sync *sync, uint64_t now)
{
    uint64_t due = sync->flush_at != 0 ? sync->flush_at : UINT64_MAX;
    bool asked = false;

    for (uint32_t i = 0; i < sync->n_peers; i++) {
        struct tvs_sync_peer *peer = &sync->peers[i];

        asked |= peer->wants_bulk || peer->n_wanted > 0;
        earlier(&due, peer->hello_at);
        if (is_pulling(sync, peer, now))
            earlier(&due, peer->pull_at);
        if (!has_gap(sync, peer, now)) {
            peer->again_at = 0;
            peer->again_tries = 0;
        } else {
            if (peer->again_at == 0) /* it may be late only */
                peer->again_at = now + TVS_SYNC_AGAIN_MS * sync->cycles_per_ms;
            earlier(&due, peer->again_at);
        }
    }
    if (!sync->ready) {
        __atomic_store_n(&sync->ready, has_found_all(sync, now), __ATOMIC_RELEASE);
        earlier(&due, now + TVS_SYNC_SEARCH_MS * sync->cycles_per_ms);
    }
    sync->asked = asked;
    sync->due = due;
}

static void serve(struct tvs_sync *sync, struct tvs_worker *worker, const struct tvs_sync_io *io,
                  struct tvs_sync_peer *peer, uint64_t now)
{
    if (now >= peer->hello_at)
        say_hello(sync, worker, io, peer, now);
    if (is_pulling(sync, peer, now) && now >= peer->pull_at)
        ask_for_all(sync, worker, io, peer, now);
    if (has_gap(sync, peer, now) && peer->again_at != 0 && now >= peer->again_at)
        ask_again(sync, worker, io, peer, now);
}

/* One answer a turn, the peers by turns. */
static void answer_one(struct tvs_sync *sync, struct tvs_worker *worker,
                       const struct tvs_sync_io *io)
{
    for (uint32_t i = 0; i < sync->n_peers; i++) {
        struct tvs_sync_peer *peer = &sync->peers[sync->next_answer];

        sync->next_answer = sync->next_answer + 1 < sync->n_peers ? sync->next_answer + 1 : 0;
        if (peer->n_wanted > 0)
            tell_again(sync, worker, io, peer);
        else if (peer->wants_bulk)
            answer_bulk(sync, worker, io, peer);
        else
            continue;
        return;
    }
}

void tvs_sync_turn(struct tvs_sync *sync, struct tvs_worker *worker, const struct tvs_sync_io *io,
                   uint64_t now)
{
    uint32_t queued = tvs_sync_queue_count(&worker->sync_queue);

    if (queued >= TVS_SYNC_SESSIONS || (queued > 0 && sync->flush_at != 0 && now >= sync->flush_at))
        tell(sync, worker, io, now);
    if (tvs_sync_queue_count(&worker->sync_queue) == 0)
        sync->flush_at = 0;
    else if (sync->flush_at == 0)
        sync->flush_at = now + TVS_SYNC_FLUSH_MS * sync->cycles_per_ms;
    if (sync->asked)
        answer_one(sync, worker, io);
    if (now >= sync->due)
        for (uint32_t i = 0; i < sync->n_peers; i++)
            serve(sync, worker, io, &sync->peers[i], now);
    tvs_sync_reckon(sync, now);
}
