/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session sync: what worker i of this node and worker i of each peer tell each other, so that a
 * session lives on when its node does not. Free of DPDK, like the packet path; one thread per
 * worker, no lock. Read include/tvs/sync.h, the messages, first.
 *
 * - Updates: the path queues a session when it is established and when its state changes, the sweep
 *   when its copies would run out. A message carries up to 40, goes to all peers under one number,
 *   and its record numbers are logged: what a peer lost it asks for by number, and gets as it is
 *   now.
 * - A peer counts as here once it has answered a challenge that this node drew: neither an old
 *   recording nor its own last life passes for it.
 * - Pull: who has found a peer, or lost more of its updates than the log holds, asks it for all its
 *   sessions, a part of the forward table a message, and for the next when it has got the last. The
 *   asked one keeps nothing of it, the asker sets the pace, and a lost message is asked for again.
 *   An answer counts once, and only to the last question: one that comes late, of a pull that has
 *   begun anew since, would have the rest of it left out.
 *   Once each peer that is here has told everything, the worker is ready, and its node may
 *   announce.
 * - Whoever forwards a session's packets tells of it; there is no owner. States only go on (the
 *   later one counts), of two sessions in one place the younger.
 */
#ifndef TVS_CORE_SYNC_H
#define TVS_CORE_SYNC_H

#include "core/mac.h"
#include "core/sync_queue.h"
#include "core/sync_window.h"
#include "tvs/generation.h"

enum {
    TVS_SYNC_HELLO_MS = 1000, /* how often, once both have proved that they live */
    TVS_SYNC_SEARCH_MS = 100, /* how often before */
    TVS_SYNC_GONE_MS = 3500,  /* without a word: it gets no updates */
    TVS_SYNC_FLUSH_MS = 5,    /* the longest that an update waits for others */
    TVS_SYNC_AGAIN_MS = 20,   /* from finding a gap to asking, and to asking once more */
    TVS_SYNC_AGAIN_TRIES = 5, /* then everything is asked for */
    TVS_SYNC_PULL_MS = 100,   /* an answer that has not come is asked for again */
    TVS_SYNC_FIND_MS = 1500,  /* after so long a peer that could be asked and is silent is absent */
    TVS_SYNC_ROUTE_MS =
        4000, /* after so long with a link a peer without a way to it is: ARP ends */
    TVS_SYNC_READY_MS = 60000, /* after so long a pull that does not end is not waited for */
    TVS_SYNC_SCAN = 512,       /* buckets looked at for one answer */
    TVS_SYNC_ROOM = 14 + 20 + 8 + 48 + 40 * 32, /* bytes of the longest frame */
};

struct tvs_sync_counters {
#define TVS_SYNC_COUNTER(name, text) uint64_t name;
#include "core/sync_counters.def"
#undef TVS_SYNC_COUNTER
};

struct tvs_sync_path {
    uint32_t local_be;
    uint32_t remote_be;
    uint16_t source_port_be;
    uint8_t headers[TVS_IP4_BYTES + TVS_UDP_BYTES]; /* of what goes there */
};

enum tvs_sync_pull {
    TVS_SYNC_PULL_NONE, /* not known yet */
    TVS_SYNC_PULL_GOES_ON,
    TVS_SYNC_PULL_DONE,
};

struct tvs_sync_peer {
    /* read by the control thread at any time */
    uint8_t node;           /* index inside the cluster */
    uint8_t pull;           /* enum tvs_sync_pull */
    bool is_other_contract; /* as last heard */
    uint64_t heard;         /* TSC; 0: never */
    uint64_t epoch;         /* proved; 0: none yet */

    uint8_t n_paths;
    uint8_t via; /* the path that the peer was last heard on */
    struct tvs_sync_path paths[TVS_MAX_PORTS];

    uint64_t challenge; /* ours */
    uint64_t answer;    /* the peer's challenge, to be sent back; 0: not heard */
    uint64_t sent;      /* the last number of what we sent to it alone */
    uint64_t got;       /* of what it sent to us alone */
    uint64_t hello_at;  /* TSC of the next */
    uint64_t asked;     /* TSC of the first that had a way to it; 0: none had */
    uint64_t helloed;   /* TSC of the last */

    struct tvs_sync_window window; /* of its updates */
    uint64_t again_at;             /* TSC; when to ask for what is missing */
    uint64_t again_oldest;         /* the first that was missing then */
    uint32_t again_tries;          /* for that one */
    uint32_t pull_cursor;
    uint64_t pull_at;       /* TSC; when to ask (again) */
    uint16_t pull_question; /* only its answer counts: a late one is of another pull */

    /* what it asked of us */
    bool wants_bulk;
    uint16_t bulk_question;
    uint32_t bulk_cursor;
    uint32_t n_wanted;
    uint64_t wanted[TVS_SYNC_WINDOW_WORDS]; /* updates, by number modulo the window */
};

/* Where frames come from and go to. */
struct tvs_sync_io {
    uint8_t *(*room)(void *context); /* TVS_SYNC_ROOM bytes, or NULL; then one of these two */
    void (*send)(void *context, uint16_t bytes, uint8_t port);
    void (*give_back)(void *context);
    void *context;
};

struct tvs_sync {
    /* what the packet path reads of it */
    uint16_t port_be;
    uint8_t n_local;
    uint32_t local_be[TVS_MAX_PORTS];

    uint8_t node;
    uint8_t worker;
    uint8_t n_gateways;
    uint16_t n_workers;
    uint32_t gateway_be[TVS_MAX_PORTS];
    uint32_t n_peers;
    uint64_t contract;
    uint64_t epoch;
    struct tvs_mac_key key;
    uint64_t cycles_per_ms;
    uint64_t linked;      /* TSC; when a gateway or a peer was first within reach; 0: none yet */
    uint64_t started;     /* TSC */
    uint64_t due;         /* TSC; before it nothing is to be done for its time */
    uint64_t flush_at;    /* TSC; 0: the queue was empty */
    uint64_t drawn;       /* challenges so far */
    uint64_t updates;     /* the last one's number */
    bool asked;           /* some peer wants something */
    uint32_t next_answer; /* the peer whose turn it is to get it */
    bool ready;           /* read by the control thread */
    struct tvs_sync_counters counters;
    struct tvs_sync_peer *peers;             /* [n_peers] */
    uint8_t peer_of_node[1 + TVS_MAX_PEERS]; /* index into peers, 0xff: no peer */
    uint8_t log_n[TVS_SYNC_WINDOW];
    uint32_t (*log)[TVS_SYNC_SESSIONS]; /* [TVS_SYNC_WINDOW] record numbers, by update */
};

struct tvs_sync_config {
    const struct tvs_generation *generation; /* has sync; copied from */
    uint16_t worker;
    uint64_t key[2];
    uint64_t epoch; /* random, not 0 */
    uint64_t cycles_per_ms;
};

enum { TVS_SYNC_QUEUE = 1 << 16 }; /* records; tvs_worker_config.sync_queue of a node with sync */

/* Bytes for a worker's sync with so many peers. */
size_t tvs_sync_bytes(uint32_t n_peers);

/* In `memory`: zeroed, cache-line aligned. The worker has a queue; `now` is the TSC. */
struct tvs_sync *tvs_sync_init(void *memory, const struct tvs_sync_config *config,
                               struct tvs_worker *worker, uint64_t now);

/* Takes a frame of verdict TVS_V_SYNC. */
void tvs_sync_receive(struct tvs_sync *sync, struct tvs_worker *worker, const uint8_t *frame,
                      unsigned bytes, uint64_t now);

/* Whether tvs_sync_turn() has anything to do. A few instructions, once a turn of the worker. */
TVS_INLINE bool tvs_sync_has_work(const struct tvs_sync *sync, const struct tvs_worker *worker,
                                  uint64_t now)
{
    uint32_t queued = tvs_sync_queue_count(&worker->sync_queue);

    return queued >= TVS_SYNC_SESSIONS || (queued > 0 && sync->flush_at == 0) || sync->asked ||
           now >= sync->due;
}

/* A bounded amount of it: one update, one answer, and what is due. */
void tvs_sync_turn(struct tvs_sync *sync, struct tvs_worker *worker, const struct tvs_sync_io *io,
                   uint64_t now);

/* Whether the peer was heard of lately and has proved that it lives. */
TVS_INLINE bool tvs_sync_peer_is_here(const struct tvs_sync *sync, const struct tvs_sync_peer *peer,
                                      uint64_t now)
{
    return peer->epoch != 0 && now - peer->heard < TVS_SYNC_GONE_MS * sync->cycles_per_ms;
}

#endif
