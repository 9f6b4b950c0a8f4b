/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's counters by name, and as JSON. */
#ifndef TVS_STATS_H
#define TVS_STATS_H

#include <stdio.h>

#include "adapters/node.h"

/* Counters other than drops, then one per drop reason (`drop_` and the reason's name). */
unsigned tvs_stats_counters(void);
const char *tvs_stats_counter_name(unsigned counter); /* NULL: no such counter */
uint64_t tvs_stats_counter_get(const struct tvs_counters *counters, unsigned counter);

/* What only the reader of a capture knows. */
struct tvs_stats_capture {
    uint64_t packets;
    uint64_t cut; /* captured shorter than they were */
    uint64_t handed_over;
    double seconds; /* of the node's clock */
};

void tvs_stats_write(FILE *file, const struct tvs_node *node,
                     const struct tvs_stats_capture *capture);

/* `text` as a JSON string. */
void tvs_stats_string(FILE *file, const char *text);

#endif
