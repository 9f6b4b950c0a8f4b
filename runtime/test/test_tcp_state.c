/* SPDX-License-Identifier: Apache-2.0 */
/* Every state with every combination of flags from either side, against rules said one by one. */
#include "check.h"
#include "core/tcp_state.h"

/* The rules in words, for one packet; not a table. */
static uint8_t rule(enum tvs_direction from, uint8_t state, uint8_t flags)
{
    bool syn = flags & TVS_TCP_SYN, ack = flags & TVS_TCP_ACK;
    bool fin = flags & TVS_TCP_FIN, rst = flags & TVS_TCP_RST;
    bool client = from == TVS_REQUEST;

    if (rst)
        return TVS_S_RESET;
    if (syn && fin)
        return state; /* no TCP sends this */
    if (client && syn && !ack && state >= TVS_S_FIN_CLIENT)
        return TVS_S_REPLACE;
    if (syn)
        return !client && ack && state == TVS_S_SYN ? TVS_S_SYN_ACK : state;
    if (fin) {
        if (state == TVS_S_SYN_ACK || state == TVS_S_ESTABLISHED)
            return client ? TVS_S_FIN_CLIENT : TVS_S_FIN_SERVER;
        if (state == (client ? TVS_S_FIN_SERVER : TVS_S_FIN_CLIENT))
            return TVS_S_CLOSED;
        return state;
    }
    return client && ack && state == TVS_S_SYN_ACK ? TVS_S_ESTABLISHED : state;
}

static void test_all_states_all_flags(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 2; from++)
        for (uint8_t was = TVS_S_SYN; was <= TVS_S_RESET; was++)
            for (unsigned flags = 0; flags < 256; flags++)
                assert_int_equal(
                    tvs_tcp_next((enum tvs_direction)from, was, tvs_tcp_event((uint8_t)flags)),
                    rule((enum tvs_direction)from, was, (uint8_t)flags));
}

/* The packet path skips the machine for packets without SYN, FIN and RST in ESTABLISHED. */
static void test_established_needs_no_look(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        if (flags & (TVS_TCP_SYN | TVS_TCP_FIN | TVS_TCP_RST))
            continue;
        for (unsigned from = 0; from < 2; from++)
            assert_int_equal(tvs_tcp_next((enum tvs_direction)from, TVS_S_ESTABLISHED,
                                          tvs_tcp_event((uint8_t)flags)),
                             TVS_S_ESTABLISHED);
    }
}

static void test_every_state_has_a_name(void **state)
{
    (void)state;
    for (unsigned a = 0; a < TVS_N_STATES; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(tvs_state_name(a), tvs_state_name(b));
    for (unsigned a = 0; a < TVS_N_DROPS; a++)
        for (unsigned b = 0; b < a; b++) {
            assert_string_not_equal(tvs_drop_name(a), tvs_drop_name(b));
            assert_string_not_equal(tvs_drop_text(a), tvs_drop_text(b));
        }
    assert_non_null(tvs_state_name(TVS_N_STATES));
    assert_non_null(tvs_drop_name(TVS_N_DROPS));
    assert_non_null(tvs_drop_text(UINT8_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_states_all_flags),
        cmocka_unit_test(test_established_needs_no_look),
        cmocka_unit_test(test_every_state_has_a_name),
    };

    return cmocka_run_group_tests_name("tcp_state", tests, NULL, NULL);
}
