/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node small enough to predict: four workers, two local IPs each, flow rules of three shapes.
 * What the tests vary comes as macros: DEVICE, FAMILY, MODE, IDLE, ... With N_PEERS 1 there is one
 * more node, 192.0.2.12, which owns LIP_BASE + 16 to + 19, all of worker 2. With HAS_SORRY `apology`
 * serves for `web` while that has no server.
 * tests/host/node.py says the same in Python.
 */
#include "tvs/generation.h"
#include "core/path.h"

enum { N_WORKERS = 4, N_LIPS = 8, N_RETA = 128, WHOLE = 0xffffffff };

#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define VIP              IPV4(203, 0, 113, 10)
#define LIP_BASE         IPV4(172, 16, 0, 0)

static const uint8_t rss_key[40] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};
static uint16_t reta[N_RETA]; /* i % 4 in the first half, 3 - i % 4 in the second */

static const struct tvs_gen_rule rules[] = {
    {LIP_BASE + 0, WHOLE, 0, 0, false},       {LIP_BASE + 1, WHOLE, 0, 0, false},
    {LIP_BASE + 2, WHOLE, 1, 0, false},       {LIP_BASE + 3, WHOLE, 1, 0, false},
    {LIP_BASE + 4, WHOLE, 2, 0, false},       {LIP_BASE + 5, WHOLE, 2, 0, false},
    {LIP_BASE + 6, WHOLE, 3, 0, false},       {LIP_BASE + 7, WHOLE, 3, 0, false},
    {LIP_BASE + 16, 0xfffffffc, 2, 0, false}, {LIP_BASE + 32, WHOLE, 3, TVS_TCP, false},
};

static const struct tvs_gen_lip own_lips[N_LIPS] = {
    {LIP_BASE + 0, 0, 0}, {LIP_BASE + 1, 0, 1}, {LIP_BASE + 2, 1, 0}, {LIP_BASE + 3, 1, 1},
    {LIP_BASE + 4, 2, 0}, {LIP_BASE + 5, 2, 1}, {LIP_BASE + 6, 3, 0}, {LIP_BASE + 7, 3, 1},
};
static struct tvs_lip_entry lips[64];
static struct tvs_vip_entry vips[8];
static const uint16_t sorry[] = {1, TVS_NO_POOL};

/*
 * LIMIT, of the TCP service on each worker: 'c', three sessions; 'd', 192.0.2.1 is kept out; 's', two
 * sessions of a source at once, and one more in a minute.
 */
enum { HAS_LIMIT = LIMIT != 0 };
#define MINUTE (UINT64_C(600) << 32)
static const uint32_t kept_out[] = {IPV4(192, 0, 2, 1), IPV4(192, 0, 2, 2)};
static const uint32_t kept_out_index[] = {0, 0, 2};
static const struct tvs_access access_table = {31, kept_out_index, kept_out};
static const struct tvs_limit limits[2] = {
    {
        .connections = LIMIT == 'c' ? 3 : 0,
        .interval = LIMIT == 's' ? MINUTE : 0,
        .most_debt = LIMIT == 's' ? MINUTE : 0,
        .access = LIMIT == 'd' ? &access_table : NULL,
    },
    {.group = 1},
};

static const struct tvs_site site = {
    .steering = MODE,
    .n_workers = N_WORKERS,
    .reta_mask = N_RETA - 1,
    .reta = reta,
    .lip_base = LIP_BASE,
    .lip_count = 64,
    .lips = lips,
    .flow_key = {UINT64_C(0x0011223344556677), UINT64_C(0x8899aabbccddeeff)},
    .vip_mask = 7,
    .vip_probes = 8,
    .vips = vips,
    .sorry = HAS_SORRY ? sorry : NULL,
    .limits = HAS_LIMIT ? limits : NULL,
};
static const struct tvs_class tcp_class = {
    .proto = TVS_TCP,
    .scheduler = SCHEDULER,
    .client_address = CLIENT_ADDRESS,
    .on_down = TVS_ON_DOWN_KEEP, /* nobody checks the servers */
    .is_synced = N_PEERS > 0,
    .has_sorry = HAS_SORRY,
    .has_limits = HAS_LIMIT,
    .timeout_ticks = {0, 50, 50, 600, 50, 50, 20, 10, 0},
};
static const struct tvs_class udp_class = {
    .proto = TVS_UDP,
    .scheduler = SCHEDULER,
    .is_synced = N_PEERS > 0,
    .timeout_ticks = {[TVS_S_UDP] = 100},
};

static void vip_add(uint16_t port, uint8_t proto, uint8_t class_id, uint16_t service)
{
    uint32_t at = tvs_vip_hash(VIP, port, proto) & 7;

    while (vips[at].service != TVS_VIP_EMPTY)
        at = (at + 1) & 7;
    vips[at] = (struct tvs_vip_entry){VIP, port, proto, class_id, service, 0};
}

__attribute__((constructor)) static void fill(void)
{
    for (unsigned i = 0; i < N_RETA; i++)
        reta[i] = i < N_RETA / 2 ? i % 4 : 3 - i % 4;
    for (unsigned i = 0; i < 64; i++)
        lips[i] = (struct tvs_lip_entry){TVS_LIP_NOBODY, 0, TVS_LIP_NO_SLOT};
    for (unsigned i = 0; i < N_LIPS; i++)
        lips[i] = (struct tvs_lip_entry){(uint8_t)(i / 2), 0, (uint16_t)(i % 2)};
    for (unsigned i = 16; i < 20; i++)
        lips[i] = (struct tvs_lip_entry){2, 1, (uint16_t)(N_PEERS > 0 ? i - 14 : TVS_LIP_NO_SLOT)};
    for (unsigned i = 0; i < 8; i++)
        vips[i].service = TVS_VIP_EMPTY;
    vip_add(0, 0, 0, TVS_VIP_ADDRESS);
    vip_add(80, TVS_TCP, 0, 0);
    vip_add(53, TVS_UDP, 1, 1);
}

TVS_INLINE enum tvs_request_result node_request(uint8_t class_id, struct tvs_worker *worker,
                                                struct tvs_frame *frame,
                                                const struct tvs_packet *packet,
                                                struct tvs_record *record)
{
    return class_id == 0 ? tvs_class_request(&tcp_class, worker, frame, packet, record)
                         : tvs_class_request(&udp_class, worker, frame, packet, record);
}

TVS_INLINE void node_reply(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                           const struct tvs_packet *packet, struct tvs_record *record)
{
    if (class_id == 0)
        tvs_class_reply(&tcp_class, worker, frame, packet, record);
    else
        tvs_class_reply(&udp_class, worker, frame, packet, record);
}

TVS_INLINE void node_open(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                          const struct tvs_packet *packet, const struct tvs_vip_entry *vip)
{
    if (class_id == 0)
        tvs_class_open(&tcp_class, &site, worker, frame, packet, vip);
    else
        tvs_class_open(&udp_class, &site, worker, frame, packet, vip);
}

/* A frame of type 0xdead stops the worker that gets it, as a bug of the path would. */
static void stop_on_demand(const struct tvs_frame *frames, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        while (frames[i].len >= 14 && frames[i].data[12] == 0xde && frames[i].data[13] == 0xad)
            __asm__ volatile("pause" ::: "memory");
}

static void burst(struct tvs_worker *worker, struct tvs_frame *frames, unsigned n)
{
    static const struct tvs_dispatch dispatch = {
        .request = node_request,
        .reply = node_reply,
        .open = node_open,
    };

    stop_on_demand(frames, n);
    tvs_path_burst(&site, &dispatch, worker, frames, n);
}

static const struct tvs_gen_port ports[] = {{
    .name = "fwd",
    .device = DEVICE,
    .is_vdev = IS_VDEV,
    .family = FAMILY,
    .socket = -1,
    .mtu = 1500,
    .vlan = VLAN,
    .address = IPV4(192, 0, 2, 11),
    .prefix_len = 24,
    .gateway = IPV4(192, 0, 2, 1),
}};
static const uint16_t source_ports[N_WORKERS] = {50000, 50001, 50002, 50003};
static const struct tvs_gen_sync_path paths[] = {
    {IPV4(192, 0, 2, 11), IPV4(192, 0, 2, 12), source_ports},
};
static const struct tvs_gen_peer peers[] = {{"other", 1, 1, paths}};
static const int16_t far_cores[N_WORKERS] = {1000, 1001, 1002, 1003}; /* when not shared */
static const struct tvs_gen_route vip_routes[] = {{VIP, 32, TVS_ROUTE_VIP}};
static const struct tvs_gen_route routes[] = {
    {LIP_BASE, 29, TVS_ROUTE_LIP_LONG},
    {LIP_BASE, 26, TVS_ROUTE_LIP_SHORT},
};
static const struct tvs_gen_backend backends[] = {
    {IPV4(10, 20, 0, 1), 8080, false, 1},
    {IPV4(10, 20, 0, 2), 8080, false, 2},
};
static const struct tvs_gen_backend apology[] = {{IPV4(10, 20, 0, 9), 8080, false, 1}};

/* clang-format off */
#define FAST_CHECK                                                                                 \
    {                                                                                              \
        .kind = CHECK, .every_ms = 100, .timeout_ms = 80, .rise = 2, .fall = 2,                    \
        .expect = {.n = 3, .range = {{200, 299}, {301, 301}, {304, 304}}}, .path = "/healthz",     \
    }
/* clang-format on */
static const struct tvs_gen_pool pools[] = {
    {.name = "web",
     .scheduler = SCHEDULER,
     .on_down = TVS_ON_DOWN_RESET,
     .table_size = TABLE_SIZE,
     .n_backends = 2,
     .backends = backends,
     .check = FAST_CHECK},
    {.name = "apology",
     .on_down = TVS_ON_DOWN_RESET,
     .n_backends = 1,
     .backends = apology,
     .check = FAST_CHECK},
};
static const struct tvs_gen_service services[] = {
    {"web", VIP, 80, TVS_TCP, 0, 0, MIN_UP},
    {"dns", VIP, 53, TVS_UDP, 1, 0, 0},
};

__attribute__((visibility("default"))) const struct tvs_generation tvs_generation = {
    .abi_version = ABI,
    .record_schema = TVS_RECORD_SCHEMA,
    .sync_contract = 7,
    .id = ID,
    .compiler = "by hand",
    .site = "host-test",
    .cluster = "A",
    .node = "node",
    .idle = IDLE,
    .is_last_resort = IS_LAST_RESORT,
    .watchdog_ms = WATCHDOG_MS,
    .cores = {.shared = SHARED, .n_workers = N_WORKERS, .workers = far_cores},
    .memory =
        {
            .sessions_per_worker = 10000,
            .buckets_per_worker = 4096,
            .slots_per_worker = N_PEERS > 0 ? 6 : 2,
            .port_first = 1024,
            .port_last = 65535,
            .mbufs = 8191,
            .hugepage_mb = HUGEPAGE_MB,
            .hugepages = HUGEPAGE_MB > 0,
            .rx_ring = 256,
            .tx_ring = 256,
        },
    .steering =
        {
            .mode = MODE,
            .key_bytes = sizeof(rss_key),
            .reta_size = N_RETA,
            .key = rss_key,
            .reta = reta,
            .n_rules = sizeof(rules) / sizeof(rules[0]),
            .rules = rules,
        },
    .sync =
        {
            .port = N_PEERS > 0 ? 7000 : 0,
            .key_is_env = KEY_IS_ENV,
            .key = KEY,
            .n_peers = N_PEERS,
            .peers = peers,
        },
    .n_ports = 1,
    .n_lips = N_LIPS,
    .n_vip_routes = 1,
    .n_routes = 2,
    .n_pools = HAS_SORRY ? 2 : 1,
    .n_services = 2,
    .n_classes = 2,
    .ports = ports,
    .lips = own_lips,
    .vip_routes = vip_routes,
    .routes = routes,
    .pools = pools,
    .services = services,
    .path_site = &site,
    .burst = burst,
};
