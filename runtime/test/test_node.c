/* SPDX-License-Identifier: Apache-2.0 */
/* The node in memory: what it refuses, and its model of the NIC. */
#include <errno.h>

#include "adapters/nic.h"
#include "adapters/node.h"
#include "packets.h"

extern const struct tvs_generation tvs_generation;

#define REFUSED(field, value)                                                                      \
    do {                                                                                           \
        struct tvs_generation bad = tvs_generation;                                                \
        char error[256] = "";                                                                      \
        bad.field = value;                                                                         \
        assert_non_null(tvs_generation_refuse(&bad));                                              \
        assert_null(tvs_node_make(&bad, &config, error, sizeof(error)));                           \
        assert_string_equal(error, tvs_generation_refuse(&bad));                                   \
    } while (0)

static void test_foreign_generations_are_refused(void **state)
{
    const struct tvs_node_config config = {0};

    (void)state;
    assert_null(tvs_generation_refuse(&tvs_generation));
    REFUSED(abi_version, TVS_ABI_VERSION + 1);
    REFUSED(record_schema, 1);
    REFUSED(burst, NULL);
    REFUSED(cores.n_workers, 0);
    REFUSED(cores.n_workers, TVS_MAX_WORKERS + 1);
    REFUSED(n_ports, 0);
    REFUSED(n_ports, TVS_MAX_PORTS + 1);
    REFUSED(n_pools, 1);
    REFUSED(n_classes, 1);
    REFUSED(n_services, TVS_MAX_SERVICES + 1);
    REFUSED(memory.port_first, 0);
    REFUSED(memory.port_first, 11000);
}

static void test_sizes_outside_the_limits(void **state)
{
    const struct tvs_node_config config = {0};
    struct tvs_generation bad = tvs_generation;
    char error[256] = "";

    (void)state;
    bad.memory.buckets_per_worker = 100;
    assert_null(tvs_node_make(&bad, &config, error, sizeof(error)));
    assert_non_null(strstr(error, "outside the limits"));
    bad = tvs_generation;
    bad.memory.sessions_per_worker = 0;
    assert_null(tvs_node_make(&bad, &config, error, sizeof(error)));
}

static void test_what_no_node_has(void **state)
{
    const struct tvs_node_config config = {0};
    char error[256];
    struct tvs_node *node = tvs_node_make(&tvs_generation, &config, error, sizeof(error));
    struct tvs_node_packet packet = {.rx_worker = 2};

    (void)state;
    assert_non_null(node);
    assert_int_equal(tvs_node_run(node, &packet, 1), -EINVAL);
    packet = (struct tvs_node_packet){.port_in = 2};
    assert_int_equal(tvs_node_run(node, &packet, 1), -EINVAL);
    assert_int_equal(tvs_node_run(node, NULL, 0), 0);
    assert_int_equal(tvs_node_set_backend(node, 3, 0, 1, 1), -EINVAL);
    assert_int_equal(tvs_node_set_backend(node, 0, 3, 1, 1), -EINVAL);
    assert_int_equal(tvs_node_set_backend(node, 0, 0, 3, 1), -EINVAL);
    assert_int_equal(tvs_node_set_nexthop(node, 2, true), -EINVAL);
    assert_int_equal(tvs_node_remove_service(node, 4), -EINVAL);
    tvs_node_close(node);
    tvs_node_close(NULL);
}

static void test_queues(void **state)
{
    const struct tvs_gen_steering *steering = &tvs_generation.steering;
    struct tvs_gen_steering software = *steering;
    struct packet packet = packet_make(TVS_TCP, SERVER, 1, ADDRESS(172, 16, 0, 2), 1, 0);
    uint32_t spread[2] = {0};

    (void)state;
    assert_int_equal(tvs_nic_queue(steering, packet.data, packet.len), 1);
    software.mode = TVS_STEER_SOFTWARE;
    assert_int_equal(tvs_nic_queue(&software, packet.data, packet.len), 0);
    packet.data[12] = 0x86; /* not IPv4: the default queue */
    assert_int_equal(tvs_nic_queue(steering, packet.data, packet.len), 0);

    for (uint32_t len = 0; len < PACKET_L4 + 4; len++) {
        struct packet whole = packet_make(TVS_TCP, CLIENT, 1000, VIP, 80, 0);
        uint8_t *exact = malloc(len ? len : 1);

        assert_non_null(exact);
        memcpy(exact, whole.data, len);
        assert_true(tvs_nic_queue(steering, exact, len) < 2);
        free(exact);
    }
    for (uint16_t port = 1; port < 2001; port++) {
        packet = packet_make(TVS_TCP, CLIENT, port, VIP, 80, 0);
        spread[tvs_nic_queue(steering, packet.data, packet.len)]++;
    }
    assert_in_range(spread[0], 800, 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_generations_are_refused),
        cmocka_unit_test(test_sizes_outside_the_limits),
        cmocka_unit_test(test_what_no_node_has),
        cmocka_unit_test(test_queues),
    };

    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
