/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/gate.h"

#include <sched.h>
#include <x86intrin.h>

enum { TURNS_BEFORE_YIELD = 1 << 14 };

void bench_gate_reset(struct bench_gate *gate)
{
    *gate = (struct bench_gate){.to = UINT64_MAX};
}

void bench_gate_meet(struct bench_gate *gate)
{
    uint32_t mine = __atomic_add_fetch(&gate->arrived, 1, __ATOMIC_ACQ_REL);
    uint32_t both = (mine + 1) & ~1U;

    for (uint32_t turn = 0; __atomic_load_n(&gate->arrived, __ATOMIC_ACQUIRE) < both &&
                            !__atomic_load_n(&gate->is_open, __ATOMIC_ACQUIRE);
         turn++)
        if (turn % TURNS_BEFORE_YIELD == TURNS_BEFORE_YIELD - 1)
            sched_yield(); /* both on one core */
        else
            _mm_pause();
}

static void raise_to(uint64_t *value, uint64_t least)
{
    uint64_t old = __atomic_load_n(value, __ATOMIC_RELAXED);

    while (old < least && !__atomic_compare_exchange_n(value, &old, least, false, __ATOMIC_ACQ_REL,
                                                       __ATOMIC_RELAXED))
        ;
}

static void lower_to(uint64_t *value, uint64_t most)
{
    uint64_t old = __atomic_load_n(value, __ATOMIC_RELAXED);

    while (old > most && !__atomic_compare_exchange_n(value, &old, most, false, __ATOMIC_ACQ_REL,
                                                      __ATOMIC_RELAXED))
        ;
}

void bench_gate_overlap(struct bench_gate *gate, uint64_t first, uint64_t last, uint64_t *from,
                        uint64_t *to)
{
    raise_to(&gate->from, first);
    lower_to(&gate->to, last);
    bench_gate_meet(gate);
    *from = gate->from;
    *to = gate->to;
    __atomic_add_fetch(&gate->spans, last - first, __ATOMIC_RELAXED);
    if (*to > *from)
        __atomic_add_fetch(&gate->overlaps, *to - *from, __ATOMIC_RELAXED);
    bench_gate_meet(gate);
    gate->from = 0; /* both write the same; `first` of the next time comes after another meeting */
    gate->to = UINT64_MAX;
}

void bench_gate_open(struct bench_gate *gate)
{
    __atomic_store_n(&gate->is_open, true, __ATOMIC_RELEASE);
}
