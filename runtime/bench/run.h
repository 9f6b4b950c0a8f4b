/* SPDX-License-Identifier: Apache-2.0 */
/* One worker under measurement: its memory, its sessions, the pool of packets, the directions. */
#ifndef TVS_BENCH_RUN_H
#define TVS_BENCH_RUN_H

#include "bench/hash.h"
#include "bench/traffic.h"

struct bench_counters;
struct bench_gate;
struct bench_sync;

typedef void (*bench_burst_fn)(struct tvs_worker *, struct tvs_frame *, unsigned);

struct bench_run {
    const struct bench_options *options;
    struct tvs_node *node;
    bench_burst_fn generic; /* NULL: none */
    uint16_t worker_index;
    struct tvs_worker *worker;
    size_t worker_bytes;
    uint32_t capacity; /* sessions that the worker has room for */
    const char *pages;

    uint8_t *pool; /* [n_packets] of BENCH_STRIDE bytes */
    size_t pool_bytes;
    uint8_t **sent;  /* [n_packets] the device's transmit ring */
    uint64_t *clock; /* [stretches + 1] TSC between the stretches of the last measurement */
    uint64_t *spent; /* [stretches] */
    uint64_t since_tick;
    bool has_closed; /* flows [0, batch) have been closed to make room for new ones */

    struct bench_traffic traffic;
    struct bench_hash *hash; /* of the direction's keys; NULL: not measured, or no DPDK */
    bool hash_is_of_replies;
    bool hash_adds;             /* what is not found is added: new sessions */
    struct tvs_record *entries; /* [sessions] what rte_hash's positions lead to */
    size_t entries_bytes;
    uint64_t n_found; /* packets whose key rte_hash had */

    double tsc_hz;
    struct bench_sync *sync; /* NULL: not begun */
    bool is_syncing;         /* the device's loop takes session sync's turns */

    bool is_of_pair;
    struct bench_gate *gate;         /* NULL: no other worker is measured at the same time */
    struct bench_counters *counters; /* NULL: nothing is counted */
    volatile uint32_t *trace_mark;   /* NULL: not traced; else written before and after a burst */
    char wrong[160];
};

/* Opens `sessions` of them and leaves them established. Returns NULL or what went wrong. */
const char *bench_run_open(struct bench_run *run, uint32_t sessions);
void bench_run_close(struct bench_run *run);

/* Most sessions that the local IPs of a worker of the generation allow. */
uint32_t bench_run_room(const struct tvs_generation *generation, uint16_t worker);

/* Bytes that a run with so many sessions (or its capacity) takes, floors included. */
size_t bench_run_bytes(const struct bench_run *run, uint32_t sessions);

/* Whether the subject has something to do in this direction. */
bool bench_subject_there(const struct bench_run *run, enum bench_direction direction,
                         enum bench_subject subject);

/* Before all repeats of a direction. */
const char *bench_direction_begin(struct bench_run *run, enum bench_direction direction);

/* Fills rte_hash with the keys of one direction, if it has others. NULL or what went wrong. */
const char *bench_hash_fill(struct bench_run *run, bool is_of_replies);

/* Takes the requests' keys of the first `n` flows out of rte_hash. */
void bench_hash_forget(struct bench_run *run, uint32_t n);

/*
 * One repeat: writes new packets, runs them, `*cycles` is the time of one packet; 0 when no
 * stretch of it counts. Returns NULL, or what became of packets that should have been forwarded.
 */
const char *bench_repeat(struct bench_run *run, enum bench_direction direction,
                         enum bench_subject subject, double *cycles);

#endif
