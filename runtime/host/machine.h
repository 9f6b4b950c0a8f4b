/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the generation expects of the machine, looked for before DPDK does, and said in its words.
 */
#ifndef TVS_MACHINE_H
#define TVS_MACHINE_H

#include "tvs/generation.h"

/* Logs everything that is missing; -ENODEV when anything is. */
int tvs_machine_check(const struct tvs_generation *generation);

#endif
