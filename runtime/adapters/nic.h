/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of the NIC in front of the workers: which receive queue a frame comes out of. Written
 * from the meaning of the steering tables, bit by bit; the hardware, the TAP's program and the
 * software steering of the packet path are compared with it.
 */
#ifndef TVS_NIC_H
#define TVS_NIC_H

#include "tvs/generation.h"

/*
 * fdir: the first matching flow rule, else RSS (Toeplitz over addresses and ports of unfragmented
 * TCP and UDP, over the addresses of other IPv4), else queue 0. software: there is one queue.
 */
uint16_t tvs_nic_queue(const struct tvs_gen_steering *steering, const uint8_t *frame, size_t len);

#endif
