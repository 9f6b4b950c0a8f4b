/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/loops.h"
#include "bench/sync.h"

enum { SESSIONS_PER_BUCKET = 4 /* as the compiler sizes the table */ };

uint32_t bench_run_room(const struct tvs_generation *generation, uint16_t worker)
{
    uint32_t ports = (uint32_t)generation->memory.port_last - generation->memory.port_first + 1;
    uint32_t slots = 0;

    for (uint32_t i = 0; i < generation->n_lips; i++)
        slots += generation->lips[i].worker == worker;
    return ports * slots;
}

static uint32_t capacity_of(const struct bench_run *run, uint32_t sessions)
{
    uint32_t capacity = run->options->capacity > sessions ? run->options->capacity : sessions;

    return run->options->has_sync ? capacity + capacity / 4
                                  : capacity; /* of them some have ended */
}

static void config_make(const struct bench_run *run, uint32_t sessions,
                        struct tvs_worker_config *config, uint32_t *lips)
{
    const struct tvs_node *node = run->node;
    uint32_t ports;

    tvs_worker_config_from(config, node->generation, run->worker_index, lips);
    config->max_pools = node->generation->n_pools;
    config->max_backends = node->n_backends;
    config->hash_key[0] = run->options->seed * UINT64_C(0x9e3779b97f4a7c15);
    config->hash_key[1] = ~config->hash_key[0] * UINT64_C(0xbf58476d1ce4e5b9);
    config->max_sessions = sessions;
    ports = (uint32_t)config->port_last - config->port_first + 1;
    if ((sessions + ports - 1) / ports < config->n_own_slots)
        config->n_own_slots = (sessions + ports - 1) / ports;
    /* copies of peers' sessions: none, or as many */
    config->n_slots = config->n_own_slots * (run->options->has_sync ? 2 : 1);
    config->sync_queue = run->options->has_sync ? TVS_SYNC_QUEUE : 0;
    if (run->options->has_sync)
        sessions *= 2;
    config->n_buckets = 2;
    while (config->n_buckets * SESSIONS_PER_BUCKET < sessions)
        config->n_buckets *= 2;
}

static size_t pool_bytes(const struct bench_run *run)
{
    return (size_t)run->options->n_packets * BENCH_STRIDE;
}

static size_t entries_bytes(uint32_t sessions)
{
    return (sessions + sessions / 8 + 64UL) * sizeof(struct tvs_record);
}

size_t bench_run_bytes(const struct bench_run *run, uint32_t sessions)
{
    uint32_t lips[TVS_MAX_SLOTS];
    struct tvs_worker_config config = {0};
    size_t bytes;

    config_make(run, capacity_of(run, sessions), &config, lips);
    bytes = bench_memory_bytes(tvs_worker_bytes(&config)) + bench_memory_bytes(pool_bytes(run));
    if (run->options->has_sync)
        bytes += bench_sync_bytes();
    if (run->options->floors)
        bytes += bench_memory_bytes(entries_bytes(sessions)) + bench_hash_bytes(sessions);
    return bytes;
}

static int worker_make(struct bench_run *run)
{
    uint32_t lips[TVS_MAX_SLOTS];
    struct tvs_worker_config config = {0};
    struct tvs_node *node = run->node;
    void *memory;

    config_make(run, run->capacity, &config, lips);
    run->worker_bytes = tvs_worker_bytes(&config);
    memory = bench_memory(run->worker_bytes, run->options->small_pages, &run->pages);
    if (memory == NULL)
        return -1;
    run->worker = tvs_worker_init(memory, &config);
    if (run->worker == NULL)
        return -1;
    run->worker->nexthops = node->nexthops;
    run->worker->route = node->workers[0]->route;
    run->worker->fib = node->workers[0]->fib;
    run->worker->binding = &node->binding;
    run->worker->sync_queue.capacity = 0; /* until there is session sync */
    run->worker->now_tick = 1;
    return 0;
}

const char *bench_run_open(struct bench_run *run, uint32_t sessions)
{
    struct bench_traffic *traffic = &run->traffic;
    const struct bench_options *options = run->options;
    uint32_t n_packets = options->n_packets;

    traffic->n_flows = sessions;
    traffic->worker = run->worker_index;
    traffic->capacity = sessions + n_packets;
    traffic->flows = calloc(traffic->capacity, sizeof(*traffic->flows));
    run->pool_bytes = pool_bytes(run);
    run->pool = bench_memory(run->pool_bytes, options->small_pages, &run->pages);
    run->sent = malloc(n_packets * sizeof(*run->sent));
    run->clock = calloc(n_packets / BENCH_PAIR_STRETCH + 4, sizeof(*run->clock));
    run->spent = calloc(n_packets / BENCH_PAIR_STRETCH + 4, sizeof(*run->spent));
    if (traffic->flows == NULL || run->pool == NULL || run->sent == NULL || run->clock == NULL ||
        run->spent == NULL)
        return "not enough memory";
    memset(run->sent, 0xff, n_packets * sizeof(*run->sent)); /* or its pages come when timed */
    run->capacity = capacity_of(run, sessions);
    if (worker_make(run) != 0)
        return "not enough memory for the worker";
    for (uint32_t i = 0; i < sessions; i++)
        traffic->flows[i] = bench_flow_fresh(traffic);
    bench_flows_shuffle(traffic);
    return bench_flows_open(run);
}

static void hash_drop(struct bench_run *run)
{
    bench_hash_free(run->hash);
    bench_memory_free(run->entries, run->entries_bytes);
    run->hash = NULL;
    run->entries = NULL;
}

void bench_run_close(struct bench_run *run)
{
    hash_drop(run);
    bench_sync_close(run);
    bench_memory_free(run->worker, run->worker_bytes);
    bench_memory_free(run->pool, run->pool_bytes);
    free(run->sent);
    free(run->clock);
    free(run->spent);
    free(run->traffic.flows);
    free(run->traffic.zipf);
}

static struct tvs_key key_of(const struct bench_run *run, uint32_t flow, bool is_reply)
{
    return (struct tvs_key){
        .tuple = bench_flow_tuple(&run->traffic, &run->traffic.flows[flow], is_reply),
        .proto = run->traffic.proto,
    };
}

void bench_hash_forget(struct bench_run *run, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct tvs_key key = key_of(run, i, false);

        bench_hash_remove(run->hash, &key);
    }
}

/* The same keys for rte_hash; entries hold what a rewrite needs. */
const char *bench_hash_fill(struct bench_run *run, bool is_of_replies)
{
    uint32_t sessions = run->traffic.n_flows;

    if (run->hash != NULL && run->hash_is_of_replies == is_of_replies)
        return NULL;
    hash_drop(run);
    run->hash_is_of_replies = is_of_replies;
    run->hash = bench_hash_make(sessions, run->options->small_pages);
    if (run->hash == NULL)
        return bench_hash_built() ? "rte_hash got no memory" : NULL;
    run->entries_bytes = entries_bytes(sessions);
    run->entries =
        bench_memory(run->entries_bytes, run->options->small_pages, &(const char *){NULL});
    if (run->entries == NULL)
        return "not enough memory for what rte_hash leads to";
    for (uint32_t i = 0; i < sessions; i++) {
        const struct bench_flow *flow = &run->traffic.flows[i];
        const struct tvs_key key = key_of(run, i, is_of_replies);
        int32_t position = bench_hash_add(run->hash, &key);

        if (position < 0)
            return "rte_hash took not all keys";
        run->entries[position].out.saddr_be = flow->local_be;
    }
    return NULL;
}
