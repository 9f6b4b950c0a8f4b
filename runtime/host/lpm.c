/* SPDX-License-Identifier: Apache-2.0 */
#include "lpm.h"

#include <stdlib.h>

struct range {
    uint32_t first; /* the range ends where the next one starts */
    uint16_t leaf;
};

struct tvs_lpm {
    uint32_t n;
    uint32_t first[65537]; /* the range that holds address i << 16; the last: the last range */
    struct range range[];
};

static uint32_t prefix_mask(uint8_t prefix_len)
{
    return prefix_len ? UINT32_MAX << (32 - prefix_len) : 0;
}

/* Outer before inner. */
static int route_order(const void *left, const void *right)
{
    const struct tvs_lpm_route *a = left, *b = right;

    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return (int)a->prefix_len - (int)b->prefix_len;
}

static void range_open(struct tvs_lpm *lpm, uint64_t first, uint16_t leaf)
{
    if (first > UINT32_MAX)
        return;
    if (lpm->n && lpm->range[lpm->n - 1].first == first)
        lpm->n--;
    if (lpm->n && lpm->range[lpm->n - 1].leaf == leaf)
        return;
    lpm->range[lpm->n++] = (struct range){.first = (uint32_t)first, .leaf = leaf};
}

/* A sweep over the sorted prefixes with a stack of those that are open: at most one per length. */
static void ranges_fill(struct tvs_lpm *lpm, const struct tvs_lpm_route *routes, uint32_t n)
{
    struct {
        uint64_t end;
        uint16_t leaf;
    } open[34] = {{.end = UINT64_C(1) << 32, .leaf = 0}};
    unsigned depth = 1;

    range_open(lpm, 0, 0);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t first = routes[i].address;
        uint64_t end = first + (UINT64_C(1) << (32 - routes[i].prefix_len));

        for (; open[depth - 1].end <= first; depth--)
            range_open(lpm, open[depth - 1].end, open[depth - 2].leaf);
        if (i > 0 && route_order(&routes[i - 1], &routes[i]) == 0)
            depth--; /* the same prefix once more */
        open[depth].end = end;
        open[depth++].leaf = routes[i].leaf;
        range_open(lpm, first, routes[i].leaf);
    }
    for (; depth > 1; depth--)
        range_open(lpm, open[depth - 1].end, open[depth - 2].leaf);
}

struct tvs_lpm *tvs_lpm_build(struct tvs_lpm_route *routes, uint32_t n)
{
    struct tvs_lpm *lpm;
    uint32_t at = 0;

    /* each prefix opens at most one range at its start and one behind its end */
    lpm = malloc(sizeof(*lpm) + (2 * (size_t)n + 2) * sizeof(lpm->range[0]));
    if (!lpm)
        return NULL;
    lpm->n = 0;

    for (uint32_t i = 0; i < n; i++)
        routes[i].address &= prefix_mask(routes[i].prefix_len);
    if (n)
        qsort(routes, n, sizeof(routes[0]), route_order);
    ranges_fill(lpm, routes, n);

    for (uint32_t i = 0; i < 65536; i++) {
        while (at + 1 < lpm->n && lpm->range[at + 1].first <= i << 16)
            at++;
        lpm->first[i] = at;
    }
    lpm->first[65536] = lpm->n - 1;
    return lpm;
}

void tvs_lpm_free(struct tvs_lpm *lpm)
{
    free(lpm);
}

uint16_t tvs_lpm_find(const struct tvs_lpm *lpm, uint32_t address)
{
    uint32_t low = lpm->first[address >> 16];
    uint32_t high = lpm->first[(address >> 16) + 1];

    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;

        if (lpm->range[middle].first <= address)
            low = middle;
        else
            high = middle - 1;
    }
    return lpm->range[low].leaf;
}
