/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/node/forward.h"

#include "core/fullnat.h"

static const struct tvs_packet plain = {.l4 = TVS_ETH_BYTES + TVS_IP4_BYTES};

void bench_forward_prepare(struct bench_forward *forward)
{
    for (unsigned i = 0; i < forward->n_rows; i++) {
        struct bench_forward_row *row = &forward->row[i];
        const struct tvs_tuple in = {
            .saddr_be = forward->client_be, .daddr_be = forward->vip_be, .dport_be = row->port_be};
        const struct tvs_tuple out = {.saddr_be = forward->own_be,
                                      .daddr_be = row->server_be,
                                      .dport_be = row->server_port_be};

        row->request_ip_delta = tvs_csum_delta_addresses(&in, &out);
        row->reply_ip_delta = tvs_csum_negate(row->request_ip_delta);
        row->request_l4_delta = tvs_csum_delta_tuple(&in, &out);
        row->reply_l4_delta = tvs_csum_negate(row->request_l4_delta);
    }
}

static void rewrite(const struct bench_forward *forward, struct tvs_frame *frame,
                    const struct bench_forward_row *row, bool is_request)
{
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(frame->data + TVS_ETH_BYTES);
    struct tvs_udp *ports = (struct tvs_udp *)(ip + 1); /* TCP's ports lie in the same place */

    memcpy(frame->data, forward->l2, sizeof(forward->l2));
    if (is_request) {
        ip->saddr_be = forward->own_be;
        ip->daddr_be = row->server_be;
        ports->dport_be = row->server_port_be;
    } else {
        ip->saddr_be = forward->vip_be;
        ip->daddr_be = forward->client_be;
        ports->sport_be = row->port_be;
    }
    tvs_rewrite_checksums(frame, &plain, row->proto,
                          is_request ? row->request_ip_delta : row->reply_ip_delta,
                          is_request ? row->request_l4_delta : row->reply_l4_delta);
}

bool bench_forward_rewrite(const struct bench_forward *forward, struct tvs_frame *frame)
{
    const struct tvs_ip4 *ip = (const struct tvs_ip4 *)(frame->data + TVS_ETH_BYTES);
    const struct tvs_udp *ports = (const struct tvs_udp *)(ip + 1);
    bool is_request;

    if (frame->len < TVS_ETH_BYTES + TVS_IP4_BYTES + TVS_UDP_BYTES ||
        (ip->proto == TVS_TCP && frame->len < TVS_ETH_BYTES + TVS_IP4_BYTES + TVS_TCP_BYTES) ||
        tvs_load16(frame->data + 12) != htobe16(TVS_ETHERTYPE_IP4) || ip->version_ihl != 0x45)
        return false;
    is_request = ip->daddr_be == forward->vip_be && ip->saddr_be == forward->client_be;
    if (!is_request && ip->daddr_be != forward->own_be)
        return false;
    for (unsigned i = 0; i < forward->n_rows; i++) {
        const struct bench_forward_row *row = &forward->row[i];

        if (row->proto != ip->proto)
            continue;
        if (is_request ? ports->dport_be != row->port_be
                       : ports->sport_be != row->server_port_be || ip->saddr_be != row->server_be)
            continue;
        rewrite(forward, frame, row, is_request);
        return true;
    }
    return false;
}
