/* SPDX-License-Identifier: Apache-2.0 */
/* The RSS hash by its definition (Microsoft, "RSS hashing functions"), bit by bit: for tables. */
#include "tvs/core.h"

uint32_t tvs_toeplitz(const uint8_t *key, const uint8_t *input, size_t input_bytes)
{
    uint32_t window =
        (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
    uint32_t hash = 0;

    for (size_t at = 0; at < input_bytes; at++)
        for (int bit = 7; bit >= 0; bit--) {
            if (input[at] >> bit & 1)
                hash ^= window;
            window = window << 1 | (key[at + 4] >> bit & 1U);
        }
    return hash;
}
