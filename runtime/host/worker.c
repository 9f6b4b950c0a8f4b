/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "eal.h"
#include "handover.h"
#include "peers.h"

enum { RETIRE_MS = 10, FLIP_TIMEOUT_MS = 1000, EXCEPTION_BUDGET = 8 * TVS_MAX_BURST };

/*
 * Memory that a worker may still hold. A while after it was unpublished each worker's turn is
 * noted; once it has begun another one, it looked at what is published now. Noted at once, a turn
 * whose number is still in the worker's store buffer could be taken for a later one.
 */
struct retired {
    struct retired *next;
    void (*release)(void *);
    void *memory;
    bool noted;
    uint64_t turns[];
};

struct tvs_workers {
    struct tvs_timer retire_timer;
    struct retired *retired;
};

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t config_of(struct tvs_worker_config *config, const struct tvs_generation *generation,
                        uint16_t index, uint32_t *lip_addr_be)
{
    tvs_worker_config_from(config, generation, index, lip_addr_be);
    /* room for what a later generation may bring */
    config->max_pools = TVS_MAX_POOLS;
    config->max_backends = TVS_MAX_BACKENDS;
    return tvs_worker_bytes(config);
}

uint64_t tvs_workers_bytes(const struct tvs_generation *generation)
{
    uint32_t lips[TVS_MAX_SLOTS];
    struct tvs_worker_config config;
    uint64_t sum = 0;

    for (uint16_t i = 0; i < generation->cores.n_workers; i++) {
        size_t bytes = config_of(&config, generation, i, lips);

        if (bytes == 0)
            return 0;
        sum += bytes;
    }
    return sum + tvs_peers_bytes(generation);
}

/*
 * Servers hold connections of the last run in TIME_WAIT: a daemon that began with the same ports
 * each time would meet them, and they refuse what looks older than what they have seen.
 */
static uint16_t draw_port(const struct tvs_worker_config *config)
{
    uint32_t draw = 0;

    if (getrandom(&draw, sizeof draw, 0) != sizeof draw)
        draw = (uint32_t)rte_rdtsc();
    return (uint16_t)(config->port_first +
                      draw % ((uint32_t)config->port_last - config->port_first + 1));
}

/* Worker 0 sends for those that have no transmit queue of their own on some port. */
static bool needs_relay(const struct tvs_host *host, uint16_t index)
{
    for (uint16_t i = 0; i < host->n_ports; i++)
        if (index >= host->ports[i].n_tx_queues)
            return true;
    return false;
}

static int make_rings(struct tvs_host_worker *worker)
{
    const unsigned flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
    char name[RTE_RING_NAMESIZE];
    bool relay = needs_relay(worker->host, worker->index);

    snprintf(name, sizeof name, "exception-rx-%u", worker->index);
    worker->exception_rx = rte_ring_create(name, TVS_EXCEPTION_RING, worker->socket, flags);
    if (worker->index == 0)
        worker->exception_tx =
            rte_ring_create("exception-tx", TVS_EXCEPTION_RING, worker->socket, flags);
    snprintf(name, sizeof name, "relay-%u", worker->index);
    if (relay)
        worker->relay = rte_ring_create(name, TVS_HANDOVER_RING, worker->socket, flags);
    if (worker->exception_rx == NULL || (worker->index == 0 && worker->exception_tx == NULL) ||
        (relay && worker->relay == NULL)) {
        tvs_error("worker %u: no memory for its rings: %s", worker->index, rte_strerror(rte_errno));
        return -ENOMEM;
    }
    return 0;
}

static int start_one(struct tvs_host *host, uint16_t index, const uint64_t hash_key[2])
{
    struct tvs_host_worker *worker = &host->workers[index];
    uint32_t lips[TVS_MAX_SLOTS];
    struct tvs_worker_config config;
    size_t bytes = config_of(&config, host->bound->generation, index, lips);
    void *memory;

    *worker = (struct tvs_host_worker){.host = host, .index = index, .wake_fd = -1};
    worker->lcore = TVS_LCORE_WORKER + index;
    worker->socket = host->bound->generation->cores.shared
                         ? SOCKET_ID_ANY
                         : (int)rte_lcore_to_socket_id(worker->lcore);
    worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (worker->wake_fd < 0)
        return -errno;
    config.hash_key[0] = hash_key[0];
    config.hash_key[1] = hash_key[1];
    config.port_start = draw_port(&config);
    memory = rte_zmalloc_socket("worker", bytes, TVS_CACHE_LINE, worker->socket);
    worker->inbox =
        rte_zmalloc_socket("inbox", sizeof *worker->inbox, TVS_CACHE_LINE, worker->socket);
    if (memory == NULL || worker->inbox == NULL) {
        tvs_error("worker %u: no %zu MB for its sessions on socket %d", index, bytes >> 20,
                  worker->socket);
        return -ENOMEM;
    }
    worker->core = tvs_worker_init(memory, &config);
    if (worker->core == NULL)
        return -EINVAL;
    for (uint16_t i = 0; i < host->n_ports; i++)
        tvs_worker_station_set(worker->core, i, host->ports[i].mac);
    tvs_worker_stations_check(worker->core);
    return make_rings(worker);
}

/* ---- packets for the kernel ------------------------------------------------------------------ */

/*
 * A worker writes the descriptor only when `armed` is set, and clears it: one system call for each
 * time the control thread has found every ring empty.
 */
static void on_exception(void *context, int fd, uint32_t events)
{
    struct tvs_host *host = context;
    struct rte_mbuf *mbufs[TVS_MAX_BURST];
    unsigned taken = 0;
    eventfd_t count;

    (void)events;
    eventfd_read(fd, &count);
    for (uint16_t i = 0; i < host->n_workers; i++) {
        struct tvs_host_worker *worker = &host->workers[i];
        unsigned n;

        atomic_store_explicit(&worker->exception_armed, 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst);
        do {
            n = rte_ring_sc_dequeue_burst(worker->exception_rx, (void **)mbufs, TVS_MAX_BURST,
                                          NULL);
            if (n > 0)
                tvs_exception_receive(host, mbufs, n);
            taken += n;
        } while (n > 0 && taken < EXCEPTION_BUDGET);
    }
    if (taken >= EXCEPTION_BUDGET)
        eventfd_write(fd, 1); /* others first, then the rest */
}

unsigned tvs_workers_inject(struct tvs_host *host, struct rte_mbuf **mbufs, unsigned n)
{
    struct tvs_host_worker *worker = &host->workers[0];

    n = rte_ring_sp_enqueue_burst(worker->exception_tx, (void *const *)mbufs, n, NULL);
    if (n > 0)
        tvs_worker_wake(worker);
    return n;
}

/* ---- quiescence ------------------------------------------------------------------------------ */

static bool may_go(const struct tvs_host *host, struct retired *retired)
{
    bool noted = retired->noted;
    bool turned = true;

    for (uint16_t i = 0; i < host->n_workers; i++) {
        const struct tvs_host_worker *worker = &host->workers[i];
        uint64_t turns = atomic_load_explicit(&worker->turns, memory_order_acquire);

        if (!worker->launched)
            continue;
        if (!noted)
            retired->turns[i] = turns;
        turned = turned && noted && turns != retired->turns[i];
    }
    retired->noted = true;
    return turned;
}

static void release_retired(void *context)
{
    struct tvs_host *host = context;
    struct retired **at = &host->workers_control->retired;

    while (*at != NULL) {
        struct retired *retired = *at;

        if (!may_go(host, retired)) {
            at = &retired->next;
            continue;
        }
        *at = retired->next;
        retired->release(retired->memory);
        free(retired);
    }
    if (host->workers_control->retired == NULL)
        tvs_timer_unset(host->loop, &host->workers_control->retire_timer);
}

int tvs_workers_retire(struct tvs_host *host, void (*release)(void *), void *memory)
{
    struct tvs_workers *control = host->workers_control;
    struct retired *retired;
    int error;

    if (control == NULL) { /* no worker was ever there to see it */
        release(memory);
        return 0;
    }
    retired = malloc(sizeof *retired + host->n_workers * sizeof retired->turns[0]);
    if (retired == NULL)
        return -ENOMEM;
    retired->release = release;
    retired->memory = memory;
    retired->noted = false;
    error = control->retired != NULL
                ? 0
                : tvs_timer_set(host->loop, &control->retire_timer, RETIRE_MS, RETIRE_MS);
    if (error < 0) {
        free(retired);
        return error;
    }
    retired->next = control->retired;
    control->retired = retired;
    return 0;
}

bool tvs_workers_turning(const struct tvs_host *host)
{
    for (uint16_t i = 0; i < host->n_workers; i++)
        if (atomic_load_explicit(&host->workers[i].turns, memory_order_relaxed) == 0)
            return false;
    return true;
}

int tvs_workers_flip(struct tvs_host *host, const struct tvs_bound *bound)
{
    atomic_store_explicit(&host->published.bound, bound, memory_order_release);
    for (uint16_t i = 0; i < host->n_workers; i++) {
        const struct tvs_host_worker *worker = &host->workers[i];
        unsigned waited_ms = 0;

        tvs_worker_wake(worker);
        while (atomic_load_explicit(&worker->running, memory_order_acquire) != bound) {
            if (++waited_ms > FLIP_TIMEOUT_MS)
                return -ETIMEDOUT;
            rte_delay_us_sleep(1000);
        }
    }
    return 0;
}

/* ---- start and end --------------------------------------------------------------------------- */

int tvs_workers_start(struct tvs_host *host)
{
    uint64_t hash_key[2];
    int error = 0;

    host->n_workers = host->bound->generation->cores.n_workers;
    host->started_tsc = rte_rdtsc();
    host->workers_control = calloc(1, sizeof *host->workers_control);
    host->workers = rte_zmalloc("workers", host->n_workers * sizeof *host->workers, TVS_CACHE_LINE);
    if (host->workers == NULL || host->workers_control == NULL)
        return -ENOMEM;
    tvs_timer_init(&host->workers_control->retire_timer, release_retired, host);
    /* where a session lies in the table must not be for outsiders to choose */
    if (getrandom(hash_key, sizeof hash_key, 0) != sizeof hash_key)
        return -EIO;
    for (uint16_t i = 0; error == 0 && i < host->n_workers; i++)
        error = start_one(host, i, hash_key);
    if (error == 0)
        error = tvs_handover_start(host);
    if (error < 0)
        return error;
    host->exception_fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC); /* 1: arms the workers */
    if (host->exception_fd < 0)
        return -errno;
    return tvs_loop_add(host->loop, host->exception_fd, EPOLLIN, on_exception, host);
}

int tvs_workers_launch(struct tvs_host *host)
{
    for (uint16_t i = 0; i < host->n_workers; i++) {
        struct tvs_host_worker *worker = &host->workers[i];
        int error;

        worker->core->nexthops = host->nexthops;
        worker->core->route = host->route;
        error = rte_eal_remote_launch(tvs_worker_main, worker, worker->lcore);
        if (error < 0) {
            tvs_error("worker %u does not start on lcore %u: %s", i, worker->lcore,
                      rte_strerror(-error));
            return error;
        }
        worker->launched = true;
    }
    return 0;
}

void tvs_workers_join(struct tvs_host *host)
{
    if (host->workers == NULL)
        return;
    atomic_store_explicit(&host->published.stop, true, memory_order_release);
    for (uint16_t i = 0; i < host->n_workers; i++)
        if (host->workers[i].launched)
            tvs_worker_wake(&host->workers[i]);
    for (uint16_t i = 0; i < host->n_workers; i++) {
        if (host->workers[i].launched)
            rte_eal_wait_lcore(host->workers[i].lcore);
        host->workers[i].launched = false;
    }
}

void tvs_workers_stop(struct tvs_host *host)
{
    if (host->workers == NULL || host->workers_control == NULL)
        return;
    for (uint16_t i = 0; i < host->n_workers; i++)
        if (host->workers[i].wake_fd > 0)
            close(host->workers[i].wake_fd);
    /* nobody turns any more: the first look notes, the second releases */
    release_retired(host);
    release_retired(host);
    tvs_timer_unset(host->loop, &host->workers_control->retire_timer);
    if (host->exception_fd > 0) {
        tvs_loop_remove(host->loop, host->exception_fd);
        close(host->exception_fd);
    }
    free(host->workers_control);
    host->workers_control = NULL;
    rte_free(host->workers); /* tables, rings and packets go with the process */
    host->workers = NULL;
    host->n_workers = 0;
}
