/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/bpf_programs.h"

#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Programs of all kinds that are looked at. */
#define LOOKS_MAX 65536

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

		if (fd >= 0 && read_info(fd, &info) == 0 && info.type == BPF_PROG_TYPE_STRUCT_OPS)
			fill(&ret[count++], &info);
	}
	return count;
}
