/* SPDX-License-Identifier: Apache-2.0 */
/* Which VIPs are withheld, against the definition, over random sites and random health. */
#include "check.h"

#include <stdio.h>

#include "host/vips.h"

enum { N_POOLS = 12, N_VIPS = 20, N_SERVICES = 60, N_SITES = 200, N_STEPS = 100 };

struct site {
    struct tvs_gen_service services[N_SERVICES];
    struct tvs_gen_route vip_routes[N_VIPS];
    struct tvs_gen_pool pools[N_POOLS];
    uint16_t sorry[N_SERVICES];
    struct tvs_site path_site;
    struct tvs_generation generation;
    uint32_t level[N_POOLS];
    bool reported[N_VIPS]; /* withheld, by what the calls have said */
};

static void draw(struct site *site, uint64_t *chance)
{
    memset(site, 0, sizeof(*site));
    for (uint32_t i = 0; i < N_VIPS; i++) /* in no order of addresses */
        site->vip_routes[i] = (struct tvs_gen_route){.address = i * 7 % N_VIPS, .prefix_len = 32};
    for (uint32_t i = 0; i < N_SERVICES; i++) {
        site->services[i] = (struct tvs_gen_service){.vip = random_below(chance, N_VIPS),
                                                     .pool = random_below(chance, N_POOLS),
                                                     .min_up = random_below(chance, 4)};
        site->sorry[i] = random_below(chance, 2) ? TVS_NO_POOL : 0;
    }
    site->path_site.sorry = random_below(chance, 4) ? site->sorry : NULL;
    site->generation = (struct tvs_generation){.n_services = N_SERVICES,
                                               .services = site->services,
                                               .n_vip_routes = N_VIPS,
                                               .vip_routes = site->vip_routes,
                                               .n_pools = N_POOLS,
                                               .pools = site->pools,
                                               .path_site = &site->path_site,
                                               .is_last_resort = random_below(chance, 2)};
}

static bool lacks(const struct site *site, uint32_t service)
{
    bool stays = site->generation.is_last_resort && site->path_site.sorry &&
                 site->sorry[service] != TVS_NO_POOL;

    return !stays && site->level[site->services[service].pool] < site->services[service].min_up;
}

static uint32_t route_of(const struct site *site, uint32_t vip)
{
    uint32_t route = 0;

    while (site->vip_routes[route].address != vip)
        route++;
    return route;
}

static void changed(void *context, const struct tvs_gen_service *service, uint32_t level,
                    bool withheld)
{
    struct site *site = context;
    bool *reported = &site->reported[route_of(site, service->vip)];

    assert_int_equal(level, site->level[service->pool]);
    assert_int_equal(lacks(site, (uint32_t)(service - site->services)), withheld);
    assert_int_not_equal(*reported, withheld);
    *reported = withheld;
}

static void compare(const struct site *site, const struct tvs_vips *vips)
{
    bool expected[N_VIPS] = {false}, guarded[N_VIPS] = {false};
    const bool *withheld = tvs_vips_withheld(vips);
    struct tvs_vips_lack lack;
    uint32_t n_lacks = 0, n_withheld = 0, cursor = 0;

    for (uint32_t i = 0; i < N_SERVICES; i++) {
        uint32_t route = route_of(site, site->services[i].vip);

        n_lacks += lacks(site, i);
        expected[route] |= lacks(site, i);
        guarded[route] |=
            site->services[i].min_up && !(site->generation.is_last_resort &&
                                          site->path_site.sorry && site->sorry[i] != TVS_NO_POOL);
    }
    for (uint32_t i = 0; i < N_VIPS; i++) {
        assert_int_equal(withheld && withheld[i], expected[i]);
        assert_int_equal(site->reported[i], expected[i]);
        assert_int_equal(tvs_vips_is_guarded(vips, i), guarded[i]);
        n_withheld += expected[i];
    }
    assert_int_equal(tvs_vips_n_withheld(vips), n_withheld);
    while (tvs_vips_lack_next(vips, &cursor, &lack)) {
        assert_true(lacks(site, (uint32_t)(lack.service - site->services)));
        assert_ptr_equal(lack.pool, &site->pools[lack.service->pool]);
        assert_int_equal(lack.level, site->level[lack.service->pool]);
        n_lacks--;
    }
    assert_int_equal(n_lacks, 0);
}

static void test_withheld_as_defined(void **state)
{
    static struct site site;
    uint64_t chance = 1;

    (void)state;
    for (unsigned i = 0; i < N_SITES; i++) {
        struct tvs_vips *vips;

        draw(&site, &chance);
        vips = tvs_vips_new(&site.generation);
        assert_non_null(vips);
        for (uint32_t route = 0; route < N_VIPS; route++)
            site.reported[route] = tvs_vips_withheld(vips) && tvs_vips_withheld(vips)[route];
        compare(&site, vips);
        for (unsigned step = 0; step < N_STEPS; step++) {
            uint32_t pool = random_below(&chance, N_POOLS);

            site.level[pool] = random_below(&chance, 5);
            tvs_vips_pool_set(vips, pool, site.level[pool], changed, &site);
            compare(&site, vips);
        }
        tvs_vips_free(vips);
    }
}

static void test_nobody_asks(void **state)
{
    static const struct tvs_site path_site;
    static const struct tvs_gen_service service = {.name = "web"};
    const struct tvs_generation generation = {
        .n_services = 1, .services = &service, .n_pools = 1, .path_site = &path_site};
    struct tvs_vips *vips = tvs_vips_new(&generation);
    struct tvs_vips_lack lack;
    uint32_t cursor = 0;

    (void)state;
    tvs_vips_pool_set(vips, 0, 3, NULL, NULL);
    tvs_vips_pool_set(vips, 0, 0, NULL, NULL);
    assert_null(tvs_vips_withheld(vips));
    assert_int_equal(tvs_vips_n_withheld(vips), 0);
    assert_false(tvs_vips_is_guarded(vips, 0));
    assert_false(tvs_vips_lack_next(vips, &cursor, &lack));
    tvs_vips_free(vips);
    tvs_vips_free(NULL);
}

/* From how many counted before, those that take sessions, and those not checked yet. */
static void test_level(void **state)
{
    (void)state;
    assert_int_equal(tvs_vips_level(0, 0, 3), 0); /* nobody is known: down stays down, */
    assert_int_equal(tvs_vips_level(3, 0, 3), 3); /* and up stays up */
    assert_int_equal(tvs_vips_level(3, 0, 2), 2);
    assert_int_equal(tvs_vips_level(1, 2, 2), 2);
    assert_int_equal(tvs_vips_level(3, 2, 2), 3);
    assert_int_equal(tvs_vips_level(3, 1, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_withheld_as_defined),
        cmocka_unit_test(test_nobody_asks),
        cmocka_unit_test(test_level),
    };

    return cmocka_run_group_tests_name("vips", tests, NULL, NULL);
}
