/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/choice.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEAST_PACKETS = 32768, MOST_PACKETS = 1 << 20, LEAST_SESSIONS = 64 };

const char bench_usage[] =
    "usage: tvs-bench [options] GENERATION.so\n"
    "  --class tcp|udp|NUMBER     the first service of this protocol, or of this class (tcp)\n"
    "  --sessions N,...           with k and M (1k,10k,100k,1M)\n"
    "  --capacity N               sessions that there is room for (as many as are open)\n"
    "  --direction NAME,...       request reply new close refused sweep (these); sync (TCP: whole\n"
    "                             sessions, without and with session sync, in a larger table)\n"
    "  --pattern NAME,...         uniform zipf one (uniform)\n"
    "  --burst N,...              frames per burst, at most 32 (32)\n"
    "  --size BYTES,...           of a frame, 60..1514 (60)\n"
    "  --packets N                frames in the pool (32768, or more: twice the second cache)\n"
    "  --repeats N                of each measurement (31)\n"
    "  --packets-per-tick N       how many packets share one 100 ms tick (1000000)\n"
    "  --seed N\n"
    "  --cpus N[,N]               where the workers run (where taskset put us)\n"
    "  --sync-steps               the steps of session sync between bursts; no direction\n"
    "  --two-workers              each alone and both at the same time; no floors\n"
    "  --generic GENERIC.so       the same site compiled generic, measured in turn\n"
    "  --floors                   touch and rte_hash, measured in turn\n"
    "  --small-pages              take no 2 MB pages\n"
    "  --trace                    marks bursts for valgrind's lackey; waits for a line first\n"
    "  --json                     one object a line\n"
    "It wants 2 MB pages (vm.nr_hugepages) and a core of its own.\n";

static bool number_parse(const char *text, uint32_t *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    unsigned long unit = *end == 'k' ? 1000 : *end == 'M' ? 1000000 : 1;

    if (end == text || end[unit != 1] != '\0' || value > UINT32_MAX / unit)
        return false;
    *number = (uint32_t)(value * unit);
    return true;
}

static bool list_parse(struct bench_list *list, char *text, uint32_t least, uint32_t most)
{
    list->n = 0;
    for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
        uint32_t *number = &list->at[list->n];

        if (list->n == BENCH_MAX_LIST || !number_parse(word, number) || *number < least ||
            *number > most)
            return false;
        list->n++;
    }
    return list->n > 0;
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

static bool one_parse(const char *value, uint32_t least, uint32_t most, uint32_t *number)
{
    return number_parse(value, number) && *number >= least && *number <= most;
}

static bool class_parse(struct bench_options *options, const char *value)
{
    uint32_t number;

    options->class_id = -1;
    options->proto = strcmp(value, "udp") == 0 ? TVS_UDP : TVS_TCP;
    if (strcmp(value, "udp") == 0 || strcmp(value, "tcp") == 0)
        return true;
    if (!one_parse(value, 0, UINT8_MAX, &number))
        return false;
    options->class_id = (int)number;
    return true;
}

static bool option_take(struct bench_choice *choice, int option, char *value)
{
    struct bench_options *options = &choice->options;
    uint32_t number;

    switch (option) {
    case 'c':
        return class_parse(options, value);
    case 'n':
        return list_parse(&choice->sessions, value, LEAST_SESSIONS, UINT32_MAX);
    case 'm':
        return one_parse(value, 1, UINT32_MAX, &options->capacity);
    case 'd':
        return names_parse(value, bench_direction_name, BENCH_N_DIRECTIONS, choice->direction);
    case 'p':
        return names_parse(value, bench_pattern_name, BENCH_N_PATTERNS, choice->pattern);
    case 'b':
        return list_parse(&choice->bursts, value, 1, TVS_MAX_BURST);
    case 's':
        return list_parse(&choice->sizes, value, BENCH_MIN_FRAME, BENCH_MAX_FRAME);
    case 'k':
        return one_parse(value, 2, MOST_PACKETS, &options->n_packets);
    case 'r':
        return one_parse(value, 1, BENCH_MAX_REPEATS, &options->repeats);
    case 't':
        return one_parse(value, 1, UINT32_MAX, &options->packets_per_tick);
    case 'S':
        if (!one_parse(value, 1, UINT32_MAX, &number))
            return false;
        options->seed = number;
        return true;
    case 'C':
        return list_parse(&choice->cpus, value, 0, 4095);
    case 'g':
        options->generic = value;
        return true;
    default:
        return false;
    }
}

/* The lines that the pool's packets touch are more than the second cache holds. */
static uint32_t default_packets(void)
{
    long l2_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    uint32_t n = LEAST_PACKETS;

    while (n < MOST_PACKETS && (long)n * TVS_CACHE_LINE < 2 * l2_bytes)
        n *= 2;
    return n;
}

int bench_choice_read(struct bench_choice *choice, int argc, char **argv)
{
    int steps = 0, two = 0, floors = 0, small_pages = 0, trace = 0, json = 0;
    const struct option long_options[] = {
        {"class", required_argument, NULL, 'c'},
        {"sessions", required_argument, NULL, 'n'},
        {"capacity", required_argument, NULL, 'm'},
        {"direction", required_argument, NULL, 'd'},
        {"pattern", required_argument, NULL, 'p'},
        {"burst", required_argument, NULL, 'b'},
        {"size", required_argument, NULL, 's'},
        {"packets", required_argument, NULL, 'k'},
        {"repeats", required_argument, NULL, 'r'},
        {"packets-per-tick", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 'S'},
        {"cpus", required_argument, NULL, 'C'},
        {"generic", required_argument, NULL, 'g'},
        {"two-workers", no_argument, &two, 1},
        {"sync-steps", no_argument, &steps, 1},
        {"floors", no_argument, &floors, 1},
        {"small-pages", no_argument, &small_pages, 1},
        {"trace", no_argument, &trace, 1},
        {"json", no_argument, &json, 1},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    *choice = (struct bench_choice){
        .options = {.proto = TVS_TCP,
                    .class_id = -1,
                    .n_packets = default_packets(),
                    .burst = TVS_MAX_BURST,
                    .frame_bytes = BENCH_MIN_FRAME,
                    .repeats = 31,
                    .packets_per_tick = 1000000,
                    .seed = 42},
        .sessions = {4, {1000, 10000, 100000, 1000000}},
        .bursts = {1, {TVS_MAX_BURST}},
        .sizes = {1, {BENCH_MIN_FRAME}},
        .direction = {true, true, true, true, true, true},
        .pattern = {true},
    };
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (option == 'h')
            return 1;
        else if (option != 0 && !option_take(choice, option, optarg))
            return -EINVAL;
    choice->two_workers = two;
    choice->is_traced = trace;
    choice->takes_steps = steps;
    choice->options.floors = floors && !two;
    choice->options.small_pages = small_pages;
    choice->options.has_sync = (choice->direction[BENCH_SYNC] || steps) && !two;
    choice->options.json = json;
    if (optind + 1 != argc || choice->cpus.n > 2 || (two && trace) || (steps && (two || trace)))
        return -EINVAL;
    choice->options.generation = argv[optind];
    return 0;
}

bool bench_combination_next(const struct bench_choice *choice,
                            struct bench_combination *combination)
{
    static const uint8_t order[] = {BENCH_REQUEST, BENCH_CLOSE, BENCH_REPLY, BENCH_SWEEP,
                                    BENCH_REFUSED, BENCH_NEW,   BENCH_SYNC};
    uint32_t n_sizes = choice->sizes.n, n_bursts = choice->bursts.n;

    while (combination->at < sizeof(order) * BENCH_N_PATTERNS * n_bursts * n_sizes) {
        uint32_t at = combination->at++;
        uint32_t size = at % n_sizes, burst = at / n_sizes % n_bursts;
        uint32_t pattern = at / n_sizes / n_bursts % BENCH_N_PATTERNS;
        enum bench_direction direction = order[at / n_sizes / n_bursts / BENCH_N_PATTERNS];
        bool has_pattern = direction == BENCH_REQUEST || direction == BENCH_REPLY;

        if (!choice->direction[direction] || !choice->pattern[pattern] ||
            (!has_pattern && pattern != BENCH_UNIFORM) ||
            (direction == BENCH_SWEEP && (size > 0 || burst > 0 || choice->two_workers)) ||
            (direction == BENCH_SYNC && (choice->two_workers || choice->is_traced)) ||
            ((direction == BENCH_CLOSE || direction == BENCH_SYNC) &&
             choice->options.proto != TVS_TCP))
            continue;
        combination->direction = direction;
        combination->pattern = (enum bench_pattern)pattern;
        combination->burst = choice->bursts.at[burst];
        combination->frame_bytes = choice->sizes.at[size];
        return true;
    }
    return false;
}
