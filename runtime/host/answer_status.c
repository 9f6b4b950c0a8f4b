/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's `status` and `counters`. */
#include <unistd.h>

#include "backends.h"
#include "control_answer.h"
#include "counter_names.h"
#include "exception.h"
#include "health.h"
#include "host.h"
#include "netlink.h"
#include "peers.h"
#include "vips.h"

static json_t *number(const uint64_t *value)
{
    return json_integer((json_int_t)__atomic_load_n(value, __ATOMIC_RELAXED));
}

static json_t *path_counters(const struct tvs_counters *counters)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < tvs_counter_count(); i++)
        json_object_set_new(object, tvs_counter_name(i), number(tvs_counter_at(counters, i)));
    return object;
}

/* Every reason, zeros too: who watches one finds it before it happens. */
static json_t *drops(const struct tvs_counters *path, const struct tvs_host_counters *host)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < TVS_N_DROPS; i++)
        json_object_set_new(object, tvs_drop_name(i), number(&path->drops[i]));
    for (unsigned i = 0; i < TVS_N_HOST_DROPS; i++)
        json_object_set_new(object, tvs_host_drop_name(i), number(&host->drops[i]));
    return object;
}

static json_t *per_port(const uint64_t *counters, unsigned n)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, number(&counters[i]));
    return list;
}

static json_t *host_counters(const struct tvs_host *host, const struct tvs_host_counters *counters)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rx_packets",
                     per_port(counters->rx_packets, host->n_ports), "tx_packets",
                     per_port(counters->tx_packets, host->n_ports), "exception_rx",
                     number(&counters->exception_rx), "exception_tx",
                     number(&counters->exception_tx), "handover_out",
                     number(&counters->handover_out), "handover_in", number(&counters->handover_in),
                     "polls_empty", number(&counters->polls_empty), "sleeps",
                     number(&counters->sleeps));
}

/* null: the cluster has no session sync. */
static json_t *sync_counters(const struct tvs_sync *sync)
{
    json_t *object;

    if (sync == NULL)
        return json_null();
    object = json_object();
    for (unsigned i = 0; i < tvs_sync_counter_count(); i++)
        json_object_set_new(object, tvs_sync_counter_name(i),
                            json_integer((json_int_t)tvs_sync_counter(sync, i)));
    return object;
}

static json_t *sync_state(const struct tvs_host *host)
{
    const struct tvs_gen_sync *sync = &host->bound->generation->sync;
    json_t *peers;

    if (sync->n_peers == 0)
        return json_null();
    peers = json_array();
    for (uint32_t i = 0; i < sync->n_peers; i++)
        json_array_append_new(peers, json_pack("{s:s, s:s}", "node", sync->peers[i].name, "state",
                                               tvs_peer_state_name(tvs_peer_state(host, i))));
    return json_pack("{s:b, s:i, s:o}", "ready", (int)tvs_peers_ready(host), "port",
                     (int)sync->port, "peers", peers);
}

static json_t *workers(const struct tvs_host *host)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < host->n_workers; i++) {
        const struct tvs_host_worker *worker = &host->workers[i];
        const struct tvs_worker *core = worker->core;

        json_array_append_new(
            list,
            json_pack("{s:i, s:i, s:I, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "worker",
                      (int)i, "lcore", (int)worker->lcore, "turns",
                      (json_int_t)atomic_load_explicit(&worker->turns, memory_order_relaxed),
                      "asleep", (int)atomic_load_explicit(&worker->asleep, memory_order_relaxed),
                      "tick", (json_int_t)__atomic_load_n(&core->now_tick, __ATOMIC_RELAXED),
                      "sessions", (json_int_t)__atomic_load_n(&core->n_sessions, __ATOMIC_RELAXED),
                      "sessions_max", (json_int_t)core->max_sessions, "copies",
                      (json_int_t)__atomic_load_n(&core->n_copies, __ATOMIC_RELAXED), "sync",
                      sync_counters(core->sync), "counters", path_counters(&core->counters), "host",
                      host_counters(host, &worker->counters), "drops",
                      drops(&core->counters, &worker->counters)));
    }
    return list;
}

static json_t *exception(const struct tvs_host *host)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < host->n_ports; i++) {
        const struct tvs_exception_port *port = tvs_exception_port(host, i);

        if (!port)
            continue;
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "name", port->name,
                                              "ifindex", (json_int_t)port->ifindex, "to_kernel",
                                              (json_int_t)port->to_kernel, "to_kernel_lost",
                                              (json_int_t)port->to_kernel_lost, "from_kernel",
                                              (json_int_t)port->from_kernel, "from_kernel_lost",
                                              (json_int_t)port->from_kernel_lost));
    }
    return list;
}

json_t *tvs_answer_counters(struct tvs_host *host)
{
    return json_pack("{s:s, s:o, s:o}", "node", host->bound->generation->node, "exception",
                     exception(host), "workers", workers(host));
}

static json_t *vlan(const struct tvs_host_port *port)
{
    return port->config->vlan ? json_integer(port->config->vlan) : json_null();
}

static json_t *ports(const struct tvs_host *host)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < host->n_ports; i++) {
        const struct tvs_host_port *port = &host->ports[i];

        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:o, s:i, s:o, s:b, s:o, s:i, s:i, s:b, s:b}", "name",
                      port->config->name, "device", port->config->device, "driver", port->driver,
                      "mac", tvs_json_mac(port->mac), "mtu", (int)port->config->mtu, "vlan",
                      vlan(port), "vlan_by_device", (int)port->vlan_by_device, "address",
                      tvs_json_address(port->config->address), "prefix_len",
                      (int)port->config->prefix_len, "rx_queues", (int)port->n_rx_queues,
                      "rx_interrupts", (int)port->rx_interrupts, "steering_verified",
                      (int)port->steering_verified));
    }
    return list;
}

static const char *steering_name(uint8_t mode)
{
    static const char *const names[] = {[TVS_STEER_SOFTWARE] = "software",
                                        [TVS_STEER_FDIR] = "fdir",
                                        [TVS_STEER_RSS_PORT] = "rss-port"};

    return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "unknown";
}

static json_t *steering(const struct tvs_host *host)
{
    const struct tvs_gen_steering *config = &host->bound->generation->steering;
    bool verified = true;

    for (unsigned i = 0; i < host->n_ports; i++)
        verified = verified && host->ports[i].steering_verified;
    return json_pack("{s:s, s:i, s:i, s:b}", "mode", steering_name(config->mode), "rules",
                     (int)config->n_rules, "reta_size", (int)config->reta_size, "verified",
                     (int)verified);
}

static json_t *health(const struct tvs_host *host)
{
    const struct tvs_health_stats *stats = tvs_health_stats(host);

    if (!stats)
        return json_null();
    return json_pack("{s:b, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I}", "ready",
                     (int)tvs_health_ready(host), "checks", (int)stats->checks, "first_round_left",
                     (int)stats->first_round, "running", (int)stats->running, "waiting",
                     (int)stats->waiting, "good", (json_int_t)stats->good, "bad",
                     (json_int_t)stats->bad, "changes", (json_int_t)stats->changes, "late",
                     (json_int_t)stats->late);
}

static json_t *routing(const struct tvs_host *host)
{
    const struct tvs_netlink_stats *stats = tvs_netlink_stats(host);

    if (!stats)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "tables", (json_int_t)stats->builds, "resyncs",
                     (json_int_t)stats->resyncs, "routes_lost", (json_int_t)stats->routes_lost,
                     "neighbour_asks", (json_int_t)stats->neighbour_asks, "misses",
                     (json_int_t)stats->misses);
}

/* VIPs that are withdrawn for want of servers: a row for each listener whose pool lacks some. */
static json_t *vips(const struct tvs_host *host)
{
    const struct tvs_vips *state = host->bound->vips;
    struct tvs_vips_lack lack;
    json_t *list = json_array();
    uint32_t cursor = 0;

    while (tvs_vips_lack_next(state, &cursor, &lack))
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:s, s:I, s:I}", "vip", tvs_json_address(lack.service->vip),
                            "service", lack.service->name, "pool", lack.pool->name, "up",
                            (json_int_t)lack.level, "min_up", (json_int_t)lack.service->min_up));
    return json_pack("{s:I, s:I, s:o}", "known", (json_int_t)host->bound->generation->n_vip_routes,
                     "withdrawn", (json_int_t)tvs_vips_n_withheld(state), "lacking", list);
}

json_t *tvs_answer_status(struct tvs_host *host)
{
    const struct tvs_generation *generation = host->bound->generation;

    return json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:i, s:I, s:b, s:o, s:o, s:o, s:o, s:o, "
                     "s:o, s:o, s:o}",
                     "node", generation->node, "cluster", generation->cluster, "site",
                     generation->site, "generation", "id", generation->id, "compiler",
                     generation->compiler, "path", host->bound->path ? host->bound->path : "",
                     "pid", (int)getpid(), "uptime_ms",
                     (json_int_t)(tvs_loop_now_ms(host->loop) - host->started_ms), "announced",
                     (int)host->announced, "vips", vips(host), "sync", sync_state(host), "steering",
                     steering(host), "health", health(host), "routing", routing(host), "ports",
                     ports(host), "exception", exception(host), "workers", workers(host));
}
