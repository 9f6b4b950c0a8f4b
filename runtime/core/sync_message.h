/* SPDX-License-Identifier: Apache-2.0 */
/* Messages in frames: room for one, its header, its MAC, its way out. */
#ifndef TVS_CORE_SYNC_MESSAGE_H
#define TVS_CORE_SYNC_MESSAGE_H

#include "core/session.h"
#include "core/sync.h"

/* A message that is being written. */
struct tvs_sync_message {
    uint8_t *frame; /* NULL: no room */
    struct tvs_sync_header *header;
    void *body;
    unsigned body_bytes; /* without the sessions */
    unsigned n;          /* sessions, from `body` on */
};

/* The headers of what goes this way: everything but lengths and checksum. */
void tvs_sync_path_prepare(struct tvs_sync_path *path, uint16_t port_be);

/* Room for a message of this kind to `peer`, or to all when it is NULL. */
bool tvs_sync_message_begin(struct tvs_sync *sync, const struct tvs_sync_io *io,
                            struct tvs_sync_message *message, enum tvs_sync_kind kind,
                            const struct tvs_sync_peer *peer, uint64_t number);

/* Writes the record, as it is now, where a message has room. False: no peer should have it. */
TVS_INLINE bool tvs_sync_session_write(const struct tvs_worker *worker,
                                       struct tvs_sync_session *session,
                                       const struct tvs_record *record)
{
    uint32_t age_ticks = worker->now_tick - record->opened_tick;

    if (record->state < TVS_S_ESTABLISHED || tvs_session_expired(record, worker->now_tick))
        return false;
    memcpy(session, record, sizeof(*session));
    session->age_ticks = age_ticks < UINT16_MAX ? (uint16_t)age_ticks : UINT16_MAX;
    session->left_ticks = tvs_sync_told_tick(worker, record) - worker->now_tick;
    return true;
}

/* Seals the message: nothing of it changes any more. */
void tvs_sync_message_seal(const struct tvs_sync *sync, struct tvs_sync_message *message);

/* Sends a sealed message on the path that the peer was last heard on. False: it leads nowhere. */
bool tvs_sync_message_send(struct tvs_sync *sync, const struct tvs_worker *worker,
                           const struct tvs_sync_io *io, struct tvs_sync_message *message,
                           const struct tvs_sync_peer *peer);

/* Sends a sealed message to every peer that is here. */
void tvs_sync_message_spread(struct tvs_sync *sync, const struct tvs_worker *worker,
                             const struct tvs_sync_io *io, struct tvs_sync_message *message,
                             uint64_t now);

#endif
