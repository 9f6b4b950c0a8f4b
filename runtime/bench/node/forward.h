/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain forwarder's whole knowledge: one client, and a fixed mapping from ports to servers.
 * Each packet is rewritten from constants; nothing is looked up or remembered.
 */
#ifndef TVS_BENCH_FORWARD_H
#define TVS_BENCH_FORWARD_H

#include "tvs/frame.h"

enum { BENCH_FORWARD_ROWS = 8 };

/* Client -> VIP:port becomes own address -> server:server_port, and back; the deltas are made. */
struct bench_forward_row {
    uint8_t proto; /* enum tvs_proto */
    uint16_t port_be, server_port_be;
    uint32_t server_be;
    uint16_t request_ip_delta, reply_ip_delta;
    uint16_t request_l4_delta, reply_l4_delta;
};

struct bench_forward {
    uint32_t client_be, vip_be, own_be;
    unsigned n_rows;
    struct bench_forward_row row[BENCH_FORWARD_ROWS];
    uint8_t l2[14]; /* the Ethernet header of all that leaves */
};

/* After addresses and rows are set: the checksums' differences. */
void bench_forward_prepare(struct bench_forward *forward);

/* Rewrites the frame; false: it is no packet of the mapping. */
bool bench_forward_rewrite(const struct bench_forward *forward, struct tvs_frame *frame);

#endif
