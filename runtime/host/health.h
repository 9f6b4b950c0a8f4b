/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the checks of every pool. host.h has start, stop, ready and reload. */
#ifndef TVS_HEALTH_H
#define TVS_HEALTH_H

#include <stdint.h>

struct tvs_host;

struct tvs_health_stats {
    uint32_t checks;      /* backends that are checked */
    uint32_t first_round; /* of these, without a result yet */
    uint32_t running;     /* attempts under way */
    uint32_t waiting;     /* due, but too many are under way */
    uint64_t good, bad;   /* results ever */
    uint64_t late;        /* attempts that began a whole interval after they were due */
    uint64_t changes;     /* verdicts that changed */
};

const struct tvs_health_stats *tvs_health_stats(const struct tvs_host *host);
/* The last result's text of a backend's check, "" when it has none. */
const char *tvs_health_why(const struct tvs_host *host, uint32_t backend);

#endif
