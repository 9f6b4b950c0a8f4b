/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/loops.h"

#include <stdlib.h>
#include <x86intrin.h>

#include "bench/counters.h"
#include "bench/gate.h"
#include "bench/sync.h"
#include "core/fullnat.h"

uint8_t *bench_frame_of(const struct bench_run *run, uint32_t packet)
{
    return run->pool + (size_t)packet * BENCH_STRIDE + BENCH_FRAME_AT;
}

const uint8_t *bench_sent_frame(const struct bench_run *run, enum bench_subject subject,
                                uint32_t packet)
{
    return subject == BENCH_SITE || subject == BENCH_GENERIC ? run->sent[packet]
                                                             : bench_frame_of(run, packet);
}

/*
 * Every burst of a generation goes through here, for callgrind, which counts between the entry and
 * the end of a function that it is given by name: what a generation contains has none, since it is
 * loaded from a copy in memory.
 */
__attribute__((noinline)) void bench_counted_burst(bench_burst_fn burst, struct tvs_worker *worker,
                                                   struct tvs_frame *frames, unsigned n)
{
    burst(worker, frames, n);
    __asm__ volatile(""); /* the end is here, not a jump into the generation */
}

/* A loop over packets [from, to) of the pool: the device, and one who handles its bursts. */
typedef void (*loop_fn)(struct bench_run *run, uint32_t from, uint32_t to);

TVS_INLINE void device_loop(struct bench_run *run, uint32_t from, uint32_t to, bench_burst_fn burst,
                            bool is_traced)
{
    struct tvs_frame frames[TVS_MAX_BURST];
    uint16_t len = (uint16_t)run->options->frame_bytes;
    uint8_t **sent = run->sent + from;

    for (uint32_t at = from; at < to; at += run->options->burst) {
        uint32_t count = to - at < run->options->burst ? to - at : run->options->burst;

        if (is_traced)
            *run->trace_mark = count;
        for (uint32_t i = 0; i < count; i++) {
            uint8_t *data = bench_frame_of(run, at + i);

            __builtin_prefetch(data, 1);
            frames[i] = (struct tvs_frame){.data = data, .len = len, .headroom = BENCH_FRAME_AT};
        }
        bench_counted_burst(burst, run->worker, frames, count);
        for (uint32_t i = 0; i < count; i++)
            if (TVS_LIKELY(frames[i].verdict == TVS_V_TX))
                *sent++ = frames[i].data;
        if (is_traced)
            *run->trace_mark = 0;
    }
}

static void site_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    device_loop(run, from, to, run->node->generation->burst, false);
}

static void traced_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    device_loop(run, from, to, run->node->generation->burst, true);
}

static void generic_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    device_loop(run, from, to, run->generic, false);
}

/*
 * A turn of the daemon's worker: a burst, then housekeeping, which looks at the clock in any case.
 * What a peer sends comes in a burst like any other packet.
 */
static void sync_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    bench_burst_fn burst = run->node->generation->burst;
    uint16_t len = (uint16_t)run->options->frame_bytes;
    struct tvs_frame frames[TVS_MAX_BURST];
    struct bench_sync *sync = run->sync;
    struct tvs_worker *worker = run->worker;
    uint8_t **sent = run->sent + from;

    for (uint32_t at = from; at < to;) {
        uint32_t count = 0;
        uint64_t now;

        if (bench_sync_is_due(sync))
            frames[count++] = bench_peers_frame(&sync->peers);
        for (; at < to && count < run->options->burst; at++, count++) {
            uint8_t *data = bench_frame_of(run, at);

            frames[count] =
                (struct tvs_frame){.data = data, .len = len, .headroom = BENCH_FRAME_AT};
        }
        for (uint32_t i = 0; i < count; i++)
            __builtin_prefetch(frames[i].data, 1);
        bench_counted_burst(burst, worker, frames, count);
        for (uint32_t i = 0; i < count; i++)
            if (TVS_LIKELY(frames[i].verdict == TVS_V_TX))
                *sent++ = frames[i].data;
            else if (frames[i].verdict == TVS_V_SYNC)
                tvs_sync_receive(worker->sync, worker, frames[i].data, frames[i].len,
                                 bench_sync_now(sync));
        now = bench_sync_now(sync);
        if (worker->sync != NULL && tvs_sync_has_work(worker->sync, worker, now))
            tvs_sync_turn(worker->sync, worker, &sync->peers.io, now);
    }
}

static void rewrite(uint8_t *frame, const uint8_t *l2, uint8_t proto,
                    const struct tvs_record *record)
{
    struct tvs_frame one = {.data = frame};
    const struct tvs_packet packet = {.l4 = TVS_ETH_BYTES + TVS_IP4_BYTES};

    __builtin_memcpy(frame, l2, TVS_ETH_BYTES);
    tvs_fullnat_request(&one, &packet, proto, record);
}

static void touch_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    static const struct tvs_record record = {.ip_delta = 0x1234, .l4_delta = 0x5678};
    const uint8_t *l2 = run->node->nexthops[1].l2;
    uint8_t **sent = run->sent + from;

    for (uint32_t at = from; at < to; at += run->options->burst) {
        uint32_t count = to - at < run->options->burst ? to - at : run->options->burst;

        for (uint32_t i = 0; i < count; i++)
            __builtin_prefetch(bench_frame_of(run, at + i), 1);
        for (uint32_t i = 0; i < count; i++) {
            rewrite(bench_frame_of(run, at + i), l2, run->traffic.proto, &record);
            *sent++ = bench_frame_of(run, at + i);
        }
    }
}

static void hash_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    const uint8_t *l2 = run->node->nexthops[1].l2;
    uint8_t **sent = run->sent + from;

    for (uint32_t at = from; at < to; at += run->options->burst) {
        uint32_t count = to - at < run->options->burst ? to - at : run->options->burst;
        struct tvs_key keys[TVS_MAX_BURST];
        int32_t positions[TVS_MAX_BURST];

        for (uint32_t i = 0; i < count; i++)
            __builtin_prefetch(bench_frame_of(run, at + i), 1);
        for (uint32_t i = 0; i < count; i++) {
            const uint8_t *ip = bench_frame_of(run, at + i) + TVS_ETH_BYTES;

            memcpy(&keys[i].tuple, ip + 12, sizeof(keys[i].tuple));
            keys[i].proto = ip[9];
            memset(keys[i].zero, 0, sizeof(keys[i].zero));
        }
        bench_hash_find(run->hash, keys, count, positions);
        if (run->hash_adds)
            for (uint32_t i = 0; i < count; i++)
                if (positions[i] < 0)
                    positions[i] = bench_hash_add(run->hash, &keys[i]);
        for (uint32_t i = 0; i < count; i++)
            __builtin_prefetch(&run->entries[positions[i]]);
        for (uint32_t i = 0; i < count; i++) {
            if (TVS_UNLIKELY(positions[i] < 0))
                continue;
            rewrite(bench_frame_of(run, at + i), l2, run->traffic.proto,
                    &run->entries[positions[i]]);
            *sent++ = bench_frame_of(run, at + i);
        }
    }
    run->n_found += (uint64_t)(sent - run->sent - from);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The median of the stretches that lie between two times; 0 when none does. */
static uint64_t median_between(struct bench_run *run, uint32_t n, uint64_t from, uint64_t to)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++)
        if (run->clock[i] >= from && run->clock[i + 1] <= to)
            run->spent[count++] = run->clock[i + 1] - run->clock[i];
    if (count == 0)
        return 0;
    qsort(run->spent, count, sizeof(run->spent[0]), compare);
    return run->spent[count / 2];
}

struct bench_stretches bench_stretches_of(uint32_t n, uint32_t longest)
{
    uint32_t half = n > 1 ? n / 2 : 1;
    uint32_t packets = half < longest ? half : longest;

    return (struct bench_stretches){.packets = packets, .first = n / 2 / packets * packets};
}

double bench_timed(struct bench_run *run, enum bench_subject subject, uint32_t n)
{
    static const loop_fn loop_of[BENCH_N_SUBJECTS] = {site_loop, generic_loop, touch_loop,
                                                      hash_loop};
    loop_fn loop = run->is_syncing           ? sync_loop
                   : run->trace_mark != NULL ? traced_loop
                                             : loop_of[subject];
    struct bench_stretches stretches =
        bench_stretches_of(n, run->is_of_pair ? BENCH_PAIR_STRETCH : BENCH_STRETCH);
    uint32_t stretch = stretches.packets, at = stretches.first, count = 0;
    bool is_counted = run->counters != NULL && subject == BENCH_SITE;
    uint64_t from = 0, to = UINT64_MAX;

    loop(run, 0, at);
    if (run->gate != NULL)
        bench_gate_meet(run->gate);
    if (is_counted)
        bench_counters_start(run->counters);
    run->clock[0] = __rdtsc();
    for (; at + stretch <= n; at += stretch) {
        loop(run, at, at + stretch);
        run->clock[++count] = __rdtsc();
    }
    if (is_counted)
        bench_counters_stop(run->counters, at - stretches.first);
    loop(run, at, n);
    if (run->gate != NULL)
        bench_gate_overlap(run->gate, run->clock[0], run->clock[count], &from, &to);
    return (double)median_between(run, count, from, to) / stretch;
}
