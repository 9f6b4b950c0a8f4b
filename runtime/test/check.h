/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with what it needs, a random number generator that repeats, and a worker to test on. */
#ifndef TVS_TEST_CHECK_H
#define TVS_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tvs/core.h"

/* splitmix64 */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(random_next(state) % limit);
}

/* A worker in its own exact-size allocation, so that a sanitizer guards both ends. */
static inline struct tvs_worker *worker_make(const struct tvs_worker_config *config)
{
    size_t bytes = tvs_worker_bytes(config);
    void *memory;

    assert_true(bytes > 0);
    memory = aligned_alloc(TVS_CACHE_LINE, bytes);
    assert_non_null(memory);
    memset(memory, 0, bytes);
    return tvs_worker_init(memory, config);
}

#endif
