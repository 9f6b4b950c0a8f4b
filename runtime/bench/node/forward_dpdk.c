/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tvs-forward: a plain DPDK forwarder, to tell what a device costs from what we cost. Its port,
 * queues, packet buffers, steering, bursts and its way to sleep are the daemon's, by the daemon's
 * own object files and the generation of a node; the packet path is not: each packet is rewritten
 * from constants (forward.h).
 *
 *   tvs-forward --generation G.so --device "net_tap0,iface=NAME,mac=..." --client IP --vip IP
 *               --own IP --map tcp:80:10.0.0.1:8080 [--map ...]
 *
 * The other side needs a static neighbour for it: it answers no ARP. SIGTERM ends it, and then it
 * says what it has forwarded.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "bench/node/forward.h"
#include "host/eal.h"
#include "host/generation.h"
#include "host/idle.h"
#include "host/mbuf.h"
#include "host/port.h"
#include "host/steering.h"
#include "host/worker.h"

struct options {
    const char *generation, *device;
    struct bench_forward forward;
};

static struct tvs_host host = {.exception_fd = -1};
static struct options options;
static struct tvs_generation generation;
static struct tvs_gen_port port;
static atomic_bool stop;

static unsigned turn(struct tvs_host_worker *self)
{
    struct rte_mbuf *mbufs[TVS_MAX_BURST], *out[TVS_MAX_BURST];
    uint16_t dpdk_id = host.ports[0].dpdk_id;
    uint16_t n = rte_eth_rx_burst(dpdk_id, self->index, mbufs, TVS_MAX_BURST);
    uint16_t n_out = 0;
    uint16_t sent;

    if (n == 0)
        return 0;
    tvs_mbufs_prefetch(mbufs, n);
    for (uint16_t i = 0; i < n; i++) {
        struct tvs_frame frame;

        tvs_frame_from_mbuf(&frame, mbufs[i], 0, 0);
        if (bench_forward_rewrite(&options.forward, &frame))
            out[n_out++] = mbufs[i];
        else
            rte_pktmbuf_free(mbufs[i]);
    }
    self->counters.rx_packets[0] += n;
    sent = rte_eth_tx_burst(dpdk_id, self->index, out, n_out);
    self->counters.tx_packets[0] += sent;
    if (sent < n_out)
        rte_pktmbuf_free_bulk(out + sent, n_out - sent);
    return n;
}

static int worker_run(void *context)
{
    struct tvs_host_worker *self = context;
    uint64_t tick_cycles = rte_get_tsc_hz() * TVS_TICK_MS / 1000;
    struct tvs_idle_state idle;

    if (generation.idle != TVS_IDLE_INTERRUPT) {
        while (!atomic_load_explicit(&stop, memory_order_relaxed))
            turn(self);
        return 0;
    }
    tvs_idle_start(&idle, self);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        if (turn(self) > 0)
            tvs_idle_worked(&idle);
        else
            tvs_idle_empty(&idle, rte_rdtsc() + tick_cycles);
    }
    tvs_idle_stop(&idle);
    return 0;
}

static int workers_make(void)
{
    host.workers = rte_zmalloc("workers", host.n_workers * sizeof(*host.workers), TVS_CACHE_LINE);
    if (host.workers == NULL)
        return -ENOMEM;
    for (uint16_t i = 0; i < host.n_workers; i++) {
        host.workers[i].host = &host;
        host.workers[i].index = i;
        host.workers[i].wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (host.workers[i].wake_fd < 0)
            return -errno;
    }
    return 0;
}

/* Where everything goes: the other end of the TAP, whose MAC tvs_port_tap_settle() has set. */
static void l2_make(void)
{
    struct bench_forward *forward = &options.forward;
    static const uint8_t type[2] = {0x08, 0x00};

    memcpy(forward->l2, host.ports[0].mac, 6);
    forward->l2[0] |= 0x02;
    forward->l2[5] ^= 0x01;
    memcpy(forward->l2 + 6, host.ports[0].mac, 6);
    memcpy(forward->l2 + 12, type, 2);
}

static int start(void)
{
    uint16_t queues;
    int error;

    if (tvs_port_tap_prepare() < 0 ||
        tvs_eal_start(&host.options, &generation, tvs_ports_bytes(&generation)) < 0)
        return -1;
    error = tvs_ports_start(&host);
    if (error == 0)
        error = tvs_steering_start(&host);
    if (error == 0)
        error = workers_make();
    if (error < 0)
        return error;
    l2_make();
    bench_forward_prepare(&options.forward);
    /* with fewer queues than workers (steering software) the others have nothing to do */
    queues = host.ports[0].n_rx_queues < host.ports[0].n_tx_queues ? host.ports[0].n_rx_queues
                                                                   : host.ports[0].n_tx_queues;
    for (uint16_t i = 0; i < host.n_workers && i < queues; i++)
        if (rte_eal_remote_launch(worker_run, &host.workers[i], TVS_LCORE_WORKER + i) < 0)
            return -1;
    return 0;
}

static int run(void)
{
    uint64_t received = 0, sent = 0;
    sigset_t set;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before threads are made, which inherit it */
    if (start() < 0)
        return 1;
    printf("ready\n");
    fflush(stdout);
    sigwait(&set, &number);
    atomic_store(&stop, true);
    for (uint16_t i = 0; i < host.n_workers; i++)
        eventfd_write(host.workers[i].wake_fd, 1);
    rte_eal_mp_wait_lcore();
    for (uint16_t i = 0; i < host.n_workers; i++) {
        received += host.workers[i].counters.rx_packets[0];
        sent += host.workers[i].counters.tx_packets[0];
    }
    printf("{\"received\": %lu, \"sent\": %lu}\n", received, sent);
    return 0;
}

static bool map_parse(const char *text)
{
    struct bench_forward *forward = &options.forward;
    uint32_t server_be;
    unsigned from, to;
    char proto[4], server[INET_ADDRSTRLEN];

    if (forward->n_rows == BENCH_FORWARD_ROWS ||
        sscanf(text, "%3[a-z]:%u:%15[0-9.]:%u", proto, &from, server, &to) != 4 ||
        inet_pton(AF_INET, server, &server_be) != 1 || from == 0 || from > UINT16_MAX || to == 0 ||
        to > UINT16_MAX || (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0))
        return false;
    forward->row[forward->n_rows++] = (struct bench_forward_row){
        .proto = strcmp(proto, "tcp") == 0 ? TVS_TCP : TVS_UDP,
        .port_be = htons((uint16_t)from),
        .server_be = server_be,
        .server_port_be = htons((uint16_t)to),
    };
    return true;
}

static bool option_take(int option, char *value)
{
    struct bench_forward *forward = &options.forward;

    switch (option) {
    case 'g':
        options.generation = value;
        return true;
    case 'd':
        options.device = value;
        return true;
    case 'r':
        host.options.run_dir = value;
        return true;
    case 'c':
        return inet_pton(AF_INET, value, &forward->client_be) == 1;
    case 'v':
        return inet_pton(AF_INET, value, &forward->vip_be) == 1;
    case 'o':
        return inet_pton(AF_INET, value, &forward->own_be) == 1;
    case 'm':
        return map_parse(value);
    default:
        return false;
    }
}

/* The node's generation with one port: ours. */
static int generation_take(void)
{
    char why[512] = "";
    struct tvs_bound *bound = tvs_generation_open(options.generation, why, sizeof(why));

    if (bound == NULL) {
        fprintf(stderr, "tvs-forward: %s\n", why);
        return -1;
    }
    generation = *bound->generation;
    port = generation.ports[0];
    port.vlan = 0; /* its link is its own, not the node's */
    port.device = options.device;
    generation.ports = &port;
    generation.n_ports = 1;
    bound->generation = &generation;
    host.bound = bound;
    host.n_workers = generation.cores.n_workers;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"generation", required_argument, NULL, 'g'}, {"device", required_argument, NULL, 'd'},
        {"run-dir", required_argument, NULL, 'r'},    {"client", required_argument, NULL, 'c'},
        {"vip", required_argument, NULL, 'v'},        {"own", required_argument, NULL, 'o'},

        {"map", required_argument, NULL, 'm'},        {NULL, 0, NULL, 0},
    };
    const struct bench_forward *forward = &options.forward;
    int option;

    host.options.log_level = TVS_LOG_WARNING;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (!option_take(option, optarg))
            break;
    if (option != -1 || optind != argc || options.generation == NULL || options.device == NULL ||
        host.options.run_dir == NULL || forward->n_rows == 0 || forward->client_be == 0 ||
        forward->vip_be == 0 || forward->own_be == 0) {
        fprintf(stderr, "usage: tvs-forward --generation G.so --device DEVICE --run-dir DIR "
                        "--client IP --vip IP --own IP --map tcp|udp:PORT:SERVER:PORT...\n");
        return 2;
    }
    return generation_take() < 0 ? 1 : run();
}
