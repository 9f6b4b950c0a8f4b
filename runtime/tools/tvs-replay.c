/* SPDX-License-Identifier: Apache-2.0 */
/* tvs-replay: a node's real packet path over a capture file. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/replay.h"

enum { EXIT_USAGE = 2, ERROR_BYTES = 512 };

static const char usage[] =
    "usage: tvs-replay --generation FILE [options] IN.pcap OUT.pcap\n"
    "\n"
    "Runs the packet path of a compiled node over a capture (pcap or pcapng, Ethernet) and\n"
    "writes what the node would send. `-` is stdin or stdout. Packets come in by the first port;\n"
    "where it has a VLAN they have its tag, and others end at the port (`other_vlan`).\n"
    "\n"
    "  --generation FILE     OUT/nodes/NODE/generation.so as `tvsc compile` made it\n"
    "  --worker N            every packet arrives at worker N (else as the NIC would steer it)\n"
    "  --clock pcap|SECONDS  timestamps drive the clock, or packets are SECONDS apart (pcap)\n"
    "  --stats FILE          counters and drop reasons as JSON\n"
    "  --trace FILE          one line of JSON per packet: worker, verdict, drop reason\n"
    "  --kernel FILE.pcap    write what goes to the kernel\n"
    "  --down IP:PORT[@SEC]  this server is down, from SEC after the first packet on; repeatable\n"
    "  --check-mac           drop frames for other stations than port 0 (02:74:76:73:00:00)\n"
    "  --burst N             packets of one 100 ms tick that are run together, 1..32 (32)\n"
    "  --seed N              of the session table's secret keys (0)\n"
    "  --help, --version\n"
    "\n"
    "example: tvs-replay --generation out/nodes/tvs-a1/generation.so --stats - in.pcap out.pcap\n";

struct options {
    const char *generation, *in, *out, *stats, *trace, *kernel;
    struct tvs_node_config node;
    struct tvs_replay_config replay;
};

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "tvs-replay: %s%s%s\ntry: tvs-replay --help\n", what, value ? ": " : "",
            value ? value : "");
    return EXIT_USAGE;
}

/* Seconds, decimal, as nanoseconds. */
static bool seconds_parse(const char *text, int64_t *ns)
{
    char *end;
    double seconds;

    if (*text < '0' || *text > '9')
        return false;
    seconds = strtod(text, &end);
    if (*end || !isfinite(seconds) || seconds > 1e9)
        return false;
    *ns = (int64_t)(seconds * 1e9 + 0.5);
    return true;
}

static bool number_parse(const char *text, uint64_t limit, uint64_t *number)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return !*end && !errno && *number <= limit;
}

static bool down_parse(const char *text, struct tvs_replay_config *replay)
{
    struct tvs_replay_down *down = &replay->down[replay->n_downs];
    char address[INET_ADDRSTRLEN + sizeof(":65535")];
    const char *at = strchrnul(text, '@');
    struct in_addr parsed;
    uint64_t port;
    char *colon;

    if (replay->n_downs == TVS_REPLAY_MAX_EVENTS || (size_t)(at - text) >= sizeof(address))
        return false;
    memcpy(address, text, (size_t)(at - text));
    address[at - text] = '\0';
    colon = strchr(address, ':');
    if (!colon)
        return false;
    *colon = '\0';
    if (inet_pton(AF_INET, address, &parsed) != 1 || !number_parse(colon + 1, UINT16_MAX, &port))
        return false;
    *down = (struct tvs_replay_down){.address = ntohl(parsed.s_addr), .port = (uint16_t)port};
    if (*at && !seconds_parse(at + 1, &down->after_ns))
        return false;
    replay->n_downs++;
    return true;
}

static bool option_take(int which, const char *value, struct options *options)
{
    uint64_t number = 0;
    bool good = true;

    switch (which) {
    case 'g':
        options->generation = value;
        break;
    case 's':
        options->stats = value;
        break;
    case 't':
        options->trace = value;
        break;
    case 'k':
        options->kernel = value;
        break;
    case 'w':
        good = number_parse(value, TVS_MAX_WORKERS - 1, &number);
        options->replay.worker = (uint16_t)number;
        break;
    case 'c':
        options->replay.spacing_ns = 0;
        if (strcmp(value, "pcap") != 0)
            good =
                seconds_parse(value, &options->replay.spacing_ns) && options->replay.spacing_ns > 0;
        break;
    case 'd':
        good = down_parse(value, &options->replay);
        break;
    case 'm':
        options->node.check_mac = true;
        break;
    case 'b':
        good = number_parse(value, TVS_MAX_BURST, &number) && number > 0;
        options->replay.burst = (uint32_t)number;
        break;
    case 'S':
        good = number_parse(value, UINT64_MAX, &number);
        options->node.seed = number;
        break;
    }
    return good;
}

static const struct option long_options[] = {
    {"generation", required_argument, NULL, 'g'},
    {"worker", required_argument, NULL, 'w'},
    {"clock", required_argument, NULL, 'c'},
    {"stats", required_argument, NULL, 's'},
    {"trace", required_argument, NULL, 't'},
    {"kernel", required_argument, NULL, 'k'},
    {"down", required_argument, NULL, 'd'},
    {"check-mac", no_argument, NULL, 'm'},
    {"burst", required_argument, NULL, 'b'},
    {"seed", required_argument, NULL, 'S'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static bool same_file(const char *a, const char *b)
{
    struct stat first, second;

    return a && b && stat(a, &first) == 0 && stat(b, &second) == 0 && S_ISREG(first.st_mode) &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* Exit code, or -1: go on. */
static int options_parse(int argc, char **argv, struct options *options)
{
    const char *outputs[4];
    int which, index, to_stdout = 0;

    while ((which = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (which == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if (which == 'V') {
            puts("tvs-replay " TVS_VERSION);
            return EXIT_SUCCESS;
        }
        if (which == '?') {
            fputs("try: tvs-replay --help\n", stderr);
            return EXIT_USAGE;
        }
        if (!option_take(which, optarg, options)) {
            char what[64];

            snprintf(what, sizeof(what), "bad value for --%s", long_options[index].name);
            return usage_error(what, optarg);
        }
    }
    if (!options->generation)
        return usage_error("--generation is missing", NULL);
    if (argc - optind != 2)
        return usage_error("one input and one output capture are needed", NULL);
    options->in = argv[optind];
    options->out = argv[optind + 1];

    outputs[0] = options->out;
    outputs[1] = options->stats;
    outputs[2] = options->trace;
    outputs[3] = options->kernel;
    for (int i = 0; i < 4; i++) {
        to_stdout += outputs[i] && strcmp(outputs[i], "-") == 0;
        if (same_file(outputs[i], options->in) || same_file(outputs[i], options->generation))
            return usage_error("this output would overwrite an input", outputs[i]);
    }
    if (to_stdout > 1)
        return usage_error("only one output can be `-`", NULL);
    return -1;
}

static int complain(const char *path, const char *why)
{
    fprintf(stderr, "tvs-replay: %s: %s\n", path, why);
    return EXIT_FAILURE;
}

static FILE *text_create(const char *path)
{
    return strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
}

static int text_finish(FILE *file, const char *path)
{
    int failed = fflush(file) || ferror(file);

    if (file != stdout)
        failed |= fclose(file);
    return failed ? complain(path, "cannot be written") : EXIT_SUCCESS;
}

static int downs_check(const struct options *options, const struct tvs_generation *generation)
{
    for (uint32_t e = 0; e < options->replay.n_downs; e++) {
        bool known = false;

        for (uint32_t p = 0; p < generation->n_pools; p++) {
            for (uint32_t i = 0; i < generation->pools[p].n_backends; i++)
                known |=
                    generation->pools[p].backends[i].address == options->replay.down[e].address &&
                    generation->pools[p].backends[i].port == options->replay.down[e].port;
        }
        if (!known)
            return usage_error("--down names a server that no pool has", NULL);
    }
    return EXIT_SUCCESS;
}

static int replay(struct options *options, struct tvs_node *node)
{
    struct tvs_replay_config *config = &options->replay;
    struct tvs_stats_capture capture = {0};
    char error[ERROR_BYTES];
    int code = EXIT_SUCCESS;
    FILE *stats = NULL;

    config->in = tvs_pcap_open(options->in, error, sizeof(error));
    if (!config->in)
        return complain(options->in, error);
    config->out = tvs_pcap_create(options->out, error, sizeof(error));
    if (!config->out)
        code = complain(options->out, error);
    if (!code && options->kernel) {
        config->kernel = tvs_pcap_create(options->kernel, error, sizeof(error));
        if (!config->kernel)
            code = complain(options->kernel, error);
    }
    if (!code && options->trace) {
        config->trace = text_create(options->trace);
        if (!config->trace)
            code = complain(options->trace, strerror(errno));
    }
    if (!code && options->stats) {
        stats = text_create(options->stats);
        if (!stats)
            code = complain(options->stats, strerror(errno));
    }

    if (!code && tvs_replay_run(config, node, &capture, error, sizeof(error)))
        code = complain(options->in, error);
    if (stats) {
        tvs_stats_write(stats, node, &capture);
        code |= text_finish(stats, options->stats);
    }
    if (config->trace)
        code |= text_finish(config->trace, options->trace);
    if (config->kernel && tvs_pcap_finish(config->kernel))
        code |= complain(options->kernel, "cannot be written");
    if (config->out && tvs_pcap_finish(config->out))
        code |= complain(options->out, "cannot be written");
    tvs_pcap_close(config->in);
    return code;
}

int main(int argc, char **argv)
{
    struct options options = {.replay = {.worker = TVS_NODE_STEER, .burst = TVS_MAX_BURST}};
    int code = options_parse(argc, argv, &options);
    char error[ERROR_BYTES];
    struct tvs_node *node;

    if (code >= 0)
        return code;
    node = tvs_node_open(options.generation, &options.node, error, sizeof(error));
    if (!node)
        return complain(options.generation, error);
    code = downs_check(&options, node->generation);
    if (!code && options.replay.worker != TVS_NODE_STEER &&
        options.replay.worker >= node->n_workers)
        code = usage_error("--worker names a worker that this node does not have", NULL);
    if (!code)
        code = replay(&options, node);
    tvs_node_close(node);
    return code;
}
