/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
    long result = syscall(__NR_bpf, command, attr, sizeof *attr);

    return result < 0 ? -errno : (int)result;
}

static uint64_t address(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

int tvs_bpf_map(enum bpf_map_type type, const char *name, uint32_t key_bytes, uint32_t value_bytes,
                uint32_t entries)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_type = type;
    attr.key_size = key_bytes;
    attr.value_size = value_bytes;
    attr.max_entries = entries;
    snprintf(attr.map_name, sizeof attr.map_name, "%s", name);
    return bpf(BPF_MAP_CREATE, &attr);
}

int tvs_bpf_set(int map, const void *key, const void *value)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)map;
    attr.key = address(key);
    attr.value = address(value);
    return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

int tvs_bpf_get(int map, const void *key, void *value)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)map;
    attr.key = address(key);
    attr.value = address(value);
    return bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

int tvs_bpf_load(const struct bpf_insn *insns, uint32_t n, const char *name, char *log,
                 uint32_t log_bytes)
{
    union bpf_attr attr;
    int fd;

    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insns = address(insns);
    attr.insn_cnt = n;
    attr.license = address("Apache-2.0");
    snprintf(attr.prog_name, sizeof attr.prog_name, "%s", name);
    log[0] = '\0';
    fd = bpf(BPF_PROG_LOAD, &attr);
    if (fd == -EINVAL || fd == -EACCES) {
        /* once more, for the verifier's words */
        attr.log_level = 1;
        attr.log_buf = address(log);
        attr.log_size = log_bytes;
        fd = bpf(BPF_PROG_LOAD, &attr);
    }
    return fd;
}

int tvs_bpf_run(int program, const void *packet, uint32_t packet_bytes, uint32_t *result)
{
    union bpf_attr attr;
    int error;

    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = (uint32_t)program;
    attr.test.data_in = address(packet);
    attr.test.data_size_in = packet_bytes;
    attr.test.repeat = 1;
    error = bpf(BPF_PROG_TEST_RUN, &attr);
    *result = attr.test.retval;
    return error;
}

void tvs_bpf_emit(struct tvs_bpf_code *code, uint8_t op, uint8_t dst, uint8_t src, int16_t off,
                  int32_t imm)
{
    if (code->n >= TVS_BPF_MAX_INSNS) {
        code->error = -E2BIG;
        return;
    }
    code->insn[code->n++] = (struct bpf_insn){
        .code = op, .dst_reg = dst & 0xf, .src_reg = src & 0xf, .off = off, .imm = imm};
}

void tvs_bpf_emit_jump(struct tvs_bpf_code *code, uint8_t op, uint8_t dst, int32_t imm, int label)
{
    if (code->n_jumps >= TVS_BPF_MAX_JUMPS) {
        code->error = -E2BIG;
        return;
    }
    code->jump[code->n_jumps].at = code->n;
    code->jump[code->n_jumps++].label = label;
    tvs_bpf_emit(code, BPF_JMP | op | BPF_K, dst, 0, 0, imm);
}

void tvs_bpf_emit_map(struct tvs_bpf_code *code, uint8_t dst, int map)
{
    tvs_bpf_emit(code, BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, map);
    tvs_bpf_emit(code, 0, 0, 0, 0, 0);
}

void tvs_bpf_emit_call(struct tvs_bpf_code *code, int32_t helper)
{
    tvs_bpf_emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

void tvs_bpf_label(struct tvs_bpf_code *code, int label)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < code->n_jumps; i++) {
        if (code->jump[i].label == label)
            code->insn[code->jump[i].at].off = (int16_t)(code->n - code->jump[i].at - 1);
        else
            code->jump[left++] = code->jump[i];
    }
    code->n_jumps = left;
}
