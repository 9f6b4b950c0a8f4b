/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "secret.h"

enum { LOOK_MS = 500 };

struct tvs_peers {
    struct tvs_timer timer;
    bool was_ready;
    uint64_t forged; /* messages that have been complained of */
    uint8_t said[];  /* [n_peers] enum tvs_peer_state, as last logged */
};

/* ---- counters -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *text;
    size_t offset;
} counter_list[] = {
#define TVS_SYNC_COUNTER(name, text) {#name, text, offsetof(struct tvs_sync_counters, name)},
#include "core/sync_counters.def"
#undef TVS_SYNC_COUNTER
};

unsigned tvs_sync_counter_count(void)
{
    return sizeof counter_list / sizeof counter_list[0];
}

const char *tvs_sync_counter_name(unsigned number)
{
    return counter_list[number].name;
}

const char *tvs_sync_counter_text(unsigned number)
{
    return counter_list[number].text;
}

uint64_t tvs_sync_counter(const struct tvs_sync *sync, unsigned number)
{
    const uint8_t *counters = (const uint8_t *)&sync->counters;

    return __atomic_load_n((const uint64_t *)(counters + counter_list[number].offset),
                           __ATOMIC_RELAXED);
}

/* ---- what the peers are ---------------------------------------------------------------------- */

static const struct tvs_sync *sync_of(const struct tvs_host *host, uint16_t worker)
{
    return host->workers[worker].core->sync;
}

/* The worker writes what this reads: each field by itself is whole, and that is enough. */
static enum tvs_peer_state state_at(const struct tvs_sync *sync, uint32_t number)
{
    const volatile struct tvs_sync_peer *peer = &sync->peers[number];
    uint64_t heard = peer->heard;
    uint64_t now = rte_rdtsc();

    if (peer->is_other_contract)
        return TVS_PEER_OTHER_CONTRACT;
    if (peer->epoch == 0 || (now > heard && now - heard > TVS_SYNC_GONE_MS * sync->cycles_per_ms))
        return TVS_PEER_ABSENT;
    return peer->pull == TVS_SYNC_PULL_DONE ? TVS_PEER_HERE : TVS_PEER_PULLING;
}

enum tvs_peer_state tvs_peer_state(const struct tvs_host *host, uint32_t peer)
{
    enum tvs_peer_state worst = TVS_PEER_HERE;

    for (uint16_t i = 0; i < host->n_workers; i++) {
        enum tvs_peer_state state = state_at(sync_of(host, i), peer);

        if (state < worst)
            worst = state;
    }
    return worst;
}

const char *tvs_peer_state_name(enum tvs_peer_state state)
{
    static const char *const names[] = {[TVS_PEER_ABSENT] = "absent",
                                        [TVS_PEER_OTHER_CONTRACT] = "other contract",
                                        [TVS_PEER_PULLING] = "pulling",
                                        [TVS_PEER_HERE] = "here"};

    return names[state];
}

bool tvs_peers_ready(const struct tvs_host *host)
{
    for (uint16_t i = 0; i < host->n_workers; i++) {
        const struct tvs_sync *sync = sync_of(host, i);

        if (sync != NULL && !__atomic_load_n(&sync->ready, __ATOMIC_ACQUIRE))
            return false;
    }
    return true;
}

/* ---- what is logged of them ------------------------------------------------------------------ */

static void say(const struct tvs_host *host, uint32_t number, enum tvs_peer_state state)
{
    const char *name = host->bound->generation->sync.peers[number].name;

    switch (state) {
    case TVS_PEER_ABSENT:
        tvs_warning("session sync: peer %s is not heard of any more", name);
        break;
    case TVS_PEER_OTHER_CONTRACT:
        tvs_error("session sync: peer %s is refused: it was compiled with another sync contract "
                  "(RSS key, RETA, workers, nodes, local IPs or sync port differ)",
                  name);
        break;
    case TVS_PEER_PULLING:
        tvs_debug("session sync: peer %s tells what it has", name);
        break;
    case TVS_PEER_HERE:
        tvs_info("session sync: peer %s is here", name);
        break;
    }
}

void tvs_peers_look(const struct tvs_host *host)
{
    struct tvs_peers *peers = host->peers;
    uint64_t forged = 0;

    if (peers == NULL)
        return;
    for (uint32_t i = 0; i < host->bound->generation->sync.n_peers; i++) {
        enum tvs_peer_state state = tvs_peer_state(host, i);

        if (state != peers->said[i])
            say(host, i, state);
        peers->said[i] = (uint8_t)state;
    }
    for (uint16_t i = 0; i < host->n_workers; i++)
        forged += __atomic_load_n(&sync_of(host, i)->counters.forged, __ATOMIC_RELAXED);
    if (forged > 0 && peers->forged == 0) /* once: the counter tells how many */
        tvs_error("session sync: a message had a wrong MAC: a peer has another key, or somebody "
                  "forges messages");
    peers->forged = forged;
    if (!peers->was_ready && tvs_peers_ready(host)) {
        tvs_info("session sync: ready");
        peers->was_ready = true;
    }
}

static void look(void *context)
{
    tvs_peers_look(context);
}

/* ---- life ------------------------------------------------------------------------------------ */

uint64_t tvs_peers_bytes(const struct tvs_generation *generation)
{
    uint32_t n_peers = generation->sync.n_peers;
    uint64_t buffer_bytes = sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE;
    uint64_t bytes = tvs_sync_bytes(n_peers) + TVS_SYNC_MBUFS * buffer_bytes;

    return n_peers == 0 ? 0 : generation->cores.n_workers * bytes;
}

static int buffers_make(struct tvs_host_worker *worker)
{
    char name[RTE_MEMPOOL_NAMESIZE];

    snprintf(name, sizeof name, "sync-%u", worker->index);
    worker->sync_mbufs = rte_pktmbuf_pool_create(name, TVS_SYNC_MBUFS, TVS_SYNC_MBUF_CACHE, 0,
                                                 RTE_MBUF_DEFAULT_BUF_SIZE, worker->socket);
    if (worker->sync_mbufs != NULL)
        return 0;
    tvs_error("worker %u: no memory for %u packet buffers on socket %d: %s", worker->index,
              TVS_SYNC_MBUFS, worker->socket, rte_strerror(rte_errno));
    return -rte_errno;
}

static int engine_make(struct tvs_host_worker *worker, struct tvs_sync_config *config)
{
    size_t bytes = tvs_sync_bytes(config->generation->sync.n_peers);
    void *memory = rte_zmalloc_socket("sync", bytes, TVS_CACHE_LINE, worker->socket);

    if (memory == NULL) {
        tvs_error("worker %u: no %zu KB for session sync on socket %d", worker->index, bytes >> 10,
                  worker->socket);
        return -ENOMEM;
    }
    config->worker = worker->index;
    do {
        if (getrandom(&config->epoch, sizeof config->epoch, 0) != sizeof config->epoch)
            return -EIO;
    } while (config->epoch == 0);
    tvs_sync_init(memory, config, worker->core, rte_rdtsc());
    return buffers_make(worker);
}

int tvs_peers_start(struct tvs_host *host)
{
    const struct tvs_generation *generation = host->bound->generation;
    uint32_t n_peers = generation->sync.n_peers;
    struct tvs_sync_config config = {.generation = generation,
                                     .cycles_per_ms = rte_get_tsc_hz() / 1000};
    int error;

    if (n_peers == 0)
        return 0;
    error = tvs_secret_key(&generation->sync, host->options.secrets_dir, config.key);
    for (uint16_t i = 0; error == 0 && i < host->n_workers; i++)
        error = engine_make(&host->workers[i], &config);
    explicit_bzero(config.key, sizeof config.key);
    if (error < 0)
        return error;
    host->peers = calloc(1, sizeof *host->peers + n_peers);
    if (host->peers == NULL)
        return -ENOMEM;
    tvs_timer_init(&host->peers->timer, look, host);
    return tvs_timer_set(host->loop, &host->peers->timer, LOOK_MS, LOOK_MS);
}

void tvs_peers_stop(struct tvs_host *host)
{
    if (host->peers == NULL)
        return;
    tvs_timer_unset(host->loop, &host->peers->timer);
    free(host->peers);
    host->peers = NULL;
}
