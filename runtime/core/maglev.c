/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look-up table of Maglev (Eisenbud et al., NSDI 2016, section 3.4): each server has an order
 * of preference of its own over all entries, and servers take turns to claim the first entry of
 * theirs that is free. Who leaves frees its entries, and few others change hands.
 *
 * Weighted, turns are those of weighted round robin (ring.c): of any run of turns a server has its
 * weight's share, so of the entries, too, and the order among the others stays when one leaves.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/hash.h"
#include "tvs/core.h"

enum { NOBODY = UINT32_MAX };

/* Where a server goes on: any skip from any start visits all entries, as their number is prime. */
struct preference {
    uint32_t at;
    uint32_t skip;
};

bool tvs_maglev_size_is_valid(uint32_t size, uint32_t n)
{
    if (size < 3 || size > TVS_RING_MAX || size < n)
        return false;
    for (uint32_t divisor = 2; divisor * divisor <= size; divisor++)
        if (size % divisor == 0)
            return false;
    return true;
}

static int compare_servers(const void *left, const void *right)
{
    const struct tvs_maglev_server *a = left;
    const struct tvs_maglev_server *b = right;
    uint64_t x = (uint64_t)be32toh(a->addr_be) << 16 | be16toh(a->port_be);
    uint64_t y = (uint64_t)be32toh(b->addr_be) << 16 | be16toh(b->port_be);

    return x < y ? -1 : x > y;
}

static struct preference preference_of(const struct tvs_maglev_server *server, uint32_t size,
                                       const uint64_t key[2])
{
    uint64_t name = (uint64_t)be32toh(server->addr_be) << 16 | be16toh(server->port_be);

    return (struct preference){
        .at = tvs_words_hash(name, 1, key) % size,
        .skip = tvs_words_hash(name, 2, key) % (size - 1) + 1,
    };
}

/* The turns of weighted round robin, as numbers of servers. */
static int turns_make(struct tvs_ring **turns, const struct tvs_maglev_server *server, uint32_t n)
{
    uint32_t *weight = calloc(n, 2 * sizeof(*weight));
    uint32_t *number = weight + n;
    int err = -ENOMEM;

    *turns = NULL;
    if (weight == NULL)
        return err;
    for (uint32_t i = 0; i < n; i++) {
        number[i] = i;
        weight[i] = server[i].weight;
    }
    *turns = malloc(sizeof(**turns) + tvs_ring_len(weight, n) * sizeof((*turns)->backend[0]));
    if (*turns != NULL)
        err = tvs_ring_build(*turns, number, weight, n);
    free(weight);
    return err;
}

static void claim_all(struct tvs_ring *table, const struct tvs_ring *turns,
                      struct preference *preference, const struct tvs_maglev_server *server)
{
    uint32_t turn = 0;

    for (uint32_t i = 0; i < table->len; i++)
        table->backend[i] = NOBODY;
    for (uint32_t claimed = 0; claimed < table->len; claimed++) {
        uint32_t number = turns->backend[turn];
        struct preference *next = &preference[number];

        while (table->backend[next->at] != NOBODY)
            next->at = (next->at + next->skip) % table->len;
        table->backend[next->at] = server[number].id;
        turn = turn + 1 == turns->len ? 0 : turn + 1;
    }
}

int tvs_maglev_build(struct tvs_ring *table, uint32_t size, const uint64_t key[2],
                     struct tvs_maglev_server *server, uint32_t n)
{
    struct preference *preference = NULL;
    struct tvs_ring *turns = NULL;
    int err;

    table->len = 0;
    if (!tvs_maglev_size_is_valid(size, n))
        return -EINVAL;
    if (n == 0)
        return 0;
    qsort(server, n, sizeof(*server), compare_servers);
    err = turns_make(&turns, server, n);
    if (err != 0 || turns->len == 0)
        goto out;
    preference = malloc(n * sizeof(*preference));
    if (preference == NULL) {
        err = -ENOMEM;
        goto out;
    }
    for (uint32_t i = 0; i < n; i++)
        preference[i] = preference_of(&server[i], size, key);
    table->len = size;
    claim_all(table, turns, preference, server);
out:
    free(preference);
    free(turns);
    return err;
}
