/* SPDX-License-Identifier: Apache-2.0 */
#include "health_state.h"

bool tvs_health_result(struct tvs_health_state *state, const struct tvs_health_rule *rule, bool ok)
{
    uint32_t needed = state->up ? rule->fall : rule->rise;

    if (!state->known) {
        *state = (struct tvs_health_state){.known = true, .up = ok};
        return true;
    }
    if (ok == state->up) {
        state->against = 0;
        return false;
    }
    if (++state->against < needed)
        return false;
    state->up = ok;
    state->against = 0;
    return true;
}

uint32_t tvs_health_gap_ms(const struct tvs_health_state *state, const struct tvs_health_rule *rule)
{
    uint64_t budget = (uint64_t)rule->fall * rule->every_ms;
    uint64_t spent = (uint64_t)rule->every_ms + rule->timeout_ms;
    uint64_t gap;

    if (!state->up || !state->against || rule->fall < 2 || budget <= spent)
        return rule->every_ms;
    /* the first bad check starts `every` after the last good one; the last one needs its timeout */
    gap = (budget - spent) / (rule->fall - 1);
    if (gap < rule->timeout_ms)
        gap = rule->timeout_ms;
    return gap < rule->every_ms ? (uint32_t)gap : rule->every_ms;
}
