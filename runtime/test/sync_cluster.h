/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes of one cluster in memory, the fixture's two and a third, with session sync between them: a
 * wire that loses, doubles and delays as its random generator says, and a clock that goes on when
 * told to. Each node has a clock of its own that started elsewhere.
 */
#ifndef TVS_TEST_SYNC_CLUSTER_H
#define TVS_TEST_SYNC_CLUSTER_H

#include "adapters/node.h"
#include "core/session.h"
#include "core/sync.h"
#include "core/tcp_state.h"
#include "packets.h"

enum {
    NODES_MAX = 3,
    WORKERS = 2,
    CYCLES_PER_MS = 1000,
    PORT_LAST = FIRST_LOCAL_PORT + 199,
    SYNC_PORT = 7000,
    SYNC_HEADER = PACKET_L4 + TVS_UDP_BYTES, /* offset in a frame */
    SEEN_MAX = 4096,
};

extern const uint64_t cluster_key[2];

/* The MAC under it of `bytes` behind a message's UDP header. */
uint64_t cluster_mac(const struct tvs_sync_header *header, unsigned bytes);

struct cluster;

struct side {
    struct cluster *cluster;
    unsigned index;
    struct tvs_generation generation; /* as compiled but for its peers */
    struct tvs_gen_port ports[2];
    struct tvs_gen_peer peers[NODES_MAX - 1];
    struct tvs_gen_sync_path paths[NODES_MAX - 1][2];
    uint64_t tsc_start;
    uint32_t tick_start;
    unsigned sweep_ticks; /* every record once in so long */
    bool is_deaf;         /* what is sent to it is lost */

    struct tvs_node *node; /* NULL: down */
    struct tvs_sync *sync[WORKERS];
    uint8_t *room;    /* given to the worker and not yet sent */
    unsigned turning; /* the worker whose turn it is */
};

struct flight {
    uint8_t *data; /* in an allocation of its size */
    unsigned bytes;
    unsigned from;
    uint64_t at; /* when it arrives */
};

struct cluster {
    unsigned n;
    struct side side[NODES_MAX];
    uint64_t now; /* cycles */
    uint64_t chance;
    unsigned loss, twice, wrong, no_room; /* percent: lost, doubled, to the wrong worker, refused */
    unsigned delay_ms;                    /* up to so many: what is sent later may be faster */
    bool holds;                           /* frames stay on the wire */
    uint64_t kinds[TVS_N_SYNC_KINDS];     /* messages sent, by kind */
    struct flight *flights;
    unsigned n_flights, capacity;
};

/* n nodes that are down. */
void cluster_make(struct cluster *cluster, unsigned n, uint64_t seed);
void cluster_free(struct cluster *cluster);

void side_up(struct side *side);
void side_down(struct side *side);
bool side_is_ready(const struct side *side);
uint64_t side_now(const struct side *side);

/* Time goes on: frames arrive, workers turn and sweep. */
void cluster_run(struct cluster *cluster, unsigned ms);

/* All nodes up and ready, or the test fails. */
void cluster_start(struct cluster *cluster, unsigned n, uint64_t seed);

/* Gives a frame to worker `rx` of a node as the NIC would; returns the last verdict's frame. */
struct tvs_frame side_frame(struct side *side, const uint8_t *data, unsigned bytes, unsigned rx);

/* A client's or server's packet through the node. */
struct tvs_node_packet side_packet(struct side *side, const struct packet *packet);

/* A session as both its ends see it. */
struct flow {
    uint8_t proto;
    uint16_t port, vip_port, local_port, server_port;
    uint32_t client, vip, local, server;
    unsigned worker;
};

/* Sends the first packet through a node; false: no session was opened. */
bool flow_begin(struct side *side, struct flow *flow, uint8_t proto, uint32_t client,
                uint16_t port);
bool flow_begin_to(struct side *side, struct flow *flow, uint8_t proto, uint32_t client,
                   uint16_t port, uint32_t vip, uint16_t vip_port);
/* The same, and a TCP session's handshake. */
struct flow flow_open(struct side *side, uint8_t proto, uint32_t client, uint16_t port);

/* One packet of the flow; true: forwarded, and byte by byte what it should have become. */
bool flow_request(struct side *side, const struct flow *flow, uint8_t tcp_flags);
bool flow_reply(struct side *side, const struct flow *flow, uint8_t tcp_flags);

/* The same, whatever becomes of it. */
void flow_offer(struct side *side, const struct flow *flow, enum tvs_direction direction,
                uint8_t tcp_flags);

/* The flow's record on a node; NULL: it is not there. */
struct tvs_record *flow_record(const struct side *side, const struct flow *flow);

/* What a node holds of sessions in `state` that have not expired, sorted; `max` is SEEN_MAX. */
struct seen {
    struct tvs_tuple in, out;
    uint8_t proto;
    uint8_t state;
    uint16_t worker;
};
unsigned side_sessions(const struct side *side, uint8_t state, struct seen *seen);
void sides_compare(const struct side *a, const struct side *b, uint8_t state, unsigned at_least);

/* Table, free ring, counts and records of a node agree, each counted one by one. */
void side_check(const struct side *side);

uint64_t side_count(const struct side *side, size_t counter_offset);
#define COUNT(side, name) side_count(side, offsetof(struct tvs_sync_counters, name))

#endif
