/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tvs-bench: TSC cycles per packet of a generation's path on one worker, over bursts out of memory.
 * Floors run in turn with it, repeat by repeat, so that a noisy machine is noisy for all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench/choice.h"
#include "bench/pair.h"
#include "bench/print.h"
#include "bench/sync_steps.h"

static double tsc_hz(void)
{
    struct timespec from, to;
    uint64_t start;

    clock_gettime(CLOCK_MONOTONIC, &from);
    start = __rdtsc();
    usleep(50000);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(__rdtsc() - start) /
           ((double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
}

static const char *measure(struct bench_run *run, enum bench_direction direction, double hz)
{
    static double values[BENCH_N_SUBJECTS][BENCH_MAX_REPEATS];
    struct bench_row row = {.direction = direction};
    uint64_t before = bench_preempted();
    const char *wrong = bench_direction_begin(run, direction);

    if (run->counters != NULL)
        bench_counters_reset(run->counters);
    for (uint32_t repeat = 0; repeat < run->options->repeats; repeat++)
        for (int i = 0; i < BENCH_N_SUBJECTS && wrong == NULL; i++) {
            /* forth and back, so that none always follows the one that leaves the caches coldest */
            int s = repeat % 2 == 0 ? i : BENCH_N_SUBJECTS - 1 - i;

            if (bench_subject_there(run, direction, s))
                wrong = bench_repeat(run, direction, s, &values[s][repeat]);
        }
    if (wrong != NULL)
        return wrong;
    for (int s = 0; s < BENCH_N_SUBJECTS; s++)
        if (bench_subject_there(run, direction, s))
            row.figures[s] = bench_figure_of(values[s], run->options->repeats);
    row.preempted = bench_preempted() - before;
    bench_print_row(run, &row, hz);
    return NULL;
}

static const char *steps_measure(struct bench_run *run)
{
    static struct bench_sync_step steps[BENCH_N_SYNC_STEPS];
    const char *wrong = bench_sync_begin(run);

    if (wrong == NULL)
        wrong = bench_sync_steps(run, steps);
    if (wrong == NULL)
        bench_print_steps(run, steps);
    return wrong;
}

static const char *sessions_bench(struct bench_choice *choice, struct bench_run *run,
                                  uint32_t sessions, double hz)
{
    static volatile uint32_t marks[BENCH_N_DIRECTIONS];
    struct bench_combination combination = {0};
    const char *wrong = bench_run_open(run, sessions);

    if (wrong != NULL)
        return wrong;
    bench_print_open(run);
    if (choice->takes_steps)
        return steps_measure(run);
    if (choice->is_traced) {
        bench_print_regions(run, marks);
        getchar();
    }
    while (wrong == NULL && bench_combination_next(choice, &combination)) {
        choice->options.burst = combination.burst;
        choice->options.frame_bytes = combination.frame_bytes;
        run->trace_mark = choice->is_traced ? &marks[combination.direction] : NULL;
        wrong = bench_pattern_set(&run->traffic, combination.pattern) == 0
                    ? measure(run, combination.direction, hz)
                    : "not enough memory";
    }
    return wrong;
}

/* The service that the packets go to; NULL: the generation has none such. */
static const struct tvs_gen_service *aim(const struct tvs_generation *generation,
                                         struct bench_options *options)
{
    for (uint32_t i = 0; i < generation->n_services; i++) {
        const struct tvs_gen_service *service = &generation->services[i];

        if (options->class_id >= 0 ? service->class_id == options->class_id
                                   : service->proto == options->proto) {
            options->proto = service->proto;
            return service;
        }
    }
    return NULL;
}

/* Every run as it begins: what it measures, and nothing open. */
static void run_prepare(struct bench_run *run, const struct bench_options *options,
                        struct tvs_node *node, const struct tvs_node *generic,
                        const struct tvs_gen_service *service)
{
    *run = (struct bench_run){
        .options = options,
        .node = node,
        .generic = generic != NULL ? generic->generation->burst : NULL,
        .traffic = {.random = options->seed,
                    .proto = service->proto,
                    .vip_be = htobe32(service->vip),
                    .vip_port_be = htobe16(service->port),
                    .steering = &node->generation->steering},
    };
}

/* Sessions that there is room for, the most of them; 0: none of the chosen counts fits. */
static uint32_t most_sessions(const struct bench_choice *choice, uint32_t room)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < choice->sessions.n; i++)
        if (choice->sessions.at[i] <= room && choice->sessions.at[i] > most)
            most = choice->sessions.at[i];
    return most;
}

static uint32_t room_of(const struct bench_choice *choice, const struct tvs_generation *generation)
{
    uint32_t first = bench_run_room(generation, 0);
    uint32_t second = choice->two_workers ? bench_run_room(generation, 1) : first;

    if (choice->options.capacity > first || choice->options.capacity > second)
        return 0;
    first = first < second ? first : second;
    return choice->options.has_sync ? first / 5 * 4 : first; /* the rest for what has ended */
}

/* Says what cannot be before anything is measured. */
static const char *check(const struct bench_choice *choice, const struct bench_run *run)
{
    static char text[200];
    const struct tvs_generation *generation = run->node->generation;
    uint32_t most = most_sessions(choice, room_of(choice, generation));
    size_t needed, total, bytes;

    if (choice->two_workers && generation->cores.n_workers < 2)
        return "the node has one worker only";
    if (choice->two_workers && choice->cpus.n < 2)
        return "two workers need two processors: --cpus N,N";
    if (most == 0) {
        snprintf(text, sizeof(text), "the worker has local ports for %u sessions, fewer than asked",
                 room_of(choice, generation));
        return text;
    }
    bytes = bench_run_bytes(run, most) * (choice->two_workers ? 2 : 1);
    if (choice->options.small_pages || bench_pages_missing(bytes, &needed, &total) == 0)
        return NULL;
    snprintf(text, sizeof(text),
             "%zu free huge pages of 2 MB are needed, %zu are missing: sysctl -w "
             "vm.nr_hugepages=%zu",
             needed, bench_pages_missing(bytes, &needed, &total), total);
    return text;
}

static int refuse(const char *why)
{
    fprintf(stderr, "tvs-bench: %s\n", why);
    return 1;
}

static int bench_all(struct bench_choice *choice, struct tvs_node *node, struct tvs_node *generic,
                     const struct tvs_gen_service *service)
{
    struct bench_counters counters;
    bool is_counted = bench_counters_open(&counters) && !choice->two_workers;
    uint32_t room = room_of(choice, node->generation);
    double hz = tsc_hz();
    struct bench_run runs[2];
    const char *wrong;

    if (choice->cpus.n > 0 && bench_pin(choice->cpus.at[0]) != 0)
        return refuse("the worker could not be put on the processor that --cpus names");
    run_prepare(&runs[0], &choice->options, node, generic, service);
    runs[0].counters = is_counted ? &counters : NULL;
    wrong = check(choice, &runs[0]);
    if (wrong != NULL)
        return refuse(wrong);
    bench_print_head(&runs[0], hz, service);
    for (uint32_t i = 0; i < choice->sessions.n && wrong == NULL; i++) {
        uint32_t sessions = choice->sessions.at[i];

        if (sessions > room) {
            bench_print_skipped(&runs[0], sessions, room);
            continue;
        }
        for (uint16_t w = 0; w < 2; w++) {
            run_prepare(&runs[w], &choice->options, node, generic, service);
            runs[w].worker_index = w;
            runs[w].tsc_hz = hz;
        }
        runs[0].counters = is_counted ? &counters : NULL;
        wrong = choice->two_workers ? bench_pair(choice, runs, sessions)
                                    : sessions_bench(choice, &runs[0], sessions, hz);
        if (wrong != NULL)
            refuse(wrong); /* now: the text may be a run's */
        bench_run_close(&runs[0]);
        bench_run_close(&runs[1]);
    }
    bench_counters_close(&counters);
    return wrong != NULL;
}

static int bench(struct bench_choice *choice)
{
    const struct bench_options *options = &choice->options;
    const struct tvs_node_config config = {.seed = options->seed, .is_idle = true};
    const char *failing = options->generation;
    const struct tvs_gen_service *service;
    struct tvs_node *generic = NULL;
    char error[256];
    struct tvs_node *node = tvs_node_open(options->generation, &config, error, sizeof(error));
    int status;

    if (node != NULL && options->generic != NULL) {
        generic = tvs_node_open(options->generic, &config, error, sizeof(error));
        failing = options->generic;
    }
    if (node == NULL || (options->generic != NULL && generic == NULL)) {
        fprintf(stderr, "tvs-bench: %s: %s\n", failing, error);
        tvs_node_close(node);
        return 1;
    }
    service = aim(node->generation, &choice->options);
    status = service != NULL ? bench_all(choice, node, generic, service)
                             : refuse("the generation has no service of this class");
    tvs_node_close(generic);
    tvs_node_close(node);
    return status;
}

int main(int argc, char **argv)
{
    struct bench_choice choice;
    int rc = bench_choice_read(&choice, argc, argv);

    if (rc < 0) {
        fputs(bench_usage, stderr);
        return 2;
    }
    if (rc > 0) {
        fputs(bench_usage, stdout);
        return 0;
    }
    return bench(&choice);
}
