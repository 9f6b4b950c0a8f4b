/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sync.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/loops.h"
#include "bench/print.h"
#include "core/session.h"

enum {
    REPEAT_PACKETS = 16384, /* timed or not, at least */
    MAX_CHUNKS = REPEAT_PACKETS / 64 + 1,
    HELLO_MS = 1000,
    LEFT_TICKS = 1000,    /* as the peers tell it */
    MOST_PACKETS = 32768, /* of a chunk: the peers' messages meanwhile have room */
};

/* The packets of a session. */
static const struct {
    bool is_reply;
    uint8_t flags;
} packet_of[BENCH_SESSION_PACKETS] = {
    {false, TVS_TCP_SYN},
    {true, TVS_TCP_SYN | TVS_TCP_ACK},
    {false, TVS_TCP_ACK},
    {false, TVS_TCP_ACK},
    {true, TVS_TCP_ACK},
    {false, TVS_TCP_ACK},
    {true, TVS_TCP_ACK},
    {false, TVS_TCP_FIN | TVS_TCP_ACK},
    {true, TVS_TCP_FIN | TVS_TCP_ACK},
    {false, TVS_TCP_ACK},
};

/* What a node tells of a session, and the packet after which it does. */
static const struct {
    uint8_t state;
    uint8_t packet;
} telling[] = {{TVS_S_ESTABLISHED, 2}, {TVS_S_FIN_CLIENT, 7}, {TVS_S_CLOSED, 8}};
enum { N_TELLING = sizeof(telling) / sizeof(telling[0]) };

size_t bench_sync_bytes(void)
{
    return bench_peers_bytes();
}

/* ---- the engine's time ----------------------------------------------------------------------- */

static void clock_stop(struct bench_sync *sync)
{
    sync->paused_at = __rdtsc();
}

static void clock_go(struct bench_sync *sync)
{
    sync->paused += __rdtsc() - sync->paused_at;
}

/* The engine's clock goes on while the bench's stands. */
static void clock_pass(struct bench_sync *sync, uint64_t cycles)
{
    sync->paused_at += cycles;
}

static uint64_t stopped_now(const struct bench_sync *sync)
{
    return sync->paused_at - sync->paused;
}

/* ---- our sessions ---------------------------------------------------------------------------- */

static void frame_write(struct bench_run *run, uint32_t packet, const struct bench_flow *flow)
{
    (packet_of[flow->n_packets].is_reply ? bench_write_reply : bench_write_request)(
        &run->traffic, bench_frame_of(run, packet), run->options->frame_bytes, flow,
        packet_of[flow->n_packets].flags);
}

/* The session has ended. The sweep would free it when it has been CLOSED for so long. */
static void flow_end(struct bench_run *run, struct bench_flow *flow)
{
    struct bench_sync *sync = run->sync;
    struct bench_flow *place = &sync->ended[sync->n_ended++ % sync->ended_size];

    if (sync->n_ended > sync->ended_size)
        tvs_session_close(run->worker, bench_record_of(run, place));
    *place = *flow;
    *flow = bench_flow_fresh(&run->traffic);
}

/* What packet `packet` of the pool has made of the flow. */
static void flow_advance(struct bench_run *run, uint32_t packet, struct bench_flow *flow)
{
    if (flow->n_packets == 0)
        bench_flow_learn(flow, run->sent[packet]);
    if (++flow->n_packets == BENCH_SESSION_PACKETS)
        flow_end(run, flow);
}

static bool all_sent(const struct bench_run *run, const struct tvs_counters *before, uint32_t n)
{
    const struct tvs_counters *now = &run->worker->counters;

    return now->tx_request + now->tx_reply - before->tx_request - before->tx_reply == n;
}

static const char *wrong_packets = "packets of sessions under way were not forwarded";

/* So many packets more of each flow: by turns 0 to 9, in random order. */
static const char *flows_spread(struct bench_run *run)
{
    uint32_t n_flows = run->traffic.n_flows, n_pool = run->options->n_packets;

    bench_flows_shuffle(&run->traffic);
    for (uint32_t turn = 1; turn < BENCH_SESSION_PACKETS; turn++)
        for (uint32_t at = 0; at < n_flows;) {
            struct tvs_counters before = run->worker->counters;
            uint32_t n = 0, from = at;

            for (; at < n_flows && n < n_pool; at++)
                if (at % BENCH_SESSION_PACKETS >= turn)
                    frame_write(run, n++, &run->traffic.flows[at]);
            if (n > 0)
                bench_timed(run, BENCH_SITE, n);
            if (!all_sent(run, &before, n))
                return wrong_packets;
            n = 0;
            for (uint32_t i = from; i < at; i++)
                if (i % BENCH_SESSION_PACKETS >= turn)
                    flow_advance(run, n++, &run->traffic.flows[i]);
        }
    bench_flows_shuffle(&run->traffic);
    return NULL;
}

/* ---- the peers' sessions --------------------------------------------------------------------- */

static uint32_t place_of(const struct bench_sync *sync, uint64_t number)
{
    return (uint32_t)(number % sync->n_places * sync->step % sync->n_places);
}

static uint32_t record_at(const struct bench_sync *sync, uint32_t place)
{
    const struct tvs_worker *worker = sync->peers.worker;
    uint32_t n_ports = (uint32_t)worker->port_last - worker->port_first + 1;

    return worker->own_records + (place / n_ports << 16) + worker->port_first + place % n_ports;
}

/* A peer opens a session, and one that it told of long ago is swept. */
static const struct tvs_sync_session *session_open(struct bench_run *run)
{
    struct bench_sync *sync = run->sync;
    const struct tvs_node *node = run->node;
    const struct tvs_gen_pool *pool = &node->generation->pools[sync->pool];
    const struct bench_flow flow = bench_flow_fresh(&run->traffic);
    uint64_t number = sync->n_sessions++;
    uint32_t place = place_of(sync, number), record = record_at(sync, place);
    const struct tvs_backend *backend =
        &node->backends[node->first_backend[sync->pool] + number % pool->n_backends];

    if (number >= sync->lag_free)
        tvs_session_close(
            run->worker,
            &run->worker->records[record_at(sync, place_of(sync, number - sync->lag_free))]);
    sync->session[place] = (struct tvs_sync_session){
        .in = bench_flow_tuple(&run->traffic, &flow, false),
        .out = {.saddr_be = htobe32(sync->peers.lip[record >> 16]),
                .daddr_be = backend->addr_be,
                .sport_be = htobe16((uint16_t)record),
                .dport_be = backend->port_be},
        .proto = run->traffic.proto,
        .state = telling[0].state,
        .left_ticks = LEFT_TICKS,
    };
    return &sync->session[place];
}

/* What a peer tells next: by turns of one that is new, and of others that have gone on. */
static struct tvs_sync_session next_told(struct bench_run *run)
{
    struct bench_sync *sync = run->sync;
    uint32_t kind = sync->entry++ % N_TELLING;
    struct tvs_sync_session session;

    if (kind == 0 || sync->n_sessions <= sync->lag[kind])
        return *session_open(run);
    session = sync->session[place_of(sync, sync->n_sessions - 1 - sync->lag[kind])];
    session.state = telling[kind].state;
    return session;
}

static void messages_make(struct bench_run *run, uint32_t n)
{
    struct tvs_sync_session sessions[TVS_SYNC_SESSIONS];

    for (; n > 0; n--) {
        for (unsigned i = 0; i < TVS_SYNC_SESSIONS; i++)
            sessions[i] = next_told(run);
        bench_peers_tell(&run->sync->peers, sessions, TVS_SYNC_SESSIONS);
    }
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    return b == 0 ? a : common_divisor(b, a % b);
}

/* As many under way as here, their packets as far apart. */
static const char *sessions_start(struct bench_run *run)
{
    struct bench_sync *sync = run->sync;
    const struct tvs_worker *worker = run->worker;
    uint32_t n_flows = run->traffic.n_flows;

    sync->n_places = (worker->n_slots - (worker->own_records >> 16)) *
                     ((uint32_t)worker->port_last - worker->port_first + 1);
    sync->step = (uint32_t)(sync->n_places * 0.618);
    while (common_divisor(sync->n_places, sync->step) != 1)
        sync->step++;
    for (unsigned i = 1; i < N_TELLING; i++)
        sync->lag[i] = (uint32_t)((uint64_t)n_flows * (telling[i].packet - telling[0].packet) /
                                  BENCH_SESSION_PACKETS);
    sync->lag_free = n_flows * 9 / 10 + 2 * TVS_SYNC_SESSIONS; /* not before its end was heard */
    sync->session = calloc(sync->n_places, sizeof(*sync->session));
    if (sync->session == NULL)
        return "not enough memory for the peers' sessions";
    while (sync->n_sessions < sync->lag_free) {
        messages_make(run, 1);
        bench_peers_hear_all(&sync->peers, stopped_now(sync));
    }
    return bench_peers_refused(&sync->peers) == 0 ? NULL : "sessions of peers were not taken";
}

/* ---- subjects -------------------------------------------------------------------------------- */

/* Nothing is left to be told. */
static void queue_drain(struct bench_run *run)
{
    struct bench_sync *sync = run->sync;

    while (tvs_sync_queue_count(&run->worker->sync_queue) > 0) {
        clock_pass(sync, (TVS_SYNC_FLUSH_MS + 1) * sync->cycles_per_ms);
        tvs_sync_turn(sync->peers.sync, run->worker, &sync->peers.io, stopped_now(sync));
    }
}

static void subject_set(struct bench_run *run, enum bench_subject subject)
{
    struct bench_sync *sync = run->sync;
    bool has_sync = subject != BENCH_SITE;

    if (!has_sync)
        queue_drain(run);
    sync->subject = subject;
    run->worker->sync = has_sync ? sync->peers.sync : NULL;
    run->worker->sync_queue.capacity = has_sync ? TVS_SYNC_QUEUE : 0;
    if (!has_sync)
        return;
    /* outside of what is measured: a message of each peer in a second */
    if (stopped_now(sync) - sync->helloed >= HELLO_MS * sync->cycles_per_ms) {
        bench_peers_hello(&sync->peers, stopped_now(sync));
        sync->helloed = stopped_now(sync);
    }
}

void bench_sync_go(struct bench_run *run)
{
    subject_set(run, BENCH_TELLS);
    queue_drain(run);
    clock_go(run->sync);
}

void bench_sync_rest(struct bench_run *run)
{
    clock_stop(run->sync);
}

void bench_sync_tell_new(struct bench_run *run)
{
    struct tvs_sync_session sessions[TVS_SYNC_SESSIONS];

    for (unsigned i = 0; i < TVS_SYNC_SESSIONS; i++)
        sessions[i] = *session_open(run);
    bench_peers_tell(&run->sync->peers, sessions, TVS_SYNC_SESSIONS);
}

/* Not the youngest, which are in the cache. */
void bench_sync_tell_known(struct bench_run *run)
{
    struct bench_sync *sync = run->sync;
    struct tvs_sync_session sessions[TVS_SYNC_SESSIONS];

    for (unsigned i = 0; i < TVS_SYNC_SESSIONS; i++)
        sessions[i] = sync->session[place_of(
            sync, sync->n_sessions - 1 - bench_random(&run->traffic, sync->lag_free))];
    bench_peers_tell(&sync->peers, sessions, TVS_SYNC_SESSIONS);
}

static void count_states(struct bench_sync *sync, uint64_t from)
{
    struct bench_sync_counts *counts = &sync->counts[sync->subject];
    uint64_t to = sync->peers.n_sent;

    if (to - from > BENCH_SENT_FRAMES)
        from = to - BENCH_SENT_FRAMES;
    for (; from < to; from++) {
        const struct tvs_sync_header *header = bench_peers_sent(&sync->peers, from);
        const struct tvs_sync_session *session = (const struct tvs_sync_session *)(header + 1);

        if (header->kind == TVS_SYNC_UPDATE)
            for (unsigned i = 0; i < header->n; i++)
                counts->of_state[session[i].state]++;
    }
}

static void count(struct bench_sync *sync, const struct tvs_sync_counters *before, uint32_t packets)
{
    const struct tvs_sync_counters *now = &sync->peers.sync->counters;
    struct bench_sync_counts *counts = &sync->counts[sync->subject];

    counts->packets += packets;
    counts->told += now->told - before->told;
    counts->messages += sync->peers.sync->updates - sync->updates_before;
    counts->sent += now->sent - before->sent;
    counts->sent_bytes += now->sent_bytes - before->sent_bytes;
    counts->learned += now->learned - before->learned;
    counts->renewed += now->renewed - before->renewed;
    counts->heard += sync->peers.n_heard - sync->heard_before;
}

/* The next packet of each of some flows that follow one another. */
static const char *chunk_run(struct bench_run *run, enum bench_subject subject, double *cycles)
{
    struct bench_sync *sync = run->sync;
    struct bench_traffic *traffic = &run->traffic;
    struct bench_flow *flows = traffic->flows + sync->cursor;
    uint32_t left = traffic->n_flows - sync->cursor;
    uint32_t most = run->options->n_packets < MOST_PACKETS ? run->options->n_packets : MOST_PACKETS;
    uint32_t n = left < most ? left : most;
    struct tvs_counters before = run->worker->counters;
    struct tvs_sync_counters sync_before;
    uint64_t sent_before, lost = run->worker->sync_queue.lost;

    subject_set(run, subject);
    if (subject == BENCH_LEARNS) /* at least as many as can be told of meanwhile */
        messages_make(run, n * N_TELLING / BENCH_SESSION_PACKETS * 5 / 4 / TVS_SYNC_SESSIONS + 1);
    for (uint32_t i = 0; i < n; i++)
        frame_write(run, i, &flows[i]);
    sync_before = sync->peers.sync->counters;
    sent_before = sync->peers.n_sent;
    sync->updates_before = sync->peers.sync->updates;
    sync->heard_before = sync->peers.n_heard;
    clock_go(sync);
    *cycles = bench_timed(run, subject, n);
    clock_stop(sync);
    count(sync, &sync_before, n);
    count_states(sync, sent_before);
    bench_peers_hear_all(&sync->peers, stopped_now(sync));
    if (!all_sent(run, &before, n))
        return wrong_packets;
    if (subject != BENCH_SITE &&
        (run->worker->sync_queue.lost != lost || bench_peers_refused(&sync->peers) != 0))
        return "session sync lost or refused something";
    for (uint32_t i = 0; i < n; i++) {
        sync->counts[subject].opened += flows[i].n_packets == 0;
        flow_advance(run, i, &flows[i]);
    }
    sync->cursor += n;
    if (sync->cursor == traffic->n_flows) {
        sync->cursor = 0;
        bench_flows_shuffle(traffic);
    }
    return NULL;
}

const char *bench_sync_repeat(struct bench_run *run, enum bench_subject subject, double *cycles)
{
    double spent[MAX_CHUNKS];
    uint64_t packets = run->sync->counts[subject].packets + REPEAT_PACKETS;
    const char *wrong = NULL;
    uint32_t n = 0;

    run->is_syncing = true;
    for (; run->sync->counts[subject].packets < packets && n < MAX_CHUNKS && wrong == NULL; n++)
        wrong = chunk_run(run, subject, &spent[n]);
    run->is_syncing = false;
    if (wrong == NULL && subject == BENCH_TELLS && run->sync->counts[subject].told == 0)
        wrong = "the generation's classes are not synced";
    *cycles = bench_figure_of(spent, n).median;
    return wrong;
}

/* ---- life ------------------------------------------------------------------------------------ */

static const char *sync_open(struct bench_run *run)
{
    struct bench_sync *sync = calloc(1, sizeof(*sync));
    const struct tvs_gen_service *services = run->node->generation->services;
    uint32_t service = 0;
    const char *wrong;

    if (sync == NULL)
        return "not enough memory for session sync";
    run->sync = sync;
    sync->ended_size = run->traffic.n_flows / 8;
    sync->ended = calloc(sync->ended_size, sizeof(*sync->ended));
    if (sync->ended == NULL)
        return "not enough memory for session sync";
    while (htobe32(services[service].vip) != run->traffic.vip_be ||
           htobe16(services[service].port) != run->traffic.vip_port_be ||
           services[service].proto != run->traffic.proto)
        service++;
    sync->pool = services[service].pool;
    sync->cycles_per_ms = (uint64_t)(run->tsc_hz / 1000);
    clock_stop(sync);
    wrong = bench_peers_open(&sync->peers, run->node->generation, run->worker, sync->cycles_per_ms,
                             run->options->small_pages, stopped_now(sync));
    clock_pass(sync, 100 * sync->cycles_per_ms); /* which they took to meet */
    sync->helloed = stopped_now(sync);
    run->worker->now_tick += 1;
    return wrong != NULL ? wrong : sessions_start(run);
}

const char *bench_sync_begin(struct bench_run *run)
{
    const char *wrong;

    if (run->sync != NULL) {
        memset(run->sync->counts, 0, sizeof(run->sync->counts));
        return NULL;
    }
    wrong = sync_open(run);
    if (wrong != NULL)
        return wrong;
    subject_set(run, BENCH_SITE);
    for (uint32_t i = 0; i < run->traffic.n_flows; i++) {
        struct bench_flow *flow = &run->traffic.flows[i];
        struct tvs_record *record = bench_record_of(run, flow);

        /* the direction `new` leaves flows without a session */
        if (record->in.saddr_be == flow->client_be && record->in.sport_be == flow->client_port_be &&
            record->proto != 0)
            tvs_session_close(run->worker, record);
        *flow = bench_flow_fresh(&run->traffic);
    }
    return flows_spread(run);
}

void bench_sync_close(struct bench_run *run)
{
    if (run->sync == NULL)
        return;
    bench_peers_close(&run->sync->peers);
    free(run->sync->session);
    free(run->sync->ended);
    free(run->sync);
    run->sync = NULL;
}
