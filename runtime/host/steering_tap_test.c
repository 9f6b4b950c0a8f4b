/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the kernel to run the steering program on packets whose queue is known: from the rules by a
 * plain search, from the hash by tvs_toeplitz(). A kernel whose packets look other than the program
 * expects is found out here, before a packet of a user is.
 */
#include <errno.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include "log.h"
#include "steering_tap.h"
#include "tvs/core.h"

enum { RANDOM_PACKETS = 256, RULE_PACKETS = 512 };

/* A test run takes the Ethernet header off, a TAP's queue selection does not: so give it two. */
struct packet {
    struct ethhdr taken_off;
    struct ethhdr eth;
    uint8_t rest[4 + 24 + 8]; /* perhaps a tag; header, perhaps with options; ports, more */
} __attribute__((packed));

struct flow {
    struct tvs_tuple tuple;
    uint8_t proto;
    bool fragment;
    bool options;
    bool tag; /* in the packet: one beside it is nothing that the program sees */
};

static void packet_fill(struct packet *packet, const struct flow *flow)
{
    const uint16_t tag[2] = {htons(1), htons(ETH_P_IP)};
    unsigned header_bytes = flow->options ? 24 : 20;
    uint8_t *at = packet->rest + (flow->tag ? sizeof tag : 0);
    struct iphdr ip = {
        .version = 4,
        .ihl = header_bytes / 4 & 0xf,
        .ttl = 64,
        .tot_len = htons((uint16_t)(header_bytes + 8)),
        .protocol = flow->proto,
        .frag_off = htons(flow->fragment ? 0x2000 : 0x4000),
        .saddr = flow->tuple.saddr_be,
        .daddr = flow->tuple.daddr_be,
    };

    memset(packet, 0, sizeof *packet);
    packet->taken_off.h_proto = htons(ETH_P_802_EX1);
    packet->eth.h_proto = htons(flow->tag ? ETH_P_8021Q : ETH_P_IP);
    if (flow->tag)
        memcpy(packet->rest, tag, sizeof tag);
    memcpy(at, &ip, sizeof ip);
    memcpy(at + header_bytes, &flow->tuple.sport_be, 4);
}

static uint32_t expect(const struct tvs_gen_steering *steering, const struct flow *flow)
{
    uint32_t address = ntohl(flow->tuple.daddr_be);
    bool ports = !flow->fragment && (flow->proto == TVS_TCP || flow->proto == TVS_UDP);
    const struct tvs_gen_rule *best = NULL;
    uint32_t hash;

    for (uint32_t i = 0; i < steering->n_rules; i++) {
        const struct tvs_gen_rule *rule = &steering->rules[i];

        if ((address & rule->mask) != (rule->address & rule->mask) ||
            (rule->proto != 0 && rule->proto != flow->proto))
            continue;
        if (best == NULL || rule->mask > best->mask ||
            (rule->mask == best->mask && rule->proto > best->proto))
            best = rule;
    }
    if (best != NULL)
        return best->worker;
    hash = tvs_toeplitz(steering->key, (const uint8_t *)&flow->tuple, ports ? 12 : 8);
    return steering->reta[hash & (steering->reta_size - 1U)];
}

static int check(const struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering,
                 const struct flow *flow)
{
    struct packet packet;
    uint32_t want = expect(steering, flow);
    uint32_t got = 0;
    int error;

    packet_fill(&packet, flow);
    error = tvs_bpf_run(tap->program, &packet, sizeof packet, &got);
    if (error < 0) {
        tvs_error("the kernel does not run the steering program: %s", strerror(-error));
        return error;
    }
    if (got != want) {
        tvs_error("steering program: packet to 0x%08x protocol %u%s%s%s goes to queue %u, not %u",
                  ntohl(flow->tuple.daddr_be), flow->proto, flow->fragment ? ", a fragment" : "",
                  flow->options ? ", with options" : "", flow->tag ? ", with a tag" : "", got,
                  want);
        return -EIO;
    }
    return 0;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

static struct flow random_flow(const struct tvs_tap_steering *tap, uint64_t *state)
{
    static const uint8_t protos[] = {TVS_TCP, TVS_UDP, TVS_TCP, TVS_ICMP};

    return (struct flow){
        .tuple = {.saddr_be = next_random(state),
                  .daddr_be = next_random(state),
                  .sport_be = (uint16_t)next_random(state),
                  .dport_be = (uint16_t)next_random(state)},
        .proto = protos[next_random(state) % 4],
        .fragment = next_random(state) % 8 == 0,
        .options = next_random(state) % 8 == 0,
        .tag = tap->tagged && next_random(state) % 2 == 0,
    };
}

int tvs_tap_test(const struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering)
{
    uint64_t state = 1;
    uint32_t step = steering->n_rules / RULE_PACKETS + 1;
    int error = 0;

    for (uint32_t i = 0; error == 0 && i < RANDOM_PACKETS; i++) {
        struct flow flow = random_flow(tap, &state);

        error = check(tap, steering, &flow);
    }
    for (uint32_t i = 0; error == 0 && i < steering->n_rules; i += step) {
        const struct tvs_gen_rule *rule = &steering->rules[i];
        struct flow flow = random_flow(tap, &state);
        uint32_t host_part = next_random(&state) & ~rule->mask;

        flow.tuple.daddr_be = htonl((rule->address & rule->mask) | host_part);
        if (rule->proto != 0)
            flow.proto = rule->proto;
        error = check(tap, steering, &flow);
    }
    return error;
}
