/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest-prefix match over IPv4, immutable once built: address ranges in order, and the top 16
 * bits of an address say between which of them to search. 260 KB plus 8 bytes per range, so a
 * laptop with eight nodes holds it as easily as a router's table.
 */
#ifndef TVS_LPM_H
#define TVS_LPM_H

#include <stdint.h>

/* Of several routes of the same prefix any one counts. */
struct tvs_lpm_route {
    uint32_t address; /* host order, bits behind the prefix are ignored */
    uint8_t prefix_len;
    uint16_t leaf; /* the caller's; 0 is what an address without a route gets */
};

struct tvs_lpm;

/* NULL: out of memory. `routes` is sorted in place; it is not kept. */
struct tvs_lpm *tvs_lpm_build(struct tvs_lpm_route *routes, uint32_t n);
void tvs_lpm_free(struct tvs_lpm *lpm);
uint16_t tvs_lpm_find(const struct tvs_lpm *lpm, uint32_t address);

#endif
