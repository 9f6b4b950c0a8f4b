/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A NIC's steering as an eBPF program: flow director first, then RSS.
 *
 *   a tag, on a port with a VLAN              -> is stepped over
 *   not IPv4                                  -> queue 0
 *   (destination & mask, shape) in `rules`    -> its queue
 *   TCP, UDP, whole                           -> reta[toeplitz(addresses, ports) & (size - 1)]
 *   other protocols, fragments                -> reta[toeplitz(addresses) & (size - 1)]
 *
 * It is what an 82599 does with the same key, table and rules. A virtual device has none of it, and
 * without it a lab could not show that request and reply of a session meet on one worker. The
 * program is written as instructions, not compiled, so that a node needs no clang.
 */
#include <errno.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "steering_tap.h"
#include "tvs/base.h"

enum { R0, R1, R2, R3, R4, R5, PACKET, HASH, KEY, L4, FRAME };
enum { L3 = HASH }; /* where IPv4 begins, until there is a hash */
enum { LABEL_ZERO, LABEL_HASHED, LABEL_GROUP, LABEL_UNTAGGED };

/* The program's stack, below FRAME. */
enum { AT_TYPE = -8, AT_IP = -32, AT_PORTS = -40, AT_INDEX = -48 };
enum {
    TAG_BYTES = 4,
    IP_BYTES = 20,
    IP_FRAGMENT = 6,
    IP_PROTO = 9,
    IP_SOURCE = 12,
    IP_DESTINATION = 16
};

#define ALU(op, dst, imm)          tvs_bpf_emit(code, BPF_ALU64 | (op) | BPF_K, dst, 0, 0, imm)
#define ALU_REG(op, dst, src)      tvs_bpf_emit(code, BPF_ALU64 | (op) | BPF_X, dst, src, 0, 0)
#define ALU32(op, dst, imm)        tvs_bpf_emit(code, BPF_ALU | (op) | BPF_K, dst, 0, 0, imm)
#define LOAD(size, dst, src, off)  tvs_bpf_emit(code, BPF_LDX | BPF_MEM | (size), dst, src, off, 0)
#define STORE(size, dst, off, src) tvs_bpf_emit(code, BPF_STX | BPF_MEM | (size), dst, src, off, 0)
#define FROM_BE32(dst)             tvs_bpf_emit(code, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, 32)
#define JUMP(op, dst, imm, label)  tvs_bpf_emit_jump(code, op, dst, imm, label)
#define EXIT()                     tvs_bpf_emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* stack[at..] = packet[R2..]; what lies beyond the packet's end goes to `label`. */
static void emit_load_packet(struct tvs_bpf_code *code, int16_t at, int32_t bytes, int label)
{
    ALU_REG(BPF_MOV, R1, PACKET);
    ALU_REG(BPF_MOV, R3, FRAME);
    ALU(BPF_ADD, R3, at);
    ALU(BPF_MOV, R4, bytes);
    tvs_bpf_emit_call(code, BPF_FUNC_skb_load_bytes);
    JUMP(BPF_JNE, R0, 0, label);
}

/* R0 = &map[stack at AT_INDEX], or on to `label`. */
static void emit_lookup(struct tvs_bpf_code *code, int map, int label)
{
    tvs_bpf_emit_map(code, R1, map);
    ALU_REG(BPF_MOV, R2, FRAME);
    ALU(BPF_ADD, R2, AT_INDEX);
    tvs_bpf_emit_call(code, BPF_FUNC_map_lookup_elem);
    JUMP(BPF_JEQ, R0, 0, label);
}

/*
 * A VLAN device of the kernel keeps the tag beside the packet, as a TAP can take it there; a packet
 * socket may have it in the packet. The reader of the TAP gets it in the packet either way.
 */
static void emit_step_over_tag(struct tvs_bpf_code *code)
{
    LOAD(BPF_H, R1, FRAME, AT_TYPE);
    JUMP(BPF_JNE, R1, htons(ETH_P_8021Q), LABEL_UNTAGGED);
    ALU(BPF_MOV, R2, offsetof(struct ethhdr, h_proto) + TAG_BYTES);
    emit_load_packet(code, AT_TYPE, 2, LABEL_ZERO);
    ALU(BPF_ADD, L3, TAG_BYTES);
    tvs_bpf_label(code, LABEL_UNTAGGED);
}

/* Leaves L3 and L4 as offsets into the packet. */
static void emit_headers(struct tvs_bpf_code *code, const struct tvs_tap_steering *tap)
{
    ALU_REG(BPF_MOV, PACKET, R1);
    ALU(BPF_MOV, L3, ETH_HLEN);
    ALU(BPF_MOV, R2, offsetof(struct ethhdr, h_proto));
    emit_load_packet(code, AT_TYPE, 2, LABEL_ZERO);
    if (tap->tagged)
        emit_step_over_tag(code);
    LOAD(BPF_H, R1, FRAME, AT_TYPE);
    JUMP(BPF_JNE, R1, htons(ETH_P_IP), LABEL_ZERO);
    ALU_REG(BPF_MOV, R2, L3);
    emit_load_packet(code, AT_IP, IP_BYTES, LABEL_ZERO);
    LOAD(BPF_B, L4, FRAME, AT_IP);
    ALU_REG(BPF_MOV, R1, L4);
    ALU(BPF_RSH, R1, 4);
    JUMP(BPF_JNE, R1, 4, LABEL_ZERO);
    ALU(BPF_AND, L4, 0xf);
    ALU(BPF_LSH, L4, 2);
    JUMP(BPF_JLT, L4, IP_BYTES, LABEL_ZERO);
    ALU_REG(BPF_ADD, L4, L3);
}

static void emit_flow_director(struct tvs_bpf_code *code, const struct tvs_tap_steering *tap)
{
    for (uint32_t i = 0; i < tap->n_groups; i++) {
        if (tap->group[i].proto != 0) {
            LOAD(BPF_B, R1, FRAME, AT_IP + IP_PROTO);
            JUMP(BPF_JNE, R1, tap->group[i].proto, LABEL_GROUP);
        }
        LOAD(BPF_W, R1, FRAME, AT_IP + IP_DESTINATION);
        ALU32(BPF_AND, R1, (int32_t)htonl(tap->group[i].mask));
        STORE(BPF_W, FRAME, AT_INDEX, R1);
        ALU(BPF_MOV, R1, (int32_t)i);
        STORE(BPF_W, FRAME, AT_INDEX + 4, R1);
        emit_lookup(code, tap->rules_map, LABEL_GROUP);
        LOAD(BPF_W, R0, R0, 0);
        EXIT();
        tvs_bpf_label(code, LABEL_GROUP);
    }
}

/*
 * HASH ^= the key's window for every bit that is set in R4, 32 bits of input from key byte `at` on.
 * Windows are kept in the upper half of a register: shifted out to the left, no mask is needed.
 */
static void emit_toeplitz_word(struct tvs_bpf_code *code, int16_t at)
{
    LOAD(BPF_W, R5, KEY, at);
    FROM_BE32(R5);
    LOAD(BPF_W, R0, KEY, at + 4);
    FROM_BE32(R0);
    ALU(BPF_LSH, R5, 32);
    ALU_REG(BPF_OR, R5, R0);
    FROM_BE32(R4);
    ALU(BPF_LSH, R4, 32);
    for (unsigned bit = 0; bit < 32; bit++) {
        ALU_REG(BPF_MOV, R0, R4);
        ALU(BPF_ARSH, R0, 63); /* all ones when the bit is set */
        ALU_REG(BPF_AND, R0, R5);
        ALU_REG(BPF_XOR, HASH, R0);
        ALU(BPF_LSH, R5, 1);
        ALU(BPF_LSH, R4, 1);
    }
}

static void emit_rss(struct tvs_bpf_code *code, const struct tvs_tap_steering *tap,
                     uint32_t reta_mask)
{
    ALU(BPF_MOV, HASH, 0);
    STORE(BPF_W, FRAME, AT_INDEX, HASH);
    emit_lookup(code, tap->key_map, LABEL_ZERO);
    ALU_REG(BPF_MOV, KEY, R0);
    LOAD(BPF_W, R4, FRAME, AT_IP + IP_SOURCE);
    emit_toeplitz_word(code, 0);
    LOAD(BPF_W, R4, FRAME, AT_IP + IP_DESTINATION);
    emit_toeplitz_word(code, 4);

    LOAD(BPF_H, R1, FRAME, AT_IP + IP_FRAGMENT);
    ALU(BPF_AND, R1, htons(0x3fff)); /* more to come, or not the first */
    JUMP(BPF_JNE, R1, 0, LABEL_HASHED);
    LOAD(BPF_B, R1, FRAME, AT_IP + IP_PROTO);
    tvs_bpf_emit(code, BPF_JMP | BPF_JEQ | BPF_K, R1, 0, 1, TVS_TCP); /* over the next jump */
    JUMP(BPF_JNE, R1, TVS_UDP, LABEL_HASHED);
    ALU_REG(BPF_MOV, R2, L4);
    emit_load_packet(code, AT_PORTS, 4, LABEL_HASHED);
    LOAD(BPF_W, R4, FRAME, AT_PORTS);
    emit_toeplitz_word(code, 8);

    tvs_bpf_label(code, LABEL_HASHED);
    ALU(BPF_RSH, HASH, 32);
    ALU(BPF_AND, HASH, (int32_t)reta_mask);
    STORE(BPF_W, FRAME, AT_INDEX, HASH);
    emit_lookup(code, tap->reta_map, LABEL_ZERO);
    LOAD(BPF_W, R0, R0, 0);
    EXIT();
}

int tvs_tap_program(const struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering,
                    struct tvs_bpf_code *code)
{
    code->n = 0;
    code->n_jumps = 0;
    code->error = 0;
    emit_headers(code, tap);
    emit_flow_director(code, tap);
    emit_rss(code, tap, steering->reta_size - 1U);
    tvs_bpf_label(code, LABEL_ZERO);
    ALU(BPF_MOV, R0, 0);
    EXIT();
    return code->error;
}

static int by_priority(const void *left, const void *right)
{
    const struct tvs_tap_group *a = left;
    const struct tvs_tap_group *b = right;

    if (a->mask != b->mask)
        return a->mask > b->mask ? -1 : 1;
    return (int)b->proto - (int)a->proto;
}

int tvs_tap_group(struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering)
{
    tap->n_groups = 0;
    for (uint32_t i = 0; i < steering->n_rules; i++) {
        const struct tvs_gen_rule *rule = &steering->rules[i];

        if (tvs_tap_group_of(tap, rule) < tap->n_groups)
            continue;
        if (tap->n_groups == TVS_TAP_MAX_GROUPS)
            return -E2BIG;
        tap->group[tap->n_groups++] =
            (struct tvs_tap_group){.mask = rule->mask, .proto = rule->proto};
    }
    qsort(tap->group, tap->n_groups, sizeof tap->group[0], by_priority);
    return 0;
}

uint32_t tvs_tap_group_of(const struct tvs_tap_steering *tap, const struct tvs_gen_rule *rule)
{
    uint32_t i = 0;

    while (i < tap->n_groups &&
           (tap->group[i].mask != rule->mask || tap->group[i].proto != rule->proto))
        i++;
    return i;
}
