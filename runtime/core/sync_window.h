/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which numbers of a sender have come: the last TVS_SYNC_WINDOW of them by bit, so that each counts
 * once, whatever the order, and what is missing can be named.
 */
#ifndef TVS_CORE_SYNC_WINDOW_H
#define TVS_CORE_SYNC_WINDOW_H

#include <string.h>

#include "tvs/sync.h"

enum { TVS_SYNC_WINDOW_WORDS = TVS_SYNC_WINDOW / 64 };

struct tvs_sync_window {
    uint64_t next; /* one above the highest */
    uint64_t seen[TVS_SYNC_WINDOW_WORDS];
    uint32_t missing; /* bits that are not set, of numbers below `next` */
};

/* Nothing before `next` is wanted. */
TVS_INLINE void tvs_sync_window_start(struct tvs_sync_window *window, uint64_t next)
{
    window->next = next;
    window->missing = 0;
    memset(window->seen, 0xff, sizeof(window->seen));
}

TVS_INLINE bool tvs_sync_window_bit(const struct tvs_sync_window *window, uint64_t number)
{
    return window->seen[number / 64 % TVS_SYNC_WINDOW_WORDS] >> number % 64 & 1;
}

/* The lowest number that is missing; one is. */
TVS_INLINE uint64_t tvs_sync_window_oldest(const struct tvs_sync_window *window)
{
    uint64_t number = window->next - TVS_SYNC_WINDOW;

    while (tvs_sync_window_bit(window, number))
        number++;
    return number;
}

/*
 * The sender has used all numbers below `next`. False: more of them are missing than the window
 * can name, and it has started anew.
 */
TVS_INLINE bool tvs_sync_window_reach(struct tvs_sync_window *window, uint64_t next)
{
    if (next <= window->next)
        return true;
    if (next - window->next > TVS_SYNC_WINDOW) {
        tvs_sync_window_start(window, next);
        return false;
    }
    for (; window->next < next; window->next++) {
        uint64_t *word = &window->seen[window->next / 64 % TVS_SYNC_WINDOW_WORDS];
        uint64_t bit = UINT64_C(1) << window->next % 64;

        if (!(*word & bit)) { /* of a number that leaves the window unseen */
            tvs_sync_window_start(window, next);
            return false;
        }
        *word &= ~bit;
        window->missing++;
    }
    return true;
}

enum tvs_sync_arrival {
    TVS_SYNC_ARRIVAL_NEW,
    TVS_SYNC_ARRIVAL_AGAIN,  /* or too old to tell: not to be looked at */
    TVS_SYNC_ARRIVAL_GAP_BIG /* new, and much before it is lost for good */
};

TVS_INLINE enum tvs_sync_arrival tvs_sync_window_arrive(struct tvs_sync_window *window,
                                                        uint64_t number)
{
    bool whole = tvs_sync_window_reach(window, number + 1);

    if (!whole)
        return TVS_SYNC_ARRIVAL_GAP_BIG;
    if (window->next - number > TVS_SYNC_WINDOW || tvs_sync_window_bit(window, number))
        return TVS_SYNC_ARRIVAL_AGAIN;
    window->seen[number / 64 % TVS_SYNC_WINDOW_WORDS] |= UINT64_C(1) << number % 64;
    window->missing--;
    return TVS_SYNC_ARRIVAL_NEW;
}

#endif
