/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured: packets of one direction through one subject, and that all were forwarded. */
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "bench/loops.h"
#include "bench/print.h"
#include "bench/sync.h"
#include "core/session.h"

enum {
    NEW_PACKETS = 4096, /* timed at least, per repeat */
    SWEEP_BUDGET = 1024,
    SWEEP_RECORDS = 1 << 18,
};

/* Everything sent that should have been? */
static const char *check(struct bench_run *run, const struct tvs_counters *before,
                         uint64_t expected)
{
    const struct tvs_counters *now = &run->worker->counters;
    uint64_t sent = now->tx_request + now->tx_reply - before->tx_request - before->tx_reply;

    if (sent == expected)
        return NULL;
    snprintf(run->wrong, sizeof(run->wrong), "%lu of %lu packets were not forwarded",
             expected - sent, expected);
    for (unsigned reason = 0; reason < TVS_N_DROPS; reason++)
        if (now->drops[reason] != before->drops[reason])
            snprintf(run->wrong, sizeof(run->wrong), "%lu of %lu packets: %s", expected - sent,
                     expected, tvs_drop_text(reason));
    return run->wrong;
}

/* Runs flows [first, first + n) through the generation, with these TCP flags. */
static const char *flows_run(struct bench_run *run, enum bench_subject subject, uint32_t first,
                             uint32_t n, bool is_reply, uint8_t flags, double *cycles)
{
    struct tvs_counters before = run->worker->counters;
    struct bench_flow *flows = run->traffic.flows + first;
    const char *wrong;

    for (uint32_t i = 0; i < n; i++)
        (is_reply ? bench_write_reply : bench_write_request)(
            &run->traffic, bench_frame_of(run, i), run->options->frame_bytes, &flows[i], flags);
    *cycles = bench_timed(run, subject, n);
    wrong = check(run, &before, n);
    if (flags == TVS_TCP_SYN && wrong == NULL)
        for (uint32_t i = 0; i < n; i++)
            bench_flow_learn(&flows[i], bench_sent_frame(run, subject, i));
    return wrong;
}

const char *bench_flows_open(struct bench_run *run)
{
    static const struct {
        bool is_reply;
        uint8_t flags;
    } step[] = {{false, TVS_TCP_SYN},
                {true, TVS_TCP_SYN | TVS_TCP_ACK},
                {false, TVS_TCP_ACK},
                {true, TVS_TCP_ACK}}; /* from here on the server knows its client */
    uint32_t sessions = run->traffic.n_flows, n;
    unsigned n_steps = run->traffic.proto == TVS_TCP ? 4 : 1;
    const char *wrong = NULL;
    double cycles;

    for (uint32_t at = 0; at < sessions && wrong == NULL; at += n) {
        n = sessions - at < run->options->n_packets ? sessions - at : run->options->n_packets;
        for (unsigned i = 0; i < n_steps && wrong == NULL; i++)
            wrong = flows_run(run, BENCH_SITE, at, n, step[i].is_reply, step[i].flags, &cycles);
    }
    bench_flows_shuffle(&run->traffic);
    return wrong;
}

struct tvs_record *bench_record_of(const struct bench_run *run, const struct bench_flow *flow)
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

/* Whether rte_hash has something to do. */
static bool has_hash(enum bench_direction direction)
{
    return direction == BENCH_REQUEST || direction == BENCH_REPLY || direction == BENCH_CLOSE ||
           direction == BENCH_NEW;
}

/* Sessions at random end and make room for a batch of new ones; flows [0, batch) name them. */
static void sessions_end(struct bench_run *run)
{
    struct bench_traffic *traffic = &run->traffic;

    for (uint32_t i = 0; i < new_batch(run); i++) {
        uint32_t j = i + bench_random(traffic, traffic->n_flows - i);
        struct bench_flow flow = traffic->flows[j];

        traffic->flows[j] = traffic->flows[i];
        traffic->flows[i] = flow;
        tvs_session_close(run->worker, bench_record_of(run, &flow));
    }
}

/* Opens a batch of sessions that never were, and ends as many. */
static const char *sessions_renew(struct bench_run *run, enum bench_subject subject, double *cycles)
{
    uint32_t batch = new_batch(run);
    const char *wrong;

    for (uint32_t i = 0; i < batch; i++)
        run->traffic.flows[i] = bench_flow_fresh(&run->traffic);
    wrong = flows_run(run, subject, 0, batch, false, TVS_TCP_SYN, cycles);
    if (wrong == NULL)
        sessions_end(run);
    return wrong;
}

/*
 * Makes room for new sessions, and lets so many begin and end that every port which was free has
 * been handed out: in a worker that has run for a while free records do not lie side by side.
 */
static const char *sessions_turn_over(struct bench_run *run)
{
    uint32_t n_free = tvs_free_count(&run->worker->free);
    const char *wrong = NULL;
    double cycles;

    sessions_end(run);
    if (run->hash != NULL)
        bench_hash_forget(run, new_batch(run));
    if (run->trace_mark != NULL)
        return NULL; /* all of it would be traced */
    for (uint32_t n = 0; n < n_free && wrong == NULL; n += new_batch(run))
        wrong = sessions_renew(run, BENCH_SITE, &cycles);
    return wrong;
}

bool bench_subject_there(const struct bench_run *run, enum bench_direction direction,
                         enum bench_subject subject)
{
    bool is_traced = run->trace_mark != NULL;

    if (direction == BENCH_SYNC)
        return subject == BENCH_SITE || subject == BENCH_TELLS || subject == BENCH_LEARNS;
    switch (subject) {
    case BENCH_SITE:
        return true;
    case BENCH_TELLS:
    case BENCH_LEARNS:
        return false;
    case BENCH_GENERIC:
        return run->generic != NULL && direction != BENCH_SWEEP && !is_traced;
    case BENCH_TOUCH:
        return run->options->floors && direction != BENCH_SWEEP && !is_traced;
    default:
        return run->hash != NULL && !is_traced && has_hash(direction);
    }
}

const char *bench_direction_begin(struct bench_run *run, enum bench_direction direction)
{
    const char *wrong = NULL;

    if (direction == BENCH_SYNC)
        return bench_sync_begin(run);
    run->worker->max_sessions =
        direction == BENCH_REFUSED ? run->worker->n_sessions : run->capacity;
    if (run->options->floors && has_hash(direction))
        wrong = bench_hash_fill(run, direction == BENCH_REPLY);
    run->hash_adds = direction == BENCH_NEW;
    if (wrong != NULL || direction != BENCH_NEW || run->has_closed)
        return wrong;
    run->has_closed = true;
    return sessions_turn_over(run);
}

/* New sessions. As many end as begin, so that the table stays as full as it was. */
static const char *repeat_new(struct bench_run *run, enum bench_subject subject, double *cycles)
{
    double spent[NEW_PACKETS];
    const char *wrong = NULL;
    uint32_t rounds = 0;

    for (; rounds * new_batch(run) < NEW_PACKETS && wrong == NULL; rounds++)
        wrong = sessions_renew(run, subject, &spent[rounds]);
    *cycles = bench_figure_of(spent, rounds).median;
    return wrong;
}

/* The same with rte_hash: nothing is found, the key is added, and taken out again. */
static const char *repeat_new_hash(struct bench_run *run, double *cycles)
{
    uint32_t batch = new_batch(run);
    double spent[NEW_PACKETS];
    uint32_t rounds = 0;

    for (; rounds * batch < NEW_PACKETS; rounds++) {
        for (uint32_t i = 0; i < batch; i++) {
            run->traffic.flows[i] = bench_flow_fresh(&run->traffic);
            bench_write_request(&run->traffic, bench_frame_of(run, i), run->options->frame_bytes,
                                &run->traffic.flows[i], TVS_TCP_SYN);
        }
        run->n_found = 0;
        spent[rounds] = bench_timed(run, BENCH_HASH, batch);
        if (run->n_found != batch)
            return "rte_hash did not take every new key";
        bench_hash_forget(run, batch);
    }
    *cycles = bench_figure_of(spent, rounds).median;
    return NULL;
}

static const char *repeat_refused(struct bench_run *run, enum bench_subject subject, double *cycles)
{
    uint32_t n = run->options->n_packets;
    uint64_t before = run->worker->counters.drops[TVS_DROP_session_limit];

    for (uint32_t i = 0; i < n; i++) {
        const struct bench_flow flow = bench_flow_fresh(&run->traffic);

        bench_write_request(&run->traffic, bench_frame_of(run, i), run->options->frame_bytes, &flow,
                            TVS_TCP_SYN);
    }
    *cycles = bench_timed(run, subject, n);
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
    bool is_path = subject == BENCH_SITE || subject == BENCH_GENERIC;
    uint32_t n = run->options->n_packets;
    uint8_t flags = TVS_TCP_ACK | (direction == BENCH_CLOSE ? TVS_TCP_FIN : 0);
    struct tvs_counters before = run->worker->counters;
    uint32_t *picked = malloc(n * sizeof(*picked));
    const char *wrong = NULL;

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
            &run->traffic, bench_frame_of(run, i), run->options->frame_bytes, flow, flags);
    }
    run->n_found = 0;
    *cycles = bench_timed(run, subject, n);
    if (subject == BENCH_HASH && run->n_found != n)
        wrong = "rte_hash did not find every key";
    if (direction == BENCH_CLOSE && is_path)
        for (uint32_t i = 0; i < n; i++)
            bench_record_of(run, &run->traffic.flows[picked[i]])->state = TVS_S_ESTABLISHED;
    free(picked);
    return wrong != NULL ? wrong : check(run, &before, is_path ? n : 0);
}

const char *bench_repeat(struct bench_run *run, enum bench_direction direction,
                         enum bench_subject subject, double *cycles)
{
    if (subject == BENCH_TOUCH) /* whatever the direction: a packet of 60 bytes or more */
        return repeat_established(run, BENCH_REQUEST, subject, cycles);
    switch (direction) {
    case BENCH_NEW:
        return subject == BENCH_HASH ? repeat_new_hash(run, cycles)
                                     : repeat_new(run, subject, cycles);
    case BENCH_REFUSED:
        return repeat_refused(run, subject, cycles);
    case BENCH_SWEEP:
        return repeat_sweep(run, cycles);
    case BENCH_SYNC:
        return bench_sync_repeat(run, subject, cycles);
    default:
        return repeat_established(run, direction, subject, cycles);
    }
}
