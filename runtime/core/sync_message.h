/* SPDX-License-Identifier: Apache-2.0 */
/* Messages in frames: room for one, its header, its MAC, its way out. */
#ifndef TVS_CORE_SYNC_MESSAGE_H
#define TVS_CORE_SYNC_MESSAGE_H

#include "core/sync.h"

/* A message that is being written. */
struct tvs_sync_message {
    uint8_t *frame; /* NULL: no room */
    struct tvs_sync_header *header;
    void *body;
    unsigned body_bytes;
};

/* Room for a message of this kind to `peer`, or to all when it is NULL. */
bool tvs_sync_message_begin(struct tvs_sync *sync, const struct tvs_sync_io *io,
                            struct tvs_sync_message *message, enum tvs_sync_kind kind,
                            const struct tvs_sync_peer *peer, uint64_t number);

/* Adds the record as it is now. False: it is no session that a peer should have. */
bool tvs_sync_message_add(const struct tvs_worker *worker, struct tvs_sync_message *message,
                          const struct tvs_record *record);

/* Seals the message: nothing of it changes any more. */
void tvs_sync_message_seal(const struct tvs_sync *sync, struct tvs_sync_message *message);

/* Sends a sealed message on the path that the peer was last heard on. */
void tvs_sync_message_send(struct tvs_sync *sync, const struct tvs_worker *worker,
                           const struct tvs_sync_io *io, struct tvs_sync_message *message,
                           const struct tvs_sync_peer *peer);

/* Sends a sealed message to every peer that is here. */
void tvs_sync_message_spread(struct tvs_sync *sync, const struct tvs_worker *worker,
                             const struct tvs_sync_io *io, struct tvs_sync_message *message,
                             uint64_t now);

#endif
