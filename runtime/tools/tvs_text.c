/* SPDX-License-Identifier: Apache-2.0 */
#include "tvs_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "-";
}

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static bool yes(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* "1h02m", "3m20s", "4.2s" */
static const char *duration(long long ms, char *out, size_t bytes)
{
    long long s = ms / 1000;

    if (s >= 3600)
        snprintf(out, bytes, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, bytes, "%lldm%02llds", s / 60, s % 60);
    else
        snprintf(out, bytes, "%lld.%llds", s, ms % 1000 / 100);
    return out;
}

static void print_peers(const json_t *sync)
{
    const json_t *item;
    size_t i;

    if (!json_is_object(sync))
        return;
    printf("session sync %s; peers:", yes(sync, "ready") ? "ready" : "NOT ready");
    json_array_foreach(json_object_get(sync, "peers"), i, item)
        printf("%s %s %s", i ? "," : "", text(item, "node"), text(item, "state"));
    printf("\n");
}

/* Which VIPs are withdrawn, and what they lack. */
static void print_vips(const json_t *vips)
{
    const json_t *item;
    size_t i;

    if (number(vips, "withdrawn") == 0)
        return;
    printf("%lld of %lld VIPs withdrawn for want of servers:\n", number(vips, "withdrawn"),
           number(vips, "known"));
    json_array_foreach(json_object_get(vips, "lacking"), i, item) printf(
        "  %-15s service %s: pool %s has %lld up, min-up is %lld\n", text(item, "vip"),
        text(item, "service"), text(item, "pool"), number(item, "up"), number(item, "min_up"));
}

static void print_status(const json_t *answer)
{
    const json_t *generation = json_object_get(answer, "generation");
    const json_t *steering = json_object_get(answer, "steering");
    const json_t *health = json_object_get(answer, "health");
    const json_t *item;
    size_t i;
    char time[32];

    printf("node %s of cluster %s, site %s: %s\n", text(answer, "node"), text(answer, "cluster"),
           text(answer, "site"), yes(answer, "announced") ? "announced" : "NOT announced");
    printf("generation %.16s by %s, up %s, pid %lld\n", text(generation, "id"),
           text(generation, "compiler"), duration(number(answer, "uptime_ms"), time, sizeof(time)),
           number(answer, "pid"));
    printf("steering %s, %s; checks: %lld, %lld bad results, %lld changes%s\n",
           text(steering, "mode"), yes(steering, "verified") ? "verified" : "NOT verified",
           number(health, "checks"), number(health, "bad"), number(health, "changes"),
           yes(health, "ready") ? "" : ", first round still runs");

    print_peers(json_object_get(answer, "sync"));
    print_vips(json_object_get(answer, "vips"));

    printf("\n%-8s %-17s %-5s %-5s %-18s %-14s %s\n", "port", "mac", "mtu", "vlan", "address",
           "driver", "queues");
    json_array_foreach(json_object_get(answer, "ports"), i, item)
    {
        char vlan[24] = "-";

        if (json_is_integer(json_object_get(item, "vlan")))
            snprintf(vlan, sizeof(vlan), "%lld", number(item, "vlan"));
        printf("%-8s %-17s %-5lld %-5s %s/%-*lld %-14s %lld\n", text(item, "name"),
               text(item, "mac"), number(item, "mtu"), vlan, text(item, "address"),
               (int)(17 - strlen(text(item, "address"))), number(item, "prefix_len"),
               text(item, "driver"), number(item, "rx_queues"));
    }

    printf("\n%-6s %10s %10s %12s %12s %12s %9s %9s %9s\n", "worker", "sessions", "copies",
           "frames", "requests", "replies", "kernel", "handover", "dropped");
    json_array_foreach(json_object_get(answer, "workers"), i, item)
    {
        const json_t *counters = json_object_get(item, "counters"), *value;
        long long dropped = 0;
        const char *key;

        json_object_foreach((json_t *)json_object_get(item, "drops"), key, value) dropped +=
            (long long)json_integer_value(value);
        printf("%-6lld %10lld %10lld %12lld %12lld %12lld %9lld %9lld %9lld\n",
               number(item, "worker"), number(item, "sessions"), number(item, "copies"),
               number(counters, "frames"), number(counters, "tx_request"),
               number(counters, "tx_reply"), number(counters, "kernel"),
               number(counters, "handover"), dropped);
    }
}

/* Name and sum over the workers of every counter of one group, zeros left out. */
static void print_sums(const json_t *workers, const char *group, const char *prefix)
{
    const json_t *first = json_object_get(json_array_get(workers, 0), group);
    const json_t *value, *worker;
    const char *key;
    size_t i;

    json_object_foreach((json_t *)first, key, value)
    {
        long long sum = 0;

        if (json_is_array(value))
            continue;
        json_array_foreach(workers, i, worker) sum += number(json_object_get(worker, group), key);
        if (sum)
            printf("%s%-*s %14lld\n", prefix, (int)(28 - strlen(prefix)), key, sum);
    }
}

static void print_counters(const json_t *answer)
{
    const json_t *workers = json_object_get(answer, "workers"), *item;
    size_t i;

    print_sums(workers, "counters", "");
    print_sums(workers, "host", "host ");
    print_sums(workers, "sync", "sync ");
    print_sums(workers, "drops", "drop ");
    json_array_foreach(json_object_get(answer, "exception"), i, item)
        printf("%s: to kernel %lld (lost %lld), from kernel %lld (lost %lld)\n", text(item, "name"),
               number(item, "to_kernel"), number(item, "to_kernel_lost"),
               number(item, "from_kernel"), number(item, "from_kernel_lost"));
}

static void print_backends(const json_t *answer)
{
    const json_t *item;
    size_t i;
    char time[32];

    printf("%-16s %-12s %-21s %-6s %-8s %6s %8s %12s  %s\n", "pool", "schedule", "server", "state",
           "for", "weight", "active", "opened", "check");
    json_array_foreach(json_object_get(answer, "backends"), i, item)
        printf("%-16s %-12s %-21s %-6s %-8s %6lld %8lld %12lld  %s%s\n", text(item, "pool"),
               text(item, "scheduler"), text(item, "address"), text(item, "state"),
               duration(number(item, "since_ms"), time, sizeof(time)), number(item, "weight"),
               number(item, "active"), number(item, "opened"),
               yes(item, "checked") ? text(item, "check") : "none",
               yes(item, "current") ? "" : " (removed from the site)");
}

static void print_sessions(const json_t *answer)
{
    const json_t *item;
    size_t i;
    char age[32], left[32];

    json_array_foreach(json_object_get(answer, "sessions"), i, item)
        printf("%-3s w%-2lld %21s > %-21s %21s > %-21s %s %-11s age %s, ends in %s%s\n",
               text(item, "protocol"), number(item, "worker"), text(item, "client"),
               text(item, "vip"), text(item, "local"), text(item, "server"), text(item, "pool"),
               text(item, "state"), duration(number(item, "age_ms"), age, sizeof(age)),
               duration(number(item, "expires_in_ms"), left, sizeof(left)),
               yes(item, "copy") ? ", a peer's" : "");
}

static void print_nexthops(const json_t *answer)
{
    const json_t *item, *need;
    size_t i, k;

    printf("%-6s %-15s %-6s %-17s %s\n", "index", "address", "device", "mac", "needed by");
    json_array_foreach(json_object_get(answer, "nexthops"), i, item)
    {
        printf("%-6lld %-15s %-6s %-17s", number(item, "index"), text(item, "address"),
               text(item, "device"), yes(item, "valid") ? text(item, "mac") : "unresolved");
        json_array_foreach(json_object_get(item, "needed_by"), k, need)
            printf("%s %s", k ? "," : "", json_string_value(need));
        printf("\n");
    }
}

static void print_routes(const json_t *answer)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(answer, "routes"), i, item)
    {
        printf("%-18s", text(item, "prefix"));
        if (strcmp(text(item, "type"), "unicast") != 0)
            printf(" %s", text(item, "type"));
        else if (json_is_string(json_object_get(item, "gateway")))
            printf(" via %s", text(item, "gateway"));
        printf(" dev %s metric %lld\n", text(item, "device"), number(item, "metric"));
    }
    json_array_foreach(json_object_get(answer, "announced"), i, item)
        printf("%-18s announced\n", json_string_value(item));
}

static void print_metrics(const json_t *answer)
{
    fputs(text(answer, "metrics"), stdout);
}

void tvs_text_print(const char *verb, const json_t *answer)
{
    static const struct {
        const char *verb;
        void (*print)(const json_t *answer);
    } printers[] = {
        {"status", print_status},     {"counters", print_counters}, {"backends", print_backends},
        {"sessions", print_sessions}, {"nexthops", print_nexthops}, {"routes", print_routes},
        {"metrics", print_metrics},
    };

    for (size_t i = 0; i < sizeof(printers) / sizeof(printers[0]); i++)
        if (strcmp(printers[i].verb, verb) == 0)
            printers[i].print(answer);
}
