/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools and their backends: ids that stay for the host's lifetime, and what workers schedule by.
 * host.h has start, stop, bind and settle. Control thread only; workers read struct tvs_backend and
 * the published rings.
 *
 * A backend serves new sessions when its check says so (or it has none), nobody drains it and its
 * weight is positive. What an operator sets at run time counts until the site file changes the same
 * value. `min-up` counts the servers that serve new sessions.
 */
#ifndef TVS_BACKENDS_H
#define TVS_BACKENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tvs_host;
struct tvs_vips;

struct tvs_backend_info {
    uint32_t address; /* host order */
    uint16_t port;
    uint16_t pool; /* index of the host, not of a generation */
    const char *pool_name;
    bool current; /* the running generation has it */
    bool checked; /* has a health check; without one it counts as healthy */
    bool known;   /* the check has had a verdict since the backend came into the generation */
    bool healthy;
    bool drain; /* what counts: the operator's mark, or else the site's */
    bool drain_site, drain_by_operator;
    bool weight_by_operator;
    uint32_t weight; /* what counts */
    uint32_t weight_site;
    uint32_t serial;   /* of the generation that named it last */
    uint64_t since_ms; /* when the state changed last */
};

unsigned tvs_backends_count(const struct tvs_host *host);
/* id < tvs_backends_count(). */
const struct tvs_backend_info *tvs_backends_info(const struct tvs_host *host, uint32_t id);

/* How its pool schedules new sessions, in the words of the language. */
const char *tvs_backends_scheduler(const struct tvs_host *host, uint32_t id);

/* -ENOENT: no such pool, or no such backend in it; `pool_known` tells which. */
int64_t tvs_backends_find(const struct tvs_host *host, const char *pool, uint32_t address,
                          uint16_t port, bool *pool_known);

/* A check's first verdict, or another one. Rings and VIPs follow within this turn of the loop. */
void tvs_backends_health(struct tvs_host *host, uint32_t id, bool healthy);
void tvs_backends_drain(struct tvs_host *host, uint32_t id, bool drain);
/* -E2BIG: the pool's period would be too long. */
int tvs_backends_weight(struct tvs_host *host, uint32_t id, uint32_t weight);

/* Lets them follow at once. */
void tvs_backends_flush(struct tvs_host *host);
/* Gives `vips`, of the generation bound last, what its pools have. */
void tvs_backends_levels(const struct tvs_host *host, struct tvs_vips *vips);

const char *tvs_backend_state_name(uint8_t state);

#endif
