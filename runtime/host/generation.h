/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a generation, judging it, and giving its services, pools and backends the host's ids. */
#ifndef TVS_HOST_GENERATION_H
#define TVS_HOST_GENERATION_H

#include "host.h"

/*
 * Opens `path` and finds its table; binds nothing yet. NULL after a refusal, with one line of text
 * in `why`.
 */
struct tvs_bound *tvs_generation_open(const char *path, char *why, size_t why_bytes);
void tvs_generation_close(struct tvs_bound *bound);

/* Fills bound->binding; needs the backends module. Negative errno, text in `why`. */
int tvs_generation_bind(struct tvs_host *host, struct tvs_bound *bound, char *why,
                        size_t why_bytes);

/* Why `next` cannot take over from `now` without a restart: a static text, or NULL. */
const char *tvs_generation_restart(const struct tvs_generation *now,
                                   const struct tvs_generation *next);

/* Host-stable ids of services; one is never given to another service again (services.c). */
int tvs_services_start(struct tvs_host *host);
void tvs_services_stop(struct tvs_host *host);
/* Fills service_id[n_services]. -ENOSPC: the host has numbered TVS_MAX_SERVICES already. */
int tvs_services_bind(struct tvs_host *host, const struct tvs_generation *generation,
                      uint16_t *service_id);

#endif
