/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP checks by libcurl's multi interface, driven by the control thread's loop. Connections come
 * from health_probe.c: curl walks over all its transfers too often to be given thousands that wait
 * for a silent server.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "health_probe.h"

/* A status is all that a check wants; a server that streams without end is cut off here. */
enum { BODY_MAX = 65536 };

struct tvs_http {
    CURLM *multi;
    struct tvs_loop *loop;
    struct tvs_timer timer;
};

/* ---- results --------------------------------------------------------------------------------- */

static bool expected(const struct tvs_gen_expect *expect, long status)
{
    for (uint32_t i = 0; i < expect->n; i++)
        if (status >= expect->range[i].low && status <= expect->range[i].high)
            return true;
    return false;
}

static void finish(struct tvs_probe *probe, CURLcode code)
{
    char why[CURL_ERROR_SIZE + 32];
    long status = 0;
    bool cut = code == CURLE_WRITE_ERROR && probe->body_bytes >= BODY_MAX;
    bool ok;

    curl_easy_getinfo(probe->easy, CURLINFO_RESPONSE_CODE, &status);
    ok = (code == CURLE_OK || cut) && expected(&probe->expect, status);
    if (code == CURLE_OK || cut)
        snprintf(why, sizeof(why), "HTTP status %ld", status);
    else
        snprintf(why, sizeof(why), "%s", curl_easy_strerror(code));
    tvs_probe_cancel(probe);
    probe->done(probe, ok, why);
}

static void collect(struct tvs_http *http)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(http->multi, &left))) {
        CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        char *probe = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &probe);
        finish((struct tvs_probe *)(void *)probe, code);
    }
}

/* ---- curl's sockets and its timer in our loop ------------------------------------------------ */

static void ready(void *context, int fd, uint32_t events)
{
    struct tvs_http *http = context;
    int what = 0, running;

    if (events & (EPOLLIN | EPOLLHUP))
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(http->multi, fd, what, &running);
    collect(http);
}

static void expired(void *context)
{
    struct tvs_http *http = context;
    int running;

    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(http);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct tvs_http *http = context;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        tvs_loop_remove(http->loop, fd);
        return 0;
    }
    if (known)
        return tvs_loop_change(http->loop, fd, events) ? -1 : 0;
    if (tvs_loop_add(http->loop, fd, events, ready, http) != 0)
        return -1;
    curl_multi_assign(http->multi, fd, http);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct tvs_http *http = context;

    (void)multi;
    if (timeout_ms < 0)
        tvs_timer_unset(http->loop, &http->timer);
    else if (tvs_timer_set(http->loop, &http->timer, timeout_ms > 0 ? (uint32_t)timeout_ms : 1, 0))
        return -1; /* never 0: a busy curl would keep the loop from its other timers */
    return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The connection is there already: curl gets it, and closes it in the end. */
static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct tvs_probe *probe = context;
    int fd = probe->fd;

    (void)purpose;
    (void)address;
    probe->fd = -1;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_opened(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context;
    (void)fd;
    (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
    struct tvs_probe *probe = context;

    (void)data;
    if (size * n >= BODY_MAX - probe->body_bytes) {
        probe->body_bytes = BODY_MAX;
        return 0;
    }
    probe->body_bytes += (uint32_t)(size * n);
    return size * n;
}

static CURLcode configure(struct tvs_probe *probe, CURL *easy, const char *url)
{
    CURLcode bad = 0;

    bad |= curl_easy_setopt(easy, CURLOPT_URL, url);
    bad |= curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)probe);
    bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    bad |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "tvsd-health");
    bad |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)probe->left_ms);
    /* a new connection each time: an old one says nothing about whether new ones are taken */
    bad |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, probe);
    bad |= curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_opened);
    bad |=
        curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* it would be searched each time */
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe);
    if (probe->headers)
        bad |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, probe->headers);
    return bad;
}

int tvs_http_start(struct tvs_probe *probe)
{
    uint32_t a = probe->address;
    char *url = NULL, *header = NULL;
    CURL *easy = curl_easy_init();
    int err = -ENOMEM;

    probe->headers = NULL;
    probe->easy = NULL;
    if (!easy)
        return -ENOMEM;
    if (asprintf(&url, "http://%u.%u.%u.%u:%u%s", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255,
                 probe->port, probe->path ? probe->path : "/") < 0) {
        url = NULL;
        goto free_all;
    }
    if (probe->host_header) {
        if (asprintf(&header, "Host: %s", probe->host_header) < 0) {
            header = NULL;
            goto free_all;
        }
        probe->headers = curl_slist_append(NULL, header);
        if (!probe->headers)
            goto free_all;
    }
    err = -EINVAL;
    if (configure(probe, easy, url) != CURLE_OK)
        goto free_all;
    err = -EIO;
    if (curl_multi_add_handle(probe->http->multi, easy) != CURLM_OK)
        goto free_all;
    probe->easy = easy;
    free(header);
    free(url);
    return 0;

free_all:
    curl_slist_free_all(probe->headers);
    probe->headers = NULL;
    free(header);
    free(url);
    curl_easy_cleanup(easy);
    return err;
}

void tvs_http_cancel(struct tvs_probe *probe)
{
    if (!probe->easy)
        return;
    curl_multi_remove_handle(probe->http->multi, probe->easy);
    curl_easy_cleanup(probe->easy);
    curl_slist_free_all(probe->headers);
    probe->easy = NULL;
    probe->headers = NULL;
}

struct tvs_http *tvs_http_new(struct tvs_loop *loop)
{
    struct tvs_http *http = calloc(1, sizeof(*http));

    if (!http)
        return NULL;
    http->loop = loop;
    tvs_timer_init(&http->timer, expired, http);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        goto free_http;
    http->multi = curl_multi_init();
    if (!http->multi)
        goto cleanup;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return http;

cleanup:
    curl_global_cleanup();
free_http:
    free(http);
    return NULL;
}

void tvs_http_free(struct tvs_http *http)
{
    if (!http)
        return;
    curl_multi_cleanup(http->multi);
    tvs_timer_unset(http->loop, &http->timer);
    curl_global_cleanup();
    free(http);
}
