/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a TAP device that lives as long as its descriptor. */
#ifndef TVS_TAP_H
#define TVS_TAP_H

/*
 * Returns the descriptor, non-blocking, or negative errno. -EBUSY: another process has the name.
 * Frames without any header before them: the kernel then finishes checksums and segments itself
 * before it gives a frame out.
 */
int tvs_tap_open(const char *name, unsigned *ifindex);

#endif
