/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions.h"

#include <string.h>

#include "tvs/worker.h"

enum { TRIES = 4 };

/* Word by word, so that no word is torn. */
static void record_read(const struct tvs_record *record, struct tvs_record *copy)
{
    const uint64_t *from = (const void *)record;
    uint64_t words[sizeof(*copy) / sizeof(uint64_t)];

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        words[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    memcpy(copy, words, sizeof(*copy));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static bool same_session(const struct tvs_record *a, const struct tvs_record *b)
{
    return memcmp(&a->in, &b->in, sizeof(a->in)) == 0 && a->proto == b->proto &&
           a->service == b->service && memcmp(&a->out, &b->out, sizeof(a->out)) == 0 &&
           a->backend == b->backend && a->opened_tick == b->opened_tick;
}

static bool record_snapshot(const struct tvs_record *record, struct tvs_record *copy)
{
    struct tvs_record again;

    for (unsigned i = 0; i < TRIES; i++) {
        record_read(record, copy);
        if (copy->state == TVS_S_FREE)
            return false;
        record_read(record, &again);
        if (again.state != TVS_S_FREE && same_session(copy, &again))
            return true;
    }
    return false;
}

bool tvs_sessions_next(const struct tvs_worker *worker, uint16_t port_first, uint16_t port_last,
                       uint32_t *number, uint32_t *budget, struct tvs_record *copy)
{
    uint64_t end = (uint64_t)worker->n_slots << 16;

    while (*number < end && *budget) {
        uint32_t at = *number, port = at & 0xffff;

        if (port < port_first) {
            *number = (at & 0xffff0000u) + port_first;
            continue;
        }
        if (port > port_last) {
            *number = (at | 0xffff) + 1;
            continue;
        }
        ++*number;
        --*budget;
        if (record_snapshot(&worker->records[at], copy))
            return true;
    }
    return false;
}
