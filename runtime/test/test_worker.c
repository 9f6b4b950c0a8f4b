/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's memory: limits, the queue of free ports, the sweep. */
#include <endian.h>

#include "check.h"
#include "core/free_ring.h"
#include "core/session.h"

static const uint32_t lips_be[3] = {0x010010ac, 0x020010ac, 0x030010ac};

static const struct tvs_worker_config good = {.n_slots = 3,
                                              .lip_addr_be = lips_be,
                                              .n_buckets = 64,
                                              .max_sessions = 300,
                                              .port_first = 2000,
                                              .port_last = 2099,
                                              .max_pools = 2,
                                              .max_backends = 4,
                                              .n_workers = 2,
                                              .index = 1};

#define REFUSED(field, value)                                                                      \
    do {                                                                                           \
        struct tvs_worker_config bad = good;                                                       \
        bad.field = value;                                                                         \
        assert_int_equal(tvs_worker_bytes(&bad), 0);                                               \
        assert_null(tvs_worker_init(memory, &bad));                                                \
    } while (0)

static void test_limits(void **state)
{
    void *memory = aligned_alloc(TVS_CACHE_LINE, TVS_CACHE_LINE);

    (void)state;
    assert_non_null(memory);
    assert_true(tvs_worker_bytes(&good) > 0);
    REFUSED(n_slots, 0);
    REFUSED(n_slots, TVS_MAX_SLOTS + 1);
    REFUSED(n_buckets, 0);
    REFUSED(n_buckets, 63);
    REFUSED(port_first, 0);
    REFUSED(port_first, 2100);
    REFUSED(port_start, 2100);
    REFUSED(max_sessions, 0);
    REFUSED(max_backends, TVS_MAX_BACKENDS + 1);
    REFUSED(n_workers, 0);
    REFUSED(n_workers, TVS_MAX_WORKERS + 1);
    REFUSED(index, 2);
    free(memory);
}

static void test_memory_must_be_aligned(void **state)
{
    size_t bytes = tvs_worker_bytes(&good);
    uint8_t *memory = aligned_alloc(TVS_CACHE_LINE, bytes + TVS_CACHE_LINE);

    (void)state;
    assert_non_null(memory);
    assert_null(tvs_worker_init(memory + 8, &good));
    free(memory);
}

/* Tables lie apart and inside: writing all of each changes no other. */
static void test_tables_do_not_overlap(void **state)
{
    struct tvs_worker *worker = worker_make(&good);
    uint32_t n_records = good.n_slots << 16;

    (void)state;
    memset(worker->records, 0xff, n_records * sizeof(*worker->records));
    memset(worker->buckets, 0x11, (worker->bucket_mask + 1) * sizeof(*worker->buckets));
    memset(worker->backend_active, 0x22, good.max_backends * sizeof(uint32_t));
    memset(worker->backend_opened, 0x33, good.max_backends * sizeof(uint64_t));
    memset(worker->ring_pos, 0x44, good.max_pools * sizeof(uint32_t));
    assert_int_equal(tvs_free_count(&worker->free), 300);
    assert_int_equal(tvs_free_peek(&worker->free, 0), 2000);
    assert_int_equal(tvs_free_peek(&worker->free, 299), 2 << 16 | 2099);
    assert_int_equal(worker->records[n_records - 1].proto, 0xff);
    assert_int_equal(worker->buckets[0].overflow, 0x11111111);
    assert_int_equal(worker->backend_active[3], 0x22222222);
    assert_int_equal(worker->lip_addr_be[2], lips_be[2]);
    free(worker);
}

/* All local IPs in turn, every port once, port 0 and whatever the site reserves never. */
static void test_ports_are_interleaved(void **state)
{
    struct tvs_worker *worker = worker_make(&good);

    (void)state;
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(tvs_free_take(&worker->free), (i % 3) << 16 | (2000 + i / 3));
    assert_int_equal(tvs_free_count(&worker->free), 0);
    free(worker);
}

/* Against an array that shifts: the one that was put back first is taken first. */
static void test_oldest_first(void **state)
{
    struct tvs_worker *worker = worker_make(&good);
    uint32_t queue[300], held[300], n_queue = 300, n_held = 0;
    uint64_t chance = 5;

    (void)state;
    worker->free.head = UINT32_MAX - 1000; /* the positions wrap on the way */
    worker->free.tail = UINT32_MAX - 1000;
    for (uint32_t i = 0; i < 300; i++) {
        queue[i] = i + 1;
        tvs_free_put(&worker->free, i + 1);
    }
    for (uint32_t step = 0; step < 20000; step++) {
        if (n_queue > 0 && (n_held == 0 || random_below(&chance, 2))) {
            held[n_held++] = queue[0];
            assert_int_equal(tvs_free_peek(&worker->free, 0), queue[0]);
            assert_int_equal(tvs_free_take(&worker->free), queue[0]);
            memmove(queue, queue + 1, --n_queue * sizeof(queue[0]));
        } else {
            uint32_t which = random_below(&chance, n_held);

            tvs_free_put(&worker->free, held[which]);
            queue[n_queue++] = held[which];
            held[which] = held[--n_held];
        }
        assert_int_equal(tvs_free_count(&worker->free), n_queue);
    }
    free(worker);
}

/*
 * Ports leave the ring at its head and, of sessions that peers tell of, from its middle: against an
 * array in which the oldest takes the place of what is removed.
 */
static void test_removed_from_the_middle(void **state)
{
    static const uint16_t starts[] = {0, 2000, 2001, 2050, 2099};

    (void)state;
    for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
        struct tvs_worker_config config = good;
        uint32_t queue[200], held[200], n_queue = 200, n_held = 0;
        struct tvs_worker *worker;
        uint64_t chance = s;

        config.port_start = starts[s];
        config.n_own_slots = 2; /* the third is a peer's */
        worker = worker_make(&config);
        assert_int_equal(tvs_free_count(&worker->free), n_queue);
        for (uint32_t i = 0; i < n_queue; i++)
            queue[i] = tvs_free_peek(&worker->free, i);
        assert_int_equal(queue[0], starts[s] != 0 ? starts[s] : 2000);
        for (uint32_t step = 0; step < 40000; step++) {
            uint32_t what = random_below(&chance, 4);
            bool is_filling = step / 1000 % 2; /* so that it is nearly empty at times */

            if (n_held > 0 && (n_queue == 0 || (is_filling ? what > 0 : what == 0))) {
                uint32_t which = random_below(&chance, n_held);

                worker->records[held[which]].free_at = tvs_free_put(&worker->free, held[which]);
                queue[n_queue++] = held[which];
                held[which] = held[--n_held];
            } else if (what == 1) {
                held[n_held] = tvs_free_take(&worker->free);
                assert_int_equal(held[n_held++], queue[0]);
                memmove(queue, queue + 1, --n_queue * sizeof(queue[0]));
            } else {
                uint32_t which = random_below(&chance, n_queue);

                tvs_free_remove(worker, queue[which]);
                held[n_held++] = queue[which];
                queue[which] = queue[0];
                memmove(queue, queue + 1, --n_queue * sizeof(queue[0]));
            }
            assert_int_equal(tvs_free_count(&worker->free), n_queue);
            for (uint32_t i = 0; i < n_queue; i += 1 + step % 7)
                assert_int_equal(tvs_free_peek(&worker->free, i), queue[i]);
        }
        free(worker);
    }
}

static struct tvs_record *session(struct tvs_worker *worker, uint32_t number, uint32_t expires)
{
    struct tvs_record *record = &worker->records[number];

    record->in = (struct tvs_tuple){.saddr_be = number};
    record->proto = TVS_UDP;
    record->state = TVS_S_UDP;
    record->expires_tick = expires;
    record->hash = number * 2654435761u;
    assert_true(tvs_table_insert(worker, record->hash, number));
    worker->n_sessions++;
    worker->backend_active[0]++;
    return record;
}

static void test_sweep_frees_what_is_late(void **state)
{
    static const uint32_t starts[] = {0, 1000, UINT32_MAX - 50, INT32_MAX - 50};

    (void)state;
    for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
        struct tvs_worker *worker = worker_make(&good);
        uint32_t n_records = good.n_slots << 16;

        while (tvs_free_count(&worker->free))
            tvs_free_take(&worker->free);
        for (uint32_t i = 0; i < 100; i++)
            session(worker, i * 1900 + 1, starts[s] + i);
        for (uint32_t after = 0; after < 100; after += 7) {
            worker->now_tick = starts[s] + after;
            tvs_worker_sweep(worker, UINT32_MAX);
            assert_int_equal(worker->n_sessions, 99 - after);
            assert_int_equal(worker->sweep_cursor, 0);
        }
        worker->now_tick = starts[s] + 99;
        assert_int_equal(tvs_worker_sweep(worker, n_records), 1);
        assert_int_equal(worker->counters.sessions_expired, 100);
        assert_int_equal(worker->backend_active[0], 0);
        assert_int_equal(tvs_free_count(&worker->free), 100);
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(tvs_free_take(&worker->free), i * 1900 + 1);
        for (uint32_t b = 0; b <= worker->bucket_mask; b++) {
            for (int slot = 0; slot < TVS_BUCKET_SLOTS; slot++)
                assert_int_equal(worker->buckets[b].sig[slot], 0);
        }
        free(worker);
    }
}

/* A bounded sweep goes on where it stopped, and sees every record once per period. */
static void test_sweep_is_bounded(void **state)
{
    struct tvs_worker *worker = worker_make(&good);
    uint32_t last = (good.n_slots << 16) - 1, freed = 0;
    uint32_t budget = tvs_worker_sweep_budget(worker, 10);

    (void)state;
    session(worker, 1, 5);
    session(worker, last, 5);
    worker->now_tick = 5;
    assert_int_equal(tvs_worker_sweep(worker, 2), 1);
    assert_int_equal(tvs_worker_sweep(worker, 1000), 0);
    assert_int_equal(worker->sweep_cursor, 1002);
    for (int tick = 0; tick < 10; tick++)
        freed += tvs_worker_sweep(worker, budget);
    assert_int_equal(freed, 1);
    assert_int_equal(tvs_worker_sweep(worker, 0), 0);
    assert_true(tvs_worker_sweep_budget(worker, 0) > last);
    free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory_must_be_aligned),
        cmocka_unit_test(test_tables_do_not_overlap),
        cmocka_unit_test(test_ports_are_interleaved),
        cmocka_unit_test(test_oldest_first),
        cmocka_unit_test(test_removed_from_the_middle),
        cmocka_unit_test(test_sweep_frees_what_is_late),
        cmocka_unit_test(test_sweep_is_bounded),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
