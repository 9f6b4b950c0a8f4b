/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does all day. A turn: see what control published, receive a burst from each port,
 * take what other workers and the kernel gave, run the packet path, send; then housekeeping,
 * bounded. No lock, no atomic read-modify-write, and on the busy path no system call.
 *
 * The idle policy is a constant parameter of the loop: the busy one has no trace of sleeping.
 */
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "core/sync.h"
#include "handover.h"
#include "idle.h"
#include "mbuf.h"
#include "port_vlan.h"
#include "worker.h"

struct turn {
    struct tvs_host_worker *self;
    struct tvs_worker *core;
    const struct tvs_host *host;
    const struct tvs_bound *bound;
    void (*burst)(struct tvs_worker *worker, struct tvs_frame *frames, unsigned n);
    uint16_t n_ports;
    uint16_t n_workers;
    uint16_t queue;
    uint16_t dpdk_id[TVS_MAX_PORTS];
    bool receives[TVS_MAX_PORTS]; /* has a queue for this worker */
    bool sends[TVS_MAX_PORTS];    /* likewise; else worker 0 does it */
    bool tagged[TVS_MAX_PORTS];   /* has a VLAN */
    bool relays;                  /* is worker 0, and sends for others */
    uint64_t woken;               /* workers to wake after the burst, by bit */
    struct tvs_clock clock;
    struct tvs_pace pace;  /* of the sweep */
    bool behind;           /* with the sweep or with sync */
    struct tvs_sync *sync; /* NULL: none */
    struct tvs_sync_io sync_io;
    struct rte_mbuf *sync_mbuf; /* a message of ours that is being written */
    uint64_t turns;
};

void tvs_clock_start(struct tvs_clock *clock, const struct tvs_host *host)
{
    clock->tick_cycles = rte_get_tsc_hz() * TVS_TICK_MS / 1000;
    clock->next_tsc = host->started_tsc + clock->tick_cycles;
    clock->tick = 1;
}

/* True when a tick has begun. After a long stop of the machine it catches up at once. */
TVS_INLINE bool clock_advance(struct tvs_clock *clock, uint64_t now)
{
    if (TVS_LIKELY(now < clock->next_tsc))
        return false;
    do {
        clock->tick++;
        clock->next_tsc += clock->tick_cycles;
    } while (now >= clock->next_tsc);
    return true;
}

TVS_INLINE void lose(struct turn *turn, struct rte_mbuf **mbufs, unsigned n,
                     enum tvs_host_drop reason)
{
    turn->self->counters.drops[reason] += n;
    rte_pktmbuf_free_bulk(mbufs, n);
}

/* A port has fewer transmit queues than workers (`steering software`): worker 0 sends for us. */
static TVS_NOINLINE void relay(struct turn *turn, uint8_t port, struct rte_mbuf **mbufs, unsigned n)
{
    unsigned taken;

    for (unsigned i = 0; i < n; i++)
        mbufs[i]->port = port;
    taken = rte_ring_sp_enqueue_burst(turn->self->relay, (void *const *)mbufs, n, NULL);
    if (taken < n)
        lose(turn, mbufs + taken, n - taken, TVS_HOST_DROP_tx_full);
    turn->woken |= 1;
}

/* What the packet path takes of a tagged port's burst, and what may leave by one. */
static TVS_NOINLINE unsigned take_tags(struct turn *turn, uint8_t port, struct rte_mbuf **mbufs,
                                       unsigned n)
{
    struct rte_mbuf *others[TVS_MAX_BURST];
    unsigned kept = tvs_port_vlan_take(&turn->host->ports[port], mbufs, n, others);

    lose(turn, others, n - kept, TVS_HOST_DROP_other_vlan);
    return kept;
}

static TVS_NOINLINE unsigned put_tags(struct turn *turn, uint8_t port, struct rte_mbuf **mbufs,
                                      unsigned n)
{
    struct rte_mbuf *others[TVS_MAX_BURST];
    unsigned kept = tvs_port_vlan_put(&turn->host->ports[port], mbufs, n, others);

    lose(turn, others, n - kept, TVS_HOST_DROP_tx_no_room);
    return kept;
}

TVS_INLINE void transmit(struct turn *turn, uint8_t port, struct rte_mbuf **mbufs, unsigned n)
{
    uint16_t sent;

    if (TVS_UNLIKELY(!turn->sends[port])) {
        relay(turn, port, mbufs, n);
        return;
    }
    if (TVS_UNLIKELY(turn->tagged[port]))
        n = put_tags(turn, port, mbufs, n);
    sent = rte_eth_tx_burst(turn->dpdk_id[port], turn->queue, mbufs, (uint16_t)n);
    turn->self->counters.tx_packets[port] += sent;
    if (TVS_UNLIKELY(sent < n))
        lose(turn, mbufs + sent, n - sent, TVS_HOST_DROP_tx_full);
}

static TVS_NOINLINE void to_kernel(struct turn *turn, struct rte_mbuf **mbufs, unsigned n)
{
    struct tvs_host_worker *self = turn->self;
    unsigned taken = rte_ring_sp_enqueue_burst(self->exception_rx, (void *const *)mbufs, n, NULL);

    self->counters.exception_rx += taken;
    if (taken < n)
        lose(turn, mbufs + taken, n - taken, TVS_HOST_DROP_exception_full);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&self->exception_armed, memory_order_relaxed)) {
        atomic_store_explicit(&self->exception_armed, 0, memory_order_relaxed);
        eventfd_write(turn->host->exception_fd, 1);
    }
}

/* What a peer says. */
static TVS_NOINLINE void hear(struct turn *turn, const struct tvs_frame *frame,
                              struct rte_mbuf *mbuf)
{
    tvs_sync_receive(turn->sync, turn->core, frame->data, frame->len, rte_rdtsc());
    rte_pktmbuf_free(mbuf);
}

static uint8_t *sync_room(void *context)
{
    struct turn *turn = context;
    char *room;

    turn->sync_mbuf = rte_pktmbuf_alloc(turn->self->sync_mbufs);
    if (turn->sync_mbuf == NULL)
        turn->sync_mbuf = rte_pktmbuf_alloc(turn->host->mbufs);
    if (turn->sync_mbuf == NULL)
        return NULL;
    room = rte_pktmbuf_append(turn->sync_mbuf, TVS_SYNC_ROOM);
    if (room == NULL)
        rte_pktmbuf_free(turn->sync_mbuf);
    return (uint8_t *)room;
}

static void sync_send(void *context, uint16_t bytes, uint8_t port)
{
    struct turn *turn = context;

    rte_pktmbuf_trim(turn->sync_mbuf, (uint16_t)(TVS_SYNC_ROOM - bytes));
    transmit(turn, port, &turn->sync_mbuf, 1);
}

static void sync_give_back(void *context)
{
    rte_pktmbuf_free(((struct turn *)context)->sync_mbuf);
}

TVS_INLINE void hand_over(struct turn *turn, uint8_t worker, struct rte_mbuf *mbuf)
{
    if (TVS_UNLIKELY(worker >= turn->n_workers || worker == turn->queue ||
                     !tvs_handover_put(turn->self, worker, mbuf))) {
        lose(turn, &mbuf, 1, TVS_HOST_DROP_handover_full);
        return;
    }
    turn->self->counters.handover_out++;
    turn->woken |= UINT64_C(1) << worker;
}

/* Acts on the verdicts. What goes out is gathered per port first: one call of the driver each. */
TVS_INLINE void act(struct turn *turn, const struct tvs_frame *frames, unsigned n)
{
    struct rte_mbuf *out[TVS_MAX_PORTS][TVS_MAX_BURST];
    struct rte_mbuf *gone[TVS_MAX_BURST];
    struct rte_mbuf *kernel[TVS_MAX_BURST];
    uint8_t n_out[TVS_MAX_PORTS] = {0};
    unsigned n_gone = 0;
    unsigned n_kernel = 0;

    for (unsigned i = 0; i < n; i++) {
        const struct tvs_frame *frame = &frames[i];
        struct rte_mbuf *mbuf = tvs_frame_to_mbuf(frame);

        if (TVS_LIKELY(frame->verdict == TVS_V_TX && frame->arg < turn->n_ports)) {
            out[frame->arg][n_out[frame->arg]++] = mbuf;
            continue;
        }
        mbuf->port = frame->port_in;
        if (frame->verdict == TVS_V_TX)
            lose(turn, &mbuf, 1, TVS_HOST_DROP_tx_no_port);
        else if (frame->verdict == TVS_V_HANDOVER)
            hand_over(turn, frame->arg, mbuf);
        else if (frame->verdict == TVS_V_KERNEL)
            kernel[n_kernel++] = mbuf;
        else if (frame->verdict == TVS_V_SYNC)
            hear(turn, frame, mbuf);
        else
            gone[n_gone++] = mbuf; /* counted by the path, with its reason */
    }
    for (uint8_t port = 0; port < turn->n_ports; port++)
        if (n_out[port] > 0)
            transmit(turn, port, out[port], n_out[port]);
    if (n_kernel > 0)
        to_kernel(turn, kernel, n_kernel);
    if (n_gone > 0)
        rte_pktmbuf_free_bulk(gone, n_gone);
}

TVS_INLINE void wake_others(struct turn *turn)
{
    for (uint64_t left = turn->woken; left != 0; left &= left - 1)
        tvs_worker_wake(&turn->host->workers[__builtin_ctzll(left)]);
    turn->woken = 0;
}

TVS_INLINE unsigned receive(struct turn *turn, uint8_t port)
{
    struct rte_mbuf *mbufs[TVS_MAX_BURST];
    struct tvs_frame frames[TVS_MAX_BURST];
    unsigned n = rte_eth_rx_burst(turn->dpdk_id[port], turn->queue, mbufs, TVS_MAX_BURST);
    unsigned received = n;

    if (n == 0)
        return 0;
    tvs_mbufs_prefetch(mbufs, n);
    if (TVS_UNLIKELY(turn->tagged[port]))
        n = take_tags(turn, port, mbufs, n);
    for (unsigned i = 0; i < n; i++)
        tvs_frame_from_mbuf(&frames[i], mbufs[i], port, 0);
    turn->self->counters.rx_packets[port] += received;
    turn->burst(turn->core, frames, n);
    act(turn, frames, n);
    return received;
}

/* Packets that another worker received and this one owns. */
static TVS_NOINLINE unsigned receive_handed(struct turn *turn)
{
    struct rte_mbuf *mbufs[TVS_MAX_BURST];
    struct tvs_frame frames[TVS_MAX_BURST];
    unsigned sum = 0;

    for (uint16_t from = 0; from < turn->n_workers; from++) {
        unsigned n = tvs_handover_take(turn->self, from, mbufs);

        if (n == 0)
            continue;
        tvs_mbufs_prefetch(mbufs, n);
        for (unsigned i = 0; i < n; i++)
            tvs_frame_from_mbuf(&frames[i], mbufs[i], (uint8_t)mbufs[i]->port, TVS_FRAME_HANDED);
        turn->burst(turn->core, frames, n);
        act(turn, frames, n);
        sum += n;
    }
    turn->self->counters.handover_in += sum;
    return sum;
}

/* Packets of the kernel, on their way out unchanged. */
TVS_INLINE unsigned send_for_kernel(struct turn *turn)
{
    struct rte_mbuf *mbufs[TVS_MAX_BURST];
    unsigned n;

    if (TVS_LIKELY(rte_ring_empty(turn->self->exception_tx)))
        return 0;
    n = rte_ring_sc_dequeue_burst(turn->self->exception_tx, (void **)mbufs, TVS_MAX_BURST, NULL);
    for (unsigned i = 0; i < n; i++) {
        if (mbufs[i]->port < turn->n_ports)
            transmit(turn, (uint8_t)mbufs[i]->port, &mbufs[i], 1);
        else
            lose(turn, &mbufs[i], 1, TVS_HOST_DROP_tx_no_port);
    }
    turn->self->counters.exception_tx += n;
    return n;
}

static TVS_NOINLINE unsigned send_for_others(struct turn *turn)
{
    struct rte_mbuf *mbufs[TVS_MAX_BURST];
    unsigned sum = 0;

    for (uint16_t from = 1; from < turn->n_workers; from++) {
        struct rte_ring *ring = turn->host->workers[from].relay;
        unsigned n =
            ring == NULL ? 0 : rte_ring_sc_dequeue_burst(ring, (void **)mbufs, TVS_MAX_BURST, NULL);

        for (unsigned i = 0; i < n; i++)
            transmit(turn, (uint8_t)mbufs[i]->port, &mbufs[i], 1);
        sum += n;
    }
    return sum;
}

/* A turn's beginning is where a worker holds nothing of what it saw in the last one. */
TVS_INLINE void look(struct turn *turn)
{
    const struct tvs_published *published = &turn->host->published;
    const struct tvs_bound *bound;

    atomic_store_explicit(&turn->self->turns, ++turn->turns, memory_order_release);
    turn->core->fib_epoch = atomic_load_explicit(&published->fib_epoch, memory_order_acquire);
    turn->core->fib = atomic_load_explicit(&published->fib, memory_order_acquire);
    bound = atomic_load_explicit(&published->bound, memory_order_acquire);
    if (TVS_UNLIKELY(bound != turn->bound)) {
        turn->bound = bound;
        tvs_worker_bind(turn->core, &bound->binding);
        turn->burst = bound->generation->burst;
        atomic_store_explicit(&turn->self->running, bound, memory_order_release);
    }
}

TVS_INLINE void housekeep(struct turn *turn, bool worked)
{
    uint64_t now = rte_rdtsc();

    if (TVS_UNLIKELY(clock_advance(&turn->clock, now)))
        turn->core->now_tick = turn->clock.tick;
    turn->behind =
        tvs_pace_sweep(&turn->pace, turn->core, now, worked ? TVS_SWEEP_BUSY : TVS_SWEEP_IDLE);
    if (turn->sync != NULL && tvs_sync_has_work(turn->sync, turn->core, now)) {
        tvs_sync_turn(turn->sync, turn->core, &turn->sync_io, now);
        turn->behind |= tvs_sync_has_work(turn->sync, turn->core, now);
    }
}

/* Returns how many packets there were. */
TVS_INLINE unsigned run_turn(struct turn *turn, const bool sleeps)
{
    unsigned worked = 0;

    look(turn);
    for (uint8_t port = 0; port < turn->n_ports; port++)
        if (turn->receives[port])
            worked += receive(turn, port);
    if (tvs_handover_any(turn->self))
        worked += receive_handed(turn);
    if (turn->self->exception_tx != NULL)
        worked += send_for_kernel(turn);
    if (TVS_UNLIKELY(turn->relays))
        worked += send_for_others(turn);
    if (sleeps && turn->woken != 0)
        wake_others(turn);
    housekeep(turn, worked > 0);
    if (sleeps && turn->woken != 0)
        wake_others(turn); /* for what sync sends */
    if (worked == 0)
        turn->self->counters.polls_empty++;
    return worked;
}

static bool stopped(const struct turn *turn)
{
    return atomic_load_explicit(&turn->host->published.stop, memory_order_relaxed);
}

static void run_busy(struct turn *turn)
{
    while (!stopped(turn))
        run_turn(turn, false);
}

/* When the next tick begins, or sync has something to do. */
static uint64_t next_duty(const struct turn *turn)
{
    if (turn->sync != NULL && turn->sync->due < turn->clock.next_tsc)
        return turn->sync->due;
    return turn->clock.next_tsc;
}

static void run_interrupt(struct turn *turn)
{
    struct tvs_idle_state idle;

    tvs_idle_start(&idle, turn->self);
    while (!stopped(turn)) {
        unsigned worked = run_turn(turn, true);

        if (worked > 0 || turn->behind)
            tvs_idle_worked(&idle);
        else
            tvs_idle_empty(&idle, next_duty(turn));
    }
    tvs_idle_stop(&idle);
}

int tvs_worker_main(void *host_worker)
{
    struct tvs_host_worker *self = host_worker;
    const struct tvs_host *host = self->host;
    struct turn turn = {
        .self = self,
        .core = self->core,
        .host = host,
        .n_ports = host->n_ports,
        .n_workers = host->n_workers,
        .queue = self->index,
    };

    for (uint16_t i = 0; i < host->n_ports; i++) {
        turn.dpdk_id[i] = host->ports[i].dpdk_id;
        turn.receives[i] = self->index < host->ports[i].n_rx_queues;
        turn.sends[i] = self->index < host->ports[i].n_tx_queues;
        turn.tagged[i] = host->ports[i].config->vlan != 0;
        turn.relays |= self->index == 0 && host->ports[i].n_tx_queues < host->n_workers;
    }
    turn.sync = self->core->sync;
    turn.sync_io = (struct tvs_sync_io){
        .room = sync_room, .send = sync_send, .give_back = sync_give_back, .context = &turn};
    tvs_clock_start(&turn.clock, host);
    turn.core->now_tick = turn.clock.tick;
    tvs_pace_start(&turn.pace, turn.core, TVS_SWEEP_PERIOD_TICKS * turn.clock.tick_cycles,
                   TVS_SWEEP_LAG_TICKS * turn.clock.tick_cycles, rte_rdtsc());
    look(&turn);
    if (turn.bound->generation->idle == TVS_IDLE_INTERRUPT)
        run_interrupt(&turn);
    else
        run_busy(&turn);
    return 0;
}
