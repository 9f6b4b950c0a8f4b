/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain forwarder's whole knowledge: one client, one server, and a fixed mapping of ports
 * between them. Each packet is rewritten from constants; nothing is looked up or remembered.
 */
#ifndef TVS_BENCH_FORWARD_H
#define TVS_BENCH_FORWARD_H

#include "tvs/frame.h"

enum { BENCH_FORWARD_ROWS = 8 };

/* Client -> own address:port becomes own address -> server:server_port, and back. */
struct bench_forward_row {
    uint8_t proto; /* enum tvs_proto */
    uint16_t port_be, server_port_be;
    uint16_t request_l4_delta, reply_l4_delta; /* bench_forward_prepare() fills them */
};

struct bench_forward {
    uint32_t client_be, vip_be, own_be, server_be;
    uint16_t request_ip_delta, reply_ip_delta;
    unsigned n_rows;
    struct bench_forward_row row[BENCH_FORWARD_ROWS];
    uint8_t l2[14]; /* the Ethernet header of all that leaves */
};

/* After addresses and rows are set: the checksums' differences. */
void bench_forward_prepare(struct bench_forward *forward);

/* Rewrites the frame; false: it is no packet of the mapping. */
bool bench_forward_rewrite(const struct bench_forward *forward, struct tvs_frame *frame);

#endif
