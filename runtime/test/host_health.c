/* SPDX-License-Identifier: Apache-2.0 */
/* Checks against real servers on the loopback device that answer well, badly, late or never. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host_stubs.h"

#include "host/backends.h"
#include "host/health.h"

enum { LOCAL = 0x7f000001, PATIENCE_MS = 10000 };

enum manner { GOOD, STATUS_500, REDIRECT, SILENT, CLOSES, GARBAGE, ENDLESS, REFUSES, N_MANNERS };
static const char *const answers[N_MANNERS] = {
    [GOOD] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    [STATUS_500] = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    [REDIRECT] = "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    [GARBAGE] = "\x01\x02 this is no HTTP\r\n\r\n",
    [ENDLESS] = "HTTP/1.1 200 OK\r\n\r\n",
};

struct server {
    int listener;
    uint16_t port;
    _Atomic int manner;
    _Atomic unsigned requests, wrong; /* `wrong`: not what a check should send */
    pthread_t thread;
};

static struct tvs_host host;
static struct server servers[N_MANNERS];
static struct tvs_bound bound;
static struct tvs_timer end;

static void serve(struct server *server, int fd)
{
    char request[1024] = "", chunk[4096];
    int manner = server->manner;
    ssize_t got;

    if (manner == CLOSES)
        return;
    got = recv(fd, request, sizeof(request) - 1, 0);
    server->requests++;
    if (got <= 0)
        return;
    if (strncmp(request, "GET /healthz HTTP/1.1\r\n", 23) != 0 ||
        !strstr(request, "\r\nHost: check.example\r\n"))
        server->wrong++;
    if (manner == SILENT) {
        recv(fd, chunk, sizeof(chunk), 0); /* until the other side gives up */
        return;
    }
    send(fd, answers[manner], strlen(answers[manner]), MSG_NOSIGNAL);
    memset(chunk, 'x', sizeof(chunk));
    while (manner == ENDLESS && send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) > 0)
        ;
}

static void *server_run(void *context)
{
    struct server *server = context;
    int fd;

    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        serve(server, fd);
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *server, int manner)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(LOCAL)};
    socklen_t bytes = sizeof(address);

    server->manner = manner;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, bytes), 0);
    getsockname(server->listener, (struct sockaddr *)&address, &bytes);
    server->port = ntohs(address.sin_port);
    if (manner == REFUSES) /* bound, so that nobody else gets it, but not listening */
        return;
    assert_int_equal(listen(server->listener, 64), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
}

static void server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    if (server->manner != REFUSES)
        pthread_join(server->thread, NULL);
    close(server->listener);
}

static void stop(void *context)
{
    (void)context;
    tvs_loop_stop(host.loop);
}

static void run_for(uint32_t ms)
{
    tvs_timer_init(&end, stop, NULL);
    tvs_timer_set(host.loop, &end, ms, 0);
    assert_int_equal(tvs_loop_run(host.loop), 0);
}

static bool up(unsigned manner)
{
    bool known;
    int64_t id = tvs_backends_find(&host, "web", LOCAL, servers[manner].port, &known);

    assert_true(id >= 0);
    return host.backend_table[id].state == TVS_BACKEND_UP;
}

static bool good_is_up(void)
{
    return up(GOOD);
}

static bool good_is_down(void)
{
    return !up(GOOD);
}

static bool ready(void)
{
    return tvs_health_ready(&host);
}

/* True when it came true before patience ended: a loaded machine may be slow, not wrong. */
static bool comes_true(bool (*condition)(void))
{
    for (unsigned ms = 0; ms < PATIENCE_MS && !condition(); ms += 5)
        run_for(5);
    return condition();
}

static const struct tvs_gen_expect usual = {.n = 1, .range = {{200, 299}}};

static void start_checks_for(uint8_t kind, uint32_t every_ms, uint32_t timeout_ms,
                             struct tvs_gen_expect expect)
{
    static struct tvs_gen_backend backends[N_MANNERS];
    static struct tvs_gen_pool pool;
    static struct tvs_generation generation;
    struct tvs_pool *pools[1];

    memset(&host, 0, sizeof(host));
    host.loop = tvs_loop_new();
    tvs_log_level_set(TVS_LOG_ERROR);
    for (unsigned i = 0; i < N_MANNERS; i++) {
        memset(&servers[i], 0, sizeof(servers[i]));
        server_start(&servers[i], (int)i);
        backends[i] =
            (struct tvs_gen_backend){.address = LOCAL, .port = servers[i].port, .weight = 1};
    }
    pool = (struct tvs_gen_pool){.name = "web",
                                 .n_backends = N_MANNERS,
                                 .backends = backends,
                                 .check = {.kind = kind,
                                           .every_ms = every_ms,
                                           .timeout_ms = timeout_ms,
                                           .rise = 2,
                                           .fall = 3,
                                           .expect = expect,
                                           .path = "/healthz",
                                           .host = "check.example"}};
    generation = (struct tvs_generation){.n_pools = 1, .pools = &pool, .path_site = &stub_site};
    bound.generation = &generation;
    host.bound = &bound;
    assert_int_equal(tvs_backends_start(&host), 0);
    assert_int_equal(tvs_backends_bind(&host, &generation, pools, NULL), 0);
    assert_int_equal(tvs_health_start(&host), 0);
    assert_false(tvs_health_ready(&host));
}

static void start_checks(uint8_t kind, uint32_t every_ms, uint32_t timeout_ms)
{
    start_checks_for(kind, every_ms, timeout_ms, usual);
}

static void stop_checks(void)
{
    tvs_health_stop(&host);
    tvs_backends_stop(&host);
    stub_retired_release();
    tvs_loop_free(host.loop);
    for (unsigned i = 0; i < N_MANNERS; i++)
        server_stop(&servers[i]);
}

static void http_tells_good_from_bad(void **state)
{
    (void)state;
    /* a proxy of the environment is not for checks */
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    start_checks(TVS_CHECK_HTTP, 600, 500);
    assert_true(comes_true(ready));
    assert_true(up(GOOD));
    assert_true(up(ENDLESS)); /* its status is good, and nobody waits for the end of its body */
    assert_false(up(STATUS_500));
    assert_false(up(REDIRECT));
    assert_false(up(SILENT));
    assert_false(up(CLOSES));
    assert_false(up(GARBAGE));
    assert_false(up(REFUSES));
    assert_true(servers[GOOD].requests > 0);
    assert_int_equal(servers[GOOD].wrong, 0);
    stop_checks();
}

/* Several ranges: what lies between them, and rows after the last one, are no good. */
static void http_takes_any_of_its_ranges(void **state)
{
    static const struct {
        struct tvs_gen_expect expect;
        bool good, redirect, status_500;
    } cases[] = {
        {{.n = 3, .range = {{200, 299}, {301, 301}, {304, 304}}}, true, false, false},
        {{.n = 2, .range = {{200, 200}, {302, 302}}}, true, true, false},
        {{.n = 2, .range = {{302, 302}, {500, 599}}}, false, true, true},
        {{.n = 2, .range = {{199, 199}, {201, 499}, {200, 200}}}, false, true, false},
        {{.n = TVS_MAX_EXPECT,
          .range = {{100, 100},
                    {102, 102},
                    {104, 104},
                    {106, 106},
                    {108, 108},
                    {110, 110},
                    {112, 112},
                    {500, 500}}},
         false,
         false,
         true},
        {{.n = 0}, false, false, false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start_checks_for(TVS_CHECK_HTTP, 600, 500, cases[i].expect);
        assert_true(comes_true(ready));
        assert_int_equal(up(GOOD), cases[i].good);
        assert_int_equal(up(REDIRECT), cases[i].redirect);
        assert_int_equal(up(STATUS_500), cases[i].status_500);
        stop_checks();
    }
}

static void server_falls_and_rises(void **state)
{
    (void)state;
    start_checks(TVS_CHECK_HTTP, 50, 50);
    assert_true(comes_true(good_is_up));
    servers[GOOD].manner = STATUS_500;
    assert_true(comes_true(good_is_down));
    servers[GOOD].manner = GOOD;
    assert_true(comes_true(good_is_up));
    assert_true(tvs_health_stats(&host)->changes >= 2);
    stop_checks();
}

static void tcp_wants_a_connection_alone(void **state)
{
    (void)state;
    start_checks(TVS_CHECK_TCP, 600, 500);
    assert_true(comes_true(ready));
    for (unsigned i = 0; i < N_MANNERS; i++)
        assert_int_equal(up(i), i != REFUSES);
    stop_checks();
}

static void stopping_in_the_middle_is_clean(void **state)
{
    (void)state;
    for (uint32_t ms = 1; ms < 40; ms += 6) {
        start_checks(TVS_CHECK_HTTP, 50, 50);
        run_for(ms);
        stop_checks();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_tells_good_from_bad),
        cmocka_unit_test(http_takes_any_of_its_ranges),
        cmocka_unit_test(server_falls_and_rises),
        cmocka_unit_test(tcp_wants_a_connection_alone),
        cmocka_unit_test(stopping_in_the_middle_is_clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
