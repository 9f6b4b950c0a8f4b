/* SPDX-License-Identifier: Apache-2.0 */
/* The forward table against a plain array: the same keys in, the same keys found, at every load. */
#include "check.h"
#include "core/table.h"

enum { N_KEYS = 4096 };

struct naive {
    struct tvs_key key;
    uint32_t hash;
    uint32_t number; /* 0: not in the table */
};

struct pair {
    struct tvs_worker *worker;
    struct naive naive[N_KEYS];
    uint32_t n_live;
    uint64_t chance;
};

/* `hash_bits` few: keys share signatures and buckets, as an attacker would wish. */
static void pair_make(struct pair *pair, uint32_t n_buckets, uint32_t hash_mask)
{
    static const uint32_t lip_be = 0x010010ac;
    const struct tvs_worker_config config = {.n_slots = 1,
                                             .lip_addr_be = &lip_be,
                                             .n_buckets = n_buckets,
                                             .max_sessions = N_KEYS,
                                             .port_first = 1,
                                             .port_last = 65535,
                                             .max_pools = 1,
                                             .max_backends = 1,
                                             .n_workers = 1};

    memset(pair, 0, sizeof(*pair));
    pair->worker = worker_make(&config);
    pair->chance = n_buckets + hash_mask;
    for (uint32_t i = 0; i < N_KEYS; i++) {
        struct naive *one = &pair->naive[i];

        one->key = (struct tvs_key){
            .tuple = {.saddr_be = i * 7919, .daddr_be = 1, .sport_be = (uint16_t)i, .dport_be = 80},
            .proto = i % 2 ? TVS_TCP : TVS_UDP,
        };
        one->hash = (uint32_t)random_next(&pair->chance) & hash_mask;
    }
}

/* The record of key i: numbers are spread so that a slot mistaken for a number shows. */
static uint32_t number_of(uint32_t i)
{
    return i * 13 + 1;
}

static bool pair_insert(struct pair *pair, uint32_t i)
{
    struct naive *one = &pair->naive[i];
    struct tvs_record *record = &pair->worker->records[number_of(i)];

    memcpy(&record->in, &one->key.tuple, sizeof(record->in));
    record->proto = one->key.proto;
    record->state = TVS_S_UDP;
    record->service = (uint16_t)random_next(&pair->chance); /* beside the key, not part of it */
    record->hash = one->hash;
    if (!tvs_table_insert(pair->worker, one->hash, number_of(i)))
        return false;
    one->number = number_of(i);
    pair->n_live++;
    return true;
}

static void pair_remove(struct pair *pair, uint32_t i)
{
    struct naive *one = &pair->naive[i];

    assert_true(tvs_table_remove(pair->worker, one->hash, one->number));
    pair->worker->records[one->number].state = TVS_S_FREE;
    one->number = 0;
    pair->n_live--;
}

static void pair_compare(const struct pair *pair)
{
    uint32_t entries = 0, overflows = 0, moved = 0;

    for (uint32_t i = 0; i < N_KEYS; i++) {
        const struct naive *one = &pair->naive[i];
        uint32_t found = tvs_table_find(pair->worker, one->hash, &one->key);

        assert_int_equal(found, one->number ? one->number : TVS_NO_RECORD);
    }
    for (uint32_t b = 0; b <= pair->worker->bucket_mask; b++) {
        const struct tvs_bucket *bucket = &pair->worker->buckets[b];

        overflows += bucket->overflow;
        for (int s = 0; s < TVS_BUCKET_SLOTS; s++) {
            if (!bucket->sig[s])
                continue;
            entries++;
            moved +=
                tvs_table_first(pair->worker, pair->worker->records[bucket->record[s]].hash) != b;
        }
    }
    assert_int_equal(entries, pair->n_live);
    assert_int_equal(overflows, moved);
}

static void random_life(uint32_t n_buckets, uint32_t hash_mask, uint32_t limit)
{
    static struct pair pair;

    pair_make(&pair, n_buckets, hash_mask);
    for (uint32_t step = 0; step < 40000; step++) {
        uint32_t i = random_below(&pair.chance, N_KEYS);

        if (pair.naive[i].number)
            pair_remove(&pair, i);
        else if (pair.n_live < limit)
            pair_insert(&pair, i);
        if (step % 4000 == 0)
            pair_compare(&pair);
    }
    pair_compare(&pair);
    for (uint32_t i = 0; i < N_KEYS; i++) {
        if (pair.naive[i].number)
            pair_remove(&pair, i);
    }
    pair_compare(&pair);
    free(pair.worker);
}

static void test_sparse(void **state)
{
    (void)state;
    random_life(1024, UINT32_MAX, N_KEYS);
}

static void test_crowded(void **state)
{
    (void)state;
    random_life(256, UINT32_MAX, 1800);
}

static void test_more_than_fits(void **state)
{
    (void)state;
    random_life(64, UINT32_MAX, N_KEYS);
    random_life(2, UINT32_MAX, N_KEYS);
}

static void test_equal_signatures(void **state)
{
    (void)state;
    random_life(256, 0x000000ff, 1000); /* one signature, and the one that stands for 0 */
    random_life(256, 0x00030003, 64);
}

/* Sixteen keys of one hash fill both its buckets; the next finds no place and leaves no trace. */
static void test_full(void **state)
{
    static struct pair pair;

    (void)state;
    pair_make(&pair, 256, 0);
    for (uint32_t i = 0; i < 2 * TVS_BUCKET_SLOTS; i++)
        assert_true(pair_insert(&pair, i));
    assert_false(pair_insert(&pair, 100));
    pair_compare(&pair);
    pair_remove(&pair, 3);
    assert_true(pair_insert(&pair, 100));
    pair_compare(&pair);
    free(pair.worker);
}

/* How the compiler sizes tables: at half load no new session is refused. */
static void test_half_load_always_fits(void **state)
{
    static struct pair pair;

    (void)state;
    pair_make(&pair, 1024, UINT32_MAX);
    for (uint32_t i = 0; i < N_KEYS; i++)
        assert_true(pair_insert(&pair, i));
    pair_compare(&pair);
    free(pair.worker);
}

static void test_removing_the_absent(void **state)
{
    static struct pair pair;

    (void)state;
    pair_make(&pair, 16, UINT32_MAX);
    assert_true(pair_insert(&pair, 1));
    assert_false(tvs_table_remove(pair.worker, pair.naive[2].hash, number_of(2)));
    assert_false(tvs_table_remove(pair.worker, pair.naive[1].hash, number_of(2)));
    pair_compare(&pair);
    free(pair.worker);
}

/* Any single bit of the key changes which key it is, and nearly always the hash. */
static void test_every_bit_is_key(void **state)
{
    const uint64_t secret[2] = {1234567, 7654321};
    struct tvs_key key = {.tuple = {1, 2, 3, 4}, .proto = TVS_TCP};
    struct tvs_record record = {.in = key.tuple, .proto = key.proto};
    uint32_t same = 0;

    (void)state;
    record.service = 0xffff;
    record.state = TVS_S_UDP;
    assert_true(tvs_key_matches(&key, &record));
    for (unsigned bit = 0; bit < 13 * 8; bit++) {
        struct tvs_key other = key;

        ((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(tvs_key_matches(&other, &record));
        same += tvs_key_hash(&other, secret) == tvs_key_hash(&key, secret);
    }
    assert_int_equal(same, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_more_than_fits),
        cmocka_unit_test(test_equal_signatures),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_half_load_always_fits),
        cmocka_unit_test(test_removing_the_absent),
        cmocka_unit_test(test_every_bit_is_key),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
