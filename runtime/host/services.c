/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions name their service by an id that outlives generations: the same VIP, port and protocol
 * keep theirs as long as the host runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "generation.h"

enum { TABLE = 1 << 16, EMPTY = 0 }; /* twice TVS_MAX_SERVICES: probes stay short */
_Static_assert(TABLE >= 2 * TVS_MAX_SERVICES, "the table is never more than half full");

struct tvs_services {
    uint32_t n;
    struct tvs_service_key key[TVS_MAX_SERVICES];
    uint16_t id_plus_1[TABLE]; /* by hash of VIP, port, protocol */
};

int tvs_services_start(struct tvs_host *host)
{
    host->services = calloc(1, sizeof *host->services);
    return host->services != NULL ? 0 : -ENOMEM;
}

void tvs_services_stop(struct tvs_host *host)
{
    if (host->services == NULL)
        return;
    for (uint32_t i = 0; i < host->services->n; i++)
        free((char *)(uintptr_t)host->services->key[i].name);
    free(host->services);
    host->services = NULL;
}

static uint32_t hash_of(const struct tvs_gen_service *service)
{
    uint64_t key = (uint64_t)service->vip << 32 | (uint32_t)service->port << 8 | service->proto;

    return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 48) % TABLE;
}

static int id_of(struct tvs_services *services, const struct tvs_gen_service *service)
{
    uint32_t at = hash_of(service);
    struct tvs_service_key *key;

    for (; services->id_plus_1[at] != EMPTY; at = (at + 1) % TABLE) {
        key = &services->key[services->id_plus_1[at] - 1];
        if (key->vip == service->vip && key->port == service->port && key->proto == service->proto)
            return services->id_plus_1[at] - 1;
    }
    if (services->n == TVS_MAX_SERVICES)
        return -ENOSPC;
    key = &services->key[services->n];
    *key = (struct tvs_service_key){
        .vip = service->vip,
        .port = service->port,
        .proto = service->proto,
        .name = strdup(service->name), /* the generation's own text goes with it */
    };
    if (key->name == NULL)
        return -ENOMEM;
    services->id_plus_1[at] = (uint16_t)++services->n;
    return (int)services->n - 1;
}

int tvs_services_bind(struct tvs_host *host, const struct tvs_generation *generation,
                      uint16_t *service_id)
{
    for (uint32_t i = 0; i < generation->n_services; i++) {
        int id = id_of(host->services, &generation->services[i]);

        if (id < 0)
            return id;
        service_id[i] = (uint16_t)id;
    }
    return 0;
}

const struct tvs_service_key *tvs_service_of(const struct tvs_host *host, uint16_t service_id)
{
    if (host->services == NULL || service_id >= host->services->n)
        return NULL;
    return &host->services->key[service_id];
}
