/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message from outside, believed step by step: its form, its MAC, its sender, the contract, that
 * the sender lives, that it is new. It is answered later, by tvs_sync_turn().
 */
#include "core/wire.h"
#include "sync_learn.h"
#include "sync_peer.h"

static unsigned body_bytes(const struct tvs_sync_header *header)
{
    switch (header->kind) {
    case TVS_SYNC_HELLO:
        return sizeof(struct tvs_sync_hello);
    case TVS_SYNC_AGAIN:
        return sizeof(struct tvs_sync_again);
    default:
        return header->n * (unsigned)sizeof(struct tvs_sync_session);
    }
}

/* `bytes` behind the UDP header. */
static bool is_well_formed(const struct tvs_sync_header *header, unsigned bytes)
{
    return bytes >= sizeof(*header) && header->magic == TVS_SYNC_MAGIC && header->epoch != 0 &&
           header->kind < TVS_N_SYNC_KINDS && header->n <= TVS_SYNC_SESSIONS &&
           bytes == sizeof(*header) + body_bytes(header);
}

static bool is_genuine(const struct tvs_sync *sync, const struct tvs_sync_header *header)
{
    const uint8_t *from = (const uint8_t *)header + sizeof(header->mac);

    return tvs_mac(&sync->key, from, sizeof(*header) - sizeof(header->mac) + body_bytes(header)) ==
           header->mac;
}

/* The path on which messages of this source come, or the one as before. */
static uint8_t path_of(const struct tvs_sync_peer *peer, uint32_t saddr_be)
{
    for (uint8_t i = 0; i < peer->n_paths; i++)
        if (peer->paths[i].remote_be == saddr_be)
            return i;
    return peer->via;
}

static void hear(struct tvs_sync_peer *peer, uint32_t saddr_be, uint64_t now)
{
    peer->via = path_of(peer, saddr_be);
    peer->heard = now;
}

/* It lives a new life, or is heard for the first time: what it has is not known. */
static void adopt(struct tvs_sync *sync, struct tvs_sync_peer *peer,
                  const struct tvs_sync_header *header, const struct tvs_sync_hello *hello,
                  uint64_t now)
{
    peer->epoch = header->epoch;
    peer->got = header->number;
    peer->challenge = tvs_sync_challenge(sync);
    peer->wants_bulk = false;
    peer->n_wanted = 0;
    tvs_sync_window_start(&peer->window, hello->updates + 1);
    tvs_sync_pull_start(sync, peer, now);
    peer->hello_at = now; /* our answer goes before the pull, which the peer would refuse else */
}

static void take_hello(struct tvs_sync *sync, struct tvs_sync_peer *peer,
                       const struct tvs_sync_header *header, uint32_t saddr_be, uint64_t now)
{
    struct tvs_sync_hello hello;

    memcpy(&hello, header + 1, sizeof(hello));
    if (header->epoch == peer->epoch) {
        if (header->number <= peer->got) {
            sync->counters.replayed++;
            return;
        }
        peer->got = header->number;
        if (!tvs_sync_window_reach(&peer->window, hello.updates + 1))
            tvs_sync_pull_start(sync, peer, now);
        if (hello.answer != peer->challenge) /* it may not have heard yet that we believe it */
            tvs_sync_hello_soon(sync, peer, now);
    } else if (hello.answer == peer->challenge) {
        adopt(sync, peer, header, &hello, now);
    } else {
        /* it may be new, or a recording: our challenge tells */
        sync->counters.unproved++;
        tvs_sync_hello_soon(sync, peer, now);
        peer->answer = hello.challenge;
        if (!tvs_sync_peer_is_here(sync, peer, now))
            peer->via = path_of(peer, saddr_be);
        return;
    }
    peer->answer = hello.challenge;
    hear(peer, saddr_be, now);
}

static void take_update(struct tvs_sync *sync, struct tvs_worker *worker,
                        struct tvs_sync_peer *peer, const struct tvs_sync_header *header,
                        uint32_t saddr_be, uint64_t now)
{
    switch (tvs_sync_window_arrive(&peer->window, header->number)) {
    case TVS_SYNC_ARRIVAL_AGAIN:
        sync->counters.replayed++;
        return;
    case TVS_SYNC_ARRIVAL_GAP_BIG:
        tvs_sync_pull_start(sync, peer, now);
        break;
    default:
        break;
    }
    hear(peer, saddr_be, now);
    tvs_sync_learn(sync, worker, (const struct tvs_sync_session *)(header + 1), header->n);
}

/* Only what the log still has can be told once more. */
static void take_again(struct tvs_sync *sync, struct tvs_sync_peer *peer,
                       const struct tvs_sync_header *header)
{
    struct tvs_sync_again again;

    memcpy(&again, header + 1, sizeof(again));
    if (again.next == 0 || again.next > sync->updates + 1)
        return;
    peer->n_wanted = 0;
    for (unsigned i = 0; i < TVS_SYNC_WINDOW_WORDS; i++)
        peer->wanted[i] = 0;
    for (uint64_t back = 1; back <= TVS_SYNC_WINDOW && back < again.next; back++) {
        uint64_t number = again.next - back;
        uint64_t bit = UINT64_C(1) << number % 64;
        unsigned word = number / 64 % TVS_SYNC_WINDOW_WORDS;

        if (again.seen[word] & bit || sync->updates - number >= TVS_SYNC_WINDOW)
            continue;
        peer->wanted[word] |= bit;
        peer->n_wanted++;
    }
}

static void take_bulk(struct tvs_sync *sync, struct tvs_worker *worker, struct tvs_sync_peer *peer,
                      const struct tvs_sync_header *header)
{
    if (peer->pull != TVS_SYNC_PULL_GOES_ON || header->question != peer->pull_question ||
        header->cursor <= peer->pull_cursor)
        return;
    tvs_sync_learn(sync, worker, (const struct tvs_sync_session *)(header + 1), header->n);
    peer->pull_cursor = header->cursor;
    peer->pull_question++;
    peer->pull_at = 0; /* on, at once */
    if (header->cursor == TVS_SYNC_END)
        peer->pull = TVS_SYNC_PULL_DONE;
}

/* What came to us alone, of a peer that has proved that it lives. */
static void take_own(struct tvs_sync *sync, struct tvs_worker *worker, struct tvs_sync_peer *peer,
                     const struct tvs_sync_header *header, uint32_t saddr_be, uint64_t now)
{
    if (header->number <= peer->got) {
        sync->counters.replayed++;
        return;
    }
    peer->got = header->number;
    hear(peer, saddr_be, now);
    switch (header->kind) {
    case TVS_SYNC_AGAIN:
        take_again(sync, peer, header);
        break;
    case TVS_SYNC_PULL:
        peer->wants_bulk = true;
        peer->bulk_cursor = header->cursor;
        peer->bulk_question = header->question;
        break;
    default:
        take_bulk(sync, worker, peer, header);
        break;
    }
}

static struct tvs_sync_peer *peer_of(struct tvs_sync *sync, const struct tvs_sync_header *header)
{
    bool is_update = header->kind == TVS_SYNC_UPDATE;
    uint8_t index;

    if (header->from > TVS_MAX_PEERS || header->worker != sync->worker ||
        header->to != (is_update ? (uint8_t)TVS_SYNC_TO_ALL : sync->node))
        return NULL;
    index = sync->peer_of_node[header->from];
    return index == TVS_SYNC_NO_PEER ? NULL : &sync->peers[index];
}

void tvs_sync_receive(struct tvs_sync *sync, struct tvs_worker *worker, const uint8_t *frame,
                      unsigned bytes, uint64_t now)
{
    const struct tvs_ip4 *ip = (const struct tvs_ip4 *)(frame + TVS_ETH_BYTES);
    unsigned at = TVS_ETH_BYTES + (ip->version_ihl & 0x0fU) * 4 + TVS_UDP_BYTES;
    unsigned end = TVS_ETH_BYTES + (unsigned)be16toh(ip->total_len_be);
    const struct tvs_sync_header *header = (const struct tvs_sync_header *)(frame + at);
    struct tvs_sync_peer *peer;

    sync->counters.received++;
    if (end > bytes || end < at || !is_well_formed(header, end - at)) {
        sync->counters.malformed++;
        return;
    }
    if (!is_genuine(sync, header)) {
        sync->counters.forged++;
        return;
    }
    peer = peer_of(sync, header);
    if (peer == NULL) {
        sync->counters.stranger++;
        return;
    }
    peer->is_other_contract = header->contract != sync->contract;
    if (peer->is_other_contract) {
        sync->counters.contract++;
        return;
    }
    if (header->kind == TVS_SYNC_HELLO)
        take_hello(sync, peer, header, ip->saddr_be, now);
    else if (peer->epoch == 0 || header->epoch != peer->epoch)
        sync->counters.unproved++;
    else if (header->kind == TVS_SYNC_UPDATE)
        take_update(sync, worker, peer, header, ip->saddr_be, now);
    else
        take_own(sync, worker, peer, header, ip->saddr_be, now);
    tvs_sync_reckon(sync, now);
}
