/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the host and every generation: attributes, limits, ids that both sides agree on. */
#ifndef TVS_BASE_H
#define TVS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TVS_INLINE        static inline __attribute__((always_inline))
#define TVS_NOINLINE      __attribute__((noinline, cold, unused))
#define TVS_LIKELY(x)     __builtin_expect(!!(x), 1)
#define TVS_UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define TVS_CACHE_LINE    64
#define TVS_CACHE_ALIGNED __attribute__((aligned(TVS_CACHE_LINE)))

/* A limit on everything; the compiler checks a site against the same numbers. */
enum {
    TVS_MAX_BURST = 32,       /* frames of one call of the packet path */
    TVS_MAX_WORKERS = 64,     /* per node */
    TVS_MAX_PORTS = 8,        /* NIC ports per node */
    TVS_MAX_SLOTS = 1024,     /* local IPs whose records one worker holds */
    TVS_MAX_SERVICES = 32768, /* (VIP, protocol, port) of one host's lifetime */
    TVS_MAX_POOLS = 16384,    /* likewise */
    TVS_MAX_BACKENDS = 1 << 17,
    TVS_MAX_NEXTHOPS = 4096,
    TVS_MAX_PEERS = 63, /* other nodes of the cluster */
    TVS_TICK_MS = 100,  /* the unit of every session timeout */
};

enum tvs_proto { TVS_ICMP = 1, TVS_TCP = 6, TVS_UDP = 17 };

enum tvs_mode { TVS_MODE_FULLNAT = 0, TVS_MODE_TUNNEL = 1 };

/* How a class picks from its pool's table (core/schedule.h), and how the table is made. */
enum tvs_scheduler {
    TVS_SCHED_WRR = 0,
    TVS_SCHED_RR = 1,
    TVS_SCHED_MAGLEV = 2,
    TVS_SCHED_SOURCE_HASH = 3,
    TVS_SCHED_LEAST_LOADED = 4,
};

enum tvs_client_address { TVS_CLIENT_NONE = 0, TVS_CLIENT_TOA = 1, TVS_CLIENT_PROXY_V2 = 2 };

/* What becomes of sessions whose backend failed its health check. */
enum tvs_on_down { TVS_ON_DOWN_KEEP = 0, TVS_ON_DOWN_RESET = 1 };

enum tvs_steering_mode { TVS_STEER_SOFTWARE = 0, TVS_STEER_FDIR = 1, TVS_STEER_RSS_PORT = 2 };

enum tvs_idle { TVS_IDLE_BUSY = 0, TVS_IDLE_INTERRUPT = 1 };

#endif
