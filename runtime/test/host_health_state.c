/* SPDX-License-Identifier: Apache-2.0 */
/* Rise, fall and the time between checks, by simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host/health_state.h"

static void first_result_decides(void **state)
{
    const struct tvs_health_rule rule = {.every_ms = 1000, .timeout_ms = 500, .rise = 3, .fall = 3};
    struct tvs_health_state good = {0}, bad = {0};

    (void)state;
    assert_true(tvs_health_result(&good, &rule, true));
    assert_true(good.up);
    assert_true(tvs_health_result(&bad, &rule, false));
    assert_false(bad.up);
}

/* Against the plain reading: the last `rise` or `fall` results all contradict the verdict. */
static void rise_and_fall_agree_with_the_history(void **state)
{
    (void)state;
    srandom(2);
    for (unsigned round = 0; round < 200; round++) {
        struct tvs_health_rule rule = {.every_ms = 1000,
                                       .timeout_ms = 500,
                                       .rise = 1 + (uint32_t)(random() % 4),
                                       .fall = 1 + (uint32_t)(random() % 4)};
        struct tvs_health_state health = {0};
        bool up = false, history[300];
        unsigned since = 0; /* first result after the last change */

        for (unsigned i = 0; i < 300; i++) {
            uint32_t needed = up ? rule.fall : rule.rise, run = 0;
            bool changed;

            history[i] = random() % 3 != 0;
            changed = tvs_health_result(&health, &rule, history[i]);
            for (unsigned k = i + 1; k-- > since && history[k] != up;)
                run++;
            if (i == 0) {
                up = history[0];
                since = 1;
                assert_true(changed);
            } else if (run >= needed) {
                up = !up;
                since = i + 1;
                assert_true(changed);
            } else {
                assert_false(changed);
            }
            assert_int_equal(health.up, up);
        }
    }
}

/* Time from a server's death, right after a good check, to the verdict. */
static uint64_t detection_ms(const struct tvs_health_rule *rule, uint32_t answer_ms)
{
    struct tvs_health_state health = {0};
    uint64_t start = 0;

    tvs_health_result(&health, rule, true);
    do
        start += tvs_health_gap_ms(&health, rule);
    while (!tvs_health_result(&health, rule, false));
    return start + answer_ms;
}

static void dead_within_fall_times_every(void **state)
{
    (void)state;
    for (uint32_t every = 200; every <= 5000; every += 100)
        for (uint32_t timeout = 100; timeout <= every; timeout += 100)
            for (uint32_t fall = 1; fall <= 6; fall++) {
                const struct tvs_health_rule rule = {
                    .every_ms = every, .timeout_ms = timeout, .rise = 1, .fall = fall};

                assert_true(detection_ms(&rule, 0) <= fall * every);
                /* silent servers too, where `fall` timeouts fit behind the first interval */
                if (every + fall * timeout <= fall * every)
                    assert_true(detection_ms(&rule, timeout) <= fall * every);
                assert_true(detection_ms(&rule, timeout) <= fall * every + timeout);
            }
}

static void calm_checks_keep_their_interval(void **state)
{
    const struct tvs_health_rule rule = {.every_ms = 2000, .timeout_ms = 500, .rise = 2, .fall = 3};
    struct tvs_health_state health = {0};

    (void)state;
    assert_int_equal(tvs_health_gap_ms(&health, &rule), 2000);
    tvs_health_result(&health, &rule, false);
    tvs_health_result(&health, &rule, true);
    assert_int_equal(tvs_health_gap_ms(&health, &rule), 2000);
    tvs_health_result(&health, &rule, true);
    assert_int_equal(tvs_health_gap_ms(&health, &rule), 2000);
    tvs_health_result(&health, &rule, false);
    assert_true(tvs_health_gap_ms(&health, &rule) < 2000);
    assert_true(tvs_health_gap_ms(&health, &rule) >= 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_result_decides),
        cmocka_unit_test(rise_and_fall_agree_with_the_history),
        cmocka_unit_test(dead_within_fall_times_every),
        cmocka_unit_test(calm_checks_keep_their_interval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
