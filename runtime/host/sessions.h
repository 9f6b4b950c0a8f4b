/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a worker's sessions while it goes on working. */
#ifndef TVS_SESSIONS_H
#define TVS_SESSIONS_H

#include "tvs/record.h"

struct tvs_worker;

/*
 * Copies the next session in use at or behind `*number`, looking at no more than `*budget` records,
 * and moves both on. False: none found within the budget, or the worker has no more (*number is
 * then n_slots << 16).
 *
 * The worker writes while this reads. A copy is taken twice and must be equal in what names the
 * session, so its two sides belong together; state and time may be those of a moment later. A
 * session that opens or ends during a listing may be in it or not.
 */
bool tvs_sessions_next(const struct tvs_worker *worker, uint16_t port_first, uint16_t port_last,
                       uint32_t *number, uint32_t *budget, struct tvs_record *copy);

#endif
