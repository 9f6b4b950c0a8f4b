/* SPDX-License-Identifier: Apache-2.0 */
/* The table that a pool's workers pick servers from, made of those that take new sessions. */
#include <errno.h>
#include <stdlib.h>

#include "core/schedule.h"
#include "tvs/core.h"

uint32_t tvs_schedule_weight(uint8_t scheduler, uint32_t weight)
{
    return scheduler == TVS_SCHED_RR && weight != 0 ? 1 : weight;
}

static uint32_t takes_new(uint8_t scheduler, const struct tvs_backend *backend)
{
    return backend->state == TVS_BACKEND_UP ? tvs_schedule_weight(scheduler, backend->weight) : 0;
}

static struct tvs_ring *table_alloc(uint32_t len)
{
    struct tvs_ring *table = malloc(sizeof(*table) + len * sizeof(table->backend[0]));

    if (table != NULL)
        table->len = 0;
    return table;
}

static int turns_make(struct tvs_ring **table, uint8_t scheduler,
                      const struct tvs_backend *backends, const uint32_t *id, uint32_t n)
{
    uint32_t *weight = calloc(n + 1, sizeof(*weight));
    int err = -ENOMEM;

    if (weight == NULL)
        return err;
    for (uint32_t i = 0; i < n; i++)
        weight[i] = takes_new(scheduler, &backends[id[i]]);
    *table = table_alloc(tvs_ring_len(weight, n));
    if (*table != NULL)
        err = tvs_ring_build(*table, id, weight, n);
    free(weight);
    return err;
}

static int maglev_make(struct tvs_ring **table, const struct tvs_table_config *config,
                       const struct tvs_backend *backends, const uint32_t *id, uint32_t n)
{
    struct tvs_maglev_server *server = calloc(n + 1, sizeof(*server));
    uint32_t n_up = 0;
    int err = -ENOMEM;

    if (server == NULL)
        return err;
    for (uint32_t i = 0; i < n; i++) {
        const struct tvs_backend *backend = &backends[id[i]];
        uint32_t weight = takes_new(config->scheduler, backend);

        if (weight != 0)
            server[n_up++] = (struct tvs_maglev_server){
                .id = id[i],
                .addr_be = backend->addr_be,
                .port_be = backend->port_be,
                .weight = weight,
            };
    }
    *table = table_alloc(n_up != 0 ? config->table_size : 0);
    if (*table != NULL)
        err = tvs_maglev_build(*table, config->table_size, config->key, server, n_up);
    free(server);
    return err;
}

int tvs_pool_table_make(struct tvs_ring **table, const struct tvs_table_config *config,
                        const struct tvs_backend *backends, const uint32_t *id, uint32_t n)
{
    int err;

    *table = NULL;
    err = tvs_schedule_has_turns(config->scheduler)
              ? turns_make(table, config->scheduler, backends, id, n)
              : maglev_make(table, config, backends, id, n);
    if (err != 0) {
        free(*table);
        *table = NULL;
    }
    return err;
}
