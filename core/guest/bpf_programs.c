/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/bpf_programs.h"

#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "guest/btf_name.h"

/* Programs of all kinds that are looked at. */
#define LOOKS_MAX 65536
#define BTF_BYTES_MAX (16u * 1024u * 1024u)

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int next_id(uint32_t *id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.start_id = *id;
	if (bpf(BPF_PROG_GET_NEXT_ID, &attr) < 0)
		return -1;
	*id = attr.next_id;
	return 0;
}

static int open_id(uint32_t id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

static int read_info(int fd, struct bpf_prog_info *ret)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	memset(ret, 0, sizeof(*ret));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*ret);
	attr.info.info = (uint64_t)(uintptr_t)ret;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int read_btf(int fd, struct bpf_btf_info *info)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*info);
	attr.info.info = (uint64_t)(uintptr_t)info;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

/* The BTF that came with a program; NULL: none. The caller frees. */
static void *load_btf(uint32_t id, size_t *ret_length)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ void *bytes = NULL;
	struct bpf_btf_info info = { 0 };
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.btf_id = id;
	fd = bpf(BPF_BTF_GET_FD_BY_ID, &attr);
	if (fd < 0 || read_btf(fd, &info) < 0 || info.btf_size > BTF_BYTES_MAX)
		return NULL;
	*ret_length = info.btf_size;
	bytes = malloc(info.btf_size);
	info = (struct bpf_btf_info){ .btf = (uint64_t)(uintptr_t)bytes,
				      .btf_size = info.btf_size };
	if (!bytes || read_btf(fd, &info) < 0 || info.btf_size > *ret_length)
		return NULL;
	return steal_ptr(bytes);
}

/* The id of the type of its first function: the program itself. 0: not known. */
static uint32_t function_type(int fd)
{
	struct bpf_func_info first = { 0 };
	struct bpf_prog_info info;
	union bpf_attr attr;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	info.nr_func_info = 1;
	info.func_info_rec_size = sizeof(first);
	info.func_info = (uint64_t)(uintptr_t)&first;
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uint64_t)(uintptr_t)&info;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? 0 : first.type_id;
}

/* The kernel has cut it where it is this long. */
static void name_in_full(struct ktstr_sched_prog *program, int fd, uint32_t btf_id)
{
	_cleanup_free_ void *btf = NULL;
	const char *name;
	size_t length = 0;

	if (strlen(program->name) < BPF_OBJ_NAME_LEN - 1 || !btf_id)
		return;
	btf = load_btf(btf_id, &length);
	name = btf ? btf_name(btf, length, function_type(fd)) : NULL;
	if (name && str_starts(name, program->name))
		(void)str_copy(program->name, sizeof(program->name), name);
}

static void fill(struct ktstr_sched_prog *program, const struct bpf_prog_info *info)
{
	memset(program, 0, sizeof(*program));
	(void)str_copy(program->name, sizeof(program->name), info->name);
	program->id = info->id;
	program->verified_insns = info->verified_insns;
	program->insns = info->xlated_prog_len / (uint32_t)sizeof(struct bpf_insn);
	program->jited_bytes = info->jited_prog_len;
	program->run_time_ns = info->run_time_ns;
	program->run_count = info->run_cnt;
}

uint32_t bpf_programs_last(void)
{
	uint32_t id = 0;

	for (int i = 0; i < LOOKS_MAX && next_id(&id) == 0; i++)
		;
	return id;
}

uint32_t bpf_programs_read(uint32_t after, struct ktstr_sched_prog *ret, uint32_t max)
{
	uint32_t count = 0, id = after;

	for (int i = 0; i < LOOKS_MAX && count < max && next_id(&id) == 0; i++) {
		_cleanup_close_ int fd = open_id(id);
		struct bpf_prog_info info;

		if (fd >= 0 && read_info(fd, &info) == 0 && info.type == BPF_PROG_TYPE_STRUCT_OPS) {
			fill(&ret[count], &info);
			name_in_full(&ret[count++], fd, info.btf_id);
		}
	}
	return count;
}
