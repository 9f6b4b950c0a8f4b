/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/memory.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/node.h"
#include "adapters/stats.h"

struct tvs_memory {
    struct tvs_node *node;
};

struct tvs_memory *tvs_memory_open(const char *path, uint64_t seed, char *error, size_t error_bytes)
{
    struct tvs_node_config config = {.seed = seed, .exact_frames = true};
    struct tvs_memory *memory = calloc(1, sizeof(*memory));

    if (!memory)
        return NULL;
    memory->node = tvs_node_open(path, &config, error, error_bytes);
    if (memory->node)
        return memory;
    free(memory);
    return NULL;
}

void tvs_memory_close(struct tvs_memory *memory)
{
    if (!memory)
        return;
    tvs_node_close(memory->node);
    free(memory);
}

uint32_t tvs_memory_workers(const struct tvs_memory *memory)
{
    return memory->node->n_workers;
}

int tvs_memory_run(struct tvs_memory *memory, struct tvs_memory_packet *packets, uint32_t n)
{
    struct tvs_node_packet *inner = calloc((size_t)n + 1, sizeof(*inner));
    int rc;

    if (!inner)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        inner[i] = (struct tvs_node_packet){
            .data = packets[i].data,
            .len = packets[i].len,
            .rx_worker = packets[i].rx_worker,
            .port_in = packets[i].port_in,
        };
    }
    rc = tvs_node_run(memory->node, inner, n);
    for (uint32_t i = 0; i < n && !rc; i++) {
        packets[i].rx_worker = inner[i].rx_worker;
        packets[i].verdict = inner[i].verdict;
        packets[i].arg = inner[i].arg;
        packets[i].worker = inner[i].worker;
        packets[i].result = inner[i].result;
        packets[i].result_len = inner[i].result_len;
        packets[i].unchanged = tvs_node_is_unchanged(memory->node, &inner[i]);
    }
    free(inner);
    return rc;
}

void tvs_memory_tick(struct tvs_memory *memory, uint32_t tick)
{
    tvs_node_set_tick(memory->node, tick);
}

uint32_t tvs_memory_sweep(struct tvs_memory *memory, uint32_t worker, uint32_t budget)
{
    struct tvs_worker *one;

    if (worker >= memory->node->n_workers)
        return 0;
    one = memory->node->workers[worker];
    return tvs_worker_sweep(one, budget ? budget : tvs_worker_sweep_budget(one, 1));
}

int tvs_memory_set_backend(struct tvs_memory *memory, uint32_t pool, uint32_t index, uint8_t state,
                           uint32_t weight)
{
    return tvs_node_set_backend(memory->node, pool, index, state, weight);
}

int tvs_memory_set_nexthop(struct tvs_memory *memory, uint8_t port, uint8_t valid)
{
    return tvs_node_set_nexthop(memory->node, port, valid != 0);
}

void tvs_memory_renew_routes(struct tvs_memory *memory)
{
    tvs_node_renew_routes(memory->node);
}

int tvs_memory_remove_service(struct tvs_memory *memory, uint32_t service)
{
    return tvs_node_remove_service(memory->node, service);
}

/* Pool and place in it of a backend id. */
static void backend_locate(const struct tvs_node *node, uint32_t id,
                           struct tvs_memory_session *session)
{
    session->pool = UINT32_MAX;
    session->backend = UINT32_MAX;
    for (uint32_t p = 0; p < node->generation->n_pools; p++) {
        uint32_t first = node->first_backend[p];

        if (id < first || id - first >= node->generation->pools[p].n_backends)
            continue;
        session->pool = p;
        session->backend = id - first;
    }
}

uint32_t tvs_memory_sessions(const struct tvs_memory *memory, uint32_t worker,
                             struct tvs_memory_session *sessions, uint32_t max)
{
    const struct tvs_node *node = memory->node;
    const struct tvs_worker *one;
    uint32_t found = 0;

    if (worker >= node->n_workers)
        return 0;
    one = node->workers[worker];
    for (uint32_t i = 0; i < one->n_slots << 16; i++) {
        const struct tvs_record *record = &one->records[i];
        int service = record->service - TVS_NODE_FIRST_SERVICE;

        if (record->state == TVS_S_FREE || found++ >= max)
            continue;
        struct tvs_memory_session *session = &sessions[found - 1];

        *session = (struct tvs_memory_session){
            .record = i,
            .client = be32toh(record->in.saddr_be),
            .vip = be32toh(record->in.daddr_be),
            .local = be32toh(record->out.saddr_be),
            .server = be32toh(record->out.daddr_be),
            .client_port = be16toh(record->in.sport_be),
            .vip_port = be16toh(record->in.dport_be),
            .local_port = be16toh(record->out.sport_be),
            .server_port = be16toh(record->out.dport_be),
            .proto = record->proto,
            .state = record->state,
            .service = service >= 0 && (uint32_t)service < node->generation->n_services
                           ? (uint16_t)service
                           : UINT16_MAX,
            .expires_tick = record->expires_tick,
            .opened_tick = record->opened_tick,
        };
        backend_locate(node, record->backend, session);
    }
    return found;
}

uint32_t tvs_memory_free_ports(const struct tvs_memory *memory, uint32_t worker)
{
    if (worker >= memory->node->n_workers)
        return 0;
    return memory->node->workers[worker]->free.tail - memory->node->workers[worker]->free.head;
}

uint32_t tvs_memory_table_entries(const struct tvs_memory *memory, uint32_t worker)
{
    const struct tvs_worker *one;
    uint32_t entries = 0;

    if (worker >= memory->node->n_workers)
        return 0;
    one = memory->node->workers[worker];
    for (uint32_t b = 0; b <= one->bucket_mask; b++) {
        for (int s = 0; s < TVS_BUCKET_SLOTS; s++)
            entries += one->buckets[b].sig[s] != 0;
    }
    return entries;
}

const char *tvs_memory_counter_name(uint32_t counter)
{
    return tvs_stats_counter_name(counter);
}

uint64_t tvs_memory_counter(const struct tvs_memory *memory, uint32_t worker, uint32_t counter)
{
    if (worker >= memory->node->n_workers)
        return 0;
    return tvs_stats_counter_get(&memory->node->workers[worker]->counters, counter);
}

const char *tvs_memory_drop_name(uint32_t reason)
{
    return tvs_drop_name(reason);
}

const char *tvs_memory_state_name(uint32_t state)
{
    return tvs_state_name(state);
}
