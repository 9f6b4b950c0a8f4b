/* SPDX-License-Identifier: Apache-2.0 */
#include "sync_cluster.h"

#include "core/session.h"
#include "core/sip.h"

extern const struct tvs_generation fixture_sync_0, fixture_sync_1;

const uint64_t cluster_key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

uint64_t cluster_mac(const struct tvs_sync_header *header, unsigned bytes)
{
    struct tvs_mac_key key;

    tvs_mac_key_make(&key, cluster_key);
    bytes -= (unsigned)offsetof(struct tvs_sync_header, magic);
    return bytes > TVS_MAC_BYTES ? 0
                                 : tvs_mac(&key, &header->magic, bytes); /* it has no more key */
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* As the fixture has it, with all others as peers and few ports. */
static void side_make(struct cluster *cluster, unsigned index)
{
    struct side *side = &cluster->side[index];
    unsigned n_peers = 0;

    *side = (struct side){.cluster = cluster, .index = index, .sweep_ticks = 30};
    side->generation = index == 0 ? fixture_sync_0 : fixture_sync_1;
    side->tick_start = UINT32_MAX - 100 + 70 * index; /* they wrap, at different times */
    side->tsc_start = 1000 + random_below(&cluster->chance, 1000000);
    for (unsigned p = 0; p < 2; p++) {
        side->ports[p] = side->generation.ports[p];
        side->ports[p].address = fixture_sync_0.ports[p].address + index;
    }
    for (unsigned other = 0; other < cluster->n; other++) {
        if (other == index)
            continue;
        for (unsigned p = 0; p < 2; p++)
            side->paths[n_peers][p] = (struct tvs_gen_sync_path){
                .local = side->ports[p].address,
                .remote = fixture_sync_0.ports[p].address + other,
                .source_ports = side->generation.sync.peers[0].paths[p].source_ports,
            };
        side->peers[n_peers] = (struct tvs_gen_peer){
            .name = "other", .node = (uint16_t)other, .n_paths = 2, .paths = side->paths[n_peers]};
        n_peers++;
    }
    side->generation.node_index = index;
    side->generation.ports = side->ports;
    side->generation.sync.peers = side->peers;
    side->generation.sync.n_peers = n_peers;
    side->generation.memory.port_last = PORT_LAST;
}

void cluster_make(struct cluster *cluster, unsigned n, uint64_t seed)
{
    *cluster = (struct cluster){
        .n = n,
        .chance = seed,
    };
    for (unsigned i = 0; i < n; i++)
        side_make(cluster, i);
}

void cluster_free(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->n; i++)
        if (cluster->side[i].node != NULL)
            side_down(&cluster->side[i]);
    for (unsigned i = 0; i < cluster->n_flights; i++)
        free(cluster->flights[i].data);
    free(cluster->flights);
}

uint64_t side_now(const struct side *side)
{
    return side->tsc_start + side->cluster->now;
}

static uint32_t tick_now(const struct side *side)
{
    return side->tick_start + (uint32_t)(side->cluster->now / CYCLES_PER_MS / TVS_TICK_MS);
}

void side_up(struct side *side)
{
    uint64_t *chance = &side->cluster->chance;
    const struct tvs_node_config config = {.seed = random_next(chance), .exact_frames = true};
    struct tvs_sync_config sync = {
        .generation = &side->generation,
        .key = {cluster_key[0], cluster_key[1]},
        .epoch = random_next(chance) | 1,
        .cycles_per_ms = CYCLES_PER_MS,
    };
    size_t bytes = tvs_sync_bytes(side->generation.sync.n_peers);
    char error[256] = "";

    side->node = tvs_node_make(&side->generation, &config, error, sizeof(error));
    assert_string_equal(error, "");
    tvs_node_set_tick(side->node, tick_now(side));
    for (uint16_t w = 0; w < WORKERS; w++) {
        void *memory = aligned_alloc(TVS_CACHE_LINE, bytes);

        assert_non_null(memory);
        memset(memory, 0, bytes);
        sync.worker = w;
        side->sync[w] = tvs_sync_init(memory, &sync, side->node->workers[w], side_now(side));
    }
}

void side_down(struct side *side)
{
    for (unsigned w = 0; w < WORKERS; w++)
        free(side->sync[w]);
    tvs_node_close(side->node);
    side->node = NULL;
}

bool side_is_ready(const struct side *side)
{
    return side->sync[0]->ready && side->sync[1]->ready;
}

uint64_t side_count(const struct side *side, size_t counter_offset)
{
    uint64_t sum = 0;

    for (unsigned w = 0; w < WORKERS; w++)
        sum += tvs_load64((const uint8_t *)&side->sync[w]->counters + counter_offset);
    return sum;
}

/* ---- the wire -------------------------------------------------------------------------------- */

static uint8_t *room(void *context)
{
    struct side *side = context;

    assert_null(side->room);
    if (random_below(&side->cluster->chance, 100) < side->cluster->no_room)
        return NULL;
    side->room = malloc(TVS_SYNC_ROOM);
    assert_non_null(side->room);
    memset(side->room, 0xa5, TVS_SYNC_ROOM);
    return side->room;
}

static void give_back(void *context)
{
    struct side *side = context;

    assert_non_null(side->room);
    free(side->room);
    side->room = NULL;
}

/* A frame of this worker to one of its peers, as RSS and the peer's kernel would have it. */
static void frame_check(const struct side *side, const uint8_t *data, unsigned bytes, uint8_t port)
{
    const struct tvs_ip4 *ip = (const struct tvs_ip4 *)(data + PACKET_IP);
    const struct tvs_udp *udp = (const struct tvs_udp *)(data + PACKET_L4);
    const struct tvs_sync_header *header = (const struct tvs_sync_header *)(data + SYNC_HEADER);
    unsigned w = side->turning, path = ip->saddr_be == htobe32(side->ports[0].address) ? 0 : 1;
    bool is_peer = false;

    assert_in_range(bytes, SYNC_HEADER + sizeof(*header), TVS_SYNC_ROOM);
    assert_memory_equal(data, side->node->nexthops[1 + port].l2, TVS_ETH_BYTES);
    assert_int_equal(port, path);
    assert_int_equal(ip->version_ihl, 0x45);
    assert_int_equal(be16toh(ip->total_len_be), bytes - PACKET_IP);
    assert_int_equal(tvs_csum_fold(tvs_csum_sum(ip, sizeof(*ip))), 0xffff);
    assert_int_equal(ip->fragment_be, htobe16(TVS_IP4_DONT_FRAGMENT));
    assert_int_equal(ip->proto, TVS_UDP);
    assert_int_equal(ip->saddr_be, htobe32(side->ports[path].address));
    for (unsigned i = 0; i < side->generation.sync.n_peers; i++)
        if (ip->daddr_be == htobe32(side->paths[i][path].remote))
            is_peer = header->to == TVS_SYNC_TO_ALL || header->to == side->peers[i].node;
    assert_true(is_peer);
    assert_int_equal(udp->sport_be, htobe16(side->paths[0][path].source_ports[w]));
    assert_int_equal(udp->dport_be, htobe16(SYNC_PORT));
    assert_int_equal(be16toh(udp->len_be), bytes - PACKET_L4);
    assert_int_equal(header->from, side->index);
    assert_int_equal(header->worker, w);
    assert_int_equal(header->to == TVS_SYNC_TO_ALL, header->kind == TVS_SYNC_UPDATE);
    assert_true(header->mac == cluster_mac(header, bytes - SYNC_HEADER));
}

static void flight_add(struct cluster *cluster, const uint8_t *data, unsigned bytes, unsigned from)
{
    struct flight *flight;

    if (cluster->n_flights == cluster->capacity) {
        cluster->capacity = cluster->capacity * 2 + 16;
        cluster->flights =
            realloc(cluster->flights, cluster->capacity * sizeof(cluster->flights[0]));
        assert_non_null(cluster->flights);
    }
    flight = &cluster->flights[cluster->n_flights++];
    *flight = (struct flight){.data = malloc(bytes), .bytes = bytes, .from = from};
    assert_non_null(flight->data);
    memcpy(flight->data, data, bytes);
    flight->at = cluster->now +
                 (uint64_t)random_below(&cluster->chance, cluster->delay_ms + 1) * CYCLES_PER_MS;
}

static void send_frame(void *context, uint16_t bytes, uint8_t port)
{
    struct side *side = context;
    struct cluster *cluster = side->cluster;

    assert_non_null(side->room);
    frame_check(side, side->room, bytes, port);
    cluster->kinds[((const struct tvs_sync_header *)(side->room + SYNC_HEADER))->kind]++;
    if (random_below(&cluster->chance, 100) >= cluster->loss)
        flight_add(cluster, side->room, bytes, side->index);
    if (random_below(&cluster->chance, 100) < cluster->twice)
        flight_add(cluster, side->room, bytes, side->index);
    give_back(side);
}

struct tvs_frame side_frame(struct side *side, const uint8_t *data, unsigned bytes, unsigned rx)
{
    uint8_t *copy = malloc(bytes);
    struct tvs_frame frame = {.data = copy, .len = (uint16_t)bytes};

    assert_non_null(copy);
    memcpy(copy, data, bytes);
    side->generation.burst(side->node->workers[rx], &frame, 1);
    if (frame.verdict == TVS_V_HANDOVER) {
        assert_int_not_equal(frame.arg, rx);
        assert_in_range(frame.arg, 0, WORKERS - 1);
        rx = frame.arg;
        frame.flags |= TVS_FRAME_HANDED;
        side->generation.burst(side->node->workers[rx], &frame, 1);
    }
    if (frame.verdict == TVS_V_SYNC)
        tvs_sync_receive(side->sync[rx], side->node->workers[rx], frame.data, frame.len,
                         side_now(side));
    free(copy);
    frame.data = NULL;
    return frame;
}

static void arrive(struct cluster *cluster, const struct flight *flight)
{
    const struct tvs_ip4 *ip = (const struct tvs_ip4 *)(flight->data + PACKET_IP);
    unsigned w = ((const struct tvs_sync_header *)(flight->data + SYNC_HEADER))->worker;

    if (random_below(&cluster->chance, 100) < cluster->wrong)
        w ^= 1;
    for (unsigned i = 0; i < cluster->n; i++) {
        struct side *side = &cluster->side[i];

        if (side->node == NULL || side->is_deaf)
            continue;
        for (unsigned p = 0; p < 2; p++)
            if (ip->daddr_be == htobe32(side->ports[p].address))
                assert_int_equal(side_frame(side, flight->data, flight->bytes, w).verdict,
                                 TVS_V_SYNC);
    }
}

static void wire_turn(struct cluster *cluster)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < cluster->n_flights; i++) {
        struct flight flight = cluster->flights[i];

        if (cluster->holds || flight.at > cluster->now) {
            cluster->flights[kept++] = flight;
            continue;
        }
        arrive(cluster, &flight);
        free(flight.data);
    }
    cluster->n_flights = kept;
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Where sessions can be; the rest of the records would only cost time. */
static void sweep(struct tvs_worker *worker)
{
    for (uint32_t slot = 0; slot < worker->n_slots; slot++) {
        worker->sweep_cursor = slot << 16 | worker->port_first;
        tvs_worker_sweep(worker, (uint32_t)worker->port_last - worker->port_first + 1);
    }
}

static void side_turn(struct side *side)
{
    const struct tvs_sync_io io = {
        .room = room, .send = send_frame, .give_back = give_back, .context = side};
    uint32_t tick = tick_now(side);

    for (unsigned w = 0; w < WORKERS; w++) {
        struct tvs_worker *worker = side->node->workers[w];

        if (tick != worker->now_tick && tick % side->sweep_ticks == w) {
            worker->now_tick = tick;
            sweep(worker);
        }
        worker->now_tick = tick;
        side->turning = w;
        for (unsigned turn = 0; turn < 32; turn++) { /* as many as fit a ms of a busy worker */
            if (!tvs_sync_has_work(side->sync[w], worker, side_now(side)))
                break;
            tvs_sync_turn(side->sync[w], worker, &io, side_now(side));
            assert_null(side->room);
        }
    }
    side->node->now_tick = tick;
}

void cluster_run(struct cluster *cluster, unsigned ms)
{
    for (; ms > 0; ms--) {
        cluster->now += CYCLES_PER_MS;
        wire_turn(cluster);
        for (unsigned i = 0; i < cluster->n; i++)
            if (cluster->side[i].node != NULL)
                side_turn(&cluster->side[i]);
    }
}

void cluster_start(struct cluster *cluster, unsigned n, uint64_t seed)
{
    cluster_make(cluster, n, seed);
    for (unsigned i = 0; i < n; i++)
        side_up(&cluster->side[i]);
    cluster_run(cluster, 1000);
    for (unsigned i = 0; i < n; i++)
        assert_true(side_is_ready(&cluster->side[i]));
}

/* ---- packets --------------------------------------------------------------------------------- */

struct tvs_node_packet side_packet(struct side *side, const struct packet *packet)
{
    struct tvs_node_packet one = {
        .data = packet->data, .len = packet->len, .rx_worker = TVS_NODE_STEER};

    assert_int_equal(tvs_node_run(side->node, &one, 1), 0);
    return one;
}

/* Addresses, ports, payload and TCP's or UDP's checksum. */
static struct packet flow_packet(uint8_t proto, uint32_t saddr, uint16_t sport, uint32_t daddr,
                                 uint16_t dport, uint8_t flags)
{
    struct packet packet = packet_make(proto, saddr, sport, daddr, dport, flags);
    uint8_t *l4 = packet.data + PACKET_L4;
    uint8_t pseudo[PACKET_MAX];
    uint16_t bytes = (uint16_t)(packet.len - PACKET_L4), bytes_be = htobe16(bytes), csum;

    memcpy(pseudo, packet.data + PACKET_IP + 12, 8);
    pseudo[8] = 0;
    pseudo[9] = proto;
    memcpy(pseudo + 10, &bytes_be, 2);
    memcpy(pseudo + 12, l4, bytes);
    csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(pseudo, 12U + bytes));
    memcpy(l4 + (proto == TVS_TCP ? 16 : 6), &csum, 2);
    return packet;
}

static bool forwards(struct side *side, struct packet packet, const struct packet *expected)
{
    struct tvs_node_packet result = side_packet(side, &packet);
    struct packet want = *expected;

    if (result.verdict != TVS_V_TX)
        return false;
    memcpy(want.data, side->node->nexthops[1 + result.arg].l2, TVS_ETH_BYTES);
    want.data[PACKET_IP + 8]--;
    packet_seal(&want, false);
    assert_int_equal(result.result_len, want.len);
    assert_memory_equal(result.result, want.data, want.len);
    return true;
}

bool flow_request(struct side *side, const struct flow *flow, uint8_t tcp_flags)
{
    struct packet out = flow_packet(flow->proto, flow->local, flow->local_port, flow->server,
                                    flow->server_port, tcp_flags);

    return forwards(
        side,
        flow_packet(flow->proto, flow->client, flow->port, flow->vip, flow->vip_port, tcp_flags),
        &out);
}

bool flow_reply(struct side *side, const struct flow *flow, uint8_t tcp_flags)
{
    struct packet out =
        flow_packet(flow->proto, flow->vip, flow->vip_port, flow->client, flow->port, tcp_flags);

    return forwards(side,
                    flow_packet(flow->proto, flow->server, flow->server_port, flow->local,
                                flow->local_port, tcp_flags),
                    &out);
}

void flow_offer(struct side *side, const struct flow *flow, enum tvs_direction direction,
                uint8_t tcp_flags)
{
    struct packet packet = direction == TVS_REQUEST
                               ? flow_packet(flow->proto, flow->client, flow->port, flow->vip,
                                             flow->vip_port, tcp_flags)
                               : flow_packet(flow->proto, flow->server, flow->server_port,
                                             flow->local, flow->local_port, tcp_flags);

    side_packet(side, &packet);
}

bool flow_begin_to(struct side *side, struct flow *flow, uint8_t proto, uint32_t client,
                   uint16_t port, uint32_t vip, uint16_t vip_port)
{
    struct packet packet = flow_packet(proto, client, port, vip, vip_port, TVS_TCP_SYN);
    struct tvs_node_packet result = side_packet(side, &packet);
    const uint8_t *ip = result.result + PACKET_IP;

    if (result.verdict != TVS_V_TX)
        return false;
    *flow = (struct flow){.proto = proto,
                          .client = client,
                          .port = port,
                          .vip = vip,
                          .vip_port = vip_port,
                          .local = be32toh(tvs_load32(ip + 12)),
                          .server = be32toh(tvs_load32(ip + 16)),
                          .local_port = be16toh(tvs_load16(ip + 20)),
                          .server_port = be16toh(tvs_load16(ip + 22)),
                          .worker = result.worker};
    return true;
}

bool flow_begin(struct side *side, struct flow *flow, uint8_t proto, uint32_t client, uint16_t port)
{
    return flow_begin_to(side, flow, proto, client, port, VIP,
                         proto == TVS_TCP ? VIP_WEB_PORT : VIP_DNS_PORT);
}

struct flow flow_open(struct side *side, uint8_t proto, uint32_t client, uint16_t port)
{
    struct flow flow = {0};

    assert_true(flow_begin(side, &flow, proto, client, port));
    assert_true(flow_reply(side, &flow, TVS_TCP_SYN | TVS_TCP_ACK));
    if (proto == TVS_TCP)
        assert_true(flow_request(side, &flow, TVS_TCP_ACK));
    return flow;
}

struct tvs_record *flow_record(const struct side *side, const struct flow *flow)
{
    const struct tvs_site *site = side->generation.path_site;
    struct tvs_record *record =
        &side->node->workers[flow->worker]
             ->records[(uint32_t)site->lips[flow->local - site->lip_base].slot << 16 |
                       flow->local_port];

    return record->proto == flow->proto && record->in.saddr_be == htobe32(flow->client) &&
                   record->in.sport_be == htobe16(flow->port)
               ? record
               : NULL;
}

/* ---- comparison ------------------------------------------------------------------------------ */

static int seen_order(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct seen));
}

unsigned side_sessions(const struct side *side, uint8_t state, struct seen *seen)
{
    unsigned n = 0;

    for (uint16_t w = 0; w < WORKERS; w++) {
        const struct tvs_worker *worker = side->node->workers[w];

        for (uint32_t at = 0; at < worker->n_slots << 16; at++) {
            const struct tvs_record *record = &worker->records[at];
            uint32_t port = at & UINT16_MAX;

            if (port < worker->port_first || port > worker->port_last) {
                at |= port > worker->port_last ? UINT16_MAX : 0;
                continue;
            }
            if (record->state != state || tvs_session_expired(record, worker->now_tick))
                continue;
            assert_in_range(n, 0, SEEN_MAX - 1);
            memset(&seen[n], 0, sizeof(seen[n]));
            seen[n].in = record->in;
            seen[n].out = record->out;
            seen[n].proto = record->proto;
            seen[n].state = record->state;
            seen[n++].worker = w;
        }
    }
    qsort(seen, n, sizeof(seen[0]), seen_order);
    return n;
}

void sides_compare(const struct side *a, const struct side *b, uint8_t state, unsigned at_least)
{
    static struct seen of_a[SEEN_MAX], of_b[SEEN_MAX];
    unsigned n = side_sessions(a, state, of_a);

    assert_in_range(n, at_least, SEEN_MAX);
    assert_int_equal(n, side_sessions(b, state, of_b));
    assert_memory_equal(of_a, of_b, n * sizeof(of_a[0]));
}

static unsigned table_entries(const struct tvs_worker *worker)
{
    unsigned n = 0;

    for (uint32_t b = 0; b <= worker->bucket_mask; b++)
        for (unsigned slot = 0; slot < TVS_BUCKET_SLOTS; slot++)
            n += worker->buckets[b].sig[slot] != 0;
    return n;
}

/* Each port of its own is in use or in the ring, once, where its record says. */
static void ring_check(const struct tvs_worker *worker)
{
    uint32_t n = tvs_free_count(&worker->free), own = 0;
    uint8_t *in_ring = calloc(worker->own_records, 1);

    assert_non_null(in_ring);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t number = tvs_free_peek(&worker->free, i);
        uint32_t at = worker->records[number].free_at;

        assert_in_range(number, 1, worker->own_records - 1);
        assert_int_equal(in_ring[number]++, 0);
        assert_int_equal(worker->records[number].state, TVS_S_FREE);
        if (at != 0)
            assert_int_equal(worker->free.record[at - 1], number);
    }
    for (uint32_t at = 0; at < worker->own_records; at++)
        own += worker->records[at].state != TVS_S_FREE;
    assert_int_equal(own, worker->n_sessions);
    assert_int_equal(own + n, (worker->own_records >> 16) *
                                  ((uint32_t)worker->port_last - worker->port_first + 1));
    free(in_ring);
}

void side_check(const struct side *side)
{
    for (uint16_t w = 0; w < WORKERS; w++) {
        const struct tvs_worker *worker = side->node->workers[w];
        uint32_t *active = calloc(worker->n_backends_max, sizeof(*active)), n = 0;

        assert_non_null(active);
        for (uint32_t at = 0; at < worker->n_slots << 16; at++) {
            const struct tvs_record *record = &worker->records[at];
            struct tvs_key of_record = {.tuple = record->in, .proto = record->proto};

            if (record->state == TVS_S_FREE)
                continue;
            n++;
            if (at < worker->own_records)
                active[record->backend]++;
            assert_int_equal(record->hash, tvs_key_hash(&of_record, worker->hash_key));
            assert_int_equal(tvs_table_find(worker, record->hash, &of_record), at);
        }
        assert_int_equal(n, worker->n_sessions + worker->n_copies);
        assert_int_equal(n, table_entries(worker));
        assert_memory_equal(active, worker->backend_active,
                            worker->n_backends_max * sizeof(*active));
        ring_check(worker);
        free(active);
    }
}
