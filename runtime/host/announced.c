/* SPDX-License-Identifier: Apache-2.0 */
#include "announced.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exception.h"
#include "log.h"

static int route_order(const void *left, const void *right)
{
    const struct tvs_rtnl_route *a = &((const struct tvs_announced_route *)left)->route;
    const struct tvs_rtnl_route *b = &((const struct tvs_announced_route *)right)->route;

    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return (int)a->prefix_len - (int)b->prefix_len;
}

/* Takes those of `gone` out of the table that `kept` has not in it; both are sorted. */
static void routes_remove(struct tvs_rtnl *rtnl, const struct tvs_announced *gone,
                          const struct tvs_announced *kept, const char *name)
{
    unsigned k = 0;

    for (unsigned i = 0; i < gone->n; i++) {
        int err;

        if (gone->routes[i].withheld)
            continue;
        while (k < kept->n && route_order(&kept->routes[k], &gone->routes[i]) < 0)
            k++;
        if (k < kept->n && route_order(&kept->routes[k], &gone->routes[i]) == 0 &&
            !kept->routes[k].withheld)
            continue;
        err = tvs_rtnl_route_del(rtnl, &gone->routes[i].route);
        if (err && err != -ESRCH && err != -ENODEV)
            tvs_error("%s: cannot withdraw a route: %s", name, strerror(-err));
    }
}

/* Adds in the generation's order; `next` is then what has been added, sorted. */
static int routes_add(struct tvs_announced *next, struct tvs_rtnl *rtnl,
                      const struct tvs_generation *generation, const bool *withheld,
                      unsigned ifindex, const char *name)
{
    unsigned n = tvs_generation_n_routes(generation);
    int err = 0;

    *next = (struct tvs_announced){.routes = calloc(n + 1, sizeof(next->routes[0]))};
    if (!next->routes)
        return -ENOMEM;
    while (next->n < n && !err) {
        const struct tvs_gen_route *route = tvs_generation_route(generation, next->n);

        struct tvs_announced_route *row = &next->routes[next->n];

        row->route = (struct tvs_rtnl_route){.address = route->address,
                                             .prefix_len = route->prefix_len,
                                             .table = TVS_EXCEPTION_TABLE,
                                             .ifindex = ifindex};
        row->withheld = withheld && next->n < generation->n_vip_routes && withheld[next->n];
        err = row->withheld ? 0 : tvs_rtnl_route_add(rtnl, &row->route);
        if (err)
            tvs_error("%s: cannot announce a route: %s", name, strerror(-err));
        else
            next->n++;
    }
    qsort(next->routes, next->n, sizeof(next->routes[0]), route_order);
    return err;
}

int tvs_announced_follow(struct tvs_announced *announced, struct tvs_rtnl *rtnl,
                         const struct tvs_generation *generation, const bool *withheld,
                         unsigned ifindex, const char *name)
{
    struct tvs_announced next;
    int err = routes_add(&next, rtnl, generation, withheld, ifindex, name);

    if (err) {
        /* all or nothing: half a node's routes would draw traffic that cannot come back */
        routes_remove(rtnl, &next, announced, name);
        tvs_announced_free(&next);
        return err;
    }
    routes_remove(rtnl, announced, &next, name);
    tvs_announced_free(announced);
    *announced = next;
    return 0;
}

int tvs_announced_withhold(struct tvs_announced *announced, struct tvs_rtnl *rtnl, uint32_t address,
                           bool withheld)
{
    const struct tvs_announced_route key = {.route = {.address = address, .prefix_len = 32}};
    struct tvs_announced_route *row =
        bsearch(&key, announced->routes, announced->n, sizeof(key), route_order);
    int err;

    if (!row || row->withheld == withheld)
        return 0;
    err = withheld ? tvs_rtnl_route_del(rtnl, &row->route) : tvs_rtnl_route_add(rtnl, &row->route);
    if (withheld && (err == -ESRCH || err == -ENODEV))
        err = 0; /* the kernel dropped it before */
    if (!err)
        row->withheld = withheld;
    return err;
}

int tvs_announced_restore(const struct tvs_announced *announced, struct tvs_rtnl *rtnl)
{
    int err = 0;

    for (unsigned i = 0; i < announced->n && !err; i++)
        if (!announced->routes[i].withheld)
            err = tvs_rtnl_route_add(rtnl, &announced->routes[i].route);
    return err;
}

void tvs_announced_withdraw(struct tvs_announced *announced, struct tvs_rtnl *rtnl,
                            const char *name)
{
    routes_remove(rtnl, announced, &(struct tvs_announced){0}, name);
    announced->n = 0;
}

void tvs_announced_free(struct tvs_announced *announced)
{
    free(announced->routes);
    *announced = (struct tvs_announced){0};
}
