/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/stats.h"

#include <inttypes.h>

enum { FORMAT_VERSION = 1 };

static const struct {
    const char *name;
    size_t offset;
} counter_list[] = {
#define COUNTER(name)                                                                              \
    {                                                                                              \
#name, offsetof(struct tvs_counters, name)                                                 \
    }
    COUNTER(bursts),
    COUNTER(frames),
    COUNTER(frames_handed),
    COUNTER(bytes),
    COUNTER(tx_request),
    COUNTER(tx_reply),
    COUNTER(tx_local),
    COUNTER(tx_bytes),
    COUNTER(kernel),
    COUNTER(handover),
    COUNTER(sync),
    COUNTER(sessions_opened),
    COUNTER(sessions_sorry),
    COUNTER(sessions_expired),
    COUNTER(sessions_replaced),
    COUNTER(sessions_reset),
    COUNTER(toa_added),
    COUNTER(toa_no_room),
    COUNTER(toa_too_long),
    COUNTER(toa_forged),
#undef COUNTER
};
enum { N_COUNTERS = sizeof(counter_list) / sizeof(counter_list[0]) };
_Static_assert(offsetof(struct tvs_counters, drops) == N_COUNTERS * sizeof(uint64_t),
               "every counter has its name here");

static const char *const drop_names[] = {
#define TVS_DROP(name, text) "drop_" #name,
#include "tvs/drops.def"
#undef TVS_DROP
};

unsigned tvs_stats_counters(void)
{
    return N_COUNTERS + TVS_N_DROPS;
}

const char *tvs_stats_counter_name(unsigned counter)
{
    if (counter < N_COUNTERS)
        return counter_list[counter].name;
    return counter < tvs_stats_counters() ? drop_names[counter - N_COUNTERS] : NULL;
}

uint64_t tvs_stats_counter_get(const struct tvs_counters *counters, unsigned counter)
{
    if (counter < N_COUNTERS)
        return *(const uint64_t *)((const char *)counters + counter_list[counter].offset);
    return counter < tvs_stats_counters() ? counters->drops[counter - N_COUNTERS] : 0;
}

void tvs_stats_string(FILE *file, const char *text)
{
    putc('"', file);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(file, "\\u%04x", *at);
        else
            putc(*at, file);
    }
    putc('"', file);
}

static void field(FILE *file, const char *name, const char *text)
{
    fprintf(file, "  \"%s\": ", name);
    tvs_stats_string(file, text);
    fputs(",\n", file);
}

static uint64_t sum(const struct tvs_node *node, unsigned counter)
{
    uint64_t total = 0;

    for (uint16_t w = 0; w < node->n_workers; w++)
        total += tvs_stats_counter_get(&node->workers[w]->counters, counter);
    return total;
}

/* The counters of one worker, or of all when there is none. */
static void counters_write(FILE *file, const struct tvs_node *node, const struct tvs_worker *worker,
                           const char *indent)
{
    for (unsigned c = 0; c < tvs_stats_counters(); c++) {
        uint64_t value = worker ? tvs_stats_counter_get(&worker->counters, c) : sum(node, c);

        if (c == N_COUNTERS)
            fprintf(file, "%s\"drops\": {\n", indent);
        fprintf(file, "%s%s\"%s\": %" PRIu64 "%s\n", indent, c < N_COUNTERS ? "" : "  ",
                c < N_COUNTERS ? counter_list[c].name : tvs_drop_name(c - N_COUNTERS), value,
                c + 1 < tvs_stats_counters() ? "," : "");
    }
    fprintf(file, "%s}\n", indent);
}

void tvs_stats_write(FILE *file, const struct tvs_node *node,
                     const struct tvs_stats_capture *capture)
{
    const struct tvs_generation *generation = node->generation;
    uint64_t sessions = 0;

    for (uint16_t w = 0; w < node->n_workers; w++)
        sessions += node->workers[w]->n_sessions;

    fprintf(file, "{\n  \"format_version\": %d,\n", FORMAT_VERSION);
    field(file, "generation", generation->id);
    field(file, "site", generation->site);
    field(file, "cluster", generation->cluster);
    field(file, "node", generation->node);
    fprintf(file,
            "  \"capture\": {\n    \"packets\": %" PRIu64 ",\n    \"cut\": %" PRIu64
            ",\n    \"handed_over\": %" PRIu64 ",\n    \"other_vlan\": %" PRIu64
            ",\n    \"seconds\": %.1f\n  },\n",
            capture->packets, capture->cut, capture->handed_over, node->n_other_vlan,
            capture->seconds);
    fprintf(file, "  \"sessions\": %" PRIu64 ",\n  \"total\": {\n", sessions);
    counters_write(file, node, NULL, "    ");
    fputs("  },\n  \"workers\": [\n", file);
    for (uint16_t w = 0; w < node->n_workers; w++) {
        fprintf(file, "    {\n      \"worker\": %u,\n      \"sessions\": %" PRIu32 ",\n", w,
                node->workers[w]->n_sessions);
        counters_write(file, node, node->workers[w], "      ");
        fprintf(file, "    }%s\n", w + 1 < node->n_workers ? "," : "");
    }
    fputs("  ]\n}\n", file);
}
