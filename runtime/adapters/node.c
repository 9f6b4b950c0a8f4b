/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "adapters/node_frame.h"
#include "core/backend_index.h"

static int fail(char *error, size_t error_bytes, const char *why)
{
    snprintf(error, error_bytes, "%s", why);
    return -EINVAL;
}

/* splitmix64: one seed becomes as many unrelated words as asked for. */
static uint64_t mix(uint64_t seed, uint64_t number)
{
    uint64_t z = seed + (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void nexthops_make(struct tvs_node *node)
{
    static const uint8_t default_gateway[6] = {0x02, 0, 0, 0, 0, 0x01};
    static const uint8_t own[6] = {0x02, 't', 'v', 's', 0, 0};

    for (uint32_t p = 0; p < node->generation->n_ports; p++) {
        const struct tvs_gen_port *port = &node->generation->ports[p];
        struct tvs_nexthop *hop = &node->nexthops[1 + p];

        memcpy(hop->l2, port->has_gateway_mac ? port->gateway_mac : default_gateway, 6);
        memcpy(hop->l2 + 6, own, 6);
        hop->l2[11] = (uint8_t)p;
        hop->l2[12] = 0x08;
        hop->port = (uint8_t)p;
        hop->valid = 1;
    }
}

static uint16_t route(const void *fib, uint32_t daddr_be)
{
    const struct tvs_generation *generation = ((const struct tvs_node *)fib)->generation;
    uint32_t daddr = __builtin_bswap32(daddr_be);

    for (uint16_t p = 0; p < generation->n_ports; p++) {
        const struct tvs_gen_port *port = &generation->ports[p];
        uint32_t mask = port->prefix_len ? UINT32_MAX << (32 - port->prefix_len) : 0;

        if (port->prefix_len && ((daddr ^ port->address) & mask) == 0)
            return (uint16_t)(1 + p);
    }
    return 1;
}

static int table_publish(struct tvs_node *node, uint32_t pool)
{
    const struct tvs_gen_pool *described = &node->generation->pools[pool];
    const uint64_t *key = node->generation->path_site->flow_key;
    struct tvs_table_config config = {
        .scheduler = described->scheduler,
        .table_size = described->table_size,
        .key = {key[0], key[1]},
    };
    uint32_t *id = calloc(described->n_backends + 1, sizeof(*id));
    struct tvs_ring *table;
    int rc = -ENOMEM;

    if (!id)
        return rc;
    for (uint32_t i = 0; i < described->n_backends; i++)
        id[i] = node->first_backend[pool] + i;
    rc = tvs_pool_table_make(&table, &config, node->backends, id, described->n_backends);
    free(id);
    if (rc)
        return rc;
    free((void *)(uintptr_t)node->pools[pool].ring);
    node->pools[pool].ring = table;
    return 0;
}

static int pools_make(struct tvs_node *node)
{
    const struct tvs_generation *generation = node->generation;
    uint32_t n_pools = generation->n_pools, id = TVS_NODE_FIRST_BACKEND;

    node->n_backends = id;
    for (uint32_t p = 0; p < n_pools; p++)
        node->n_backends += generation->pools[p].n_backends;
    node->first_backend = calloc(n_pools + 1, sizeof(*node->first_backend));
    node->backends = calloc(node->n_backends, sizeof(*node->backends));
    node->pools = calloc(n_pools + 1, sizeof(*node->pools));
    node->pool_list = calloc(n_pools + 1, sizeof(struct tvs_pool *));
    if (!node->first_backend || !node->backends || !node->pools || !node->pool_list)
        return -ENOMEM;

    for (uint32_t p = 0; p < n_pools; p++) {
        node->first_backend[p] = id;
        node->pool_list[p] = &node->pools[p];
        for (uint32_t i = 0; i < generation->pools[p].n_backends; i++, id++) {
            const struct tvs_gen_backend *described = &generation->pools[p].backends[i];

            node->backends[id] = (struct tvs_backend){
                .addr_be = __builtin_bswap32(described->address),
                .port_be = __builtin_bswap16(described->port),
                .state = described->drain ? TVS_BACKEND_DRAIN : TVS_BACKEND_UP,
                .weight = described->weight,
                .id = id,
            };
        }
        int rc = table_publish(node, p);
        if (rc)
            return rc;
    }
    return 0;
}

static int backend_index_make(struct tvs_node *node)
{
    struct tvs_backend_index *index = tvs_backend_index_make(node->n_backends);

    if (index == NULL)
        return -ENOMEM;
    for (uint32_t p = 0; p < node->generation->n_pools; p++)
        for (uint32_t i = 0; i < node->generation->pools[p].n_backends; i++) {
            const struct tvs_backend *backend = &node->backends[node->first_backend[p] + i];

            tvs_backend_index_add(index, (uint16_t)p, backend->addr_be, backend->port_be,
                                  backend->id);
        }
    node->backend_index = index;
    return 0;
}

static int binding_make(struct tvs_node *node)
{
    const struct tvs_generation *generation = node->generation;
    int rc = backend_index_make(node);

    node->class_of_service = malloc(TVS_MAX_SERVICES);
    node->service_id = calloc(generation->n_services + 1, sizeof(*node->service_id));
    if (rc || !node->class_of_service || !node->service_id)
        return -ENOMEM;
    memset(node->class_of_service, 0xff, TVS_MAX_SERVICES);
    for (uint32_t s = 0; s < generation->n_services; s++) {
        node->service_id[s] = (uint16_t)(TVS_NODE_FIRST_SERVICE + s);
        node->class_of_service[node->service_id[s]] = generation->services[s].class_id;
    }
    if (tvs_limit_groups_make(generation, node->service_id, &node->limit_group) < 0)
        return -ENOMEM;
    node->binding = (struct tvs_binding){
        .class_of_service = node->class_of_service,
        .service_id = node->service_id,
        .pools = node->pool_list,
        .backends = node->backends,
        .site = generation->path_site,
        .backend_index = node->backend_index,
        .limit_group = node->limit_group,
    };
    return 0;
}

static int worker_make(struct tvs_node *node, uint16_t index)
{
    const struct tvs_generation *generation = node->generation;
    uint32_t lips[TVS_MAX_SLOTS];
    struct tvs_worker_config config = {0};
    struct tvs_worker *worker;
    void *memory;

    tvs_worker_config_from(&config, generation, index, lips);
    config.max_pools = generation->n_pools;
    config.max_backends = node->n_backends;
    if (node->config.is_idle) {
        config.port_last = config.port_first;
        config.n_buckets = 2;
        config.max_sessions = 1;
    }
    config.hash_key[0] = mix(node->config.seed, 2u * index);
    config.hash_key[1] = mix(node->config.seed, 2u * index + 1);
    node->worker_bytes[index] = tvs_worker_bytes(&config);
    if (!node->worker_bytes[index])
        return -EINVAL;
    memory = mmap(NULL, node->worker_bytes[index], PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    worker = tvs_worker_init(memory, &config);
    if (!worker) {
        munmap(memory, node->worker_bytes[index]);
        return -EINVAL;
    }

    node->workers[index] = worker;
    worker->fib_epoch = 1;
    worker->nexthops = node->nexthops;
    worker->route = route;
    worker->fib = node;
    tvs_worker_bind(worker, &node->binding);
    if (node->config.check_mac)
        tvs_worker_stations_check(worker);
    for (uint32_t p = 0; p < generation->n_ports; p++)
        tvs_worker_station_set(worker, p, node->nexthops[1 + p].l2 + 6);
    return 0;
}

static int workers_make(struct tvs_node *node)
{
    node->n_workers = node->generation->cores.n_workers;
    node->workers = calloc(node->n_workers, sizeof(struct tvs_worker *));
    node->worker_bytes = calloc(node->n_workers, sizeof(*node->worker_bytes));
    if (!node->workers || !node->worker_bytes)
        return -ENOMEM;
    for (uint16_t w = 0; w < node->n_workers; w++) {
        int rc = worker_make(node, w);

        if (rc)
            return rc;
    }
    return 0;
}

struct tvs_node *tvs_node_make(const struct tvs_generation *generation,
                               const struct tvs_node_config *config, char *error,
                               size_t error_bytes)
{
    const char *refused = tvs_generation_refuse(generation);
    struct tvs_node *node;
    int rc = -ENOMEM;

    if (refused) {
        fail(error, error_bytes, refused);
        return NULL;
    }
    node = aligned_alloc(_Alignof(struct tvs_node), sizeof(*node));
    if (node) {
        memset(node, 0, sizeof(*node));
        node->generation = generation;
        node->config = *config;
        nexthops_make(node);
        rc = pools_make(node);
    }
    if (!rc)
        rc = binding_make(node);
    if (!rc)
        rc = workers_make(node);
    if (!rc)
        return node;
    fail(error, error_bytes,
         rc == -ENOMEM ? "not enough memory for the node's tables"
                       : "the generation's sizes are outside the limits of this version");
    tvs_node_close(node);
    return NULL;
}

struct tvs_node *tvs_node_open(const char *path, const struct tvs_node_config *config, char *error,
                               size_t error_bytes)
{
    const struct tvs_generation *generation;
    struct tvs_library library = {0};
    struct tvs_node *node;

    if (tvs_library_open(&library, path, &generation, error, error_bytes) != 0)
        return NULL;
    node = tvs_node_make(generation, config, error, error_bytes);
    if (node == NULL)
        tvs_library_close(&library);
    else
        node->library = library;
    return node;
}

void tvs_node_close(struct tvs_node *node)
{
    if (!node)
        return;
    tvs_node_buffers_free(node);
    for (uint16_t w = 0; node->workers && w < node->n_workers; w++) {
        if (node->workers[w])
            munmap(node->workers[w], node->worker_bytes[w]);
    }
    free(node->workers);
    free(node->worker_bytes);
    for (uint32_t p = 0; node->pools && p < node->generation->n_pools; p++)
        free((void *)(uintptr_t)node->pools[p].ring);
    free(node->pools);
    free(node->pool_list);
    free(node->backends);
    free(node->first_backend);
    free(node->class_of_service);
    free(node->service_id);
    free(node->backend_index);
    free(node->limit_group);
    tvs_library_close(&node->library);
    free(node);
}

void tvs_node_set_tick(struct tvs_node *node, uint32_t tick)
{
    node->now_tick = tick;
    for (uint16_t w = 0; w < node->n_workers; w++)
        node->workers[w]->now_tick = tick;
}

static bool keeps_contract(const struct tvs_node *node, const struct tvs_frame *frame)
{
    switch (frame->verdict) {
    case TVS_V_TX:
        return frame->arg < node->generation->n_ports;
    case TVS_V_KERNEL:
        return true;
    case TVS_V_HANDOVER:
        return !(frame->flags & TVS_FRAME_HANDED) && frame->arg < node->n_workers;
    case TVS_V_DROP:
        return frame->arg < TVS_N_DROPS;
    default:
        return false;
    }
}

/* One burst; frames for other workers stay behind in `pending`, in their order. */
static int burst_run(struct tvs_node *node, uint16_t worker, struct tvs_frame *frames, unsigned n,
                     struct tvs_node_packet *packets, struct tvs_frame *pending,
                     uint32_t *n_pending)
{
    node->generation->burst(node->workers[worker], frames, n);
    for (unsigned i = 0; i < n; i++) {
        if (!keeps_contract(node, &frames[i]))
            return -EPROTO;
        if (frames[i].verdict == TVS_V_HANDOVER) {
            pending[(*n_pending)++] = frames[i];
        } else {
            int rc = tvs_node_packet_finish(node, &packets[(uintptr_t)frames[i].cookie], &frames[i],
                                            worker);

            if (rc)
                return rc;
        }
    }
    return 0;
}

/* First round: frames as received, picked by queue. Second: those handed over, picked by owner. */
static int round_run(struct tvs_node *node, struct tvs_node_packet *packets,
                     const struct tvs_frame *frames, uint32_t n, bool handed,
                     struct tvs_frame *pending, uint32_t *n_pending)
{
    struct tvs_frame burst[TVS_MAX_BURST];

    for (uint16_t w = 0; w < node->n_workers; w++) {
        unsigned filled = 0;
        int rc = 0;

        for (uint32_t i = 0; i < n && !rc; i++) {
            uint16_t target = handed ? frames[i].arg : packets[i].rx_worker;

            if (target != w || !frames[i].data)
                continue;
            burst[filled] = frames[i];
            if (handed) {
                burst[filled].flags |= TVS_FRAME_HANDED;
                burst[filled].verdict = TVS_V_NONE;
                burst[filled].arg = 0;
            }
            if (++filled == TVS_MAX_BURST) {
                rc = burst_run(node, w, burst, filled, packets, pending, n_pending);
                filled = 0;
            }
        }
        if (filled && !rc)
            rc = burst_run(node, w, burst, filled, packets, pending, n_pending);
        if (rc)
            return rc;
    }
    return 0;
}

int tvs_node_run(struct tvs_node *node, struct tvs_node_packet *packets, uint32_t n)
{
    uint32_t n_pending = 0, none_left = 0;
    struct tvs_frame *frames, *pending;
    int rc = -ENOMEM;

    tvs_node_buffers_free(node);
    frames = calloc((size_t)n + 1, 2 * sizeof(*frames));
    if (!frames || !tvs_node_buffers_make(node, n))
        goto out;
    pending = frames + n + 1;
    for (uint32_t i = 0; i < n; i++) {
        rc = tvs_node_packet_begin(node, &packets[i], &frames[i], i);
        if (rc)
            goto out;
    }
    rc = round_run(node, packets, frames, n, false, pending, &n_pending);
    if (!rc)
        rc = round_run(node, packets, pending, n_pending, true, frames, &none_left);
out:
    free(frames);
    return rc;
}

int tvs_node_set_backend(struct tvs_node *node, uint32_t pool, uint32_t index, uint8_t state,
                         uint32_t weight)
{
    struct tvs_backend *backend;

    if (pool >= node->generation->n_pools || index >= node->generation->pools[pool].n_backends ||
        state > TVS_BACKEND_DRAIN)
        return -EINVAL;
    backend = &node->backends[node->first_backend[pool] + index];
    backend->state = state;
    backend->weight = weight;
    return table_publish(node, pool);
}

int tvs_node_set_nexthop(struct tvs_node *node, uint8_t port, bool valid)
{
    if (port >= node->generation->n_ports)
        return -EINVAL;
    node->nexthops[1 + port].valid = valid;
    return 0;
}

void tvs_node_renew_routes(struct tvs_node *node)
{
    for (uint16_t w = 0; w < node->n_workers; w++) {
        if (++node->workers[w]->fib_epoch == 0)
            node->workers[w]->fib_epoch = 1;
    }
}

int tvs_node_remove_service(struct tvs_node *node, uint32_t service)
{
    if (service >= node->generation->n_services)
        return -EINVAL;
    node->class_of_service[node->service_id[service]] = 0xff;
    return 0;
}
