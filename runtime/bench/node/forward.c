/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/node/forward.h"

#include "core/wire.h"

enum { TTL_STEP = 0xfffe }; /* the word that holds the TTL, minus 1 */

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* RFC 1624: the checksum after a change whose one's complement sum is `delta`. */
static uint16_t corrected(uint16_t csum, uint32_t delta)
{
    return (uint16_t)~fold((uint64_t)(uint16_t)~csum + delta);
}

void bench_forward_prepare(struct bench_forward *forward)
{
    for (unsigned i = 0; i < forward->n_rows; i++) {
        struct bench_forward_row *row = &forward->row[i];
        uint64_t addresses = (uint64_t)forward->own_be + row->server_be +
                             (uint32_t)~forward->client_be + (uint32_t)~forward->vip_be;

        row->request_ip_delta = fold(addresses);
        row->request_l4_delta = fold(addresses + row->server_port_be + (uint16_t)~row->port_be);
        row->reply_ip_delta = (uint16_t)~row->request_ip_delta;
        row->reply_l4_delta = (uint16_t)~row->request_l4_delta;
    }
}

static void rewrite(const struct bench_forward *forward, struct tvs_frame *frame,
                    const struct bench_forward_row *row, bool is_request)
{
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(frame->data + TVS_ETH_BYTES);
    struct tvs_udp *udp = (struct tvs_udp *)(ip + 1); /* TCP's ports lie in the same place */
    struct tvs_tcp *tcp = (struct tvs_tcp *)(ip + 1);
    uint16_t ip_delta = is_request ? row->request_ip_delta : row->reply_ip_delta;
    uint16_t l4_delta = is_request ? row->request_l4_delta : row->reply_l4_delta;

    memcpy(frame->data, forward->l2, sizeof(forward->l2));
    if (is_request) {
        ip->saddr_be = forward->own_be;
        ip->daddr_be = row->server_be;
        udp->dport_be = row->server_port_be;
    } else {
        ip->saddr_be = forward->vip_be;
        ip->daddr_be = forward->client_be;
        udp->sport_be = row->port_be;
    }
    ip->ttl--;
    ip->csum = corrected(ip->csum, (uint32_t)ip_delta + TTL_STEP);
    if (row->proto == TVS_TCP)
        tcp->csum = corrected(tcp->csum, l4_delta);
    else if (udp->csum != 0 && (udp->csum = corrected(udp->csum, l4_delta)) == 0)
        udp->csum = 0xffff;
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
