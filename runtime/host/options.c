/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
    OPT_GENERATION = 'g',
    OPT_HELP = 'h',
    OPT_SOCKET = 256,
    OPT_RUN_DIR,
    OPT_SECRETS_DIR,
    OPT_LOG,
    OPT_CHECK,
    OPT_FOREGROUND,
    OPT_VERSION
};

static const struct option table[] = {
    {"generation", required_argument, NULL, OPT_GENERATION},
    {"control-socket", required_argument, NULL, OPT_SOCKET},
    {"run-dir", required_argument, NULL, OPT_RUN_DIR},
    {"secrets-dir", required_argument, NULL, OPT_SECRETS_DIR},
    {"log-level", required_argument, NULL, OPT_LOG},
    {"check", no_argument, NULL, OPT_CHECK},
    {"foreground", no_argument, NULL, OPT_FOREGROUND},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static void usage(FILE *out)
{
    fputs("usage: tvsd --generation FILE [options] [-- EAL arguments]\n"
          "\n"
          "The load balancer's daemon. Everything about the site is compiled into the generation.\n"
          "It stays in the foreground and logs to stderr; systemd or the lab keeps it.\n"
          "\n"
          "  -g, --generation FILE   the node's generation.so\n"
          "  --control-socket PATH   where the node tool reaches it (default RUN_DIR/tvsd.sock)\n"
          "  --run-dir DIR           default /run/tvsd\n"
          "  --secrets-dir DIR       where the key of session sync is, default /etc/tvs\n"
          "  --log-level LEVEL       error, warning, info or debug (default info)\n"
          "  --check                 say whether this daemon can run the generation, and exit\n"
          "  --foreground            accepted; it always stays there\n"
          "  --version, -h, --help\n"
          "\n"
          "example: tvsd --generation /etc/tvsc/generation.so --run-dir /run/tvsd\n",
          out);
}

static int level_of(const char *text, enum tvs_log_level *level)
{
    static const struct {
        const char *name;
        enum tvs_log_level level;
    } names[] = {
        {"error", TVS_LOG_ERROR},
        {"warning", TVS_LOG_WARNING},
        {"info", TVS_LOG_INFO},
        {"debug", TVS_LOG_DEBUG},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i].name) == 0) {
            *level = names[i].level;
            return 0;
        }
    }
    fprintf(stderr, "tvsd: error: log level `%s` is none of error, warning, info, debug\n", text);
    return -1;
}

int tvs_options_parse(struct tvs_options *options, int argc, char **argv)
{
    int c;

    *options = (struct tvs_options){
        .run_dir = "/run/tvsd", .secrets_dir = "/etc/tvs", .log_level = TVS_LOG_INFO};
    while ((c = getopt_long(argc, argv, "+g:h", table, NULL)) != -1) {
        switch (c) {
        case OPT_GENERATION:
            options->generation = optarg;
            break;
        case OPT_SOCKET:
            options->control_socket = optarg;
            break;
        case OPT_RUN_DIR:
            options->run_dir = optarg;
            break;
        case OPT_SECRETS_DIR:
            options->secrets_dir = optarg;
            break;
        case OPT_LOG:
            if (level_of(optarg, &options->log_level) < 0)
                return -1;
            break;
        case OPT_CHECK:
            options->check = true;
            break;
        case OPT_FOREGROUND:
            break;
        case OPT_HELP:
            usage(stdout);
            return 1;
        case OPT_VERSION:
            puts("tvsd " TVS_VERSION);
            return 1;
        default:
            usage(stderr);
            return -1;
        }
    }
    if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
        fprintf(stderr, "tvsd: error: `%s` is no option (EAL arguments come after --)\n",
                argv[optind]);
        return -1;
    }
    options->eal_argc = argc - optind;
    options->eal_argv = argv + optind;
    if (options->generation == NULL) {
        fputs("tvsd: error: --generation is missing\n", stderr);
        usage(stderr);
        return -1;
    }
    return 0;
}
