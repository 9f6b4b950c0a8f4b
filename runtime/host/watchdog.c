/* SPDX-License-Identifier: Apache-2.0 */
#include "watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Looks, not time, are counted: after the machine or the process was stopped the clock has jumped,
 * but only one look has gone by.
 */
enum {
    LOOKS = 4,                     /* at least */
    LOOK_MIN_MS = 2 * TVS_TICK_MS, /* an idle worker turns once per tick */
    LOOK_MAX_MS = 1000,
    CONTROL_LOOKS = 20,
    CONTROL_LOOK_MS = 500,
};

struct tvs_watchdog {
    struct tvs_host *host;
    struct tvs_timer timer;
    uint32_t looks; /* without a turn that end it */
    struct {
        uint64_t turns;
        unsigned looks; /* in a row without a turn */
    } seen[TVS_MAX_WORKERS];

    /* the control thread itself is watched by a thread that does nothing else */
    _Atomic uint64_t control_turns;
    pthread_t thread;
    bool thread_runs;
};

static void look(void *context)
{
    struct tvs_watchdog *watchdog = context;
    struct tvs_host *host = watchdog->host;

    atomic_fetch_add_explicit(&watchdog->control_turns, 1, memory_order_relaxed);
    for (uint16_t i = 0; i < host->n_workers; i++) {
        uint64_t turns = atomic_load_explicit(&host->workers[i].turns, memory_order_relaxed);

        if (turns != watchdog->seen[i].turns) {
            watchdog->seen[i].turns = turns;
            watchdog->seen[i].looks = 0;
            continue;
        }
        if (++watchdog->seen[i].looks <= watchdog->looks)
            continue;
        tvs_exception_withdraw(host);
        tvs_error("worker %u has not turned for %u ms: routes withdrawn, ending", i,
                  host->bound->generation->watchdog_ms);
        abort();
    }
}

static void *watch_control(void *context)
{
    struct tvs_watchdog *watchdog = context;
    uint64_t seen = 0;
    unsigned looks = 0;

    for (;;) {
        uint64_t turns;

        usleep(CONTROL_LOOK_MS * 1000); /* tvs_watchdog_stop() cancels it here */
        turns = atomic_load_explicit(&watchdog->control_turns, memory_order_relaxed);
        looks = turns == seen ? looks + 1 : 0;
        seen = turns;
        if (looks <= CONTROL_LOOKS)
            continue;
        /* its state is unknown: the end of the process takes the TAP and its routes away */
        tvs_error("the control thread has not turned for %u ms: ending",
                  CONTROL_LOOKS * CONTROL_LOOK_MS);
        abort();
    }
}

int tvs_watchdog_start(struct tvs_host *host)
{
    struct tvs_watchdog *watchdog = calloc(1, sizeof *watchdog);
    uint32_t limit_ms = host->bound->generation->watchdog_ms;
    uint32_t period_ms = limit_ms / LOOKS;
    int error;

    if (watchdog == NULL)
        return -ENOMEM;
    host->watchdog = watchdog;
    watchdog->host = host;
    if (period_ms < LOOK_MIN_MS)
        period_ms = LOOK_MIN_MS;
    if (period_ms > LOOK_MAX_MS)
        period_ms = LOOK_MAX_MS;
    watchdog->looks = limit_ms / period_ms > LOOKS ? limit_ms / period_ms : LOOKS;
    tvs_timer_init(&watchdog->timer, look, watchdog);
    error = tvs_timer_set(host->loop, &watchdog->timer, period_ms, period_ms);
    if (error < 0)
        return error;
    error = pthread_create(&watchdog->thread, NULL, watch_control, watchdog);
    watchdog->thread_runs = error == 0;
    return -error;
}

void tvs_watchdog_stop(struct tvs_host *host)
{
    struct tvs_watchdog *watchdog = host->watchdog;

    if (watchdog == NULL)
        return;
    tvs_timer_unset(host->loop, &watchdog->timer);
    if (watchdog->thread_runs) {
        pthread_cancel(watchdog->thread);
        pthread_join(watchdog->thread, NULL);
    }
    free(watchdog);
    host->watchdog = NULL;
}
