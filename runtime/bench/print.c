/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/print.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/sync.h"

const char *const bench_direction_name[BENCH_N_DIRECTIONS] = {"request", "reply", "new", "close",
                                                              "refused", "sweep", "sync"};
const char *const bench_pattern_name[BENCH_N_PATTERNS] = {"uniform", "zipf", "one"};
static const char *const subject_name[BENCH_N_SUBJECTS] = {"site",     "generic", "touch",
                                                           "rte_hash", "tells",   "learns"};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct bench_figure bench_figure_of(double *values, uint32_t n)
{
    qsort(values, n, sizeof(*values), compare);
    for (; n > 0 && values[0] <= 0; n--)
        values++;
    if (n == 0)
        return (struct bench_figure){0};
    return (struct bench_figure){values[n / 2], values[n / 10], values[n - 1 - n / 10]};
}

static const char *proto_name(const struct bench_run *run)
{
    return run->traffic.proto == TVS_TCP ? "tcp" : "udp";
}

/* Names of a site are printable; what would end a string is left out. */
static void text_print(const char *name, const char *text)
{
    printf(", \"%s\": \"", name);
    for (; text != NULL && *text != '\0'; text++)
        if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ')
            putchar(*text);
    putchar('"');
}

static void figure_print(const char *name, const struct bench_figure *figure)
{
    printf("\"%s\": {\"median\": %.2f, \"p10\": %.2f, \"p90\": %.2f}", name, figure->median,
           figure->p10, figure->p90);
}

void bench_print_head(const struct bench_run *run, double tsc_hz, const struct tvs_gen_service *to)
{
    const struct tvs_generation *generation = run->node->generation;
    const struct bench_options *options = run->options;

    if (!options->json) {
        printf("site %s, node %s, service %s; TSC %.2f GHz; cycles per packet\n"
               "%-4s %-8s %-8s %8s %5s %5s %8s %7s %7s %7s\n",
               generation->site, generation->node, to->name, tsc_hz / 1e9, "", "", "", "sessions",
               "burst", "bytes", "median", "p10", "p90", "Mpps");
        return;
    }
    printf("{\"kind\": \"head\", \"format_version\": 2, \"tsc_hz\": %.0f, \"packets\": %u, "
           "\"packet_stride_bytes\": %u, \"class_id\": %u, \"proto\": \"%s\", "
           "\"countable\": %s, \"rte_hash\": %s",
           tsc_hz, options->n_packets, BENCH_STRIDE, to->class_id, proto_name(run),
           run->counters != NULL ? "true" : "false", bench_hash_built() ? "true" : "false");
    text_print("generation", generation->id);
    text_print("site", generation->site);
    text_print("node", generation->node);
    text_print("service", to->name);
    printf("}\n");
}

void bench_print_open(const struct bench_run *run)
{
    double bytes = (double)run->worker_bytes / run->capacity;

    if (run->options->json)
        printf("{\"kind\": \"open\", \"sessions\": %u, \"pages\": \"%s\", "
               "\"bytes_per_session\": %.1f}\n",
               run->traffic.n_flows, run->pages, bytes);
    else
        printf("# %u sessions: %.1f bytes each, all structures; %s pages\n", run->traffic.n_flows,
               bytes, run->pages);
    fflush(stdout);
}

void bench_print_skipped(const struct bench_run *run, uint32_t sessions, uint32_t room)
{
    if (run->options->json)
        printf("{\"kind\": \"skipped\", \"sessions\": %u, \"room\": %u}\n", sessions, room);
    else
        printf("# %u sessions: the worker has local ports for %u\n", sessions, room);
}

void bench_print_regions(const struct bench_run *run, const volatile uint32_t *marks)
{
    const struct tvs_worker *worker = run->worker;
    const struct {
        const char *name;
        const void *from;
        size_t bytes;
    } regions[] = {
        {"packets", run->pool, run->pool_bytes},
        {"buckets", worker->buckets, (worker->bucket_mask + 1UL) * sizeof(*worker->buckets)},
        {"records", worker->records, ((size_t)worker->n_slots << 16) * sizeof(*worker->records)},
        {"worker", worker, sizeof(*worker)},
        {"free ring", worker->free.record, (worker->free.mask + 1UL) * sizeof(uint32_t)},
    };

    printf("{\"kind\": \"regions\", \"marks\": {");
    for (int i = 0; i < BENCH_N_DIRECTIONS; i++)
        printf("%s\"%s\": %lu", i ? ", " : "", bench_direction_name[i], (uintptr_t)&marks[i]);
    printf("}, \"regions\": {");
    for (unsigned i = 0; i < sizeof(regions) / sizeof(regions[0]); i++)
        printf("%s\"%s\": [%lu, %lu]", i ? ", " : "", regions[i].name, (uintptr_t)regions[i].from,
               (uintptr_t)regions[i].from + regions[i].bytes);
    printf("}}\n");
    fflush(stdout);
}

static void events_print(const struct bench_counters *counters)
{
    const char *separator = ", \"events\": {";

    if (counters == NULL || counters->packets == 0)
        return;
    for (int i = 0; i < BENCH_N_EVENTS; i++)
        if (counters->fd[i] >= 0) {
            printf("%s\"%s\": %.2f", separator, bench_event_name[i],
                   (double)counters->sum[i] / (double)counters->packets);
            separator = ", ";
        }
    printf("}");
}

static void workload_print(const char *kind, const struct bench_run *run,
                           enum bench_direction direction)
{
    printf("{\"kind\": \"%s\", \"direction\": \"%s\", \"pattern\": \"%s\", \"sessions\": %u, "
           "\"burst\": %u, \"frame_bytes\": %u, \"repeats\": %u",
           kind, bench_direction_name[direction], bench_pattern_name[run->traffic.pattern],
           run->traffic.n_flows, run->options->burst, run->options->frame_bytes,
           run->options->repeats);
}

static double per(uint64_t n, uint64_t of)
{
    return of > 0 ? (double)n / (double)of : 0;
}

/* Cycles of one entry of a message, of what `row` costs more than `base`. */
static double entry_cycles(const struct bench_row *row, enum bench_subject base,
                           enum bench_subject more, uint64_t packets, uint64_t entries)
{
    return (row->figures[more].median - row->figures[base].median) * per(packets, entries);
}

static void sync_print(const struct bench_run *run, const struct bench_row *row)
{
    const struct bench_sync_counts *tells = &run->sync->counts[BENCH_TELLS];
    const struct bench_sync_counts *learns = &run->sync->counts[BENCH_LEARNS];
    uint64_t learned = learns->learned + learns->renewed, looked_at = 0;
    double told_cycles = entry_cycles(row, BENCH_SITE, BENCH_TELLS, tells->packets, tells->told);
    double learned_cycles = entry_cycles(row, BENCH_TELLS, BENCH_LEARNS, learns->packets, learned);
    double site = row->figures[BENCH_SITE].median;
    double told = per(tells->told, tells->opened);
    uint64_t finishing = tells->of_state[TVS_S_FIN_CLIENT] + tells->of_state[TVS_S_FIN_SERVER];

    for (unsigned state = 0; state < TVS_N_STATES; state++)
        looked_at += tells->of_state[state];
    if (run->options->json) {
        printf(", \"sync\": {\"peers\": %u, \"peers_are_made\": %s, \"packets_per_session\": %.2f, "
               "\"told_per_session\": %.3f, \"established\": %.3f, \"finishing\": %.3f, "
               "\"closed\": %.3f, \"sessions_per_message\": %.2f, \"bytes_per_session\": %.1f, "
               "\"learned_per_session\": %.3f, \"renewed_per_session\": %.3f, "
               "\"cycles_per_told\": %.2f, \"cycles_per_learned\": %.2f}",
               run->sync->peers.sync->n_peers, run->sync->peers.are_made ? "true" : "false",
               per(tells->packets, tells->opened), told,
               told * per(tells->of_state[TVS_S_ESTABLISHED], looked_at),
               told * per(finishing, looked_at),
               told * per(tells->of_state[TVS_S_CLOSED], looked_at),
               per(tells->told, tells->messages), per(tells->sent_bytes, tells->opened),
               per(learns->learned, learns->opened), per(learns->renewed, learns->opened),
               told_cycles, learned_cycles);
        return;
    }
    printf("  telling %u peers %.1f (%+.1f %%), and learning %.1f (%+.1f %%)\n"
           "# a session is told of %.2f times (%.2f established, %.2f finishing, %.2f closed), "
           "%.1f in a message, %.0f bytes sent; %.1f cycles each, learned %.1f",
           run->sync->peers.sync->n_peers, row->figures[BENCH_TELLS].median,
           100 * (row->figures[BENCH_TELLS].median / site - 1), row->figures[BENCH_LEARNS].median,
           100 * (row->figures[BENCH_LEARNS].median / site - 1), told,
           told * per(tells->of_state[TVS_S_ESTABLISHED], looked_at),
           told * per(finishing, looked_at), told * per(tells->of_state[TVS_S_CLOSED], looked_at),
           per(tells->told, tells->messages), per(tells->sent_bytes, tells->opened), told_cycles,
           learned_cycles);
}

void bench_print_row(const struct bench_run *run, const struct bench_row *row, double tsc_hz)
{
    const struct bench_figure *site = &row->figures[BENCH_SITE];

    if (run->options->json) {
        workload_print("row", run, row->direction);
        for (int s = 0; s < BENCH_N_SUBJECTS; s++)
            if (row->figures[s].median > 0) {
                printf(", ");
                figure_print(subject_name[s], &row->figures[s]);
            }
        events_print(run->counters);
        if (row->direction == BENCH_SYNC)
            sync_print(run, row);
        printf(", \"preempted\": %lu}\n", row->preempted);
    } else {
        printf("%-4s %-8s %-8s %8u %5u %5u %8.1f %7.1f %7.1f %7.1f", proto_name(run),
               bench_direction_name[row->direction], bench_pattern_name[run->traffic.pattern],
               run->traffic.n_flows, run->options->burst, run->options->frame_bytes, site->median,
               site->p10, site->p90, tsc_hz / site->median / 1e6);
        if (row->direction == BENCH_SYNC)
            sync_print(run, row);
        for (int s = BENCH_GENERIC; s < BENCH_TELLS; s++)
            if (row->figures[s].median > 0)
                printf("  %s %.1f (%.2fx)", subject_name[s], row->figures[s].median,
                       row->figures[s].median / site->median);
        printf("\n");
    }
    fflush(stdout);
}

void bench_print_steps(const struct bench_run *run, const struct bench_sync_step *steps)
{
    for (unsigned i = 0; i < BENCH_N_SYNC_STEPS; i++) {
        const struct bench_sync_step *step = &steps[i];
        const struct bench_histogram *spent = &step->spent;
        const double ns = 1e9 / run->tsc_hz, p50 = (double)bench_histogram_at(spent, 0.5) * ns,
                     p99 = (double)bench_histogram_at(spent, 0.99) * ns,
                     p999 = (double)bench_histogram_at(spent, 0.999) * ns,
                     longest = (double)spent->max * ns;

        if (run->options->json)
            printf("{\"kind\": \"step\", \"sessions\": %u, \"name\": \"%s\", \"bound\": \"%s\", "
                   "\"records\": %u, \"freed\": 0, \"disturbed\": %u, \"spent\": {\"count\": %lu, "
                   "\"p50_ns\": %.1f, \"p99_ns\": %.1f, \"p999_ns\": %.1f, \"max_ns\": %.1f}}\n",
                   run->traffic.n_flows, step->name, step->bound, step->records, step->disturbed,
                   spent->total, p50, p99, p999, longest);
        else
            printf("%-42s %s = %u: %.0f ns, 99 %% %.0f, 99.9 %% %.0f, longest %.0f\n", step->name,
                   step->bound, step->records, p50, p99, p999, longest);
    }
    fflush(stdout);
}

void bench_print_pair(const struct bench_run *run, const struct bench_pair_row *row)
{
    if (run->options->json) {
        workload_print("pair", run, row->direction);
        for (int i = 0; i < 2; i++) {
            printf(", ");
            figure_print(i ? "alone_1" : "alone_0", &row->alone[i]);
            printf(", ");
            figure_print(i ? "together_1" : "together_0", &row->together[i]);
        }
        printf(", \"scaling\": %.3f, \"overlap\": %.3f, \"cores\": %.3f, \"preempted\": %lu}\n",
               row->scaling, row->overlap, row->cores, row->preempted);
    } else {
        printf("%-4s %-8s %-8s %8u %5u %5u  alone %.1f %.1f  together %.1f %.1f  two are %.3f "
               "(both at it for %.0f %% of the time; the processors are %.3f)\n",
               proto_name(run), bench_direction_name[row->direction],
               bench_pattern_name[run->traffic.pattern], run->traffic.n_flows, run->options->burst,
               run->options->frame_bytes, row->alone[0].median, row->alone[1].median,
               row->together[0].median, row->together[1].median, row->scaling, 100 * row->overlap,
               row->cores);
    }
    fflush(stdout);
}
