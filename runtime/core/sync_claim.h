/* SPDX-License-Identifier: Apache-2.0 */
/* The packet path's part of session sync: to tell a peer's message from a packet for the kernel. */
#ifndef TVS_CORE_SYNC_CLAIM_H
#define TVS_CORE_SYNC_CLAIM_H

#include "core/parse.h"
#include "core/sync.h"

/* Whether a peer has the address: who has not costs no hand-over and no MAC. */
static bool tvs_sync_is_peers(const struct tvs_sync *sync, uint32_t saddr_be)
{
    for (uint32_t i = 0; i < sync->n_peers; i++)
        for (unsigned path = 0; path < sync->peers[i].n_paths; path++)
            if (sync->peers[i].paths[path].remote_be == saddr_be)
                return true;
    return false;
}

static bool tvs_sync_is_local(const struct tvs_sync *sync, uint32_t daddr_be)
{
    for (unsigned i = 0; i < sync->n_local; i++)
        if (sync->local_be[i] == daddr_be)
            return true;
    return false;
}

/*
 * False: not a message. RSS brought it to the worker that it names, or else this hands it over,
 * once. Nothing of it is believed yet but that number.
 */
static TVS_NOINLINE bool tvs_sync_claim(struct tvs_worker *worker, struct tvs_frame *frame,
                                        const struct tvs_packet *packet)
{
    const struct tvs_sync *sync = worker->sync;
    const struct tvs_sync_header *header;
    unsigned bytes = tvs_frame_end(frame) - packet->l4;
    uint8_t to;

    if (packet->key.proto != TVS_UDP || packet->key.tuple.dport_be != sync->port_be ||
        !tvs_sync_is_local(sync, packet->key.tuple.daddr_be))
        return false;
    if (!tvs_sync_is_peers(sync, packet->key.tuple.saddr_be)) {
        tvs_drop(worker, frame, TVS_DROP_sync_no_peer);
        return true;
    }
    header = (const struct tvs_sync_header *)(frame->data + packet->l4 + TVS_UDP_BYTES);
    if (bytes >= TVS_UDP_BYTES + sizeof(*header)) {
        memcpy(&to, &header->worker, sizeof(to));
        if (to != worker->index) {
            if (to < sync->n_workers)
                tvs_hand_over(worker, frame, to, TVS_DROP_sync_no_worker);
            else
                tvs_drop(worker, frame, TVS_DROP_sync_no_worker);
            return true;
        }
    }
    worker->counters.sync++;
    frame->verdict = TVS_V_SYNC;
    frame->arg = 0;
    return true;
}

#endif
