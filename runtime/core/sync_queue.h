/* SPDX-License-Identifier: Apache-2.0 */
/* What the packet path and the sweep leave for session sync: records to tell the peers of. */
#ifndef TVS_CORE_SYNC_QUEUE_H
#define TVS_CORE_SYNC_QUEUE_H

#include "tvs/worker.h"

TVS_INLINE uint32_t tvs_sync_queue_count(const struct tvs_sync_queue *queue)
{
    return queue->tail - queue->head;
}

/*
 * Once however often it changes until it is told. What finds no place counts as never told of, so
 * that the sweep brings it again.
 */
TVS_INLINE void tvs_sync_queue_put(struct tvs_worker *worker, struct tvs_record *record)
{
    struct tvs_sync_queue *queue = &worker->sync_queue;

    if (record->flags & TVS_RECORD_QUEUED)
        return;
    if (TVS_UNLIKELY(tvs_sync_queue_count(queue) >= queue->capacity)) {
        queue->lost++;
        record->flags &= (uint16_t)~TVS_RECORD_TOLD;
        return;
    }
    queue->record[queue->tail++ & (queue->capacity - 1)] = (uint32_t)(record - worker->records);
    record->flags |= TVS_RECORD_QUEUED;
}

/* Takes the oldest, at most so many; returns how many there were. */
TVS_INLINE uint32_t tvs_sync_queue_take(struct tvs_sync_queue *queue, uint32_t *numbers,
                                        uint32_t most)
{
    uint32_t n = tvs_sync_queue_count(queue);
    uint32_t head = queue->head, mask = queue->capacity - 1;

    if (n > most)
        n = most;
    for (uint32_t i = 0; i < n; i++)
        numbers[i] = queue->record[(head + i) & mask];
    queue->head = head + n;
    return n;
}

enum {
    /* a living session's copy lasts so long at least: three looks of the sweep, which renews it */
    TVS_SYNC_LEAST_TICKS = 9000 / TVS_TICK_MS,
    /* and is renewed when the next look but one would be too late */
    TVS_SYNC_LATE_TICKS = 6500 / TVS_TICK_MS,
};

/*
 * When the peers' copies of a session expire that is told of now. What is over is not held for
 * longer than here: copies of ended sessions would be more than those that live.
 */
TVS_INLINE uint32_t tvs_sync_told_tick(const struct tvs_worker *worker,
                                       const struct tvs_record *record)
{
    uint32_t least = worker->now_tick + TVS_SYNC_LEAST_TICKS;

    if (record->state != TVS_S_ESTABLISHED && record->state != TVS_S_UDP)
        return record->expires_tick;
    return (int32_t)(record->expires_tick - least) < 0 ? least : record->expires_tick;
}

/*
 * Whether the peers' copies need word of a session that lives, asked by the sweep: one that was
 * never told of, or whose copies would expire before it, and soon: in less than half of the time
 * that it has itself. A UDP session is worth it when it goes on: most are a question and an answer.
 */
TVS_INLINE bool tvs_sync_is_due(const struct tvs_worker *worker, const struct tvs_record *record)
{
    uint32_t left = record->expires_tick - worker->now_tick;
    int32_t left_there = (int32_t)(record->told_tick - worker->now_tick);

    if (record->state < TVS_S_ESTABLISHED)
        return false;
    if (!(record->flags & TVS_RECORD_TOLD)) {
        enum { GOES_ON_TICKS = 1000 / TVS_TICK_MS };
        uint32_t renewed = record->expires_tick - record->told_tick;

        return record->proto != TVS_UDP || renewed >= GOES_ON_TICKS;
    }
    return left_there < (int32_t)left &&
           (left_there < (int32_t)(left / 2) || left_there < TVS_SYNC_LATE_TICKS);
}

#endif
