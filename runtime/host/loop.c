/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct watch {
    tvs_loop_fn fn; /* NULL: the descriptor is not registered */
    void *context;
    uint32_t serial; /* tells a reused descriptor from the one that an event was for */
};

struct tvs_loop {
    int epoll;
    bool running;
    uint32_t serial;
    uint64_t now_ms;
    struct watch *watches; /* by descriptor */
    uint32_t n_watches;
    struct tvs_timer **heap; /* [1..n_timers], earliest first */
    uint32_t n_timers;
    uint32_t heap_room;
};

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct tvs_loop *tvs_loop_new(void)
{
    struct tvs_loop *loop = calloc(1, sizeof *loop);

    if (loop == NULL)
        return NULL;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        free(loop);
        return NULL;
    }
    loop->now_ms = clock_ms();
    return loop;
}

void tvs_loop_free(struct tvs_loop *loop)
{
    if (loop == NULL)
        return;
    close(loop->epoll);
    free(loop->watches);
    free(loop->heap);
    free(loop);
}

static int watches_reserve(struct tvs_loop *loop, uint32_t fd)
{
    uint32_t n = loop->n_watches ? loop->n_watches : 64;
    struct watch *watches;

    if (fd < loop->n_watches)
        return 0;
    while (n <= fd)
        n *= 2;
    watches = realloc(loop->watches, n * sizeof *watches);
    if (watches == NULL)
        return -ENOMEM;
    for (uint32_t i = loop->n_watches; i < n; i++)
        watches[i] = (struct watch){0};
    loop->watches = watches;
    loop->n_watches = n;
    return 0;
}

static struct epoll_event event_of(const struct tvs_loop *loop, int fd, uint32_t events)
{
    return (struct epoll_event){
        .events = events,
        .data.u64 = (uint64_t)loop->watches[fd].serial << 32 | (uint32_t)fd,
    };
}

int tvs_loop_add(struct tvs_loop *loop, int fd, uint32_t events, tvs_loop_fn fn, void *context)
{
    struct epoll_event event;
    int error;

    if (fd < 0)
        return -EBADF;
    error = watches_reserve(loop, (uint32_t)fd);
    if (error < 0)
        return error;
    if (loop->watches[fd].fn != NULL)
        return -EEXIST;
    loop->watches[fd] = (struct watch){.fn = fn, .context = context, .serial = ++loop->serial};
    event = event_of(loop, fd, events);
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        error = -errno;
        loop->watches[fd].fn = NULL;
        return error;
    }
    return 0;
}

int tvs_loop_change(struct tvs_loop *loop, int fd, uint32_t events)
{
    struct epoll_event event;

    if (fd < 0 || (uint32_t)fd >= loop->n_watches || loop->watches[fd].fn == NULL)
        return -ENOENT;
    event = event_of(loop, fd, events);
    return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

void tvs_loop_remove(struct tvs_loop *loop, int fd)
{
    if (fd < 0 || (uint32_t)fd >= loop->n_watches || loop->watches[fd].fn == NULL)
        return;
    loop->watches[fd].fn = NULL;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void heap_place(struct tvs_loop *loop, uint32_t at, struct tvs_timer *timer)
{
    loop->heap[at] = timer;
    timer->heap_index = at;
}

static void heap_settle(struct tvs_loop *loop, uint32_t at, struct tvs_timer *timer)
{
    while (at > 1 && loop->heap[at / 2]->due_ms > timer->due_ms) {
        heap_place(loop, at, loop->heap[at / 2]);
        at /= 2;
    }
    for (uint32_t child = at * 2; child <= loop->n_timers; child = at * 2) {
        if (child < loop->n_timers && loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
            child++;
        if (loop->heap[child]->due_ms >= timer->due_ms)
            break;
        heap_place(loop, at, loop->heap[child]);
        at = child;
    }
    heap_place(loop, at, timer);
}

void tvs_timer_init(struct tvs_timer *timer, tvs_timer_fn fn, void *context)
{
    *timer = (struct tvs_timer){.fn = fn, .context = context};
}

int tvs_timer_set(struct tvs_loop *loop, struct tvs_timer *timer, uint32_t delay_ms,
                  uint32_t period_ms)
{
    if (timer->heap_index == 0) {
        if (loop->n_timers + 1 >= loop->heap_room) {
            uint32_t room = loop->heap_room ? loop->heap_room * 2 : 64;
            struct tvs_timer **heap = realloc(loop->heap, room * sizeof(struct tvs_timer *));

            if (heap == NULL)
                return -ENOMEM;
            loop->heap = heap;
            loop->heap_room = room;
        }
        timer->heap_index = ++loop->n_timers;
    }
    timer->due_ms = clock_ms() + delay_ms;
    timer->period_ms = period_ms;
    heap_settle(loop, timer->heap_index, timer);
    return 0;
}

void tvs_timer_unset(struct tvs_loop *loop, struct tvs_timer *timer)
{
    uint32_t at = timer->heap_index;
    struct tvs_timer *last;

    if (at == 0)
        return;
    timer->heap_index = 0;
    last = loop->heap[loop->n_timers--];
    if (last != timer)
        heap_settle(loop, at, last);
}

uint64_t tvs_loop_now_ms(const struct tvs_loop *loop)
{
    return loop->now_ms;
}

/* Each timer that was due when this turn began runs once; a late periodic one does not catch up. */
static void run_timers(struct tvs_loop *loop)
{
    while (loop->running && loop->n_timers > 0 && loop->heap[1]->due_ms <= loop->now_ms) {
        struct tvs_timer *timer = loop->heap[1];

        if (timer->period_ms == 0) {
            tvs_timer_unset(loop, timer);
        } else {
            timer->due_ms += timer->period_ms;
            if (timer->due_ms <= loop->now_ms)
                timer->due_ms = loop->now_ms + timer->period_ms;
            heap_settle(loop, 1, timer);
        }
        timer->fn(timer->context);
    }
}

static void run_watches(struct tvs_loop *loop, const struct epoll_event *events, int n)
{
    for (int i = 0; i < n && loop->running; i++) {
        uint32_t fd = (uint32_t)events[i].data.u64;
        const struct watch *watch = &loop->watches[fd];

        if (watch->fn != NULL && watch->serial == events[i].data.u64 >> 32)
            watch->fn(watch->context, (int)fd, events[i].events);
    }
}

static int wait_ms(const struct tvs_loop *loop)
{
    uint64_t now = clock_ms();

    if (loop->n_timers == 0)
        return -1;
    if (loop->heap[1]->due_ms <= now)
        return 0;
    return loop->heap[1]->due_ms - now < 60000 ? (int)(loop->heap[1]->due_ms - now) : 60000;
}

int tvs_loop_run(struct tvs_loop *loop)
{
    struct epoll_event events[64];

    loop->running = true;
    while (loop->running) {
        int n = epoll_wait(loop->epoll, events, 64, wait_ms(loop));

        if (n < 0 && errno != EINTR)
            return -errno;
        loop->now_ms = clock_ms();
        run_watches(loop, events, n);
        run_timers(loop);
    }
    return 0;
}

void tvs_loop_stop(struct tvs_loop *loop)
{
    loop->running = false;
}
