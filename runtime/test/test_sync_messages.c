/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session sync and messages that nobody should send: broken, cut, forged, repeated, from an earlier
 * life, or of a peer that has the key and errs. Each is counted for what it is and changes nothing.
 */
#include "core/sip.h"
#include "sync_cluster.h"

struct message {
    uint8_t data[TVS_SYNC_ROOM + 64];
    unsigned bytes;
};

static struct tvs_sync_header *header_of(struct message *message)
{
    return (struct tvs_sync_header *)(message->data + SYNC_HEADER);
}

static void *body_of(struct message *message)
{
    return header_of(message) + 1;
}

/* What its lengths and checksum say, made right again; with `mac`, that as well. */
static void message_seal(struct message *message, bool mac)
{
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(message->data + PACKET_IP);
    struct tvs_udp *udp = (struct tvs_udp *)(message->data + PACKET_L4);
    struct tvs_sync_header *header = header_of(message);

    ip->total_len_be = htobe16((uint16_t)(message->bytes - PACKET_IP));
    ip->csum = 0;
    ip->csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(ip, sizeof(*ip)));
    if (message->bytes < SYNC_HEADER)
        return;
    udp->len_be = htobe16((uint16_t)(message->bytes - PACKET_L4));
    if (mac && message->bytes >= SYNC_HEADER + sizeof(*header))
        header->mac = cluster_mac(header, message->bytes - SYNC_HEADER);
}

/* ---- two nodes, of which worker 0 counts ----------------------------------------------------- */

struct stage {
    struct cluster cluster;
    struct side *a, *b; /* messages of `a` to `b` are tampered with */
    uint16_t next_port; /* of clients */
};

static struct flow open_on_worker_0(struct stage *stage, struct side *side)
{
    struct flow flow;

    do
        flow = flow_open(side, TVS_TCP, CLIENT, stage->next_port++);
    while (flow.worker != 0);
    return flow;
}

static void stage_make(struct stage *stage, uint64_t seed)
{
    cluster_start(&stage->cluster, 2, seed);
    stage->a = &stage->cluster.side[0];
    stage->b = &stage->cluster.side[1];
    stage->next_port = 2000;
    for (unsigned i = 0; i < 5; i++) {
        open_on_worker_0(stage, stage->a);
        open_on_worker_0(stage, stage->b);
    }
    cluster_run(&stage->cluster, 1500);
}

static void pull_anew(struct side *side)
{
    side->sync[0]->peers[0].pull = TVS_SYNC_PULL_GOES_ON;
    side->sync[0]->peers[0].pull_cursor = 0;
    side->sync[0]->peers[0].pull_at = 0;
    side->sync[0]->due = 0;
}

static void hello_now(struct side *side)
{
    side->sync[0]->peers[0].hello_at = 0;
    side->sync[0]->due = 0;
}

/* Takes the next such message of worker 0 of `from` off the wire. */
static struct message steal(struct stage *stage, const struct side *from, enum tvs_sync_kind kind)
{
    struct cluster *cluster = &stage->cluster;
    struct message message = {0};

    for (unsigned ms = 0; ms < 2000; ms++) {
        cluster_run(cluster, 1);
        for (unsigned i = 0; i < cluster->n_flights; i++) {
            struct flight *flight = &cluster->flights[i];

            memcpy(message.data, flight->data, flight->bytes);
            if (flight->from != from->index || header_of(&message)->kind != kind ||
                header_of(&message)->worker != 0)
                continue;
            message.bytes = flight->bytes;
            free(flight->data);
            *flight = cluster->flights[--cluster->n_flights];
            return message;
        }
    }
    fail_msg("no message of kind %d", kind);
    return message;
}

static struct message provoke(struct stage *stage, enum tvs_sync_kind kind)
{
    struct side *a = stage->a, *b = stage->b;

    switch (kind) {
    case TVS_SYNC_HELLO:
        hello_now(a);
        break;
    case TVS_SYNC_UPDATE:
        open_on_worker_0(stage, a);
        break;
    case TVS_SYNC_AGAIN:
        a->is_deaf = true;
        open_on_worker_0(stage, b);
        cluster_run(&stage->cluster, 10);
        a->is_deaf = false;
        hello_now(b);
        break;
    case TVS_SYNC_PULL:
        pull_anew(a);
        break;
    default:
        pull_anew(b);
        break;
    }
    return steal(stage, a, kind);
}

/* All that a message could change, but for counters and for when the next turn is due. */
struct snapshot {
    struct tvs_sync sync;
    struct tvs_sync_peer peer;
    uint64_t tables;
    uint32_t n_sessions, n_copies, n_free, n_queued;
};

static struct snapshot snapshot_take(const struct side *side)
{
    const struct tvs_worker *worker = side->node->workers[0];
    struct snapshot snapshot;
    uint64_t hash[4];

    memset(&snapshot, 0, sizeof(snapshot));
    memcpy(&snapshot.sync, side->sync[0], sizeof(snapshot.sync));
    memcpy(&snapshot.peer, &side->sync[0]->peers[0], sizeof(snapshot.peer));
    memset(&snapshot.sync.counters, 0, sizeof(snapshot.sync.counters));
    snapshot.sync.due = 0;
    snapshot.peer.is_other_contract = false;
    for (uint32_t slot = 0; slot < 3; slot++)
        hash[slot] = tvs_sip_hash(cluster_key, &worker->records[slot << 16 | FIRST_LOCAL_PORT],
                                  (PORT_LAST - FIRST_LOCAL_PORT + 1) * sizeof(struct tvs_record));
    hash[3] = tvs_sip_hash(cluster_key, worker->buckets,
                           (worker->bucket_mask + 1) * sizeof(struct tvs_bucket));
    snapshot.tables = tvs_sip_hash(cluster_key, hash, sizeof(hash));
    snapshot.n_sessions = worker->n_sessions;
    snapshot.n_copies = worker->n_copies;
    snapshot.n_free = tvs_free_count(&worker->free);
    snapshot.n_queued = tvs_sync_queue_count(&worker->sync_queue);
    return snapshot;
}

#define COUNTER(name) offsetof(struct tvs_sync_counters, name)

/* The message is received, counted once there, and that is all. */
static void is_refused(struct side *side, const struct message *message, size_t counter)
{
    struct snapshot before = snapshot_take(side), after;
    uint64_t count = side_count(side, counter);
    uint64_t received = COUNT(side, received);

    assert_int_equal(side_frame(side, message->data, message->bytes, 0).verdict, TVS_V_SYNC);
    after = snapshot_take(side);
    assert_int_equal(side_count(side, counter), count + 1);
    assert_int_equal(COUNT(side, received), received + 1);
    assert_memory_equal(&before, &after, sizeof(before));
}

static uint64_t refusals(const struct side *side)
{
    return COUNT(side, malformed) + COUNT(side, forged) + COUNT(side, stranger) +
           COUNT(side, contract) + COUNT(side, unproved) + COUNT(side, replayed);
}

static void is_taken(struct side *side, const struct message *message)
{
    uint64_t refused = refusals(side);

    assert_int_equal(side_frame(side, message->data, message->bytes, 0).verdict, TVS_V_SYNC);
    assert_int_equal(refusals(side), refused);
}

/* ---- tests ----------------------------------------------------------------------------------- */

#define BROKEN(original, field, value, counter)                                                    \
    do {                                                                                           \
        struct message broken = original;                                                          \
        header_of(&broken)->field = value;                                                         \
        message_seal(&broken, true);                                                               \
        is_refused(stage.b, &broken, COUNTER(counter));                                            \
    } while (0)

static void test_each_field_of_each_kind(void **state)
{
    struct stage stage;

    (void)state;
    stage_make(&stage, 1);
    for (unsigned kind = 0; kind < TVS_N_SYNC_KINDS; kind++) {
        struct message good = provoke(&stage, (enum tvs_sync_kind)kind), other;
        struct tvs_sync_header *header = header_of(&good);
        const unsigned mac_bytes = sizeof(header->mac);
        struct tvs_frame frame;

        for (unsigned bit = 0; bit < mac_bytes * 8; bit++) {
            other = good;
            other.data[SYNC_HEADER + bit / 8] ^= (uint8_t)(1U << bit % 8);
            is_refused(stage.b, &other, COUNTER(forged));
        }
        for (unsigned at = SYNC_HEADER + mac_bytes; at < good.bytes; at++) {
            uint64_t refused = COUNT(stage.b, forged) + COUNT(stage.b, malformed);

            if (at == SYNC_HEADER + offsetof(struct tvs_sync_header, worker))
                continue;
            other = good;
            other.data[at] ^= 1;
            is_refused(stage.b, &other, COUNTER(received));
            assert_int_equal(COUNT(stage.b, forged) + COUNT(stage.b, malformed), refused + 1);
        }
        BROKEN(good, magic, TVS_SYNC_MAGIC + (1U << 24), malformed);
        BROKEN(good, kind, TVS_N_SYNC_KINDS, malformed);
        BROKEN(good, kind, 0xff, malformed);
        BROKEN(good, n, TVS_SYNC_SESSIONS + 1, malformed);
        BROKEN(good, n, UINT16_MAX, malformed);
        if (kind == TVS_SYNC_UPDATE || kind == TVS_SYNC_BULK) {
            BROKEN(good, n, header->n + 1, malformed);
            BROKEN(good, n, header->n - 1, malformed);
        }
        BROKEN(good, epoch, 0, malformed);
        BROKEN(good, from, 1, stranger); /* itself */
        BROKEN(good, from, 2, stranger);
        BROKEN(good, from, TVS_MAX_PEERS + 1, stranger);
        BROKEN(good, from, 0xff, stranger);
        BROKEN(good, to, 0, stranger);
        BROKEN(good, to, kind == TVS_SYNC_UPDATE ? 1 : TVS_SYNC_TO_ALL, stranger);
        BROKEN(good, contract, header->contract + 1, contract);
        assert_true(stage.b->sync[0]->peers[0].is_other_contract);
        if (kind != TVS_SYNC_HELLO)
            BROKEN(good, epoch, header->epoch + 2, unproved);

        other = good; /* of another worker: not brought here by any NIC, but handed over */
        header_of(&other)->worker = 1;
        other.data[SYNC_HEADER] ^= 1;
        assert_int_equal(side_frame(stage.b, other.data, other.bytes, 0).verdict, TVS_V_SYNC);
        header_of(&other)->worker = WORKERS;
        frame = side_frame(stage.b, other.data, other.bytes, 0);
        assert_int_equal(frame.verdict, TVS_V_DROP);
        assert_int_equal(frame.arg, TVS_DROP_sync_no_worker);

        other = good; /* frames of less than 60 bytes are padded, which means nothing */
        other.bytes += 5;
        is_taken(stage.b, &other);
        assert_false(stage.b->sync[0]->peers[0].is_other_contract);
        if (kind == TVS_SYNC_BULK) /* the number says it before the question does */
            assert_int_equal(stage.b->sync[0]->peers[0].got, header->number);
        is_refused(stage.b, &good, COUNTER(replayed));
        cluster_run(&stage.cluster, 1500);
        is_refused(stage.b, &good, COUNTER(replayed));
        sides_compare(stage.a, stage.b, TVS_S_ESTABLISHED, 10);
    }
    side_check(stage.b);
    cluster_free(&stage.cluster);
}

static void test_every_length(void **state)
{
    struct stage stage;

    (void)state;
    stage_make(&stage, 2);
    for (unsigned kind = 0; kind < TVS_N_SYNC_KINDS; kind++) {
        struct message good = provoke(&stage, (enum tvs_sync_kind)kind);

        for (unsigned bytes = PACKET_L4; bytes < good.bytes; bytes++) {
            struct message cut = good;
            struct tvs_frame frame;

            cut.bytes = bytes; /* the header says more than there is */
            frame = side_frame(stage.b, cut.data, cut.bytes, 0);
            assert_int_equal(frame.verdict, TVS_V_DROP);
            for (unsigned mac = 0; mac < 2; mac++) {
                message_seal(&cut, mac);
                if (bytes >= SYNC_HEADER)
                    is_refused(stage.b, &cut, COUNTER(malformed));
            }
        }
        is_taken(stage.b, &good);
        cluster_run(&stage.cluster, 1500);
    }
    cluster_free(&stage.cluster);
}

/* Nothing but a hello counts from a peer that has not proved that it lives. */
static void test_before_proof(void **state)
{
    struct message good[TVS_N_SYNC_KINDS];
    struct stage stage;

    (void)state;
    stage_make(&stage, 3);
    for (unsigned kind = 0; kind < TVS_N_SYNC_KINDS; kind++)
        good[kind] = provoke(&stage, (enum tvs_sync_kind)kind);
    side_down(stage.b);
    side_up(stage.b);
    for (unsigned kind = 1; kind < TVS_N_SYNC_KINDS; kind++)
        is_refused(stage.b, &good[kind], COUNTER(unproved));
    /* an old hello makes it ask who is there, and no more */
    assert_int_equal(side_frame(stage.b, good[0].data, good[0].bytes, 0).verdict, TVS_V_SYNC);
    assert_int_equal(COUNT(stage.b, unproved), TVS_N_SYNC_KINDS);
    assert_int_equal(stage.b->sync[0]->peers[0].epoch, 0);
    cluster_run(&stage.cluster, 1000);
    assert_true(side_is_ready(stage.b));
    sides_compare(stage.a, stage.b, TVS_S_ESTABLISHED, 10);
    for (unsigned kind = 0; kind < TVS_N_SYNC_KINDS; kind++)
        is_refused(stage.b, &good[kind], COUNTER(replayed));
    cluster_free(&stage.cluster);
}

/* A recording of a node's earlier life neither resets the peer nor keeps it from the new one. */
static void test_an_earlier_life(void **state)
{
    struct message old[TVS_N_SYNC_KINDS];
    struct stage stage;
    uint64_t epoch, pulled;
    struct flow flow;

    (void)state;
    stage_make(&stage, 4);
    for (unsigned kind = 0; kind < TVS_N_SYNC_KINDS; kind++)
        old[kind] = provoke(&stage, (enum tvs_sync_kind)kind);
    side_down(stage.a);
    side_up(stage.a);
    cluster_run(&stage.cluster, 1000);
    assert_true(side_is_ready(stage.a));
    epoch = stage.a->sync[0]->epoch;
    pulled = COUNT(stage.b, pulled);
    assert_true(stage.b->sync[0]->peers[0].epoch == epoch);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned kind = 0; kind < TVS_N_SYNC_KINDS; kind++) {
            uint64_t unproved = COUNT(stage.b, unproved);

            side_frame(stage.b, old[kind].data, old[kind].bytes, 0);
            assert_int_equal(COUNT(stage.b, unproved), unproved + 1);
        }
        cluster_run(&stage.cluster, 3);
        assert_true(stage.b->sync[0]->peers[0].epoch == epoch);
        assert_true(tvs_sync_peer_is_here(stage.b->sync[0], &stage.b->sync[0]->peers[0],
                                          side_now(stage.b)));
    }
    assert_int_equal(COUNT(stage.b, pulled), pulled);
    flow = open_on_worker_0(&stage, stage.a);
    cluster_run(&stage.cluster, 10);
    assert_non_null(flow_record(stage.b, &flow));
    sides_compare(stage.a, stage.b, TVS_S_ESTABLISHED, 10);
    cluster_free(&stage.cluster);
}

/* Recordings alone do not make a peer seem to be there. */
static void test_recordings_do_not_live(void **state)
{
    struct message old[TVS_N_SYNC_KINDS];
    struct stage stage;

    (void)state;
    stage_make(&stage, 5);
    for (unsigned kind = 0; kind < TVS_N_SYNC_KINDS; kind++) {
        old[kind] = provoke(&stage, (enum tvs_sync_kind)kind);
        is_taken(stage.b, &old[kind]);
    }
    side_down(stage.a);
    for (unsigned ms = 0; ms < TVS_SYNC_GONE_MS + 100; ms += 50) {
        for (unsigned kind = 0; kind < TVS_N_SYNC_KINDS; kind++)
            side_frame(stage.b, old[kind].data, old[kind].bytes, 0);
        cluster_run(&stage.cluster, 50);
    }
    assert_false(
        tvs_sync_peer_is_here(stage.b->sync[0], &stage.b->sync[0]->peers[0], side_now(stage.b)));
    cluster_free(&stage.cluster);
}

/* ---- a peer that has the key and errs -------------------------------------------------------- */

#define LACKS(field, value, counter)                                                               \
    do {                                                                                           \
        struct message wrong = update;                                                             \
        struct tvs_sync_session session = good;                                                    \
        uint64_t count = COUNT(stage.b, counter);                                                  \
        session.field = value;                                                                     \
        memcpy(body_of(&wrong), &session, sizeof(session));                                        \
        header_of(&wrong)->number = number++;                                                      \
        message_seal(&wrong, true);                                                                \
        is_taken(stage.b, &wrong);                                                                 \
        assert_int_equal(COUNT(stage.b, counter), count + 1);                                      \
        assert_int_equal(COUNT(stage.b, learned), learned);                                        \
    } while (0)

static void test_impossible_sessions(void **state)
{
    struct tvs_sync_session good;
    struct message update;
    struct stage stage;
    uint64_t number, learned;

    (void)state;
    stage_make(&stage, 6);
    update = provoke(&stage, TVS_SYNC_UPDATE);
    assert_int_equal(header_of(&update)->n, 1);
    memcpy(&good, body_of(&update), sizeof(good));
    number = header_of(&update)->number;
    learned = COUNT(stage.b, learned);
    LACKS(out.saddr_be, htobe32(ADDRESS(172, 16, 0, 0)), bad_session);  /* nobody's */
    LACKS(out.saddr_be, htobe32(ADDRESS(172, 16, 0, 2)), bad_session);  /* of worker 1 */
    LACKS(out.saddr_be, htobe32(ADDRESS(172, 16, 0, 16)), bad_session); /* outside */
    LACKS(out.saddr_be, 0, bad_session);
    LACKS(out.sport_be, htobe16(FIRST_LOCAL_PORT - 1), bad_session);
    LACKS(out.sport_be, htobe16(PORT_LAST + 1), bad_session);
    LACKS(out.sport_be, 0, bad_session);
    LACKS(proto, TVS_ICMP, bad_session);
    LACKS(proto, TVS_UDP, bad_session); /* in a state of TCP */
    LACKS(state, TVS_S_FREE, bad_session);
    LACKS(state, TVS_S_SYN_ACK, bad_session);
    LACKS(state, TVS_S_UDP, bad_session);
    LACKS(state, 0xff, bad_session);
    LACKS(left_ticks, UINT32_C(0x80000000), bad_session);
    LACKS(left_ticks, UINT32_MAX, bad_session);
    LACKS(in.daddr_be, htobe32(VIP + 5), no_service);
    LACKS(in.dport_be, htobe16(81), no_service);
    LACKS(out.daddr_be, htobe32(SERVER + 9), no_server);
    LACKS(out.dport_be, htobe16(8081), no_server);
    side_check(stage.b);
    cluster_run(&stage.cluster, 1500); /* as numbers of the peer's own they had not been used */
    side_check(stage.b);
    cluster_free(&stage.cluster);
}

/* Numbers and cursors that no peer has: the worker goes on, and so does what is right. */
static void test_impossible_numbers(void **state)
{
    static const uint64_t numbers[] = {0, 1, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
    struct stage stage;
    struct flow flow;

    (void)state;
    stage_make(&stage, 7);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct message hello = provoke(&stage, TVS_SYNC_HELLO);
        struct message again = provoke(&stage, TVS_SYNC_AGAIN);
        struct message update = provoke(&stage, TVS_SYNC_UPDATE);
        struct tvs_sync_hello said;
        struct tvs_sync_again asked = {.next = numbers[i]};

        memcpy(&said, body_of(&hello), sizeof(said));
        said.updates = numbers[i];
        memcpy(body_of(&hello), &said, sizeof(said));
        memcpy(body_of(&again), &asked, sizeof(asked));
        header_of(&update)->number = numbers[i];
        message_seal(&hello, true);
        message_seal(&again, true);
        message_seal(&update, true);
        side_frame(stage.b, hello.data, hello.bytes, 0);
        side_frame(stage.b, again.data, again.bytes, 0);
        assert_in_range(stage.b->sync[0]->peers[0].n_wanted, 0, stage.b->sync[0]->updates);
        side_frame(stage.b, update.data, update.bytes, 0);
        cluster_run(&stage.cluster, 500);
        side_check(stage.b);
    }
    side_down(stage.a); /* its next life is believed again */
    side_up(stage.a);
    cluster_run(&stage.cluster, 1000);
    flow = open_on_worker_0(&stage, stage.a);
    cluster_run(&stage.cluster, 10);
    assert_non_null(flow_record(stage.b, &flow));
    cluster_free(&stage.cluster);
}

static void test_any_cursor_is_answered(void **state)
{
    static const uint32_t cursors[] = {
        0,
        1,
        FIRST_LOCAL_PORT,
        PORT_LAST,
        PORT_LAST + 1,
        0xffff,
        0x10000,
        0x1ffff,
        0x20000,
        0x2ffff,
        0x30000,
        0x30001,
        0x80000000,
        UINT32_MAX - 1,
        UINT32_MAX,
        0x20000 + PORT_LAST,
    };
    struct stage stage;

    (void)state;
    stage_make(&stage, 8);
    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
        struct message pull = provoke(&stage, TVS_SYNC_PULL), bulk;

        header_of(&pull)->cursor = cursors[i];
        header_of(&pull)->question = (uint16_t)(7 + i);
        message_seal(&pull, true);
        is_taken(stage.b, &pull);
        bulk = steal(&stage, stage.b, TVS_SYNC_BULK);
        assert_int_equal(header_of(&bulk)->question, 7 + i);
        assert_true(header_of(&bulk)->cursor > cursors[i] || cursors[i] == TVS_SYNC_END);
        assert_true(cursors[i] < 0x30000 || header_of(&bulk)->cursor == TVS_SYNC_END);
        cluster_run(&stage.cluster, 500);
        assert_int_equal(stage.a->sync[0]->peers[0].pull, TVS_SYNC_PULL_DONE);
    }
    cluster_free(&stage.cluster);
}

/* An answer that does not lead on would be asked for again at once, for ever. */
static void test_an_answer_leads_on(void **state)
{
    struct stage stage;
    struct message bulk;

    (void)state;
    stage_make(&stage, 9);
    bulk = provoke(&stage, TVS_SYNC_BULK);
    header_of(&bulk)->cursor = 0;
    message_seal(&bulk, true);
    stage.cluster.kinds[TVS_SYNC_PULL] = 0;
    side_frame(stage.b, bulk.data, bulk.bytes, 0);
    cluster_run(&stage.cluster, 20);
    assert_int_equal(stage.cluster.kinds[TVS_SYNC_PULL], 0);
    cluster_run(&stage.cluster, 500);
    assert_int_equal(stage.b->sync[0]->peers[0].pull, TVS_SYNC_PULL_DONE);
    cluster_free(&stage.cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_field_of_each_kind),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_before_proof),
        cmocka_unit_test(test_an_earlier_life),
        cmocka_unit_test(test_recordings_do_not_live),
        cmocka_unit_test(test_impossible_sessions),
        cmocka_unit_test(test_impossible_numbers),
        cmocka_unit_test(test_any_cursor_is_answered),
        cmocka_unit_test(test_an_answer_leads_on),
    };

    return cmocka_run_group_tests_name("sync_messages", tests, NULL, NULL);
}
