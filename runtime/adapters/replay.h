/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture through a node. The timestamps are the clock: 100 ms ticks, with the expiry sweep
 * between packets as the daemon runs it, idle gaps included. A timestamp that goes back stops the
 * clock.
 */
#ifndef TVS_REPLAY_H
#define TVS_REPLAY_H

#include <stdio.h>

#include "adapters/node.h"
#include "adapters/pcap.h"
#include "adapters/stats.h"

enum { TVS_REPLAY_MAX_EVENTS = 64 };

/* A server fails its check at a time of the capture. */
struct tvs_replay_down {
    int64_t after_ns; /* since the first packet */
    uint32_t address;
    uint16_t port;
};

struct tvs_replay_config {
    uint16_t worker;    /* receives everything; TVS_NODE_STEER: as the NIC steers */
    int64_t spacing_ns; /* between packets; 0: the capture's timestamps */
    uint32_t burst;     /* packets of one tick that are run together, 1..TVS_MAX_BURST */
    uint32_t n_downs;
    struct tvs_replay_down down[TVS_REPLAY_MAX_EVENTS];

    struct tvs_pcap_reader *in;
    struct tvs_pcap_writer *out;
    struct tvs_pcap_writer *kernel; /* frames for the exception path; may be NULL */
    FILE *trace;                    /* one line of JSON per packet; may be NULL */
};

/* 0 at the end of the capture; else a negative errno and `error`, with what came before written. */
int tvs_replay_run(const struct tvs_replay_config *config, struct tvs_node *node,
                   struct tvs_stats_capture *stats, char *error, size_t error_bytes);

#endif
