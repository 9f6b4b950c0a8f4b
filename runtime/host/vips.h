/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which VIPs of a generation are withheld, because a pool of one of their services has too few
 * servers that take new sessions (`min-up`). A VIP that several services share is withheld while
 * any of them lacks servers: its route cannot come for one port and not for another.
 *
 * A need is what one listener asks of its pool. Needs are sorted by pool and number, so that a
 * change of a pool's servers touches the needs that it changes and no other.
 */
#ifndef TVS_VIPS_H
#define TVS_VIPS_H

#include "tvs/generation.h"

struct tvs_vips;

/* A need that is not met. */
struct tvs_vips_lack {
    const struct tvs_gen_service *service;
    const struct tvs_gen_pool *pool;
    uint32_t level; /* servers that count */
};

/*
 * A VIP is withheld from now on, or no more; `service` is the one whose need made the difference.
 */
typedef void (*tvs_vips_changed_fn)(void *context, const struct tvs_gen_service *service,
                                    uint32_t level, bool withheld);

/* Every pool begins with no server that counts. NULL: no memory. */
struct tvs_vips *tvs_vips_new(const struct tvs_generation *generation);
void tvs_vips_free(struct tvs_vips *vips);

/* So many servers of the generation's pool count now; `changed` may be NULL. */
void tvs_vips_pool_set(struct tvs_vips *vips, uint32_t pool, uint32_t level,
                       tvs_vips_changed_fn changed, void *context);

/* By the generation's VIP route; NULL: no VIP is ever withheld. */
const bool *tvs_vips_withheld(const struct tvs_vips *vips);
uint32_t tvs_vips_n_withheld(const struct tvs_vips *vips);

/* Whether some service may have the VIP of this route withheld. */
bool tvs_vips_is_guarded(const struct tvs_vips *vips, uint32_t route);

/* Walks what is lacking; *cursor is 0 at first. False: nothing more. */
bool tvs_vips_lack_next(const struct tvs_vips *vips, uint32_t *cursor, struct tvs_vips_lack *lack);

/*
 * How many of a pool's servers count, from how many counted before: those that take new sessions,
 * of which `unknown` that wait for their first check may be some more. They neither bring a pool up
 * nor take it down, so that a reload with other servers does not withdraw a VIP for a moment.
 */
static inline uint32_t tvs_vips_level(uint32_t before, uint32_t taking, uint32_t unknown)
{
    if (before < taking)
        return taking;
    return before > taking + unknown ? taking + unknown : before;
}

#endif
