/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the bench share: options, one flow, the device in memory. */
#ifndef TVS_BENCH_H
#define TVS_BENCH_H

#include "adapters/node.h"

enum {
    BENCH_STRIDE = 2240, /* from frame to frame: an mbuf of 2 KB and its header */
    BENCH_FRAME_AT = 128,
    BENCH_MIN_FRAME = 60,
    BENCH_MAX_FRAME = 1514,
    BENCH_MAX_REPEATS = 1001,
};

enum bench_direction {
    BENCH_REQUEST, /* client -> server of an established session */
    BENCH_REPLY,   /* server -> client */
    BENCH_NEW,     /* first packets: schedule, port, insert, rewrite */
    BENCH_CLOSE,   /* TCP: the client's FIN */
    BENCH_REFUSED, /* first packets to a worker whose sessions are all in use */
    BENCH_SWEEP,   /* per record visited: housekeeping, not packets */
    BENCH_SYNC,    /* whole sessions, a tenth of all packets opens one: see sync.h */
    BENCH_N_DIRECTIONS
};

enum bench_pattern { BENCH_UNIFORM, BENCH_ZIPF, BENCH_ONE, BENCH_N_PATTERNS };

extern const char *const bench_direction_name[BENCH_N_DIRECTIONS];
extern const char *const bench_pattern_name[BENCH_N_PATTERNS];

/* Who handles a run's packets. The first is what is measured, the others what to compare with. */
enum bench_subject {
    BENCH_SITE,    /* the generation */
    BENCH_GENERIC, /* the same code with every decision taken at run time */
    BENCH_TOUCH,   /* each packet read and rewritten, nothing looked up */
    BENCH_HASH,    /* DPDK's rte_hash in place of the forward table */
    BENCH_TELLS,   /* BENCH_SYNC: the generation, telling peers of its sessions */
    BENCH_LEARNS,  /* BENCH_SYNC: likewise, and peers tell of as many */
    BENCH_N_SUBJECTS
};

/* A session as its two ends see it; network order. */
struct bench_flow {
    uint32_t client_be, local_be, server_be;
    uint16_t client_port_be, local_port_be, server_port_be;
    uint16_t n_packets; /* that it has had; of BENCH_SYNC alone */
};

struct bench_options {
    const char *generation;
    const char *generic; /* NULL: none */
    uint8_t proto;
    int class_id;       /* -1: the first service of the protocol */
    uint32_t n_packets; /* in the pool */
    uint32_t capacity;  /* sessions that the worker has room for; fewer than are open: as many */
    uint32_t burst;
    uint32_t frame_bytes;
    uint32_t repeats;
    uint32_t packets_per_tick;
    uint64_t seed;
    bool floors;
    bool has_sync;    /* room for peers' sessions, as many as are open */
    bool small_pages; /* take no 2 MB pages */
    bool json;
};

/* Zeroed memory on 2 MB pages, or on what the kernel gives; `*kind` tells which. NULL: none. */
void *bench_memory(size_t bytes, bool small_pages, const char **kind);
void bench_memory_free(void *memory, size_t bytes);

/* What a piece of memory takes in whole pages. */
size_t bench_memory_bytes(size_t bytes);

/*
 * How many 2 MB pages are missing for `bytes`, of how many; `*total_wanted` is what the machine
 * would have to reserve.
 */
size_t bench_pages_missing(size_t bytes, size_t *needed, size_t *total_wanted);

#endif
