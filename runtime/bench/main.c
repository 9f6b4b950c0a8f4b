/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tvs-bench: TSC cycles per packet of a generation's path on one worker, over bursts out of memory.
 * Floors run in turn with it, repeat by repeat, so that a noisy machine is noisy for all of them.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench/run.h"

enum { MAX_SESSION_COUNTS = 16 };

static const char *const direction_name[BENCH_N_DIRECTIONS] = {"request", "reply",   "new",
                                                               "close",   "refused", "sweep"};
static const char *const pattern_name[] = {"uniform", "zipf", "one"};
static const char *const subject_name[BENCH_N_SUBJECTS] = {"site", "generic", "touch", "rte_hash"};

struct choice {
    struct bench_options options;
    uint32_t sessions[MAX_SESSION_COUNTS];
    uint32_t n_sessions;
    bool direction[BENCH_N_DIRECTIONS];
    bool pattern[3];
};

struct figure {
    double median, p10, p90;
};

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

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static struct figure figure_of(double *values, uint32_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return (struct figure){values[n / 2], values[n / 10], values[n - 1 - n / 10]};
}

static bool subject_there(const struct bench_run *run, enum bench_direction direction,
                          enum bench_subject subject)
{
    bool is_established = direction == BENCH_REQUEST || direction == BENCH_REPLY;

    switch (subject) {
    case BENCH_SITE:
        return true;
    case BENCH_GENERIC:
        return run->generic != NULL && is_established;
    case BENCH_TOUCH:
        return run->options->floors && is_established;
    default:
        return run->hash != NULL && direction == BENCH_REQUEST;
    }
}

static void print(const struct bench_run *run, enum bench_direction direction,
                  const struct figure *figures, uint32_t sessions, double hz, double bytes,
                  bool is_first)
{
    const struct bench_options *options = run->options;
    const struct figure *site = &figures[BENCH_SITE];
    const char *proto = options->proto == TVS_TCP ? "tcp" : "udp";
    const char *pattern = pattern_name[run->traffic.pattern];

    if (options->json) {
        printf("%s\n    {\"class\": \"%s\", \"direction\": \"%s\", \"pattern\": \"%s\", "
               "\"sessions\": %u, \"burst\": %u, \"frame_bytes\": %u, \"bytes_per_session\": %.1f",
               is_first ? "" : ",", proto, direction_name[direction], pattern, sessions,
               options->burst, options->frame_bytes, bytes);
        for (int s = 0; s < BENCH_N_SUBJECTS; s++)
            if (figures[s].median > 0)
                printf(", \"%s\": {\"median\": %.2f, \"p10\": %.2f, \"p90\": %.2f}",
                       subject_name[s], figures[s].median, figures[s].p10, figures[s].p90);
        printf("}");
        return;
    }
    printf("%-4s %-8s %-8s %8u %8.1f %7.1f %7.1f %7.1f", proto, direction_name[direction], pattern,
           sessions, site->median, site->p10, site->p90, hz / site->median / 1e6);
    for (int s = BENCH_GENERIC; s < BENCH_N_SUBJECTS; s++)
        if (figures[s].median > 0)
            printf("  %s %.1f (%.2fx)", subject_name[s], figures[s].median,
                   figures[s].median / site->median);
    printf("\n");
}

static const char *measure(struct bench_run *run, enum bench_direction direction,
                           struct figure *figures)
{
    static double values[BENCH_N_SUBJECTS][BENCH_MAX_REPEATS];

    bench_direction_begin(run, direction);
    for (uint32_t repeat = 0; repeat < run->options->repeats; repeat++)
        for (int i = 0; i < BENCH_N_SUBJECTS; i++) {
            /* forth and back, so that none always follows the one that leaves the caches coldest */
            int s = repeat % 2 == 0 ? i : BENCH_N_SUBJECTS - 1 - i;
            const char *wrong;

            if (!subject_there(run, direction, s))
                continue;
            wrong = bench_repeat(run, direction, s, &values[s][repeat]);
            if (wrong != NULL)
                return wrong;
        }
    for (int s = 0; s < BENCH_N_SUBJECTS; s++)
        figures[s] = subject_there(run, direction, s) ? figure_of(values[s], run->options->repeats)
                                                      : (struct figure){0};
    return NULL;
}

static const char *sessions_bench(const struct choice *choice, struct bench_run *run,
                                  uint32_t sessions, double hz, bool *is_first)
{
    const char *wrong = bench_run_open(run, sessions);
    double bytes = (double)run->worker_bytes / run->capacity;

    if (wrong == NULL && *is_first && !choice->options.json)
        printf("pages: %s; TSC %.2f GHz; cycles per packet\n"
               "%-4s %-8s %-8s %8s %8s %7s %7s %7s\n",
               run->pages, hz / 1e9, "", "", "", "sessions", "median", "p10", "p90", "Mpps");
    if (wrong == NULL && !choice->options.json)
        printf("# %u sessions: %.1f bytes each, all structures\n", sessions, bytes);
    /* directions last that leave other sessions behind */
    static const uint8_t order[] = {BENCH_REQUEST, BENCH_REPLY,   BENCH_CLOSE,
                                    BENCH_SWEEP,   BENCH_REFUSED, BENCH_NEW};
    for (unsigned i = 0; i < sizeof(order) && wrong == NULL; i++)
        for (int pattern = 0; pattern < 3 && wrong == NULL; pattern++) {
            struct figure figures[BENCH_N_SUBJECTS];
            bool has_pattern = order[i] == BENCH_REQUEST || order[i] == BENCH_REPLY;

            if (!choice->direction[order[i]] || !choice->pattern[pattern] ||
                (!has_pattern && pattern != BENCH_UNIFORM) ||
                (order[i] == BENCH_CLOSE && choice->options.proto != TVS_TCP))
                continue;
            if (bench_pattern_set(&run->traffic, pattern) != 0)
                return "not enough memory";
            wrong = measure(run, order[i], figures);
            if (wrong == NULL)
                print(run, order[i], figures, sessions, hz, bytes, *is_first);
            *is_first = false;
            fflush(stdout);
        }
    return wrong;
}

static const char *traffic_aim(struct bench_traffic *traffic,
                               const struct tvs_generation *generation, uint8_t proto)
{
    for (uint32_t i = 0; i < generation->n_services; i++)
        if (generation->services[i].proto == proto) {
            traffic->proto = proto;
            traffic->vip_be = htobe32(generation->services[i].vip);
            traffic->vip_port_be = htobe16(generation->services[i].port);
            traffic->steering = &generation->steering;
            return NULL;
        }
    return "the generation has no service of this protocol";
}

static int bench(const struct choice *choice)
{
    const struct bench_options *options = &choice->options;
    const struct tvs_node_config config = {.seed = options->seed};
    struct tvs_node *generic = NULL;
    char error[256];
    struct tvs_node *node = tvs_node_open(options->generation, &config, error, sizeof(error));
    const char *wrong = NULL;
    bool is_first = true;
    double hz = tsc_hz();

    if (node != NULL && options->generic != NULL)
        generic = tvs_node_open(options->generic, &config, error, sizeof(error));
    if (node == NULL || (options->generic != NULL && generic == NULL)) {
        fprintf(stderr, "tvs-bench: %s: %s\n", node ? options->generic : options->generation,
                error);
        return 1;
    }
    if (options->json)
        printf("{\"format_version\": 1, \"generation\": \"%s\", \"tsc_hz\": %.0f, \"results\": [",
               node->generation->id, hz);
    for (uint32_t i = 0; i < choice->n_sessions && wrong == NULL; i++) {
        uint32_t room = bench_run_room(node->generation);
        struct bench_run run = {
            .options = options,
            .node = node,
            .generic = generic != NULL ? generic->generation->burst : NULL,
            .traffic = {.random = options->seed},
        };

        if (choice->sessions[i] > room || options->capacity > room) {
            fprintf(stderr, "tvs-bench: %u sessions: the first worker has local ports for %u\n",
                    options->capacity > room ? options->capacity : choice->sessions[i], room);
            continue;
        }
        wrong = traffic_aim(&run.traffic, node->generation, options->proto);
        if (wrong == NULL)
            wrong = sessions_bench(choice, &run, choice->sessions[i], hz, &is_first);
        bench_run_close(&run);
    }
    if (options->json)
        printf("\n]}\n");
    if (wrong != NULL)
        fprintf(stderr, "tvs-bench: %s\n", wrong);
    tvs_node_close(generic);
    tvs_node_close(node);
    return wrong != NULL;
}

static const char usage[] =
    "usage: tvs-bench [options] GENERATION.so\n"
    "  --class tcp|udp            the first service of this protocol (tcp)\n"
    "  --sessions N,...           with k and M (1k,10k,100k,1M)\n"
    "  --capacity N               sessions that there is room for (as many as are open)\n"
    "  --direction NAME,...       request reply new close refused sweep (all)\n"
    "  --pattern NAME,...         uniform zipf one (uniform)\n"
    "  --burst N                  frames per burst, at most 32 (32)\n"
    "  --packets N                frames in the pool (32768)\n"
    "  --size BYTES               of a frame, 60..1514 (60)\n"
    "  --repeats N                of each measurement (31)\n"
    "  --packets-per-tick N       how many packets share one 100 ms tick (1000000)\n"
    "  --seed N\n"
    "  --generic GENERIC.so       the same site compiled generic, measured in turn\n"
    "  --floors                   touch and rte_hash, measured in turn\n"
    "  --json\n"
    "Give it 2 MB pages (vm.nr_hugepages) and a core of its own (taskset).\n";

static bool number_parse(const char *text, uint32_t *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    unsigned long unit = *end == 'k' ? 1000 : *end == 'M' ? 1000000 : 1;

    if (end == text || end[unit != 1] != '\0' || value == 0 || value > UINT32_MAX / unit)
        return false;
    *number = (uint32_t)(value * unit);
    return true;
}

/* Sets the rows of `chosen` that the list names, all others not. */
static bool names_parse(char *list, const char *const *names, unsigned n, bool *chosen)
{
    memset(chosen, 0, n * sizeof(*chosen));
    for (char *word = strtok(list, ","); word != NULL; word = strtok(NULL, ",")) {
        unsigned at = 0;

        while (at < n && strcmp(names[at], word) != 0)
            at++;
        if (at == n)
            return false;
        chosen[at] = true;
    }
    return true;
}

static bool sessions_parse(struct choice *choice, char *list)
{
    choice->n_sessions = 0;
    for (char *word = strtok(list, ","); word != NULL; word = strtok(NULL, ","))
        if (choice->n_sessions == MAX_SESSION_COUNTS ||
            !number_parse(word, &choice->sessions[choice->n_sessions++]) ||
            choice->sessions[choice->n_sessions - 1] < 64)
            return false;
    return choice->n_sessions > 0;
}

static bool option_take(struct choice *choice, int option, char *value)
{
    struct bench_options *options = &choice->options;
    uint32_t number;

    switch (option) {
    case 'c':
        options->proto = strcmp(value, "udp") == 0 ? TVS_UDP : TVS_TCP;
        return options->proto == TVS_UDP || strcmp(value, "tcp") == 0;
    case 'n':
        return sessions_parse(choice, value);
    case 'C':
        return number_parse(value, &options->capacity);
    case 'd':
        return names_parse(value, direction_name, BENCH_N_DIRECTIONS, choice->direction);
    case 'p':
        return names_parse(value, pattern_name, 3, choice->pattern);
    case 'b':
        return number_parse(value, &options->burst) && options->burst <= TVS_MAX_BURST;
    case 'k':
        return number_parse(value, &options->n_packets) && options->n_packets <= 1 << 20;
    case 's':
        return number_parse(value, &options->frame_bytes) &&
               options->frame_bytes >= BENCH_MIN_FRAME && options->frame_bytes <= BENCH_MAX_FRAME;
    case 'r':
        return number_parse(value, &options->repeats) && options->repeats <= BENCH_MAX_REPEATS;
    case 't':
        return number_parse(value, &options->packets_per_tick);
    case 'S':
        if (!number_parse(value, &number))
            return false;
        options->seed = number;
        return true;
    case 'g':
        options->generic = value;
        return true;
    case 'f':
        options->floors = true;
        return true;
    case 'j':
        options->json = true;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"class", required_argument, NULL, 'c'},
        {"sessions", required_argument, NULL, 'n'},
        {"capacity", required_argument, NULL, 'C'},
        {"direction", required_argument, NULL, 'd'},
        {"pattern", required_argument, NULL, 'p'},
        {"burst", required_argument, NULL, 'b'},
        {"packets", required_argument, NULL, 'k'},
        {"size", required_argument, NULL, 's'},
        {"repeats", required_argument, NULL, 'r'},
        {"packets-per-tick", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 'S'},
        {"generic", required_argument, NULL, 'g'},
        {"floors", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct choice choice = {
        .options = {.proto = TVS_TCP,
                    .n_packets = 32768,
                    .burst = TVS_MAX_BURST,
                    .frame_bytes = BENCH_MIN_FRAME,
                    .repeats = 31,
                    .packets_per_tick = 1000000,
                    .seed = 42},
        .sessions = {1000, 10000, 100000, 1000000},
        .n_sessions = 4,
        .direction = {true, true, true, true, true, true},
        .pattern = {true},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        } else if (!option_take(&choice, option, optarg))
            goto wrong;
    if (optind + 1 != argc)
        goto wrong;
    choice.options.generation = argv[optind];
    return bench(&choice);
wrong:
    fputs(usage, stderr);
    return 2;
}
