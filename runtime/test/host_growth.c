/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload costs the control thread grows with the site, and no faster; what a pool's verdict
 * costs its VIPs does not grow. Not time is measured
 * but work: the compiler calls the counter below in every basic block of the modules under test.
 */
#include <stdio.h>

#include "check.h"

#include "host_stubs.h"

#include "host/announced.h"
#include "host/backends.h"
#include "host/fib.h"
#include "host/generation.h"
#include "host/health.h"
#include "host/vips.h"

enum { FEW = 1000, MANY = 10 * FEW, PER_POOL = 8, IFINDEX = 7, NAME_BYTES = 16 };

/* A logarithm, and what does not depend on the site, may come on top or be left out. */
enum { LEAST_GROWTH = 2, MOST_GROWTH = 15 };

static uint64_t blocks;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

static unsigned n_requests;

int tvs_rtnl_route_add(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route)
{
    (void)rtnl;
    (void)route;
    n_requests++;
    return 0;
}

int tvs_rtnl_route_del(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route)
{
    return tvs_rtnl_route_add(rtnl, route);
}

/* `n` services, each with a VIP, a route and a pool of its own, from `first` on. */
struct wide {
    struct tvs_generation generation;
    struct tvs_gen_service *services;
    struct tvs_gen_route *routes;
    struct tvs_gen_pool *pools;
    struct tvs_gen_backend *backends;
    char (*names)[NAME_BYTES];
    uint16_t *service_id;
    struct tvs_pool **bound;
};

static struct wide wide_make(uint32_t first, uint32_t n)
{
    struct wide wide = {
        .services = calloc(n, sizeof(*wide.services)),
        .routes = calloc(n, sizeof(*wide.routes)),
        .pools = calloc(n, sizeof(*wide.pools)),
        .backends = calloc(n * PER_POOL, sizeof(*wide.backends)),
        .names = calloc(n, NAME_BYTES),
        .service_id = calloc(n, sizeof(*wide.service_id)),
        .bound = calloc(n, sizeof(struct tvs_pool *)),
    };

    for (uint32_t i = 0; i < n; i++) {
        uint32_t number = first + i;

        snprintf(wide.names[i], NAME_BYTES, "pool-%06u", number);
        for (uint32_t k = 0; k < PER_POOL; k++)
            wide.backends[i * PER_POOL + k] = (struct tvs_gen_backend){
                .address = 0x0a000000 + number * PER_POOL + k, .port = 80, .weight = 1};
        wide.services[i] = (struct tvs_gen_service){.name = wide.names[i],
                                                    .vip = 0xcb000000 + number,
                                                    .port = 80,
                                                    .proto = TVS_TCP,
                                                    .pool = i,
                                                    .min_up = 1 + i % PER_POOL};
        wide.routes[n - 1 - i] =
            (struct tvs_gen_route){.address = 0xcb000000 + number, .prefix_len = 32};
        wide.pools[i] = (struct tvs_gen_pool){
            .name = wide.names[i],
            .n_backends = PER_POOL,
            .backends = &wide.backends[i * PER_POOL],
            .check = {.kind = TVS_CHECK_TCP, .every_ms = 1000, .timeout_ms = 500, .rise = 1}};
    }
    wide.generation = (struct tvs_generation){.n_services = n,
                                              .services = wide.services,
                                              .n_vip_routes = n,
                                              .vip_routes = wide.routes,
                                              .n_pools = n,
                                              .pools = wide.pools,
                                              .path_site = &stub_site};
    return wide;
}

static void wide_free(struct wide *wide)
{
    free(wide->services);
    free(wide->routes);
    free(wide->pools);
    free(wide->backends);
    free(wide->names);
    free(wide->service_id);
    free(wide->bound);
}

/* The steps of a reload that look at the site. */
enum step { SERVICES, BACKENDS, VIPS, SETTLE, HEALTH, ROUTES, FIB, N_STEPS };
static const char *const step_name[N_STEPS] = {"services", "backends", "vips", "settle",
                                               "health",   "routes",   "fib"};

struct node {
    struct tvs_host host;
    struct tvs_bound bound;
    struct tvs_announced announced;
    struct tvs_fib *fib;
    struct tvs_vips *vips;
};

static void step_run(struct node *node, const struct wide *wide, enum step step)
{
    const struct tvs_generation *generation = &wide->generation;

    switch (step) {
    case SERVICES:
        assert_int_equal(tvs_services_bind(&node->host, generation, wide->service_id), 0);
        break;
    case BACKENDS:
        assert_int_equal(tvs_backends_bind(&node->host, generation, wide->bound, NULL), 0);
        node->bound.generation = generation;
        break;
    case VIPS:
        tvs_vips_free(node->vips);
        node->vips = tvs_vips_new(generation);
        assert_non_null(node->vips);
        tvs_backends_levels(&node->host, node->vips);
        break;
    case SETTLE:
        tvs_backends_settle(&node->host);
        break;
    case HEALTH:
        assert_int_equal(
            node->host.health ? tvs_health_reload(&node->host) : tvs_health_start(&node->host), 0);
        break;
    case ROUTES:
        assert_int_equal(
            tvs_announced_follow(&node->announced, NULL, generation, NULL, IFINDEX, "tvs0"), 0);
        break;
    default:
        tvs_fib_table_free(
            tvs_fib_build(node->fib, node->host.backend_table, tvs_backends_count(&node->host), 0));
        break;
    }
}

static void reload(struct node *node, const struct wide *wide, uint64_t work[N_STEPS])
{
    for (enum step step = 0; step < N_STEPS; step++) {
        uint64_t before = blocks;

        step_run(node, wide, step);
        work[step] = blocks - before;
    }
    stub_retired_release();
}

static void node_start(struct node *node)
{
    static const uint8_t mac[1][6] = {{2, 0, 0, 0, 0, 1}};

    memset(node, 0, sizeof(*node));
    node->host.loop = tvs_loop_new();
    node->host.bound = &node->bound;
    assert_int_equal(tvs_services_start(&node->host), 0);
    assert_int_equal(tvs_backends_start(&node->host), 0);
    node->fib = tvs_fib_new(1, mac);
    assert_non_null(node->fib);
}

static void node_stop(struct node *node)
{
    tvs_vips_free(node->vips);
    tvs_fib_free(node->fib);
    tvs_announced_free(&node->announced);
    tvs_health_stop(&node->host);
    tvs_backends_stop(&node->host);
    tvs_services_stop(&node->host);
    stub_retired_release();
    tvs_loop_free(node->host.loop);
}

/* Start, a reload of the same, one in which half of the services are others, and its way back. */
enum { N_RELOADS = 4 };

static void work_of(uint32_t n, uint64_t work[N_RELOADS][N_STEPS])
{
    struct wide one = wide_make(0, n), other = wide_make(n / 2, n);
    const struct wide *way[N_RELOADS] = {&one, &one, &other, &one};
    static struct node node;

    node_start(&node);
    for (unsigned i = 0; i < N_RELOADS; i++)
        reload(&node, way[i], work[i]);
    assert_int_equal(n_requests, N_RELOADS * n + 2 * (n / 2));
    n_requests = 0;
    node_stop(&node);
    wide_free(&one);
    wide_free(&other);
}

static void test_work_grows_with_the_site(void **state)
{
    uint64_t few[N_RELOADS][N_STEPS], many[N_RELOADS][N_STEPS];

    (void)state;
    work_of(FEW, few);
    work_of(MANY, many);
    for (unsigned i = 0; i < N_RELOADS; i++)
        for (enum step step = 0; step < N_STEPS; step++) {
            print_message("reload %u, %s: %lu blocks, %lu for ten times as much\n", i,
                          step_name[step], few[i][step], many[i][step]);
            assert_true(few[i][step] > 0);
            assert_true(many[i][step] <= MOST_GROWTH * few[i][step]);
        }
    /* the counter counts: where all is looked at, more is more */
    for (enum step step = SERVICES; step <= BACKENDS; step++)
        assert_true(many[1][step] >= LEAST_GROWTH * few[1][step]);
}

/* A pool that goes up and down through all its levels; nobody else's VIPs are looked at. */
static uint64_t verdicts_of(uint32_t n)
{
    struct wide wide = wide_make(0, n);
    struct tvs_vips *vips = tvs_vips_new(&wide.generation);
    uint64_t before = blocks;

    for (uint32_t level = 0; level <= PER_POOL; level++)
        tvs_vips_pool_set(vips, n / 2, level, NULL, NULL);
    tvs_vips_pool_set(vips, n / 2, 0, NULL, NULL);
    before = blocks - before;
    tvs_vips_free(vips);
    wide_free(&wide);
    return before;
}

static void test_a_verdict_looks_at_its_pool(void **state)
{
    (void)state;
    assert_true(verdicts_of(FEW) > 0);
    assert_int_equal(verdicts_of(FEW), verdicts_of(MANY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_work_grows_with_the_site),
                                       cmocka_unit_test(test_a_verdict_looks_at_its_pool)};

    return cmocka_run_group_tests_name("growth", tests, NULL, NULL);
}
