/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's memory: one allocation on its own socket, every table on its own cache lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/free_ring.h"
#include "core/session.h"
#include "core/sync.h"
#include "tvs/core.h"

enum { PORTS_PER_SLOT = 1 << 16, TOEPLITZ_TABLES = sizeof(struct tvs_tuple) };

/* Where each table starts, from the start of the worker; `bytes` is the whole. */
struct layout {
    size_t buckets, records, free, ring_pos, active, opened, lips, toeplitz, sync_queue;
    size_t limit_active, limit_counted, sources, bytes;
    uint32_t n_own_slots;
    uint32_t free_capacity;
};

static size_t take(struct layout *layout, size_t count, size_t size)
{
    size_t at = layout->bytes;
    size_t bytes = count * size;

    layout->bytes += (bytes + TVS_CACHE_LINE - 1) & ~(size_t)(TVS_CACHE_LINE - 1);
    return at;
}

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static int lay_out(const struct tvs_worker_config *config, struct layout *layout)
{
    uint32_t ports;

    if (config->n_slots == 0 || config->n_slots > TVS_MAX_SLOTS ||
        !is_power_of_two(config->n_buckets) || config->port_first == 0 ||
        config->port_first > config->port_last || config->port_start > config->port_last ||
        config->max_sessions == 0 || config->max_backends == 0 ||
        config->max_backends > TVS_MAX_BACKENDS || config->n_workers == 0 ||
        config->n_workers > TVS_MAX_WORKERS || config->index >= config->n_workers ||
        config->n_own_slots > config->n_slots ||
        (config->sync_queue != 0 && !is_power_of_two(config->sync_queue)))
        return -EINVAL;
    layout->n_own_slots = config->n_own_slots != 0 ? config->n_own_slots : config->n_slots;
    ports = (uint32_t)config->port_last - config->port_first + 1;
    layout->free_capacity = 1;
    while (layout->free_capacity < ports * layout->n_own_slots)
        layout->free_capacity *= 2;

    layout->bytes = 0;
    take(layout, 1, sizeof(struct tvs_worker));
    layout->buckets = take(layout, config->n_buckets, sizeof(struct tvs_bucket));
    layout->records =
        take(layout, (size_t)config->n_slots * PORTS_PER_SLOT, sizeof(struct tvs_record));
    layout->free = take(layout, layout->free_capacity, sizeof(uint32_t));
    layout->ring_pos = take(layout, config->max_pools, sizeof(uint32_t));
    layout->active = take(layout, config->max_backends, sizeof(uint32_t));
    layout->opened = take(layout, config->max_backends, sizeof(uint64_t));
    layout->lips = take(layout, layout->n_own_slots, sizeof(uint32_t));
    layout->toeplitz = take(layout, TOEPLITZ_TABLES, 256 * sizeof(uint32_t));
    layout->sync_queue = take(layout, config->sync_queue, sizeof(uint32_t));
    layout->limit_active = take(layout, TVS_MAX_SERVICES, sizeof(uint32_t));
    layout->limit_counted = take(layout, TVS_MAX_SERVICES, sizeof(uint32_t));
    layout->sources = take(layout, TVS_SOURCE_SETS, sizeof(struct tvs_source_set));
    return 0;
}

size_t tvs_worker_bytes(const struct tvs_worker_config *config)
{
    struct layout layout;

    return lay_out(config, &layout) == 0 ? layout.bytes : 0;
}

/* Interleaved over local IPs, so that neighbours in the queue spread over addresses first. */
static void fill_free_ring(struct tvs_worker *worker)
{
    uint32_t n_ports = (uint32_t)worker->port_last - worker->port_first + 1;
    uint32_t n_slots = worker->own_records / PORTS_PER_SLOT;

    for (uint32_t i = 0; i < n_ports; i++) {
        uint32_t port =
            worker->port_first + ((uint32_t)worker->port_start - worker->port_first + i) % n_ports;

        for (uint32_t slot = 0; slot < n_slots; slot++)
            tvs_free_put(&worker->free, slot << 16 | port);
    }
}

static void fill_toeplitz(uint32_t (*table)[256], const uint8_t *key)
{
    for (unsigned at = 0; at < TOEPLITZ_TABLES; at++)
        for (unsigned value = 0; value < 256; value++) {
            uint8_t input[TOEPLITZ_TABLES] = {0};

            input[at] = (uint8_t)value;
            table[at][value] = tvs_toeplitz(key, input, sizeof(input));
        }
}

/* IPv4 without options, unfragmented, to any station: no group address, which has the first bit. */
static void fill_starts(struct tvs_worker *worker)
{
    static const struct tvs_start any = {.byte = {[12] = 0x08, [13] = 0x00, [14] = 0x45}};
    static const struct tvs_start mask = {
        .byte = {[0] = 0x01, [12] = 0xff, [13] = 0xff, [14] = 0xff, [20] = 0x3f, [21] = 0xff}};

    for (unsigned port = 0; port < TVS_MAX_PORTS; port++)
        worker->start[port] = any;
    worker->start_mask = mask;
}

void tvs_worker_station_set(struct tvs_worker *worker, unsigned port, const uint8_t mac[6])
{
    memcpy(worker->start[port].byte, mac, 6);
}

void tvs_worker_stations_check(struct tvs_worker *worker)
{
    memset(worker->start_mask.byte, 0xff, 6);
}

struct tvs_worker *tvs_worker_init(void *memory, const struct tvs_worker_config *config)
{
    uint8_t *base = memory;
    struct tvs_worker *worker = memory;
    struct layout layout;

    if (lay_out(config, &layout) != 0 || (uintptr_t)memory % TVS_CACHE_LINE != 0)
        return NULL;
    worker->fib_epoch = 1;
    fill_starts(worker);
    memcpy(worker->mtu, config->mtu, sizeof(worker->mtu));
    worker->index = config->index;
    worker->buckets = (struct tvs_bucket *)(base + layout.buckets);
    worker->records = (struct tvs_record *)(base + layout.records);
    worker->hash_key[0] = config->hash_key[0];
    worker->hash_key[1] = config->hash_key[1];
    worker->bucket_mask = config->n_buckets - 1;
    worker->n_slots = config->n_slots;
    worker->own_records = layout.n_own_slots * PORTS_PER_SLOT;
    worker->port_first = config->port_first;
    worker->port_last = config->port_last;
    worker->port_start =
        config->port_start > config->port_first ? config->port_start : config->port_first;
    worker->sync_queue.record = (uint32_t *)(base + layout.sync_queue);
    worker->sync_queue.capacity = config->sync_queue;
    worker->free.record = (uint32_t *)(base + layout.free);
    worker->free.mask = layout.free_capacity - 1;
    worker->max_sessions = config->max_sessions;
    worker->ring_pos = (uint32_t *)(base + layout.ring_pos);
    worker->backend_active = (uint32_t *)(base + layout.active);
    worker->backend_opened = (uint64_t *)(base + layout.opened);
    worker->lip_addr_be = (uint32_t *)(base + layout.lips);
    worker->n_backends_max = config->max_backends;
    worker->limit_active = (uint32_t *)(base + layout.limit_active);
    worker->limit_counted = (uint32_t *)(base + layout.limit_counted);
    worker->sources = (struct tvs_source_set *)(base + layout.sources);
    for (uint32_t pool = 0; pool < config->max_pools; pool++)
        worker->ring_pos[pool] = UINT32_MAX; /* not started */
    memcpy(worker->lip_addr_be, config->lip_addr_be, layout.n_own_slots * sizeof(uint32_t));
    fill_free_ring(worker);
    if (config->rss_key != NULL) {
        uint32_t(*table)[256] = (uint32_t(*)[256])(base + layout.toeplitz);

        fill_toeplitz(table, config->rss_key);
        worker->toeplitz = (const uint32_t(*)[256])table;
    }
    return worker;
}

void tvs_worker_config_from(struct tvs_worker_config *config,
                            const struct tvs_generation *generation, uint16_t index,
                            uint32_t *lip_addr_be)
{
    const struct tvs_gen_memory *memory = &generation->memory;

    *config = (struct tvs_worker_config){
        .index = index,
        .lip_addr_be = lip_addr_be,
        .n_buckets = memory->buckets_per_worker,
        .max_sessions = memory->sessions_per_worker,
        .port_first = memory->port_first,
        .port_last = memory->port_last,
        .n_workers = generation->cores.n_workers,
        .rss_key = generation->steering.key,
        .max_pools = generation->n_pools,
    };
    for (uint32_t i = 0; i < generation->n_lips; i++) {
        const struct tvs_gen_lip *lip = &generation->lips[i];

        if (lip->worker != index || lip->slot >= TVS_MAX_SLOTS)
            continue;
        lip_addr_be[lip->slot] = htobe32(lip->address);
        if (lip->slot >= config->n_own_slots)
            config->n_own_slots = lip->slot + 1U;
    }
    config->n_slots = config->n_own_slots;
    if (generation->sync.n_peers > 0 && config->n_own_slots > 0) {
        config->n_slots = memory->slots_per_worker;
        config->sync_queue = TVS_SYNC_QUEUE;
    }
    for (uint32_t i = 0; i < generation->n_ports; i++)
        config->mtu[i] = generation->ports[i].mtu;
    for (uint32_t i = 0; i < generation->n_pools; i++)
        config->max_backends += generation->pools[i].n_backends;
}

void tvs_worker_bind(struct tvs_worker *worker, const struct tvs_binding *binding)
{
    const uint16_t *group = binding->limit_group;

    worker->binding = binding;
    worker->limit_group = group;
    if (group == NULL)
        return;
    memset(worker->limit_active, 0, TVS_MAX_SERVICES * sizeof(*worker->limit_active));
    for (uint32_t id = 0; id < TVS_MAX_SERVICES; id++)
        if (group[id] != TVS_NO_LIMIT)
            worker->limit_active[group[id]] += worker->limit_counted[id];
}

int tvs_limit_groups_make(const struct tvs_generation *generation, const uint16_t *service_id,
                          uint16_t **group)
{
    const struct tvs_limit *limits = generation->path_site->limits;

    *group = NULL;
    for (uint32_t i = 0; limits != NULL && i < generation->n_services; i++) {
        if (limits[i].connections == 0)
            continue;
        if (*group == NULL) {
            *group = malloc(TVS_MAX_SERVICES * sizeof(**group));
            if (*group == NULL)
                return -ENOMEM;
            memset(*group, 0xff, TVS_MAX_SERVICES * sizeof(**group));
        }
        (*group)[service_id[i]] = limits[i].group;
    }
    return 0;
}

/*
 * A session that goes on: the peers hear of it in time, and one that was opened before its service
 * had a limit counts from now on.
 */
static void look_after(struct tvs_worker *worker, struct tvs_record *record)
{
    if (worker->sync != NULL && tvs_sync_is_due(worker, record))
        tvs_sync_queue_put(worker, record);
    if (worker->limit_group != NULL && tvs_session_number(worker, record) < worker->own_records)
        tvs_limits_count(worker, record);
}

uint32_t tvs_worker_sweep(struct tvs_worker *worker, uint32_t budget)
{
    uint32_t n_records = worker->n_slots * PORTS_PER_SLOT;
    uint32_t freed = 0;

    if (budget > n_records)
        budget = n_records;
    for (; budget > 0; budget--) {
        struct tvs_record *record = &worker->records[worker->sweep_cursor];

        if (++worker->sweep_cursor == n_records)
            worker->sweep_cursor = 0;
        if (record->state == TVS_S_FREE)
            continue;
        if (!tvs_session_expired(record, worker->now_tick)) {
            look_after(worker, record);
            continue;
        }
        tvs_session_close(worker, record);
        freed++;
    }
    worker->counters.sessions_expired += freed;
    return freed;
}

uint32_t tvs_worker_sweep_budget(const struct tvs_worker *worker, uint32_t period_ticks)
{
    uint32_t n_records = worker->n_slots * PORTS_PER_SLOT;

    return n_records / (period_ticks != 0 ? period_ticks : 1) + 1;
}
