/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts for people and metrics, from the same lists as the code. */
#include "tvs/core.h"

static const char *const drop_names[TVS_N_DROPS] = {
#define TVS_DROP(name, text) [TVS_DROP_##name] = #name,
#include "tvs/drops.def"
#undef TVS_DROP
};

static const char *const drop_texts[TVS_N_DROPS] = {
#define TVS_DROP(name, text) [TVS_DROP_##name] = text,
#include "tvs/drops.def"
#undef TVS_DROP
};

const char *tvs_drop_name(unsigned reason)
{
    return reason < TVS_N_DROPS ? drop_names[reason] : "unknown";
}

const char *tvs_drop_text(unsigned reason)
{
    return reason < TVS_N_DROPS ? drop_texts[reason] : "unknown reason";
}

const char *tvs_scheduler_name(unsigned scheduler)
{
    static const char *const names[] = {
        [TVS_SCHED_WRR] = "wrr",
        [TVS_SCHED_RR] = "rr",
        [TVS_SCHED_MAGLEV] = "maglev",
        [TVS_SCHED_SOURCE_HASH] = "source-hash",
        [TVS_SCHED_LEAST_LOADED] = "least-loaded",
    };

    return scheduler < sizeof(names) / sizeof(names[0]) ? names[scheduler] : "unknown";
}

const char *tvs_state_name(unsigned state)
{
    static const char *const names[TVS_N_STATES] = {
        [TVS_S_FREE] = "free",
        [TVS_S_SYN] = "syn",
        [TVS_S_SYN_ACK] = "syn-ack",
        [TVS_S_ESTABLISHED] = "established",
        [TVS_S_FIN_CLIENT] = "fin-client",
        [TVS_S_FIN_SERVER] = "fin-server",
        [TVS_S_CLOSED] = "closed",
        [TVS_S_RESET] = "reset",
        [TVS_S_UDP] = "udp",
    };

    return state < TVS_N_STATES ? names[state] : "unknown";
}
