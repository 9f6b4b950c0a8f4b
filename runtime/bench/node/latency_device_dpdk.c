/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/node/latency_device.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "host/host.h"

enum { WARM_UP_SHARE = 8, FLIP_TURNS = 2, BLOCK_ROUNDS = 25, FLOOR_TURN_CYCLES = 200000 };

/* In a sample: the packet waited for a long turn, or behind packets that did. */
#define SAMPLE_LATE (UINT32_C(1) << 31)

static int arrival_offset; /* of the time of arrival in an mbuf; DPDK hands it out once */

uint64_t bench_switches(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_nivcsw + (uint64_t)usage.ru_nvcsw;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void round_begin(struct bench_device *device)
{
    const struct bench_phase *phase = device->running;

    device->offer = device->in_floor ? BENCH_OFFER_FLOOR : phase->offer;
    device->longest_turn = 0;
    device->long_turns = 0;
    device->n_samples = 0;
    device->turn_samples = 0;
    device->late = 0;
    device->queue_empty = true;
    device->n_flips = 0;
    device->round_flips = 0;
    device->flip_turns_left = 0;
    device->round_received = 0;
    device->generation = atomic_load_explicit(&device->worker->running, memory_order_relaxed);
    device->switches = bench_switches();
    device->round_start = rte_rdtsc();
    device->round_end = device->round_start + device->round_cycles;
    device->record_from = device->round_start + device->round_cycles / WARM_UP_SHARE;
    device->next_q8 = device->round_start << 8;
    device->next_at = device->round_start;
    device->looked_at = device->round_start;
}

static void fold(const struct bench_device *device, struct bench_rounds *into, uint64_t now)
{
    into->rounds++;
    into->packets += device->round_received;
    into->cycles += now - device->round_start;
    into->long_turns += device->long_turns;
    if (device->longest_turn > into->longest_turn)
        into->longest_turn = device->longest_turn;
    for (uint32_t i = 0; i < device->n_samples; i++) {
        bench_histogram_add(&into->latency, device->samples[i] & ~SAMPLE_LATE);
        if ((device->samples[i] & SAMPLE_LATE) == 0)
            bench_histogram_add(&into->own, device->samples[i]);
    }
    for (uint32_t i = 0; i < device->n_flips; i++)
        bench_histogram_add(&into->flip, device->flip_turns[i]);
}

/* So many rounds of one kind in a row: each kind drives the other's lines out of the cache. */
static void block_begin(struct bench_device *device, bool is_floor)
{
    device->in_floor = is_floor;
    device->block_left = device->rounds_left < BLOCK_ROUNDS ? device->rounds_left : BLOCK_ROUNDS;
    device->is_warm_up = !is_floor;
}

static void round_fold(struct bench_device *device, uint64_t now)
{
    struct bench_phase *phase = device->running;
    bool quiet = bench_switches() == device->switches;

    if (device->in_floor) {
        fold(device, quiet ? &phase->floor_quiet : &phase->floor_disturbed, now);
        return;
    }
    fold(device, quiet ? &phase->quiet : &phase->disturbed, now);
    phase->flips += device->round_flips;
    device->rounds_left--;
    if (quiet && phase->rates != NULL)
        phase->rates[phase->n_rates++] =
            (double)device->round_received / (double)(now - device->round_start);
}

/* Ends a round and begins the next; false when that was the last of its phase. */
static bool round_end(struct bench_device *device, uint64_t now)
{
    if (device->is_warm_up) {
        device->is_warm_up = false;
    } else {
        round_fold(device, now);
        if (device->rounds_left == 0) {
            device->running = NULL;
            atomic_store_explicit(&device->phase, NULL, memory_order_release);
            return false;
        }
        if (--device->block_left == 0)
            block_begin(device, device->running->floor && !device->in_floor);
    }
    round_begin(device);
    return true;
}

static bool phase_begin(struct bench_device *device)
{
    device->running = atomic_load_explicit(&device->phase, memory_order_acquire);
    if (device->running == NULL)
        return false;
    device->rounds_left = device->running->rounds;
    block_begin(device, device->running->floor);
    round_begin(device);
    return true;
}

/* ---- packets --------------------------------------------------------------------------------- */

/* How many packets have arrived, at most `most`; their times go to `arrivals`. */
TVS_INLINE unsigned arrived(struct bench_device *device, uint64_t now, unsigned most,
                            uint64_t *arrivals)
{
    uint64_t mean_q8 = device->running->mean_q8;
    unsigned n = 0;

    while (n < most && device->next_at <= now && device->next_at < device->round_end) {
        uint32_t gap = device->stream[(device->stream_at + n) & device->stream_mask].gap_q16;

        arrivals[n++] = device->next_at;
        device->next_q8 += (gap * mean_q8) >> 16;
        device->next_at = device->next_q8 >> 8;
    }
    return n;
}

TVS_INLINE void sample(struct bench_device *device, uint64_t arrival, uint64_t now)
{
    uint64_t took = now - arrival;

    if (arrival >= device->record_from && device->n_samples < BENCH_SAMPLES)
        device->samples[device->n_samples++] =
            device->late | (took < SAMPLE_LATE ? (uint32_t)took : SAMPLE_LATE - 1);
}

/* What the turn, or the look at the clock, that ends now shows. */
TVS_INLINE void turn_note(struct bench_device *device, uint64_t turn)
{
    if (TVS_UNLIKELY(turn > device->longest_turn))
        device->longest_turn = turn;
    if (TVS_UNLIKELY(turn > device->long_turn_cycles)) {
        device->long_turns++;
        device->late = SAMPLE_LATE;
        for (uint32_t i = device->turn_samples; i < device->n_samples; i++)
            device->samples[i] |= SAMPLE_LATE;
    } else if (TVS_UNLIKELY(device->late != 0) && device->queue_empty) {
        device->late = 0;
    }
    device->turn_samples = device->n_samples;
}

/* A while of packets that are done as soon as they are seen: what waits, waits for the machine. */
static void look_at_the_clock(struct bench_device *device)
{
    uint64_t arrivals[TVS_MAX_BURST];
    uint64_t seen = rte_rdtsc();
    uint64_t until = seen + FLOOR_TURN_CYCLES;

    while (seen < until) {
        uint64_t now = rte_rdtsc();
        unsigned n;

        turn_note(device, now - seen);
        n = arrived(device, now, device->running->burst, arrivals);
        device->stream_at += n;
        device->queue_empty = n < device->running->burst;
        for (unsigned i = 0; i < n; i++)
            sample(device, arrivals[i], now);
        seen = now;
    }
}

TVS_INLINE uint16_t fill(struct bench_device *device, struct rte_mbuf **mbufs, unsigned n,
                         const uint64_t *arrivals)
{
    if (n == 0)
        return 0;
    if (TVS_UNLIKELY(rte_pktmbuf_alloc_bulk(device->mbufs, mbufs, n) != 0)) {
        device->starved += n;
        return 0;
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t at = device->stream_at++ & device->stream_mask;

        memcpy(rte_pktmbuf_mtod(mbufs[i], uint8_t *), device->stream[at].frame, BENCH_MIN_FRAME);
        mbufs[i]->data_len = BENCH_MIN_FRAME;
        mbufs[i]->pkt_len = BENCH_MIN_FRAME;
        *RTE_MBUF_DYNFIELD(mbufs[i], arrival_offset, uint64_t *) = arrivals[i];
    }
    device->received += n;
    device->round_received += n;
    return (uint16_t)n;
}

/* Did the turn that has just ended take a new generation, or the one before? */
TVS_INLINE void flip_note(struct bench_device *device, uint64_t turn)
{
    const void *generation = atomic_load_explicit(&device->worker->running, memory_order_relaxed);

    if (TVS_UNLIKELY(generation != device->generation)) {
        device->generation = generation;
        device->round_flips++;
        device->flip_turns_left = FLIP_TURNS;
    }
    if (TVS_UNLIKELY(device->flip_turns_left > 0)) {
        device->flip_turns_left--;
        if (device->n_flips < sizeof(device->flip_turns) / sizeof(device->flip_turns[0]))
            device->flip_turns[device->n_flips++] = turn;
    }
}

static bool round_is_over(const struct bench_device *device, uint64_t now)
{
    /* scheduled packets that came before the end are waited for, however late they are */
    return now >= device->round_end &&
           (device->offer != BENCH_OFFER_SCHEDULED || device->next_at >= device->round_end);
}

static uint16_t on_receive(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
                           uint16_t room, void *context)
{
    struct bench_device *device = context;
    uint64_t now = rte_rdtsc();
    uint64_t arrivals[TVS_MAX_BURST];
    unsigned most;

    (void)port;
    (void)queue;
    (void)n;
    if (device->running == NULL) {
        if (!phase_begin(device))
            return 0;
        now = rte_rdtsc();
    }
    if (device->offer != BENCH_OFFER_FLOOR) {
        turn_note(device, now - device->looked_at);
        flip_note(device, now - device->looked_at);
    }
    if (TVS_UNLIKELY(round_is_over(device, now))) {
        if (!round_end(device, now))
            return 0;
        now = rte_rdtsc();
    }
    device->looked_at = now;
    most = device->running->burst < room ? device->running->burst : room;
    n = 0;
    if (device->offer == BENCH_OFFER_SCHEDULED || device->offer == BENCH_OFFER_FULL) {
        /* the full offer is a schedule on which all have come already: the same work for both */
        unsigned count = arrived(device, now, most, arrivals);

        device->queue_empty = count < most;
        for (unsigned i = 0; i < count && device->offer == BENCH_OFFER_FULL; i++)
            arrivals[i] = now;
        n = fill(device, mbufs, count, arrivals);
    } else if (device->offer == BENCH_OFFER_FLOOR) {
        look_at_the_clock(device);
    }
    return n;
}

static uint16_t on_transmit(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
                            void *context)
{
    struct bench_device *device = context;
    uint64_t now = rte_rdtsc();

    (void)port;
    (void)queue;
    device->sent += n;
    for (uint16_t i = 0; i < n; i++)
        sample(device, *RTE_MBUF_DYNFIELD(mbufs[i], arrival_offset, uint64_t *), now);
    return n;
}

int bench_device_start(struct bench_device *device, uint16_t dpdk_id, struct rte_mempool *mbufs)
{
    static const struct rte_mbuf_dynfield arrival = {
        .name = "tvs_bench_arrival",
        .size = sizeof(uint64_t),
        .align = _Alignof(uint64_t),
    };
    const struct rte_eth_conf conf = {0};
    int error;

    device->dpdk_id = dpdk_id;
    device->mbufs = mbufs;
    device->samples = calloc(BENCH_SAMPLES, sizeof(device->samples[0]));
    if (device->samples == NULL)
        return -ENOMEM;
    memset(device->samples, 1, BENCH_SAMPLES * sizeof(device->samples[0])); /* pages are there */
    arrival_offset = rte_mbuf_dynfield_register(&arrival);
    if (arrival_offset < 0)
        return -ENOSPC;
    error = rte_eth_dev_configure(dpdk_id, 1, 1, &conf);
    if (error == 0)
        error = rte_eth_rx_queue_setup(dpdk_id, 0, 512, SOCKET_ID_ANY, NULL, mbufs);
    if (error == 0)
        error = rte_eth_tx_queue_setup(dpdk_id, 0, 512, SOCKET_ID_ANY, NULL);
    if (error == 0)
        error = rte_eth_dev_start(dpdk_id);
    if (error < 0)
        return error;
    if (rte_eth_add_rx_callback(dpdk_id, 0, on_receive, device) == NULL ||
        rte_eth_add_tx_callback(dpdk_id, 0, on_transmit, device) == NULL)
        return -ENOTSUP;
    return 0;
}
