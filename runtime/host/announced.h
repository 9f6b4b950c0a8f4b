/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes that the node announces: those in the kernel's table now, and the way from them to
 * another generation's. Sorted, so that two generations are compared in one walk over both. A VIP's
 * route may be withheld: it is the generation's and not in the table.
 */
#ifndef TVS_ANNOUNCED_H
#define TVS_ANNOUNCED_H

#include "tvs/generation.h"

#include "rtnl.h"

struct tvs_announced_route {
    struct tvs_rtnl_route route;
    bool withheld;
};

struct tvs_announced {
    struct tvs_announced_route *routes; /* by address, then prefix */
    unsigned n;
};

/*
 * Adds all routes of the generation that are not withheld through `ifindex`, the device `name`, and
 * then removes those that are not among these. `withheld` is by the generation's VIP route; NULL:
 * none. On an error nothing has been removed, and nothing stays that was not there.
 */
int tvs_announced_follow(struct tvs_announced *announced, struct tvs_rtnl *rtnl,
                         const struct tvs_generation *generation, const bool *withheld,
                         unsigned ifindex, const char *name);
/* Withholds the route to one address from now on, or no more. An error changes nothing. */
int tvs_announced_withhold(struct tvs_announced *announced, struct tvs_rtnl *rtnl, uint32_t address,
                           bool withheld);
/* Adds those not withheld once more: the kernel drops the routes of a device that goes down. */
int tvs_announced_restore(const struct tvs_announced *announced, struct tvs_rtnl *rtnl);
void tvs_announced_withdraw(struct tvs_announced *announced, struct tvs_rtnl *rtnl,
                            const char *name);
void tvs_announced_free(struct tvs_announced *announced);

#endif
