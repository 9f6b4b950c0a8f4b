/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bench's own traffic. It keeps its own keys and writes packets from them, so that it never
 * reads a record or a bucket: nothing that is measured is warm because of it.
 */
#ifndef TVS_BENCH_TRAFFIC_H
#define TVS_BENCH_TRAFFIC_H

#include "bench/bench.h"

struct bench_traffic {
    uint64_t random;
    enum bench_pattern pattern;
    uint32_t n_flows;
    struct bench_flow *flows; /* [capacity] */
    uint32_t capacity;
    uint32_t next_client; /* number of the next key never used before */
    double *zipf;         /* [n_flows] running sums, for the zipf pattern */

    /* where the traffic goes */
    uint8_t proto;
    uint32_t vip_be;
    uint16_t vip_port_be;
    const struct tvs_gen_steering *steering; /* software: only clients of this worker */
    uint16_t worker;
};

uint32_t bench_random(struct bench_traffic *traffic, uint32_t below);

/* A client's address and port that no flow had before. */
struct bench_flow bench_flow_fresh(struct bench_traffic *traffic);

/* In random order, so that neighbours in memory are not neighbours in time. */
void bench_flows_shuffle(struct bench_traffic *traffic);

/* Prepares the pattern for `n_flows`; -ENOMEM. */
int bench_pattern_set(struct bench_traffic *traffic, enum bench_pattern pattern);

/* The flow that the next packet belongs to. */
uint32_t bench_flow_pick(struct bench_traffic *traffic);

/* What a flow's packets carry when they reach the load balancer. */
struct tvs_tuple bench_flow_tuple(const struct bench_traffic *traffic,
                                  const struct bench_flow *flow, bool is_reply);

/* Writes one frame of a flow. `flags`: of TCP. */
void bench_write_request(const struct bench_traffic *traffic, uint8_t *frame, uint32_t frame_bytes,
                         const struct bench_flow *flow, uint8_t flags);
void bench_write_reply(const struct bench_traffic *traffic, uint8_t *frame, uint32_t frame_bytes,
                       const struct bench_flow *flow, uint8_t flags);

/* Learns local and server end from a request that has been rewritten. */
void bench_flow_learn(struct bench_flow *flow, const uint8_t *frame);

#endif
