/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses on a link whose neighbour nobody has asked for yet: any worker puts one in, the control
 * thread takes them out. A few slots that overwrite each other: a lost question is asked again by
 * the next packet, and a flood of made-up addresses costs a worker one store and one wake-up per
 * turn of the control thread.
 */
#ifndef TVS_GLEAN_H
#define TVS_GLEAN_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>

enum { TVS_GLEAN_SLOTS = 64 };

struct tvs_glean {
    int wake_fd; /* eventfd */
    _Atomic uint32_t pending;
    _Atomic uint64_t slot[TVS_GLEAN_SLOTS]; /* port << 32 | address, plus the bit below; 0: empty */
};

#define TVS_GLEAN_USED (UINT64_C(1) << 63)

static inline void tvs_glean_put(struct tvs_glean *glean, uint8_t port, uint32_t address)
{
    unsigned at = (address * 0x9e3779b1u) >> 26;

    atomic_store_explicit(&glean->slot[at], TVS_GLEAN_USED | (uint64_t)port << 32 | address,
                          memory_order_release);
    if (!atomic_exchange_explicit(&glean->pending, 1, memory_order_acq_rel))
        eventfd_write(glean->wake_fd, 1);
}

/* Before the first tvs_glean_take() of a turn: a question put in from now on wakes again. */
static inline void tvs_glean_begin(struct tvs_glean *glean)
{
    eventfd_t ignored;

    eventfd_read(glean->wake_fd, &ignored);
    atomic_exchange_explicit(&glean->pending, 0, memory_order_acq_rel);
}

/* 1: `port` and `address` are slot `at`'s question, which is empty now. 0: it had none. */
static inline int tvs_glean_take(struct tvs_glean *glean, unsigned at, uint8_t *port,
                                 uint32_t *address)
{
    uint64_t value = atomic_exchange_explicit(&glean->slot[at], 0, memory_order_acq_rel);

    *port = (uint8_t)(value >> 32);
    *address = (uint32_t)value;
    return value != 0;
}

#endif
