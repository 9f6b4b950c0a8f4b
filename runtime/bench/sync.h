/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The direction `sync`: every tenth packet opens a session. All sessions are under way, each
 * somewhere in its ten packets: SYN, SYN+ACK, ACK, request, reply, request, reply, FIN of the
 * client, FIN of the server, ACK; the next packet of each comes when all others have had one. The
 * same traffic runs without session sync, telling peers, and telling peers that tell as much.
 */
#ifndef TVS_BENCH_SYNC_H
#define TVS_BENCH_SYNC_H

#include <x86intrin.h>

#include "bench/peers.h"
#include "bench/run.h"

enum { BENCH_SESSION_PACKETS = 10 };

/* Of all chunks of one subject. */
struct bench_sync_counts {
    uint64_t packets;
    uint64_t opened;   /* sessions */
    uint64_t told;     /* entries in messages, each once for all peers */
    uint64_t messages; /* each once for all peers */
    uint64_t sent, sent_bytes;
    uint64_t learned, renewed;       /* entries */
    uint64_t heard;                  /* messages */
    uint64_t of_state[TVS_N_STATES]; /* told, in the frames that were looked at */
};

struct bench_sync {
    struct bench_peers peers;
    enum bench_subject subject;
    uint64_t updates_before; /* when the chunk began: our updates, and messages heard */
    uint64_t heard_before;
    uint64_t cycles_per_ms;
    uint64_t paused;    /* TSC cycles that the engine does not see: nothing was measured then */
    uint64_t paused_at; /* TSC */
    uint64_t helloed;   /* the engine's time */

    uint32_t cursor; /* the flow whose packet is next */
    struct bench_flow *ended;
    uint32_t ended_size; /* how many sessions that have ended are kept */
    uint64_t n_ended;

    /* the peers' sessions, told, renewed and forgotten one after another */
    struct tvs_sync_session *session; /* [n_places] by place */
    uint32_t n_places, step;          /* the next one's place is `step` on */
    uint64_t n_sessions;              /* ever */
    uint32_t lag[3], lag_free;        /* how many sessions later it is told of again, and is gone */
    uint32_t entry;
    uint32_t pool;

    struct bench_sync_counts counts[BENCH_N_SUBJECTS];
};

/* Memory on 2 MB pages beside the worker's. */
size_t bench_sync_bytes(void);

/* Puts all open sessions somewhere on their way. NULL or what went wrong. */
const char *bench_sync_begin(struct bench_run *run);
void bench_sync_close(struct bench_run *run);

/* One repeat of BENCH_SITE (without sync), BENCH_TELLS or BENCH_LEARNS. */
const char *bench_sync_repeat(struct bench_run *run, enum bench_subject subject, double *cycles);

/* Between these two the engine's clock goes; every peer is here, and nothing is queued at first. */
void bench_sync_go(struct bench_run *run);
void bench_sync_rest(struct bench_run *run);

/* The next peer writes a message of sessions that are new, or of some that it has told of. */
void bench_sync_tell_new(struct bench_run *run);
void bench_sync_tell_known(struct bench_run *run);

/* Whether the peers owe a message: they have told less than we have. */
TVS_INLINE bool bench_sync_is_due(const struct bench_sync *sync)
{
    const struct bench_peers *peers = &sync->peers;

    return sync->subject == BENCH_LEARNS && peers->n_heard < peers->n_made &&
           peers->n_heard - sync->heard_before < peers->sync->updates - sync->updates_before;
}

TVS_INLINE uint64_t bench_sync_now(const struct bench_sync *sync)
{
    return __rdtsc() - sync->paused;
}

#endif
