/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame is what an adapter gives to the packet path and takes back with a verdict. The path knows
 * no mbuf: DPDK, a capture file and a test all fill the same 32 bytes, so the machine code that the
 * tests run is the machine code that the NIC feeds.
 */
#ifndef TVS_FRAME_H
#define TVS_FRAME_H

#include "tvs/base.h"

enum tvs_verdict {
    TVS_V_NONE = 0,     /* not yet decided: never seen by an adapter after a burst */
    TVS_V_TX = 1,       /* send `data`/`len` on port `arg` */
    TVS_V_KERNEL = 2,   /* hand to the exception path, unchanged */
    TVS_V_HANDOVER = 3, /* give to worker `arg`, unchanged, with TVS_FRAME_HANDED set */
    TVS_V_DROP = 4,     /* free; `arg` is the enum tvs_drop */
    TVS_V_SYNC = 5,     /* give to tvs_sync_receive(), then free */
};

enum {
    TVS_FRAME_HANDED = 1 << 0,        /* came through another worker: never handed on again */
    TVS_FRAME_IP_CSUM_GOOD = 1 << 1,  /* the device verified the IPv4 header checksum */
    TVS_FRAME_NOT_CONTIGUOUS = 1 << 2 /* the frame goes on past `len` in another buffer */
};

/* What every adapter leaves before a frame: the path may put so much more at its front. */
enum { TVS_FRAME_HEADROOM = 8 };

struct tvs_frame {
    uint8_t *data;     /* first byte of the Ethernet header; the path may move it to the front */
    void *cookie;      /* the adapter's own: an mbuf, an index */
    uint16_t len;      /* bytes readable and writable at `data` */
    uint16_t headroom; /* bytes writable before `data`: TVS_FRAME_HEADROOM or more */
    uint8_t port_in;
    uint8_t flags;   /* TVS_FRAME_* */
    uint8_t verdict; /* enum tvs_verdict, out */
    uint8_t arg;     /* out: port, worker or drop reason, as the verdict says */
    uint64_t spare;
};
_Static_assert(sizeof(struct tvs_frame) == 32, "two frames per cache line");

#endif
