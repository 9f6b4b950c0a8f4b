/* SPDX-License-Identifier: Apache-2.0 */
#include "backends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends_map.h"
#include "core/backend_index.h"
#include "host.h"
#include "netlink.h"
#include "pools_map.h"
#include "vips.h"

/* To make a pool's tables takes about a tenth of the control thread's time at most. */
enum { ENTRIES_PER_MS_OF_REST = 512, RETRY_MS = 1000 };

struct pool {
    struct tvs_pool published; /* workers hold its address: a pool never moves or ends */
    char *name;
    struct tvs_table_config table;
    bool dirty;
    uint64_t rest_until_ms; /* no other table before */
    uint16_t number;        /* in the generation bound last; TVS_NO_POOL: it has it not */
    uint32_t level;         /* servers that count for `min-up` */
    uint32_t n_members;
    uint32_t *members; /* backend ids in the site's order */
};

struct tvs_backends {
    struct tvs_backend *table; /* [TVS_MAX_BACKENDS], what workers read */
    struct tvs_backend_info *info;
    unsigned n_backends, n_pools;
    uint32_t serial; /* of the generation bound last */
    struct pool *pools[TVS_MAX_POOLS];
    struct tvs_pools_map by_name;
    struct tvs_backends_map map; /* (pool, address, port) -> id */
    struct tvs_timer rebuild;
    uint32_t *scratch; /* [TVS_MAX_BACKENDS] */
};

unsigned tvs_backends_count(const struct tvs_host *host)
{
    return host->backends ? host->backends->n_backends : 0;
}

const struct tvs_backend_info *tvs_backends_info(const struct tvs_host *host, uint32_t id)
{
    return &host->backends->info[id];
}

const char *tvs_backends_scheduler(const struct tvs_host *host, uint32_t id)
{
    const struct tvs_backends *backends = host->backends;

    return tvs_scheduler_name(backends->pools[backends->info[id].pool]->table.scheduler);
}

const char *tvs_backend_state_name(uint8_t state)
{
    switch (state) {
    case TVS_BACKEND_DOWN:
        return "down";
    case TVS_BACKEND_UP:
        return "up";
    case TVS_BACKEND_DRAIN:
        return "drain";
    default:
        return "unknown";
    }
}

int64_t tvs_backends_find(const struct tvs_host *host, const char *pool, uint32_t address,
                          uint16_t port, bool *pool_known)
{
    int index = tvs_pools_map_find(&host->backends->by_name, pool);
    int64_t id;

    *pool_known = index >= 0;
    if (index < 0)
        return -ENOENT;
    id = tvs_backends_map_find(&host->backends->map, (uint16_t)index, address, port);
    return id >= 0 && host->backends->info[id].current ? id : -ENOENT;
}

/* ---- rings ----------------------------------------------------------------------------------- */

static void ring_publish(struct tvs_host *host, struct pool *pool, struct tvs_ring *ring)
{
    struct tvs_ring *old = (struct tvs_ring *)(uintptr_t)pool->published.ring;

    __atomic_store_n(&pool->published.ring, ring, __ATOMIC_RELEASE);
    if (old && tvs_workers_retire(host, free, old) != 0)
        tvs_warning("pool %s: no memory to retire a ring, it stays", pool->name);
}

/* Whether the first check may still bring the backend up. */
static bool is_unknown(const struct tvs_backend_info *info)
{
    return info->checked && !info->known && !info->drain && info->weight;
}

/*
 * Servers that count for `min-up`. They do not wait for the pool's table. Returns how many take new
 * sessions.
 */
static uint32_t level_set(struct tvs_host *host, struct pool *pool, bool tell)
{
    struct tvs_backends *backends = host->backends;
    uint32_t before = pool->level, n = 0, n_unknown = 0;

    for (uint32_t i = 0; i < pool->n_members; i++) {
        const struct tvs_backend *backend = &backends->table[pool->members[i]];

        if (backend->state == TVS_BACKEND_UP && backend->weight)
            n++;
        else
            n_unknown += is_unknown(&backends->info[backend->id]);
    }
    pool->level = tvs_vips_level(before, n, n_unknown);
    if (tell && pool->level != before && pool->number != TVS_NO_POOL)
        tvs_exception_pool_changed(host, pool->number, pool->level);
    return n;
}

/* A table that cannot be made for want of memory is tried again; the old one stays till then. */
static void pool_rebuild(struct tvs_host *host, struct pool *pool, uint64_t now_ms)
{
    struct tvs_ring *ring;
    int err = tvs_pool_table_make(&ring, &pool->table, host->backends->table, pool->members,
                                  pool->n_members);

    pool->dirty = err == -ENOMEM;
    if (err) {
        tvs_error("pool %s: cannot build its schedule: %s", pool->name, strerror(-err));
        pool->rest_until_ms = now_ms + RETRY_MS;
        return;
    }
    pool->rest_until_ms = now_ms + ring->len / ENTRIES_PER_MS_OF_REST;
    ring_publish(host, pool, ring);
}

/*
 * The tables of pools that changed. One that was made a moment ago rests first, for as long as it
 * is large, unless it is needed `at_once`: a thousand servers whose first checks end one by one are
 * not worth a thousand large tables. An empty one is no work, and a sorry pool waits for it.
 * `tell`: VIPs follow, too; not while a generation is bound, whose pools have other numbers.
 */
static void pools_follow(struct tvs_host *host, bool at_once, bool tell)
{
    struct tvs_backends *backends = host->backends;
    uint64_t now_ms = tvs_loop_now_ms(host->loop), next_ms = UINT64_MAX;

    for (unsigned i = 0; i < backends->n_pools; i++) {
        struct pool *pool = backends->pools[i];
        uint32_t n;

        if (!pool->dirty)
            continue;
        n = level_set(host, pool, tell);
        if (at_once || n == 0 || now_ms >= pool->rest_until_ms)
            pool_rebuild(host, pool, now_ms);
        if (pool->dirty && pool->rest_until_ms < next_ms)
            next_ms = pool->rest_until_ms;
    }
    if (next_ms != UINT64_MAX)
        tvs_timer_set(host->loop, &backends->rebuild, (uint32_t)(next_ms - now_ms), 0);
}

static void rebuild_due(void *context)
{
    pools_follow(context, false, true);
}

void tvs_backends_flush(struct tvs_host *host)
{
    pools_follow(host, true, true);
}

void tvs_backends_levels(const struct tvs_host *host, struct tvs_vips *vips)
{
    const struct tvs_backends *backends = host->backends;

    for (unsigned i = 0; i < backends->n_pools; i++)
        if (backends->pools[i]->number != TVS_NO_POOL)
            tvs_vips_pool_set(vips, backends->pools[i]->number, backends->pools[i]->level, NULL,
                              NULL);
}

/* ---- state ----------------------------------------------------------------------------------- */

static void pool_touch(struct tvs_host *host, unsigned index)
{
    host->backends->pools[index]->dirty = true;
    tvs_timer_set(host->loop, &host->backends->rebuild, 0, 0);
}

/* What workers see follows from what is known about the backend. */
static void backend_apply(struct tvs_host *host, uint32_t id)
{
    struct tvs_backends *backends = host->backends;
    struct tvs_backend_info *info = &backends->info[id];
    struct tvs_backend *backend = &backends->table[id];
    uint8_t state = TVS_BACKEND_DOWN;

    if (info->healthy || !info->checked)
        state = info->drain || !info->current ? TVS_BACKEND_DRAIN : TVS_BACKEND_UP;
    if (state != backend->state)
        info->since_ms = tvs_loop_now_ms(host->loop);
    if (state == backend->state && backend->weight == info->weight)
        return;
    __atomic_store_n(&backend->state, state, __ATOMIC_RELAXED);
    __atomic_store_n(&backend->weight, info->weight, __ATOMIC_RELAXED);
    pool_touch(host, info->pool);
}

void tvs_backends_health(struct tvs_host *host, uint32_t id, bool healthy)
{
    struct tvs_backend_info *info = &host->backends->info[id];

    if (!info->known)
        pool_touch(host, info->pool);
    info->known = true;
    info->healthy = healthy;
    backend_apply(host, id);
}

void tvs_backends_drain(struct tvs_host *host, uint32_t id, bool drain)
{
    struct tvs_backend_info *info = &host->backends->info[id];

    info->drain = drain;
    info->drain_by_operator = drain != info->drain_site;
    backend_apply(host, id);
}

int tvs_backends_weight(struct tvs_host *host, uint32_t id, uint32_t weight)
{
    struct tvs_backends *backends = host->backends;
    struct tvs_backend_info *info = &backends->info[id];
    const struct pool *pool = backends->pools[info->pool];
    uint32_t *all = backends->scratch, sum = 0;

    /* judged with every backend up: with fewer of them the period is never longer */
    for (uint32_t i = 0; i < pool->n_members; i++) {
        uint32_t other = pool->members[i];

        all[i] = tvs_schedule_weight(pool->table.scheduler,
                                     other == id ? weight : backends->info[other].weight);
        sum |= all[i];
    }
    if (sum && !tvs_ring_len(all, pool->n_members))
        return -E2BIG;
    info->weight = weight;
    info->weight_by_operator = weight != info->weight_site;
    backend_apply(host, id);
    return 0;
}

/* ---- generations ----------------------------------------------------------------------------- */

static struct pool *pool_get(struct tvs_backends *backends, const char *name, unsigned *index)
{
    int found = tvs_pools_map_find(&backends->by_name, name);
    struct pool *pool;

    if (found >= 0) {
        *index = (unsigned)found;
        return backends->pools[found];
    }
    if (backends->n_pools == TVS_MAX_POOLS)
        return NULL;
    pool = calloc(1, sizeof(*pool));
    if (!pool)
        return NULL;
    pool->name = strdup(name);
    if (!pool->name) {
        free(pool);
        return NULL;
    }
    *index = backends->n_pools;
    tvs_pools_map_put(&backends->by_name, pool->name, *index);
    backends->pools[backends->n_pools++] = pool;
    return pool;
}

static int64_t backend_get(struct tvs_backends *backends, unsigned pool,
                           const struct tvs_gen_backend *config, bool checked, uint64_t now_ms)
{
    int64_t found =
        tvs_backends_map_find(&backends->map, (uint16_t)pool, config->address, config->port);
    uint32_t id = backends->n_backends;

    if (found >= 0)
        return found;
    if (id == TVS_MAX_BACKENDS)
        return -ENOSPC;
    backends->info[id] = (struct tvs_backend_info){
        .address = config->address,
        .port = config->port,
        .pool = (uint16_t)pool,
        .pool_name = backends->pools[pool]->name,
        .checked = checked,
        .drain = config->drain,
        .drain_site = config->drain,
        .weight = config->weight,
        .weight_site = config->weight,
        .since_ms = now_ms,
    };
    backends->table[id] = (struct tvs_backend){.addr_be = htonl(config->address),
                                               .port_be = htons(config->port),
                                               .state = TVS_BACKEND_DOWN,
                                               .id = id};
    tvs_backends_map_put(&backends->map, (uint16_t)pool, config->address, config->port, id);
    backends->n_backends++;
    return id;
}

/* What the site says now replaces what an operator said about the same value before. */
static void backend_configure(struct tvs_backend_info *info, const struct tvs_gen_backend *config,
                              bool checked, uint32_t serial)
{
    if (info->drain_site != config->drain || !info->drain_by_operator) {
        info->drain = info->drain_site = config->drain;
        info->drain_by_operator = false;
    }
    if (info->weight_site != config->weight || !info->weight_by_operator) {
        info->weight = info->weight_site = config->weight;
        info->weight_by_operator = false;
    }
    /* a backend that gets its first check goes on as it was until the check has a result */
    info->healthy |= !info->checked && info->current;
    info->known &= info->current;
    info->checked = checked;
    info->current = true;
    info->serial = serial;
}

/* What will count: the site's weight, or an operator's that outlives the reload. */
static uint32_t weight_next(const struct tvs_backend_info *info,
                            const struct tvs_gen_backend *config)
{
    return info->weight_by_operator && info->weight_site == config->weight ? info->weight
                                                                           : config->weight;
}

/* Ids and room for everything, so that the second pass cannot fail half-way. */
static int members_reserve(struct tvs_host *host, const struct tvs_gen_pool *config,
                           uint32_t **members, unsigned *index)
{
    struct tvs_backends *backends = host->backends;
    struct pool *pool = pool_get(backends, config->name, index);
    uint32_t *weight = backends->scratch, any = 0;

    if (!pool || config->n_backends > TVS_MAX_BACKENDS)
        return -ENOSPC;
    *members = calloc(config->n_backends + 1, sizeof(**members));
    if (!*members)
        return -ENOMEM;
    for (uint32_t i = 0; i < config->n_backends; i++) {
        int64_t id = backend_get(backends, *index, &config->backends[i],
                                 config->check.kind != TVS_CHECK_NONE, tvs_loop_now_ms(host->loop));

        if (id < 0)
            return (int)id;
        (*members)[i] = (uint32_t)id;
        weight[i] = tvs_schedule_weight(config->scheduler,
                                        weight_next(&backends->info[id], &config->backends[i]));
        any |= weight[i];
    }
    return any && !tvs_ring_len(weight, config->n_backends) ? -E2BIG : 0;
}

static void members_index(const struct tvs_backends *backends, uint16_t pool,
                          const struct tvs_gen_pool *config, const uint32_t *members,
                          struct tvs_backend_index *index)
{
    for (uint32_t i = 0; i < config->n_backends; i++) {
        const struct tvs_backend *backend = &backends->table[members[i]];

        tvs_backend_index_add(index, pool, backend->addr_be, backend->port_be, backend->id);
    }
}

static void members_commit(struct tvs_host *host, const struct tvs_gen_pool *config,
                           uint16_t number, const uint64_t *key, uint32_t *members, unsigned index)
{
    struct tvs_backends *backends = host->backends;
    struct pool *pool = backends->pools[index];

    free(pool->members);
    pool->members = members;
    pool->n_members = config->n_backends;
    pool->table = (struct tvs_table_config){
        .scheduler = config->scheduler,
        .table_size = config->table_size,
        .key = {key[0], key[1]},
    };
    pool->number = number;
    pool->dirty = true;
    for (uint32_t i = 0; i < config->n_backends; i++) {
        backend_configure(&backends->info[members[i]], &config->backends[i],
                          config->check.kind != TVS_CHECK_NONE, backends->serial);
        backend_apply(host, members[i]);
    }
}

int tvs_backends_bind(struct tvs_host *host, const struct tvs_generation *generation,
                      struct tvs_pool **pools, struct tvs_backend_index *index)
{
    struct tvs_backends *backends = host->backends;
    uint32_t **members = calloc(generation->n_pools + 1, sizeof(*members));
    unsigned *number = calloc(generation->n_pools + 1, sizeof(*number));
    int err = members && number ? 0 : -ENOMEM;

    for (unsigned i = 0; i < generation->n_pools && !err; i++)
        err = members_reserve(host, &generation->pools[i], &members[i], &number[i]);
    if (err) {
        tvs_error("pools: the generation does not fit: %s", strerror(-err));
        for (unsigned i = 0; members && i < generation->n_pools; i++)
            free(members[i]);
        goto free_lists;
    }
    backends->serial++;
    for (unsigned i = 0; i < backends->n_pools; i++)
        backends->pools[i]->number = TVS_NO_POOL;
    for (unsigned i = 0; i < generation->n_pools; i++) {
        members_commit(host, &generation->pools[i], (uint16_t)i, generation->path_site->flow_key,
                       members[i], number[i]);
        pools[i] = &backends->pools[number[i]]->published;
        if (index)
            members_index(backends, (uint16_t)i, &generation->pools[i], members[i], index);
    }
    for (unsigned i = 0; i < backends->n_backends; i++)
        backends->info[i].current = backends->info[i].serial == backends->serial;
    pools_follow(host, true, false);
    tvs_netlink_touch(host);

free_lists:
    free(members);
    free(number);
    return err;
}

void tvs_backends_settle(struct tvs_host *host)
{
    for (unsigned i = 0; i < host->backends->n_backends; i++)
        if (!host->backends->info[i].current)
            backend_apply(host, i);
}

/* ---- life ------------------------------------------------------------------------------------ */

int tvs_backends_start(struct tvs_host *host)
{
    struct tvs_backends *backends = calloc(1, sizeof(*backends));

    if (!backends)
        return -ENOMEM;
    host->backends = backends;
    backends->table = calloc(TVS_MAX_BACKENDS, sizeof(backends->table[0]));
    backends->info = calloc(TVS_MAX_BACKENDS, sizeof(backends->info[0]));
    backends->scratch = calloc(TVS_MAX_BACKENDS, sizeof(backends->scratch[0]));
    tvs_timer_init(&backends->rebuild, rebuild_due, host);
    if (!backends->table || !backends->info || !backends->scratch ||
        tvs_backends_map_init(&backends->map, TVS_MAX_BACKENDS) != 0) {
        tvs_backends_stop(host);
        return -ENOMEM;
    }
    host->backend_table = backends->table;
    return 0;
}

void tvs_backends_stop(struct tvs_host *host)
{
    struct tvs_backends *backends = host->backends;

    if (!backends)
        return;
    tvs_timer_unset(host->loop, &backends->rebuild);
    for (unsigned i = 0; i < backends->n_pools; i++) {
        free((void *)(uintptr_t)backends->pools[i]->published.ring);
        free(backends->pools[i]->members);
        free(backends->pools[i]->name);
        free(backends->pools[i]);
    }
    tvs_backends_map_free(&backends->map);
    free(backends->scratch);
    free(backends->info);
    free(backends->table);
    free(backends);
    host->backends = NULL;
    host->backend_table = NULL;
}
