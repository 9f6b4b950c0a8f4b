/* SPDX-License-Identifier: Apache-2.0 */
#include "vips.h"

#include <stdlib.h>

struct need {
    uint32_t pool, min_up;
    uint32_t service;
    uint32_t route; /* the VIP's */
};

struct tvs_vips {
    const struct tvs_generation *generation;
    uint32_t n_needs, n_withheld;
    struct need *needs;  /* [n_needs] by pool, then by min_up */
    uint32_t *first;     /* [n_pools + 1] -> needs */
    uint32_t *met;       /* [n_pools] so many of the pool's needs, the first ones, are met */
    uint32_t *level;     /* [n_pools] */
    uint32_t *n_lacking; /* [n_vip_routes] needs of the VIP that are not met */
    bool *guarded;       /* [n_vip_routes] */
    bool *withheld;      /* [n_vip_routes] */
};

/* ---- making ---------------------------------------------------------------------------------- */

static int need_order(const void *left, const void *right)
{
    const struct need *a = left, *b = right;

    if (a->pool != b->pool)
        return a->pool < b->pool ? -1 : 1;
    if (a->min_up != b->min_up)
        return a->min_up < b->min_up ? -1 : 1;
    return a->service < b->service ? -1 : a->service > b->service;
}

/* The last cluster has nobody to leave its VIPs to: what a sorry pool can serve it keeps. */
static bool can_be_withheld(const struct tvs_generation *generation, uint32_t service)
{
    const uint16_t *sorry = generation->path_site->sorry;

    return generation->services[service].min_up > 0 &&
           !(generation->is_last_resort && sorry != NULL && sorry[service] != TVS_NO_POOL);
}

struct place {
    uint32_t vip, route;
};

static int place_order(const void *left, const void *right)
{
    const struct place *a = left, *b = right;

    return a->vip < b->vip ? -1 : a->vip > b->vip;
}

/* The generation's VIP routes by address; NULL: no memory. */
static struct place *places_make(const struct tvs_generation *generation)
{
    struct place *places = calloc(generation->n_vip_routes + 1, sizeof(*places));

    for (uint32_t i = 0; places && i < generation->n_vip_routes; i++)
        places[i] = (struct place){generation->vip_routes[i].address, i};
    if (places)
        qsort(places, generation->n_vip_routes, sizeof(*places), place_order);
    return places;
}

static void needs_fill(struct tvs_vips *vips, const struct place *places)
{
    const struct tvs_generation *generation = vips->generation;

    for (uint32_t i = 0; i < generation->n_services; i++) {
        const struct tvs_gen_service *service = &generation->services[i];
        const struct place key = {.vip = service->vip};
        const struct place *place;

        if (!can_be_withheld(generation, i))
            continue;
        place = bsearch(&key, places, generation->n_vip_routes, sizeof(key), place_order);
        if (place)
            vips->needs[vips->n_needs++] =
                (struct need){service->pool, service->min_up, i, place->route};
    }
    qsort(vips->needs, vips->n_needs, sizeof(vips->needs[0]), need_order);
    for (uint32_t i = 0; i < vips->n_needs; i++) {
        uint32_t route = vips->needs[i].route;

        vips->first[vips->needs[i].pool + 1]++;
        vips->n_withheld += !vips->withheld[route];
        vips->n_lacking[route]++;
        vips->guarded[route] = vips->withheld[route] = true;
    }
    for (uint32_t i = 0; i < generation->n_pools; i++)
        vips->first[i + 1] += vips->first[i];
}

struct tvs_vips *tvs_vips_new(const struct tvs_generation *generation)
{
    struct tvs_vips *vips = calloc(1, sizeof(*vips));
    struct place *places;
    uint32_t n_pools = generation->n_pools, n_routes = generation->n_vip_routes, n = 0;

    if (!vips)
        return NULL;
    vips->generation = generation;
    for (uint32_t i = 0; i < generation->n_services; i++)
        n += can_be_withheld(generation, i);
    if (n == 0)
        return vips;
    vips->needs = calloc(n, sizeof(vips->needs[0]));
    vips->first = calloc(n_pools + 1, sizeof(vips->first[0]));
    vips->met = calloc(n_pools, sizeof(vips->met[0]));
    vips->level = calloc(n_pools, sizeof(vips->level[0]));
    vips->n_lacking = calloc(n_routes + 1, sizeof(vips->n_lacking[0]));
    vips->guarded = calloc(n_routes + 1, sizeof(vips->guarded[0]));
    vips->withheld = calloc(n_routes + 1, sizeof(vips->withheld[0]));
    places = places_make(generation);
    if (vips->needs && vips->first && vips->met && vips->level && vips->n_lacking &&
        vips->guarded && vips->withheld && places) {
        needs_fill(vips, places);
    } else {
        tvs_vips_free(vips);
        vips = NULL;
    }
    free(places);
    return vips;
}

void tvs_vips_free(struct tvs_vips *vips)
{
    if (!vips)
        return;
    free(vips->needs);
    free(vips->first);
    free(vips->met);
    free(vips->level);
    free(vips->n_lacking);
    free(vips->guarded);
    free(vips->withheld);
    free(vips);
}

/* ---- following ------------------------------------------------------------------------------- */

/* One need of the VIP is met, or no more. */
static void need_set(struct tvs_vips *vips, const struct need *need, bool met,
                     tvs_vips_changed_fn changed, void *context)
{
    uint32_t *n_lacking = &vips->n_lacking[need->route];
    bool withheld;

    *n_lacking = met ? *n_lacking - 1 : *n_lacking + 1;
    withheld = *n_lacking > 0;
    if (withheld == vips->withheld[need->route])
        return;
    vips->withheld[need->route] = withheld;
    vips->n_withheld = withheld ? vips->n_withheld + 1 : vips->n_withheld - 1;
    if (changed)
        changed(context, &vips->generation->services[need->service], vips->level[need->pool],
                withheld);
}

void tvs_vips_pool_set(struct tvs_vips *vips, uint32_t pool, uint32_t level,
                       tvs_vips_changed_fn changed, void *context)
{
    const struct need *needs;
    uint32_t *met, n;

    if (vips->n_needs == 0)
        return;
    needs = &vips->needs[vips->first[pool]];
    n = vips->first[pool + 1] - vips->first[pool];
    met = &vips->met[pool];
    vips->level[pool] = level;
    while (*met < n && needs[*met].min_up <= level)
        need_set(vips, &needs[(*met)++], true, changed, context);
    while (*met > 0 && needs[*met - 1].min_up > level)
        need_set(vips, &needs[--*met], false, changed, context);
}

/* ---- looking --------------------------------------------------------------------------------- */

const bool *tvs_vips_withheld(const struct tvs_vips *vips)
{
    return vips->withheld;
}

uint32_t tvs_vips_n_withheld(const struct tvs_vips *vips)
{
    return vips->n_withheld;
}

bool tvs_vips_is_guarded(const struct tvs_vips *vips, uint32_t route)
{
    return vips->guarded && vips->guarded[route];
}

bool tvs_vips_lack_next(const struct tvs_vips *vips, uint32_t *cursor, struct tvs_vips_lack *lack)
{
    const struct tvs_generation *generation = vips->generation;

    for (; *cursor < vips->n_needs; ++*cursor) {
        const struct need *need = &vips->needs[*cursor];

        if (*cursor < vips->first[need->pool] + vips->met[need->pool])
            continue;
        *lack = (struct tvs_vips_lack){.service = &generation->services[need->service],
                                       .pool = &generation->pools[need->pool],
                                       .level = vips->level[need->pool]};
        ++*cursor;
        return true;
    }
    return false;
}
