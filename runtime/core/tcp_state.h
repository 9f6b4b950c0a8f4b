/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TCP packet does to its session. A load balancer only observes: the two ends decide, and a
 * state's one effect is how long the session may stay silent. A spoofed RST therefore ends nothing:
 * while the ends go on talking, each packet renews the (short) deadline.
 */
#ifndef TVS_CORE_TCP_STATE_H
#define TVS_CORE_TCP_STATE_H

#include "core/wire.h"
#include "tvs/record.h"

enum tvs_tcp_event {
    TVS_EV_OTHER, /* nothing that matters here, not even ACK */
    TVS_EV_ACK,
    TVS_EV_SYN, /* SYN and nothing else */
    TVS_EV_SYN_ACK,
    TVS_EV_FIN,
    TVS_EV_RST,
    TVS_N_EVENTS,
};

enum tvs_direction { TVS_REQUEST = 0, TVS_REPLY = 1 };

enum { TVS_S_REPLACE = 0xff }; /* not a state: the session has ended and a new one begins */

TVS_INLINE enum tvs_tcp_event tvs_tcp_event(uint8_t flags)
{
    if (flags & TVS_TCP_RST)
        return TVS_EV_RST;
    switch (flags & (TVS_TCP_SYN | TVS_TCP_FIN | TVS_TCP_ACK)) {
    case TVS_TCP_SYN:
        return TVS_EV_SYN;
    case TVS_TCP_SYN | TVS_TCP_ACK:
        return TVS_EV_SYN_ACK;
    case TVS_TCP_FIN:
    case TVS_TCP_FIN | TVS_TCP_ACK:
        return TVS_EV_FIN;
    case TVS_TCP_ACK:
        return TVS_EV_ACK;
    default:
        return TVS_EV_OTHER;
    }
}

/* The state after `event`, in the direction it came from; TVS_S_REPLACE: open anew. */
TVS_INLINE uint8_t tvs_tcp_next(enum tvs_direction direction, uint8_t state,
                                enum tvs_tcp_event event)
{
    enum {
        SYN = TVS_S_SYN,
        SAK = TVS_S_SYN_ACK,
        EST = TVS_S_ESTABLISHED,
        FCL = TVS_S_FIN_CLIENT,
        FSV = TVS_S_FIN_SERVER,
        CLO = TVS_S_CLOSED,
        RST = TVS_S_RESET,
        NEW = TVS_S_REPLACE,
    };
    static const uint8_t next[2][TVS_S_RESET + 1][TVS_N_EVENTS] =
        {
            [TVS_REQUEST] =
                {
                    /*              other  ack  syn  s+a  fin  rst */
                    [TVS_S_SYN] = {SYN, SYN, SYN, SYN, SYN, RST},
                    [TVS_S_SYN_ACK] = {SAK, EST, SAK, SAK, FCL, RST},
                    [TVS_S_ESTABLISHED] = {EST, EST, EST, EST, FCL, RST},
                    [TVS_S_FIN_CLIENT] = {FCL, FCL, NEW, FCL, FCL, RST},
                    [TVS_S_FIN_SERVER] = {FSV, FSV, NEW, FSV, CLO, RST},
                    [TVS_S_CLOSED] = {CLO, CLO, NEW, CLO, CLO, RST},
                    [TVS_S_RESET] = {RST, RST, NEW, RST, RST, RST},
                },
            [TVS_REPLY] =
                {
                    [TVS_S_SYN] = {SYN, SYN, SYN, SAK, SYN, RST},
                    [TVS_S_SYN_ACK] = {SAK, SAK, SAK, SAK, FSV, RST},
                    [TVS_S_ESTABLISHED] = {EST, EST, EST, EST, FSV, RST},
                    [TVS_S_FIN_CLIENT] = {FCL, FCL, FCL, FCL, CLO, RST},
                    [TVS_S_FIN_SERVER] = {FSV, FSV, FSV, FSV, FSV, RST},
                    [TVS_S_CLOSED] = {CLO, CLO, CLO, CLO, CLO, RST},
                    [TVS_S_RESET] = {RST, RST, RST, RST, RST, RST},
                },
        };

    return next[direction][state][event];
}

#endif
