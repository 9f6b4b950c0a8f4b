/* SPDX-License-Identifier: Apache-2.0 */
#include "eal.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

enum { MAX_ARGS = 128, ARG_BYTES = 4096 };

/* EAL's argv; it keeps pointers into it and permutes it, so it lives as long as the process. */
static struct {
    char *argv[MAX_ARGS + 1];
    int argc;
    char text[MAX_ARGS][ARG_BYTES];
} args;

static int __attribute__((format(printf, 1, 2))) add(const char *format, ...)
{
    char *text = args.text[args.argc < MAX_ARGS ? args.argc : 0];
    va_list list;
    int n;

    if (args.argc >= MAX_ARGS)
        return -E2BIG;
    va_start(list, format);
    n = vsnprintf(text, ARG_BYTES, format, list);
    va_end(list);
    if (n < 0 || n >= ARG_BYTES)
        return -E2BIG;
    args.argv[args.argc++] = text;
    return 0;
}

/* The cores this process may use, as EAL writes them: "0,1,5". */
static int allowed_cores(char *text, size_t bytes)
{
    cpu_set_t set;
    size_t n = 0;

    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return -errno;
    text[0] = '\0';
    for (int cpu = 0; cpu < CPU_SETSIZE && n < bytes; cpu++)
        if (CPU_ISSET(cpu, &set))
            n += (size_t)snprintf(text + n, bytes - n, "%s%d", n ? "," : "", cpu);
    return n < bytes ? 0 : -E2BIG;
}

static int add_lcores(const struct tvs_gen_cores *cores)
{
    char text[ARG_BYTES - 64];
    size_t n = 0;

    if (cores->shared) {
        if (allowed_cores(text, sizeof text) < 0)
            return -E2BIG;
        return add("--lcores=(%d-%d)@(%s)", TVS_LCORE_CONTROL,
                   TVS_LCORE_WORKER + cores->n_workers - 1, text);
    }
    n += (size_t)snprintf(text, sizeof text, "%d@%d", TVS_LCORE_CONTROL, cores->control);
    for (int i = 0; i < cores->n_workers && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, ",%d@%d", TVS_LCORE_WORKER + i,
                              cores->workers[i]);
    return n < sizeof text ? add("--lcores=%s", text) : -E2BIG;
}

/*
 * A crash must leave nothing behind: no hugepage file is ever visible, no runtime directory made.
 */
static int add_memory(const struct tvs_gen_memory *memory, uint64_t memory_bytes)
{
    uint64_t need_mb = (memory_bytes >> 20) + 48; /* EAL's, drivers', allocator's own */

    if (memory->hugepages)
        return add("--in-memory");
    if (need_mb < memory->hugepage_mb)
        need_mb = memory->hugepage_mb;
    if (add("--no-huge") < 0 || add("--no-shconf") < 0)
        return -E2BIG;
    return add("-m%u", (unsigned)need_mb);
}

static int add_devices(const struct tvs_generation *generation)
{
    bool any_pci = false;

    for (uint32_t i = 0; i < generation->n_ports; i++) {
        const struct tvs_gen_port *port = &generation->ports[i];
        int error;

        any_pci |= !port->is_vdev;
        error = port->is_vdev ? add("--vdev=%s", port->device) : add("-a%s", port->device);
        if (error < 0)
            return error;
    }
    return any_pci ? 0 : add("--no-pci");
}

static int build(const struct tvs_options *options, const struct tvs_generation *generation,
                 uint64_t memory_bytes)
{
    bool debug = options->log_level >= TVS_LOG_DEBUG;
    int error = add("tvsd");

    if (error == 0)
        error = add_lcores(&generation->cores);
    if (error == 0)
        error = add("--main-lcore=%d", TVS_LCORE_CONTROL);
    if (error == 0)
        error = add_memory(&generation->memory, memory_bytes);
    if (error == 0)
        error = add("--no-telemetry");
    if (error == 0)
        error = add("--file-prefix=eal");
    if (error == 0)
        error = add("--log-level=%s", debug ? "info" : "warning");
    /* it reports as errors that the kernel lacks what only its own flow rules would need */
    if (error == 0 && !debug)
        error = add("--log-level=pmd.net.tap,critical");
    if (error == 0)
        error = add_devices(generation);
    for (int i = 0; error == 0 && i < options->eal_argc; i++)
        error = add("%s", options->eal_argv[i]);
    return error;
}

/*
 * EAL makes a directory for what processes share, though told to share nothing: here, not in /run,
 * where a crash would leave one per process.
 */
static int start(const char *run_dir)
{
    char path[ARG_BYTES];
    int error;

    setenv("RUNTIME_DIRECTORY", run_dir, 1);
    error = rte_eal_init(args.argc, args.argv);
    snprintf(path, sizeof path, "%s/dpdk/eal", run_dir);
    rmdir(path);
    snprintf(path, sizeof path, "%s/dpdk", run_dir);
    rmdir(path);
    return error;
}

int tvs_eal_start(const struct tvs_options *options, const struct tvs_generation *generation,
                  uint64_t memory_bytes)
{
    int error = build(options, generation, memory_bytes);

    if (error < 0) {
        tvs_error("too many or too long EAL arguments");
        return error;
    }
    for (int i = 1; i < args.argc; i++)
        tvs_debug("EAL argument: %s", args.argv[i]);
    if (start(options->run_dir) < 0) {
        tvs_error("DPDK does not start: %s", rte_strerror(rte_errno));
        return rte_errno > 0 ? -rte_errno : -EIO;
    }
    return 0;
}

void tvs_eal_device_name(const struct tvs_gen_port *port, char *name, size_t name_bytes)
{
    size_t n = port->is_vdev ? strcspn(port->device, ",") : strlen(port->device);

    snprintf(name, name_bytes, "%.*s", (int)n, port->device);
}
