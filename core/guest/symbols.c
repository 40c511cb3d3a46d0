/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/symbols.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "guest/kernaddrs.h"

#define INSN(CODE, DST, SRC, OFF, IMM)                                                             \
	((struct bpf_insn){ .code = (CODE),                                                        \
			    .dst_reg = (DST),                                                      \
			    .src_reg = (SRC),                                                      \
			    .off = (int16_t)(OFF),                                                 \
			    .imm = (int32_t)(IMM) })

static long bpf_call(enum bpf_cmd command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* What the program below works on. */
struct lookup {
	char name[SYMBOL_NAME_MAX + 1];
	uint64_t address;
};

#define WORDS ((SYMBOL_NAME_MAX + 1) / 8)
/* On the program's stack: the name, and below it the result. */
#define NAME_AT (-(SYMBOL_NAME_MAX + 1))
#define RESULT_AT (NAME_AT - 8)
#define INSNS_MAX (2 * WORDS + 16)

/* Copy the name to the stack, look it up, and hand back the result. */
static uint32_t make_program(uint32_t name_size, struct bpf_insn *program)
{
	struct bpf_insn *at = program;

	*at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0); /* the context */
	for (int i = 0; i < WORDS; i++) {
		*at++ = INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_6, 8 * i, 0);
		*at++ = INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_2, NAME_AT + 8 * i, 0);
	}
	*at++ = INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, RESULT_AT, 0);
	*at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_10, 0, 0);
	*at++ = INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, NAME_AT);
	*at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, name_size);
	*at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0);
	*at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_4, BPF_REG_10, 0, 0);
	*at++ = INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, RESULT_AT);
	*at++ = INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_kallsyms_lookup_name);
	*at++ = INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_10, RESULT_AT, 0);
	*at++ = INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_6, BPF_REG_2,
		     offsetof(struct lookup, address), 0);
	*at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	*at++ = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return (uint32_t)(at - program);
}

/* False: this kernel does not let us. */
static bool look_up(const char *name, uint64_t *ret)
{
	static const char license[] = "GPL";
	struct bpf_insn program[INSNS_MAX];
	struct lookup lookup = { 0 };
	uint32_t name_size = (uint32_t)strlen(name) + 1;
	_cleanup_close_ int fd = -1;
	union bpf_attr attr;

	memcpy(lookup.name, name, name_size);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SYSCALL;
	attr.prog_flags = BPF_F_SLEEPABLE;
	attr.insn_cnt = make_program(name_size, program);
	attr.insns = (uintptr_t)program;
	attr.license = (uintptr_t)license;
	fd = (int)bpf_call(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return false;
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.ctx_in = (uintptr_t)&lookup;
	attr.test.ctx_size_in = sizeof(lookup);
	if (bpf_call(BPF_PROG_TEST_RUN, &attr) < 0)
		return false;
	*ret = lookup.address;
	return true;
}

static uint64_t find_by_reading(const char *name)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/kallsyms", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	uint64_t address = 0;

	while (file && address == 0 && getline(&line, &size, file) > 0)
		address = kernaddrs_kallsyms_find(line, name);
	return address;
}

uint64_t symbol_find_by_bpf(const char *name)
{
	uint64_t address = 0;

	if (strlen(name) > SYMBOL_NAME_MAX)
		return 0;
	return look_up(name, &address) ? address : 0;
}

/* Megabytes, which an emulated CPU takes most of a second to print: only where BPF is of no use. */
uint64_t symbol_find(const char *name)
{
	uint64_t address = 0;

	if (strlen(name) > SYMBOL_NAME_MAX)
		return 0;
	return look_up(name, &address) ? address : find_by_reading(name);
}
