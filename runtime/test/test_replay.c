/* SPDX-License-Identifier: Apache-2.0 */
/* Captures in memory, whole and damaged, through the reader, the clock and the packet path. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapters/replay.h"
#include "packets.h"

extern const struct tvs_generation tvs_generation;

enum { FILE_MAX = 8192 };

struct capture {
    uint8_t data[FILE_MAX];
    uint32_t len;
};

static void put(struct capture *capture, const void *data, uint32_t len)
{
    assert_true(capture->len + len <= FILE_MAX);
    memcpy(capture->data + capture->len, data, len);
    capture->len += len;
}

static struct capture capture_make(void)
{
    const uint32_t header[] = {UINT32_C(0xa1b23c4d), 2 | 4 << 16, 0, 0, 65535, 1};
    struct capture capture = {.len = 0};

    put(&capture, header, sizeof(header));
    return capture;
}

static void capture_add(struct capture *capture, const struct packet *packet, uint32_t seconds)
{
    const uint32_t header[] = {seconds, 0, packet->len, packet->len};

    put(capture, header, sizeof(header));
    put(capture, packet->data, packet->len);
}

struct outcome {
    int rc;
    uint64_t packets, sent, expired;
    double seconds;
};

static struct outcome replay(const struct capture *capture)
{
    const struct tvs_node_config node_config = {.exact_frames = true};
    struct tvs_replay_config config = {.worker = 0, .burst = TVS_MAX_BURST};
    struct tvs_stats_capture stats = {0};
    struct outcome outcome;
    char path[64], error[512] = "";
    int file = memfd_create("capture", 0);
    struct tvs_node *node = tvs_node_make(&tvs_generation, &node_config, error, sizeof(error));

    assert_true(file >= 0 && node);
    assert_int_equal(write(file, capture->data, capture->len), capture->len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    config.in = tvs_pcap_open(path, error, sizeof(error));
    config.out = tvs_pcap_create("/dev/null", error, sizeof(error));
    assert_non_null(config.out);
    outcome.rc = config.in ? tvs_replay_run(&config, node, &stats, error, sizeof(error)) : -EINVAL;
    assert_int_equal(outcome.rc != 0, error[0] != '\0');
    outcome.packets = stats.packets;
    outcome.seconds = stats.seconds;
    outcome.sent = outcome.expired = 0;
    for (uint16_t w = 0; w < node->n_workers; w++) {
        outcome.sent += node->workers[w]->counters.tx_request;
        outcome.expired += node->workers[w]->counters.sessions_expired;
    }
    tvs_pcap_close(config.in);
    assert_int_equal(tvs_pcap_finish(config.out), 0);
    tvs_node_close(node);
    close(file);
    return outcome;
}

static struct packet syn(uint16_t port)
{
    return packet_make(TVS_TCP, CLIENT, port, VIP, VIP_WEB_PORT, TVS_TCP_SYN);
}

/* A session in state SYN lives 5 s; the second packet comes far later, in steps or at once. */
static void test_gaps(void **state)
{
    static const uint32_t gaps[] = {0, 1, 4, 5, 6, 7, 60, 86400, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
        struct capture capture = capture_make();
        struct packet first = syn(1), second = syn(2);
        struct outcome outcome;

        capture_add(&capture, &first, 0);
        capture_add(&capture, &second, gaps[i]);
        outcome = replay(&capture);
        assert_int_equal(outcome.rc, 0);
        assert_int_equal(outcome.sent, 2);
        assert_true(outcome.seconds == gaps[i]);
        if (gaps[i] != 5) /* then it is the sweep's turn within the second */
            assert_int_equal(outcome.expired, gaps[i] > 5);
    }
}

static void test_time_back_and_forth(void **state)
{
    static const uint32_t times[] = {1000, 5, 1002, 0, INT32_MAX, 7, UINT32_MAX};
    struct capture capture = capture_make();
    struct outcome outcome;

    (void)state;
    for (uint16_t i = 0; i < 7; i++) {
        struct packet packet = syn((uint16_t)(i + 1));

        capture_add(&capture, &packet, times[i]);
    }
    outcome = replay(&capture);
    assert_int_equal(outcome.rc, 0);
    assert_int_equal(outcome.packets, 7);
    assert_true(outcome.seconds == INT32_MAX - 1000);
}

static void test_damaged_captures(void **state)
{
    static const uint8_t hard[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    uint64_t chance = 21;

    (void)state;
    for (int round = 0; round < 400; round++) {
        struct capture capture = capture_make();
        struct outcome outcome;

        for (uint16_t i = 0; i < 12; i++) {
            struct packet packet = syn((uint16_t)(i + 1));

            capture_add(&capture, &packet, i);
        }
        for (uint32_t n = 1 + random_below(&chance, 8); n > 0; n--)
            capture.data[random_below(&chance, capture.len)] =
                hard[random_below(&chance, sizeof(hard))];
        if (random_below(&chance, 3) == 0)
            capture.len = random_below(&chance, capture.len);
        outcome = replay(&capture);
        assert_true(outcome.rc == 0 || outcome.rc == -EBADMSG || outcome.rc == -EINVAL);
        assert_true(outcome.sent <= outcome.packets);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_time_back_and_forth),
        cmocka_unit_test(test_damaged_captures),
    };

    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
