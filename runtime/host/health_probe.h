/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt to reach a backend: a TCP connection, or an HTTP request. It ends exactly once, by
 * `done`, unless it is cancelled; `done` may start the next attempt on the same struct.
 */
#ifndef TVS_HEALTH_PROBE_H
#define TVS_HEALTH_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "tvs/generation.h"

#include "loop.h"

struct tvs_host;
struct tvs_http;

struct tvs_probe {
    struct tvs_host *host;
    struct tvs_http *http; /* NULL: TCP */
    uint32_t address;      /* host order */
    uint16_t port;
    uint32_t timeout_ms;
    struct tvs_gen_expect expect;   /* HTTP */
    const char *path, *host_header; /* HTTP; host_header NULL: the address */
    /* `why` is one line for people, valid during the call */
    void (*done)(struct tvs_probe *probe, bool ok, const char *why);

    /* of the attempt under way */
    bool running;
    int fd; /* until curl has it; negative: none, or the reason why */
    uint64_t end_ms;
    uint32_t left_ms;
    struct tvs_timer timer;
    void *easy;
    void *headers;
    uint32_t body_bytes;
};

/* Both report failure to start by `done` too, from the loop, never from inside the call. */
void tvs_probe_start(struct tvs_probe *probe);
/* Harmless when none is under way. */
void tvs_probe_cancel(struct tvs_probe *probe);

/*
 * Checks go the way that sessions go: bound to the exception TAP and the node's own address there,
 * whatever other interfaces and routes the machine has.
 */
int tvs_probe_bind(struct tvs_host *host, int fd, uint32_t address);

/* The HTTP side: one for all probes. NULL: no memory. */
struct tvs_http *tvs_http_new(struct tvs_loop *loop);
void tvs_http_free(struct tvs_http *http);
/* On the connection `fd`, within `left_ms`; takes the descriptor unless it fails. */
int tvs_http_start(struct tvs_probe *probe);
void tvs_http_cancel(struct tvs_probe *probe);

#endif
