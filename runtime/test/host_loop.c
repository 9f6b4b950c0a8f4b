/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: random timers against a list of what is due, and descriptors that come and go. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/loop.h"

enum { N_TIMERS = 300, SPREAD_MS = 60, CHANGES = 2000 };

static struct tvs_loop *loop;

struct alarm {
    struct tvs_timer timer;
    uint64_t due_ms; /* 0: must not fire */
    unsigned fired;
};
static struct alarm alarms[N_TIMERS];
static uint64_t last_due_ms;

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void fire(void *context)
{
    struct alarm *alarm = context;

    assert_int_not_equal(alarm->due_ms, 0);
    assert_true(now_ms() >= alarm->due_ms);
    assert_true(alarm->due_ms + 1 >= last_due_ms); /* in order, to the clock's millisecond */
    last_due_ms = alarm->due_ms;
    alarm->fired++;
}

static void stop(void *context)
{
    (void)context;
    tvs_loop_stop(loop);
}

static void timers_fire_in_order_and_only_when_set(void **state)
{
    struct tvs_timer end;

    (void)state;
    loop = tvs_loop_new();
    for (unsigned i = 0; i < N_TIMERS; i++)
        tvs_timer_init(&alarms[i].timer, fire, &alarms[i]);
    for (unsigned i = 0; i < CHANGES; i++) {
        struct alarm *alarm = &alarms[random() % N_TIMERS];
        uint32_t delay_ms = (uint32_t)(random() % SPREAD_MS);

        if (random() % 3 == 0) {
            tvs_timer_unset(loop, &alarm->timer);
            alarm->due_ms = 0;
        } else {
            alarm->due_ms = now_ms() + delay_ms;
            assert_int_equal(tvs_timer_set(loop, &alarm->timer, delay_ms, 0), 0);
        }
    }
    tvs_timer_init(&end, stop, NULL);
    assert_int_equal(tvs_timer_set(loop, &end, 2 * SPREAD_MS, 0), 0);
    assert_int_equal(tvs_loop_run(loop), 0);
    for (unsigned i = 0; i < N_TIMERS; i++)
        assert_int_equal(alarms[i].fired, alarms[i].due_ms != 0);
    tvs_loop_free(loop);
}

static unsigned ticks;

static void tick(void *context)
{
    if (++ticks == 5)
        tvs_timer_unset(loop, context); /* its own, from within */
}

static void a_periodic_timer_may_end_itself(void **state)
{
    struct tvs_timer timer, end;

    (void)state;
    ticks = 0;
    loop = tvs_loop_new();
    tvs_timer_init(&timer, tick, &timer);
    tvs_timer_init(&end, stop, NULL);
    assert_int_equal(tvs_timer_set(loop, &timer, 0, 2), 0);
    assert_int_equal(tvs_timer_set(loop, &end, 50, 0), 0);
    assert_int_equal(tvs_loop_run(loop), 0);
    assert_int_equal(ticks, 5);
    assert_int_equal(timer.heap_index, 0);
    tvs_loop_free(loop);
}

static int pair[2];
static unsigned calls[2];

/* Whichever is called first takes the other away and puts a new one under its number. */
static void replace_other(void *context, int fd, uint32_t events)
{
    unsigned self = fd == pair[1];
    int other = pair[!self];

    assert_ptr_equal(context, &pair[self]);
    assert_true(events & EPOLLIN);
    calls[self]++;
    tvs_loop_remove(loop, fd);
    tvs_loop_remove(loop, other);
    close(other);
    assert_int_equal(eventfd(0, EFD_NONBLOCK), other); /* the lowest free number */
    assert_int_equal(tvs_loop_add(loop, other, EPOLLIN, replace_other, &pair[!self]), 0);
}

static void an_event_of_a_closed_descriptor_reaches_nobody(void **state)
{
    struct tvs_timer end;

    (void)state;
    loop = tvs_loop_new();
    for (unsigned i = 0; i < 2; i++) {
        pair[i] = eventfd(1, EFD_NONBLOCK);
        assert_int_equal(tvs_loop_add(loop, pair[i], EPOLLIN, replace_other, &pair[i]), 0);
    }
    assert_int_equal(tvs_loop_add(loop, pair[0], EPOLLIN, replace_other, &pair[0]), -EEXIST);
    tvs_timer_init(&end, stop, NULL);
    assert_int_equal(tvs_timer_set(loop, &end, 20, 0), 0);
    assert_int_equal(tvs_loop_run(loop), 0);
    assert_int_equal(calls[0] + calls[1], 1);
    tvs_loop_remove(loop, 12345); /* never registered */
    assert_int_equal(tvs_loop_change(loop, 12345, EPOLLIN), -ENOENT);
    for (unsigned i = 0; i < 2; i++) {
        tvs_loop_remove(loop, pair[i]);
        close(pair[i]);
    }
    tvs_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_only_when_set),
        cmocka_unit_test(a_periodic_timer_may_end_itself),
        cmocka_unit_test(an_event_of_a_closed_descriptor_reaches_nobody),
    };

    srandom(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
