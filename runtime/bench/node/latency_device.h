/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network card on which packets arrive by the clock: DPDK's null device with a callback on its
 * receive and one on its transmit queue. Each packet has a time of arrival, from a schedule made
 * beforehand, that does not depend on how fast the worker is (an open loop). A turn of the worker
 * is given the packets whose time has passed. What counts is from a packet's arrival until the
 * worker hands it to the driver, so a worker that stalls pays for everything that came meanwhile.
 *
 * Time is divided into rounds. A round in which the kernel took the thread's core away is
 * disturbed: it is kept apart, because what was measured there is another process.
 */
#ifndef TVS_BENCH_LATENCY_DEVICE_H
#define TVS_BENCH_LATENCY_DEVICE_H

#include <stdatomic.h>

#include "bench/bench.h"
#include "bench/node/histogram.h"

struct rte_mempool;
struct tvs_host_worker;

/* A frame and the time since the one before, in 1/65536 of the mean. */
struct bench_arrival {
    uint8_t frame[BENCH_MIN_FRAME];
    uint32_t gap_q16;
};
_Static_assert(sizeof(struct bench_arrival) == TVS_CACHE_LINE, "the stream is read line by line");

/* What the worker is given. */
enum bench_offer {
    BENCH_OFFER_NOTHING,   /* empty turns */
    BENCH_OFFER_FULL,      /* as many as it takes: capacity */
    BENCH_OFFER_SCHEDULED, /* by the schedule */
    BENCH_OFFER_FLOOR,     /* the same schedule, and no worker: what the machine itself does */
};

/* What rounds of one kind have shown; times in TSC cycles. */
struct bench_rounds {
    uint32_t rounds;
    uint64_t packets;
    uint64_t cycles;                /* all rounds together */
    uint64_t longest_turn;          /* from one look at the receive queue to the next */
    uint64_t long_turns;            /* that took longer than BENCH_LONG_TURN_US */
    struct bench_histogram latency; /* from arrival to transmit */
    struct bench_histogram own;     /* the same without the packets that a long turn kept waiting */
    struct bench_histogram flip;    /* turns that changed the generation, and the ones after */
};

struct bench_phase {
    enum bench_offer offer;
    uint32_t burst;   /* most packets of one look */
    uint32_t rounds;  /* disturbed ones count too */
    uint64_t mean_q8; /* cycles between arrivals, times 256; 0 for BENCH_OFFER_FULL */
    bool floor;       /* rounds of BENCH_OFFER_FLOOR in turn, as many */
    /* filled by the worker */
    struct bench_rounds quiet, disturbed;
    struct bench_rounds floor_quiet, floor_disturbed;
    uint32_t n_rates;
    double *rates; /* [rounds] packets per cycle of each quiet round, or NULL */
    uint64_t flips;
};

struct bench_device {
    uint16_t dpdk_id;
    struct rte_mempool *mbufs;
    const struct tvs_host_worker *worker;
    const struct bench_arrival *stream; /* [stream_mask + 1] */
    uint32_t stream_mask;
    uint64_t round_cycles;
    uint64_t long_turn_cycles;

    _Atomic(struct bench_phase *) phase; /* given by control, taken back to NULL when done */

    /* the worker's own */
    struct bench_phase *running;
    enum bench_offer offer; /* of the round */
    bool in_floor;
    bool is_warm_up; /* a round that counts for nothing */
    uint32_t rounds_left;
    uint32_t block_left; /* rounds of the same kind */
    uint64_t round_start, round_end;
    uint64_t record_from; /* arrivals before are warm-up */
    uint64_t next_q8;     /* arrival of the next packet */
    uint64_t next_at;     /* the same in cycles */
    uint32_t stream_at;
    uint64_t looked_at; /* when the turn began */
    uint64_t longest_turn;
    uint64_t long_turns;
    uint64_t switches;        /* of the thread's context, at the round's start */
    const void *generation;   /* seen last */
    uint32_t flip_turns_left; /* turns still to note after a flip */
    uint32_t n_samples, n_flips, round_flips;
    uint32_t turn_samples;   /* n_samples when the turn began */
    uint32_t late;           /* SAMPLE_LATE while a long turn's queue is worked off */
    bool queue_empty;        /* the last look took all there was */
    uint64_t starved;        /* arrived, and no buffer was left */
    uint64_t received, sent; /* ever */
    uint64_t round_received;
    uint32_t *samples; /* [BENCH_SAMPLES] latencies of the round */
    uint64_t flip_turns[64];
};

enum {
    BENCH_SAMPLES = 1 << 20,
    /* no turn with packets takes so long by design: it is the machine's, or a fault */
    BENCH_LONG_TURN_US = 10,
};

/* After EAL's start, before the worker's. Negative errno. */
int bench_device_start(struct bench_device *device, uint16_t dpdk_id, struct rte_mempool *mbufs);

/* Times the thread's core was taken away or given up. */
uint64_t bench_switches(void);

#endif
