/* SPDX-License-Identifier: Apache-2.0 */
/* The steering program of a TAP: its maps and its instructions. */
#ifndef TVS_STEERING_TAP_H
#define TVS_STEERING_TAP_H

#include "bpf.h"
#include "tvs/generation.h"

/*
 * Rules of one mask and protocol: one look-up answers for all of them. A NIC has one shape for all
 * its rules; a site's generation has a handful.
 */
enum { TVS_TAP_MAX_GROUPS = 16 };
struct tvs_tap_group {
    uint32_t mask;
    uint8_t proto;
};

struct tvs_tap_key {
    uint32_t address_be; /* under the group's mask */
    uint32_t group;
};

struct tvs_tap_steering {
    struct tvs_tap_group group[TVS_TAP_MAX_GROUPS]; /* in order of priority */
    uint32_t n_groups;
    bool tagged;   /* on a port with a VLAN: a packet may have its tag in it */
    int key_map;   /* [0] -> the RSS key */
    int reta_map;  /* [hash & (size - 1)] -> queue */
    int rules_map; /* struct tvs_tap_key -> queue */
    int program;
};

/* Longest masks first, named protocols before any. -E2BIG: more shapes than the program takes. */
int tvs_tap_group(struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering);
uint32_t tvs_tap_group_of(const struct tvs_tap_steering *tap, const struct tvs_gen_rule *rule);

/* The program over the maps that `tap` has open. Negative errno when it does not fit. */
int tvs_tap_program(const struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering,
                    struct tvs_bpf_code *code);

/* Compares the loaded program with tvs_toeplitz() and the tables, packet by packet. */
int tvs_tap_test(const struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering);

#endif
