/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session, one cache line. A record's number is (local-IP slot << 16 | local port), so a reply
 * finds its record by arithmetic and a request through the forward table. Both directions read the
 * same line. The record holds every address it needs and only host-stable ids, so that it outlives
 * the generation that made it.
 */
#ifndef TVS_RECORD_H
#define TVS_RECORD_H

#include "tvs/base.h"

/* Addresses and ports exactly as they lie in an IPv4 header and the first word of TCP or UDP. */
struct tvs_tuple {
    uint32_t saddr_be;
    uint32_t daddr_be;
    uint16_t sport_be;
    uint16_t dport_be;
};
_Static_assert(sizeof(struct tvs_tuple) == 12, "a tuple is copied to the wire");

enum tvs_state {
    TVS_S_FREE = 0,
    TVS_S_SYN = 1,         /* the client's SYN went to the server */
    TVS_S_SYN_ACK = 2,     /* the server answered */
    TVS_S_ESTABLISHED = 3, /* the client acknowledged: the bulk of all packets */
    TVS_S_FIN_CLIENT = 4,  /* the client has finished sending */
    TVS_S_FIN_SERVER = 5,
    TVS_S_CLOSED = 6, /* both have finished */
    TVS_S_RESET = 7,  /* one side sent RST: kept briefly, a new SYN replaces it */
    TVS_S_UDP = 8,
    TVS_N_STATES = 9,
};

enum {
    TVS_RECORD_QUEUED = 1 << 0,  /* is in the worker's queue of what to tell the peers */
    TVS_RECORD_TOLD = 1 << 1,    /* the peers have it, or it came from one */
    TVS_RECORD_TOA = 1 << 2,     /* the server may not know the client's address yet */
    TVS_RECORD_COUNTED = 1 << 3, /* counts towards `connections` of its service */
};

struct tvs_record {
    /* the request's key: 13 bytes, compared as two words */
    struct tvs_tuple in; /* client -> VIP */
    uint8_t proto;       /* enum tvs_proto; 0 when free, so that no key is equal */
    uint8_t state;       /* enum tvs_state */
    uint16_t service;    /* host-stable service id */

    /* the reply's key, the request's rewrite */
    struct tvs_tuple out;  /* local IP -> server */
    uint32_t expires_tick; /* host tick at which the sweep may free it */

    uint16_t ip_delta; /* one's complement sum of `out` addresses minus `in` addresses */
    uint16_t l4_delta; /* the same with the ports; a reply uses the complement of both */
    uint16_t nexthop_request;
    uint16_t nexthop_reply;
    uint32_t backend;   /* host-stable backend id */
    uint16_t fib_epoch; /* of the two next hops: an older one is looked up again; 0: of none */
    uint16_t flags;     /* TVS_RECORD_*; those of a free record still count */

    uint32_t hash; /* of (`in`, proto): names the bucket to clear when the session ends */
    uint32_t opened_tick;
    uint32_t told_tick; /* sync: when the peers' copies expire; untold: the first deadline */
    uint32_t free_at;   /* while free: its place in the free ring, plus 1; 0: where it began */
} TVS_CACHE_ALIGNED;
_Static_assert(sizeof(struct tvs_record) == TVS_CACHE_LINE, "one session, one line");
_Static_assert(offsetof(struct tvs_record, out) == 16, "first quarter is the request's key");

/* Changes whenever the meaning of a byte above does: peers and generations compare it. */
#define TVS_RECORD_SCHEMA UINT64_C(0x7476732d72656302)

#endif
