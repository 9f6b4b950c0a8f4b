/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "core/fullnat.h"
#include "core/session.h"

enum {
    PORTS_PER_LIP = 1 << 16,
    SESSIONS_PER_BUCKET = 4, /* as the compiler sizes the table */
    NEW_PACKETS = 4096,      /* timed at least, per repeat */
    STRETCH = 1024,          /* packets between two looks at the clock */
    MAX_STRETCHES = (1 << 20) / STRETCH,
    SWEEP_BUDGET = 1024,
    SWEEP_RECORDS = 1 << 18,
};

static uint8_t *frame_of(const struct bench_run *run, uint32_t packet)
{
    return run->pool + (size_t)packet * BENCH_STRIDE + BENCH_FRAME_AT;
}

uint32_t bench_run_room(const struct tvs_generation *generation)
{
    uint32_t ports = (uint32_t)generation->memory.port_last - generation->memory.port_first + 1;
    uint32_t slots = 0;

    for (uint32_t i = 0; i < generation->n_lips; i++)
        slots += generation->lips[i].worker == 0;
    return ports * slots;
}

static int worker_make(struct bench_run *run)
{
    uint32_t lips[TVS_MAX_SLOTS];
    struct tvs_worker_config config = {0};
    struct tvs_node *node = run->node;
    uint32_t sessions = run->capacity;
    uint32_t ports;
    void *memory;

    tvs_worker_config_from(&config, node->generation, 0, lips);
    config.max_pools = node->generation->n_pools;
    config.max_backends = node->n_backends;
    config.hash_key[0] = run->options->seed * UINT64_C(0x9e3779b97f4a7c15);
    config.hash_key[1] = ~config.hash_key[0] * UINT64_C(0xbf58476d1ce4e5b9);
    config.max_sessions = sessions;
    ports = (uint32_t)config.port_last - config.port_first + 1;
    if ((sessions + ports - 1) / ports < config.n_slots)
        config.n_slots = (sessions + ports - 1) / ports;
    config.n_buckets = 2;
    while (config.n_buckets * SESSIONS_PER_BUCKET < sessions)
        config.n_buckets *= 2;

    run->worker_bytes = tvs_worker_bytes(&config);
    memory = bench_memory(run->worker_bytes, &run->pages);
    if (memory == NULL)
        return -1;
    run->worker = tvs_worker_init(memory, &config);
    if (run->worker == NULL)
        return -1;
    run->worker->nexthops = node->nexthops;
    run->worker->route = node->workers[0]->route;
    run->worker->fib = node->workers[0]->fib;
    run->worker->binding = &node->binding;
    run->worker->now_tick = 1;
    return 0;
}

/*
 * Every burst of a generation goes through here, for callgrind, which counts between the entry and
 * the end of a function that it is given by name: what a generation contains has none, since it is
 * loaded from a copy in memory.
 */
__attribute__((noinline, noclone)) void bench_counted_burst(bench_burst_fn burst,
                                                            struct tvs_worker *worker,
                                                            struct tvs_frame *frames, unsigned n)
{
    burst(worker, frames, n);
    __asm__ volatile(""); /* the end is here, not a jump into the generation */
}

/* A loop over packets [from, to) of the pool: the device, and one who handles its bursts. */
typedef void (*loop_fn)(struct bench_run *run, uint32_t from, uint32_t to);

TVS_INLINE void device_loop(struct bench_run *run, uint32_t from, uint32_t to, bench_burst_fn burst)
{
    struct tvs_frame frames[TVS_MAX_BURST];
    uint16_t len = (uint16_t)run->options->frame_bytes;
    uint8_t **sent = run->sent + from;

    for (uint32_t at = from; at < to; at += run->options->burst) {
        uint32_t count = to - at < run->options->burst ? to - at : run->options->burst;

        for (uint32_t i = 0; i < count; i++) {
            uint8_t *data = frame_of(run, at + i);

            __builtin_prefetch(data, 1);
            frames[i] = (struct tvs_frame){.data = data, .len = len, .headroom = BENCH_FRAME_AT};
        }
        bench_counted_burst(burst, run->worker, frames, count);
        for (uint32_t i = 0; i < count; i++)
            if (TVS_LIKELY(frames[i].verdict == TVS_V_TX))
                *sent++ = frames[i].data;
    }
}

static void site_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    device_loop(run, from, to, run->node->generation->burst);
}

static void generic_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    device_loop(run, from, to, run->generic);
}

static void rewrite(uint8_t *frame, const uint8_t *l2, uint8_t proto,
                    const struct tvs_record *record)
{
    struct tvs_frame one = {.data = frame};
    const struct tvs_packet packet = {.l4 = TVS_ETH_BYTES + TVS_IP4_BYTES};

    __builtin_memcpy(frame, l2, TVS_ETH_BYTES);
    tvs_fullnat_request(&one, &packet, proto, record);
}

static void touch_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    static const struct tvs_record record = {.ip_delta = 0x1234, .l4_delta = 0x5678};
    const uint8_t *l2 = run->node->nexthops[1].l2;
    uint8_t **sent = run->sent + from;

    for (uint32_t at = from; at < to; at += run->options->burst) {
        uint32_t count = to - at < run->options->burst ? to - at : run->options->burst;

        for (uint32_t i = 0; i < count; i++)
            __builtin_prefetch(frame_of(run, at + i), 1);
        for (uint32_t i = 0; i < count; i++) {
            rewrite(frame_of(run, at + i), l2, run->traffic.proto, &record);
            *sent++ = frame_of(run, at + i);
        }
    }
}

static void hash_loop(struct bench_run *run, uint32_t from, uint32_t to)
{
    const uint8_t *l2 = run->node->nexthops[1].l2;
    uint8_t **sent = run->sent + from;

    for (uint32_t at = from; at < to; at += run->options->burst) {
        uint32_t count = to - at < run->options->burst ? to - at : run->options->burst;
        struct tvs_key keys[TVS_MAX_BURST];
        int32_t positions[TVS_MAX_BURST];

        for (uint32_t i = 0; i < count; i++)
            __builtin_prefetch(frame_of(run, at + i), 1);
        for (uint32_t i = 0; i < count; i++) {
            const uint8_t *ip = frame_of(run, at + i) + TVS_ETH_BYTES;

            memcpy(&keys[i].tuple, ip + 12, sizeof(keys[i].tuple));
            keys[i].proto = ip[9];
            memset(keys[i].zero, 0, sizeof(keys[i].zero));
        }
        bench_hash_find(run->hash, keys, count, positions);
        for (uint32_t i = 0; i < count; i++)
            __builtin_prefetch(&run->entries[positions[i]]);
        for (uint32_t i = 0; i < count; i++) {
            if (TVS_UNLIKELY(positions[i] < 0))
                continue;
            rewrite(frame_of(run, at + i), l2, run->traffic.proto, &run->entries[positions[i]]);
            *sent++ = frame_of(run, at + i);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/*
 * Cycles per packet of the first `n` of the pool: the median over stretches, because another
 * process that takes the core for a moment is not what is measured. The first half only brings
 * back what the subject measured before has driven out, page tables above all.
 */
static double timed(struct bench_run *run, loop_fn loop, uint32_t n)
{
    static uint64_t spent[MAX_STRETCHES];
    uint32_t stretch = n / 2 < STRETCH ? (n + 1) / 2 : STRETCH;
    uint32_t at = n / 2 / stretch * stretch;
    uint32_t count = 0;

    loop(run, 0, at);
    for (; at + stretch <= n; at += stretch) {
        uint64_t start = __rdtsc();

        loop(run, at, at + stretch);
        spent[count++] = __rdtsc() - start;
    }
    loop(run, at, n);
    qsort(spent, count, sizeof(spent[0]), compare);
    return (double)spent[count / 2] / stretch;
}

/* Everything sent that should have been? The text stays until the next call. */
static const char *check(const struct bench_run *run, const struct tvs_counters *before,
                         uint64_t expected)
{
    static char text[160];
    const struct tvs_counters *now = &run->worker->counters;
    uint64_t sent = now->tx_request + now->tx_reply - before->tx_request - before->tx_reply;

    if (sent == expected)
        return NULL;
    snprintf(text, sizeof(text), "%lu of %lu packets were not forwarded", expected - sent,
             expected);
    for (unsigned reason = 0; reason < TVS_N_DROPS; reason++)
        if (now->drops[reason] != before->drops[reason])
            snprintf(text, sizeof(text), "%lu of %lu packets: %s", expected - sent, expected,
                     tvs_drop_text(reason));
    return text;
}

/* Runs flows [first, first + n) through the generation, with these TCP flags. */
static const char *flows_run(struct bench_run *run, uint32_t first, uint32_t n, bool is_reply,
                             uint8_t flags, double *cycles)
{
    struct tvs_counters before = run->worker->counters;
    struct bench_flow *flows = run->traffic.flows + first;

    for (uint32_t i = 0; i < n; i++)
        (is_reply ? bench_write_reply : bench_write_request)(
            &run->traffic, frame_of(run, i), run->options->frame_bytes, &flows[i], flags);
    *cycles = timed(run, site_loop, n);
    if (flags == TVS_TCP_SYN)
        for (uint32_t i = 0; i < n; i++)
            bench_flow_learn(&flows[i], frame_of(run, i));
    return check(run, &before, n);
}

static const char *flows_open(struct bench_run *run, uint32_t sessions)
{
    const char *wrong = NULL;
    double cycles;

    for (uint32_t at = 0; at < sessions && wrong == NULL; at += run->options->n_packets) {
        uint32_t n = sessions - at;

        if (n > run->options->n_packets)
            n = run->options->n_packets;
        wrong = flows_run(run, at, n, false, TVS_TCP_SYN, &cycles);
        if (wrong == NULL && run->traffic.proto == TVS_TCP)
            wrong = flows_run(run, at, n, true, TVS_TCP_SYN | TVS_TCP_ACK, &cycles);
        if (wrong == NULL && run->traffic.proto == TVS_TCP)
            wrong = flows_run(run, at, n, false, TVS_TCP_ACK, &cycles);
    }
    return wrong;
}

/* The same keys for rte_hash; entries hold what a rewrite needs. */
static void hash_fill(struct bench_run *run, uint32_t sessions)
{
    run->hash = bench_hash_make(sessions);
    if (run->hash == NULL)
        return;
    run->entries_bytes = (sessions + sessions / 8 + 64UL) * sizeof(struct tvs_record);
    run->entries = bench_memory(run->entries_bytes, &(const char *){NULL});
    for (uint32_t i = 0; i < sessions; i++) {
        const struct tvs_key key = {.tuple = {.saddr_be = run->traffic.flows[i].client_be,
                                              .daddr_be = run->traffic.vip_be,
                                              .sport_be = run->traffic.flows[i].client_port_be,
                                              .dport_be = run->traffic.vip_port_be},
                                    .proto = run->traffic.proto};
        int32_t position = run->entries != NULL ? bench_hash_add(run->hash, &key) : -1;

        if (position < 0) {
            bench_hash_free(run->hash);
            run->hash = NULL;
            return;
        }
        run->entries[position].out.saddr_be = run->traffic.flows[i].local_be;
    }
}

const char *bench_run_open(struct bench_run *run, uint32_t sessions)
{
    struct bench_traffic *traffic = &run->traffic;
    const char *wrong;

    traffic->n_flows = sessions;
    traffic->capacity = sessions + run->options->n_packets;
    traffic->flows = calloc(traffic->capacity, sizeof(*traffic->flows));
    run->pool_bytes = (size_t)run->options->n_packets * BENCH_STRIDE;
    run->pool = bench_memory(run->pool_bytes, &run->pages);
    run->sent = calloc(run->options->n_packets, sizeof(*run->sent));
    if (traffic->flows == NULL || run->pool == NULL || run->sent == NULL)
        return "not enough memory";
    run->capacity = run->options->capacity > sessions ? run->options->capacity : sessions;
    if (worker_make(run) != 0)
        return "not enough memory for the worker";
    for (uint32_t i = 0; i < sessions; i++)
        traffic->flows[i] = bench_flow_fresh(traffic);
    bench_flows_shuffle(traffic);
    wrong = flows_open(run, sessions);
    if (wrong == NULL && run->options->floors)
        hash_fill(run, sessions);
    bench_flows_shuffle(traffic);
    return wrong;
}

void bench_run_close(struct bench_run *run)
{
    bench_hash_free(run->hash);
    bench_memory_free(run->entries, run->entries_bytes);
    bench_memory_free(run->worker, run->worker_bytes);
    bench_memory_free(run->pool, run->pool_bytes);
    free(run->sent);
    free(run->traffic.flows);
    free(run->traffic.zipf);
}

static struct tvs_record *record_of(const struct bench_run *run, const struct bench_flow *flow)
{
    for (uint32_t slot = 0; slot < run->worker->n_slots; slot++)
        if (run->worker->lip_addr_be[slot] == flow->local_be)
            return &run->worker->records[slot << 16 | be16toh(flow->local_port_be)];
    abort();
}

static uint32_t new_batch(const struct bench_run *run)
{
    uint32_t batch = run->traffic.n_flows / 8;

    return batch < run->options->n_packets ? batch : run->options->n_packets;
}

void bench_direction_begin(struct bench_run *run, enum bench_direction direction)
{
    run->worker->max_sessions =
        direction == BENCH_REFUSED ? run->worker->n_sessions : run->capacity;
    if (direction != BENCH_NEW)
        return;
    for (uint32_t i = 0; i < new_batch(run); i++)
        tvs_session_close(run->worker, record_of(run, &run->traffic.flows[i]));
}

/* New sessions, timed; they are closed again, so that the table stays as full as it was. */
static const char *repeat_new(struct bench_run *run, double *cycles)
{
    uint32_t batch = new_batch(run);
    double sum = 0;
    uint32_t rounds = 0;

    for (; rounds * batch < NEW_PACKETS; rounds++) {
        const char *wrong;
        double spent;

        for (uint32_t i = 0; i < batch; i++)
            run->traffic.flows[i] = bench_flow_fresh(&run->traffic);
        wrong = flows_run(run, 0, batch, false, TVS_TCP_SYN, &spent);
        if (wrong != NULL)
            return wrong;
        sum += spent;
        for (uint32_t i = 0; i < batch; i++)
            tvs_session_close(run->worker, record_of(run, &run->traffic.flows[i]));
    }
    *cycles = sum / rounds;
    return NULL;
}

static const char *repeat_refused(struct bench_run *run, double *cycles)
{
    uint32_t n = run->options->n_packets;
    uint64_t before = run->worker->counters.drops[TVS_DROP_session_limit];

    for (uint32_t i = 0; i < n; i++) {
        const struct bench_flow flow = bench_flow_fresh(&run->traffic);

        bench_write_request(&run->traffic, frame_of(run, i), run->options->frame_bytes, &flow,
                            TVS_TCP_SYN);
    }
    *cycles = timed(run, site_loop, n);
    return run->worker->counters.drops[TVS_DROP_session_limit] - before == n
               ? NULL
               : "packets that no session was left for were not refused";
}

static const char *repeat_sweep(struct bench_run *run, double *cycles)
{
    uint32_t freed = 0, visited = 0;
    uint64_t start = __rdtsc();

    for (; visited < SWEEP_RECORDS; visited += SWEEP_BUDGET)
        freed += tvs_worker_sweep(run->worker, SWEEP_BUDGET);
    *cycles = (double)(__rdtsc() - start) / visited;
    return freed == 0 ? NULL : "the sweep freed sessions that are alive";
}

static const char *repeat_established(struct bench_run *run, enum bench_direction direction,
                                      enum bench_subject subject, double *cycles)
{
    static const loop_fn loop_of[BENCH_N_SUBJECTS] = {site_loop, generic_loop, touch_loop,
                                                      hash_loop};
    uint32_t n = run->options->n_packets;
    uint8_t flags = TVS_TCP_ACK | (direction == BENCH_CLOSE ? TVS_TCP_FIN : 0);
    struct tvs_counters before = run->worker->counters;
    uint32_t *picked = malloc(n * sizeof(*picked));

    if (picked == NULL)
        return "not enough memory";
    run->since_tick += n;
    if (run->since_tick >= run->options->packets_per_tick) {
        run->since_tick = 0;
        run->worker->now_tick++;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct bench_flow *flow;

        picked[i] = bench_flow_pick(&run->traffic);
        flow = &run->traffic.flows[picked[i]];
        (direction == BENCH_REPLY ? bench_write_reply : bench_write_request)(
            &run->traffic, frame_of(run, i), run->options->frame_bytes, flow, flags);
    }
    *cycles = timed(run, loop_of[subject], n);
    if (direction == BENCH_CLOSE)
        for (uint32_t i = 0; i < n; i++)
            record_of(run, &run->traffic.flows[picked[i]])->state = TVS_S_ESTABLISHED;
    free(picked);
    return check(run, &before, subject == BENCH_SITE || subject == BENCH_GENERIC ? n : 0);
}

const char *bench_repeat(struct bench_run *run, enum bench_direction direction,
                         enum bench_subject subject, double *cycles)
{
    switch (direction) {
    case BENCH_NEW:
        return repeat_new(run, cycles);
    case BENCH_REFUSED:
        return repeat_refused(run, cycles);
    case BENCH_SWEEP:
        return repeat_sweep(run, cycles);
    default:
        return repeat_established(run, direction, subject, cycles);
    }
}
