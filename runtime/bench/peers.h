/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other nodes of a cluster, played to one worker's session sync: they prove that they live, say
 * hello, tell of sessions of their own, in messages under their right numbers and MACs. A
 * generation without peers gets some: three nodes, with local IPs behind those of its own.
 */
#ifndef TVS_BENCH_PEERS_H
#define TVS_BENCH_PEERS_H

#include "bench/bench.h"
#include "core/sync.h"

enum {
    BENCH_PEERS = 3,
    BENCH_PEER_FRAMES = 512, /* that peers sent: as many as a ring of a port has descriptors */
    BENCH_SENT_FRAMES = 64,  /* that we send: as many as a worker keeps for it */
};

/* A peer's side of its talk with us. */
struct bench_peer {
    uint64_t epoch;
    uint64_t challenge; /* ours, to be sent back */
    uint64_t number;    /* the last of what it sent to us alone */
    uint64_t updates;   /* the last number of its updates */
};

struct bench_peers {
    struct tvs_generation generation; /* the one given, with peers */
    struct tvs_site site;             /* its site, with the peers' local IPs */
    struct tvs_binding binding;       /* the worker's, with that site */
    struct tvs_lip_entry *lips;       /* [site.lip_count] */
    struct tvs_gen_peer made[BENCH_PEERS];
    struct tvs_gen_sync_path paths[BENCH_PEERS];
    uint16_t source_ports[TVS_MAX_WORKERS];
    bool are_made; /* the generation had none */

    struct tvs_worker *worker;
    struct tvs_sync *sync;
    struct tvs_sync_io io;
    void *engine;
    size_t engine_bytes;
    struct bench_peer peer[TVS_MAX_PEERS];
    uint32_t next;               /* who tells next */
    uint32_t lip[TVS_MAX_SLOTS]; /* by slot: the peers' local IPs */

    uint8_t *sent;    /* [BENCH_SENT_FRAMES] of BENCH_STRIDE bytes, one after another */
    uint64_t n_sent;  /* frames ever */
    uint8_t *heard;   /* [BENCH_PEER_FRAMES] likewise: what the peers send */
    uint64_t n_made;  /* messages ever written there */
    uint64_t n_heard; /* of these, taken by the worker */
    size_t frames_bytes;
};

/* Bytes of 2 MB pages that they take. */
size_t bench_peers_bytes(void);

/*
 * Starts session sync in a worker that has a queue, room for peers' sessions and a binding, which
 * is replaced. Every peer is here afterwards and has told that it has nothing. NULL or what went
 * wrong.
 */
const char *bench_peers_open(struct bench_peers *peers, const struct tvs_generation *generation,
                             struct tvs_worker *worker, uint64_t cycles_per_ms, bool small_pages,
                             uint64_t now);
void bench_peers_close(struct bench_peers *peers);

/* Every peer says hello, and is heard. */
void bench_peers_hello(struct bench_peers *peers, uint64_t now);

/* The next peer writes an update of `n` sessions. There is room for BENCH_PEER_FRAMES at a time. */
void bench_peers_tell(struct bench_peers *peers, const struct tvs_sync_session *sessions,
                      unsigned n);

/* The first peer asks for all sessions from `cursor` on, or for an update that it says it lost. */
void bench_peers_pull(struct bench_peers *peers, uint32_t cursor);
void bench_peers_again(struct bench_peers *peers, uint64_t update);

/* The next message that was written; the caller runs it through the path. */
struct tvs_frame bench_peers_frame(struct bench_peers *peers);

/* The worker takes every message that was written. */
void bench_peers_hear_all(struct bench_peers *peers, uint64_t now);

/* A frame that was sent, by its number; the last BENCH_SENT_FRAMES are there. */
const struct tvs_sync_header *bench_peers_sent(const struct bench_peers *peers, uint64_t number);

/* Messages and sessions that were not taken as they should have been. */
uint64_t bench_peers_refused(const struct bench_peers *peers);

#endif
