/* SPDX-License-Identifier: Apache-2.0 */
#include "control_request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WORDS = 4 };

static const struct {
    const char *name;
    unsigned least, most; /* words after the verb */
    const char *usage;
} verbs[TVS_N_VERBS] = {
    [TVS_VERB_STATUS] = {"status", 0, 0, "status"},
    [TVS_VERB_COUNTERS] = {"counters", 0, 0, "counters"},
    [TVS_VERB_METRICS] = {"metrics", 0, 0, "metrics"},
    [TVS_VERB_BACKENDS] = {"backends", 0, 0, "backends"},
    [TVS_VERB_SESSIONS] = {"sessions", 0, 2, "sessions [LIMIT [CURSOR]]"},
    [TVS_VERB_DRAIN] = {"drain", 2, 2, "drain POOL ADDRESS:PORT"},
    [TVS_VERB_UNDRAIN] = {"undrain", 2, 2, "undrain POOL ADDRESS:PORT"},
    [TVS_VERB_WEIGHT] = {"weight", 3, 3, "weight POOL ADDRESS:PORT WEIGHT"},
    [TVS_VERB_NEXTHOPS] = {"nexthops", 0, 0, "nexthops"},
    [TVS_VERB_ROUTES] = {"routes", 0, 0, "routes"},
    [TVS_VERB_RELOAD] = {"reload", 1, 1, "reload PATH"},
};

/* Decimal digits alone; strtoul() would take spaces, signs and wrap around. */
static int number_parse(const char *text, uint32_t most, uint32_t *value)
{
    uint64_t sum = 0;

    if (!*text || strlen(text) > 10)
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        sum = sum * 10 + (uint64_t)(*text - '0');
    }
    if (sum > most)
        return -EINVAL;
    *value = (uint32_t)sum;
    return 0;
}

int tvs_endpoint_parse(const char *text, uint32_t *address, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN];
    struct in_addr parsed;
    uint32_t number;

    if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (inet_pton(AF_INET, host, &parsed) != 1 || number_parse(colon + 1, UINT16_MAX, &number) ||
        !number)
        return -EINVAL;
    *address = ntohl(parsed.s_addr);
    *port = (uint16_t)number;
    return 0;
}

static int refuse(char *why, size_t why_bytes, const char *what, const char *usage)
{
    snprintf(why, why_bytes, "%s; usage: %s", what, usage);
    return -EINVAL;
}

static int sessions_parse(struct tvs_request *request, char **word, unsigned n)
{
    char *colon;

    request->limit = TVS_SESSIONS_DEFAULT;
    if (n > 0 && (number_parse(word[0], TVS_SESSIONS_MAX, &request->limit) || !request->limit))
        return -EINVAL;
    if (n < 2)
        return 0;
    colon = strchr(word[1], ':');
    if (!colon)
        return -EINVAL;
    *colon = '\0';
    if (number_parse(word[1], UINT16_MAX, &request->cursor_worker) ||
        number_parse(colon + 1, UINT32_MAX, &request->cursor_record))
        return -EINVAL;
    return 0;
}

static int arguments_parse(struct tvs_request *request, char **word, unsigned n, char *why,
                           size_t why_bytes)
{
    const char *usage = verbs[request->verb].usage;

    switch (request->verb) {
    case TVS_VERB_SESSIONS:
        if (sessions_parse(request, word, n))
            return refuse(why, why_bytes, "bad limit (1 to 1000) or cursor", usage);
        return 0;
    case TVS_VERB_WEIGHT:
        if (number_parse(word[2], TVS_WEIGHT_MAX, &request->weight))
            return refuse(why, why_bytes, "bad weight (0 to 1000000)", usage);
        /* fall through */
    case TVS_VERB_DRAIN:
    case TVS_VERB_UNDRAIN:
        if (strlen(word[0]) >= sizeof(request->pool))
            return refuse(why, why_bytes, "pool name is too long", usage);
        memcpy(request->pool, word[0], strlen(word[0]) + 1);
        if (tvs_endpoint_parse(word[1], &request->address, &request->port))
            return refuse(why, why_bytes, "bad address and port", usage);
        return 0;
    case TVS_VERB_RELOAD:
        memcpy(request->path, word[0], strlen(word[0]) + 1);
        return 0;
    default:
        return 0;
    }
}

int tvs_request_parse(struct tvs_request *request, const char *line, size_t n, char *why,
                      size_t why_bytes)
{
    char text[TVS_REQUEST_BYTES];
    char *word[MAX_WORDS + 1], *rest = text, *next;
    unsigned words = 0, verb;

    memset(request, 0, sizeof(*request));
    if (n && line[n - 1] == '\r')
        n--;
    if (n >= sizeof(text))
        return refuse(why, why_bytes, "request is too long", "one request per line");
    for (size_t i = 0; i < n; i++)
        if (line[i] < 0x20 || line[i] > 0x7e)
            return refuse(why, why_bytes, "request is not plain text", "one request per line");
    memcpy(text, line, n);
    text[n] = '\0';
    while ((next = strsep(&rest, " "))) {
        if (!*next)
            continue;
        if (words > MAX_WORDS - 1)
            return refuse(why, why_bytes, "too many words", "one request per line");
        word[words++] = next;
    }
    if (!words)
        return refuse(why, why_bytes, "empty request", "status");
    for (verb = 0; verb < TVS_N_VERBS; verb++)
        if (strcmp(verbs[verb].name, word[0]) == 0)
            break;
    if (verb == TVS_N_VERBS) {
        snprintf(why, why_bytes, "unknown request `%.32s`", word[0]);
        return -EINVAL;
    }
    request->verb = (enum tvs_verb)verb;
    if (words - 1 < verbs[verb].least || words - 1 > verbs[verb].most)
        return refuse(why, why_bytes, "wrong number of words", verbs[verb].usage);
    return arguments_parse(request, word + 1, words - 1, why, why_bytes);
}
