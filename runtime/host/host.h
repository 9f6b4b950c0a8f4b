/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node as the control thread holds it, and the seam between the modules of the host.
 *
 * A reload replaces host->bound and host->ports[].config, calls tvs_backends_settle(),
 * tvs_health_reload() and tvs_exception_announce(), and then unloads the old generation: after
 * these calls no module may hold a pointer into its tables.
 *
 * Threads. The control thread is EAL's main lcore: it runs loop.h and everything in this folder but
 * worker_loop.c. Each worker is another lcore. They share only
 *   - struct tvs_host_worker (each side writes its own cache lines),
 *   - the published view below (control writes, workers read once per turn),
 *   - rings of mbufs.
 *
 * Modules. Each exposes `int tvs_NOUN_start(struct tvs_host *)`, 0 or negative errno after a logged
 * reason, and `void tvs_NOUN_stop(struct tvs_host *)`, which is harmless when start failed or never
 * ran. A module keeps its state in its own struct behind the pointer of its name in struct
 * tvs_host and registers its descriptors and timers with host->loop. main.c starts them in this
 * order and stops them in the reverse one:
 *
 *   ports, steering         NICs configured, started, steering read back
 *   workers' memory         tables, rings
 *   session sync            key, each worker's engine; it speaks once the workers turn
 *   services, backends      -> tvs_generation_bind() calls tvs_backends_bind()
 *   exception               TAP per port, addresses; nothing announced yet
 *   netlink                 neighbours and routes -> publishes fib and next hops
 *   workers                 threads turn
 *   health, control         checks run, control socket answers
 *   announce                once workers turn, tvs_health_ready() and tvs_peers_ready()
 */
#ifndef TVS_HOST_H
#define TVS_HOST_H

#include <stdatomic.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "tvs/core.h"
#include "tvs/generation.h"

#include "log.h"
#include "loop.h"
#include "options.h"

enum {
    TVS_HANDOVER_RING = 512,  /* packets per pair of workers */
    TVS_EXCEPTION_RING = 512, /* packets per worker, and from the kernel */
};

/* Packets the host lost after the path's verdict, and how the worker spends its turns. */
enum tvs_host_drop {
#define TVS_HOST_DROP(name, text) TVS_HOST_DROP_##name,
#include "host_drops.def"
#undef TVS_HOST_DROP
    TVS_N_HOST_DROPS
};
const char *tvs_host_drop_name(unsigned reason);
const char *tvs_host_drop_text(unsigned reason);

/* Written by one worker alone, read by the control thread at any time. */
struct tvs_host_counters {
    uint64_t rx_packets[TVS_MAX_PORTS]; /* this worker's queue */
    uint64_t tx_packets[TVS_MAX_PORTS];
    uint64_t exception_rx; /* packets given to the control thread */
    uint64_t exception_tx; /* packets of the kernel sent for it */
    uint64_t handover_out;
    uint64_t handover_in;
    uint64_t polls_empty;
    uint64_t sleeps; /* times the idle policy gave the core away */
    uint64_t drops[TVS_N_HOST_DROPS];
} TVS_CACHE_ALIGNED;

/*
 * What control publishes to workers. A worker reads it once per turn; it writes nothing. Order for
 * the writer: fib first, then fib_epoch (release). A worker loads fib_epoch (acquire) before fib,
 * so a cached next hop is never older than the epoch it is stamped with.
 */
struct tvs_published {
    _Atomic(const void *) fib;               /* of type host->route understands */
    _Atomic uint16_t fib_epoch;              /* never 0; changes with every change of a route */
    _Atomic(const struct tvs_bound *) bound; /* generation and binding, swapped together */
    _Atomic bool stop;
} TVS_CACHE_ALIGNED;

/* A loaded generation and its numbering in the host's ids (generation.c). */
struct tvs_bound {
    const struct tvs_generation *generation;
    struct tvs_binding binding;
    struct tvs_library library;
    char *path;
    struct tvs_vips *vips; /* which of its VIPs are withheld now (vips.h) */
};

struct tvs_host_worker {
    struct tvs_worker *core; /* the packet path's memory, on the worker's socket */
    struct tvs_host *host;
    uint16_t index;
    unsigned lcore;
    bool launched;
    int socket;
    int wake_fd;                    /* eventfd: written by who gives work to a sleeper */
    struct tvs_inbox *inbox;        /* which hand-over rings have something (worker.h) */
    struct rte_ring *exception_rx;  /* worker -> control */
    struct rte_ring *exception_tx;  /* control -> worker; NULL but for worker 0 */
    struct rte_mempool *sync_mbufs; /* for what sync sends; NULL: none (peers.h) */
    struct rte_ring
        *relay; /* to worker 0, to send on ports without a queue for this one; or NULL */
    struct rte_ring *handover[TVS_MAX_WORKERS]; /* from worker [i] to this one; NULL: itself */

    /* the worker's own line, read by control; `turns` is the heartbeat, sleep does not stop it */
    _Atomic uint64_t turns TVS_CACHE_ALIGNED;
    _Atomic uint32_t asleep;                   /* 1: write wake_fd after giving it work */
    _Atomic(const struct tvs_bound *) running; /* what the last turn ran */
    struct tvs_host_counters counters;

    /* set by control when it is about to sleep: the worker then writes its exception_fd, once */
    _Atomic uint32_t exception_armed TVS_CACHE_ALIGNED;
};

struct tvs_host_port {
    const struct tvs_gen_port *config;
    uint16_t dpdk_id;     /* == index in host->ports[] unless a driver made more */
    uint16_t n_rx_queues; /* == workers, or fewer with steering software */
    uint16_t n_tx_queues; /* likewise */
    int socket;
    uint8_t mac[6];
    bool rx_interrupts;
    bool vlan_by_device; /* the tag of config->vlan: stripped and inserted by the device */
    char driver[32];
    bool steering_verified; /* read back and equal to the generation's */
};

struct tvs_host {
    struct tvs_options options;
    struct tvs_loop *loop;
    const struct tvs_bound *bound; /* == published.bound */
    struct tvs_published published;

    uint16_t n_ports;
    struct tvs_host_port ports[TVS_MAX_PORTS];
    uint16_t n_workers;
    struct tvs_host_worker *workers; /* [n_workers] */
    struct rte_mempool *mbufs;       /* also for packets that the kernel sends */
    int exception_fd;                /* eventfd: a worker has packets for the kernel */
    uint64_t started_ms;             /* tvs_loop_now_ms() at start */
    uint64_t started_tsc;
    bool announced;
    int exit_status; /* what main returns once the loop has stopped */

    /* state of the modules, each opaque to the others */
    struct tvs_exception *exception;
    struct tvs_netlink *netlink;
    struct tvs_fib *fib;
    struct tvs_backends *backends;
    struct tvs_health *health;
    struct tvs_control *control;
    struct tvs_workers *workers_control; /* worker.c */
    struct tvs_watchdog *watchdog;
    struct tvs_services *services; /* services.c */
    struct tvs_peers *peers;       /* peers.c; NULL: no session sync */

    /* fixed before the workers start */
    tvs_route_fn route;                      /* netlink: tvs_fib_lookup */
    const struct tvs_nexthop *nexthops;      /* [TVS_MAX_NEXTHOPS], entry 0 never valid */
    const struct tvs_backend *backend_table; /* [TVS_MAX_BACKENDS] by host-stable id */
};

/* ---- given by the threads side: workers, generation ------------------------------------------ */

/*
 * Sends packets of the kernel: mbufs of host->mbufs with m->port = index into host->ports. Returns
 * how many were taken; the rest stay the caller's. Control thread only.
 */
unsigned tvs_workers_inject(struct tvs_host *host, struct rte_mbuf **mbufs, unsigned n);

/*
 * Calls release(memory) from the loop once no worker can still hold what it read before this call.
 * For everything that workers reach through a published pointer: rings, fib. -ENOMEM: not taken.
 */
int tvs_workers_retire(struct tvs_host *host, void (*release)(void *), void *memory);

/* True once each worker has turned since start. */
bool tvs_workers_turning(const struct tvs_host *host);

/*
 * Loads `path`, checks that it fits the running node, binds it and flips every worker to it. On a
 * refusal the old one goes on serving and `why` holds one line of text.
 */
int tvs_generation_reload(struct tvs_host *host, const char *path, char *why, size_t why_bytes);

/* Host-stable service id -> its VIP, port, protocol, for listings; NULL when the id is not used. */
struct tvs_service_key {
    uint32_t vip;
    uint16_t port;
    uint8_t proto;
    const char *name;
};
const struct tvs_service_key *tvs_service_of(const struct tvs_host *host, uint16_t service_id);

/* Orderly end: withdraws, drains briefly, leaves the loop; main returns `status`. */
void tvs_host_stop(struct tvs_host *host, int status);

/*
 * ---- given by the network side: exception.c netlink.c fib.c backends.c health.c control.c -----
 */

int tvs_exception_start(struct tvs_host *host);
void tvs_exception_stop(struct tvs_host *host);
/* Takes ownership of all n; m->port is the index into host->ports. Writes them to the TAP. */
void tvs_exception_receive(struct tvs_host *host, struct rte_mbuf **mbufs, unsigned n);
/*
 * Puts the generation's routes into the table that BIRD exports; calling it again follows a reload.
 */
int tvs_exception_announce(struct tvs_host *host);
/*
 * So many servers of the running generation's pool take new sessions now: VIPs whose services want
 * more (`min-up`) are withheld, those whose services have enough again are announced.
 */
void tvs_exception_pool_changed(struct tvs_host *host, uint32_t pool, uint32_t level);
/* Takes them out. Safe in any state and cheap: the watchdog calls it before abort(). */
void tvs_exception_withdraw(struct tvs_host *host);

int tvs_netlink_start(struct tvs_host *host); /* sets host->route, ->nexthops, publishes the fib */
void tvs_netlink_stop(struct tvs_host *host);

int tvs_backends_start(struct tvs_host *host); /* sets host->backend_table */
void tvs_backends_stop(struct tvs_host *host);
/*
 * Gives every backend and pool of `generation` its host-stable id (the same address and port of the
 * same pool name keep theirs), takes weights and drain marks over, builds rings, and fills
 * pools[generation->n_pools] and, when there is one, `index`. Called at start and at each reload,
 * before the flip.
 */
int tvs_backends_bind(struct tvs_host *host, const struct tvs_generation *generation,
                      struct tvs_pool **pools, struct tvs_backend_index *index);
/* After the flip: what the old generation had and the new one has not may end. */
void tvs_backends_settle(struct tvs_host *host);

int tvs_health_start(struct tvs_host *host);
void tvs_health_stop(struct tvs_host *host);
bool tvs_health_ready(const struct tvs_host *host); /* every check has had its first round */
/* After the flip: checks follow the new generation's. */
int tvs_health_reload(struct tvs_host *host);

int tvs_control_start(struct tvs_host *host);
void tvs_control_stop(struct tvs_host *host);

#endif
