/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tvsd: brings a node up from its generation, in the order of `stages`, and takes it down in the
 * reverse one. Nothing is announced before steering was read back, every worker turns, the first
 * round of health checks is done, and the peers have told of the sessions that they have.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_errno.h>

#include "backends.h"
#include "eal.h"
#include "generation.h"
#include "machine.h"
#include "notify.h"
#include "peers.h"
#include "port.h"
#include "secret.h"
#include "steering.h"
#include "vips.h"
#include "watchdog.h"
#include "worker.h"

enum { READY_LOOK_MS = 20, DRAIN_MS = 200 };

static struct tvs_host host = {.exception_fd = -1};
static struct tvs_timer ready_timer;
static struct tvs_timer drain_timer;
static int signal_fd = -1;

/* ---- stages without a file of their own ------------------------------------------------------ */

static void on_signal(void *context, int fd, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)context;
    (void)events;
    if (read(fd, &info, sizeof info) != sizeof info)
        return;
    if (drain_timer.heap_index != 0) { /* the second one does not wait */
        tvs_loop_stop(host.loop);
        return;
    }
    tvs_info("signal %u: stopping", info.ssi_signo);
    tvs_host_stop(&host, 0);
}

static int signals_start(struct tvs_host *unused)
{
    sigset_t set;

    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0)
        return -errno;
    return tvs_loop_add(host.loop, signal_fd, EPOLLIN, on_signal, &host);
}

static void signals_stop(struct tvs_host *unused)
{
    (void)unused;
    if (signal_fd < 0)
        return;
    tvs_loop_remove(host.loop, signal_fd);
    close(signal_fd);
}

static int bind_start(struct tvs_host *unused)
{
    char why[512] = "";
    struct tvs_bound *bound = (struct tvs_bound *)(uintptr_t)host.bound;
    int error = tvs_generation_bind(&host, bound, why, sizeof why);

    (void)unused;
    if (error < 0)
        tvs_error("%s: %s", bound->path, why);
    atomic_store_explicit(&host.published.bound, bound, memory_order_release);
    return error;
}

static void bind_stop(struct tvs_host *unused)
{
    (void)unused;
}

static void drained(void *context)
{
    tvs_loop_stop(((struct tvs_host *)context)->loop);
}

void tvs_host_stop(struct tvs_host *self, int status)
{
    tvs_notify("STOPPING=1");
    self->exit_status = status;
    self->announced = false;
    tvs_timer_unset(self->loop, &ready_timer);
    tvs_exception_withdraw(self);
    /* packets keep coming until the fabric has seen the routes go: forward them that long */
    if (tvs_timer_set(self->loop, &drain_timer, DRAIN_MS, 0) < 0)
        tvs_loop_stop(self->loop);
}

/* ---- announcing ------------------------------------------------------------------------------ */

static void announce_when_ready(void *context)
{
    struct tvs_host *self = context;
    int error;

    if (!tvs_workers_turning(self) || !tvs_health_ready(self) || !tvs_peers_ready(self))
        return;
    for (uint16_t i = 0; i < self->n_ports; i++)
        if (!self->ports[i].steering_verified)
            return;
    tvs_timer_unset(self->loop, &ready_timer);
    tvs_peers_look(self); /* what is waited for is logged before what waited */
    tvs_backends_flush(self);
    error = tvs_exception_announce(self);
    if (error < 0) {
        tvs_error("routes cannot be announced: %s", strerror(-error));
        tvs_host_stop(self, 1);
        return;
    }
    self->announced = true;
    tvs_notify("READY=1");
    tvs_info("node %s announces %u routes, %llu ms after start", self->bound->generation->node,
             tvs_generation_n_routes(self->bound->generation) -
                 tvs_vips_n_withheld(self->bound->vips),
             (unsigned long long)(tvs_loop_now_ms(self->loop) - self->started_ms));
}

static int announce_start(struct tvs_host *self)
{
    tvs_timer_init(&drain_timer, drained, self);
    tvs_timer_init(&ready_timer, announce_when_ready, self);
    return tvs_timer_set(self->loop, &ready_timer, 0, READY_LOOK_MS);
}

static void announce_stop(struct tvs_host *self)
{
    tvs_timer_unset(self->loop, &ready_timer);
    tvs_timer_unset(self->loop, &drain_timer);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static const struct stage {
    const char *name;
    int (*start)(struct tvs_host *host);
    void (*stop)(struct tvs_host *host);
} stages[] = {
    {"signals", signals_start, signals_stop},
    {"ports", tvs_ports_start, tvs_ports_stop},
    {"steering", tvs_steering_start, tvs_steering_stop},
    {"worker memory", tvs_workers_start, tvs_workers_stop},
    {"session sync", tvs_peers_start, tvs_peers_stop},
    {"services", tvs_services_start, tvs_services_stop},
    {"backends", tvs_backends_start, tvs_backends_stop},
    {"generation", bind_start, bind_stop},
    {"exception path", tvs_exception_start, tvs_exception_stop},
    {"netlink", tvs_netlink_start, tvs_netlink_stop},
    {"workers", tvs_workers_launch, tvs_workers_join},
    {"health checks", tvs_health_start, tvs_health_stop},
    {"control socket", tvs_control_start, tvs_control_stop},
    {"watchdog", tvs_watchdog_start, tvs_watchdog_stop},
    {"announcement", announce_start, announce_stop},
};
enum { N_STAGES = sizeof stages / sizeof stages[0] };

static int run(void)
{
    unsigned started = 0;
    int error = 0;

    while (error == 0 && started < N_STAGES) {
        tvs_debug("starting %s", stages[started].name);
        error = stages[started].start(&host);
        if (error < 0)
            tvs_error("%s: %s", stages[started].name, rte_strerror(-error));
        started++;
    }
    if (error == 0)
        error = tvs_loop_run(host.loop);
    else
        host.exit_status = 1;
    while (started-- > 0)
        stages[started].stop(&host);
    return error < 0 ? 1 : host.exit_status;
}

/* Whether the key of session sync is there, if it is wanted. */
static int check_sync(const struct tvs_gen_sync *sync)
{
    uint64_t key[2];
    int error;

    if (sync->n_peers == 0)
        return 0;
    error = tvs_secret_key(sync, host.options.secrets_dir, key);
    explicit_bzero(key, sizeof key);
    if (error == 0)
        printf("session sync with %u nodes on UDP port %u, the key is there\n", sync->n_peers,
               sync->port);
    return error;
}

static int check(const struct tvs_bound *bound)
{
    const struct tvs_generation *generation = bound->generation;

    printf("%s: fits\n", bound->path);
    printf("node %s of cluster %s, site %s, generation %s by %s\n", generation->node,
           generation->cluster, generation->site, generation->id, generation->compiler);
    printf("%u ports, %u workers, %u local IPs, %u services, %u pools, %u flow rules\n",
           generation->n_ports, generation->cores.n_workers, generation->n_lips,
           generation->n_services, generation->n_pools, generation->steering.n_rules);
    printf("%llu MB for sessions, %llu MB for packets\n",
           (unsigned long long)(tvs_workers_bytes(generation) >> 20),
           (unsigned long long)(tvs_ports_bytes(generation) >> 20));
    return check_sync(&generation->sync) < 0 ? 1 : 0;
}

/*
 * Threads that EAL and others make inherit the mask: only the loop's descriptor sees the signals.
 */
static int block_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    char why[512] = "";
    struct tvs_bound *bound;
    uint64_t session_bytes;
    int parsed = tvs_options_parse(&host.options, argc, argv);

    if (parsed != 0)
        return parsed < 0 ? 2 : 0;
    tvs_log_level_set(host.options.log_level);
    bound = tvs_generation_open(host.options.generation, why, sizeof why);
    if (bound == NULL) {
        tvs_error("%s", why);
        return 1;
    }
    session_bytes = tvs_workers_bytes(bound->generation);
    if (session_bytes == 0) {
        tvs_error("%s: refused: its session memory is outside the limits", bound->path);
        return 1;
    }
    if (host.options.check)
        return check(bound);
    if (mkdir(host.options.run_dir, 0755) < 0 && errno != EEXIST) {
        tvs_error("%s: %s", host.options.run_dir, strerror(errno));
        return 1;
    }
    host.bound = bound;
    host.n_workers = bound->generation->cores.n_workers;
    if (tvs_machine_check(bound->generation) < 0)
        return 1;
    if (block_signals() < 0 || tvs_port_tap_prepare() < 0 ||
        tvs_eal_start(&host.options, bound->generation,
                      session_bytes + tvs_ports_bytes(bound->generation)) < 0)
        return 1;
    host.loop = tvs_loop_new();
    if (host.loop == NULL) {
        tvs_error("epoll: %s", strerror(errno));
        return 1;
    }
    host.started_ms = tvs_loop_now_ms(host.loop);
    tvs_info("node %s of cluster %s, generation %s by %s, %u workers, idle %s",
             bound->generation->node, bound->generation->cluster, bound->generation->id,
             bound->generation->compiler, host.n_workers,
             bound->generation->idle == TVS_IDLE_INTERRUPT ? "interrupt" : "busy");
    parsed = run();
    tvs_loop_free(host.loop);
    return parsed;
}
