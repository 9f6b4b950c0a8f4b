/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/traffic.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/csum.h"

enum { PORTS_PER_CLIENT = 4 };

/* xorshift64 */
static uint64_t random64(struct bench_traffic *traffic)
{
    traffic->random ^= traffic->random << 13;
    traffic->random ^= traffic->random >> 7;
    traffic->random ^= traffic->random << 17;
    return traffic->random;
}

uint32_t bench_random(struct bench_traffic *traffic, uint32_t below)
{
    return (uint32_t)((random64(traffic) >> 32) * below >> 32);
}

static bool steered_here(const struct bench_traffic *traffic, const struct bench_flow *flow)
{
    const struct tvs_gen_steering *steering = traffic->steering;
    uint32_t tuple[3] = {flow->client_be, traffic->vip_be,
                         (uint32_t)traffic->vip_port_be << 16 | flow->client_port_be};

    if (steering->mode != TVS_STEER_SOFTWARE)
        return true;
    return steering->reta[tvs_toeplitz(steering->key, (const uint8_t *)tuple, sizeof(tuple)) &
                          (steering->reta_size - 1U)] == traffic->worker;
}

struct bench_flow bench_flow_fresh(struct bench_traffic *traffic)
{
    struct bench_flow flow = {0};

    do {
        uint32_t number = traffic->next_client++;

        flow.client_be = htobe32(0x64400000 + number / PORTS_PER_CLIENT);
        flow.client_port_be = htobe16((uint16_t)(1024 + number % PORTS_PER_CLIENT * 7777));
    } while (!steered_here(traffic, &flow));
    return flow;
}

void bench_flows_shuffle(struct bench_traffic *traffic)
{
    for (uint32_t i = traffic->n_flows; i > 1; i--) {
        uint32_t j = bench_random(traffic, i);
        struct bench_flow flow = traffic->flows[i - 1];

        traffic->flows[i - 1] = traffic->flows[j];
        traffic->flows[j] = flow;
    }
}

int bench_pattern_set(struct bench_traffic *traffic, enum bench_pattern pattern)
{
    double sum = 0;

    traffic->pattern = pattern;
    free(traffic->zipf);
    traffic->zipf = NULL;
    if (pattern != BENCH_ZIPF)
        return 0;
    traffic->zipf = malloc(traffic->n_flows * sizeof(double));
    if (traffic->zipf == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < traffic->n_flows; i++) {
        sum += 1.0 / (i + 1.0);
        traffic->zipf[i] = sum;
    }
    return 0;
}

uint32_t bench_flow_pick(struct bench_traffic *traffic)
{
    uint32_t low = 0, high = traffic->n_flows - 1;
    double at;

    if (traffic->pattern == BENCH_ONE)
        return 0;
    if (traffic->pattern == BENCH_UNIFORM)
        return bench_random(traffic, traffic->n_flows);
    at = (double)(random64(traffic) >> 11) * 0x1p-53 * traffic->zipf[high];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (traffic->zipf[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void write_frame(const struct bench_traffic *traffic, uint8_t *frame, uint32_t frame_bytes,
                        const struct tvs_tuple *tuple, uint8_t flags)
{
    struct tvs_ip4 *ip = (struct tvs_ip4 *)(frame + TVS_ETH_BYTES);
    uint16_t ip_bytes = (uint16_t)(frame_bytes - TVS_ETH_BYTES);
    uint16_t l4_bytes = (uint16_t)(ip_bytes - TVS_IP4_BYTES);

    memset(frame, 0, BENCH_MIN_FRAME);
    frame[0] = 0x02;
    frame[12] = 0x08;
    *ip = (struct tvs_ip4){
        .version_ihl = 0x45,
        .total_len_be = htobe16(ip_bytes),
        .ttl = 64,
        .proto = traffic->proto,
        .saddr_be = tuple->saddr_be,
        .daddr_be = tuple->daddr_be,
    };
    ip->csum = (uint16_t)~tvs_csum_fold(tvs_csum_sum(ip, TVS_IP4_BYTES));
    if (traffic->proto == TVS_TCP)
        *(struct tvs_tcp *)(ip + 1) = (struct tvs_tcp){.sport_be = tuple->sport_be,
                                                       .dport_be = tuple->dport_be,
                                                       .data_offset = 5 << 4,
                                                       .flags = flags,
                                                       .csum = 0x1234};
    else
        *(struct tvs_udp *)(ip + 1) = (struct tvs_udp){.sport_be = tuple->sport_be,
                                                       .dport_be = tuple->dport_be,
                                                       .len_be = htobe16(l4_bytes),
                                                       .csum = 0x1234};
}

struct tvs_tuple bench_flow_tuple(const struct bench_traffic *traffic,
                                  const struct bench_flow *flow, bool is_reply)
{
    if (is_reply)
        return (struct tvs_tuple){.saddr_be = flow->server_be,
                                  .daddr_be = flow->local_be,
                                  .sport_be = flow->server_port_be,
                                  .dport_be = flow->local_port_be};
    return (struct tvs_tuple){.saddr_be = flow->client_be,
                              .daddr_be = traffic->vip_be,
                              .sport_be = flow->client_port_be,
                              .dport_be = traffic->vip_port_be};
}

void bench_write_request(const struct bench_traffic *traffic, uint8_t *frame, uint32_t frame_bytes,
                         const struct bench_flow *flow, uint8_t flags)
{
    const struct tvs_tuple tuple = bench_flow_tuple(traffic, flow, false);

    write_frame(traffic, frame, frame_bytes, &tuple, flags);
}

void bench_write_reply(const struct bench_traffic *traffic, uint8_t *frame, uint32_t frame_bytes,
                       const struct bench_flow *flow, uint8_t flags)
{
    const struct tvs_tuple tuple = bench_flow_tuple(traffic, flow, true);

    write_frame(traffic, frame, frame_bytes, &tuple, flags);
}

void bench_flow_learn(struct bench_flow *flow, const uint8_t *frame)
{
    const struct tvs_ip4 *ip = (const struct tvs_ip4 *)(frame + TVS_ETH_BYTES);
    const struct tvs_udp *udp = (const struct tvs_udp *)(ip + 1);

    flow->local_be = ip->saddr_be;
    flow->server_be = ip->daddr_be;
    flow->local_port_be = udp->sport_be;
    flow->server_port_be = udp->dport_be;
}
