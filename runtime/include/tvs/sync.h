/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session sync on the wire: UDP from worker i of a node to worker i of each other node of the
 * cluster. Numbers are little-endian, as both ends are; addresses and ports of a session lie as in
 * a packet. Nobody else speaks this: both ends compare version and contract.
 */
#ifndef TVS_SYNC_H
#define TVS_SYNC_H

#include "tvs/base.h"
#include "tvs/record.h"

#define TVS_SYNC_MAGIC UINT32_C(0x01535654) /* "TVS", version 1 */

enum tvs_sync_kind {
    TVS_SYNC_HELLO = 0,  /* I live; who I am, what I have sent */
    TVS_SYNC_UPDATE = 1, /* sessions as they are now, to every peer under one number */
    TVS_SYNC_AGAIN = 2,  /* some of your updates did not come */
    TVS_SYNC_PULL = 3,   /* what do you have from `cursor` on? */
    TVS_SYNC_BULK = 4,   /* the answer; `cursor`: where to go on, TVS_SYNC_END: that was all */
    TVS_N_SYNC_KINDS = 5,
};

enum {
    TVS_SYNC_TO_ALL = 0xff,
    TVS_SYNC_SESSIONS = 40, /* of one message: it fits any Ethernet */
    TVS_SYNC_WINDOW = 1024, /* updates that may be asked for again */
};
#define TVS_SYNC_END UINT32_MAX

struct tvs_sync_header {
    uint64_t mac; /* core/mac.h, under the cluster's key, of everything behind this field */
    uint32_t magic;
    uint8_t kind; /* enum tvs_sync_kind */
    uint8_t from; /* node, by index in the cluster */
    uint8_t to;   /* likewise; TVS_SYNC_TO_ALL: an update */
    uint8_t worker;
    uint64_t contract; /* of the generation */
    uint64_t epoch;    /* drawn by the sender when it started */
    uint64_t number;   /* from 1: updates of the sender's worker; all else, per peer */
    uint32_t cursor;   /* pull, bulk: where in its tables the asked one is */
    uint16_t n;        /* sessions that follow */
    uint16_t question; /* pull: counts the asker's; bulk: which one it answers */
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_sync_header) == 48, "no padding");

/* Follows a hello's header. */
struct tvs_sync_hello {
    uint64_t challenge; /* the peer proves that it lives by sending this back */
    uint64_t answer;    /* the peer's own challenge, as last heard; 0: not yet */
    uint64_t updates;   /* the number of the last update sent */
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_sync_hello) == 24, "no padding");

/* Follows the header of TVS_SYNC_AGAIN: which of the last TVS_SYNC_WINDOW updates have come. */
struct tvs_sync_again {
    uint64_t next;                       /* one above the highest that was heard of */
    uint64_t seen[TVS_SYNC_WINDOW / 64]; /* a bit each, by number modulo the window */
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_sync_again) == 136, "no padding");

/* A session as it is on the wire: the first half of a record but for what is a node's own. */
struct tvs_sync_session {
    struct tvs_tuple in;
    uint8_t proto;
    uint8_t state;
    uint16_t age_ticks; /* since it was opened; UINT16_MAX: at least so long */
    struct tvs_tuple out;
    uint32_t left_ticks; /* until it expires */
} __attribute__((packed));
_Static_assert(sizeof(struct tvs_sync_session) == 32, "two per line");
_Static_assert(offsetof(struct tvs_sync_session, state) == offsetof(struct tvs_record, state) &&
                   offsetof(struct tvs_sync_session, out) == offsetof(struct tvs_record, out),
               "copied as a whole");

#endif
