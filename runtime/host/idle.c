/* SPDX-License-Identifier: Apache-2.0 */
#include "idle.h"

#include <errno.h>
#include <sys/epoll.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "worker.h"

/*
 * Turns without a packet before sleep. To look into a card's ring costs nothing, and sleep costs an
 * interrupt; to look into a virtual device costs a system call, and others want the core.
 */
enum { EMPTY_TURNS_CARD = 256, EMPTY_TURNS_VIRTUAL = 4 };

enum { MAX_EVENTS = TVS_MAX_PORTS + 1 };

/*
 * The worker is the only one to use its thread's epoll set; the descriptors come from the driver.
 */
void tvs_idle_start(struct tvs_idle_state *idle, struct tvs_host_worker *worker)
{
    const struct tvs_host *host = worker->host;

    *idle = (struct tvs_idle_state){
        .worker = worker,
        .wake = {.epdata = {.event = EPOLLIN}},
        .cycles_per_ms = rte_get_tsc_hz() / 1000,
    };
    idle->wake.epdata.data = idle;
    idle->patience = EMPTY_TURNS_CARD;
    rte_epoll_ctl(RTE_EPOLL_PER_THREAD, EPOLL_CTL_ADD, worker->wake_fd, &idle->wake);
    for (uint16_t i = 0; i < host->n_ports; i++) {
        const struct tvs_host_port *port = &host->ports[i];

        if (port->config->is_vdev)
            idle->patience = EMPTY_TURNS_VIRTUAL;
        if (worker->index >= port->n_rx_queues)
            continue;
        if (port->rx_interrupts &&
            rte_eth_dev_rx_intr_ctl_q(port->dpdk_id, worker->index, RTE_EPOLL_PER_THREAD,
                                      RTE_INTR_EVENT_ADD, NULL) == 0)
            continue;
        if (worker->index == 0)
            tvs_warning("port %s: driver %s has no receive interrupts: idle workers look every "
                        "millisecond",
                        port->config->name, port->driver);
        idle->polls = true;
    }
}

void tvs_idle_stop(struct tvs_idle_state *idle)
{
    struct tvs_host_worker *worker = idle->worker;

    tvs_idle_disarm(idle);
    rte_epoll_ctl(RTE_EPOLL_PER_THREAD, EPOLL_CTL_DEL, worker->wake_fd, &idle->wake);
}

/* A driver whose descriptor is always live (TAP) has no switch, and needs none. */
static void switch_interrupts(const struct tvs_idle_state *idle, bool on)
{
    const struct tvs_host *host = idle->worker->host;
    uint16_t queue = idle->worker->index;

    for (uint16_t i = 0; i < host->n_ports; i++) {
        if (queue >= host->ports[i].n_rx_queues)
            continue;
        if (on)
            rte_eth_dev_rx_intr_enable(host->ports[i].dpdk_id, queue);
        else
            rte_eth_dev_rx_intr_disable(host->ports[i].dpdk_id, queue);
    }
}

/* Whoever gives work from now on sees `asleep`; what was given before, the next turn finds. */
static void arm(struct tvs_idle_state *idle)
{
    idle->armed = true;
    atomic_store_explicit(&idle->worker->asleep, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    switch_interrupts(idle, true);
}

void tvs_idle_disarm(struct tvs_idle_state *idle)
{
    idle->armed = false;
    atomic_store_explicit(&idle->worker->asleep, 0, memory_order_relaxed);
    switch_interrupts(idle, false);
}

static void sleep_until(struct tvs_idle_state *idle, uint64_t until_tsc)
{
    struct rte_epoll_event events[MAX_EVENTS];
    uint64_t now = rte_rdtsc();
    int timeout_ms = now >= until_tsc ? 0 : (int)((until_tsc - now) / idle->cycles_per_ms) + 1;
    int n;

    if (idle->polls)
        timeout_ms = 1;
    idle->worker->counters.sleeps++;
    n = rte_epoll_wait_interruptible(RTE_EPOLL_PER_THREAD, events, MAX_EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        eventfd_t count;

        if (events[i].epdata.data == idle)
            eventfd_read(idle->worker->wake_fd, &count);
    }
}

void tvs_idle_empty(struct tvs_idle_state *idle, uint64_t until_tsc)
{
    if (++idle->empty_turns < idle->patience)
        return;
    if (!idle->armed) {
        arm(idle);
        return; /* one more turn: it finds what came before the interrupts were on */
    }
    sleep_until(idle, until_tsc);
    tvs_idle_disarm(idle);
    /* a short look before the next sleep: what woke it seldom comes alone */
    idle->empty_turns = idle->patience / 2;
}
