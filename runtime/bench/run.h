/* SPDX-License-Identifier: Apache-2.0 */
/* One worker under measurement: its memory, its sessions, the pool of packets, the timed loops. */
#ifndef TVS_BENCH_RUN_H
#define TVS_BENCH_RUN_H

#include "bench/hash.h"
#include "bench/traffic.h"

typedef void (*bench_burst_fn)(struct tvs_worker *, struct tvs_frame *, unsigned);

struct bench_run {
    const struct bench_options *options;
    struct tvs_node *node;
    bench_burst_fn generic; /* NULL: none */
    struct tvs_worker *worker;
    size_t worker_bytes;
    uint32_t capacity; /* sessions that the worker has room for */
    const char *pages;

    uint8_t *pool; /* [n_packets] of BENCH_STRIDE bytes */
    size_t pool_bytes;
    uint8_t **sent; /* [n_packets] the device's transmit ring */
    uint64_t since_tick;

    struct bench_traffic traffic;
    struct bench_hash *hash;    /* NULL: no DPDK */
    struct tvs_record *entries; /* [sessions] what rte_hash's positions lead to */
    size_t entries_bytes;
};

/* Opens `sessions` of them and leaves them established. Returns NULL or what went wrong. */
const char *bench_run_open(struct bench_run *run, uint32_t sessions);
void bench_run_close(struct bench_run *run);

/* Most sessions that the local IPs of the generation's first worker allow. */
uint32_t bench_run_room(const struct tvs_generation *generation);

/*
 * One repeat: writes new packets, runs them, `*cycles` is the time of one packet. Returns NULL, or
 * what became of packets that should have been forwarded.
 */
const char *bench_repeat(struct bench_run *run, enum bench_direction direction,
                         enum bench_subject subject, double *cycles);

/* Before and after all repeats of a direction that changes sessions. */
void bench_direction_begin(struct bench_run *run, enum bench_direction direction);

#endif
