/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's `metrics`: everything that is counted, in Prometheus' text format. */
#include <stdio.h>
#include <stdlib.h>

#include "backends.h"
#include "control_answer.h"
#include "counter_names.h"
#include "exception.h"
#include "health.h"
#include "host.h"
#include "peers.h"
#include "vips.h"

static uint64_t load(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP tvs_%s %s\n# TYPE tvs_%s %s\n", name, help, name, type);
}

static void path_counters(FILE *out, const struct tvs_host *host)
{
    for (unsigned c = 0; c < tvs_counter_count(); c++) {
        const char *name = tvs_counter_name(c);

        fprintf(out, "# TYPE tvs_%s_total counter\n", name);
        for (unsigned w = 0; w < host->n_workers; w++)
            fprintf(out, "tvs_%s_total{worker=\"%u\"} %ju\n", name, w,
                    (uintmax_t)load(tvs_counter_at(&host->workers[w].core->counters, c)));
    }
}

static void sync(FILE *out, const struct tvs_host *host)
{
    const struct tvs_gen_sync *config = &host->bound->generation->sync;

    if (config->n_peers == 0)
        return;
    head(out, "sync_peer_here", "gauge", "1 while the peer is heard of and has told what it has.");
    for (uint32_t i = 0; i < config->n_peers; i++)
        fprintf(out, "tvs_sync_peer_here{peer=\"%s\"} %d\n", config->peers[i].name,
                tvs_peer_state(host, i) == TVS_PEER_HERE);
    for (unsigned c = 0; c < tvs_sync_counter_count(); c++) {
        const char *name = tvs_sync_counter_name(c);

        fprintf(out,
                "# HELP tvs_sync_%s_total Session sync: %s.\n# TYPE tvs_sync_%s_total counter\n",
                name, tvs_sync_counter_text(c), name);
        for (unsigned w = 0; w < host->n_workers; w++)
            fprintf(out, "tvs_sync_%s_total{worker=\"%u\"} %ju\n", name, w,
                    (uintmax_t)tvs_sync_counter(host->workers[w].core->sync, c));
    }
}

static void drops(FILE *out, const struct tvs_host *host)
{
    head(out, "drops_total", "counter", "Packets dropped, by reason.");
    for (unsigned w = 0; w < host->n_workers; w++) {
        for (unsigned i = 0; i < TVS_N_DROPS; i++)
            fprintf(out, "tvs_drops_total{worker=\"%u\",reason=\"%s\"} %ju\n", w, tvs_drop_name(i),
                    (uintmax_t)load(&host->workers[w].core->counters.drops[i]));
        for (unsigned i = 0; i < TVS_N_HOST_DROPS; i++)
            fprintf(out, "tvs_drops_total{worker=\"%u\",reason=\"%s\"} %ju\n", w,
                    tvs_host_drop_name(i), (uintmax_t)load(&host->workers[w].counters.drops[i]));
    }
}

static void nic_packets(FILE *out, const struct tvs_host *host, const char *name, size_t offset)
{
    fprintf(out, "# TYPE tvs_%s counter\n", name);
    for (unsigned w = 0; w < host->n_workers; w++) {
        const char *at = (const char *)&host->workers[w].counters + offset;

        for (unsigned p = 0; p < host->n_ports; p++)
            fprintf(out, "tvs_%s{worker=\"%u\",port=\"%s\"} %ju\n", name, w,
                    host->ports[p].config->name, (uintmax_t)load((const uint64_t *)at + p));
    }
}

static void workers(FILE *out, const struct tvs_host *host)
{
    head(out, "sessions", "gauge", "Sessions under way.");
    for (unsigned w = 0; w < host->n_workers; w++)
        fprintf(out, "tvs_sessions{worker=\"%u\"} %u\n", w,
                __atomic_load_n(&host->workers[w].core->n_sessions, __ATOMIC_RELAXED));
    head(out, "session_copies", "gauge", "Sessions of peers' local IPs, held for them.");
    for (unsigned w = 0; w < host->n_workers; w++)
        fprintf(out, "tvs_session_copies{worker=\"%u\"} %u\n", w,
                __atomic_load_n(&host->workers[w].core->n_copies, __ATOMIC_RELAXED));
    head(out, "sessions_max", "gauge", "Sessions that fit.");
    for (unsigned w = 0; w < host->n_workers; w++)
        fprintf(out, "tvs_sessions_max{worker=\"%u\"} %u\n", w,
                host->workers[w].core->max_sessions);
    nic_packets(out, host, "nic_rx_packets_total", offsetof(struct tvs_host_counters, rx_packets));
    nic_packets(out, host, "nic_tx_packets_total", offsetof(struct tvs_host_counters, tx_packets));
}

/* One sample per backend and family: a scraper wants a family's samples together. */
static void backends(FILE *out, const struct tvs_host *host)
{
    static const char *const names[] = {"backend_up", "backend_weight", "backend_sessions",
                                        "backend_sessions_opened_total"};
    static const char *const types[] = {"gauge", "gauge", "gauge", "counter"};

    for (unsigned family = 0; family < 4; family++) {
        fprintf(out, "# TYPE tvs_%s %s\n", names[family], types[family]);
        for (uint32_t id = 0; id < tvs_backends_count(host); id++) {
            const struct tvs_backend_info *info = tvs_backends_info(host, id);
            uint64_t value = 0;
            uint32_t a = info->address;

            if (family == 0)
                value = host->backend_table[id].state != TVS_BACKEND_DOWN;
            if (family == 1)
                value = info->weight;
            for (unsigned w = 0; family > 1 && w < host->n_workers; w++)
                value += family == 2 ? __atomic_load_n(&host->workers[w].core->backend_active[id],
                                                       __ATOMIC_RELAXED)
                                     : load(&host->workers[w].core->backend_opened[id]);
            fprintf(out, "tvs_%s{pool=\"%s\",server=\"%u.%u.%u.%u:%u\"} %ju\n", names[family],
                    info->pool_name, a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255, info->port,
                    (uintmax_t)value);
        }
    }
}

static void node(FILE *out, const struct tvs_host *host)
{
    const struct tvs_generation *generation = host->bound->generation;
    const struct tvs_health_stats *health = tvs_health_stats(host);

    head(out, "info", "gauge", "What runs, always 1.");
    fprintf(out, "tvs_info{node=\"%s\",cluster=\"%s\",site=\"%s\",generation=\"%s\"} 1\n",
            generation->node, generation->cluster, generation->site, generation->id);
    head(out, "announced", "gauge", "1 while the node's routes are announced.");
    fprintf(out, "tvs_announced %d\n", host->announced);
    if (!health)
        return;
    head(out, "health_checks_total", "counter", "Results of health checks.");
    fprintf(out,
            "tvs_health_checks_total{result=\"good\"} %ju\n"
            "tvs_health_checks_total{result=\"bad\"} %ju\n",
            (uintmax_t)health->good, (uintmax_t)health->bad);
    head(out, "health_checks_late_total", "counter", "Checks that began an interval late.");
    fprintf(out, "tvs_health_checks_late_total %ju\n", (uintmax_t)health->late);
}

static void vips(FILE *out, const struct tvs_host *host)
{
    const struct tvs_generation *generation = host->bound->generation;
    const struct tvs_vips *state = host->bound->vips;
    const bool *withheld = tvs_vips_withheld(state);

    head(out, "vips_withdrawn", "gauge", "VIPs that are withdrawn for want of servers (min-up).");
    fprintf(out, "tvs_vips_withdrawn %u\n", tvs_vips_n_withheld(state));
    head(out, "vip_withdrawn", "gauge",
         "1 while this VIP is; only of VIPs with a service that has min-up.");
    for (uint32_t i = 0; i < generation->n_vip_routes; i++) {
        uint32_t a = generation->vip_routes[i].address;

        if (tvs_vips_is_guarded(state, i))
            fprintf(out, "tvs_vip_withdrawn{vip=\"%u.%u.%u.%u\"} %d\n", a >> 24, a >> 16 & 255,
                    a >> 8 & 255, a & 255, withheld[i]);
    }
}

static void exception(FILE *out, const struct tvs_host *host)
{
    head(out, "exception_packets_total", "counter", "Packets to and from the kernel.");
    for (unsigned i = 0; i < host->n_ports; i++) {
        const struct tvs_exception_port *port = tvs_exception_port(host, i);

        if (!port)
            continue;
        fprintf(out,
                "tvs_exception_packets_total{device=\"%s\",direction=\"to_kernel\"} %ju\n"
                "tvs_exception_packets_total{device=\"%s\",direction=\"to_kernel_lost\"} %ju\n"
                "tvs_exception_packets_total{device=\"%s\",direction=\"from_kernel\"} %ju\n"
                "tvs_exception_packets_total{device=\"%s\",direction=\"from_kernel_lost\"} %ju\n",
                port->name, (uintmax_t)port->to_kernel, port->name, (uintmax_t)port->to_kernel_lost,
                port->name, (uintmax_t)port->from_kernel, port->name,
                (uintmax_t)port->from_kernel_lost);
    }
}

json_t *tvs_answer_metrics(struct tvs_host *host)
{
    json_t *answer = NULL;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (!out)
        return NULL;
    node(out, host);
    vips(out, host);
    workers(out, host);
    path_counters(out, host);
    sync(out, host);
    drops(out, host);
    exception(out, host);
    backends(out, host);
    if (fclose(out) == 0)
        answer = json_pack("{s:s}", "metrics", text);
    free(text);
    return answer;
}
