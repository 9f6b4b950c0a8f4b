/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's own parts around one worker: memory, backends, generations and the worker's loop are
 * tvsd's object files. Only what leads outside is missing: kernel routes, health checks, the
 * control socket. The generation is taken as it is but for its sizes, its port and its cores.
 */
#ifndef TVS_BENCH_LATENCY_NODE_H
#define TVS_BENCH_LATENCY_NODE_H

#include "bench/node/latency_device.h"
#include "bench/traffic.h"
#include "host/host.h"

/* Generations that may be loaded at once: the one that runs and the next. */
enum { BENCH_GENERATIONS = 2 };

struct bench_latency_options {
    const char *generation;
    uint8_t proto;
    uint32_t sessions;
    uint32_t round_us;
    uint32_t rounds;
    uint32_t flips;
    uint32_t changes; /* of a backend */
    uint32_t stream;  /* frames, a power of two */
    int control_core, worker_core;
    uint64_t seed;
    bool huge;
    bool json;
};

struct bench_node {
    const struct bench_latency_options *options;
    struct tvs_host host;
    struct tvs_generation patched[BENCH_GENERATIONS];
    struct tvs_gen_port port;
    struct tvs_gen_lip *lips;
    int16_t worker_core;
    unsigned at; /* the patched one that runs */
    struct tvs_nexthop nexthops[2];
    struct bench_device device;
    struct bench_traffic traffic;
    struct bench_arrival *stream;
    struct tvs_timer timer;
    char run_dir[64];
};

/*
 * EAL, the device, the worker's memory, `sessions` established ones; the worker's thread does not
 * run yet. NULL, or what went wrong (a line; the text stays until the next call).
 */
const char *bench_node_start(struct bench_node *node, const struct bench_latency_options *options);
const char *bench_node_launch(struct bench_node *node);
void bench_node_join(struct bench_node *node);
void bench_node_stop(struct bench_node *node);

/*
 * Loads the generation once more and flips the worker to it, as a reload does. NULL or what went
 * wrong.
 */
const char *bench_node_flip(struct bench_node *node);

/* Another weight for one server, or its drain mark, in turn. */
const char *bench_node_change(struct bench_node *node, uint32_t number);

/* Runs the control thread's loop for `ms`. */
void bench_node_turn(struct bench_node *node, uint32_t ms);

#endif
