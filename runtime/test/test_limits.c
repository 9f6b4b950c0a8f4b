/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service's limits by the structures' own functions and through the path: who is kept out, how
 * many sessions count from birth to every kind of end, how fast a source may be, and what becomes
 * of all that when the generation changes.
 */
#include <stdio.h>

#include "adapters/node.h"
#include "core/limits.h"
#include "core/session.h"
#include "packets.h"

extern const struct tvs_generation tvs_generation;
extern const struct tvs_generation limited_generation;

enum { WEB, DNS, KEPT_TCP, KEPT_UDP, WEB_LIMIT = 6, KEPT_LIMIT = 5 };
#define VIP_KEPT ADDRESS(203, 0, 113, 11)

static struct tvs_node *node_make(const struct tvs_generation *generation)
{
    const struct tvs_node_config config = {.seed = 1, .exact_frames = true};
    char error[256] = "";
    struct tvs_node *node = tvs_node_make(generation, &config, error, sizeof(error));

    assert_string_equal(error, "");
    assert_non_null(node);
    tvs_node_set_tick(node, 1);
    return node;
}

/* A client's packet at worker 0; the verdict, or TVS_N_DROPS when it was sent on. */
static unsigned send_one(struct tvs_node *node, uint8_t proto, uint32_t client, uint16_t port,
                         uint32_t vip, uint16_t vip_port, uint8_t flags)
{
    struct packet packet = packet_make(proto, client, port, vip, vip_port, flags);
    struct tvs_node_packet one = {.data = packet.data, .len = packet.len, .rx_worker = 0};

    assert_int_equal(tvs_node_run(node, &one, 1), 0);
    if (one.verdict == TVS_V_TX)
        return TVS_N_DROPS;
    assert_int_equal(one.verdict, TVS_V_DROP);
    return one.arg;
}

static unsigned web(struct tvs_node *node, uint16_t port, uint8_t flags)
{
    return send_one(node, TVS_TCP, ADDRESS(198, 18, 0, 0), port, VIP, VIP_WEB_PORT, flags);
}

static unsigned kept(struct tvs_node *node, uint32_t client, uint16_t port, uint8_t proto)
{
    return send_one(node, proto, client, port, VIP_KEPT, proto == TVS_TCP ? 443 : 514, TVS_TCP_SYN);
}

static uint32_t active(const struct tvs_node *node, uint16_t group)
{
    return node->workers[0]->limit_active[group];
}

/* What is counted is what there is: recounted from the records. */
static void counts_check(const struct tvs_node *node)
{
    const struct tvs_worker *worker = node->workers[0];
    uint32_t counted[TVS_MAX_SERVICES] = {0};
    uint32_t groups[TVS_MAX_SERVICES] = {0};

    for (uint32_t number = 0; number < worker->own_records; number++) {
        const struct tvs_record *record = &worker->records[number];

        if (record->flags & TVS_RECORD_COUNTED) {
            assert_int_not_equal(record->state, TVS_S_FREE);
            counted[record->service]++;
        }
    }
    assert_memory_equal(worker->limit_counted, counted, sizeof(counted));
    if (worker->limit_group == NULL)
        return;
    for (uint32_t id = 0; id < TVS_MAX_SERVICES; id++)
        if (worker->limit_group[id] != TVS_NO_LIMIT)
            groups[worker->limit_group[id]] += counted[id];
    assert_memory_equal(worker->limit_active, groups, sizeof(groups));
}

/* -- who is kept out ------------------------------------------------------------------------ */

static uint64_t random_state = 88172645463325252;

static uint64_t random_word(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void access_check(const struct tvs_access *access, const uint32_t *edges, uint32_t n,
                         uint32_t address)
{
    uint32_t passed = 0;

    for (uint32_t i = 0; i < n; i++)
        passed += edges[i] <= address;
    assert_int_equal(tvs_access_keeps_out(access, address), passed & 1);
}

/* Random edges and an index over them of every shape, against counting. */
static void test_access_against_counting(void **state)
{
    static uint32_t index[(1 << 16) + 1];
    uint32_t edges[64];

    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        struct tvs_access access = {(uint8_t)(16 + round % 16), index, edges};
        uint32_t n = 0;
        uint64_t at = round % 3 == 0 ? 0 : random_word() % (1 << 28);
        uint32_t parts = UINT32_C(1) << (32 - access.shift);

        for (; n < 64 && at <= UINT32_MAX; at += 1 + random_word() % (round % 2 ? 5 : 1 << 27))
            edges[n++] = (uint32_t)at;
        for (uint32_t part = 0, below = 0; part <= parts; part++) {
            while (below < n && edges[below] < (uint64_t)part << access.shift)
                below++;
            index[part] = below;
        }
        for (uint32_t i = 0; i < n; i++) {
            access_check(&access, edges, n, edges[i]);
            access_check(&access, edges, n, edges[i] - 1);
            access_check(&access, edges, n, edges[i] + 1);
        }
        for (unsigned i = 0; i < 64; i++)
            access_check(&access, edges, n, (uint32_t)random_word());
        access_check(&access, edges, n, 0);
        access_check(&access, edges, n, UINT32_MAX);
    }
}

static void test_who_is_kept_out(void **state)
{
    struct tvs_node *node = node_make(&limited_generation);
    static const uint32_t out[] = {ADDRESS(198, 18, 0, 1), ADDRESS(198, 17, 255, 255),
                                   ADDRESS(198, 18, 0, 4), ADDRESS(1, 0, 0, 0)};
    static const uint32_t in[] = {ADDRESS(198, 18, 0, 0), ADDRESS(198, 18, 0, 2),
                                  ADDRESS(198, 18, 0, 3)};

    (void)state;
    for (unsigned i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        assert_int_equal(send_one(node, TVS_TCP, out[i], 1, VIP, VIP_WEB_PORT, TVS_TCP_SYN),
                         TVS_DROP_source_denied);
    for (unsigned i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        assert_int_equal(send_one(node, TVS_TCP, in[i], 1, VIP, VIP_WEB_PORT, TVS_TCP_SYN),
                         TVS_N_DROPS);
    assert_int_equal(node->workers[0]->counters.sessions_opened, 3);
    assert_int_equal(tvs_free_count(&node->workers[0]->free), 2000 - 3);
    tvs_node_close(node);
}

/* -- how many at a time ---------------------------------------------------------------------- */

static void test_a_service_is_full_until_a_session_ends(void **state)
{
    struct tvs_node *node = node_make(&limited_generation);

    (void)state;
    for (uint16_t port = 1; port <= WEB_LIMIT; port++)
        assert_int_equal(web(node, port, TVS_TCP_SYN), TVS_N_DROPS);
    assert_int_equal(web(node, 100, TVS_TCP_SYN), TVS_DROP_service_full);
    assert_int_equal(web(node, 1, TVS_TCP_SYN), TVS_N_DROPS); /* again: it is in already */
    counts_check(node);

    /* the client resets, then opens the same again: one goes, one comes */
    assert_int_equal(web(node, 1, TVS_TCP_RST), TVS_N_DROPS);
    assert_int_equal(web(node, 1, TVS_TCP_SYN), TVS_N_DROPS);
    assert_int_equal(active(node, WEB), WEB_LIMIT);
    assert_int_equal(node->workers[0]->counters.sessions_replaced, 1);
    assert_int_equal(web(node, 100, TVS_TCP_SYN), TVS_DROP_service_full);

    tvs_node_set_tick(node, 51); /* the timeout of SYN */
    assert_int_equal(tvs_worker_sweep(node->workers[0], UINT32_MAX), WEB_LIMIT);
    assert_int_equal(active(node, WEB), 0);
    assert_int_equal(web(node, 100, TVS_TCP_SYN), TVS_N_DROPS);
    counts_check(node);
    tvs_node_close(node);
}

static void test_a_dead_server_gives_its_sessions_back(void **state)
{
    struct tvs_node *node = node_make(&limited_generation);

    (void)state;
    for (uint16_t port = 1; port <= WEB_LIMIT; port++)
        assert_int_equal(web(node, port, TVS_TCP_SYN), TVS_N_DROPS);
    for (uint32_t server = 0; server < 3; server++)
        assert_int_equal(tvs_node_set_backend(node, 0, server, TVS_BACKEND_DOWN, 1), 0);
    assert_int_equal(web(node, 1, TVS_TCP_ACK), TVS_N_DROPS); /* answered with a reset */
    assert_int_equal(active(node, WEB), WEB_LIMIT - 1);
    assert_int_equal(web(node, 2, TVS_TCP_SYN), TVS_DROP_no_backend); /* closed, not opened anew */
    assert_int_equal(active(node, WEB), WEB_LIMIT - 2);
    counts_check(node);
    tvs_node_close(node);
}

static void test_listeners_of_a_service_count_together(void **state)
{
    struct tvs_node *node = node_make(&limited_generation);
    uint32_t client = ADDRESS(198, 18, 1, 0);

    (void)state;
    assert_int_equal(kept(node, client, 1, TVS_TCP), TVS_N_DROPS);
    assert_int_equal(kept(node, client + 1, 1, TVS_UDP), TVS_N_DROPS);
    assert_int_equal(kept(node, client + 2, 1, TVS_TCP), TVS_N_DROPS);
    assert_int_equal(kept(node, client + 3, 1, TVS_UDP), TVS_N_DROPS);
    assert_int_equal(kept(node, client + 4, 1, TVS_TCP), TVS_N_DROPS);
    assert_int_equal(kept(node, client + 5, 1, TVS_TCP), TVS_DROP_service_full);
    assert_int_equal(kept(node, client + 5, 1, TVS_UDP), TVS_DROP_service_full);
    assert_int_equal(active(node, KEPT_TCP), KEPT_LIMIT);
    counts_check(node);
    tvs_node_close(node);
}

/* -- how fast a source ------------------------------------------------------------------------ */

static void test_a_source_has_a_rate(void **state)
{
    struct tvs_node *node = node_make(&limited_generation);
    uint32_t client = ADDRESS(198, 18, 0, 9);
    uint16_t port = 0;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send_one(node, TVS_UDP, client, ++port, VIP, VIP_DNS_PORT, 0),
                         TVS_N_DROPS);
    for (unsigned i = 0; i < 100; i++) /* refused ones cost the client nothing */
        assert_int_equal(send_one(node, TVS_UDP, client, ++port, VIP, VIP_DNS_PORT, 0),
                         TVS_DROP_source_too_fast);
    assert_int_equal(send_one(node, TVS_UDP, client, 1, VIP, VIP_DNS_PORT, 0), TVS_N_DROPS);
    assert_int_equal(send_one(node, TVS_UDP, client + 1, 1, VIP, VIP_DNS_PORT, 0), TVS_N_DROPS);
    tvs_node_set_tick(node, 2);
    assert_int_equal(send_one(node, TVS_UDP, client, ++port, VIP, VIP_DNS_PORT, 0),
                     TVS_DROP_source_too_fast);
    tvs_node_set_tick(node, 3);
    assert_int_equal(send_one(node, TVS_UDP, client, ++port, VIP, VIP_DNS_PORT, 0), TVS_N_DROPS);
    assert_int_equal(send_one(node, TVS_UDP, client, ++port, VIP, VIP_DNS_PORT, 0),
                     TVS_DROP_source_too_fast);
    tvs_node_set_tick(node, 1000); /* as much as the burst, whatever the silence */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send_one(node, TVS_UDP, client, ++port, VIP, VIP_DNS_PORT, 0),
                         TVS_N_DROPS);
    assert_int_equal(send_one(node, TVS_UDP, client, ++port, VIP, VIP_DNS_PORT, 0),
                     TVS_DROP_source_too_fast);
    tvs_node_close(node);
}

static const struct tvs_limit half_a_tick = {.interval = UINT64_C(1) << 31,
                                             .most_debt = 3 * (UINT64_C(1) << 31)};

static bool is_too_fast(struct tvs_worker *worker, uint32_t address)
{
    return tvs_source_is_too_fast(worker, &half_a_tick, htobe32(address), 7);
}

/* Five sources of one set: the one that is ahead the least is forgotten, the others are not. */
static void test_a_full_set_forgives_the_least(void **state)
{
    struct tvs_node *node = node_make(&limited_generation);
    struct tvs_worker *worker = node->workers[0];
    uint32_t same[TVS_SOURCE_WAYS + 1];
    uint32_t set = UINT32_MAX;
    unsigned n = 0;

    (void)state;
    for (uint32_t address = 1; n <= TVS_SOURCE_WAYS; address++) {
        uint32_t at = tvs_words_hash(htobe32(address), 7, worker->hash_key) & (TVS_SOURCE_SETS - 1);

        if (n == 0)
            set = at;
        if (at == set)
            same[n++] = address;
    }
    for (unsigned i = 0; i < TVS_SOURCE_WAYS; i++) /* debts of 4, 3, 2 and 1 sessions */
        for (unsigned times = i; times < TVS_SOURCE_WAYS; times++)
            assert_false(is_too_fast(worker, same[i]));
    assert_true(is_too_fast(worker, same[0]));
    assert_false(is_too_fast(worker, same[4])); /* in the place of same[3] */
    assert_true(is_too_fast(worker, same[0]));
    assert_false(is_too_fast(worker, same[1])); /* its fourth */
    assert_true(is_too_fast(worker, same[1]));
    for (unsigned times = 0; times < 4; times++) /* same[3] begins anew, in the place of same[4] */
        assert_false(is_too_fast(worker, same[3]));
    assert_true(is_too_fast(worker, same[3]));
    tvs_node_close(node);
}

/* Addresses in a row, as a subnet has them, do not push each other out of a half-full table. */
static void test_neighbours_spread(void **state)
{
    struct tvs_node *node = node_make(&limited_generation);
    struct tvs_worker *worker = node->workers[0];
    enum { N = TVS_SOURCE_SETS * TVS_SOURCE_WAYS / 2 };
    unsigned found = 0;

    (void)state;
    for (uint32_t i = 0; i < N; i++)
        for (unsigned times = 0; times < 4; times++)
            assert_false(is_too_fast(worker, ADDRESS(100, 64, 0, 0) + i));
    for (uint32_t i = 0; i < N; i++)
        found += is_too_fast(worker, ADDRESS(100, 64, 0, 0) + i);
    assert_true(found > N - N / 10);
    tvs_node_close(node);
}

/* -- another generation ----------------------------------------------------------------------- */

static void bind(struct tvs_node *node, uint16_t *groups, uint16_t web_group)
{
    static struct tvs_binding binding[2];
    static unsigned turn;
    struct tvs_binding *next = &binding[++turn % 2];

    *next = node->binding;
    next->limit_group = groups;
    if (groups != NULL) {
        memset(groups, 0xff, TVS_MAX_SERVICES * sizeof(*groups));
        groups[node->service_id[WEB]] = web_group;
    }
    tvs_worker_bind(node->workers[0], next);
}

static void test_reload_to_none_and_back(void **state)
{
    static uint16_t groups[TVS_MAX_SERVICES];
    struct tvs_node *node = node_make(&limited_generation);
    struct tvs_worker *worker = node->workers[0];

    (void)state;
    for (uint16_t port = 1; port <= 4; port++)
        assert_int_equal(web(node, port, TVS_TCP_SYN), TVS_N_DROPS);
    assert_int_equal(active(node, WEB), 4);

    bind(node, groups, KEPT_TCP); /* the listener is another service's now */
    assert_int_equal(active(node, WEB), 0);
    assert_int_equal(active(node, KEPT_TCP), 4);
    counts_check(node);

    bind(node, NULL, 0); /* no limits: what was counted still ends well */
    assert_int_equal(web(node, 1, TVS_TCP_RST), TVS_N_DROPS);
    assert_int_equal(web(node, 1, TVS_TCP_SYN), TVS_N_DROPS);
    counts_check(node);

    bind(node, groups, WEB); /* session 1 was opened meanwhile: the sweep finds it */
    assert_int_equal(active(node, WEB), 3);
    assert_int_equal(tvs_worker_sweep(worker, UINT32_MAX), 0);
    assert_int_equal(active(node, WEB), 4);
    assert_int_equal(tvs_worker_sweep(worker, UINT32_MAX), 0);
    assert_int_equal(active(node, WEB), 4);
    counts_check(node);
    tvs_node_set_tick(node, 1000);
    assert_int_equal(tvs_worker_sweep(worker, UINT32_MAX), 4);
    assert_int_equal(active(node, WEB), 0);
    counts_check(node);
    tvs_node_close(node);
}

static void test_without_limits_nothing_is_counted(void **state)
{
    struct tvs_node *node = node_make(&tvs_generation);

    (void)state;
    for (uint16_t port = 1; port <= 50; port++)
        assert_int_equal(web(node, port, TVS_TCP_SYN), TVS_N_DROPS);
    tvs_worker_sweep(node->workers[0], UINT32_MAX);
    assert_null(node->workers[0]->limit_group);
    counts_check(node);
    tvs_node_close(node);
}

/* Random lives of sessions, with changes of the generation in between: the counts always fit. */
static void test_counts_over_random_lives(void **state)
{
    static uint16_t groups[TVS_MAX_SERVICES];
    struct tvs_node *node = node_make(&limited_generation);
    uint32_t tick = 1;

    (void)state;
    for (unsigned step = 0; step < 4000; step++) {
        uint64_t word = random_word();
        uint32_t client = ADDRESS(198, 18, 0, 2) + (word >> 8 & 1);
        uint16_t port = (uint16_t)(1 + (word >> 16) % 12);
        static const uint8_t flags[] = {TVS_TCP_SYN, TVS_TCP_SYN, TVS_TCP_RST,
                                        TVS_TCP_FIN | TVS_TCP_ACK};

        if (word % 64 == 0)
            bind(node, groups, word >> 40 & 1 ? WEB : KEPT_TCP);
        else if (word % 64 == 1)
            bind(node, NULL, 0);
        else if (word % 64 < 5)
            kept(node, client, port, word >> 40 & 1 ? TVS_TCP : TVS_UDP);
        else if (word % 64 < 9)
            tvs_node_set_tick(node, tick += (uint32_t)(word >> 32) % 20);
        else if (word % 64 < 12)
            tvs_worker_sweep(node->workers[0], (uint32_t)(word >> 32) % 200000);
        else
            send_one(node, TVS_TCP, client, port, VIP, VIP_WEB_PORT, flags[word >> 24 & 3]);
        if (step % 100 == 0)
            counts_check(node);
    }
    tvs_node_set_tick(node, tick + 4000);
    tvs_worker_sweep(node->workers[0], UINT32_MAX);
    counts_check(node);
    assert_int_equal(node->workers[0]->n_sessions, 0);
    assert_int_equal(node->workers[0]->limit_counted[node->service_id[WEB]], 0);
    tvs_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access_against_counting),
        cmocka_unit_test(test_who_is_kept_out),
        cmocka_unit_test(test_a_service_is_full_until_a_session_ends),
        cmocka_unit_test(test_a_dead_server_gives_its_sessions_back),
        cmocka_unit_test(test_listeners_of_a_service_count_together),
        cmocka_unit_test(test_a_source_has_a_rate),
        cmocka_unit_test(test_a_full_set_forgives_the_least),
        cmocka_unit_test(test_neighbours_spread),
        cmocka_unit_test(test_reload_to_none_and_back),
        cmocka_unit_test(test_without_limits_nothing_is_counted),
        cmocka_unit_test(test_counts_over_random_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
