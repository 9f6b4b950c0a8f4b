/* SPDX-License-Identifier: Apache-2.0 */
#include "generation.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends.h"
#include "core/backend_index.h"
#include "vips.h"
#include "worker.h"

static void __attribute__((format(printf, 3, 4)))
say(char *why, size_t why_bytes, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, why_bytes, format, args);
    va_end(args);
}

struct tvs_bound *tvs_generation_open(const char *path, char *why, size_t why_bytes)
{
    struct tvs_bound *bound = calloc(1, sizeof *bound);
    const struct tvs_generation *generation;
    char reason[512];

    if (bound == NULL || (bound->path = realpath(path, NULL)) == NULL) {
        say(why, why_bytes, "%s: %s", path, strerror(errno));
        free(bound);
        return NULL;
    }
    if (tvs_library_open(&bound->library, bound->path, &generation, reason, sizeof(reason)) != 0) {
        say(why, why_bytes, "%s: %s", path, reason);
        tvs_generation_close(bound);
        return NULL;
    }
    bound->generation = generation;
    return bound;
}

void tvs_generation_close(struct tvs_bound *bound)
{
    if (bound == NULL)
        return;
    free((void *)(uintptr_t)bound->binding.class_of_service);
    free((void *)(uintptr_t)bound->binding.service_id);
    free((void *)(uintptr_t)bound->binding.pools);
    free((void *)(uintptr_t)bound->binding.backend_index);
    tvs_vips_free(bound->vips);
    free((void *)(uintptr_t)bound->binding.limit_group);
    tvs_library_close(&bound->library);
    free(bound->path);
    free(bound);
}

/* For session sync: empty, with room for every server. NULL: no memory. */
static struct tvs_backend_index *index_make(const struct tvs_generation *generation)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < generation->n_pools; i++)
        n += generation->pools[i].n_backends;
    return tvs_backend_index_make(n);
}

int tvs_generation_bind(struct tvs_host *host, struct tvs_bound *bound, char *why, size_t why_bytes)
{
    const struct tvs_generation *generation = bound->generation;
    uint8_t *class_of_service = malloc(TVS_MAX_SERVICES);
    uint16_t *service_id = calloc(generation->n_services + 1, sizeof *service_id);
    struct tvs_pool **pools = calloc(generation->n_pools + 1, sizeof(struct tvs_pool *));
    struct tvs_backend_index *index = generation->sync.n_peers > 0 ? index_make(generation) : NULL;
    uint16_t *limit_group;
    int error;

    /* tvs_generation_close() frees them, bound or not */
    bound->binding = (struct tvs_binding){
        .class_of_service = class_of_service,
        .service_id = service_id,
        .pools = pools,
        .backends = host->backend_table,
        .site = generation->path_site,
        .backend_index = index,
    };
    bound->vips = tvs_vips_new(generation);
    if (class_of_service == NULL || service_id == NULL || pools == NULL || bound->vips == NULL ||
        (generation->sync.n_peers > 0 && index == NULL)) {
        say(why, why_bytes, "no memory for %u services", generation->n_services);
        return -ENOMEM;
    }
    error = tvs_services_bind(host, generation, service_id);
    if (error < 0) {
        say(why, why_bytes, "no id left for %u services: the host has seen %u since it started",
            generation->n_services, (unsigned)TVS_MAX_SERVICES);
        return error;
    }
    memset(class_of_service, 0xff, TVS_MAX_SERVICES);
    for (uint32_t i = 0; i < generation->n_services; i++)
        class_of_service[service_id[i]] = generation->services[i].class_id;
    error = tvs_limit_groups_make(generation, service_id, &limit_group);
    if (error < 0) {
        say(why, why_bytes, "no memory for the limits of %u services", generation->n_services);
        return error;
    }
    bound->binding.limit_group = limit_group;
    error = tvs_backends_bind(host, generation, pools, index);
    if (error < 0)
        say(why, why_bytes, "its pools cannot be taken over: %s", strerror(-error));
    else
        tvs_backends_levels(host, bound->vips);
    return error;
}

static bool same_ports(const struct tvs_generation *now, const struct tvs_generation *next)
{
    if (now->n_ports != next->n_ports)
        return false;
    for (uint32_t i = 0; i < now->n_ports; i++) {
        const struct tvs_gen_port *a = &now->ports[i];
        const struct tvs_gen_port *b = &next->ports[i];

        if (strcmp(a->device, b->device) != 0 || a->mtu != b->mtu || a->address != b->address ||
            a->prefix_len != b->prefix_len || a->vlan != b->vlan)
            return false;
    }
    return true;
}

static bool same_steering(const struct tvs_gen_steering *now, const struct tvs_gen_steering *next)
{
    if (now->mode != next->mode || now->key_bytes != next->key_bytes ||
        now->reta_size != next->reta_size || now->n_rules != next->n_rules ||
        memcmp(now->key, next->key, now->key_bytes) != 0 ||
        memcmp(now->reta, next->reta, now->reta_size * sizeof now->reta[0]) != 0)
        return false;
    for (uint32_t i = 0; i < now->n_rules; i++)
        if (now->rules[i].address != next->rules[i].address ||
            now->rules[i].mask != next->rules[i].mask ||
            now->rules[i].worker != next->rules[i].worker ||
            now->rules[i].proto != next->rules[i].proto)
            return false;
    return true;
}

static bool same_lips(const struct tvs_generation *now, const struct tvs_generation *next)
{
    if (now->n_lips != next->n_lips)
        return false;
    for (uint32_t i = 0; i < now->n_lips; i++)
        if (now->lips[i].address != next->lips[i].address ||
            now->lips[i].worker != next->lips[i].worker || now->lips[i].slot != next->lips[i].slot)
            return false;
    return true;
}

/* The rest of what sync needs is in the contract. */
static bool same_sync(const struct tvs_gen_sync *now, const struct tvs_gen_sync *next)
{
    if (now->n_peers != next->n_peers || now->port != next->port)
        return false;
    if (now->n_peers == 0)
        return true;
    if (now->key_is_env != next->key_is_env || strcmp(now->key, next->key) != 0)
        return false;
    for (uint32_t i = 0; i < now->n_peers; i++) {
        const struct tvs_gen_peer *a = &now->peers[i];
        const struct tvs_gen_peer *b = &next->peers[i];

        if (a->node != b->node || a->n_paths != b->n_paths)
            return false;
        for (uint32_t j = 0; j < a->n_paths; j++)
            if (a->paths[j].local != b->paths[j].local || a->paths[j].remote != b->paths[j].remote)
                return false;
    }
    return true;
}

const char *tvs_generation_restart(const struct tvs_generation *now,
                                   const struct tvs_generation *next)
{
    if (strcmp(now->node, next->node) != 0)
        return "it is another node's";
    if (now->cores.n_workers != next->cores.n_workers)
        return "the number of workers changes, which needs a restart";
    if (now->idle != next->idle)
        return "the idle policy changes, which needs a restart";
    if (!same_ports(now, next))
        return "a port changes, which needs a restart";
    if (!same_steering(&now->steering, &next->steering))
        return "steering changes, which needs a restart";
    if (!same_lips(now, next))
        return "local IPs change, which needs a restart";
    if (!same_sync(&now->sync, &next->sync))
        return "session sync changes, which needs a restart";
    if (now->sync.n_peers > 0 && now->sync_contract != next->sync_contract)
        return "the sync contract changes, which needs a restart of the whole cluster";
    if (now->memory.sessions_per_worker != next->memory.sessions_per_worker ||
        now->memory.buckets_per_worker != next->memory.buckets_per_worker ||
        now->memory.slots_per_worker != next->memory.slots_per_worker ||
        now->memory.port_first != next->memory.port_first ||
        now->memory.port_last != next->memory.port_last)
        return "session memory changes, which needs a restart";
    return NULL;
}

int tvs_generation_reload(struct tvs_host *host, const char *path, char *why, size_t why_bytes)
{
    const struct tvs_bound *old = host->bound;
    struct tvs_bound *bound = tvs_generation_open(path, why, why_bytes);
    const char *reason;
    int error;

    if (bound == NULL)
        return -EINVAL;
    reason = tvs_generation_restart(old->generation, bound->generation);
    if (reason != NULL) {
        say(why, why_bytes, "%s: refused: %s", path, reason);
        tvs_generation_close(bound);
        return -EBUSY;
    }
    error = tvs_generation_bind(host, bound, why, why_bytes);
    if (error < 0) {
        tvs_generation_close(bound);
        return error;
    }
    host->bound = bound;
    for (uint16_t i = 0; i < host->n_ports; i++)
        host->ports[i].config = &bound->generation->ports[i];
    error = tvs_workers_flip(host, bound);
    if (error < 0) {
        /* the watchdog is about to end the process: what that worker runs must not be unloaded */
        say(why, why_bytes, "a worker did not take the new generation within a second");
        return error;
    }
    tvs_backends_settle(host);
    error = tvs_health_reload(host);
    if (error == 0 && host->announced)
        error = tvs_exception_announce(host);
    if (error < 0)
        say(why, why_bytes, "it serves, but checks or routes do not follow it: %s",
            strerror(-error));
    tvs_info("generation %s replaces %s", bound->generation->id, old->generation->id);
    /* the old one's code has left every worker; its tables, what the other modules kept of them */
    tvs_generation_close((struct tvs_bound *)(uintptr_t)old);
    return error;
}
