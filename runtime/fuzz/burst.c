/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: any bytes as a life of the fixture node. Each frame is preceded by a length and
 * a byte that says what happens before it: time, a sweep, another receiving worker, right checksums
 * of IPv4 and ICMP (or the fuzzer would never get past them).
 */
#include "adapters/node.h"
#include "core/csum.h"

extern const struct tvs_generation tvs_generation;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { MAX_FRAME = 512, MAX_FRAMES = 64, SEAL = 1, SWEEP = 2, WRONG_WORKER = 4, SERVER = 8 };

static void seal(uint8_t *frame, uint32_t len)
{
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(frame + TVS_ETH_BYTES);
    unsigned header_bytes;

    if (len < TVS_ETH_BYTES + TVS_IP4_BYTES)
        return;
    header_bytes = (ip->version_ihl & 15u) * 4;
    if (TVS_ETH_BYTES + header_bytes > len)
        return;
    ip->csum = 0;
    ip->csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(ip, header_bytes));
    if (ip->proto == TVS_ICMP && TVS_ETH_BYTES + header_bytes + TVS_ICMP_BYTES <= len) {
        uint8_t *icmp = frame + TVS_ETH_BYTES + header_bytes;
        uint16_t csum;

        icmp[2] = icmp[3] = 0;
        csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(icmp, len - TVS_ETH_BYTES - header_bytes));
        memcpy(icmp + 2, &csum, sizeof(csum));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct tvs_node_config config = {.seed = 1, .exact_frames = true};
    static uint8_t frames[MAX_FRAMES][MAX_FRAME];
    struct tvs_node_packet packets[MAX_FRAMES];
    char error[256];
    struct tvs_node *node = tvs_node_make(&tvs_generation, &config, error, sizeof(error));
    uint32_t n = 0;

    if (!node)
        __builtin_trap();
    while (bytes >= 3 && n < MAX_FRAMES) {
        uint32_t len = (uint32_t)(data[0] | (data[1] & 1) << 8), what = data[2];

        data += 3;
        bytes -= 3;
        if (len > bytes)
            len = (uint32_t)bytes;
        for (uint32_t i = 0; i < len; i++)
            frames[n][i] = data[i];
        if (what & SEAL)
            seal(frames[n], len);
        packets[n] = (struct tvs_node_packet){
            .data = frames[n],
            .len = len,
            .rx_worker = what & WRONG_WORKER ? what >> 7 : TVS_NODE_STEER,
        };
        n++;
        data += len;
        bytes -= len;
        if (what & SERVER)
            tvs_node_set_backend(node, 0, (what >> 5) % 3, (what >> 4) & 1, 1);
        if (!(what & SWEEP) && n < MAX_FRAMES)
            continue;
        if (tvs_node_run(node, packets, n))
            __builtin_trap();
        n = 0;
        tvs_node_set_tick(node, node->now_tick + (what >> 4));
        /* only where sessions can be after so few packets: the rest would cost more than they do */
        node->workers[0]->sweep_cursor = node->generation->memory.port_first;
        tvs_worker_sweep(node->workers[0], 2 * MAX_FRAMES);
    }
    if (tvs_node_run(node, packets, n))
        __builtin_trap();
    tvs_node_close(node);
    return 0;
}
