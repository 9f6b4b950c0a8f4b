/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sync_steps.h"

#include "bench/loops.h"
#include "bench/pair.h"
#include "core/session.h"

enum { STEPS = 2000, EMPTY_STEPS = 500 };

/* What one step does; false: not what it should have. */
typedef bool (*step_fn)(struct bench_run *run, uint64_t *spent);

/* One turn; `sent` is its first message. */
static uint64_t turn_time(struct bench_run *run, const struct tvs_sync_header **sent)
{
    struct bench_peers *peers = &run->sync->peers;
    uint64_t now = bench_sync_now(run->sync), start;

    *sent = bench_peers_sent(peers, peers->n_sent);
    start = __rdtsc();
    tvs_sync_turn(peers->sync, run->worker, &peers->io, now);
    return __rdtsc() - start;
}

/* One message. */
static uint64_t hear_time(struct bench_run *run)
{
    struct bench_peers *peers = &run->sync->peers;
    const struct tvs_frame frame = bench_peers_frame(peers);
    uint64_t now = bench_sync_now(run->sync), start = __rdtsc();

    tvs_sync_receive(peers->sync, run->worker, frame.data, frame.len, now);
    return __rdtsc() - start;
}

/* Any open session that a peer may be told of. */
static struct tvs_record *any_record(struct bench_run *run)
{
    struct tvs_record *record;

    do {
        uint32_t flow = bench_random(&run->traffic, run->traffic.n_flows);

        record = bench_record_of(run, &run->traffic.flows[flow]);
    } while (record->state != TVS_S_ESTABLISHED);
    return record;
}

static bool tell(struct bench_run *run, uint64_t *spent)
{
    const struct tvs_sync_header *sent;

    while (tvs_sync_queue_count(&run->worker->sync_queue) < TVS_SYNC_SESSIONS)
        tvs_sync_queue_put(run->worker, any_record(run));
    *spent = turn_time(run, &sent);
    return sent->kind == TVS_SYNC_UPDATE && sent->n == TVS_SYNC_SESSIONS;
}

static uint64_t any_update(struct bench_run *run)
{
    uint64_t last = run->sync->peers.sync->updates;

    return last - bench_random(&run->traffic, last < TVS_SYNC_WINDOW ? last : TVS_SYNC_WINDOW);
}

static bool asked(struct bench_run *run, uint64_t *spent)
{
    const struct tvs_sync_header *sent;

    bench_peers_again(&run->sync->peers, any_update(run));
    *spent = hear_time(run);
    turn_time(run, &sent);
    return sent->kind == TVS_SYNC_UPDATE;
}

static bool again(struct bench_run *run, uint64_t *spent)
{
    uint64_t lost = any_update(run);
    const struct tvs_sync_header *sent;

    bench_peers_again(&run->sync->peers, lost);
    hear_time(run);
    *spent = turn_time(run, &sent);
    return sent->kind == TVS_SYNC_UPDATE && sent->number == lost;
}

static bool bulk(struct bench_run *run, uint64_t *spent)
{
    const struct tvs_sync_header *sent;

    bench_peers_pull(&run->sync->peers, bench_random(&run->traffic, run->worker->bucket_mask + 1));
    hear_time(run);
    *spent = turn_time(run, &sent);
    return sent->kind == TVS_SYNC_BULK;
}

static bool learn(struct bench_run *run, uint64_t *spent)
{
    const uint64_t *learned = &run->sync->peers.sync->counters.learned;
    uint64_t before = *learned;

    bench_sync_tell_new(run);
    *spent = hear_time(run);
    return *learned == before + TVS_SYNC_SESSIONS;
}

static bool renew(struct bench_run *run, uint64_t *spent)
{
    const uint64_t *renewed = &run->sync->peers.sync->counters.renewed;
    uint64_t before = *renewed;

    bench_sync_tell_known(run);
    *spent = hear_time(run);
    return *renewed == before + TVS_SYNC_SESSIONS;
}

static bool steps_take(struct bench_run *run, struct bench_sync_step *step, step_fn take,
                       uint32_t n)
{
    for (; n > 0; n--) {
        uint64_t preempted = bench_preempted(), spent;

        if (!take(run, &spent))
            return false;
        if (bench_preempted() != preempted)
            step->disturbed++;
        else
            bench_histogram_add(&step->spent, spent);
    }
    return true;
}

/* Every session of ours ends, and every one that a peer told of. */
static void all_end(struct bench_run *run)
{
    for (uint32_t i = 0; i < run->worker->n_slots << 16; i++)
        if (run->worker->records[i].proto != 0)
            tvs_session_close(run->worker, &run->worker->records[i]);
}

const char *bench_sync_steps(struct bench_run *run, struct bench_sync_step *steps)
{
    static const struct {
        const char *name, *bound;
        uint32_t records, n;
        step_fn take;
    } kinds[BENCH_N_SYNC_STEPS] = {
        [BENCH_STEP_TELL] = {"sync: sessions told to every peer", "TVS_SYNC_SESSIONS",
                             TVS_SYNC_SESSIONS, STEPS, tell},
        [BENCH_STEP_AGAIN] = {"sync: a lost update told again", "TVS_SYNC_SESSIONS",
                              TVS_SYNC_SESSIONS, STEPS, again},
        [BENCH_STEP_ASKED] = {"sync: hearing which updates were lost", "TVS_SYNC_WINDOW",
                              TVS_SYNC_WINDOW, STEPS, asked},
        [BENCH_STEP_BULK] = {"sync: an answer to a pull, the table in use", "TVS_SYNC_SESSIONS",
                             TVS_SYNC_SESSIONS, STEPS, bulk},
        [BENCH_STEP_BULK_EMPTY] = {"sync: the same, the table empty", "TVS_SYNC_SCAN",
                                   TVS_SYNC_SCAN, EMPTY_STEPS, bulk},
        [BENCH_STEP_LEARN] = {"sync: a message heard, all sessions new", "TVS_SYNC_SESSIONS",
                              TVS_SYNC_SESSIONS, STEPS, learn},
        [BENCH_STEP_RENEW] = {"sync: a message heard, all sessions known", "TVS_SYNC_SESSIONS",
                              TVS_SYNC_SESSIONS, STEPS, renew},
    };
    /* the one with an empty table last */
    static const uint8_t order[] = {BENCH_STEP_TELL,      BENCH_STEP_ASKED, BENCH_STEP_AGAIN,
                                    BENCH_STEP_BULK,      BENCH_STEP_LEARN, BENCH_STEP_RENEW,
                                    BENCH_STEP_BULK_EMPTY};

    for (unsigned i = 0; i < BENCH_N_SYNC_STEPS; i++) {
        unsigned kind = order[i];
        bool good;

        steps[kind] = (struct bench_sync_step){
            .name = kinds[kind].name, .bound = kinds[kind].bound, .records = kinds[kind].records};
        if (kind == BENCH_STEP_BULK_EMPTY)
            all_end(run);
        bench_sync_go(run);
        good = steps_take(run, &steps[kind], kinds[kind].take, kinds[kind].n);
        bench_sync_rest(run);
        if (!good)
            return "a step of session sync did something else";
    }
    return NULL;
}
