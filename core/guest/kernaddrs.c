/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/kernaddrs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define KERNEL_MAP_BASE UINT64_C(0xffffffff80000000)
/* Where x86 kernels are linked, above KERNEL_MAP_BASE. */
#define KERNEL_LINK_OFFSET UINT64_C(0x1000000)
/* "Kernel code" and "_text" stand within the first page or two of their files. */
#define HEAD_BYTES 16384

uint64_t kernaddrs_iomem_code(const char *text)
{
	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');
		const char *name = memmem(line, (size_t)(end - line), " : Kernel code", 14);

		if (name && name + 14 == end)
			return strtoull(line, NULL, 16);
		line = *end ? end + 1 : end;
	}
	return 0;
}

uint64_t kernaddrs_kallsyms_find(const char *text, const char *symbol)
{
	size_t length = strlen(symbol);

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');
		const char *type = memchr(line, ' ', (size_t)(end - line));

		/* "ffffffff81000000 T _text"; a line without its newline may be cut off */
		if (*end && type && end - type > 3 && type[2] == ' ' &&
		    (size_t)(end - type) == 3 + length && memcmp(type + 3, symbol, length) == 0)
			return strtoull(line, NULL, 16);
		line = *end ? end + 1 : end;
	}
	return 0;
}

void kernaddrs_make(uint64_t code_physical, uint64_t text_virtual, uint64_t page_offset_base,
		    struct ktstr_kern_addrs *ret)
{
	uint64_t offset = text_virtual ? text_virtual - KERNEL_MAP_BASE : KERNEL_LINK_OFFSET;

	*ret = (struct ktstr_kern_addrs){
		.phys_base_plus_1 = code_physical ? code_physical - offset + 1 : 0,
		.page_offset_base = page_offset_base,
		.kernel_text_plus_1 = text_virtual ? text_virtual + 1 : 0,
	};
}

/* The first HEAD_BYTES of a file of /proc, as text. */
static void read_head(const char *path, char text[HEAD_BYTES])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;

	while (fd >= 0 && length < HEAD_BYTES - 1) {
		ssize_t n = read(fd, text + length, HEAD_BYTES - 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	text[length] = '\0';
}

#define INSN(CODE, DST, SRC, OFF, IMM)                                                             \
	{                                                                                          \
		.code = (CODE), .dst_reg = (DST), .src_reg = (SRC), .off = (OFF), .imm = (IMM)     \
	}

static long bpf_call(enum bpf_cmd command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* What the program below works on. */
struct lookup {
	char name[24];
	uint64_t address;
};

/*
 * Look up one data symbol through BPF's bpf_kallsyms_lookup_name(). /proc/kallsyms has it too, but
 * megabytes into the file, which an emulated CPU takes most of a second to print.
 */
static uint64_t find_symbol(const char *symbol)
{
	static const char license[] = "GPL";
	struct lookup lookup = { 0 };
	uint32_t name_size = (uint32_t)strlen(symbol) + 1;
	const struct bpf_insn program[] = {
		/* r6 = context; copy the name to the stack, 24 bytes at fp - 24 */
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_6, 0, 0),
		INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_2, -24, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_6, 8, 0),
		INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_2, -16, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_6, 16, 0),
		INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_2, -8, 0),
		/* the result at fp - 32 */
		INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -32, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, -24),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, (int32_t)name_size),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_4, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, -32),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_kallsyms_lookup_name),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_10, -32, 0),
		INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_6, BPF_REG_2,
		     (int16_t)offsetof(struct lookup, address), 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr;
	_cleanup_close_ int fd = -1;

	if (name_size > sizeof(lookup.name))
		return 0;
	memcpy(lookup.name, symbol, name_size);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SYSCALL;
	attr.prog_flags = BPF_F_SLEEPABLE;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = ARRAY_SIZE(program);
	attr.license = (uintptr_t)license;
	fd = (int)bpf_call(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return 0;
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.ctx_in = (uintptr_t)&lookup;
	attr.test.ctx_size_in = sizeof(lookup);
	if (bpf_call(BPF_PROG_TEST_RUN, &attr) < 0)
		return 0;
	return lookup.address;
}

void kernaddrs_read(struct ktstr_kern_addrs *ret)
{
	char text[HEAD_BYTES];
	uint64_t code, kernel_text;

	read_head("/proc/iomem", text);
	code = kernaddrs_iomem_code(text);
	read_head("/proc/kallsyms", text);
	kernel_text = kernaddrs_kallsyms_find(text, "_text");
	if (!kernel_text)
		kernel_text = find_symbol("_text");
	kernaddrs_make(code, kernel_text, find_symbol("page_offset_base"), ret);
}
