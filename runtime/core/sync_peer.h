/* SPDX-License-Identifier: Apache-2.0 */
/* What receiving and the turn both do with a peer. */
#ifndef TVS_CORE_SYNC_PEER_H
#define TVS_CORE_SYNC_PEER_H

#include "core/sync.h"

enum { TVS_SYNC_NO_PEER = 0xff };

/* Never the same twice, nor to be guessed without the key. */
TVS_INLINE uint64_t tvs_sync_challenge(struct tvs_sync *sync)
{
    const uint64_t words[2] = {sync->epoch, ++sync->drawn};
    uint64_t challenge = tvs_sip_hash(sync->key.sip, words, sizeof(words));

    return challenge != 0 ? challenge : 1;
}

/* Ask the peer for everything it has, from the start. */
TVS_INLINE void tvs_sync_pull_start(struct tvs_sync *sync, struct tvs_sync_peer *peer, uint64_t now)
{
    peer->pull = TVS_SYNC_PULL_GOES_ON;
    peer->pull_cursor = 0;
    peer->pull_question++;
    peer->pull_at = now;
    peer->again_tries = 0;
    sync->counters.pulled++;
}

/* A hello at the next turn, unless one has just gone. */
TVS_INLINE void tvs_sync_hello_soon(const struct tvs_sync *sync, struct tvs_sync_peer *peer,
                                    uint64_t now)
{
    uint64_t earliest = peer->helloed + TVS_SYNC_SEARCH_MS / 4 * sync->cycles_per_ms;
    uint64_t at = earliest > now ? earliest : now;

    if (at < peer->hello_at)
        peer->hello_at = at;
}

/* When the next turn has something to do. */
void tvs_sync_reckon(struct tvs_sync *sync, uint64_t now);

#endif
