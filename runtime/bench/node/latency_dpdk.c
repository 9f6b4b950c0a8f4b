/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tvs-latency: time through the packet path at a fraction of its capacity, and the longest stall
 * from housekeeping, in the daemon's own worker loop. See latency_device.h for how time is taken
 * and latency_node.h for what runs.
 */
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "bench/node/latency_print.h"
#include "bench/node/latency_steps.h"

enum { LOOK_MS = 1, EVENT_MS = 5, MAX_ROUNDS = 100000 };

static const uint32_t burst_limit[BENCH_N_BURSTS] = {32, 1};

/* While a phase runs: what the control thread does every EVENT_MS, and how often. */
typedef const char *(*event_fn)(struct bench_node *node, uint32_t number);

static const char *event_flip(struct bench_node *node, uint32_t number)
{
    (void)number;
    return bench_node_flip(node);
}

/*
 * Gives the phase to the worker and waits; makes `events` events meanwhile, and gives the phase
 * again until all are made.
 */
static const char *phase_run(struct bench_node *node, struct bench_phase *phase, event_fn event,
                             uint32_t events, uint32_t *made)
{
    const char *wrong = NULL;

    do {
        atomic_store_explicit(&node->device.phase, phase, memory_order_release);
        while (atomic_load_explicit(&node->device.phase, memory_order_acquire) != NULL) {
            bench_node_turn(node, events > 0 ? EVENT_MS : LOOK_MS);
            if (wrong == NULL && events > 0 && *made < events)
                wrong = event(node, (*made)++);
        }
    } while (wrong == NULL && events > 0 && *made < events);
    return wrong;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static const char *capacity_measure(struct bench_node *node, struct bench_result *result)
{
    struct bench_phase *phase = &result->capacity;
    const char *wrong;

    *phase = (struct bench_phase){.offer = BENCH_OFFER_FULL,
                                  .burst = result->burst,
                                  .rounds = (node->options->rounds + 1) / 2};
    phase->rates = calloc(phase->rounds, sizeof(*phase->rates));
    if (phase->rates == NULL)
        return "not enough memory";
    wrong = phase_run(node, phase, NULL, 0, NULL);
    qsort(phase->rates, phase->n_rates, sizeof(*phase->rates), compare);
    result->capacity_rounds = phase->n_rates;
    /* on a machine that is never quiet: what all rounds together took */
    result->packets_per_cycle =
        phase->n_rates > 0 ? phase->rates[phase->n_rates / 2]
                           : (double)phase->disturbed.packets / (double)phase->disturbed.cycles;
    free(phase->rates);
    phase->rates = NULL;
    return wrong;
}

static uint64_t mean_q8(const struct bench_result *result, uint32_t percent)
{
    return (uint64_t)(256.0 * 100.0 / (result->packets_per_cycle * percent) + 0.5);
}

static const char *loads_measure(struct bench_node *node, struct bench_result *result)
{
    const char *wrong = NULL;

    /* capacity anew for each: a machine that is shared has not always the same */
    for (unsigned i = 0; i < BENCH_N_LOADS && wrong == NULL; i++) {
        wrong = capacity_measure(node, result);
        if (wrong != NULL)
            break;
        result->load_packets_per_cycle[i] = result->packets_per_cycle;
        result->load[i] = (struct bench_phase){
            .offer = BENCH_OFFER_SCHEDULED,
            .burst = result->burst,
            .rounds = node->options->rounds,
            .mean_q8 = mean_q8(result, bench_load_percent[i]),
            .floor = true,
        };
        wrong = phase_run(node, &result->load[i], NULL, 0, NULL);
    }
    return wrong;
}

/* As many rounds as the events need: they come one every EVENT_MS, a flip takes some more. */
static uint32_t rounds_for(const struct bench_node *node, uint32_t events, uint32_t ms_each)
{
    uint64_t rounds = (uint64_t)(events + 2) * ms_each * 1000 / node->options->round_us + 1;

    return rounds < MAX_ROUNDS ? (uint32_t)rounds : MAX_ROUNDS;
}

static const char *events_measure(struct bench_node *node, struct bench_report *report)
{
    const struct bench_latency_options *options = node->options;
    const struct bench_result *full = &report->result[0];
    const char *wrong = NULL;

    report->idle_flip = (struct bench_phase){
        .offer = BENCH_OFFER_NOTHING,
        .burst = full->burst,
        .rounds = rounds_for(node, options->flips, 3 * EVENT_MS),
    };
    report->flip = report->idle_flip;
    report->flip.offer = BENCH_OFFER_SCHEDULED;
    report->flip.mean_q8 = mean_q8(full, 50);
    report->flip.floor = false;
    report->floor = report->flip;
    report->floor.offer = BENCH_OFFER_FLOOR;
    report->change = report->flip;
    report->change.rounds = rounds_for(node, options->changes, 2 * EVENT_MS);
    /* silence last: sessions with short timeouts end in it */
    if (options->flips > 0)
        wrong = phase_run(node, &report->flip, event_flip, options->flips, &report->flips);
    if (wrong == NULL && options->changes > 0)
        wrong =
            phase_run(node, &report->change, bench_node_change, options->changes, &report->changes);
    if (wrong != NULL || options->flips == 0)
        return wrong;
    wrong = phase_run(node, &report->idle_flip, event_flip, options->flips, &report->idle_flips);
    report->floor.rounds = report->flip.quiet.rounds + report->flip.disturbed.rounds;
    return wrong != NULL ? wrong : phase_run(node, &report->floor, NULL, 0, NULL);
}

static void core_take(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static const char *measure(struct bench_node *node, struct bench_report *report)
{
    const char *wrong = bench_node_launch(node);

    report->hz = (double)rte_get_tsc_hz();
    snprintf(report->id, sizeof(report->id), "%s", node->host.bound->generation->id);
    for (unsigned b = 0; b < BENCH_N_BURSTS && wrong == NULL; b++) {
        report->result[b].burst = burst_limit[b];
        wrong = loads_measure(node, &report->result[b]);
    }
    if (wrong == NULL)
        wrong = events_measure(node, report);
    bench_node_join(node);
    report->received = node->device.received;
    report->sent = node->device.sent;
    report->starved = node->device.starved;
    if (wrong != NULL)
        return wrong;
    core_take(node->options->worker_core);
    bench_steps_measure(node->host.workers[0].core, report->step);
    return NULL;
}

/* ---- options --------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: tvs-latency [options] GENERATION.so\n"
    "  --class tcp|udp       the first service of this protocol (tcp)\n"
    "  --sessions N          established (100000)\n"
    "  --rounds N            of each measurement (500)\n"
    "  --round-us N          length of a round (2000)\n"
    "  --flips N             of the generation, idle and under load (100)\n"
    "  --changes N           of a server's weight and drain mark (200)\n"
    "  --stream N            frames in the stream, a power of two (524288)\n"
    "  --cores CONTROL,WORKER  (the first and the last that this process may use)\n"
    "  --no-huge             small pages\n"
    "  --seed N\n"
    "One JSON object on stdout. Needs two cores; give it 2 MB pages (vm.nr_hugepages).\n";

static bool cores_find(struct bench_latency_options *options)
{
    cpu_set_t set;

    options->control_core = -1;
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return false;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) {
            if (options->control_core < 0)
                options->control_core = cpu;
            options->worker_core = cpu;
        }
    return options->worker_core != options->control_core;
}

static bool number(const char *text, uint32_t least, uint32_t most, uint32_t *value)
{
    char *end;
    unsigned long parsed = strtoul(text, &end, 10);

    *value = (uint32_t)parsed;
    return end != text && *end == '\0' && parsed >= least && parsed <= most;
}

static bool option_take(struct bench_latency_options *options, int option, char *value)
{
    uint32_t seed;

    switch (option) {
    case 'c':
        options->proto = strcmp(value, "udp") == 0 ? TVS_UDP : TVS_TCP;
        return options->proto == TVS_UDP || strcmp(value, "tcp") == 0;
    case 'n':
        return number(value, 64, 64000000, &options->sessions);
    case 'r':
        return number(value, 1, MAX_ROUNDS, &options->rounds);
    case 'u':
        return number(value, 100, 20000, &options->round_us);
    case 'f':
        return number(value, 0, 10000, &options->flips);
    case 'b':
        return number(value, 0, 10000, &options->changes);
    case 'k':
        return number(value, 1024, 1 << 24, &options->stream) &&
               (options->stream & (options->stream - 1)) == 0;
    case 'C':
        return sscanf(value, "%d,%d", &options->control_core, &options->worker_core) == 2 &&
               options->control_core != options->worker_core;
    case 'H':
        options->huge = false;
        return true;
    case 'S':
        if (!number(value, 1, UINT32_MAX, &seed))
            return false;
        options->seed = seed;
        return true;
    default:
        return false;
    }
}

static int latency(const struct bench_latency_options *options)
{
    /* as large as their histograms: not for the stack */
    static struct bench_node node;
    static struct bench_report report;
    const char *wrong = bench_node_start(&node, options);

    report.options = options;
    if (wrong == NULL)
        wrong = measure(&node, &report);
    if (wrong == NULL)
        bench_report_print(&report);
    else
        fprintf(stderr, "tvs-latency: %s\n", wrong);
    if (wrong == NULL && (report.sent != report.received || report.starved != 0))
        fprintf(stderr, "tvs-latency: %lu of %lu packets were lost\n",
                report.received - report.sent + report.starved, report.received + report.starved);
    if (node.host.backends != NULL)
        bench_node_stop(&node);
    return wrong != NULL || report.sent != report.received || report.starved != 0;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"class", required_argument, NULL, 'c'},  {"sessions", required_argument, NULL, 'n'},
        {"rounds", required_argument, NULL, 'r'}, {"round-us", required_argument, NULL, 'u'},
        {"flips", required_argument, NULL, 'f'},  {"changes", required_argument, NULL, 'b'},
        {"stream", required_argument, NULL, 'k'}, {"cores", required_argument, NULL, 'C'},
        {"no-huge", no_argument, NULL, 'H'},      {"seed", required_argument, NULL, 'S'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct bench_latency_options options = {
        .proto = TVS_TCP,
        .sessions = 100000,
        .rounds = 500,
        .round_us = 2000,
        .flips = 100,
        .changes = 200,
        .stream = 1 << 19,
        .seed = 42,
        .huge = true,
    };
    bool has_cores = cores_find(&options);
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        } else if (!option_take(&options, option, optarg)) {
            fputs(usage, stderr);
            return 2;
        }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }
    if (!has_cores) {
        fprintf(stderr, "tvs-latency: two cores are needed: one runs the worker alone\n");
        return 1;
    }
    options.generation = argv[optind];
    return latency(&options);
}
