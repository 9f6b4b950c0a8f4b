/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's environment, from the generation alone: lcores, memory, devices. */
#ifndef TVS_EAL_H
#define TVS_EAL_H

#include "options.h"
#include "tvs/generation.h"

enum { TVS_LCORE_CONTROL = 0, TVS_LCORE_WORKER = 1 }; /* worker i is lcore TVS_LCORE_WORKER + i */

/*
 * Logs why and returns negative errno. `memory_bytes`: what the host is going to allocate. It has
 * no counterpart: memory is anonymous and unlinked, so the end of the process is what cleans up,
 * after a crash as well.
 */
int tvs_eal_start(const struct tvs_options *options, const struct tvs_generation *generation,
                  uint64_t memory_bytes);

/* DPDK's name of a port's device: the PCI address, or the device string up to its first comma. */
void tvs_eal_device_name(const struct tvs_gen_port *port, char *name, size_t name_bytes);

#endif
