/* SPDX-License-Identifier: Apache-2.0 */
#include "sync_message.h"

#include "core/csum.h"

enum {
    HEADERS = TVS_ETH_BYTES + TVS_IP4_BYTES + TVS_UDP_BYTES,
    TOS_NETWORK_CONTROL =
        6 << 5, /* as routing protocols: it must get through when links are full */
    TICKS_PER_S = 1000 / TVS_TICK_MS,
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

bool tvs_sync_message_add(const struct tvs_worker *worker, struct tvs_sync_message *message,
                          const struct tvs_record *record)
{
    uint32_t age_s = (worker->now_tick - record->opened_tick) / TICKS_PER_S;
    uint32_t left_ticks = record->expires_tick - worker->now_tick;
    struct tvs_sync_session session;

    if (record->state < TVS_S_ESTABLISHED || (int32_t)left_ticks <= 0)
        return false;
    session = (struct tvs_sync_session){
        .in = record->in,
        .out = record->out,
        .proto = record->proto,
        .state = record->state,
        .age_s = age_s < UINT16_MAX ? (uint16_t)age_s : UINT16_MAX,
        .left_ticks = left_ticks,
    };
    memcpy((uint8_t *)message->body + message->body_bytes, &session, sizeof(session));
    message->body_bytes += (unsigned)sizeof(session);
    message->header->n++;
    return true;
}

void tvs_sync_message_seal(const struct tvs_sync *sync, struct tvs_sync_message *message)
{
    struct tvs_sync_header *header = message->header;

    header->mac = tvs_mac(&sync->key, &header->magic,
                          sizeof(*header) - sizeof(header->mac) + message->body_bytes);
}

static void write_headers(uint8_t *frame, const struct tvs_nexthop *nexthop,
                          const struct tvs_sync_path *path, uint16_t port_be, unsigned bytes)
{
    uint16_t ip_bytes = (uint16_t)(bytes - TVS_ETH_BYTES);
    struct tvs_ip4 ip = {
        .version_ihl = 0x45,
        .tos = TOS_NETWORK_CONTROL,
        .total_len_be = htobe16(ip_bytes),
        .fragment_be = htobe16(TVS_IP4_DONT_FRAGMENT),
        .ttl = TVS_TTL_OWN,
        .proto = TVS_UDP,
        .saddr_be = path->local_be,
        .daddr_be = path->remote_be,
    };
    const struct tvs_udp udp = {
        .sport_be = path->source_port_be,
        .dport_be = port_be,
        .len_be = htobe16((uint16_t)(ip_bytes - TVS_IP4_BYTES)),
        .csum = 0, /* none: the MAC says more */
    };

    ip.csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(&ip, sizeof(ip)));
    memcpy(frame, nexthop->l2, TVS_ETH_BYTES);
    memcpy(frame + TVS_ETH_BYTES, &ip, sizeof(ip));
    memcpy(frame + TVS_ETH_BYTES + TVS_IP4_BYTES, &udp, sizeof(udp));
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
    write_headers(frame, nexthop, path, sync->port_be, bytes);
    *port = nexthop->port;
    return true;
}

void tvs_sync_message_send(struct tvs_sync *sync, const struct tvs_worker *worker,
                           const struct tvs_sync_io *io, struct tvs_sync_message *message,
                           const struct tvs_sync_peer *peer)
{
    unsigned bytes = message_bytes(message);
    uint8_t port;

    if (!address(sync, worker, message->frame, bytes, peer, &port)) {
        io->give_back(io->context);
        return;
    }
    sync->counters.sent++;
    sync->counters.sent_bytes += bytes;
    io->send(io->context, (uint16_t)bytes, port);
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
