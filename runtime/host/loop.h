/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread's event loop: file descriptors by epoll and timers by a heap. Everything that
 * is not a worker runs in it, one callback at a time, so nothing in the control plane takes a lock.
 * A callback may add, change and remove any descriptor or timer, its own included.
 */
#ifndef TVS_LOOP_H
#define TVS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct tvs_loop;

/* `events` are epoll's: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP. */
typedef void (*tvs_loop_fn)(void *context, int fd, uint32_t events);
typedef void (*tvs_timer_fn)(void *context);

/* Lives in the owner's memory; set once by tvs_timer_init(), unset before that memory is freed. */
struct tvs_timer {
    tvs_timer_fn fn;
    void *context;
    uint64_t due_ms;
    uint32_t period_ms;  /* 0: once */
    uint32_t heap_index; /* 0: not running */
};

struct tvs_loop *tvs_loop_new(void);
void tvs_loop_free(struct tvs_loop *loop);

/*
 * Level triggered. Negative errno: -EEXIST when `fd` is registered already, -ENOMEM, epoll's own.
 */
int tvs_loop_add(struct tvs_loop *loop, int fd, uint32_t events, tvs_loop_fn fn, void *context);
int tvs_loop_change(struct tvs_loop *loop, int fd, uint32_t events);
/* Before close(fd). Harmless for a descriptor that is not registered. */
void tvs_loop_remove(struct tvs_loop *loop, int fd);

void tvs_timer_init(struct tvs_timer *timer, tvs_timer_fn fn, void *context);
/* First after `delay_ms`, then each `period_ms` (0: once). A running timer is set anew. -ENOMEM. */
int tvs_timer_set(struct tvs_loop *loop, struct tvs_timer *timer, uint32_t delay_ms,
                  uint32_t period_ms);
void tvs_timer_unset(struct tvs_loop *loop, struct tvs_timer *timer);

/* Monotonic; taken once per turn of the loop. */
uint64_t tvs_loop_now_ms(const struct tvs_loop *loop);

/* Until tvs_loop_stop(). Returns 0 or negative errno of epoll. */
int tvs_loop_run(struct tvs_loop *loop);
void tvs_loop_stop(struct tvs_loop *loop);

#endif
