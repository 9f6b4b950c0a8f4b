/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From single results of a check to a verdict on its backend. Pure: no clock, no sockets.
 *
 * The first result of all decides at once, since a node that waited for `rise` results would have
 * nothing to announce. After that `rise` good ones in a row bring a backend up and `fall` bad ones
 * in a row take it down.
 */
#ifndef TVS_HEALTH_STATE_H
#define TVS_HEALTH_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct tvs_health_rule {
    uint32_t every_ms, timeout_ms;
    uint32_t rise, fall; /* 0 counts as 1 */
};

struct tvs_health_state {
    bool known; /* had a result */
    bool up;
    uint32_t against; /* results in a row that contradict `up` */
};

/* True when the verdict has changed, or is the first one. */
bool tvs_health_result(struct tvs_health_state *state, const struct tvs_health_rule *rule, bool ok);

/*
 * From the start of one check to the start of the next. While results contradict an "up" the checks
 * come closer, so that even a backend that lets each one time out is down `fall x every` after its
 * last good check, if timeouts leave room for that; never closer than the timeout.
 */
uint32_t tvs_health_gap_ms(const struct tvs_health_state *state,
                           const struct tvs_health_rule *rule);

#endif
