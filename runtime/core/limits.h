/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service's `limits` refuse: sources that are kept out, sessions beyond a number, sources
 * that open too many of them. All of it is asked once per new session, before anything is taken for
 * it, and each question is answered in a bounded number of steps. A worker knows its own sessions
 * only: the tables hold its share of what the site says.
 */
#ifndef TVS_CORE_LIMITS_H
#define TVS_CORE_LIMITS_H

#include "core/hash.h"
#include "tvs/site.h"
#include "tvs/worker.h"

/*
 * Whether an address lies in a range of those kept out. Edges are passed in pairs, into a range and
 * out of it, so an odd number of them at or below the address means inside.
 */
TVS_INLINE bool tvs_access_keeps_out(const struct tvs_access *access, uint32_t address)
{
    const uint32_t *part = &access->index[address >> access->shift];
    uint32_t low = part[0];
    uint32_t high = part[1];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (access->edges[middle] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low & 1;
}

/* How far a source is ahead of its rate, in 2^-32 ticks; one that is nobody's is not ahead. */
TVS_INLINE uint64_t tvs_source_debt(const struct tvs_source *source, uint64_t now)
{
    int64_t ahead = (int64_t)(source->due - now);

    return source->addr_be != 0 && ahead > 0 ? (uint64_t)ahead : 0;
}

/*
 * The token bucket of a source, kept as the time at which it will be full again. Sources of a set
 * are told apart by their whole address; when a set has no place for one more, that one gets the
 * place of the source that is ahead the least, whose bucket is full from then on. So the table
 * errs for the client, and whoever floods with many addresses pushes out his own before those that
 * have earned a refusal. The hash has a secret key: nobody can aim at a set.
 */
TVS_INLINE bool tvs_source_is_too_fast(struct tvs_worker *worker, const struct tvs_limit *limit,
                                       uint32_t saddr_be, uint16_t service)
{
    uint64_t now = (uint64_t)worker->now_tick << 32;
    uint32_t hash = tvs_words_hash(saddr_be, service, worker->hash_key);
    struct tvs_source_set *set = &worker->sources[hash & (TVS_SOURCE_SETS - 1)];
    struct tvs_source *place = NULL;
    uint64_t least = UINT64_MAX;

    for (unsigned way = 0; way < TVS_SOURCE_WAYS; way++) {
        struct tvs_source *source = &set->source[way];
        uint64_t debt = tvs_source_debt(source, now);

        if (source->addr_be == saddr_be && source->service == service) {
            if (debt > limit->most_debt + limit->interval)
                debt = 0; /* by another generation's limit */
            if (debt > limit->most_debt)
                return true;
            source->due = now + debt + limit->interval;
            return false;
        }
        if (debt < least) {
            least = debt;
            place = source;
        }
    }
    *place =
        (struct tvs_source){.due = now + limit->interval, .addr_be = saddr_be, .service = service};
    return false;
}

/*
 * Whether a new session of `vip`'s service is refused, and why. One that is refused costs the
 * source nothing.
 */
TVS_INLINE bool tvs_limits_refuse(const struct tvs_site *site, struct tvs_worker *worker,
                                  const struct tvs_key *key, const struct tvs_vip_entry *vip,
                                  enum tvs_drop *reason)
{
    const struct tvs_limit *limit = &site->limits[vip->service];
    uint32_t saddr_be = key->tuple.saddr_be;

    *reason = TVS_DROP_source_denied;
    if (limit->access != NULL && tvs_access_keeps_out(limit->access, be32toh(saddr_be)))
        return true;
    *reason = TVS_DROP_service_full;
    if (limit->connections != 0 && worker->limit_active[limit->group] >= limit->connections)
        return true;
    *reason = TVS_DROP_source_too_fast;
    return limit->interval != 0 &&
           tvs_source_is_too_fast(worker, limit, saddr_be,
                                  worker->binding->service_id[limit->group]);
}

/*
 * Counts a session of a local IP of this worker's own, if its service has a limit on them. The
 * record remembers that it was counted: the limits may be others when it ends.
 */
TVS_INLINE void tvs_limits_count(struct tvs_worker *worker, struct tvs_record *record)
{
    uint16_t group;

    if (worker->limit_group == NULL || record->flags & TVS_RECORD_COUNTED)
        return;
    group = worker->limit_group[record->service];
    if (group == TVS_NO_LIMIT)
        return;
    record->flags |= TVS_RECORD_COUNTED;
    worker->limit_counted[record->service]++;
    worker->limit_active[group]++;
}

/* The session ends. */
TVS_INLINE void tvs_limits_uncount(struct tvs_worker *worker, struct tvs_record *record)
{
    const uint16_t *group = worker->limit_group;

    record->flags &= (uint16_t)~TVS_RECORD_COUNTED;
    worker->limit_counted[record->service]--;
    if (group != NULL && group[record->service] != TVS_NO_LIMIT)
        worker->limit_active[group[record->service]]--;
}

#endif
