/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's Toeplitz: lines of "KEY INPUT" in hex on stdin, the hash of each on stdout. */
#include <stdio.h>
#include <string.h>

#include <rte_thash.h>

enum { KEY_MAX = 64, INPUT_MAX = 36 };

static unsigned unhex(const char *text, uint8_t *bytes)
{
    unsigned n = 0, value;

    for (; sscanf(text + 2 * n, "%2x", &value) == 1; n++)
        bytes[n] = (uint8_t)value;
    return n;
}

int main(void)
{
    char key_text[2 * KEY_MAX + 1], input_text[2 * INPUT_MAX + 1];

    while (scanf("%128s %72s", key_text, input_text) == 2) {
        uint8_t key[KEY_MAX + 4] = {0}, input[INPUT_MAX] = {0};
        uint32_t words[INPUT_MAX / 4];
        unsigned n_bytes = unhex(input_text, input);

        unhex(key_text, key);
        for (unsigned i = 0; i < n_bytes / 4; i++)
            words[i] = (uint32_t)input[4 * i] << 24 | (uint32_t)input[4 * i + 1] << 16 |
                       (uint32_t)input[4 * i + 2] << 8 | input[4 * i + 3];
        printf("%08x\n", rte_softrss(words, n_bytes / 4, key));
    }
    return 0;
}
