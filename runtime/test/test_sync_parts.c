/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of session sync, each alone: the MAC, the window, the server index, the queue. */
#include "check.h"
#include "core/backend_index.h"
#include "core/mac.h"
#include "core/sync_queue.h"
#include "core/sync_window.h"

/* Of the reference implementation: key 00 01 .. 0f, input 00 01 .. of each length. */
static void test_sip_vectors(void **state)
{
    static const struct {
        size_t bytes;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},
        {2, UINT64_C(0x0d6c8009d9a94f5a)}, {3, UINT64_C(0x85676696d7fb7e2d)},
        {4, UINT64_C(0xcf2794e0277187b7)}, {5, UINT64_C(0x18765564cd99a68d)},
        {6, UINT64_C(0xcbc9466e58fee3ce)}, {7, UINT64_C(0xab0200f58b01d137)},
        {8, UINT64_C(0x93f5f5799a932462)}, {15, UINT64_C(0xa129ca6149be45e5)},
    };
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

    (void)state;
    for (size_t v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++) {
        uint8_t *input = malloc(vectors[v].bytes + 1); /* also where it is not aligned */

        assert_non_null(input);
        for (size_t i = 0; i < vectors[v].bytes; i++)
            input[1 + i] = (uint8_t)i;
        assert_true(tvs_sip_hash(key, input + 1, vectors[v].bytes) == vectors[v].hash);
        free(input);
    }
}

/* The values are those of tests/naive/sync.py, which was written from the description. */
static void test_mac_vectors(void **state)
{
    static const struct {
        size_t bytes;
        uint64_t mac;
    } vectors[] = {{0, UINT64_C(0xb637f223dd237d13)},   {5, UINT64_C(0xebf02f7928af4c3d)},
                   {16, UINT64_C(0x65a037b437718d73)},  {40, UINT64_C(0x23f039d5bb822a34)},
                   {64, UINT64_C(0xe24546e800ed89ac)},  {1320, UINT64_C(0x184e96425dd4d623)},
                   {1344, UINT64_C(0x0a513d41b3628136)}};
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    struct tvs_mac_key mac_key;

    (void)state;
    tvs_mac_key_make(&mac_key, key);
    for (size_t v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++) {
        uint8_t *input = malloc(vectors[v].bytes + 1); /* also where it is not aligned */

        assert_non_null(input);
        for (size_t i = 0; i < vectors[v].bytes; i++)
            input[1 + i] = (uint8_t)i;
        assert_true(tvs_mac(&mac_key, input + 1, vectors[v].bytes) == vectors[v].mac);
        for (size_t i = 0; i < vectors[v].bytes * 8; i++) { /* any bit counts */
            input[1 + i / 8] ^= (uint8_t)(1 << i % 8);
            assert_true(tvs_mac(&mac_key, input + 1, vectors[v].bytes) != vectors[v].mac);
            input[1 + i / 8] ^= (uint8_t)(1 << i % 8);
        }
        free(input);
    }
}

/* ---- the window ------------------------------------------------------------------------------ */

enum { NUMBERS = 6000 };

/* What has come, one flag per number; numbers below `first` do not count. */
struct naive_window {
    bool has[NUMBERS];
    uint64_t first, next;
};

static unsigned naive_missing(const struct naive_window *naive)
{
    unsigned n = 0;

    for (uint64_t number = naive->first; number < naive->next; number++)
        n += !naive->has[number];
    return n;
}

static enum tvs_sync_arrival naive_arrive(struct naive_window *naive, uint64_t number)
{
    uint64_t next = number + 1 > naive->next ? number + 1 : naive->next;
    bool is_lost = false;

    if (number < naive->first || number + TVS_SYNC_WINDOW < naive->next || naive->has[number])
        return TVS_SYNC_ARRIVAL_AGAIN;
    for (uint64_t old = naive->first; old < naive->next; old++)
        is_lost |= !naive->has[old] && old + TVS_SYNC_WINDOW < next;
    if (is_lost || next - naive->next > TVS_SYNC_WINDOW) {
        naive->first = naive->next = next;
        return TVS_SYNC_ARRIVAL_GAP_BIG;
    }
    naive->has[number] = true;
    naive->next = next;
    return TVS_SYNC_ARRIVAL_NEW;
}

static void test_window_against_a_set(void **state)
{
    static struct naive_window naive;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t chance = seed, top = 1 + random_below(&chance, 1500);
        struct tvs_sync_window window = {0};
        unsigned news = 0, gaps = 0;

        naive = (struct naive_window){.first = top, .next = top};
        tvs_sync_window_start(&window, top);
        while (top < NUMBERS - 1200) {
            uint32_t what = random_below(&chance, 1000);
            uint64_t number;
            enum tvs_sync_arrival arrival;

            if (what == 0)
                top += random_below(&chance, 1100); /* a gap, sometimes more than the window */
            else if (what < 600)
                top++;
            number =
                what < 600 || top < 1100 ? top : top - random_below(&chance, seed % 3 ? 60 : 1100);
            arrival = tvs_sync_window_arrive(&window, number);
            assert_int_equal(arrival, naive_arrive(&naive, number));
            assert_int_equal(window.next, naive.next);
            assert_int_equal(window.missing, naive_missing(&naive));
            news += arrival == TVS_SYNC_ARRIVAL_NEW;
            gaps += arrival == TVS_SYNC_ARRIVAL_GAP_BIG;
        }
        assert_in_range(news, 100, NUMBERS);
        assert_in_range(gaps, 1, NUMBERS);
        for (uint64_t number = naive.next < TVS_SYNC_WINDOW ? 1 : naive.next - TVS_SYNC_WINDOW;
             number < naive.next; number++)
            assert_int_equal(tvs_sync_window_bit(&window, number),
                             number < naive.first || naive.has[number]);
    }
}

/* Exactly the window may be missing; one more is too much. */
static void test_window_is_full(void **state)
{
    struct tvs_sync_window window;

    (void)state;
    tvs_sync_window_start(&window, 100);
    assert_true(tvs_sync_window_reach(&window, 100 + TVS_SYNC_WINDOW));
    assert_int_equal(window.missing, TVS_SYNC_WINDOW);
    assert_int_equal(tvs_sync_window_oldest(&window), 100);
    assert_int_equal(tvs_sync_window_arrive(&window, 100), TVS_SYNC_ARRIVAL_NEW);
    assert_int_equal(tvs_sync_window_arrive(&window, 100), TVS_SYNC_ARRIVAL_AGAIN);
    assert_int_equal(tvs_sync_window_arrive(&window, 99), TVS_SYNC_ARRIVAL_AGAIN);
    assert_int_equal(tvs_sync_window_oldest(&window), 101);
    assert_true(tvs_sync_window_reach(&window, 101 + TVS_SYNC_WINDOW));
    assert_int_equal(window.missing, TVS_SYNC_WINDOW);
    assert_false(tvs_sync_window_reach(&window, 102 + TVS_SYNC_WINDOW));
    assert_int_equal(window.missing, 0);
    assert_int_equal(window.next, 102 + TVS_SYNC_WINDOW);
    assert_true(tvs_sync_window_reach(&window, 5)); /* a hello that came late */
    assert_int_equal(window.next, 102 + TVS_SYNC_WINDOW);
    assert_false(tvs_sync_window_reach(&window, UINT64_MAX));
    assert_int_equal(tvs_sync_window_arrive(&window, UINT64_MAX), TVS_SYNC_ARRIVAL_AGAIN);
}

/* ---- servers --------------------------------------------------------------------------------- */

static void test_backend_index(void **state)
{
    enum { N = 300 };
    struct tvs_backend_entry all[N];
    uint64_t chance = 9;

    (void)state;
    for (uint32_t n = 0; n <= N; n += n < 5 ? 1 : 59) {
        struct tvs_backend_index *index = tvs_backend_index_make(n);

        assert_non_null(index);
        assert_true(index->mask >= n && (index->mask & (index->mask + 1)) == 0);
        for (uint32_t i = 0; i < n; i++) { /* of few values, so that keys differ in one field */
            all[i] = (struct tvs_backend_entry){.address_be = random_below(&chance, 8),
                                                .port_be = (uint16_t)random_below(&chance, 8),
                                                .pool = (uint16_t)random_below(&chance, 8),
                                                .id_plus_1 = i + 1};
            tvs_backend_index_add(index, all[i].pool, all[i].address_be, all[i].port_be, i);
        }
        for (uint32_t key = 0; key < 9 * 9 * 9; key++) {
            uint32_t address = key % 9, port = key / 9 % 9, pool = key / 81, id = UINT32_MAX, first;

            for (first = 0; first < n; first++)
                if (all[first].address_be == address && all[first].port_be == port &&
                    all[first].pool == pool)
                    break;
            assert_int_equal(
                tvs_backend_index_find(index, (uint16_t)pool, address, (uint16_t)port, &id),
                first < n);
            assert_int_equal(id, first < n ? first : UINT32_MAX);
        }
        free(index);
    }
}

/* ---- the queue ------------------------------------------------------------------------------- */

static struct tvs_worker *queue_worker(uint32_t capacity)
{
    static const uint32_t lip_be = 0x010010ac;

    return worker_make(&(struct tvs_worker_config){.n_slots = 1,
                                                   .lip_addr_be = &lip_be,
                                                   .n_buckets = 64,
                                                   .max_sessions = 300,
                                                   .port_first = 2000,
                                                   .port_last = 2099,
                                                   .max_pools = 1,
                                                   .max_backends = 1,
                                                   .n_workers = 1,
                                                   .sync_queue = capacity});
}

/* Each record once, in order; one that finds no place is as if it had never been told. */
static void test_queue(void **state)
{
    struct tvs_worker *worker = queue_worker(4);
    uint32_t taken[4];

    (void)state;
    worker->sync_queue.head = worker->sync_queue.tail = UINT32_MAX - 1; /* wraps on the way */
    for (unsigned round = 0; round < 2; round++)
        for (uint32_t number = 2000; number < 2004; number++) {
            worker->records[number].flags |= TVS_RECORD_TOLD;
            tvs_sync_queue_put(worker, &worker->records[number]);
            assert_int_equal(worker->records[number].flags, TVS_RECORD_TOLD | TVS_RECORD_QUEUED);
        }
    worker->records[2004].flags = TVS_RECORD_TOLD;
    tvs_sync_queue_put(worker, &worker->records[2004]);
    assert_int_equal(worker->records[2004].flags, 0);
    assert_int_equal(worker->sync_queue.lost, 1);
    assert_int_equal(tvs_sync_queue_take(&worker->sync_queue, taken, 3), 3);
    assert_int_equal(tvs_sync_queue_take(&worker->sync_queue, taken + 3, 3), 1);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(taken[i], 2000 + i);
    assert_int_equal(tvs_sync_queue_count(&worker->sync_queue), 0);
    free(worker);
}

static void test_what_is_due(void **state)
{
    static const struct {
        uint8_t proto, state;
        uint16_t flags;
        int32_t told, expires; /* from now */
        bool is_due;
    } cases[] = {
        {TVS_TCP, TVS_S_SYN, 0, 50, 50, false},
        {TVS_TCP, TVS_S_SYN_ACK, TVS_RECORD_TOLD, 0, 50, false},
        {TVS_TCP, TVS_S_ESTABLISHED, 0, 3000, 3000, true}, /* never told */
        {TVS_TCP, TVS_S_RESET, 0, 1, 1, true},
        {TVS_TCP, TVS_S_ESTABLISHED, TVS_RECORD_TOLD, 3000, 3000, false},
        {TVS_TCP, TVS_S_ESTABLISHED, TVS_RECORD_TOLD, 1, 1, false}, /* idle to its end */
        {TVS_TCP, TVS_S_ESTABLISHED, TVS_RECORD_TOLD, 1500, 3000, false},
        {TVS_TCP, TVS_S_ESTABLISHED, TVS_RECORD_TOLD, 1499, 3000, true},
        {TVS_TCP, TVS_S_ESTABLISHED, TVS_RECORD_TOLD, -5, 3000, true},
        {TVS_TCP, TVS_S_CLOSED, TVS_RECORD_TOLD, 3000, 20, false},
        {TVS_UDP, TVS_S_UDP, 0, 100, 100, false}, /* a question */
        {TVS_UDP, TVS_S_UDP, 0, 100, 109, false},
        {TVS_UDP, TVS_S_UDP, 0, 90, 100, true}, /* it goes on */
        {TVS_UDP, TVS_S_UDP, TVS_RECORD_TOLD, 65, 100, false},
        {TVS_UDP, TVS_S_UDP, TVS_RECORD_TOLD, 64, 100, true}, /* soon too late */
        {TVS_UDP, TVS_S_UDP, TVS_RECORD_TOLD, 64, 50, false}, /* the copy lasts longer */
        {TVS_UDP, TVS_S_UDP, TVS_RECORD_TOLD, 70, 150, true}, /* less than half */
    };
    static const uint32_t now[] = {0, 5, 1000, UINT32_MAX - 60, INT32_MAX - 60};
    struct tvs_worker *worker = queue_worker(4);

    (void)state;
    for (size_t n = 0; n < sizeof(now) / sizeof(now[0]); n++)
        for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
            const struct tvs_record record = {.proto = cases[c].proto,
                                              .state = cases[c].state,
                                              .flags = cases[c].flags,
                                              .told_tick = now[n] + (uint32_t)cases[c].told,
                                              .expires_tick = now[n] + (uint32_t)cases[c].expires};

            worker->now_tick = now[n];
            assert_int_equal(tvs_sync_is_due(worker, &record), cases[c].is_due);
        }
    free(worker);
}

/* A copy outlasts three sweeps while its session lives, and ends with it once that is over. */
static void test_copies_last(void **state)
{
    static const struct {
        uint8_t state;
        uint32_t expires, told;
    } cases[] = {
        {TVS_S_ESTABLISHED, 3000, 3000},
        {TVS_S_ESTABLISHED, 20, 90},
        {TVS_S_UDP, 50, 90},
        {TVS_S_UDP, 90, 90},
        {TVS_S_FIN_CLIENT, 30, 30},
        {TVS_S_CLOSED, 20, 20},
        {TVS_S_RESET, 10, 10},
    };
    static const uint32_t now[] = {0, 1000, UINT32_MAX - 50, INT32_MAX - 50};
    struct tvs_worker *worker = queue_worker(4);

    (void)state;
    for (size_t n = 0; n < sizeof(now) / sizeof(now[0]); n++)
        for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
            const struct tvs_record record = {.state = cases[c].state,
                                              .expires_tick = now[n] + cases[c].expires};

            worker->now_tick = now[n];
            assert_int_equal(tvs_sync_told_tick(worker, &record), now[n] + cases[c].told);
        }
    free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sip_vectors),          cmocka_unit_test(test_mac_vectors),
        cmocka_unit_test(test_window_against_a_set), cmocka_unit_test(test_window_is_full),
        cmocka_unit_test(test_backend_index),        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_what_is_due),          cmocka_unit_test(test_copies_last),
    };

    return cmocka_run_group_tests_name("sync_parts", tests, NULL, NULL);
}
