/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: any bytes as messages of session sync to a worker of the fixture's node 0. A
 * command byte and a length come before each: whether its headers, its MAC, its length and its
 * sessions are made right (or the fuzzer would never get past them), whether a hello proves what it
 * should, a turn with or without buffers, time, a sweep.
 */
#include "core/sync.h"
#include "adapters/node.h"
#include "core/csum.h"
#include "core/session.h"
#include "core/sip.h"

extern const struct tvs_generation fixture_sync_0;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { MAX_MESSAGES = 64, CYCLES_PER_MS = 1000, EPOCH_HERE = 1, EPOCH_THERE = 2 };
enum {
    RAW = 1,
    NO_MAC = 2,
    TURN = 4,
    SWEEP = 8,
    LATER = 16,
    ANSWER = 32,
    NO_ROOM = 64,
    POSSIBLE = 128, /* sessions that can be: few, so that they meet */
};
enum { HEADERS = TVS_ETH_BYTES + TVS_IP4_BYTES + TVS_UDP_BYTES };

static const uint64_t key[2] = {1, 2};
static uint8_t *given;
static bool is_full;

static uint8_t *room(void *context)
{
    (void)context;
    if (given != NULL)
        __builtin_trap();
    given = is_full ? NULL : malloc(TVS_SYNC_ROOM);
    return given;
}

static void give_back(void *context)
{
    (void)context;
    free(given);
    given = NULL;
}

static void send(void *context, uint16_t bytes, uint8_t port)
{
    if (given == NULL || bytes > TVS_SYNC_ROOM || port >= fixture_sync_0.n_ports)
        __builtin_trap();
    give_back(context);
}

/* The length that a message of its kind has, if there are so many bytes. */
static unsigned fit(const uint8_t *data, unsigned bytes)
{
    const unsigned header_bytes = sizeof(struct tvs_sync_header);
    const unsigned session_bytes = sizeof(struct tvs_sync_session);
    unsigned fits;

    if (bytes < header_bytes)
        return bytes;
    switch (data[offsetof(struct tvs_sync_header, kind)] % TVS_N_SYNC_KINDS) {
    case TVS_SYNC_HELLO:
        fits = header_bytes + (unsigned)sizeof(struct tvs_sync_hello);
        break;
    case TVS_SYNC_AGAIN:
        fits = header_bytes + (unsigned)sizeof(struct tvs_sync_again);
        break;
    case TVS_SYNC_PULL:
        fits = header_bytes;
        break;
    default:
        fits = (bytes - header_bytes) / session_bytes;
        fits = fits < TVS_SYNC_SESSIONS ? fits : TVS_SYNC_SESSIONS;
        fits = header_bytes + fits * session_bytes;
    }
    return fits < bytes ? fits : bytes;
}

static void sessions_make_possible(struct tvs_sync_header *header)
{
    struct tvs_sync_session *session = (struct tvs_sync_session *)(header + 1);

    for (unsigned i = 0; i < header->n && i < TVS_SYNC_SESSIONS; i++, session++) {
        static const uint8_t lips[] = {1, 3, 9, 2};

        session->in.saddr_be = htobe32(0xc6120000 | (session->in.saddr_be & 7));
        session->in.sport_be &= htobe16(3);
        session->in.daddr_be = htobe32(0xcb00710a); /* 203.0.113.10 */
        session->in.dport_be = htobe16(80);
        session->out.saddr_be = htobe32(0xac100000 | lips[session->out.saddr_be & 3]);
        session->out.sport_be = htobe16((uint16_t)(10000 + (session->out.sport_be & 15)));
        session->out.daddr_be = htobe32(0x0a140101); /* 10.20.1.1 */
        session->out.dport_be = htobe16(8080);
        session->left_ticks &= 0xfff;
        session->proto = TVS_TCP;
        session->state = (uint8_t)(TVS_S_ESTABLISHED + session->state % 5);
    }
}

/* What makes a message one of node 1 to worker 0 of node 0, but for what the fuzzer says. */
static void seal(const struct tvs_sync *sync, uint8_t *frame, unsigned bytes, unsigned command)
{
    struct tvs_sync_header *header = (struct tvs_sync_header *)(frame + HEADERS);
    struct tvs_ip4 ip = {.version_ihl = 0x45,
                         .total_len_be = htobe16((uint16_t)(bytes - TVS_ETH_BYTES)),
                         .ttl = 64,
                         .proto = TVS_UDP,
                         .saddr_be = htobe32(fixture_sync_0.sync.peers[0].paths[0].remote),
                         .daddr_be = htobe32(fixture_sync_0.sync.peers[0].paths[0].local)};
    const struct tvs_udp udp = {.sport_be = htobe16(54321),
                                .dport_be = sync->port_be,
                                .len_be =
                                    htobe16((uint16_t)(bytes - TVS_ETH_BYTES - TVS_IP4_BYTES))};

    ip.csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(&ip, sizeof(ip)));
    memcpy(frame, "\x02tvs\0\0\x02\0\0\0\0\xc1\x08\0", TVS_ETH_BYTES);
    memcpy(frame + TVS_ETH_BYTES, &ip, sizeof(ip));
    memcpy(frame + TVS_ETH_BYTES + TVS_IP4_BYTES, &udp, sizeof(udp));
    if (bytes < HEADERS + sizeof(*header) || command & NO_MAC)
        return;
    header->magic = TVS_SYNC_MAGIC;
    header->kind %= TVS_N_SYNC_KINDS;
    header->from = 1;
    header->to = header->kind == TVS_SYNC_UPDATE ? TVS_SYNC_TO_ALL : 0;
    header->worker = 0;
    header->contract = sync->contract;
    header->epoch = EPOCH_THERE;
    header->number &= 0xfff; /* a few windows */
    if (header->kind == TVS_SYNC_UPDATE || header->kind == TVS_SYNC_BULK)
        header->n = (uint16_t)((bytes - HEADERS - sizeof(*header)) / 32);
    else
        header->n = 0;
    if (command & POSSIBLE)
        sessions_make_possible(header);
    if (header->kind == TVS_SYNC_HELLO && command & ANSWER &&
        bytes >= HEADERS + sizeof(*header) + sizeof(struct tvs_sync_hello))
        memcpy((uint8_t *)(header + 1) + offsetof(struct tvs_sync_hello, answer),
               &sync->peers[0].challenge, sizeof(uint64_t));
    bytes -= HEADERS + (unsigned)offsetof(struct tvs_sync_header, magic);
    if (bytes <= TVS_MAC_BYTES) /* it has no more key */
        header->mac = tvs_mac(&sync->key, &header->magic, bytes);
}

/* Every frame in an allocation of its own, through the packet path as from the NIC. */
static void take(const struct tvs_node *node, struct tvs_sync *sync, const uint8_t *data,
                 unsigned bytes, unsigned command, uint64_t now)
{
    unsigned frame_bytes = command & RAW ? bytes : HEADERS + bytes;
    uint8_t *buffer = malloc(frame_bytes);
    struct tvs_frame frame = {.data = buffer, .len = (uint16_t)frame_bytes};

    if (bytes > 0)
        memcpy(buffer + frame_bytes - bytes, data, bytes);
    if (!(command & RAW))
        seal(sync, buffer, frame_bytes, command);
    node->generation->burst(node->workers[0], &frame, 1);
    if (frame.verdict == TVS_V_SYNC)
        tvs_sync_receive(sync, node->workers[0], frame.data, frame.len, now);
    free(buffer);
}

/* Of sessions that have a record there is one entry each, and no port is free and in use. */
static void check(const struct tvs_worker *worker)
{
    uint32_t n = 0;

    for (uint32_t bucket = 0; bucket <= worker->bucket_mask; bucket++)
        for (unsigned slot = 0; slot < TVS_BUCKET_SLOTS; slot++)
            n += worker->buckets[bucket].sig[slot] != 0;
    if (n != worker->n_sessions + worker->n_copies)
        __builtin_trap();
    for (uint32_t i = 0; i < tvs_free_count(&worker->free); i++)
        if (worker->records[tvs_free_peek(&worker->free, i)].state != TVS_S_FREE)
            __builtin_trap();
}

static struct tvs_sync *sync_make(struct tvs_worker *worker)
{
    const struct tvs_sync_config config = {.generation = &fixture_sync_0,
                                           .key = {key[0], key[1]},
                                           .epoch = EPOCH_HERE,
                                           .cycles_per_ms = CYCLES_PER_MS};
    size_t bytes = tvs_sync_bytes(fixture_sync_0.sync.n_peers);
    void *memory = aligned_alloc(TVS_CACHE_LINE, bytes);

    memset(memory, 0, bytes);
    return tvs_sync_init(memory, &config, worker, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct tvs_node_config config = {.seed = 1, .exact_frames = true};
    const struct tvs_sync_io io = {.room = room, .send = send, .give_back = give_back};
    char error[256];
    struct tvs_node *node = tvs_node_make(&fixture_sync_0, &config, error, sizeof(error));
    struct tvs_sync *sync;
    uint64_t now = 1;

    if (!node)
        __builtin_trap();
    sync = sync_make(node->workers[0]);
    if (bytes > 0 && data[--bytes] & 1) { /* known already */
        sync->peers[0].epoch = EPOCH_THERE;
        sync->peers[0].heard = now;
        sync->peers[0].pull = TVS_SYNC_PULL_GOES_ON;
        tvs_sync_window_start(&sync->peers[0].window, 1);
    }
    for (unsigned n = 0; bytes >= 3 && n < MAX_MESSAGES; n++) {
        unsigned command = data[0], len = data[1] | (data[2] & 7U) << 8;

        data += 3;
        bytes -= 3;
        if (len > bytes)
            len = (unsigned)bytes;
        if (!(command & (RAW | NO_MAC)))
            len = fit(data, len);
        take(node, sync, data, len, command, now);
        data += len;
        bytes -= len;
        is_full = command & NO_ROOM;
        now += command & LATER ? 500 * CYCLES_PER_MS : CYCLES_PER_MS;
        node->workers[0]->now_tick = (uint32_t)(now / CYCLES_PER_MS / TVS_TICK_MS);
        if (command & TURN)
            tvs_sync_turn(sync, node->workers[0], &io, now);
        if (!(command & SWEEP))
            continue;
        for (uint32_t slot = 0; slot < node->workers[0]->n_slots; slot++) {
            node->workers[0]->sweep_cursor = slot << 16 | node->workers[0]->port_first;
            tvs_worker_sweep(node->workers[0], 100);
        }
    }
    check(node->workers[0]);
    free(sync);
    tvs_node_close(node);
    return 0;
}
