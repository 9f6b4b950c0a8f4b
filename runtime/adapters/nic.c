/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nic.h"

#include <string.h>

#include "tvs/core.h"

enum { ETH_BYTES = 14, IP_BYTES = 20, ADDRESSES_BYTES = 8, PORTS_BYTES = 4 };

static uint16_t load16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t load32(const uint8_t *at)
{
    return (uint32_t)load16(at) << 16 | load16(at + 2);
}

static uint16_t rss(const struct tvs_gen_steering *steering, const uint8_t *input, size_t bytes)
{
    uint32_t hash = tvs_toeplitz(steering->key, input, bytes);

    return steering->reta[hash & (steering->reta_size - 1u)];
}

uint16_t tvs_nic_queue(const struct tvs_gen_steering *steering, const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + ETH_BYTES;
    uint8_t input[ADDRESSES_BYTES + PORTS_BYTES];
    size_t ip_bytes, header_bytes;
    bool has_ports;
    uint8_t proto;

    if (steering->mode == TVS_STEER_SOFTWARE)
        return 0;
    if (len < ETH_BYTES + IP_BYTES || load16(frame + 12) != 0x0800 || ip[0] >> 4 != 4)
        return 0;

    ip_bytes = len - ETH_BYTES;
    header_bytes = (ip[0] & 0xfu) * 4;
    if (header_bytes < IP_BYTES)
        return 0;
    proto = ip[9];
    for (uint32_t i = 0; i < steering->n_rules; i++) {
        const struct tvs_gen_rule *rule = &steering->rules[i];

        if (((load32(ip + 16) ^ rule->address) & rule->mask) == 0 &&
            (rule->proto == 0 || rule->proto == proto))
            return rule->worker;
    }

    memcpy(input, ip + 12, ADDRESSES_BYTES);
    has_ports = (proto == TVS_TCP || proto == TVS_UDP) && (load16(ip + 6) & 0x3fff) == 0 &&
                ip_bytes >= header_bytes + PORTS_BYTES;
    if (!has_ports)
        return rss(steering, input, ADDRESSES_BYTES);
    memcpy(input + ADDRESSES_BYTES, ip + header_bytes, PORTS_BYTES);
    return rss(steering, input, sizeof(input));
}
