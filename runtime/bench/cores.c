/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/cores.h"

#include <x86intrin.h>

#include "bench/print.h"

enum { N_STRETCHES = 128, STEPS = 8192 };

/* Keeps four or five of a core's adders busy and touches no memory. */
static void stretch_run(void)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5;

    for (int i = 0; i < STEPS; i++)
        __asm__ volatile("add $1, %0\n\tadd $1, %1\n\tadd $1, %2\n\tadd $1, %3\n\tadd $1, %4"
                         : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
}

double bench_cores_step(struct bench_gate *gate)
{
    uint64_t begun[N_STRETCHES + 1];
    uint64_t from = 0, to = UINT64_MAX;
    double steps[N_STRETCHES];

    if (gate != NULL)
        bench_gate_meet(gate);
    for (int i = 0; i < N_STRETCHES; i++) {
        begun[i] = __rdtsc();
        stretch_run();
    }
    begun[N_STRETCHES] = __rdtsc();
    if (gate != NULL)
        bench_gate_overlap(gate, begun[0], begun[N_STRETCHES], &from, &to);
    for (int i = 0; i < N_STRETCHES; i++) {
        bool counts = begun[i] >= from && begun[i + 1] <= to;

        steps[i] = counts ? (double)(begun[i + 1] - begun[i]) / STEPS : 0;
    }
    return bench_figure_of(steps, N_STRETCHES).median;
}
