/* SPDX-License-Identifier: Apache-2.0 */
/* Listing a worker's sessions: every one once, within the budget, also by resuming. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/sessions.h"
#include "tvs/worker.h"

enum { SLOTS = 3, FIRST = 1000, LAST = 3000 };

static void each_session_once(void **state)
{
    struct tvs_worker *worker = aligned_alloc(TVS_CACHE_LINE, sizeof(*worker));
    struct tvs_record *records = aligned_alloc(TVS_CACHE_LINE, (SLOTS << 16) * sizeof(*records));
    uint32_t number = 0, budget, found = 0, expected = 0, turns = 0;
    struct tvs_record copy;

    (void)state;
    memset(worker, 0, sizeof(*worker));
    memset(records, 0, (SLOTS << 16) * sizeof(*records));
    worker->n_slots = SLOTS;
    worker->records = records;
    srandom(4);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        for (uint32_t port = FIRST; port <= LAST; port++)
            if (random() % 7 == 0 || port == FIRST || port == LAST) {
                records[slot << 16 | port].state = TVS_S_ESTABLISHED;
                records[slot << 16 | port].backend = slot << 16 | port;
                expected++;
            }
    records[FIRST - 1].state = TVS_S_UDP; /* outside the range: nobody's */

    do {
        uint32_t before = number;

        budget = 100;
        while (tvs_sessions_next(worker, FIRST, LAST, &number, &budget, &copy)) {
            assert_int_equal(copy.backend, number - 1);
            assert_true(number > before);
            found++;
        }
        turns++;
    } while (number < SLOTS << 16);
    assert_int_equal(found, expected);
    assert_true(turns > 50);
    free(records);
    free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_session_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
