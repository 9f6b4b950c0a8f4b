/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tvs: the operator's tool on the node. Sends one request to the daemon's control socket and prints
 * the answer. Exit 0; 1: the daemon refused; 2: bad command line; 3: the daemon is not there.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tvs_text.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3, PATIENCE_S = 10 };

struct options {
    const char *socket;
    bool json;
    unsigned limit; /* of sessions */
};

static const char usage[] =
    "usage: tvs [--socket PATH] [--format text|json] COMMAND\n"
    "\n"
    "  status                         node, ports, workers, steering\n"
    "  counters                       every counter and drop reason\n"
    "  metrics                        the same for Prometheus (node_exporter's textfile)\n"
    "  backends                       servers of all pools: state, weight, sessions\n"
    "  sessions [LIMIT]               sessions under way (default 100, 0: all)\n"
    "  drain POOL ADDRESS:PORT        no new sessions for this server\n"
    "  undrain POOL ADDRESS:PORT      new sessions again\n"
    "  weight POOL ADDRESS:PORT N     another weight until the site file changes it\n"
    "  nexthops                       neighbours that packets are sent to\n"
    "  routes                         the dataplane's copy of the kernel's main table\n"
    "  reload PATH                    go over to another generation.so\n"
    "\n"
    "example: tvs --format json backends\n";

static __attribute__((noreturn, format(printf, 2, 3))) void fail(int status, const char *format,
                                                                 ...)
{
    va_list arguments;

    fflush(stdout);
    fputs("tvs: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

static FILE *daemon_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    FILE *stream;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        fail(EXIT_USAGE, "socket path is too long: %s", path);
    strcpy(address.sun_path, path);
    signal(SIGPIPE, SIG_IGN);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail(EXIT_NO_DAEMON, "cannot make a socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            fail(EXIT_NO_DAEMON, "no daemon answers at %s: is tvsd running? (--socket PATH)", path);
        if (errno == EACCES)
            fail(EXIT_NO_DAEMON, "%s: permission denied: run as root", path);
        fail(EXIT_NO_DAEMON, "%s: %s", path, strerror(errno));
    }
    stream = fdopen(fd, "r");
    if (!stream)
        fail(EXIT_NO_DAEMON, "%s: %s", path, strerror(errno));
    return stream;
}

/* The answer to one request; the caller owns it. Ends the program when there is none. */
static json_t *ask(FILE *daemon, const char *request)
{
    json_error_t error;
    json_t *answer;
    const char *refusal;
    char *line = NULL;
    size_t room = 0;

    if (dprintf(fileno(daemon), "%s\n", request) < 0)
        fail(EXIT_NO_DAEMON, "the daemon went away: %s", strerror(errno));
    if (getline(&line, &room, daemon) < 0)
        fail(EXIT_NO_DAEMON, "the daemon did not answer%s%s", errno == EAGAIN ? " within 10 s" : "",
             feof(daemon) ? ": it closed the connection" : "");
    answer = json_loads(line, 0, &error);
    free(line);
    if (!answer)
        fail(EXIT_NO_DAEMON, "the daemon's answer is not JSON: %s", error.text);
    if (json_integer_value(json_object_get(answer, "format_version")) != 1)
        fail(EXIT_NO_DAEMON, "the daemon speaks another version of this protocol: "
                             "use the tvs of its bundle");
    refusal = json_string_value(json_object_get(answer, "error"));
    if (refusal)
        fail(EXIT_REFUSED, "%s", refusal);
    return answer;
}

/* The daemon gives at most 1000 sessions at a time and says where to go on. */
static json_t *ask_sessions(FILE *daemon, unsigned limit)
{
    json_t *all = json_array(), *answer = NULL;
    char request[96], cursor[64] = "";

    for (;;) {
        unsigned left = limit - (unsigned)json_array_size(all);
        const char *next;

        snprintf(request, sizeof(request), "sessions %u %s", !limit || left > 1000 ? 1000 : left,
                 cursor);
        json_decref(answer);
        answer = ask(daemon, request);
        json_array_extend(all, json_object_get(answer, "sessions"));
        next = json_string_value(json_object_get(answer, "next"));
        if (!next || (limit && json_array_size(all) >= limit))
            break;
        snprintf(cursor, sizeof(cursor), "%s", next);
    }
    json_object_set_new(answer, "sessions", all);
    return answer;
}

static unsigned parse_limit(const char *word)
{
    char *end;
    unsigned long limit = strtoul(word, &end, 10);

    if (word[0] < '0' || word[0] > '9' || *end || limit > 1u << 30)
        fail(EXIT_USAGE, "bad limit `%s`", word);
    return (unsigned)limit;
}

static void parse_options(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'},
        {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "s:h", known, NULL)) != -1) {
        switch (option) {
        case 's':
            options->socket = optarg;
            break;
        case 'f':
            if (strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
                fail(EXIT_USAGE, "unknown format `%s`: text or json", optarg);
            options->json = strcmp(optarg, "json") == 0;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        case 'v':
            puts("tvs " TVS_VERSION);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(EXIT_USAGE);
        }
    }
}

static void join_words(char *request, size_t bytes, char **words, int n)
{
    size_t used = 0;

    for (int i = 0; i < n; i++) {
        int added = snprintf(request + used, bytes - used, "%s%s", i ? " " : "", words[i]);

        if (added < 0 || (size_t)added >= bytes - used)
            fail(EXIT_USAGE, "the request is too long");
        used += (size_t)added;
    }
}

int main(int argc, char **argv)
{
    struct options options = {.socket = "/run/tvsd/tvsd.sock", .limit = 100};
    char **words, request[1000], *path = NULL;
    json_t *answer;
    FILE *daemon;
    int n;

    parse_options(&options, argc, argv);
    words = argv + optind;
    n = argc - optind;
    if (n < 1) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(words[0], "reload") == 0 && n == 2 && (path = realpath(words[1], NULL)))
        words[1] = path; /* the daemon has another working directory */

    daemon = daemon_connect(options.socket);
    if (strcmp(words[0], "sessions") == 0 && n <= 2) {
        answer = ask_sessions(daemon, n == 2 ? parse_limit(words[1]) : options.limit);
    } else {
        join_words(request, sizeof(request), words, n);
        answer = ask(daemon, request);
    }
    if (options.json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        tvs_text_print(words[0], answer);
    }
    json_decref(answer);
    free(path);
    fclose(daemon);
    return fflush(stdout) == EOF ? EXIT_REFUSED : 0;
}
