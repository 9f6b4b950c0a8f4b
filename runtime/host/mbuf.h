/* SPDX-License-Identifier: Apache-2.0 */
/* The DPDK adapter of the packet path: mbufs become frames, and frames mbufs again. */
#ifndef TVS_MBUF_H
#define TVS_MBUF_H

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "tvs/frame.h"

TVS_INLINE void tvs_frame_from_mbuf(struct tvs_frame *frame, struct rte_mbuf *mbuf, uint8_t port,
                                    uint8_t flags)
{
    if ((mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
        flags |= TVS_FRAME_IP_CSUM_GOOD;
    if (TVS_UNLIKELY(mbuf->nb_segs != 1))
        flags |= TVS_FRAME_NOT_CONTIGUOUS;
    frame->data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    frame->cookie = mbuf;
    frame->len = mbuf->data_len;
    frame->headroom = mbuf->data_off;
    frame->port_in = port;
    frame->flags = flags;
    frame->verdict = TVS_V_NONE;
    frame->arg = 0;
}

/* The mbuf as the path left it: it may have moved the start and changed the length. */
TVS_INLINE struct rte_mbuf *tvs_frame_to_mbuf(const struct tvs_frame *frame)
{
    struct rte_mbuf *mbuf = frame->cookie;

    if (TVS_LIKELY(mbuf->nb_segs == 1)) {
        mbuf->data_off = (uint16_t)(frame->data - (uint8_t *)mbuf->buf_addr);
        mbuf->data_len = frame->len;
        mbuf->pkt_len = frame->len;
    }
    return mbuf;
}

/* Headers of all before the first is parsed: the path touches them in its first pass. */
TVS_INLINE void tvs_mbufs_prefetch(struct rte_mbuf *const *mbufs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
}

#endif
