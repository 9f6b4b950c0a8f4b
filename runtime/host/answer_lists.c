/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's `backends`, `nexthops`, `routes` and `sessions`. */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "backends.h"
#include "control_answer.h"
#include "exception.h"
#include "fib.h"
#include "health.h"
#include "host.h"
#include "netlink.h"
#include "sessions.h"
#include "vips.h"

/* Of one request: reading 64 MB holds the control thread up for a few hundredths of a second. */
enum { SESSIONS_BUDGET = 1 << 20 };

static json_t *backend(struct tvs_host *host, uint32_t id)
{
    const struct tvs_backend_info *info = tvs_backends_info(host, id);
    json_t *workers = json_array();
    uint64_t active = 0, opened = 0;

    for (unsigned i = 0; i < host->n_workers; i++) {
        const struct tvs_worker *core = host->workers[i].core;
        uint32_t a = __atomic_load_n(&core->backend_active[id], __ATOMIC_RELAXED);
        uint64_t o = __atomic_load_n(&core->backend_opened[id], __ATOMIC_RELAXED);

        active += a;
        opened += o;
        json_array_append_new(workers, json_pack("{s:i, s:I, s:I}", "worker", (int)i, "active",
                                                 (json_int_t)a, "opened", (json_int_t)o));
    }
    return json_pack(
        "{s:i, s:s, s:s, s:o, s:s, s:I, s:b, s:b, s:s, s:b, s:I, s:I, s:b, s:I, s:I, s:o}", "id",
        (int)id, "pool", info->pool_name, "scheduler", tvs_backends_scheduler(host, id), "address",
        tvs_json_endpoint(info->address, info->port), "state",
        tvs_backend_state_name(host->backend_table[id].state), "since_ms",
        (json_int_t)(tvs_loop_now_ms(host->loop) - info->since_ms), "current", (int)info->current,
        "checked", (int)info->checked, "check", tvs_health_why(host, id), "drain", (int)info->drain,
        "weight", (json_int_t)info->weight, "weight_site", (json_int_t)info->weight_site,
        "drain_site", (int)info->drain_site, "active", (json_int_t)active, "opened",
        (json_int_t)opened, "workers", workers);
}

json_t *tvs_answer_backends(struct tvs_host *host)
{
    json_t *list = json_array();

    for (uint32_t id = 0; id < tvs_backends_count(host); id++)
        json_array_append_new(list, backend(host, id));
    return json_pack("{s:o}", "backends", list);
}

static const char *tap_name(struct tvs_host *host, unsigned port)
{
    const struct tvs_exception_port *tap = tvs_exception_port(host, port);

    return tap ? tap->name : "";
}

json_t *tvs_answer_nexthops(struct tvs_host *host)
{
    static const char *const needs[] = {"route", "backend", "neighbour", "miss"};
    struct tvs_fib *fib = tvs_netlink_fib(host);
    json_t *list = json_array();

    for (unsigned id = 1; fib && id < TVS_MAX_NEXTHOPS; id++) {
        const struct tvs_nexthop_info *info =
            tvs_nexthops_info(tvs_fib_nexthops(fib), (uint16_t)id);
        const struct tvs_nexthop *entry = &host->nexthops[id];
        json_t *need;

        if (!info)
            continue;
        need = json_array();
        for (unsigned i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
            if (info->need & 1u << i)
                json_array_append_new(need, json_string(needs[i]));
        json_array_append_new(list,
                              json_pack("{s:i, s:o, s:s, s:b, s:o, s:o}", "index", (int)id,
                                        "address", tvs_json_address(info->address), "device",
                                        tap_name(host, info->port), "valid", (int)entry->valid,
                                        "mac", entry->valid ? tvs_json_mac(entry->l2) : json_null(),
                                        "needed_by", need));
    }
    return json_pack("{s:i, s:o}", "limit", TVS_MAX_NEXTHOPS - 1, "nexthops", list);
}

static const char *type_name(uint8_t type)
{
    return type == RTN_UNICAST ? "unicast" : "refused";
}

json_t *tvs_answer_routes(struct tvs_host *host)
{
    struct tvs_fib *fib = tvs_netlink_fib(host);
    const struct tvs_fib_route_info *routes = NULL;
    unsigned n = fib ? tvs_fib_routes(fib, &routes) : 0;
    const struct tvs_generation *generation = host->bound->generation;
    const bool *withheld = tvs_vips_withheld(host->bound->vips);
    json_t *list = json_array(), *announced = json_array();
    char text[40];

    for (unsigned i = 0; i < n; i++) {
        uint32_t a = routes[i].address;

        snprintf(text, sizeof(text), "%u.%u.%u.%u/%u", a >> 24, a >> 16 & 255, a >> 8 & 255,
                 a & 255, routes[i].prefix_len);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o, s:s, s:I}", "prefix", text, "type",
                            type_name(routes[i].type), "gateway",
                            routes[i].gateway ? tvs_json_address(routes[i].gateway) : json_null(),
                            "device", tap_name(host, routes[i].port), "metric",
                            (json_int_t)routes[i].priority));
    }
    for (unsigned i = 0; host->announced && i < tvs_generation_n_routes(generation); i++) {
        const struct tvs_gen_route *route = tvs_generation_route(generation, i);
        uint32_t a = route->address;

        if (withheld && i < generation->n_vip_routes && withheld[i])
            continue;
        snprintf(text, sizeof(text), "%u.%u.%u.%u/%u", a >> 24, a >> 16 & 255, a >> 8 & 255,
                 a & 255, route->prefix_len);
        json_array_append_new(announced, json_string(text));
    }
    return json_pack("{s:o, s:o}", "routes", list, "announced", announced);
}

/* `is_copy`: a peer's, of one of its local IPs. */
static json_t *session(const struct tvs_host *host, unsigned worker,
                       const struct tvs_record *record, bool is_copy)
{
    const struct tvs_service_key *service = tvs_service_of(host, record->service);
    uint32_t now = __atomic_load_n(&host->workers[worker].core->now_tick, __ATOMIC_RELAXED);
    int32_t left = (int32_t)(record->expires_tick - now);

    return json_pack(
        "{s:i, s:b, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:I, s:I, s:I}", "worker", (int)worker,
        "copy", (int)is_copy, "protocol", record->proto == TVS_TCP ? "tcp" : "udp", "client",
        tvs_json_endpoint(ntohl(record->in.saddr_be), ntohs(record->in.sport_be)), "vip",
        tvs_json_endpoint(ntohl(record->in.daddr_be), ntohs(record->in.dport_be)), "local",
        tvs_json_endpoint(ntohl(record->out.saddr_be), ntohs(record->out.sport_be)), "server",
        tvs_json_endpoint(ntohl(record->out.daddr_be), ntohs(record->out.dport_be)), "service",
        service && service->name ? service->name : "", "pool",
        record->backend < tvs_backends_count(host)
            ? tvs_backends_info(host, record->backend)->pool_name
            : "",
        "state", tvs_state_name(record->state), "backend", (json_int_t)record->backend, "age_ms",
        (json_int_t)(now - record->opened_tick) * TVS_TICK_MS, "expires_in_ms",
        left > 0 ? (json_int_t)left * TVS_TICK_MS : 0);
}

json_t *tvs_answer_sessions(struct tvs_host *host, const struct tvs_request *request)
{
    const struct tvs_gen_memory *memory = &host->bound->generation->memory;
    uint32_t worker = request->cursor_worker, number = request->cursor_record;
    uint32_t budget = SESSIONS_BUDGET, left = request->limit;
    json_t *list = json_array(), *next = json_null();
    struct tvs_record copy;
    char cursor[32];

    for (; worker < host->n_workers && left && budget; worker++, number = 0) {
        const struct tvs_worker *core = host->workers[worker].core;

        while (left && tvs_sessions_next(core, memory->port_first, memory->port_last, &number,
                                         &budget, &copy)) {
            json_array_append_new(list,
                                  session(host, worker, &copy, number - 1 >= core->own_records));
            left--;
        }
        if (number < (uint64_t)core->n_slots << 16)
            break; /* the limit or the budget ended it, not the worker's last record */
    }
    if (worker < host->n_workers) {
        snprintf(cursor, sizeof(cursor), "%u:%u", worker, number);
        next = json_string(cursor);
    }
    return json_pack("{s:o, s:o}", "sessions", list, "next", next);
}
