/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A site's packet path with every decision taken at run time. `tvsc bench` puts this behind a
 * generated path.c, in which `site` and the classes are constants, and names the classes in
 * GENERIC_CLASSES. The same path runs over copies of them of which the compiler knows nothing.
 */
#ifndef TVS_BENCH_GENERIC_H
#define TVS_BENCH_GENERIC_H

#include "core/path.h"

static const struct tvs_class *const generic_listed[] = {GENERIC_CLASSES};
enum { GENERIC_N_CLASSES = sizeof(generic_listed) / sizeof(generic_listed[0]) };
static struct tvs_class generic_classes[GENERIC_N_CLASSES];

__attribute__((constructor)) static void generic_fill(void)
{
    for (unsigned i = 0; i < GENERIC_N_CLASSES; i++)
        generic_classes[i] = *generic_listed[i];
}

/* The same pointer, as something that could point anywhere. */
TVS_INLINE const void *generic_seen(const void *pointer)
{
    __asm__ volatile("" : "+r"(pointer));
    return pointer;
}

TVS_INLINE enum tvs_request_result generic_request(uint8_t class_id, struct tvs_worker *worker,
                                                   struct tvs_frame *frame,
                                                   const struct tvs_packet *packet,
                                                   struct tvs_record *record)
{
    if (TVS_LIKELY(class_id < GENERIC_N_CLASSES))
        return tvs_class_request(generic_seen(&generic_classes[class_id]), worker, frame, packet,
                                 record);
    tvs_drop(worker, frame, TVS_DROP_service_removed);
    return TVS_REQUEST_DONE;
}

TVS_INLINE void generic_reply(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                              const struct tvs_packet *packet, struct tvs_record *record)
{
    if (TVS_LIKELY(class_id < GENERIC_N_CLASSES))
        tvs_class_reply(generic_seen(&generic_classes[class_id]), worker, frame, packet, record);
    else
        tvs_drop(worker, frame, TVS_DROP_service_removed);
}

TVS_INLINE void generic_open(uint8_t class_id, struct tvs_worker *worker, struct tvs_frame *frame,
                             const struct tvs_packet *packet, const struct tvs_vip_entry *vip)
{
    if (TVS_LIKELY(class_id < GENERIC_N_CLASSES))
        tvs_class_open(generic_seen(&generic_classes[class_id]), generic_seen(&path_site), worker,
                       frame, packet, vip);
    else
        tvs_drop(worker, frame, TVS_DROP_vip_no_listener);
}

void tvs_node_burst(struct tvs_worker *worker, struct tvs_frame *frames, unsigned n);

void tvs_node_burst(struct tvs_worker *worker, struct tvs_frame *frames, unsigned n)
{
    static const struct tvs_dispatch dispatch = {
        .request = generic_request,
        .reply = generic_reply,
        .open = generic_open,
    };

    tvs_path_burst(generic_seen(&path_site), &dispatch, worker, frames, n);
}

#endif
