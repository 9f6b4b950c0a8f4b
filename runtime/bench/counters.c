/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/counters.h"

#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const bench_event_name[BENCH_N_EVENTS] = {"instructions", "core_cycles", "l1d_misses",
                                                      "llc_misses"};

enum {
    READ_MISS = PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16,
};

static const struct {
    uint32_t type;
    uint64_t config;
} events[BENCH_N_EVENTS] = {
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {PERF_TYPE_HW_CACHE, PERF_COUNT_HW_CACHE_L1D | READ_MISS},
    {PERF_TYPE_HW_CACHE, PERF_COUNT_HW_CACHE_LL | READ_MISS},
};

bool bench_counters_open(struct bench_counters *counters)
{
    bool is_any = false;

    memset(counters, 0, sizeof(*counters));
    for (int i = 0; i < BENCH_N_EVENTS; i++) {
        struct perf_event_attr attr = {
            .type = events[i].type,
            .size = sizeof(attr),
            .config = events[i].config,
            .exclude_kernel = 1,
            .exclude_hv = 1,
        };

        counters->fd[i] = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0UL);
        is_any |= counters->fd[i] >= 0;
    }
    return is_any;
}

void bench_counters_close(struct bench_counters *counters)
{
    for (int i = 0; i < BENCH_N_EVENTS; i++)
        if (counters->fd[i] >= 0)
            close(counters->fd[i]);
}

void bench_counters_reset(struct bench_counters *counters)
{
    memset(counters->sum, 0, sizeof(counters->sum));
    counters->packets = 0;
}

static uint64_t now(const struct bench_counters *counters, int event)
{
    uint64_t value = 0;

    if (counters->fd[event] >= 0 &&
        read(counters->fd[event], &value, sizeof(value)) != sizeof(value))
        return 0;
    return value;
}

void bench_counters_start(struct bench_counters *counters)
{
    for (int i = 0; i < BENCH_N_EVENTS; i++)
        counters->before[i] = now(counters, i);
}

void bench_counters_stop(struct bench_counters *counters, uint32_t packets)
{
    for (int i = 0; i < BENCH_N_EVENTS; i++)
        counters->sum[i] += now(counters, i) - counters->before[i];
    counters->packets += packets;
}
