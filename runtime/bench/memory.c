/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/mman.h>

#include "bench/bench.h"

enum { HUGE_BYTES = 2 << 20 };

size_t bench_memory_bytes(size_t bytes)
{
    return (bytes + HUGE_BYTES - 1) & ~((size_t)HUGE_BYTES - 1);
}

void *bench_memory(size_t bytes, bool small_pages, const char **kind)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    void *memory;

    *kind = "2 MB";
    if (!small_pages) {
        memory = mmap(NULL, bench_memory_bytes(bytes), PROT_READ | PROT_WRITE,
                      flags | MAP_HUGETLB | MAP_POPULATE, -1, 0);
        return memory != MAP_FAILED ? memory : NULL;
    }
    *kind = "small or transparent";
    memory = mmap(NULL, bench_memory_bytes(bytes), PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, bench_memory_bytes(bytes), MADV_HUGEPAGE);
    return memory;
}

void bench_memory_free(void *memory, size_t bytes)
{
    if (memory != NULL)
        munmap(memory, bench_memory_bytes(bytes));
}

static size_t page_count(const char *name)
{
    char path[96];
    FILE *file;
    size_t count = 0;

    snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-2048kB/%s", name);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%zu", &count) != 1)
        count = 0;
    fclose(file);
    return count;
}

size_t bench_pages_missing(size_t bytes, size_t *needed, size_t *total_wanted)
{
    size_t free_pages = page_count("free_hugepages");
    size_t missing;

    *needed = bench_memory_bytes(bytes) / HUGE_BYTES;
    missing = *needed > free_pages ? *needed - free_pages : 0;
    *total_wanted = page_count("nr_hugepages") + missing;
    return missing;
}
