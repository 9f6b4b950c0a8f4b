/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The site that the bench runs when it is given none: one worker with 72 local IPs, room for four
 * million sessions; one class for TCP and one for UDP; 64 servers. Built as generated code is; with
 * OPAQUE=1, where site and classes reach the same path through pointers of which the compiler knows
 * nothing, so that every decision is taken at run time; with SYNCED=1, where peers are told of
 * sessions; and with each SCHEDULER that does not go in turns.
 */
#include "tvs/generation.h"
#include "core/path.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define ROWS(table)    (sizeof(table) / sizeof((table)[0]))
#define EIGHT(row, n)                                                                              \
    row(n), row((n) + 1), row((n) + 2), row((n) + 3), row((n) + 4), row((n) + 5), row((n) + 6),    \
        row((n) + 7)
#define SEVENTY_TWO(row)                                                                           \
    EIGHT(row, 0), EIGHT(row, 8), EIGHT(row, 16), EIGHT(row, 24), EIGHT(row, 32), EIGHT(row, 40),  \
        EIGHT(row, 48), EIGHT(row, 56), EIGHT(row, 64)
#define SIXTY_FOUR(row)                                                                            \
    EIGHT(row, 0), EIGHT(row, 8), EIGHT(row, 16), EIGHT(row, 24), EIGHT(row, 32), EIGHT(row, 40),  \
        EIGHT(row, 48), EIGHT(row, 56)

#define LIP_BASE IP(172, 16, 0, 0)
#define VIP      IP(203, 0, 113, 10)

/* Two workers, so that the check of a local IP's owner is compiled in; the first one runs. */
enum { N_WORKERS = 2, N_CLASSES = 2, RETA_SIZE = 128 };

#define LIP_ROW(n)                                                                                 \
    {                                                                                              \
        .worker = 0, .node = 0, .slot = (n)                                                        \
    }
static const struct tvs_lip_entry lip_table[] = {
    SEVENTY_TWO(LIP_ROW),
    {.worker = 1, .node = 0, .slot = 0},
};

/* Full, so that a probe from any row finds every other. */
static const struct tvs_vip_entry vip_table[4] = {
    {VIP, 80, TVS_TCP, 0, 0, 0},
    {VIP, 53, TVS_UDP, 1, 1, 0},
    {VIP, 0, 0, 0, TVS_VIP_ADDRESS, 0},
    {VIP + 1, 0, 0, 0, TVS_VIP_ADDRESS, 0},
};

static const uint8_t rss_key[40] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};
static const uint16_t reta[RETA_SIZE];

static const struct tvs_site site = {
    .steering = TVS_STEER_FDIR,
    .n_workers = N_WORKERS,
    .reta_mask = RETA_SIZE - 1,
    .reta = reta,
    .lip_base = LIP_BASE,
    .lip_count = ROWS(lip_table),
    .lips = lip_table,
    .flow_key = {UINT64_C(0x0011223344556677), UINT64_C(0x8899aabbccddeeff)},
    .vip_mask = ROWS(vip_table) - 1,
    .vip_probes = ROWS(vip_table),
    .vips = vip_table,
};

static const struct tvs_class classes[N_CLASSES] = {
    {.proto = TVS_TCP,
     .is_synced = SYNCED,
     .scheduler = SCHEDULER,
     .on_down = TVS_ON_DOWN_RESET,
     .timeout_ticks = {[TVS_S_SYN] = 600,
                       [TVS_S_SYN_ACK] = 600,
                       [TVS_S_ESTABLISHED] = 9000,
                       [TVS_S_FIN_CLIENT] = 1200,
                       [TVS_S_FIN_SERVER] = 1200,
                       [TVS_S_CLOSED] = 100,
                       [TVS_S_RESET] = 100}},
    {.proto = TVS_UDP,
     .is_synced = SYNCED,
     .scheduler = SCHEDULER,
     .on_down = TVS_ON_DOWN_RESET,
     .timeout_ticks = {[TVS_S_UDP] = 3000}},
};

/* The pointer, or the same pointer as something that could point anywhere. */
TVS_INLINE const void *seen(const void *constant)
{
    if (OPAQUE)
        __asm__ volatile("" : "+r"(constant));
    return constant;
}

TVS_INLINE enum tvs_request_result request(uint8_t class_id, struct tvs_worker *worker,
                                           struct tvs_frame *frame, const struct tvs_packet *packet,
                                           struct tvs_record *record)
{
    if (OPAQUE && class_id < N_CLASSES)
        return tvs_class_request(seen(&classes[class_id]), worker, frame, packet, record);
    switch (class_id) {
    case 0:
        return tvs_class_request(&classes[0], worker, frame, packet, record);
    case 1:
        return tvs_class_request(&classes[1], worker, frame, packet, record);
    default:
        tvs_drop(worker, frame, TVS_DROP_service_removed);
        return TVS_REQUEST_DONE;
    }
}

TVS_INLINE void reply(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                      const struct tvs_packet *packet, struct tvs_record *record)
{
    if (OPAQUE && class_id < N_CLASSES) {
        tvs_class_reply(seen(&classes[class_id]), worker, frame, packet, record);
        return;
    }
    switch (class_id) {
    case 0:
        tvs_class_reply(&classes[0], worker, frame, packet, record);
        break;
    case 1:
        tvs_class_reply(&classes[1], worker, frame, packet, record);
        break;
    default:
        tvs_drop(worker, frame, TVS_DROP_service_removed);
    }
}

TVS_INLINE void open(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                     const struct tvs_packet *packet, const struct tvs_vip_entry *vip)
{
    if (OPAQUE && class_id < N_CLASSES) {
        tvs_class_open(seen(&classes[class_id]), seen(&site), worker, frame, packet, vip);
        return;
    }
    switch (class_id) {
    case 0:
        tvs_class_open(&classes[0], &site, worker, frame, packet, vip);
        break;
    case 1:
        tvs_class_open(&classes[1], &site, worker, frame, packet, vip);
        break;
    default:
        tvs_drop(worker, frame, TVS_DROP_vip_no_listener);
    }
}

static void bench_burst(struct tvs_worker *worker, struct tvs_frame *frames, unsigned n)
{
    static const struct tvs_dispatch dispatch = {.request = request, .reply = reply, .open = open};

    tvs_path_burst(seen(&site), &dispatch, worker, frames, n);
}

static const struct tvs_gen_port ports[] = {
    {.name = "bench",
     .device = "none",
     .is_vdev = true,
     .socket = -1,
     .mtu = 1500,
     .address = IP(192, 0, 2, 11),
     .prefix_len = 24,
     .gateway = IP(192, 0, 2, 1)},
};

#define GEN_LIP_ROW(n)                                                                             \
    {                                                                                              \
        LIP_BASE + (n), 0, (n)                                                                     \
    }
static const struct tvs_gen_lip lips[] = {
    SEVENTY_TWO(GEN_LIP_ROW),
    {LIP_BASE + 72, 1, 0},
};

#define BACKEND_ROW(n)                                                                             \
    {                                                                                              \
        .address = IP(10, 20, 1, 1) + (n), .port = 8080, .weight = 1 + (n) % 3                     \
    }
static const struct tvs_gen_backend backends[] = {SIXTY_FOUR(BACKEND_ROW)};

static const struct tvs_gen_pool pools[] = {
    {.name = "bench",
     .scheduler = SCHEDULER,
     .on_down = TVS_ON_DOWN_RESET,
     .table_size = 16381, /* as the compiler would give 64 servers that are scheduled by hash */
     .n_backends = ROWS(backends),
     .backends = backends},
};

static const struct tvs_gen_service services[] = {
    {"tcp", VIP, 80, TVS_TCP, 0, 0, 0},
    {"udp", VIP, 53, TVS_UDP, 1, 0, 0},
};

static const int16_t cores[N_WORKERS] = {-1, -1};

__attribute__((visibility("default"))) const struct tvs_generation tvs_generation = {
    .abi_version = TVS_ABI_VERSION,
    .record_schema = TVS_RECORD_SCHEMA,
    .sync_contract = 1,
    .id = OPAQUE ? "generic" : "bench",
    .compiler = "by hand",
    .site = "bench",
    .cluster = "bench",
    .node = "bench",
    .watchdog_ms = 1000,
    .cores = {.shared = true, .control = -1, .n_workers = N_WORKERS, .workers = cores},
    .memory = {.sessions_per_worker = 4096,
               .buckets_per_worker = 1024,
               .slots_per_worker = ROWS(lips) - 1,
               .port_first = 1024,
               .port_last = 65535,
               .mbufs = 1023,
               .hugepage_mb = 64,
               .rx_ring = 64,
               .tx_ring = 64},
    .steering = {.mode = TVS_STEER_FDIR,
                 .key_bytes = sizeof(rss_key),
                 .reta_size = RETA_SIZE,
                 .key = rss_key,
                 .reta = reta},
    .n_ports = ROWS(ports),
    .n_lips = ROWS(lips),
    .n_pools = ROWS(pools),
    .n_services = ROWS(services),
    .n_classes = N_CLASSES,
    .ports = ports,
    .lips = lips,
    .pools = pools,
    .services = services,
    .path_site = &site,
    .burst = bench_burst,
};
