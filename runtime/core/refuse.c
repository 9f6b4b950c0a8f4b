/* SPDX-License-Identifier: Apache-2.0 */
/* What a host checks of a generation before it believes a word of it. */
#include "core/schedule.h"
#include "core/vlan.h"
#include "tvs/core.h"

static const char *refuse_pools(const struct tvs_generation *generation)
{
    for (uint32_t i = 0; i < generation->n_pools; i++) {
        const struct tvs_gen_pool *pool = &generation->pools[i];

        if (pool->scheduler > TVS_SCHED_LEAST_LOADED)
            return "a pool has a scheduler that the host does not know";
        if (!tvs_schedule_has_turns(pool->scheduler) &&
            !tvs_maglev_size_is_valid(pool->table_size, pool->n_backends))
            return "a pool's table cannot have its size";
    }
    return NULL;
}

static const char *refuse_sync(const struct tvs_generation *generation)
{
    const struct tvs_gen_sync *sync = &generation->sync;

    if (sync->n_peers == 0)
        return NULL;
    if (sync->n_peers > TVS_MAX_PEERS || generation->node_index > TVS_MAX_PEERS)
        return "cluster has more nodes than session sync can number";
    if (sync->port == 0 || sync->key == NULL)
        return "session sync has no port or no key";
    for (uint32_t i = 0; i < sync->n_peers; i++)
        if (sync->peers[i].node > TVS_MAX_PEERS || sync->peers[i].node == generation->node_index ||
            sync->peers[i].n_paths == 0)
            return "a peer cannot be reached";
    return NULL;
}

static const char *refuse_services(const struct tvs_generation *generation)
{
    const uint16_t *sorry = generation->path_site->sorry;

    for (uint32_t i = 0; i < generation->n_services; i++) {
        if (generation->services[i].pool >= generation->n_pools ||
            generation->services[i].class_id >= generation->n_classes)
            return "service points outside the tables";
        if (sorry != NULL && sorry[i] != TVS_NO_POOL && sorry[i] >= generation->n_pools)
            return "service has a sorry pool outside the tables";
    }
    return NULL;
}

static const char *refuse_limits(const struct tvs_generation *generation)
{
    const struct tvs_limit *limits = generation->path_site->limits;

    for (uint32_t i = 0; limits != NULL && i < generation->n_services; i++) {
        const struct tvs_access *access = limits[i].access;

        if (limits[i].group >= generation->n_services)
            return "limits point outside the services";
        if (access != NULL && (access->shift < 16 || access->shift > 31))
            return "list of sources has an index of another shape";
    }
    return NULL;
}

const char *tvs_generation_refuse(const struct tvs_generation *generation)
{
    const char *why;

    if (generation->abi_version != TVS_ABI_VERSION)
        return "compiled for another host (ABI version differs)";
    if (generation->record_schema != TVS_RECORD_SCHEMA)
        return "session records have another layout (record schema differs)";
    if (generation->burst == NULL || generation->path_site == NULL)
        return "has no packet path";
    if (generation->cores.n_workers == 0 || generation->cores.n_workers > TVS_MAX_WORKERS)
        return "number of workers is outside the limits";
    if (generation->n_ports == 0 || generation->n_ports > TVS_MAX_PORTS)
        return "number of ports is outside the limits";
    for (uint32_t i = 0; i < generation->n_ports; i++)
        if (generation->ports[i].vlan > TVS_VLAN_LAST)
            return "VLAN of a port is outside the limits";
    if (generation->n_services > TVS_MAX_SERVICES)
        return "has more services than the host can number";
    if (generation->memory.port_first == 0 ||
        generation->memory.port_first > generation->memory.port_last)
        return "local port range is empty";
    if (generation->memory.slots_per_worker > TVS_MAX_SLOTS)
        return "more local IPs a worker than the host can number";
    for (uint32_t i = 0; i < generation->n_lips; i++)
        if (generation->lips[i].worker >= generation->cores.n_workers ||
            generation->lips[i].slot >= TVS_MAX_SLOTS)
            return "local IP belongs to a worker that does not exist";
    for (uint32_t i = 0; i < generation->steering.reta_size; i++)
        if (generation->steering.reta[i] >= generation->cores.n_workers)
            return "RETA names a worker that does not exist";
    why = refuse_services(generation);
    if (why == NULL)
        why = refuse_pools(generation);
    if (why == NULL)
        why = refuse_limits(generation);
    return why != NULL ? why : refuse_sync(generation);
}
