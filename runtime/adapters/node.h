/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node in memory: a generation with its workers, pools and next hops, and nothing else. It does
 * with packets in memory what the daemon does with a NIC, so that a capture file or a test sees
 * exactly what the node would send.
 *
 * Every port's gateway is reachable: at its static MAC, else at 02:00:00:00:00:01. Port p has the
 * MAC 02:74:76:73:00:p. A destination inside a port's subnet leaves through that port, all others
 * through port 0. All backends start as the site says: up, or draining. Frames of a port with a
 * VLAN have its tag, as on the wire; those that do not are for nobody.
 */
#ifndef TVS_NODE_H
#define TVS_NODE_H

#include "tvs/core.h"
#include "tvs/frame.h"

/* Ids of the host are not the generation's numbers: a path that confuses them is found out. */
enum { TVS_NODE_FIRST_SERVICE = 100, TVS_NODE_FIRST_BACKEND = 200 };

/* Ask the model of the NIC for the receiving worker. */
enum { TVS_NODE_STEER = 0xffff };

struct tvs_node_config {
    uint64_t seed;     /* of the workers' secret hash keys */
    bool exact_frames; /* no byte around a frame is ours: what a sanitizer needs */
    bool check_mac;    /* drop frames for other stations */
    bool is_idle;      /* one session per worker will do: the caller brings workers of its own */
};

/* One packet on its way through the node. */
struct tvs_node_packet {
    const uint8_t *data;
    uint32_t len;
    uint16_t
        rx_worker; /* whose queue it came in; TVS_NODE_STEER: as the NIC steers. Set on return */
    uint8_t port_in;

    uint8_t verdict; /* of the last worker that had it; TVS_V_NONE: of another VLAN, none did */
    uint8_t arg;     /* port, or drop reason */
    uint16_t worker; /* who decided: another than rx_worker when it was handed over */
    const uint8_t
        *result; /* what it became (tagged if it is sent); the node's, until the next run */
    uint32_t result_len;
};

struct tvs_node {
    const struct tvs_generation *generation;
    struct tvs_node_config config;
    struct tvs_library library; /* all zero: linked in */

    uint32_t now_tick;
    uint16_t n_workers;
    struct tvs_worker **workers; /* [n_workers] */
    size_t *worker_bytes;

    uint32_t n_backends;     /* ids in use, the unused first ones included */
    uint32_t *first_backend; /* [n_pools] id of a pool's first server */
    struct tvs_backend *backends;
    struct tvs_pool *pools;
    struct tvs_pool **pool_list;
    uint8_t *class_of_service;
    uint16_t *service_id;
    struct tvs_backend_index *backend_index;
    uint16_t *limit_group;
    struct tvs_binding binding;
    struct tvs_nexthop nexthops[1 + TVS_MAX_PORTS]; /* [1 + port] */

    uint64_t n_other_vlan; /* frames that no worker saw: without the tag of their port's VLAN */

    uint8_t **buffers; /* frames of the last run */
    uint32_t n_buffers;
};

/* Loads generation.so at `path`. NULL: `error` says why. */
struct tvs_node *tvs_node_open(const char *path, const struct tvs_node_config *config, char *error,
                               size_t error_bytes);

/* The same with a generation that is linked into the program. */
struct tvs_node *tvs_node_make(const struct tvs_generation *generation,
                               const struct tvs_node_config *config, char *error,
                               size_t error_bytes);

void tvs_node_close(struct tvs_node *node);

/* Ticks may go on only; what expires is for the caller to sweep. */
void tvs_node_set_tick(struct tvs_node *node, uint32_t tick);

/*
 * Runs the packets: each worker takes those of its queue in bursts, then those handed to it by
 * others. 0, -EINVAL (no such worker), -ENOMEM, or -EPROTO: the generation broke the contract of
 * frame.h.
 */
int tvs_node_run(struct tvs_node *node, struct tvs_node_packet *packets, uint32_t n);

/* After a run: the packet is byte for byte what came in, but for a tag that was taken off. */
bool tvs_node_is_unchanged(const struct tvs_node *node, const struct tvs_node_packet *packet);

/* State and weight of a pool's server number `index`; 0, -EINVAL, -ENOMEM. */
int tvs_node_set_backend(struct tvs_node *node, uint32_t pool, uint32_t index, uint8_t state,
                         uint32_t weight);

/* Neighbour of a port found or lost. */
int tvs_node_set_nexthop(struct tvs_node *node, uint8_t port, bool valid);

/* Routes changed: every record looks its next hops up again. */
void tvs_node_renew_routes(struct tvs_node *node);

/* A service that the next generation no longer has, while its sessions live on. */
int tvs_node_remove_service(struct tvs_node *node, uint32_t service);

#endif
