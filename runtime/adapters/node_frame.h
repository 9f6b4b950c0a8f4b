/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets become frames, and frames packets again: copies of their bytes, and the tags of ports
 * with a VLAN, which end and begin here as they do in the host.
 */
#ifndef TVS_NODE_FRAME_H
#define TVS_NODE_FRAME_H

#include "adapters/node.h"

/* Room for the frames of `n` packets; false: no memory. */
bool tvs_node_buffers_make(struct tvs_node *node, uint32_t n);
void tvs_node_buffers_free(struct tvs_node *node);

/*
 * The frame of packet `number`, which gets its queue. `data` is NULL of a frame that is not of its
 * port's VLAN: the packet is finished. 0, -EINVAL: no such port or worker, -ENOMEM.
 */
int tvs_node_packet_begin(struct tvs_node *node, struct tvs_node_packet *packet,
                          struct tvs_frame *frame, uint32_t number);

/* What `worker` made of it. 0 or -ENOMEM. */
int tvs_node_packet_finish(struct tvs_node *node, struct tvs_node_packet *packet,
                           const struct tvs_frame *frame, uint16_t worker);

#endif
