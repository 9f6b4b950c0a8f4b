/* SPDX-License-Identifier: Apache-2.0 */
#include "sync_message.h"

#include "core/csum.h"

enum {
    HEADERS = TVS_ETH_BYTES + TVS_IP4_BYTES + TVS_UDP_BYTES,
    TOS_NETWORK_CONTROL =
        6 << 5, /* as routing protocols: it must get through when links are full */
};
_Static_assert(HEADERS + sizeof(struct tvs_sync_header) +
                       TVS_SYNC_SESSIONS * sizeof(struct tvs_sync_session) ==
                   TVS_SYNC_ROOM,
               "the longest message");
_Static_assert(sizeof(struct tvs_sync_again) + sizeof(struct tvs_sync_hello) <=
                   TVS_SYNC_SESSIONS * sizeof(struct tvs_sync_session),
               "and the others fit as well");
_Static_assert(TVS_SYNC_ROOM - HEADERS - sizeof(uint64_t) <= TVS_MAC_BYTES,
               "so does the MAC's key");

bool tvs_sync_message_begin(struct tvs_sync *sync, const struct tvs_sync_io *io,
                            struct tvs_sync_message *message, enum tvs_sync_kind kind,
                            const struct tvs_sync_peer *peer, uint64_t number)
{
    message->frame = io->room(io->context);
    if (message->frame == NULL) {
        sync->counters.no_buffer++;
        return false;
    }
    message->header = (struct tvs_sync_header *)(message->frame + HEADERS);
    message->body = message->header + 1;
    message->body_bytes = 0;
    message->n = 0;
    memcpy(message->header,
           &(struct tvs_sync_header){.magic = TVS_SYNC_MAGIC,
                                     .kind = (uint8_t)kind,
                                     .from = sync->node,
                                     .to = peer != NULL ? peer->node : TVS_SYNC_TO_ALL,
                                     .worker = sync->worker,
                                     .contract = sync->contract,
                                     .epoch = sync->epoch,
                                     .number = number},
           sizeof(*message->header));
    return true;
}

void tvs_sync_message_seal(const struct tvs_sync *sync, struct tvs_sync_message *message)
{
    struct tvs_sync_header *header = message->header;

    message->body_bytes += message->n * (unsigned)sizeof(struct tvs_sync_session);
    header->n = (uint16_t)message->n;
    header->mac = tvs_mac(&sync->key, &header->magic,
                          sizeof(*header) - sizeof(header->mac) + message->body_bytes);
}

void tvs_sync_path_prepare(struct tvs_sync_path *path, uint16_t port_be)
{
    struct tvs_ip4 ip = {
        .version_ihl = 0x45,
        .tos = TOS_NETWORK_CONTROL,
        .fragment_be = htobe16(TVS_IP4_DONT_FRAGMENT),
        .ttl = TVS_TTL_OWN,
        .proto = TVS_UDP,
        .saddr_be = path->local_be,
        .daddr_be = path->remote_be,
    };
    const struct tvs_udp udp = {
        .sport_be = path->source_port_be,
        .dport_be = port_be,
        .csum = 0, /* none: the MAC says more */
    };

    ip.csum = tvs_csum_fold(tvs_csum_sum(&ip, sizeof(ip)));
    memcpy(path->headers, &ip, sizeof(ip));
    memcpy(path->headers + sizeof(ip), &udp, sizeof(udp));
}

/* The lengths are missing in what was prepared, and its checksum is the sum of the rest. */
static void write_headers(uint8_t *frame, const struct tvs_nexthop *nexthop,
                          const struct tvs_sync_path *path, unsigned bytes)
{
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(frame + TVS_ETH_BYTES);
    struct tvs_udp *udp = (struct tvs_udp *)(ip + 1);
    uint16_t ip_bytes = (uint16_t)(bytes - TVS_ETH_BYTES);
    uint16_t sum = ((const struct tvs_ip4 *)path->headers)->csum;

    memcpy(frame, nexthop->l2, TVS_ETH_BYTES);
    memcpy(ip, path->headers, sizeof(path->headers));
    ip->total_len_be = htobe16(ip_bytes);
    ip->csum = (uint16_t)~tvs_csum_fold32((uint32_t)sum + htobe16(ip_bytes));
    udp->len_be = htobe16((uint16_t)(ip_bytes - TVS_IP4_BYTES));
}

static unsigned message_bytes(const struct tvs_sync_message *message)
{
    return HEADERS + (unsigned)sizeof(*message->header) + message->body_bytes;
}

/* Writes what differs from peer to peer. False: there is no way to this one now. */
static bool address(struct tvs_sync *sync, const struct tvs_worker *worker, uint8_t *frame,
                    unsigned bytes, const struct tvs_sync_peer *peer, uint8_t *port)
{
    const struct tvs_sync_path *path = &peer->paths[peer->via];
    const struct tvs_nexthop *nexthop =
        &worker->nexthops[worker->route(worker->fib, path->remote_be)];

    if (!nexthop->valid) {
        sync->counters.no_route++;
        return false;
    }
    write_headers(frame, nexthop, path, bytes);
    *port = nexthop->port;
    return true;
}

bool tvs_sync_message_send(struct tvs_sync *sync, const struct tvs_worker *worker,
                           const struct tvs_sync_io *io, struct tvs_sync_message *message,
                           const struct tvs_sync_peer *peer)
{
    unsigned bytes = message_bytes(message);
    uint8_t port;

    if (!address(sync, worker, message->frame, bytes, peer, &port)) {
        io->give_back(io->context);
        return false;
    }
    sync->counters.sent++;
    sync->counters.sent_bytes += bytes;
    io->send(io->context, (uint16_t)bytes, port);
    return true;
}

void tvs_sync_message_spread(struct tvs_sync *sync, const struct tvs_worker *worker,
                             const struct tvs_sync_io *io, struct tvs_sync_message *message,
                             uint64_t now)
{
    uint8_t payload[TVS_SYNC_ROOM - HEADERS];
    unsigned payload_bytes = message_bytes(message) - HEADERS;
    bool is_first = true;

    memcpy(payload, message->header, payload_bytes); /* the first frame is gone once it is sent */
    for (uint32_t i = 0; i < sync->n_peers; i++) {
        if (!tvs_sync_peer_is_here(sync, &sync->peers[i], now))
            continue;
        if (!is_first) {
            message->frame = io->room(io->context);
            if (message->frame == NULL) {
                sync->counters.no_buffer++;
                return;
            }
            memcpy(message->frame + HEADERS, payload, payload_bytes);
        }
        is_first = false;
        tvs_sync_message_send(sync, worker, io, message, &sync->peers[i]);
    }
    if (is_first)
        io->give_back(io->context);
}
