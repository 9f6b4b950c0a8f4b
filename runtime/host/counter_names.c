/* SPDX-License-Identifier: Apache-2.0 */
#include "counter_names.h"

static const struct {
    const char *name;
    size_t offset;
} counter_list[] = {
    {"bursts", offsetof(struct tvs_counters, bursts)},
    {"frames", offsetof(struct tvs_counters, frames)},
    {"frames_handed", offsetof(struct tvs_counters, frames_handed)},
    {"bytes", offsetof(struct tvs_counters, bytes)},
    {"tx_request", offsetof(struct tvs_counters, tx_request)},
    {"tx_reply", offsetof(struct tvs_counters, tx_reply)},
    {"tx_local", offsetof(struct tvs_counters, tx_local)},
    {"tx_bytes", offsetof(struct tvs_counters, tx_bytes)},
    {"kernel", offsetof(struct tvs_counters, kernel)},
    {"handover", offsetof(struct tvs_counters, handover)},
    {"sync", offsetof(struct tvs_counters, sync)},
    {"sessions_opened", offsetof(struct tvs_counters, sessions_opened)},
    {"sessions_sorry", offsetof(struct tvs_counters, sessions_sorry)},
    {"sessions_expired", offsetof(struct tvs_counters, sessions_expired)},
    {"sessions_replaced", offsetof(struct tvs_counters, sessions_replaced)},
    {"sessions_reset", offsetof(struct tvs_counters, sessions_reset)},
    {"toa_added", offsetof(struct tvs_counters, toa_added)},
    {"toa_no_room", offsetof(struct tvs_counters, toa_no_room)},
    {"toa_too_long", offsetof(struct tvs_counters, toa_too_long)},
    {"toa_forged", offsetof(struct tvs_counters, toa_forged)},
};
enum { N_COUNTERS = sizeof(counter_list) / sizeof(counter_list[0]) };
_Static_assert(offsetof(struct tvs_counters, drops) == N_COUNTERS * sizeof(uint64_t),
               "every counter has its name here");

unsigned tvs_counter_count(void)
{
    return N_COUNTERS;
}

const char *tvs_counter_name(unsigned counter)
{
    return counter_list[counter].name;
}

const uint64_t *tvs_counter_at(const struct tvs_counters *counters, unsigned counter)
{
    return (const void *)((const char *)counters + counter_list[counter].offset);
}
