/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/node/latency_node.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "core/wire.h"
#include "host/backends.h"
#include "host/eal.h"
#include "host/generation.h"
#include "host/worker.h"

enum {
    SESSIONS_PER_BUCKET = 4, /* as the compiler sizes the table */
    MBUFS = 8192,
    MBUF_CACHE = 64,
    STREAM_ALIGN = 2 << 20,
    SETTLE_MS = 60, /* retired rings go, rings are rebuilt */
};

/* ---- the generation, cut to one worker ------------------------------------------------------- */

static uint32_t local_ports(const struct tvs_generation *generation)
{
    return (uint32_t)generation->memory.port_last - generation->memory.port_first + 1;
}

/* Local IPs of worker 0, as many as the sessions need; returns how many there are. */
static uint32_t lips_cut(struct bench_node *node, const struct tvs_generation *generation)
{
    uint32_t ports = local_ports(generation);
    uint32_t wanted = (node->options->sessions + ports - 1) / ports;
    uint32_t n = 0;

    for (uint32_t i = 0; i < generation->n_lips; i++)
        if (generation->lips[i].worker == 0 && generation->lips[i].slot < wanted)
            node->lips[n++] = generation->lips[i];
    return n;
}

static const char *patch(struct bench_node *node, struct tvs_bound *bound, unsigned at)
{
    const struct bench_latency_options *options = node->options;
    struct tvs_generation *generation = &node->patched[at];

    *generation = *bound->generation;
    if (node->lips == NULL)
        node->lips = calloc(generation->n_lips + 1, sizeof(*node->lips));
    if (node->lips == NULL)
        return "not enough memory";
    generation->n_lips = lips_cut(node, bound->generation);
    generation->lips = node->lips;
    if ((uint64_t)generation->n_lips * local_ports(generation) < options->sessions)
        return "the first worker has fewer local ports than sessions are wanted";
    generation->memory.sessions_per_worker = options->sessions;
    generation->memory.buckets_per_worker = 2;
    while (generation->memory.buckets_per_worker * SESSIONS_PER_BUCKET < options->sessions)
        generation->memory.buckets_per_worker *= 2;
    generation->memory.hugepages = options->huge;
    generation->memory.hugepage_mb = 0;
    generation->idle = TVS_IDLE_BUSY;
    generation->n_ports = 1;
    generation->ports = &node->port;
    node->worker_core = (int16_t)options->worker_core;
    generation->cores = (struct tvs_gen_cores){
        .control = (int16_t)options->control_core,
        .n_workers = 1,
        .workers = &node->worker_core,
    };
    bound->generation = generation;
    return NULL;
}

/* ---- the control thread ---------------------------------------------------------------------- */

static void turn_over(void *context)
{
    tvs_loop_stop(((struct bench_node *)context)->host.loop);
}

void bench_node_turn(struct bench_node *node, uint32_t ms)
{
    tvs_timer_init(&node->timer, turn_over, node);
    tvs_timer_set(node->host.loop, &node->timer, ms, 0);
    tvs_loop_run(node->host.loop);
}

static const char *generation_load(struct bench_node *node, unsigned at, struct tvs_bound **bound)
{
    static char why[512];
    const char *wrong;

    *bound = tvs_generation_open(node->options->generation, why, sizeof(why));
    if (*bound == NULL)
        return why;
    wrong = patch(node, *bound, at);
    if (wrong == NULL && tvs_generation_bind(&node->host, *bound, why, sizeof(why)) < 0)
        wrong = why;
    if (wrong != NULL)
        tvs_generation_close(*bound);
    return wrong;
}

/* The steps of tvs_generation_reload(), which would refuse the cut sizes. */
const char *bench_node_flip(struct bench_node *node)
{
    const struct tvs_bound *old = node->host.bound;
    struct tvs_bound *bound;
    const char *wrong = generation_load(node, (node->at + 1) % BENCH_GENERATIONS, &bound);

    if (wrong != NULL)
        return wrong;
    node->at = (node->at + 1) % BENCH_GENERATIONS;
    node->host.bound = bound;
    if (tvs_workers_flip(&node->host, bound) < 0)
        return "the worker did not take the new generation within a second";
    tvs_backends_settle(&node->host);
    tvs_generation_close((struct tvs_bound *)(uintptr_t)old);
    return NULL;
}

const char *bench_node_change(struct bench_node *node, uint32_t number)
{
    uint32_t id = number / 2 % tvs_backends_count(&node->host);
    const struct tvs_backend_info *info = tvs_backends_info(&node->host, id);

    if (number % 2 == 0)
        tvs_backends_drain(&node->host, id, !info->drain);
    else if (tvs_backends_weight(&node->host, id, info->weight % 100 + 1) < 0)
        return "a weight is refused";
    return NULL;
}

/* ---- sessions -------------------------------------------------------------------------------- */

static const char *aim(struct bench_node *node)
{
    const struct tvs_generation *generation = node->host.bound->generation;

    for (uint32_t i = 0; i < generation->n_services; i++)
        if (generation->services[i].proto == node->options->proto) {
            node->traffic.proto = node->options->proto;
            node->traffic.vip_be = htobe32(generation->services[i].vip);
            node->traffic.vip_port_be = htobe16(generation->services[i].port);
            node->traffic.steering = &generation->steering;
            return NULL;
        }
    return "the generation has no service of this protocol";
}

typedef void (*write_fn)(const struct bench_traffic *, uint8_t *, uint32_t,
                         const struct bench_flow *, uint8_t);

/* One packet of each of `n` flows through the path, before the worker's thread runs. */
static bool packets_pass(struct bench_node *node, struct bench_flow *flows, unsigned n,
                         write_fn write, uint8_t flags, bool learn)
{
    static uint8_t pool[TVS_MAX_BURST][BENCH_FRAME_AT + BENCH_MIN_FRAME] TVS_CACHE_ALIGNED;
    struct tvs_frame frames[TVS_MAX_BURST];
    struct tvs_worker *core = node->host.workers[0].core;

    for (unsigned i = 0; i < n; i++) {
        uint8_t *data = pool[i] + BENCH_FRAME_AT;

        write(&node->traffic, data, BENCH_MIN_FRAME, &flows[i], flags);
        frames[i] =
            (struct tvs_frame){.data = data, .len = BENCH_MIN_FRAME, .headroom = BENCH_FRAME_AT};
    }
    node->host.bound->generation->burst(core, frames, n);
    for (unsigned i = 0; i < n; i++) {
        if (frames[i].verdict != TVS_V_TX)
            return false;
        if (learn)
            bench_flow_learn(&flows[i], frames[i].data);
    }
    return true;
}

static const char *sessions_open(struct bench_node *node)
{
    struct bench_traffic *traffic = &node->traffic;
    uint32_t sessions = node->options->sessions;
    bool is_tcp = traffic->proto == TVS_TCP;
    bool good = true;

    traffic->n_flows = sessions;
    traffic->flows = calloc(sessions, sizeof(*traffic->flows));
    if (traffic->flows == NULL)
        return "not enough memory";
    for (uint32_t i = 0; i < sessions; i++)
        traffic->flows[i] = bench_flow_fresh(traffic);
    bench_flows_shuffle(traffic);
    for (uint32_t at = 0; at < sessions && good; at += TVS_MAX_BURST) {
        struct bench_flow *flows = traffic->flows + at;
        unsigned n = sessions - at < TVS_MAX_BURST ? sessions - at : TVS_MAX_BURST;

        good = packets_pass(node, flows, n, bench_write_request, TVS_TCP_SYN, true);
        if (good && is_tcp)
            good =
                packets_pass(node, flows, n, bench_write_reply, TVS_TCP_SYN | TVS_TCP_ACK, false) &&
                packets_pass(node, flows, n, bench_write_request, TVS_TCP_ACK, false);
    }
    return good ? NULL : "sessions could not be opened: the site has no server that is up?";
}

/* Requests and replies of random sessions, each with an exponential gap to the one before. */
static const char *stream_make(struct bench_node *node)
{
    struct bench_traffic *traffic = &node->traffic;
    uint32_t n = node->options->stream;
    size_t bytes = (size_t)n * sizeof(*node->stream);

    node->stream = aligned_alloc(STREAM_ALIGN, (bytes + STREAM_ALIGN - 1) & -(size_t)STREAM_ALIGN);
    if (node->stream == NULL)
        return "not enough memory";
    madvise(node->stream, bytes, MADV_HUGEPAGE);
    bench_pattern_set(traffic, BENCH_UNIFORM);
    for (uint32_t i = 0; i < n; i++) {
        struct bench_arrival *arrival = &node->stream[i];
        const struct bench_flow *flow = &traffic->flows[bench_flow_pick(traffic)];
        double uniform = (bench_random(traffic, 1U << 31) + 0.5) / 0x1p31;
        double gap = -log(uniform);

        (bench_random(traffic, 2) == 0 ? bench_write_request : bench_write_reply)(
            traffic, arrival->frame, BENCH_MIN_FRAME, flow, TVS_TCP_ACK);
        arrival->gap_q16 = (uint32_t)(gap * 65536.0 + 0.5);
    }
    node->device.stream = node->stream;
    node->device.stream_mask = n - 1;
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Everybody is behind the one port. */
static uint16_t route(const void *fib, uint32_t daddr_be)
{
    (void)fib;
    (void)daddr_be;
    return 1;
}

static const char *device_start(struct bench_node *node)
{
    struct tvs_host *host = &node->host;
    struct tvs_host_port *port = &host->ports[0];
    int error;

    host->mbufs = rte_pktmbuf_pool_create("tvs", MBUFS, MBUF_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                          SOCKET_ID_ANY);
    if (host->mbufs == NULL)
        return "no memory for packet buffers";
    *port = (struct tvs_host_port){
        .config = &node->port, .n_rx_queues = 1, .n_tx_queues = 1, .mac = {0x02}};
    error = rte_eth_dev_get_port_by_name("net_null0", &port->dpdk_id);
    if (error == 0)
        error = bench_device_start(&node->device, port->dpdk_id, host->mbufs);
    host->n_ports = 1;
    return error < 0 ? "DPDK's null device does not start" : NULL;
}

static void backends_up(struct bench_node *node)
{
    bench_node_turn(node, 1);
    for (uint32_t id = 0; id < tvs_backends_count(&node->host); id++)
        tvs_backends_health(&node->host, id, true);
    bench_node_turn(node, SETTLE_MS);
}

static const char *worker_make(struct bench_node *node)
{
    struct tvs_host *host = &node->host;
    struct tvs_worker *core;

    if (tvs_workers_start(host) < 0)
        return "no memory for the worker's sessions";
    core = host->workers[0].core;
    host->workers[0].core->nexthops = host->nexthops;
    core->route = host->route;
    core->now_tick = 1;
    core->fib = host;
    core->fib_epoch = 1;
    atomic_store(&host->published.fib, host);
    atomic_store(&host->published.fib_epoch, 1);
    return NULL;
}

static const char *host_start(struct bench_node *node)
{
    struct tvs_host *host = &node->host;
    static char why[512];
    const char *wrong;
    struct tvs_bound *bound = tvs_generation_open(node->options->generation, why, sizeof(why));

    if (bound == NULL)
        return why;
    wrong = patch(node, bound, 0);
    if (wrong != NULL)
        return wrong;
    host->bound = bound;
    host->n_workers = 1;
    host->options.run_dir = node->run_dir;
    host->options.log_level = TVS_LOG_WARNING;
    if (tvs_eal_start(&host->options, bound->generation,
                      tvs_workers_bytes(bound->generation) + (uint64_t)MBUFS * 3072) < 0)
        return "DPDK does not start";
    host->loop = tvs_loop_new();
    if (host->loop == NULL)
        return "no event loop";
    wrong = device_start(node);
    if (wrong == NULL)
        wrong = worker_make(node);
    if (wrong == NULL && (tvs_services_start(host) < 0 || tvs_backends_start(host) < 0))
        wrong = "not enough memory";
    if (wrong == NULL && tvs_generation_bind(host, bound, why, sizeof(why)) < 0)
        wrong = why;
    if (wrong != NULL)
        return wrong;
    atomic_store(&host->published.bound, bound);
    host->workers[0].core->binding = &bound->binding;
    return NULL;
}

const char *bench_node_start(struct bench_node *node, const struct bench_latency_options *options)
{
    const char *wrong;

    node->options = options;
    node->port = (struct tvs_gen_port){
        .name = "bench", .device = "net_null0,no-rx=1", .is_vdev = true, .socket = -1, .mtu = 1500};
    node->nexthops[1] =
        (struct tvs_nexthop){.l2 = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 8}, .valid = 1};
    node->host.exception_fd = -1;
    node->host.route = route;
    node->host.nexthops = node->nexthops;
    node->traffic.random = options->seed;
    snprintf(node->run_dir, sizeof(node->run_dir), "/tmp/tvs-latency-XXXXXX");
    if (mkdtemp(node->run_dir) == NULL)
        return "no directory in /tmp";
    wrong = host_start(node);
    rmdir(node->run_dir);
    if (wrong != NULL)
        return wrong;
    backends_up(node);
    wrong = aim(node);
    if (wrong == NULL)
        wrong = sessions_open(node);
    if (wrong == NULL)
        wrong = stream_make(node);
    node->device.worker = &node->host.workers[0];
    node->device.round_cycles = options->round_us * (rte_get_tsc_hz() / 1000000);
    node->device.long_turn_cycles = BENCH_LONG_TURN_US * (rte_get_tsc_hz() / 1000000);
    return wrong;
}

const char *bench_node_launch(struct bench_node *node)
{
    if (tvs_workers_launch(&node->host) < 0)
        return "the worker does not start";
    while (!tvs_workers_turning(&node->host))
        bench_node_turn(node, 1);
    return NULL;
}

void bench_node_join(struct bench_node *node)
{
    tvs_workers_join(&node->host);
}

void bench_node_stop(struct bench_node *node)
{
    tvs_backends_stop(&node->host);
    free(node->stream);
    free(node->traffic.flows);
    free(node->lips);
}
