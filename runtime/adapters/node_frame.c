/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/node_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nic.h"
#include "core/vlan.h"

enum { HEADROOM = 128, BUFFERS_OF_PACKET = 2 /* as it came in, as it goes out tagged */ };

bool tvs_node_buffers_make(struct tvs_node *node, uint32_t n)
{
    node->buffers = calloc(BUFFERS_OF_PACKET * (size_t)n + 1, sizeof(uint8_t *));
    return node->buffers != NULL;
}

void tvs_node_buffers_free(struct tvs_node *node)
{
    for (uint32_t i = 0; i < node->n_buffers; i++)
        free(node->buffers[i]);
    free(node->buffers);
    node->buffers = NULL;
    node->n_buffers = 0;
}

static uint8_t *buffer_make(struct tvs_node *node, size_t bytes)
{
    uint8_t *buffer = malloc(bytes);

    if (buffer)
        node->buffers[node->n_buffers++] = buffer;
    return buffer;
}

static uint16_t vlan_of(const struct tvs_node *node, uint8_t port)
{
    return node->generation->ports[port].vlan;
}

/* Addresses, then what follows the tag if there is one: a copy without the tag, byte by byte. */
static void copy_untagged(uint8_t *to, const uint8_t *from, uint16_t len, uint16_t tag_bytes)
{
    uint16_t macs = len < TVS_MACS_BYTES ? len : TVS_MACS_BYTES;

    if (macs)
        memcpy(to, from, macs);
    if (len > macs)
        memcpy(to + macs, from + macs + tag_bytes, len - (size_t)macs);
}

static int frame_make(struct tvs_node *node, struct tvs_frame *frame,
                      const struct tvs_node_packet *packet, uint32_t number)
{
    uint16_t headroom = node->config.exact_frames ? TVS_FRAME_HEADROOM : HEADROOM;
    uint16_t tag_bytes = vlan_of(node, packet->port_in) ? TVS_VLAN_BYTES : 0;
    uint16_t all = (uint16_t)(packet->len < UINT16_MAX ? packet->len : UINT16_MAX);
    uint16_t len = (uint16_t)(all - tag_bytes);
    uint8_t *buffer = buffer_make(node, (size_t)headroom + len);

    if (!buffer)
        return -ENOMEM;
    copy_untagged(buffer + headroom, packet->data, len, tag_bytes);
    *frame = (struct tvs_frame){
        .data = buffer + headroom,
        .cookie = (void *)(uintptr_t)number,
        .len = len,
        .headroom = headroom,
        .port_in = packet->port_in,
        .flags = packet->len > UINT16_MAX ? TVS_FRAME_NOT_CONTIGUOUS : 0,
    };
    return 0;
}

static void end_outside(struct tvs_node *node, struct tvs_node_packet *packet)
{
    if (packet->rx_worker == TVS_NODE_STEER)
        packet->rx_worker = 0;
    packet->worker = packet->rx_worker;
    packet->verdict = TVS_V_NONE;
    packet->arg = 0;
    packet->result = packet->data;
    packet->result_len = packet->len;
    node->n_other_vlan++;
}

/* The NIC's steering looks past a tag, so its model is asked about the frame without one. */
int tvs_node_packet_begin(struct tvs_node *node, struct tvs_node_packet *packet,
                          struct tvs_frame *frame, uint32_t number)
{
    bool outside;
    int rc = 0;

    if (packet->port_in >= node->generation->n_ports)
        return -EINVAL;
    outside = vlan_of(node, packet->port_in) &&
              !tvs_vlan_tagged(packet->data, packet->len, vlan_of(node, packet->port_in));
    *frame = (struct tvs_frame){.data = NULL};
    if (outside)
        end_outside(node, packet);
    else
        rc = frame_make(node, frame, packet, number);
    if (rc)
        return rc;
    if (packet->rx_worker == TVS_NODE_STEER)
        packet->rx_worker = tvs_nic_queue(&node->generation->steering, frame->data, frame->len);
    return packet->rx_worker < node->n_workers ? 0 : -EINVAL;
}

int tvs_node_packet_finish(struct tvs_node *node, struct tvs_node_packet *packet,
                           const struct tvs_frame *frame, uint16_t worker)
{
    uint16_t vlan = frame->verdict == TVS_V_TX ? vlan_of(node, frame->arg) : 0;
    uint8_t *tagged;

    packet->verdict = frame->verdict;
    packet->arg = frame->arg;
    packet->worker = worker;
    packet->result = frame->data;
    packet->result_len = frame->len;
    if (vlan == 0)
        return 0;
    tagged = buffer_make(node, (size_t)TVS_VLAN_BYTES + frame->len);
    if (!tagged)
        return -ENOMEM;
    memcpy(tagged + TVS_VLAN_BYTES, frame->data, frame->len);
    packet->result = tvs_vlan_insert(tagged + TVS_VLAN_BYTES, vlan);
    packet->result_len += TVS_VLAN_BYTES;
    return 0;
}

bool tvs_node_is_unchanged(const struct tvs_node *node, const struct tvs_node_packet *packet)
{
    bool as_it_came = packet->verdict == TVS_V_NONE || vlan_of(node, packet->port_in) == 0;
    uint32_t tag_bytes = as_it_came ? 0 : TVS_VLAN_BYTES;
    uint32_t macs = packet->len < TVS_MACS_BYTES ? packet->len : TVS_MACS_BYTES;

    return packet->result_len + tag_bytes == packet->len &&
           memcmp(packet->result, packet->data, macs) == 0 &&
           memcmp(packet->result + macs, packet->data + macs + tag_bytes,
                  packet->result_len - macs) == 0;
}
