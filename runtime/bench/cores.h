/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two processors are when nothing but their arithmetic is shared: the scale on which two
 * workers are to be read. Two threads of one core do not do what two cores do, and a virtual
 * machine may not say which it has.
 */
#ifndef TVS_BENCH_CORES_H
#define TVS_BENCH_CORES_H

#include "bench/gate.h"

/*
 * TSC cycles of a step of five independent additions in registers, the median over stretches;
 * with a gate only of those within the time in which both were at it. 0: there were none.
 */
double bench_cores_step(struct bench_gate *gate);

#endif
