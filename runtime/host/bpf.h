/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little of eBPF that steering a TAP needs: maps, a program from instructions, running it on a
 * packet. Straight through bpf(2), so that neither clang nor libbpf is on the node.
 */
#ifndef TVS_BPF_H
#define TVS_BPF_H

#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

/* All return a descriptor or 0, or negative errno. */
int tvs_bpf_map(enum bpf_map_type type, const char *name, uint32_t key_bytes, uint32_t value_bytes,
                uint32_t entries);
int tvs_bpf_set(int map, const void *key, const void *value);
int tvs_bpf_get(int map, const void *key, void *value);
int tvs_bpf_load(const struct bpf_insn *insns, uint32_t n, const char *name, char *log,
                 uint32_t log_bytes);
/* Runs the program once on `packet` as the network stack would; `result` is what it returned. */
int tvs_bpf_run(int program, const void *packet, uint32_t packet_bytes, uint32_t *result);

/* Instructions one after the other; jumps go forward to a label that is placed later. */
enum { TVS_BPF_MAX_INSNS = 2048, TVS_BPF_MAX_JUMPS = 256 };
struct tvs_bpf_code {
    struct bpf_insn insn[TVS_BPF_MAX_INSNS];
    uint32_t n;
    struct {
        uint32_t at;
        int label;
    } jump[TVS_BPF_MAX_JUMPS];
    uint32_t n_jumps;
    int error; /* -E2BIG: did not fit */
};

void tvs_bpf_emit(struct tvs_bpf_code *code, uint8_t op, uint8_t dst, uint8_t src, int16_t off,
                  int32_t imm);
void tvs_bpf_emit_jump(struct tvs_bpf_code *code, uint8_t op, uint8_t dst, int32_t imm, int label);
void tvs_bpf_emit_map(struct tvs_bpf_code *code, uint8_t dst, int map);
void tvs_bpf_emit_call(struct tvs_bpf_code *code, int32_t helper);
/* Here is `label`: every jump to it so far lands on the next instruction. */
void tvs_bpf_label(struct tvs_bpf_code *code, int label);

#endif
