/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a generation (one shared object per node, compiled from the site) gives to the host:
 * constant tables and one function. It is the host's only configuration. Addresses and ports in
 * these tables are in host byte order unless the name ends in _be: people read them.
 */
#ifndef TVS_GENERATION_H
#define TVS_GENERATION_H

#include "tvs/base.h"
#include "tvs/frame.h"
#include "tvs/record.h"
#include "tvs/site.h"
#include "tvs/worker.h"

#define TVS_ABI_VERSION       4
#define TVS_GENERATION_SYMBOL "tvs_generation"

enum tvs_nic_family {
    TVS_NIC_NONE = 0, /* no flow rules, no settable RSS */
    TVS_NIC_IXGBE,
    TVS_NIC_I40E,
    TVS_NIC_ICE,
    TVS_NIC_MLX5,
    TVS_NIC_TAP, /* multi-queue TAP: steering is an eBPF program that plays RSS and FDIR */
};

struct tvs_gen_port {
    const char *name;   /* as in the site file */
    const char *device; /* PCI address, or a DPDK device string when is_vdev */
    bool is_vdev;
    uint8_t family; /* enum tvs_nic_family */
    int16_t socket; /* -1: any */
    uint16_t mtu;
    uint16_t vlan;    /* 802.1Q identifier of all its frames; 0: untagged */
    uint32_t address; /* the node's own, put on the exception TAP */
    uint8_t prefix_len;
    bool has_gateway_mac;
    uint8_t gateway_mac[6];
    uint32_t gateway; /* 0: none */
};

/* A worker's local IP of this node; `slot` numbers them per worker from 0, without gaps. */
struct tvs_gen_lip {
    uint32_t address;
    uint16_t worker;
    uint16_t slot;
};

/* One flow rule: packets to (destination & mask) go to `worker`'s queue. */
struct tvs_gen_rule {
    uint32_t address;
    uint32_t mask;
    uint16_t worker;
    uint8_t proto;     /* 0: any IPv4 */
    bool avoid_ntuple; /* ixgbe: a full mask would be taken by the 128 five-tuple filters */
};

struct tvs_gen_steering {
    uint8_t mode; /* enum tvs_steering_mode */
    uint8_t key_bytes;
    uint16_t reta_size;
    const uint8_t *key;   /* [key_bytes] */
    const uint16_t *reta; /* [reta_size] -> worker */
    uint32_t n_rules;
    const struct tvs_gen_rule *rules;
};

enum tvs_route_kind { TVS_ROUTE_VIP, TVS_ROUTE_LIP_LONG, TVS_ROUTE_LIP_SHORT };

/* Routes the host hangs on the exception TAP for BIRD to export. */
struct tvs_gen_route {
    uint32_t address;
    uint8_t prefix_len;
    uint8_t kind; /* enum tvs_route_kind */
};

enum tvs_check_kind { TVS_CHECK_NONE, TVS_CHECK_TCP, TVS_CHECK_HTTP };

enum { TVS_MAX_EXPECT = 8 };

/* HTTP statuses, ends included; the first `n` ranges, ascending, none touches another. */
struct tvs_gen_expect {
    uint32_t n;
    struct tvs_gen_statuses {
        uint16_t low, high;
    } range[TVS_MAX_EXPECT];
};

struct tvs_gen_check {
    uint8_t kind;  /* enum tvs_check_kind */
    uint16_t port; /* 0: the backend's own */
    uint32_t every_ms, timeout_ms;
    uint32_t rise, fall;          /* results in a row before the state changes */
    struct tvs_gen_expect expect; /* HTTP */
    const char *path;             /* HTTP */
    const char *host;             /* HTTP Host header; NULL: the backend's address */
};

struct tvs_gen_backend {
    uint32_t address;
    uint16_t port;
    bool drain;
    uint32_t weight;
};

struct tvs_gen_pool {
    const char *name;
    uint8_t scheduler;   /* enum tvs_scheduler */
    uint8_t on_down;     /* enum tvs_on_down */
    uint32_t table_size; /* scheduled by hash: entries of the table, a prime; else 0 */
    uint32_t n_backends;
    const struct tvs_gen_backend *backends;
    struct tvs_gen_check check;
};

struct tvs_gen_service {
    const char *name;
    uint32_t vip;
    uint16_t port;
    uint8_t proto;
    uint8_t class_id;
    uint32_t pool;   /* index into pools; its sorry pool is in path_site */
    uint32_t min_up; /* with fewer servers that take new sessions the VIP is withdrawn; 0: never */
};

struct tvs_gen_memory {
    uint32_t sessions_per_worker;
    uint32_t buckets_per_worker;    /* power of two */
    uint32_t slots_per_worker;      /* local IPs that a worker has records of; its own come first */
    uint16_t port_first, port_last; /* local ports handed out, inclusive */
    uint32_t mbufs;
    uint32_t hugepage_mb;      /* what EAL must find, all sockets */
    bool hugepages;            /* false: --no-huge (laptops) */
    uint16_t rx_ring, tx_ring; /* descriptors per queue */
};

/*
 * A way from us to a peer. The source port is chosen so that RSS, whose key and table are the same
 * on all nodes of a cluster, brings what worker i sends to the peer's worker i.
 */
struct tvs_gen_sync_path {
    uint32_t local;               /* address of one of our ports */
    uint32_t remote;              /* of the peer's port of the same number */
    const uint16_t *source_ports; /* [n_workers] */
};

struct tvs_gen_peer {
    const char *name;
    uint16_t node; /* index inside the cluster */
    uint16_t n_paths;
    const struct tvs_gen_sync_path *paths; /* [n_paths], at least one */
};

/* Session sync between the nodes of the cluster; all zero: there is none. */
struct tvs_gen_sync {
    uint16_t port;    /* UDP, the same on every node */
    bool key_is_env;  /* `key` names an environment variable, not a file of secrets */
    const char *key;  /* relative to the directory of secrets */
    uint32_t n_peers; /* at least one, at most TVS_MAX_PEERS */
    const struct tvs_gen_peer *peers;
};

struct tvs_gen_cores {
    bool shared; /* threads float over all cores of the machine */
    int16_t control;
    uint16_t n_workers;
    const int16_t *workers; /* [n_workers] core ids; unused when shared */
};

struct tvs_generation {
    uint32_t abi_version;   /* TVS_ABI_VERSION */
    uint32_t node_index;    /* inside the cluster, from 0 */
    uint64_t record_schema; /* TVS_RECORD_SCHEMA */
    uint64_t sync_contract; /* equal on every node of a cluster */
    const char *id;         /* content hash of the inputs, hex */
    const char *compiler;   /* "tvsc 0.1.0" */
    const char *site, *cluster, *node;
    uint8_t idle;         /* enum tvs_idle */
    bool is_last_resort;  /* VIPs of services with a sorry pool stay: no cluster comes after it */
    uint32_t watchdog_ms; /* a worker that does not turn for so long ends the process */
    struct tvs_gen_cores cores;
    struct tvs_gen_memory memory;
    struct tvs_gen_steering steering;
    struct tvs_gen_sync sync;
    uint32_t n_ports, n_lips, n_vip_routes, n_routes, n_pools, n_services, n_classes;
    const struct tvs_gen_port *ports;
    const struct tvs_gen_lip *lips;
    const struct tvs_gen_route *vip_routes; /* the same on every node of the site */
    const struct tvs_gen_route *routes;     /* this node's own */
    const struct tvs_gen_pool *pools;
    const struct tvs_gen_service *services;
    const struct tvs_site *path_site; /* what the packet path looks VIPs and local IPs up in */

    /* The packet path: every frame gets a verdict. n <= TVS_MAX_BURST. */
    void (*burst)(struct tvs_worker *worker, struct tvs_frame *frames, unsigned n);
};

/* Routes that the node announces, and each of them by number. */
TVS_INLINE uint32_t tvs_generation_n_routes(const struct tvs_generation *generation)
{
    return generation->n_vip_routes + generation->n_routes;
}

TVS_INLINE const struct tvs_gen_route *tvs_generation_route(const struct tvs_generation *generation,
                                                            uint32_t number)
{
    return number < generation->n_vip_routes
               ? &generation->vip_routes[number]
               : &generation->routes[number - generation->n_vip_routes];
}

#endif
