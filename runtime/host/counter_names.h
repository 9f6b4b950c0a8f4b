/* SPDX-License-Identifier: Apache-2.0 */
/* The packet path's counters by name, in struct tvs_counters' order; drops: tvs_drop_name(). */
#ifndef TVS_COUNTER_NAMES_H
#define TVS_COUNTER_NAMES_H

#include "tvs/counters.h"

unsigned tvs_counter_count(void);
const char *tvs_counter_name(unsigned counter);
const uint64_t *tvs_counter_at(const struct tvs_counters *counters, unsigned counter);

#endif
