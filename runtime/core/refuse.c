/* SPDX-License-Identifier: Apache-2.0 */
/* What a host checks of a generation before it believes a word of it. */
#include "tvs/core.h"

const char *tvs_generation_refuse(const struct tvs_generation *generation)
{
    if (generation->abi_version != TVS_ABI_VERSION)
        return "compiled for another host (ABI version differs)";
    if (generation->record_schema != TVS_RECORD_SCHEMA)
        return "session records have another layout (record schema differs)";
    if (generation->burst == NULL)
        return "has no packet path";
    if (generation->cores.n_workers == 0 || generation->cores.n_workers > TVS_MAX_WORKERS)
        return "number of workers is outside the limits";
    if (generation->n_ports == 0 || generation->n_ports > TVS_MAX_PORTS)
        return "number of ports is outside the limits";
    if (generation->n_services > TVS_MAX_SERVICES)
        return "has more services than the host can number";
    if (generation->memory.port_first == 0 ||
        generation->memory.port_first > generation->memory.port_last)
        return "local port range is empty";
    for (uint32_t i = 0; i < generation->n_lips; i++)
        if (generation->lips[i].worker >= generation->cores.n_workers ||
            generation->lips[i].slot >= TVS_MAX_SLOTS)
            return "local IP belongs to a worker that does not exist";
    for (uint32_t i = 0; i < generation->n_services; i++)
        if (generation->services[i].pool >= generation->n_pools ||
            generation->services[i].class_id >= generation->n_classes)
            return "service points outside the tables";
    for (uint32_t i = 0; i < generation->steering.reta_size; i++)
        if (generation->steering.reta[i] >= generation->cores.n_workers)
            return "RETA names a worker that does not exist";
    return NULL;
}
