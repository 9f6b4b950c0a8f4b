/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "bench/bench.h"

enum { HUGE_BYTES = 2 << 20 };

static size_t rounded(size_t bytes)
{
    return (bytes + HUGE_BYTES - 1) & ~((size_t)HUGE_BYTES - 1);
}

void *bench_memory(size_t bytes, const char **kind)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    void *memory = mmap(NULL, rounded(bytes), PROT_READ | PROT_WRITE,
                        flags | MAP_HUGETLB | MAP_POPULATE, -1, 0);

    *kind = "2 MB";
    if (memory != MAP_FAILED)
        return memory;
    *kind = "small or transparent";
    memory = mmap(NULL, rounded(bytes), PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, rounded(bytes), MADV_HUGEPAGE);
    return memory;
}

void bench_memory_free(void *memory, size_t bytes)
{
    if (memory != NULL)
        munmap(memory, rounded(bytes));
}
