/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weighted round robin as a table: one period of the schedule, in which server i appears weight_i
 * times, evenly spaced. Workers step through it; nothing is computed per session.
 */
#include <errno.h>
#include <stdlib.h>

#include "tvs/core.h"

/* Entry k of server `index` stands at (2k + 1) / (2 * weight) of the period. */
struct place {
    uint32_t index;
    uint32_t odd; /* 2k + 1 */
    uint32_t weight;
};

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static uint32_t common_divisor(const uint32_t *weight, uint32_t n)
{
    uint32_t divisor = 0;

    for (uint32_t i = 0; i < n; i++)
        divisor = gcd(divisor, weight[i]);
    return divisor;
}

uint32_t tvs_ring_len(const uint32_t *weight, uint32_t n)
{
    uint32_t divisor = common_divisor(weight, n);
    uint64_t len = 0;

    if (divisor == 0)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        len += weight[i] / divisor;
    return len <= TVS_RING_MAX ? (uint32_t)len : 0;
}

/* Compares odd_a / weight_a with odd_b / weight_b exactly, then by the order of the list. */
static int compare_places(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    uint64_t x = (uint64_t)a->odd * b->weight;
    uint64_t y = (uint64_t)b->odd * a->weight;

    if (x != y)
        return x < y ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

int tvs_ring_build(struct tvs_ring *ring, const uint32_t *id, const uint32_t *weight, uint32_t n)
{
    uint32_t divisor = common_divisor(weight, n);
    uint32_t len = tvs_ring_len(weight, n);
    struct place *places;
    uint32_t at = 0;

    ring->len = 0;
    if (divisor == 0)
        return 0;
    if (len == 0)
        return -E2BIG;
    places = calloc(len, sizeof(*places));
    if (places == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < weight[i] / divisor; k++)
            places[at++] = (struct place){
                .index = i,
                .odd = 2 * k + 1,
                .weight = weight[i] / divisor,
            };
    qsort(places, len, sizeof(*places), compare_places);
    for (uint32_t i = 0; i < len; i++)
        ring->backend[i] = id[places[i].index];
    ring->len = len;
    free(places);
    return 0;
}
