/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pair.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench/cores.h"
#include "bench/gate.h"
#include "bench/print.h"

enum { ALONE_0, ALONE_1, TOGETHER, N_PHASES };

struct pair {
    const struct bench_choice *choice;
    struct bench_run *runs;
    uint32_t sessions;
    pthread_barrier_t barrier; /* those who wait here sleep */
    struct bench_gate gate, cores_gate;
    const char *wrong[2];
    uint64_t preempted[2];
    double values[2][N_PHASES][BENCH_MAX_REPEATS];
    double cores[2][N_PHASES][BENCH_MAX_REPEATS];
};

struct member {
    struct pair *pair;
    uint32_t index;
    struct bench_options options;
};

int bench_pin(uint32_t cpu)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    return sched_setaffinity(0, sizeof(cpus), &cpus) == 0 ? 0 : -errno;
}

uint64_t bench_preempted(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_THREAD, &usage) == 0 ? (uint64_t)usage.ru_nivcsw : 0;
}

/* Both have come this far; false when one of them has failed. */
static bool together(struct pair *pair)
{
    pthread_barrier_wait(&pair->barrier);
    return pair->wrong[0] == NULL && pair->wrong[1] == NULL;
}

static bool phase_run(struct member *member, enum bench_direction direction, int phase,
                      uint32_t repeat)
{
    struct pair *pair = member->pair;
    struct bench_run *run = &pair->runs[member->index];

    if (phase == TOGETHER || (uint32_t)phase == member->index) {
        run->gate = phase == TOGETHER ? &pair->gate : NULL;
        pair->wrong[member->index] =
            bench_repeat(run, direction, BENCH_SITE, &pair->values[member->index][phase][repeat]);
        run->gate = NULL; /* what comes before the next measurement is each worker's own */
        if (pair->wrong[member->index] != NULL)
            bench_gate_open(&pair->gate);
    }
    return together(pair);
}

/* What both do together, in workers that are alone. */
static double scaling(const double alone[2], const double both[2])
{
    if (!(both[0] > 0) || !(both[1] > 0))
        return 0;
    return 2 * (1 / both[0] + 1 / both[1]) / (1 / alone[0] + 1 / alone[1]);
}

/* The processors themselves, right before the packets: a hypervisor may move them at any time. */
static void cores_measure(struct member *member, uint32_t repeat)
{
    struct pair *pair = member->pair;

    for (int phase = 0; phase < N_PHASES; phase++) {
        if (phase == TOGETHER || (uint32_t)phase == member->index)
            pair->cores[member->index][phase][repeat] =
                bench_cores_step(phase == TOGETHER ? &pair->cores_gate : NULL);
        pthread_barrier_wait(&pair->barrier);
    }
}

static double cores_scaling(struct pair *pair, uint32_t n)
{
    double alone[2], both[2];

    for (int i = 0; i < 2; i++) {
        alone[i] = bench_figure_of(pair->cores[i][i], n).median;
        both[i] = bench_figure_of(pair->cores[i][TOGETHER], n).median;
    }
    return scaling(alone, both);
}

static void row_print(struct pair *pair, enum bench_direction direction)
{
    uint32_t n = pair->choice->options.repeats;
    double(*values)[N_PHASES][BENCH_MAX_REPEATS] = pair->values;
    struct bench_pair_row row = {
        .direction = direction,
        .alone = {bench_figure_of(values[0][ALONE_0], n), bench_figure_of(values[1][ALONE_1], n)},
        .together = {bench_figure_of(values[0][TOGETHER], n),
                     bench_figure_of(values[1][TOGETHER], n)},
        .preempted = pair->preempted[0] + pair->preempted[1],
        .cores = cores_scaling(pair, n),
    };

    if (pair->gate.spans > 0)
        row.overlap = (double)pair->gate.overlaps / (double)pair->gate.spans;
    row.scaling = scaling((double[]){row.alone[0].median, row.alone[1].median},
                          (double[]){row.together[0].median, row.together[1].median});
    bench_print_pair(&pair->runs[0], &row);
}

/* One combination: all repeats, then its row. */
static bool combination_run(struct member *member, enum bench_direction direction)
{
    struct pair *pair = member->pair;
    uint64_t before = bench_preempted();

    pair->wrong[member->index] = bench_direction_begin(&pair->runs[member->index], direction);
    if (member->index == 0) {
        bench_gate_reset(&pair->gate);
        bench_gate_reset(&pair->cores_gate);
    }
    if (!together(pair))
        return false;
    for (uint32_t repeat = 0; repeat < member->options.repeats; repeat++) {
        cores_measure(member, repeat);
        for (int phase = 0; phase < N_PHASES; phase++)
            if (!phase_run(member, direction, phase, repeat))
                return false;
    }
    pair->preempted[member->index] = bench_preempted() - before;
    if (!together(pair))
        return false;
    if (member->index == 0)
        row_print(pair, direction);
    return together(pair);
}

static const char *member_open(struct member *member)
{
    struct pair *pair = member->pair;
    struct bench_run *run = &pair->runs[member->index];

    if (bench_pin(pair->choice->cpus.at[member->index]) != 0)
        return "a worker could not be put on its processor";
    run->is_of_pair = true;
    member->options = pair->choice->options;
    run->options = &member->options;
    return bench_run_open(run, pair->sessions);
}

static void *member_run(void *argument)
{
    struct member *member = argument;
    struct pair *pair = member->pair;
    const struct bench_choice *choice = pair->choice;
    struct bench_combination combination = {0};
    bool is_good;

    pair->wrong[member->index] = member_open(member);
    is_good = together(pair);
    if (is_good && member->index == 0)
        bench_print_open(&pair->runs[0]);
    while (is_good && bench_combination_next(choice, &combination)) {
        member->options.burst = combination.burst;
        member->options.frame_bytes = combination.frame_bytes;
        if (bench_pattern_set(&pair->runs[member->index].traffic, combination.pattern) != 0)
            abort();
        is_good = combination_run(member, combination.direction);
    }
    return NULL;
}

const char *bench_pair(const struct bench_choice *choice, struct bench_run runs[2],
                       uint32_t sessions)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    struct member members[2] = {{.pair = pair, .index = 0}, {.pair = pair, .index = 1}};
    pthread_t thread;
    const char *wrong = "not enough memory for a second thread";

    if (pair == NULL)
        return wrong;
    pair->choice = choice;
    pair->runs = runs;
    pair->sessions = sessions;
    pthread_barrier_init(&pair->barrier, NULL, 2);
    if (pthread_create(&thread, NULL, member_run, &members[1]) == 0) {
        member_run(&members[0]);
        pthread_join(thread, NULL);
        wrong = pair->wrong[0] != NULL ? pair->wrong[0] : pair->wrong[1];
    }
    pthread_barrier_destroy(&pair->barrier);
    runs[0].options = runs[1].options = &choice->options;
    free(pair);
    return wrong;
}
