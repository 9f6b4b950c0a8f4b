/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/node/latency_steps.h"

#include <string.h>
#include <x86intrin.h>

#include "bench/node/latency_device.h"
#include "host/worker.h"
#include "tvs/core.h"

enum {
    BATCH = 64,         /* steps between two looks at the context switches */
    PASSES = 3,         /* over the whole table, nothing expiring */
    FAR_AHEAD = 1 << 28 /* ticks: later than any timeout */
};

/* Sweeps `records` records in steps of step->records. */
static void sweep(struct tvs_worker *worker, struct bench_step *step, uint64_t records)
{
    static uint64_t spent[BATCH];
    while (records > 0) {
        uint64_t switches = bench_switches();
        unsigned n = 0;

        for (; n < BATCH && records > 0; n++) {
            uint64_t start = __rdtsc();

            step->freed += tvs_worker_sweep(worker, step->records);
            spent[n] = __rdtsc() - start;
            records -= records < step->records ? records : step->records;
        }
        if (bench_switches() != switches) {
            step->disturbed += n;
            continue;
        }
        for (unsigned i = 0; i < n; i++)
            bench_histogram_add(&step->spent, spent[i]);
    }
}

void bench_steps_measure(struct tvs_worker *worker, struct bench_step *steps)
{
    uint64_t records = (uint64_t)worker->n_slots << 16;

    steps[BENCH_STEP_BUSY] = (struct bench_step){
        "sweep after a turn with packets", "TVS_SWEEP_BUSY", TVS_SWEEP_BUSY, 0, 0, {0}};
    steps[BENCH_STEP_IDLE] = (struct bench_step){
        "sweep after a turn without", "TVS_SWEEP_IDLE", TVS_SWEEP_IDLE, 0, 0, {0}};
    steps[BENCH_STEP_BUSY_EXPIRED] = (struct bench_step){
        "the same, every session expired", "TVS_SWEEP_BUSY", TVS_SWEEP_BUSY, 0, 0, {0}};
    steps[BENCH_STEP_IDLE_EXPIRED] = (struct bench_step){
        "the same, every session expired", "TVS_SWEEP_IDLE", TVS_SWEEP_IDLE, 0, 0, {0}};
    for (unsigned pass = 0; pass < PASSES; pass++) {
        sweep(worker, &steps[BENCH_STEP_BUSY], records);
        sweep(worker, &steps[BENCH_STEP_IDLE], records);
    }
    worker->now_tick += FAR_AHEAD;
    worker->sweep_cursor = 0;
    /* in quarters, so that both see the whole range of a local IP's ports */
    for (unsigned quarter = 0; quarter < 4; quarter++)
        sweep(worker, &steps[quarter % 2 ? BENCH_STEP_IDLE_EXPIRED : BENCH_STEP_BUSY_EXPIRED],
              records / 4);
}
