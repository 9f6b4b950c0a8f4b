/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_NS = TVS_TICK_MS * 1000000, SWEEP_PERIOD_TICKS = 10 };

struct replay {
    const struct tvs_replay_config *config;
    struct tvs_node *node;
    struct tvs_stats_capture *stats;
    int64_t first_ns, elapsed_ns;
    uint64_t tick;       /* of the capture; the node sees its low 32 bits */
    uint64_t downs_done; /* bit per event */

    uint32_t n_batch;
    struct tvs_node_packet batch[TVS_MAX_BURST];
    int64_t time_ns[TVS_MAX_BURST];
};

/* Ticks until the first live record may be freed, at least 1; `limit` when none is earlier. */
static uint64_t idle_ticks(const struct tvs_node *node, uint64_t limit)
{
    uint64_t least = limit;

    for (uint16_t w = 0; w < node->n_workers; w++) {
        const struct tvs_worker *worker = node->workers[w];

        for (size_t i = 0; worker->n_sessions && i < (size_t)worker->n_slots << 16; i++) {
            const struct tvs_record *record = &worker->records[i];
            int32_t left = (int32_t)(record->expires_tick - worker->now_tick);

            if (record->state == TVS_S_FREE)
                continue;
            if (left < 1)
                return 1;
            if ((uint64_t)left < least)
                least = (uint64_t)left;
        }
    }
    return least;
}

static bool has_sessions(const struct tvs_node *node)
{
    for (uint16_t w = 0; w < node->n_workers; w++) {
        if (node->workers[w]->n_sessions)
            return true;
    }
    return false;
}

static void clock_advance(struct replay *replay, uint64_t target)
{
    struct tvs_node *node = replay->node;

    while (replay->tick < target) {
        uint64_t left = target - replay->tick, step = 1;
        uint32_t period = SWEEP_PERIOD_TICKS;

        if (!has_sessions(node)) {
            step = left;
        } else if (left > SWEEP_PERIOD_TICKS) {
            /* nothing happens until the next deadline: go there at once, in whole sweeps */
            step = idle_ticks(node, left) + SWEEP_PERIOD_TICKS - 1;
            step -= step % SWEEP_PERIOD_TICKS;
            step = step < left ? step : left;
            period = 1;
        }
        replay->tick += step;
        tvs_node_set_tick(node, (uint32_t)replay->tick);
        for (uint16_t w = 0; w < node->n_workers; w++) {
            struct tvs_worker *worker = node->workers[w];

            if (worker->n_sessions)
                tvs_worker_sweep(worker, tvs_worker_sweep_budget(worker, period));
        }
    }
}

static int servers_fail(struct replay *replay, char *error, size_t error_bytes)
{
    const struct tvs_generation *generation = replay->node->generation;

    for (uint32_t e = 0; e < replay->config->n_downs; e++) {
        const struct tvs_replay_down *down = &replay->config->down[e];

        if (down->after_ns > replay->elapsed_ns || (replay->downs_done >> e & 1))
            continue;
        replay->downs_done |= UINT64_C(1) << e;
        for (uint32_t p = 0; p < generation->n_pools; p++) {
            for (uint32_t i = 0; i < generation->pools[p].n_backends; i++) {
                const struct tvs_gen_backend *server = &generation->pools[p].backends[i];
                int rc;

                if (server->address != down->address || server->port != down->port)
                    continue;
                rc = tvs_node_set_backend(replay->node, p, i, TVS_BACKEND_DOWN, server->weight);
                if (rc) {
                    snprintf(error, error_bytes, "schedule ring: %s", strerror(-rc));
                    return rc;
                }
            }
        }
    }
    return 0;
}

static void trace_write(FILE *file, uint64_t number, int64_t time_ns,
                        const struct tvs_node_packet *packet)
{
    static const char *const verdicts[] = {"none", "tx", "kernel", "handover", "drop"};

    fprintf(file, "{\"packet\": %" PRIu64 ", \"time_ns\": %" PRId64, number, time_ns);
    if (packet->verdict == TVS_V_NONE) { /* ended at the port: no worker's path saw it */
        fputs(", \"verdict\": \"drop\", \"reason\": \"other_vlan\"}\n", file);
        return;
    }
    fprintf(file, ", \"rx_worker\": %u, \"worker\": %u, \"verdict\": \"%s\"", packet->rx_worker,
            packet->worker, verdicts[packet->verdict]);
    if (packet->verdict == TVS_V_TX)
        fprintf(file, ", \"port\": %u", packet->arg);
    if (packet->verdict == TVS_V_DROP)
        fprintf(file, ", \"reason\": \"%s\"", tvs_drop_name(packet->arg));
    fputs("}\n", file);
}

static int batch_run(struct replay *replay, char *error, size_t error_bytes)
{
    const struct tvs_replay_config *config = replay->config;
    uint64_t first = replay->stats->packets - replay->n_batch;
    int rc = tvs_node_run(replay->node, replay->batch, replay->n_batch);

    if (rc)
        snprintf(error, error_bytes, "the packet path failed: %s", strerror(-rc));
    for (uint32_t i = 0; i < replay->n_batch; i++) {
        const struct tvs_node_packet *packet = &replay->batch[i];

        if (rc) {
            free((void *)(uintptr_t)packet->data);
            continue;
        }
        if (packet->verdict == TVS_V_TX)
            tvs_pcap_write(config->out, replay->time_ns[i], packet->result, packet->result_len);
        if (packet->verdict == TVS_V_KERNEL && config->kernel)
            tvs_pcap_write(config->kernel, replay->time_ns[i], packet->result, packet->result_len);
        if (config->trace)
            trace_write(config->trace, first + i, replay->time_ns[i], packet);
        replay->stats->handed_over += packet->worker != packet->rx_worker;
        free((void *)(uintptr_t)packet->data);
    }
    replay->n_batch = 0;
    return rc;
}

/* The capture's own time, or the fixed spacing; never backwards. */
static void elapsed_update(struct replay *replay, int64_t time_ns)
{
    int64_t elapsed_ns;

    if (replay->stats->packets == 0)
        replay->first_ns = time_ns;
    if (replay->config->spacing_ns) {
        if (__builtin_mul_overflow((int64_t)replay->stats->packets, replay->config->spacing_ns,
                                   &elapsed_ns))
            return;
    } else if (__builtin_sub_overflow(time_ns, replay->first_ns, &elapsed_ns)) {
        return;
    }
    if (elapsed_ns > replay->elapsed_ns)
        replay->elapsed_ns = elapsed_ns;
}

static int packet_add(struct replay *replay, const struct tvs_pcap_packet *packet, char *error,
                      size_t error_bytes)
{
    uint64_t tick;
    uint8_t *copy;
    int rc;

    elapsed_update(replay, packet->time_ns);
    tick = 1 + (uint64_t)replay->elapsed_ns / TICK_NS;
    if (replay->n_batch && (tick != replay->tick || replay->n_batch == replay->config->burst)) {
        rc = batch_run(replay, error, error_bytes);
        if (rc)
            return rc;
    }
    clock_advance(replay, tick);
    rc = servers_fail(replay, error, error_bytes);
    if (rc)
        return rc;

    copy = malloc(packet->len ? packet->len : 1);
    if (!copy) {
        snprintf(error, error_bytes, "not enough memory");
        return -ENOMEM;
    }
    memcpy(copy, packet->data, packet->len);
    replay->time_ns[replay->n_batch] = packet->time_ns;
    replay->batch[replay->n_batch++] = (struct tvs_node_packet){
        .data = copy,
        .len = packet->len,
        .rx_worker = replay->config->worker,
    };
    replay->stats->packets++;
    replay->stats->cut += packet->len < packet->wire_len;
    return 0;
}

int tvs_replay_run(const struct tvs_replay_config *config, struct tvs_node *node,
                   struct tvs_stats_capture *stats, char *error, size_t error_bytes)
{
    struct replay replay = {.config = config, .node = node, .stats = stats};
    struct tvs_pcap_packet packet;
    char later[128];
    int rc, rest;

    clock_advance(&replay, 1);
    do {
        rc = tvs_pcap_read(config->in, &packet, error, error_bytes);
        if (rc <= 0)
            break;
        rc = packet_add(&replay, &packet, error, error_bytes);
    } while (!rc);
    rest = batch_run(&replay, rc ? later : error, rc ? sizeof(later) : error_bytes);
    stats->seconds = (double)replay.elapsed_ns / 1e9;
    return rc ? rc : rest;
}
