/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "backends.h"
#include "health_probe.h"
#include "health_state.h"
#include "host.h"

enum {
    RUNNING_MAX = 2048,     /* attempts at once, each a descriptor */
    DESCRIPTORS_KEPT = 256, /* for everything else */
    SPREAD_MS = 100,   /* the first round starts within this, so that announcing does not wait, */
    SPREAD_PER_MS = 4, /* or, with very many checks, at this pace */
    LATE_SAY_MS = 60000,
};

struct check {
    struct tvs_probe probe; /* first: done() gets its address */
    struct tvs_health_rule rule;
    struct tvs_health_state state;
    uint32_t backend;
    uint8_t kind; /* enum tvs_check_kind */
    bool waiting, kept;
    char *path, *host_header;
    char why[96];
    uint64_t due_ms, begun_ms;
    struct tvs_timer timer;
    TAILQ_ENTRY(check) queue;
};

struct tvs_health {
    struct tvs_http *http;
    struct check **by_backend; /* [TVS_MAX_BACKENDS]; NULL: not checked */
    TAILQ_HEAD(, check) waiting;
    uint64_t random;
    uint32_t running_max;
    uint32_t spread_ms;
    uint64_t late_said_ms;
    struct tvs_health_stats stats;
};

const struct tvs_health_stats *tvs_health_stats(const struct tvs_host *host)
{
    return host->health ? &host->health->stats : NULL;
}

const char *tvs_health_why(const struct tvs_host *host, uint32_t backend)
{
    const struct check *check = host->health ? host->health->by_backend[backend] : NULL;

    return check ? check->why : "";
}

bool tvs_health_ready(const struct tvs_host *host)
{
    return host->health && host->health->stats.first_round == 0;
}

/* Only spreads load: xorshift is random enough. */
static uint32_t random_below(struct tvs_health *health, uint32_t limit)
{
    health->random ^= health->random << 13;
    health->random ^= health->random >> 7;
    health->random ^= health->random << 17;
    return limit ? (uint32_t)(health->random >> 32) % limit : 0;
}

/* ---- one check ------------------------------------------------------------------------------- */

static void check_begin(struct check *check)
{
    struct tvs_health *health = check->probe.host->health;

    check->waiting = false;
    check->begun_ms = tvs_loop_now_ms(check->probe.host->loop);
    if (check->begun_ms - check->due_ms > check->rule.every_ms) {
        health->stats.late++;
        if (!health->late_said_ms || check->begun_ms - health->late_said_ms > LATE_SAY_MS) {
            health->late_said_ms = check->begun_ms;
            tvs_warning("health checks are late: more are due than %u at a time can do",
                        health->running_max);
        }
    }
    health->stats.running++;
    tvs_probe_start(&check->probe);
}

static void check_due(void *context)
{
    struct check *check = context;
    struct tvs_health *health = check->probe.host->health;

    check->due_ms = tvs_loop_now_ms(check->probe.host->loop);
    if (health->stats.running < health->running_max) {
        check_begin(check);
        return;
    }
    check->waiting = true;
    health->stats.waiting++;
    TAILQ_INSERT_TAIL(&health->waiting, check, queue);
}

static void waiting_begin(struct tvs_health *health)
{
    struct check *check;

    while (health->stats.running < health->running_max && (check = TAILQ_FIRST(&health->waiting))) {
        TAILQ_REMOVE(&health->waiting, check, queue);
        health->stats.waiting--;
        check_begin(check);
    }
}

static void say(const struct check *check, bool first)
{
    const struct tvs_backend_info *info = tvs_backends_info(check->probe.host, check->backend);
    uint32_t a = info->address;

    /* good news at start would be one line per backend */
    tvs_log(!check->state.up ? TVS_LOG_WARNING
            : first          ? TVS_LOG_DEBUG
                             : TVS_LOG_INFO,
            "pool %s: %u.%u.%u.%u:%u is %s (%s)", info->pool_name, a >> 24, a >> 16 & 255,
            a >> 8 & 255, a & 255, info->port, check->state.up ? "up" : "down", check->why);
}

static void check_done(struct tvs_probe *probe, bool ok, const char *why)
{
    struct check *check = (struct check *)(void *)probe;
    struct tvs_host *host = probe->host;
    struct tvs_health *health = host->health;
    bool first = !check->state.known;
    uint64_t spent = tvs_loop_now_ms(host->loop) - check->begun_ms;
    uint32_t gap;

    health->stats.running--;
    health->stats.good += ok;
    health->stats.bad += !ok;
    snprintf(check->why, sizeof(check->why), "%s", why);
    if (tvs_health_result(&check->state, &check->rule, ok)) {
        health->stats.first_round -= first;
        health->stats.changes += !first;
        say(check, first);
        tvs_backends_health(host, check->backend, check->state.up);
    }
    gap = tvs_health_gap_ms(&check->state, &check->rule);
    if (first) /* only once: it takes backends, and nodes that started together, out of step */
        gap -= random_below(health, gap / 2);
    gap = spent < gap ? gap - (uint32_t)spent : 1;
    if (tvs_timer_set(host->loop, &check->timer, gap, 0) != 0)
        tvs_error("pool %s: no memory to go on checking a server",
                  tvs_backends_info(host, check->backend)->pool_name);
    waiting_begin(health);
}

/* ---- the set of checks ----------------------------------------------------------------------- */

static void check_free(struct tvs_host *host, struct check *check)
{
    struct tvs_health *health = host->health;

    if (check->probe.running)
        health->stats.running--;
    if (check->waiting) {
        TAILQ_REMOVE(&health->waiting, check, queue);
        health->stats.waiting--;
    }
    if (!check->state.known)
        health->stats.first_round--;
    health->stats.checks--;
    tvs_probe_cancel(&check->probe);
    tvs_timer_unset(host->loop, &check->timer);
    health->by_backend[check->backend] = NULL;
    free(check->path);
    free(check->host_header);
    free(check);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_statuses(const struct tvs_gen_expect *a, const struct tvs_gen_expect *b)
{
    return a->n == b->n && memcmp(a->range, b->range, a->n * sizeof(a->range[0])) == 0;
}

static bool check_fits(const struct check *check, const struct tvs_gen_check *config, uint16_t port)
{
    return check->kind == config->kind && check->probe.port == port &&
           check->rule.every_ms == config->every_ms &&
           check->rule.timeout_ms == config->timeout_ms && check->rule.rise == config->rise &&
           check->rule.fall == config->fall &&
           same_statuses(&check->probe.expect, &config->expect) &&
           same_text(check->path, config->path) && same_text(check->host_header, config->host);
}

static int check_new(struct tvs_host *host, const struct tvs_gen_check *config, uint32_t backend,
                     uint16_t port)
{
    const struct tvs_backend_info *info = tvs_backends_info(host, backend);
    struct tvs_health *health = host->health;
    struct check *check = calloc(1, sizeof(*check));
    struct check *old = health->by_backend[backend];

    if (!check)
        return -ENOMEM;
    /* the generation's strings end with it, a check may outlive it */
    check->path = config->path ? strdup(config->path) : NULL;
    check->host_header = config->host ? strdup(config->host) : NULL;
    if ((config->path && !check->path) || (config->host && !check->host_header)) {
        free(check->path);
        free(check->host_header);
        free(check);
        return -ENOMEM;
    }
    check->kind = config->kind;
    check->backend = backend;
    check->kept = true;
    check->rule = (struct tvs_health_rule){.every_ms = config->every_ms,
                                           .timeout_ms = config->timeout_ms,
                                           .rise = config->rise,
                                           .fall = config->fall};
    check->probe = (struct tvs_probe){.host = host,
                                      .http = config->kind == TVS_CHECK_HTTP ? health->http : NULL,
                                      .address = info->address,
                                      .port = port,
                                      .timeout_ms = config->timeout_ms,
                                      .expect = config->expect,
                                      .path = check->path,
                                      .host_header = check->host_header,
                                      .done = check_done};
    tvs_timer_init(&check->timer, check_due, check);
    if (old) { /* another way to look at the same server: what is known of it stays */
        check->state = old->state;
        check->state.against = 0;
        check_free(host, old);
    }
    health->stats.checks++;
    health->stats.first_round += !check->state.known;
    health->by_backend[backend] = check;
    return tvs_timer_set(host->loop, &check->timer,
                         random_below(health, config->every_ms < health->spread_ms
                                                  ? config->every_ms
                                                  : health->spread_ms),
                         0);
}

static int pool_checks(struct tvs_host *host, const struct tvs_gen_pool *pool)
{
    const struct tvs_gen_check *config = &pool->check;
    struct tvs_health *health = host->health;
    bool known;

    if (config->kind == TVS_CHECK_NONE)
        return 0;
    for (uint32_t i = 0; i < pool->n_backends; i++) {
        const struct tvs_gen_backend *backend = &pool->backends[i];
        uint16_t port = config->port ? config->port : backend->port;
        int64_t id = tvs_backends_find(host, pool->name, backend->address, backend->port, &known);
        int err;

        if (id < 0)
            return (int)id;
        if (health->by_backend[id] && check_fits(health->by_backend[id], config, port)) {
            health->by_backend[id]->kept = true;
            continue;
        }
        err = check_new(host, config, (uint32_t)id, port);
        if (err)
            return err;
    }
    return 0;
}

int tvs_health_reload(struct tvs_host *host)
{
    const struct tvs_generation *generation = host->bound->generation;
    struct tvs_health *health = host->health;
    uint32_t backends = 0;
    int err = 0;

    for (uint32_t i = 0; i < TVS_MAX_BACKENDS; i++)
        if (health->by_backend[i])
            health->by_backend[i]->kept = false;
    for (uint32_t i = 0; i < generation->n_pools; i++)
        backends += generation->pools[i].n_backends;
    health->spread_ms = backends / SPREAD_PER_MS > SPREAD_MS ? backends / SPREAD_PER_MS : SPREAD_MS;
    for (uint32_t i = 0; i < generation->n_pools && !err; i++)
        err = pool_checks(host, &generation->pools[i]);
    for (uint32_t i = 0; i < TVS_MAX_BACKENDS && !err; i++)
        if (health->by_backend[i] && !health->by_backend[i]->kept)
            check_free(host, health->by_backend[i]);
    if (err)
        tvs_error("health checks: cannot follow the generation: %s", strerror(-err));
    waiting_begin(health);
    return err;
}

/* ---- life ------------------------------------------------------------------------------------ */

int tvs_health_start(struct tvs_host *host)
{
    struct tvs_health *health = calloc(1, sizeof(*health));
    struct rlimit files;
    int err = -ENOMEM;

    if (!health)
        return -ENOMEM;
    host->health = health;
    TAILQ_INIT(&health->waiting);
    if (getrandom(&health->random, sizeof(health->random), 0) < 0 || !health->random)
        health->random = 1;
    health->running_max = RUNNING_MAX;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        if (files.rlim_cur < RUNNING_MAX + DESCRIPTORS_KEPT)
            health->running_max = files.rlim_cur > 2 * DESCRIPTORS_KEPT
                                      ? (uint32_t)files.rlim_cur - DESCRIPTORS_KEPT
                                      : DESCRIPTORS_KEPT;
    }
    health->by_backend = calloc(TVS_MAX_BACKENDS, sizeof(health->by_backend[0]));
    health->http = tvs_http_new(host->loop);
    if (health->by_backend && health->http)
        err = tvs_health_reload(host);
    if (err)
        tvs_health_stop(host);
    return err;
}

void tvs_health_stop(struct tvs_host *host)
{
    struct tvs_health *health = host->health;

    if (!health)
        return;
    for (uint32_t i = 0; health->by_backend && i < TVS_MAX_BACKENDS; i++)
        if (health->by_backend[i])
            check_free(host, health->by_backend[i]);
    tvs_http_free(health->http);
    free(health->by_backend);
    free(health);
    host->health = NULL;
}
