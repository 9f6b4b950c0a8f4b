/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generation written by hand, so that tests of the runtime need no compiler of sites: one node
 * with two workers, two ports, two VIPs, four classes, three pools. tests/naive/fixture.py says the
 * same in Python. The build makes variants of it whose limits are reached within a few packets, one
 * whose services have `limits`, and two that are nodes of one cluster with session sync.
 */
#include "core/path.h"
#include "tvs/generation.h"

/*
 * Constants of a variant, -D on the command line. FIXTURE_STEERING: enum tvs_steering_mode.
 * FIXTURE_SCHEDULER: enum tvs_scheduler of all, or -1. FIXTURE_CLIENT_ADDRESS: enum
 * tvs_client_address, of the TCP services. FIXTURE_HAS_LIMITS: whether services have limits.
 * FIXTURE_NODE: the node, of two with session sync. FIXTURE_NAME: the symbol, since both can be
 * linked into one program. FIXTURE_VLAN: of the first port, 0 for none.
 */
enum {
    SESSIONS = FIXTURE_SESSIONS,
    BUCKETS = FIXTURE_BUCKETS,
    PORT_LAST = FIXTURE_PORT_LAST,
};

/* How a pool and its classes are scheduled, unless the variant says otherwise for all. */
#define SCHEDULER(own) (FIXTURE_SCHEDULER < 0 ? (own) : FIXTURE_SCHEDULER)
enum { TABLE_SIZE = 251 }; /* used by schedulers that hash */

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define ROWS(table)    (sizeof(table) / sizeof((table)[0]))

enum { N_WORKERS = 2, N_CLASSES = 4, RETA_SIZE = 128 };

/* Microsoft's verification key: the vectors published with it hold here too. */
static const uint8_t rss_key[40] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const uint16_t reta[RETA_SIZE] = {[0 ... 63] = 0, [64 ... 127] = 1};

/* The slots of node 0's local IPs, and of node 1's, each with the own ones first. */
enum {
    HAS_SYNC = FIXTURE_HAS_SYNC,
    SLOTS_0 = FIXTURE_NODE == 0 ? 0 : 1,
    SLOTS_1 = FIXTURE_NODE == 1 ? 0
              : HAS_SYNC        ? 2
                                : TVS_LIP_NO_SLOT,
    N_SLOTS = HAS_SYNC ? 3 : 2,
};

/* The local-IP range 172.16.0.0/28: .1 to .4 are node 0's, .9 and .10 node 1's. */
static const struct tvs_lip_entry lip_table[16] = {
    [0] = {.worker = TVS_LIP_NOBODY},
    [1] = {.worker = 0, .node = 0, .slot = SLOTS_0},
    [2] = {.worker = 1, .node = 0, .slot = SLOTS_0},
    [3] = {.worker = 0, .node = 0, .slot = SLOTS_0 + 1},
    [4] = {.worker = 1, .node = 0, .slot = SLOTS_0 + 1},
    [5 ... 8] = {.worker = TVS_LIP_NOBODY},
    [9] = {.worker = 0, .node = 1, .slot = SLOTS_1},
    [10] = {.worker = 1, .node = 1, .slot = SLOTS_1},
    [11 ... 15] = {.worker = TVS_LIP_NOBODY},
};

enum { POOL_WEB, POOL_DNS, POOL_KEPT, N_POOLS };
enum { SERVICE_WEB, SERVICE_DNS, SERVICE_KEPT_TCP, SERVICE_KEPT_UDP, N_SERVICES };

#define VIP_A IP(203, 0, 113, 10)
#define VIP_B IP(203, 0, 113, 11)

/* Placed by tvs_vip_hash(); the unit tests look every row up. */
static const struct tvs_vip_entry vip_table[16] = {
    [0 ... 1] = {.service = TVS_VIP_EMPTY},
    [2] = {.vip = VIP_A, .service = TVS_VIP_ADDRESS},
    [3] = {VIP_A, 80, TVS_TCP, 0, SERVICE_WEB, POOL_WEB},
    [4] = {.service = TVS_VIP_EMPTY},
    [5] = {VIP_B, 443, TVS_TCP, 1, SERVICE_KEPT_TCP, POOL_KEPT},
    [6] = {.service = TVS_VIP_EMPTY},
    [7] = {.vip = VIP_B, .service = TVS_VIP_ADDRESS},
    [8 ... 11] = {.service = TVS_VIP_EMPTY},
    [12] = {VIP_B, 514, TVS_UDP, 3, SERVICE_KEPT_UDP, POOL_KEPT},
    [13] = {VIP_A, 53, TVS_UDP, 2, SERVICE_DNS, POOL_DNS},
    [14 ... 15] = {.service = TVS_VIP_EMPTY},
};

/* Each of the two `kept` services has the pool of the other VIP for when its own is empty. */
static const uint16_t sorry[N_SERVICES] = {
    [SERVICE_WEB] = TVS_NO_POOL,
    [SERVICE_DNS] = TVS_NO_POOL,
    [SERVICE_KEPT_TCP] = POOL_WEB,
    [SERVICE_KEPT_UDP] = POOL_DNS,
};

/*
 * 198.18.0.1 and all that is outside of 198.18.0.0/30 may not use web; of dns, 0.0.0.0/1 and
 * 255.255.255.254/31 are kept out, so that both ends of the addresses are edges.
 */
static const uint32_t web_edges[] = {0, IP(198, 18, 0, 0), IP(198, 18, 0, 1), IP(198, 18, 0, 2),
                                     IP(198, 18, 0, 4)};
static const uint32_t web_index[] = {0, 1, 1, 1, 5};
static const struct tvs_access web_access = {30, web_index, web_edges};
static const uint32_t dns_edges[] = {0, IP(128, 0, 0, 0), IP(255, 255, 255, 254)};
static const uint32_t dns_index[] = {0, 1, 3};
static const struct tvs_access dns_access = {31, dns_index, dns_edges};

/* A session in two ticks and three at once; one in 2.5 ticks and two at once. */
#define TICKS(n) ((uint64_t)((n) * (UINT64_C(1) << 32)))
static const struct tvs_limit limits[N_SERVICES] = {
    [SERVICE_WEB] = {SERVICE_WEB, 6, 0, 0, &web_access},
    [SERVICE_DNS] = {SERVICE_DNS, 0, TICKS(2), TICKS(4), &dns_access},
    [SERVICE_KEPT_TCP] = {SERVICE_KEPT_TCP, 5, TICKS(2.5), TICKS(2.5), NULL},
    [SERVICE_KEPT_UDP] = {SERVICE_KEPT_TCP, 5, TICKS(2.5), TICKS(2.5), NULL},
};

static const struct tvs_site site = {
    .steering = FIXTURE_STEERING,
    .n_workers = N_WORKERS,
    .reta_mask = RETA_SIZE - 1,
    .reta = reta,
    .lip_base = IP(172, 16, 0, 0),
    .lip_count = ROWS(lip_table),
    .lips = lip_table,
    .flow_key = {UINT64_C(0x0011223344556677), UINT64_C(0x8899aabbccddeeff)},
    .vip_mask = ROWS(vip_table) - 1,
    .vip_probes = 2,
    .vips = vip_table,
    .sorry = sorry,
    .limits = FIXTURE_HAS_LIMITS ? limits : NULL,
};

#define TCP_TIMEOUTS                                                                               \
    {                                                                                              \
        [TVS_S_SYN] = 50, [TVS_S_SYN_ACK] = 60, [TVS_S_ESTABLISHED] = 3000,                        \
        [TVS_S_FIN_CLIENT] = 300, [TVS_S_FIN_SERVER] = 310, [TVS_S_CLOSED] = 20,                   \
        [TVS_S_RESET] = 10,                                                                        \
    }
#define UDP_TIMEOUTS                                                                               \
    {                                                                                              \
        [TVS_S_UDP] = 100,                                                                         \
    }

static const struct tvs_class class_0 = {.proto = TVS_TCP,
                                         .scheduler = SCHEDULER(TVS_SCHED_WRR),
                                         .client_address = FIXTURE_CLIENT_ADDRESS,
                                         .on_down = TVS_ON_DOWN_RESET,
                                         .is_synced = HAS_SYNC,
                                         .has_limits = FIXTURE_HAS_LIMITS,
                                         .timeout_ticks = TCP_TIMEOUTS};
static const struct tvs_class class_1 = {.proto = TVS_TCP,
                                         .scheduler = SCHEDULER(TVS_SCHED_RR),
                                         .client_address = FIXTURE_CLIENT_ADDRESS,
                                         .on_down = TVS_ON_DOWN_KEEP,
                                         .is_synced = HAS_SYNC,
                                         .has_sorry = true,
                                         .sorry_schedule = SCHEDULER(TVS_SCHED_WRR),
                                         .has_limits = FIXTURE_HAS_LIMITS,
                                         .timeout_ticks = TCP_TIMEOUTS};
static const struct tvs_class class_2 = {.proto = TVS_UDP,
                                         .scheduler = SCHEDULER(TVS_SCHED_WRR),
                                         .on_down = TVS_ON_DOWN_RESET,
                                         .is_synced = HAS_SYNC,
                                         .has_limits = FIXTURE_HAS_LIMITS,
                                         .timeout_ticks = UDP_TIMEOUTS};
static const struct tvs_class class_3 = {.proto = TVS_UDP,
                                         .scheduler = SCHEDULER(TVS_SCHED_RR),
                                         .on_down = TVS_ON_DOWN_KEEP,
                                         .is_synced = HAS_SYNC,
                                         .has_sorry = true,
                                         .sorry_schedule = SCHEDULER(TVS_SCHED_WRR),
                                         .has_limits = FIXTURE_HAS_LIMITS,
                                         .timeout_ticks = UDP_TIMEOUTS};

TVS_INLINE enum tvs_request_result request(uint8_t class_id, struct tvs_worker *worker,
                                           struct tvs_frame *frame, const struct tvs_packet *packet,
                                           struct tvs_record *record)
{
    switch (class_id) {
    case 0:
        return tvs_class_request(&class_0, worker, frame, packet, record);
    case 1:
        return tvs_class_request(&class_1, worker, frame, packet, record);
    case 2:
        return tvs_class_request(&class_2, worker, frame, packet, record);
    case 3:
        return tvs_class_request(&class_3, worker, frame, packet, record);
    default:
        tvs_drop(worker, frame, TVS_DROP_service_removed);
        return TVS_REQUEST_DONE;
    }
}

TVS_INLINE void reply(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                      const struct tvs_packet *packet, struct tvs_record *record)
{
    switch (class_id) {
    case 0:
        tvs_class_reply(&class_0, worker, frame, packet, record);
        break;
    case 1:
        tvs_class_reply(&class_1, worker, frame, packet, record);
        break;
    case 2:
        tvs_class_reply(&class_2, worker, frame, packet, record);
        break;
    case 3:
        tvs_class_reply(&class_3, worker, frame, packet, record);
        break;
    default:
        tvs_drop(worker, frame, TVS_DROP_service_removed);
    }
}

TVS_INLINE void open(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                     const struct tvs_packet *packet, const struct tvs_vip_entry *vip)
{
    switch (class_id) {
    case 0:
        tvs_class_open(&class_0, &site, worker, frame, packet, vip);
        break;
    case 1:
        tvs_class_open(&class_1, &site, worker, frame, packet, vip);
        break;
    case 2:
        tvs_class_open(&class_2, &site, worker, frame, packet, vip);
        break;
    case 3:
        tvs_class_open(&class_3, &site, worker, frame, packet, vip);
        break;
    default:
        tvs_drop(worker, frame, TVS_DROP_service_removed);
    }
}

static void burst(struct tvs_worker *worker, struct tvs_frame *frames, unsigned n)
{
    static const struct tvs_dispatch dispatch = {.request = request, .reply = reply, .open = open};

    tvs_path_burst(&site, &dispatch, worker, frames, n);
}

static const struct tvs_gen_port ports[] = {
    {.name = "front",
     .device = "net_null0",
     .is_vdev = true,
     .socket = -1,
     .mtu = 1500,
     .vlan = FIXTURE_VLAN,
     .address = IP(192, 0, 2, 11 + FIXTURE_NODE),
     .prefix_len = 24,
     .gateway = IP(192, 0, 2, 1)},
    {.name = "back",
     .device = "net_null1",
     .is_vdev = true,
     .socket = -1,
     .mtu = 1500,
     .address = IP(10, 20, 0, 11 + FIXTURE_NODE),
     .prefix_len = 16,
     .has_gateway_mac = true,
     .gateway_mac = {0x02, 0, 0, 0, 0x0b, 0x01},
     .gateway = IP(10, 20, 0, 1)},
};

static const struct tvs_gen_lip lips_of_node[2][4] = {
    {
        {IP(172, 16, 0, 1), 0, 0},
        {IP(172, 16, 0, 2), 1, 0},
        {IP(172, 16, 0, 3), 0, 1},
        {IP(172, 16, 0, 4), 1, 1},
    },
    {
        {IP(172, 16, 0, 9), 0, 0},
        {IP(172, 16, 0, 10), 1, 0},
    },
};

/* Two paths, a port each; 54321 and 54322 stand for ports that RSS brings to worker 0 and 1. */
static const uint16_t source_ports[N_WORKERS] = {54321, 54322};
static const struct tvs_gen_sync_path paths[] = {
    {IP(192, 0, 2, 11 + FIXTURE_NODE), IP(192, 0, 2, 12 - FIXTURE_NODE), source_ports},
    {IP(10, 20, 0, 11 + FIXTURE_NODE), IP(10, 20, 0, 12 - FIXTURE_NODE), source_ports},
};
static const struct tvs_gen_peer peers[] = {
    {.name = "the other", .node = 1 - FIXTURE_NODE, .n_paths = ROWS(paths), .paths = paths},
};

#define RULE(last, to)                                                                             \
    {                                                                                              \
        .address = IP(172, 16, 0, last), .mask = UINT32_MAX, .worker = to                          \
    }
static const struct tvs_gen_rule rules[] = {
    RULE(1, 0), RULE(2, 1), RULE(3, 0), RULE(4, 1), RULE(9, 0), RULE(10, 1),
};

static const struct tvs_gen_backend web[] = {
    {.address = IP(10, 20, 1, 1), .port = 8080, .weight = 3},
    {.address = IP(10, 20, 1, 2), .port = 8080, .weight = 2},
    {.address = IP(10, 20, 1, 3), .port = 8080, .weight = 1},
};
static const struct tvs_gen_backend dns[] = {
    {.address = IP(10, 20, 2, 1), .port = 53, .weight = 1},
    {.address = IP(10, 20, 2, 2), .port = 5353, .weight = 1},
};
static const struct tvs_gen_backend kept[] = {
    {.address = IP(198, 51, 100, 1), .port = 443, .weight = 5},
    {.address = IP(198, 51, 100, 2), .port = 443, .weight = 1},
};

static const struct tvs_gen_pool pools[N_POOLS] = {
    [POOL_WEB] = {.name = "web",
                  .scheduler = SCHEDULER(TVS_SCHED_WRR),
                  .on_down = TVS_ON_DOWN_RESET,
                  .table_size = TABLE_SIZE,
                  .n_backends = ROWS(web),
                  .backends = web},
    [POOL_DNS] = {.name = "dns",
                  .scheduler = SCHEDULER(TVS_SCHED_WRR),
                  .on_down = TVS_ON_DOWN_RESET,
                  .table_size = TABLE_SIZE,
                  .n_backends = ROWS(dns),
                  .backends = dns},
    [POOL_KEPT] = {.name = "kept",
                   .scheduler = SCHEDULER(TVS_SCHED_RR),
                   .on_down = TVS_ON_DOWN_KEEP,
                   .table_size = TABLE_SIZE,
                   .n_backends = ROWS(kept),
                   .backends = kept},
};

static const struct tvs_gen_service services[N_SERVICES] = {
    [SERVICE_WEB] = {"web", VIP_A, 80, TVS_TCP, 0, POOL_WEB, 0},
    [SERVICE_DNS] = {"dns", VIP_A, 53, TVS_UDP, 2, POOL_DNS, 0},
    [SERVICE_KEPT_TCP] = {"kept", VIP_B, 443, TVS_TCP, 1, POOL_KEPT, 0},
    [SERVICE_KEPT_UDP] = {"kept", VIP_B, 514, TVS_UDP, 3, POOL_KEPT, 0},
};

static const struct tvs_gen_route routes[] = {
    {VIP_A, 32, TVS_ROUTE_VIP},
    {VIP_B, 32, TVS_ROUTE_VIP},
    {IP(172, 16, 0, 0), 28, TVS_ROUTE_LIP_SHORT},
};

static const int16_t cores[N_WORKERS] = {-1, -1};

__attribute__((visibility("default"))) const struct tvs_generation FIXTURE_NAME = {
    .abi_version = TVS_ABI_VERSION,
    .node_index = FIXTURE_NODE,
    .record_schema = TVS_RECORD_SCHEMA,
    .sync_contract = 1,
    .id = "fixture",
    .compiler = "by hand",
    .site = "fixture",
    .cluster = "F",
    .node = "tvs-f1",
    .idle = TVS_IDLE_BUSY,
    .watchdog_ms = 1000,
    .cores = {.shared = true, .control = -1, .n_workers = N_WORKERS, .workers = cores},
    .memory = {.sessions_per_worker = SESSIONS,
               .buckets_per_worker = BUCKETS,
               .slots_per_worker = N_SLOTS,
               .port_first = 10000,
               .port_last = PORT_LAST,
               .mbufs = 1023,
               .hugepage_mb = 64,
               .rx_ring = 64,
               .tx_ring = 64},
    .steering = {.mode = FIXTURE_STEERING,
                 .key_bytes = sizeof(rss_key),
                 .reta_size = RETA_SIZE,
                 .key = rss_key,
                 .reta = reta,
                 .n_rules = FIXTURE_STEERING == TVS_STEER_FDIR ? ROWS(rules) : 0,
                 .rules = rules},
    .sync = {.port = HAS_SYNC ? 7000 : 0,
             .key = HAS_SYNC ? "sync.key" : NULL,
             .n_peers = HAS_SYNC ? ROWS(peers) : 0,
             .peers = peers},
    .n_ports = ROWS(ports),
    .n_lips = FIXTURE_NODE == 0 ? 4 : 2,
    .n_routes = ROWS(routes),
    .n_pools = ROWS(pools),
    .n_services = ROWS(services),
    .n_classes = N_CLASSES,
    .ports = ports,
    .lips = lips_of_node[FIXTURE_NODE],
    .routes = routes,
    .pools = pools,
    .services = services,
    .path_site = &site,
    .burst = burst,
};
