/* SPDX-License-Identifier: Apache-2.0 */
#include "control_answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends.h"
#include "host.h"

json_t *tvs_json_address(uint32_t address)
{
    char text[32];

    snprintf(text, sizeof(text), "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
             address >> 8 & 255, address & 255);
    return json_string(text);
}

json_t *tvs_json_endpoint(uint32_t address, uint16_t port)
{
    char text[32];

    snprintf(text, sizeof(text), "%u.%u.%u.%u:%u", address >> 24, address >> 16 & 255,
             address >> 8 & 255, address & 255, port);
    return json_string(text);
}

json_t *tvs_json_mac(const uint8_t mac[6])
{
    char text[32];

    snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return json_string(text);
}

static json_t *done(void)
{
    return json_pack("{s:b}", "done", 1);
}

static json_t *error(const char *text)
{
    return json_pack("{s:s}", "error", text);
}

static json_t *change_backend(struct tvs_host *host, const struct tvs_request *request)
{
    bool pool_known;
    int64_t id =
        tvs_backends_find(host, request->pool, request->address, request->port, &pool_known);
    char text[256];

    if (!pool_known) {
        snprintf(text, sizeof(text), "no pool `%s`", request->pool);
        return error(text);
    }
    if (id < 0) {
        snprintf(text, sizeof(text), "pool `%s` has no such server", request->pool);
        return error(text);
    }
    if (request->verb != TVS_VERB_WEIGHT)
        tvs_backends_drain(host, (uint32_t)id, request->verb == TVS_VERB_DRAIN);
    else if (tvs_backends_weight(host, (uint32_t)id, request->weight) == -E2BIG)
        return error("with this weight the pool's schedule would be too long: "
                     "use weights with a common divisor");
    tvs_info("pool %s: %u.%u.%u.%u:%u %s by the operator", request->pool, request->address >> 24,
             request->address >> 16 & 255, request->address >> 8 & 255, request->address & 255,
             request->port,
             request->verb == TVS_VERB_WEIGHT  ? "has another weight"
             : request->verb == TVS_VERB_DRAIN ? "is drained"
                                               : "serves again");
    return done();
}

static json_t *reload(struct tvs_host *host, const char *path)
{
    char why[256] = "refused";

    if (tvs_generation_reload(host, path, why, sizeof(why)) < 0)
        return error(why);
    return done();
}

static json_t *answer(struct tvs_host *host, const struct tvs_request *request)
{
    switch (request->verb) {
    case TVS_VERB_STATUS:
        return tvs_answer_status(host);
    case TVS_VERB_COUNTERS:
        return tvs_answer_counters(host);
    case TVS_VERB_METRICS:
        return tvs_answer_metrics(host);
    case TVS_VERB_BACKENDS:
        return tvs_answer_backends(host);
    case TVS_VERB_SESSIONS:
        return tvs_answer_sessions(host, request);
    case TVS_VERB_DRAIN:
    case TVS_VERB_UNDRAIN:
    case TVS_VERB_WEIGHT:
        return change_backend(host, request);
    case TVS_VERB_NEXTHOPS:
        return tvs_answer_nexthops(host);
    case TVS_VERB_ROUTES:
        return tvs_answer_routes(host);
    case TVS_VERB_RELOAD:
        return reload(host, request->path);
    default:
        return error("unknown request");
    }
}

json_t *tvs_control_answer(struct tvs_host *host, const char *line, size_t n)
{
    json_t *whole = json_pack("{s:i}", "format_version", TVS_CONTROL_FORMAT_VERSION), *part;
    struct tvs_request request;
    char why[256];

    if (tvs_request_parse(&request, line, n, why, sizeof(why)) < 0)
        part = error(why);
    else
        part = answer(host, &request);
    if (!whole || !part || json_object_update(whole, part) != 0) {
        json_decref(whole);
        whole = NULL;
    }
    json_decref(part);
    return whole;
}
