/* SPDX-License-Identifier: Apache-2.0 */
/* One line of the control socket -> what is asked for. Bytes from outside: nothing is trusted. */
#ifndef TVS_CONTROL_REQUEST_H
#define TVS_CONTROL_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum tvs_verb {
    TVS_VERB_STATUS,
    TVS_VERB_COUNTERS,
    TVS_VERB_METRICS,
    TVS_VERB_BACKENDS,
    TVS_VERB_SESSIONS, /* [LIMIT [CURSOR]] */
    TVS_VERB_DRAIN,    /* POOL ADDRESS:PORT */
    TVS_VERB_UNDRAIN,  /* POOL ADDRESS:PORT */
    TVS_VERB_WEIGHT,   /* POOL ADDRESS:PORT WEIGHT */
    TVS_VERB_NEXTHOPS,
    TVS_VERB_ROUTES,
    TVS_VERB_RELOAD, /* PATH */
    TVS_N_VERBS
};

enum {
    TVS_REQUEST_BYTES = 1024, /* of a line, its end included */
    TVS_SESSIONS_DEFAULT = 100,
    TVS_SESSIONS_MAX = 1000, /* in one answer; the cursor goes on */
    TVS_WEIGHT_MAX = 1000000,
};

struct tvs_request {
    enum tvs_verb verb;
    char pool[128];
    uint32_t address; /* host order */
    uint16_t port;
    uint32_t weight;
    uint32_t limit;
    uint32_t cursor_worker, cursor_record;
    char path[TVS_REQUEST_BYTES];
};

/* `line` is n bytes without its newline. -EINVAL, and one line of text in `why`. */
int tvs_request_parse(struct tvs_request *request, const char *line, size_t n, char *why,
                      size_t why_bytes);

/* "10.0.0.1:80". -EINVAL. */
int tvs_endpoint_parse(const char *text, uint32_t *address, uint16_t *port);

#endif
