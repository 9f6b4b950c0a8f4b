/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum { PATH_BYTES = 512 };

static bool core_missing(const cpu_set_t *allowed, int core, const char *what, unsigned index)
{
    if (core >= 0 && core < CPU_SETSIZE && CPU_ISSET(core, allowed))
        return false;
    tvs_error("core %d for %s %u is not there, or not this process's to use (it has %d)", core,
              what, index, CPU_COUNT(allowed));
    return true;
}

static bool cores_missing(const struct tvs_gen_cores *cores)
{
    cpu_set_t allowed;
    bool missing = false;

    if (cores->shared)
        return false;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) {
        tvs_error("cannot ask for the cores of this process: %s", strerror(errno));
        return true;
    }
    missing |= core_missing(&allowed, cores->control, "control thread", 0);
    for (unsigned i = 0; i < cores->n_workers; i++)
        missing |= core_missing(&allowed, cores->workers[i], "worker", i);
    return missing;
}

/* A driver of the kernel's own keeps the device from DPDK; mlx5 works beside it. */
static bool pci_missing(const struct tvs_gen_port *port)
{
    char path[PATH_BYTES], target[PATH_BYTES] = "";
    const char *driver;

    if (port->is_vdev)
        return false;
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s", port->device);
    if (access(path, F_OK) < 0) {
        tvs_error("port %s: there is no PCI device %s", port->name, port->device);
        return true;
    }
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/driver", port->device);
    if (readlink(path, target, sizeof target - 1) < 0) {
        tvs_error("port %s: PCI device %s is bound to no driver: bind it to vfio-pci", port->name,
                  port->device);
        return true;
    }
    driver = strrchr(target, '/') != NULL ? strrchr(target, '/') + 1 : target;
    if (port->family == TVS_NIC_MLX5 || strcmp(driver, "vfio-pci") == 0 ||
        strcmp(driver, "igb_uio") == 0 || strcmp(driver, "uio_pci_generic") == 0)
        return false;
    tvs_error("port %s: PCI device %s is bound to %s: bind it to vfio-pci", port->name,
              port->device, driver);
    return true;
}

static uint64_t number_in(const char *directory, const char *name, const char *file)
{
    char path[PATH_BYTES];
    uint64_t number = 0;
    FILE *stream;

    snprintf(path, sizeof path, "%s/%s/%s", directory, name, file);
    stream = fopen(path, "re");
    if (stream == NULL)
        return 0;
    if (fscanf(stream, "%" SCNu64, &number) != 1)
        number = 0;
    fclose(stream);
    return number;
}

static uint64_t free_hugepage_mb(void)
{
    static const char *const root = "/sys/kernel/mm/hugepages";
    DIR *directory = opendir(root);
    const struct dirent *entry;
    uint64_t sum_kb = 0;

    if (directory == NULL)
        return 0;
    while ((entry = readdir(directory)) != NULL) {
        unsigned long page_kb;

        if (sscanf(entry->d_name, "hugepages-%lukB", &page_kb) == 1)
            sum_kb += page_kb * number_in(root, entry->d_name, "free_hugepages");
    }
    closedir(directory);
    return sum_kb >> 10;
}

static bool hugepages_missing(const struct tvs_gen_memory *memory)
{
    uint64_t free_mb = memory->hugepages ? free_hugepage_mb() : 0;

    if (!memory->hugepages || free_mb >= memory->hugepage_mb)
        return false;
    tvs_error("%" PRIu64 " MB of huge pages are free, the node needs %u MB", free_mb,
              memory->hugepage_mb);
    return true;
}

int tvs_machine_check(const struct tvs_generation *generation)
{
    bool missing = cores_missing(&generation->cores);

    for (uint32_t i = 0; i < generation->n_ports; i++)
        missing |= pci_missing(&generation->ports[i]);
    missing |= hugepages_missing(&generation->memory);
    return missing ? -ENODEV : 0;
}
