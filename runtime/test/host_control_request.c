/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the control socket: what is taken, what is refused, and any bytes at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/control_request.h"

static struct tvs_request request;
static char why[256];

static int parse(const char *line)
{
    why[0] = '\0';
    return tvs_request_parse(&request, line, strlen(line), why, sizeof(why));
}

static void good_requests(void **state)
{
    (void)state;
    assert_int_equal(parse("status"), 0);
    assert_int_equal(request.verb, TVS_VERB_STATUS);
    assert_int_equal(parse("  backends  \r"), 0);
    assert_int_equal(request.verb, TVS_VERB_BACKENDS);
    assert_int_equal(parse("sessions"), 0);
    assert_int_equal(request.limit, TVS_SESSIONS_DEFAULT);
    assert_int_equal(parse("sessions 7 2:4294967295"), 0);
    assert_int_equal(request.limit, 7);
    assert_int_equal(request.cursor_worker, 2);
    assert_int_equal(request.cursor_record, UINT32_MAX);
    assert_int_equal(parse("weight web 10.20.1.1:8080 250"), 0);
    assert_string_equal(request.pool, "web");
    assert_int_equal(request.address, 0x0a140101);
    assert_int_equal(request.port, 8080);
    assert_int_equal(request.weight, 250);
    assert_int_equal(parse("reload /a/b.so"), 0);
    assert_string_equal(request.path, "/a/b.so");
}

static void bad_requests(void **state)
{
    static const char *const lines[] = {
        "",
        " ",
        "\r",
        "statu",
        "STATUS",
        "status now",
        "drain",
        "drain web",
        "drain web 10.0.0.1",
        "drain web 10.0.0.1:0",
        "drain web 10.0.0.1:65536",
        "drain web 10.0.0:80",
        "drain web :80",
        "drain web 10.0.0.1:80x",
        "drain web 10.0.0.1:-1",
        "drain web 10.0.0.1:80 extra",
        "drain web 255.255.255.2555:80",
        "weight web 10.0.0.1:80",
        "weight web 10.0.0.1:80 -1",
        "weight web 10.0.0.1:80 1000001",
        "weight web 10.0.0.1:80 99999999999999999999",
        "sessions 0",
        "sessions 1001",
        "sessions 5 5",
        "sessions 5 1:4294967296",
        "reload",
        "a b c d e f g h",
        "stat\tus",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_true(parse(lines[i]) < 0);
        assert_true(why[0]);
        assert_null(strchr(why, '\n'));
    }
}

static void any_bytes(void **state)
{
    static const char *const words[] = {"drain", "weight", "sessions", "web",  "10.0.0.1:80",
                                        "1:2",   "",       ":",        "\xff", "99999999999"};
    char line[TVS_REQUEST_BYTES + 64];

    (void)state;
    srandom(3);
    for (unsigned round = 0; round < 50000; round++) {
        size_t n = (size_t)(random() % (long)sizeof(line));
        char *exact;

        if (round % 2) {
            for (size_t i = 0; i < n; i++)
                line[i] = (char)random();
        } else {
            n = 0;
            for (unsigned i = 0; i < random() % 6; i++)
                n += (size_t)snprintf(line + n, sizeof(line) - n, "%s ", words[random() % 10]);
        }
        exact = malloc(n ? n : 1); /* a sanitizer sees a byte too far */
        memcpy(exact, line, n);
        tvs_request_parse(&request, exact, n, why, sizeof(why));
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
