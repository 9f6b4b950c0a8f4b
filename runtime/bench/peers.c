/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peers.h"

#include <stdlib.h>

#include "core/csum.h"
#include "core/sync_message.h"

enum {
    HEADERS = TVS_ETH_BYTES + TVS_IP4_BYTES + TVS_UDP_BYTES,
    SYNC_PORT = 7479,
    SOURCE_PORT = 50000,
    FRAMES_BYTES = BENCH_PEER_FRAMES * BENCH_STRIDE,
};

size_t bench_peers_bytes(void)
{
    return 2 * bench_memory_bytes(FRAMES_BYTES) + bench_memory_bytes(tvs_sync_bytes(TVS_MAX_PEERS));
}

/* ---- a cluster around the generation --------------------------------------------------------- */

static void peers_make(struct bench_peers *peers)
{
    struct tvs_generation *generation = &peers->generation;

    peers->are_made = generation->sync.n_peers == 0;
    if (!peers->are_made)
        return;
    for (uint32_t w = 0; w < TVS_MAX_WORKERS; w++)
        peers->source_ports[w] = (uint16_t)(SOURCE_PORT + w);
    for (uint16_t i = 0; i < BENCH_PEERS; i++) {
        uint32_t local = generation->ports[0].address;

        peers->paths[i] = (struct tvs_gen_sync_path){
            .local = local, .remote = local + 1 + i, .source_ports = peers->source_ports};
        peers->made[i] = (struct tvs_gen_peer){
            .name = "peer",
            .node = (uint16_t)((generation->node_index + 1 + i) % (BENCH_PEERS + 1)),
            .n_paths = 1,
            .paths = &peers->paths[i]};
    }
    generation->sync =
        (struct tvs_gen_sync){.port = SYNC_PORT, .n_peers = BENCH_PEERS, .peers = peers->made};
}

/* The site's local IPs with slots for peers' ones, as many as the worker has records for. */
static const char *lips_make(struct bench_peers *peers)
{
    const struct tvs_worker *worker = peers->worker;
    const struct tvs_site *given = worker->binding->site;
    uint32_t slot = worker->own_records >> 16;
    struct tvs_lip_entry *lips = calloc(given->lip_count + worker->n_slots, sizeof(*lips));

    if (lips == NULL)
        return "not enough memory for the peers' local IPs";
    peers->lips = lips;
    peers->site = *given;
    peers->site.lips = lips;
    for (uint32_t i = 0; i < given->lip_count; i++) {
        lips[i] = given->lips[i];
        if (lips[i].worker != worker->index || lips[i].node == peers->generation.node_index)
            continue;
        lips[i].slot = slot < worker->n_slots ? (uint16_t)slot : TVS_LIP_NO_SLOT;
        if (slot < worker->n_slots)
            peers->lip[slot++] = given->lip_base + i;
    }
    for (; slot < worker->n_slots; slot++) {
        peers->lip[slot] = given->lip_base + peers->site.lip_count;
        lips[peers->site.lip_count++] = (struct tvs_lip_entry){
            .worker = (uint8_t)worker->index,
            .node = (uint8_t)peers->generation.sync.peers[slot % BENCH_PEERS].node,
            .slot = (uint16_t)slot,
        };
    }
    peers->binding = *worker->binding;
    peers->binding.site = &peers->site;
    return NULL;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* A buffer's first line is what a driver keeps there. */
struct buffer {
    uint16_t bytes;
    uint8_t port;
};

static uint8_t *sent_at(const struct bench_peers *peers, uint64_t number)
{
    return peers->sent + number % BENCH_SENT_FRAMES * BENCH_STRIDE;
}

static uint8_t *heard_at(const struct bench_peers *peers, uint64_t number)
{
    return peers->heard + number % BENCH_PEER_FRAMES * BENCH_STRIDE;
}

static uint8_t *room(void *context)
{
    struct bench_peers *peers = context;

    return sent_at(peers, peers->n_sent) + BENCH_FRAME_AT;
}

static void send(void *context, uint16_t bytes, uint8_t port)
{
    struct bench_peers *peers = context;
    struct buffer *buffer = (struct buffer *)sent_at(peers, peers->n_sent++);

    buffer->bytes = bytes;
    buffer->port = port;
}

static void give_back(void *context)
{
    (void)context;
}

const struct tvs_sync_header *bench_peers_sent(const struct bench_peers *peers, uint64_t number)
{
    return (const struct tvs_sync_header *)(sent_at(peers, number) + BENCH_FRAME_AT + HEADERS);
}

static void message_begin(struct bench_peers *peers, struct tvs_sync_message *message, uint32_t by,
                          enum tvs_sync_kind kind, uint64_t number)
{
    message->frame = heard_at(peers, peers->n_made) + BENCH_FRAME_AT;
    message->header = (struct tvs_sync_header *)(message->frame + HEADERS);
    message->body = message->header + 1;
    message->body_bytes = 0;
    message->n = 0;
    *message->header = (struct tvs_sync_header){
        .magic = TVS_SYNC_MAGIC,
        .kind = (uint8_t)kind,
        .from = peers->sync->peers[by].node,
        .to = kind == TVS_SYNC_UPDATE ? (uint8_t)TVS_SYNC_TO_ALL : peers->sync->node,
        .worker = peers->sync->worker,
        .contract = peers->sync->contract,
        .epoch = peers->peer[by].epoch,
        .number = number,
    };
}

static void message_end(struct bench_peers *peers, struct tvs_sync_message *message, uint32_t by)
{
    const struct tvs_sync_path *path = &peers->sync->peers[by].paths[0];
    unsigned bytes = HEADERS + (unsigned)sizeof(*message->header) + message->body_bytes +
                     message->n * (unsigned)sizeof(struct tvs_sync_session);
    struct tvs_ip4 ip = {
        .version_ihl = 0x45,
        .total_len_be = htobe16((uint16_t)(bytes - TVS_ETH_BYTES)),
        .ttl = TVS_TTL_OWN,
        .proto = TVS_UDP,
        .saddr_be = path->remote_be,
        .daddr_be = path->local_be,
    };
    const struct tvs_udp udp = {
        .sport_be = path->source_port_be,
        .dport_be = peers->sync->port_be,
        .len_be = htobe16((uint16_t)(bytes - TVS_ETH_BYTES - TVS_IP4_BYTES)),
    };

    ip.csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(&ip, sizeof(ip)));
    memset(message->frame, 0, TVS_ETH_BYTES);
    message->frame[0] = 0x02;
    message->frame[12] = 0x08;
    memcpy(message->frame + TVS_ETH_BYTES, &ip, sizeof(ip));
    memcpy(message->frame + TVS_ETH_BYTES + TVS_IP4_BYTES, &udp, sizeof(udp));
    tvs_sync_message_seal(peers->sync, message); /* the cluster has one key */
    ((struct buffer *)heard_at(peers, peers->n_made++))->bytes = (uint16_t)bytes;
}

struct tvs_frame bench_peers_frame(struct bench_peers *peers)
{
    uint8_t *buffer = heard_at(peers, peers->n_heard++);

    return (struct tvs_frame){.data = buffer + BENCH_FRAME_AT,
                              .len = ((const struct buffer *)buffer)->bytes,
                              .headroom = BENCH_FRAME_AT};
}

void bench_peers_hear_all(struct bench_peers *peers, uint64_t now)
{
    while (peers->n_heard < peers->n_made) {
        const struct tvs_frame frame = bench_peers_frame(peers);

        tvs_sync_receive(peers->sync, peers->worker, frame.data, frame.len, now);
    }
}

/* ---- what they say --------------------------------------------------------------------------- */

static void hello(struct bench_peers *peers, uint32_t by)
{
    struct bench_peer *peer = &peers->peer[by];
    const struct tvs_sync_hello said = {
        .challenge = 1 + by, .answer = peer->challenge, .updates = peer->updates};
    struct tvs_sync_message message;

    message_begin(peers, &message, by, TVS_SYNC_HELLO, ++peer->number);
    memcpy(message.body, &said, sizeof(said));
    message.body_bytes = sizeof(said);
    message_end(peers, &message, by);
}

void bench_peers_hello(struct bench_peers *peers, uint64_t now)
{
    for (uint32_t i = 0; i < peers->sync->n_peers; i++)
        hello(peers, i);
    bench_peers_hear_all(peers, now);
}

void bench_peers_tell(struct bench_peers *peers, const struct tvs_sync_session *sessions,
                      unsigned n)
{
    uint32_t by = peers->next;
    struct tvs_sync_message message;

    peers->next = by + 1 < peers->sync->n_peers ? by + 1 : 0;
    message_begin(peers, &message, by, TVS_SYNC_UPDATE, ++peers->peer[by].updates);
    memcpy(message.body, sessions, n * sizeof(*sessions));
    message.n = n;
    message_end(peers, &message, by);
}

void bench_peers_pull(struct bench_peers *peers, uint32_t cursor)
{
    struct tvs_sync_message message;

    message_begin(peers, &message, 0, TVS_SYNC_PULL, ++peers->peer[0].number);
    message.header->cursor = cursor;
    message_end(peers, &message, 0);
}

void bench_peers_again(struct bench_peers *peers, uint64_t update)
{
    struct tvs_sync_again again = {.next = peers->sync->updates + 1};
    struct tvs_sync_message message;

    memset(again.seen, 0xff, sizeof(again.seen));
    again.seen[update / 64 % TVS_SYNC_WINDOW_WORDS] &= ~(UINT64_C(1) << update % 64);
    message_begin(peers, &message, 0, TVS_SYNC_AGAIN, ++peers->peer[0].number);
    memcpy(message.body, &again, sizeof(again));
    message.body_bytes = sizeof(again);
    message_end(peers, &message, 0);
}

/* "I have nothing." */
static void answer_pull(struct bench_peers *peers, uint32_t by, uint16_t question)
{
    struct tvs_sync_message message;

    message_begin(peers, &message, by, TVS_SYNC_BULK, ++peers->peer[by].number);
    message.header->cursor = TVS_SYNC_END;
    message.header->question = question;
    message_end(peers, &message, by);
}

/* They read what was sent since `from` and answer. */
static void answer(struct bench_peers *peers, uint64_t from, uint64_t now)
{
    for (; from < peers->n_sent; from++) {
        const struct tvs_sync_header *header = bench_peers_sent(peers, from);
        uint32_t by = header->to <= TVS_MAX_PEERS ? peers->sync->peer_of_node[header->to] : 0xff;
        struct tvs_sync_hello said;

        if (by >= peers->sync->n_peers)
            continue;
        if (header->kind == TVS_SYNC_HELLO) {
            memcpy(&said, header + 1, sizeof(said));
            peers->peer[by].challenge = said.challenge;
            hello(peers, by);
        } else if (header->kind == TVS_SYNC_PULL) {
            answer_pull(peers, by, header->question);
        }
    }
    bench_peers_hear_all(peers, now);
}

static bool are_all_here(const struct bench_peers *peers, uint64_t now)
{
    for (uint32_t i = 0; i < peers->sync->n_peers; i++)
        if (!tvs_sync_peer_is_here(peers->sync, &peers->sync->peers[i], now) ||
            peers->sync->peers[i].pull != TVS_SYNC_PULL_DONE)
            return false;
    return true;
}

uint64_t bench_peers_refused(const struct bench_peers *peers)
{
    const struct tvs_sync_counters *counters = &peers->sync->counters;

    return counters->stale + counters->bad_session + counters->no_service + counters->no_server +
           counters->no_room + counters->no_buffer + counters->no_route + counters->malformed +
           counters->forged + counters->stranger + counters->contract + counters->unproved +
           counters->replayed;
}

/* ---- life ------------------------------------------------------------------------------------ */

const char *bench_peers_open(struct bench_peers *peers, const struct tvs_generation *generation,
                             struct tvs_worker *worker, uint64_t cycles_per_ms, bool small_pages,
                             uint64_t now)
{
    const struct tvs_sync_config config = {
        .generation = &peers->generation,
        .worker = worker->index,
        .key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)},
        .epoch = 1,
        .cycles_per_ms = cycles_per_ms,
    };
    const char *kind, *wrong;

    peers->generation = *generation;
    peers->worker = worker;
    peers_make(peers);
    wrong = lips_make(peers);
    if (wrong != NULL)
        return wrong;
    peers->engine_bytes = tvs_sync_bytes(peers->generation.sync.n_peers);
    peers->frames_bytes = FRAMES_BYTES;
    peers->engine = bench_memory(peers->engine_bytes, small_pages, &kind);
    peers->sent = bench_memory(FRAMES_BYTES, small_pages, &kind);
    peers->heard = bench_memory(FRAMES_BYTES, small_pages, &kind);
    if (peers->engine == NULL || peers->sent == NULL || peers->heard == NULL)
        return "not enough memory for session sync";
    worker->binding = &peers->binding;
    peers->io =
        (struct tvs_sync_io){.room = room, .send = send, .give_back = give_back, .context = peers};
    peers->sync = tvs_sync_init(peers->engine, &config, worker, now);
    for (uint32_t i = 0; i < peers->sync->n_peers; i++)
        peers->peer[i].epoch = 1000 + i;
    for (unsigned turn = 0; turn < 100 && !are_all_here(peers, now); turn++) {
        uint64_t from = peers->n_sent;

        now += cycles_per_ms;
        tvs_sync_turn(peers->sync, worker, &peers->io, now);
        answer(peers, from, now);
    }
    return are_all_here(peers, now) ? NULL : "the peers were not believed";
}

void bench_peers_close(struct bench_peers *peers)
{
    bench_memory_free(peers->engine, peers->engine_bytes);
    bench_memory_free(peers->sent, peers->frames_bytes);
    bench_memory_free(peers->heard, peers->frames_bytes);
    free(peers->lips);
}
