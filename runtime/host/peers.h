/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session sync as the control thread sees it: the key, each worker's engine (core/sync.h), and what
 * the operator must know of the peers.
 */
#ifndef TVS_HOST_PEERS_H
#define TVS_HOST_PEERS_H

#include "core/sync.h"
#include "host.h"

enum {
    /*
     * Buffers of a worker for what it tells its peers. A message is written from end to end, which
     * in one of the node's many buffers is twenty misses for each peer; so few stay in the cache.
     * When all are on their way, the node's do as well.
     */
    TVS_SYNC_MBUFS = 127,
    TVS_SYNC_MBUF_CACHE = 64,
};

/* Makes the workers' engines; nothing when the cluster has no sync. Before the workers start. */
int tvs_peers_start(struct tvs_host *host);
void tvs_peers_stop(struct tvs_host *host);

/* Whether every worker has what the peers had to tell, or there is nobody to ask. */
bool tvs_peers_ready(const struct tvs_host *host);

/* Logs what has changed. It does so by itself, some times a second. */
void tvs_peers_look(const struct tvs_host *host);

/* Bytes of all workers' engines and their buffers. */
uint64_t tvs_peers_bytes(const struct tvs_generation *generation);

enum tvs_peer_state {
    TVS_PEER_ABSENT,         /* not heard of, or not lately */
    TVS_PEER_OTHER_CONTRACT, /* compiled from a site that does not go with ours */
    TVS_PEER_PULLING,        /* tells what it has */
    TVS_PEER_HERE,
};

/* Of all workers the one that is worst off. `peer`: number in the generation's list. */
enum tvs_peer_state tvs_peer_state(const struct tvs_host *host, uint32_t peer);
const char *tvs_peer_state_name(enum tvs_peer_state state);

/* Counters by number, as in core/sync_counters.def. */
unsigned tvs_sync_counter_count(void);
const char *tvs_sync_counter_name(unsigned number);
const char *tvs_sync_counter_text(unsigned number);
uint64_t tvs_sync_counter(const struct tvs_sync *sync, unsigned number);

#endif
