/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/frame.h"
#include "wire/crc.h"
#include "wire/crc_file.h"
#include "wire/payload.h"
#include "wire/types.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ktstr/sched_ext.h"

/* Frames. */

Test(frame, crc_is_that_of_zlib)
{
	cr_expect_eq(wire_crc32(0, "123456789", 9), 0xcbf43926);
	cr_expect_eq(wire_crc32(0, "", 0), 0);
	cr_expect_eq(wire_crc32(0, NULL, 0), 0);
}

Test(frame, crc_continues)
{
	uint32_t crc = wire_crc32(0, "1234", 4);

	cr_expect_eq(wire_crc32(crc, NULL, 0), crc);
	cr_expect_eq(wire_crc32(crc, "56789", 5), 0xcbf43926);
}

/* The definition itself: a bit at a time. */
static uint32_t crc32_by_bits(uint32_t crc, const uint8_t *data, size_t length)
{
	crc = ~crc;
	for (size_t i = 0; i < length; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

Test(frame, crc_of_a_file_is_that_of_its_bytes)
{
	int fd = memfd_create("crc", MFD_CLOEXEC);
	uint64_t length = 0;
	uint32_t crc = 1;

	cr_assert_eq(write(fd, "123456789", 9), 9);
	cr_assert_eq(crc_file(fd, UINT64_MAX, &crc, &length), 0);
	cr_expect_eq(crc, 0xcbf43926);
	cr_expect_eq(length, 9);
	cr_assert_eq(crc_file(fd, 4, &crc, &length), 0);
	cr_expect_eq(crc, wire_crc32(0, "1234", 4));
	cr_expect_eq(length, 4);
	cr_assert_eq(crc_file(fd, 0, &crc, NULL), 0);
	cr_expect_eq(crc, 0);
	cr_expect_eq(crc_file(-1, 1, &crc, NULL), -EBADF);
	(void)close(fd);
}

/* Whatever is done for speed depends on the length and on where the bytes lie. */
Test(frame, crc_is_right_for_every_length_and_alignment)
{
	enum {
		LENGTH_MAX = 600,
		OFFSET_MAX = 64,
	};
	uint8_t data[OFFSET_MAX + LENGTH_MAX], copy[LENGTH_MAX];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i + i / 3);
	for (uint32_t length = 0; length <= LENGTH_MAX; length++) {
		const uint8_t *at = data + length * 7 % OFFSET_MAX;
		uint32_t crc = crc32_by_bits(0, at, length), part = length / 3;

		cr_assert_eq(wire_crc32(0, at, length), crc, "%u bytes", length);
		cr_assert_eq(crc_library(0, at, length), crc, "%u bytes", length);
		cr_assert_eq(crc_sparse(0, at, length), crc, "%u bytes", length);
		cr_assert_eq(crc_sparse(crc_sparse(0, at, part), at + part, length - part), crc,
			     "%u bytes in two parts", length);
		cr_assert_eq(crc_sparse_copy(0, copy, at, length), crc, "%u bytes", length);
		cr_assert_arr_eq(copy, at, length);
		memset(copy, 0, sizeof(copy));
		cr_assert_eq(wire_crc32_copy(0, copy, at, length), crc, "%u bytes", length);
		cr_assert_arr_eq(copy, at, length);
		cr_assert_eq(wire_crc32(wire_crc32(0, at, part), at + part, length - part), crc,
			     "%u bytes", length);
	}
}

Test(frame, header_is_four_little_endian_words)
{
	static const uint8_t expected[WIRE_HEADER_SIZE] = {
		'T', 'I', 'X', 'E', 9, 0, 0, 0, 0x26, 0x39, 0xf4, 0xcb, 0, 0, 0, 0,
	};
	uint8_t bytes[WIRE_HEADER_SIZE];

	wire_header_encode(KTSTR_MSG_EXIT, "123456789", 9, bytes);
	cr_expect_arr_eq(bytes, expected, sizeof(expected));
}

Test(frame, header_decodes_what_was_encoded)
{
	static const uint8_t bytes[WIRE_HEADER_SIZE] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
	};
	struct ktstr_frame_header header;

	wire_header_decode(bytes, &header);
	cr_expect_eq(header.msg_type, 0x04030201);
	cr_expect_eq(header.length, 0x08070605);
	cr_expect_eq(header.crc32, 0x0c0b0a09);
	cr_expect_eq(header.pad, 0x100f0e0d);
}

Test(frame, account_covers_every_header)
{
	struct wire_account account = { 0 };
	uint8_t headers[2 * WIRE_HEADER_SIZE];

	wire_header_encode(KTSTR_MSG_SYS_RDY, NULL, 0, headers);
	wire_header_encode(KTSTR_MSG_STDOUT, "abc", 3, headers + WIRE_HEADER_SIZE);
	wire_account_add(&account, headers, 0);
	wire_account_add(&account, headers + WIRE_HEADER_SIZE, 3);
	cr_expect_eq(account.frame_count, 2);
	cr_expect_eq(account.byte_count, 35);
	cr_expect_eq(account.headers_crc32, wire_crc32(0, headers, sizeof(headers)));
}

/* Layouts. A change here breaks agents and run files that exist. */

#define SIZE(type, expected)                                                                       \
	{                                                                                          \
#type, sizeof(struct type), expected                                               \
	}
#define AT(type, field, expected)                                                                  \
	{                                                                                          \
#type "." #field, offsetof(struct type, field), expected                           \
	}

static const struct {
	const char *what;
	size_t is;
	size_t expected;
} layouts[] = {
	SIZE(ktstr_frame_header, 16),
	AT(ktstr_frame_header, msg_type, 0),
	AT(ktstr_frame_header, length, 4),
	AT(ktstr_frame_header, crc32, 8),
	AT(ktstr_frame_header, pad, 12),
	SIZE(ktstr_stimulus, 24),
	AT(ktstr_stimulus, elapsed_ms, 0),
	AT(ktstr_stimulus, step_index, 4),
	AT(ktstr_stimulus, op_count, 6),
	AT(ktstr_stimulus, op_kinds, 8),
	AT(ktstr_stimulus, cgroup_count, 12),
	AT(ktstr_stimulus, worker_count, 14),
	AT(ktstr_stimulus, total_iterations, 16),
	SIZE(ktstr_guest_time, 8),
	AT(ktstr_guest_time, guest_ns, 0),
	SIZE(ktstr_scenario_end, 16),
	AT(ktstr_scenario_end, elapsed_ms, 0),
	AT(ktstr_scenario_end, total_iterations, 8),
	SIZE(ktstr_kern_addrs, 24),
	AT(ktstr_kern_addrs, phys_base_plus_1, 0),
	AT(ktstr_kern_addrs, page_offset_base, 8),
	AT(ktstr_kern_addrs, kernel_text_plus_1, 16),
	SIZE(ktstr_snapshot_request, 72),
	AT(ktstr_snapshot_request, request_id, 0),
	AT(ktstr_snapshot_request, kind, 4),
	AT(ktstr_snapshot_request, tag, 8),
	SIZE(ktstr_hello, 88),
	AT(ktstr_hello, size, 0),
	AT(ktstr_hello, abi_major, 4),
	AT(ktstr_hello, abi_minor, 6),
	AT(ktstr_hello, cpus, 8),
	AT(ktstr_hello, plugin_count, 12),
	AT(ktstr_hello, seed, 16),
	AT(ktstr_hello, kernel, 24),
	SIZE(ktstr_hello_plugin, 40),
	AT(ktstr_hello_plugin, kind, 0),
	AT(ktstr_hello_plugin, crc32, 4),
	AT(ktstr_hello_plugin, name, 8),
	SIZE(ktstr_cpuset, 128),
	SIZE(ktstr_cgroup_info, 152),
	AT(ktstr_cgroup_info, size, 0),
	AT(ktstr_cgroup_info, id, 4),
	AT(ktstr_cgroup_info, flags, 8),
	AT(ktstr_cgroup_info, name_length, 12),
	AT(ktstr_cgroup_info, cpus, 16),
	AT(ktstr_cgroup_info, cpu_weight, 144),
	AT(ktstr_cgroup_info, reserved, 148),
	SIZE(ktstr_worker_report, 296),
	AT(ktstr_worker_report, size, 0),
	AT(ktstr_worker_report, tid, 4),
	AT(ktstr_worker_report, cgroup_id, 8),
	AT(ktstr_worker_report, group, 12),
	AT(ktstr_worker_report, index, 16),
	AT(ktstr_worker_report, flags, 20),
	AT(ktstr_worker_report, exit_kind, 24),
	AT(ktstr_worker_report, exit_value, 28),
	AT(ktstr_worker_report, work_units, 32),
	AT(ktstr_worker_report, iterations, 40),
	AT(ktstr_worker_report, wall_time_ns, 48),
	AT(ktstr_worker_report, cpu_time_ns, 56),
	AT(ktstr_worker_report, run_delay_ns, 64),
	AT(ktstr_worker_report, run_count, 72),
	AT(ktstr_worker_report, migrations, 80),
	AT(ktstr_worker_report, max_gap_ns, 88),
	AT(ktstr_worker_report, max_gap_at_ns, 96),
	AT(ktstr_worker_report, max_gap_cpu, 104),
	AT(ktstr_worker_report, wake_sample_count, 108),
	AT(ktstr_worker_report, wake_sample_total, 112),
	AT(ktstr_worker_report, cpus_used, 120),
	AT(ktstr_worker_report, workload, 248),
	AT(ktstr_worker_report, nice, 280),
	AT(ktstr_worker_report, ext_first, 284),
	AT(ktstr_worker_report, ext_last, 288),
	AT(ktstr_worker_report, reserved, 292),
	SIZE(ktstr_scx_state, 192),
	AT(ktstr_scx_state, size, 0),
	AT(ktstr_scx_state, when, 4),
	AT(ktstr_scx_state, guest_ns, 8),
	AT(ktstr_scx_state, enable_seq, 16),
	AT(ktstr_scx_state, nr_rejected, 24),
	AT(ktstr_scx_state, hotplug_seq, 32),
	AT(ktstr_scx_state, switch_all, 40),
	AT(ktstr_scx_state, event_count, 44),
	AT(ktstr_scx_state, state, 48),
	AT(ktstr_scx_state, ops, 64),
	SIZE(ktstr_scx_event, 48),
	AT(ktstr_scx_event, name, 0),
	AT(ktstr_scx_event, value, 40),
	SIZE(ktstr_scx_exit, 40),
	AT(ktstr_scx_exit, size, 0),
	AT(ktstr_scx_exit, kind, 4),
	AT(ktstr_scx_exit, exit_code, 8),
	AT(ktstr_scx_exit, source, 16),
	AT(ktstr_scx_exit, reason_length, 20),
	AT(ktstr_scx_exit, message_length, 24),
	AT(ktstr_scx_exit, backtrace_length, 28),
	AT(ktstr_scx_exit, dump_length, 32),
	AT(ktstr_scx_exit, reserved, 36),
	SIZE(ktstr_sched_progs, 16),
	AT(ktstr_sched_progs, size, 0),
	AT(ktstr_sched_progs, when, 4),
	AT(ktstr_sched_progs, program_count, 8),
	AT(ktstr_sched_progs, reserved, 12),
	SIZE(ktstr_sched_prog, 96),
	AT(ktstr_sched_prog, name, 0),
	AT(ktstr_sched_prog, id, 64),
	AT(ktstr_sched_prog, verified_insns, 68),
	AT(ktstr_sched_prog, insns, 72),
	AT(ktstr_sched_prog, jited_bytes, 76),
	AT(ktstr_sched_prog, run_time_ns, 80),
	AT(ktstr_sched_prog, run_count, 88),
	SIZE(ktstr_sched_time, 16),
	AT(ktstr_sched_time, size, 0),
	AT(ktstr_sched_time, phase, 4),
	AT(ktstr_sched_time, duration_ns, 8),
	SIZE(ktstr_sched_swap, 80),
	AT(ktstr_sched_swap, size, 0),
	AT(ktstr_sched_swap, kind, 4),
	AT(ktstr_sched_swap, code, 8),
	AT(ktstr_sched_swap, flags, 12),
	AT(ktstr_sched_swap, name, 16),
	AT(ktstr_sched_swap, plugin, 48),
	SIZE(ktstr_step_info, 24),
	AT(ktstr_step_info, size, 0),
	AT(ktstr_step_info, index, 4),
	AT(ktstr_step_info, count, 6),
	AT(ktstr_step_info, hold_ns, 8),
	AT(ktstr_step_info, name_length, 16),
	AT(ktstr_step_info, reserved, 20),
	SIZE(ktstr_test_result, 16),
	AT(ktstr_test_result, size, 0),
	AT(ktstr_test_result, outcome, 4),
	AT(ktstr_test_result, code, 8),
	AT(ktstr_test_result, text_length, 12),
	SIZE(ktstr_error_info, 16),
	AT(ktstr_error_info, size, 0),
	AT(ktstr_error_info, stage, 4),
	AT(ktstr_error_info, code, 8),
	AT(ktstr_error_info, text_length, 12),
	SIZE(ktstr_stream_end, 24),
	AT(ktstr_stream_end, frame_count, 0),
	AT(ktstr_stream_end, byte_count, 8),
	AT(ktstr_stream_end, headers_crc32, 16),
	AT(ktstr_stream_end, reserved, 20),
};

Test(payload, layouts_never_change)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		cr_expect_eq(layouts[i].is, layouts[i].expected, "%s is %zu, not %zu",
			     layouts[i].what, layouts[i].is, layouts[i].expected);
}

/* Types. */

/* Every type with its tag, and the number that the tag spells. */
static const struct {
	const char *name;
	const char *tag;
	uint32_t msg_type;
} tags[] = {
	{ "STIMULUS", "STIM", 0x5354494d },
	{ "STEP_END", "STEN", 0x5354454e },
	{ "SCENARIO_START", "SCST", 0x53435354 },
	{ "SCENARIO_PAUSE", "SCPP", 0x53435050 },
	{ "SCENARIO_RESUME", "SCRR", 0x53435252 },
	{ "SCENARIO_END", "SCEN", 0x5343454e },
	{ "EXIT", "EXIT", 0x45584954 },
	{ "TEST_RESULT", "TEST", 0x54455354 },
	{ "SCHED_EXIT", "SCDX", 0x53434458 },
	{ "CRASH", "CRSH", 0x43525348 },
	{ "PAYLOAD_METRICS", "PMET", 0x504d4554 },
	{ "RAW_PAYLOAD_OUTPUT", "RAWO", 0x5241574f },
	{ "PROFRAW", "PRAW", 0x50524157 },
	{ "WPROF_TRACE", "WPRF", 0x57505246 },
	{ "STDOUT", "SOUT", 0x534f5554 },
	{ "STDERR", "SERR", 0x53455252 },
	{ "SCHED_LOG", "SCLG", 0x53434c47 },
	{ "SCHED_SWAP", "SCSW", 0x53435357 },
	{ "SCHED_TIME", "SCTM", 0x5343544d },
	{ "SCHED_PROGS", "SCPG", 0x53435047 },
	{ "SCX_STATE", "SCXS", 0x53435853 },
	{ "SCX_EXIT", "SCXE", 0x53435845 },
	{ "SCX_DUMP", "SCXD", 0x53435844 },
	{ "LIFECYCLE", "LIFE", 0x4c494645 },
	{ "EXEC_EXIT", "EXCX", 0x45584358 },
	{ "DMESG", "DMSG", 0x444d5347 },
	{ "PROBE_OUTPUT", "PROB", 0x50524f42 },
	{ "HELLO", "HELO", 0x48454c4f },
	{ "CGROUP", "CGRP", 0x43475250 },
	{ "WORKER", "WRKR", 0x57524b52 },
	{ "STEP", "STEP", 0x53544550 },
	{ "ERROR", "EROR", 0x45524f52 },
	{ "END", "ENDS", 0x454e4453 },
	{ "KERN_ADDRS", "KADR", 0x4b414452 },
	{ "SNAPSHOT_REQUEST", "SNRQ", 0x534e5251 },
	{ "SNAPSHOT_RANGES", "SNRA", 0x534e5241 },
	{ "SNAPSHOT_REPLY", "SNRP", 0x534e5250 },
	{ "KERNEL_OP_REQUEST", "KORQ", 0x4b4f5251 },
	{ "KERNEL_OP_REPLY", "KORP", 0x4b4f5250 },
	{ "SYS_RDY", "SRDY", 0x53524459 },
};

Test(types, every_type_has_one_row)
{
	size_t count;

	(void)wire_types(&count);
	cr_expect_eq(count, ARRAY_SIZE(tags));
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		const struct wire_type *type = wire_type_find(tags[i].msg_type);
		char text[5];

		cr_assert_not_null(type, "%s", tags[i].name);
		cr_expect_str_eq(type->name, tags[i].name);
		wire_tag_text(type->msg_type, text);
		cr_expect_str_eq(text, tags[i].tag);
	}
}

Test(types, rows_are_sound)
{
	size_t count;
	const struct wire_type *types = wire_types(&count);

	for (size_t i = 0; i < count; i++) {
		cr_expect_eq(wire_type_find(types[i].msg_type), &types[i], "%s stands twice",
			     types[i].name);
		cr_expect_leq(types[i].min_length, types[i].max_length);
		cr_expect_leq(types[i].max_length, KTSTR_FRAME_PAYLOAD_MAX);
	}
}

Test(types, unknown_is_null)
{
	cr_expect_null(wire_type_find(0));
	cr_expect_null(wire_type_find(KTSTR_TAG('N', 'O', 'P', 'E')));
}

Test(types, internal_ones_are_those_of_the_coordinator)
{
	static const uint32_t internal[] = {
		KTSTR_MSG_KERN_ADDRS,	  KTSTR_MSG_SNAPSHOT_REQUEST,  KTSTR_MSG_SNAPSHOT_RANGES,
		KTSTR_MSG_SNAPSHOT_REPLY, KTSTR_MSG_KERNEL_OP_REQUEST, KTSTR_MSG_KERNEL_OP_REPLY,
		KTSTR_MSG_SYS_RDY,
	};
	size_t count, found = 0;
	const struct wire_type *types = wire_types(&count);

	for (size_t i = 0; i < count; i++)
		found += types[i].is_internal;
	cr_expect_eq(found, ARRAY_SIZE(internal));
	for (size_t i = 0; i < ARRAY_SIZE(internal); i++)
		cr_expect(wire_type_find(internal[i])->is_internal);
}

Test(types, only_replies_go_to_the_guest)
{
	size_t count;
	const struct wire_type *types = wire_types(&count);

	for (size_t i = 0; i < count; i++)
		cr_expect_eq(types[i].direction == WIRE_TO_GUEST,
			     types[i].msg_type == KTSTR_MSG_SNAPSHOT_REPLY ||
				     types[i].msg_type == KTSTR_MSG_KERNEL_OP_REPLY,
			     "%s", types[i].name);
}

static const struct {
	uint32_t msg_type;
	uint32_t min, max;
} bounds[] = {
	{ KTSTR_MSG_STIMULUS, 24, KTSTR_FRAME_PAYLOAD_MAX },
	{ KTSTR_MSG_SCENARIO_START, 0, KTSTR_FRAME_PAYLOAD_MAX },
	{ KTSTR_MSG_SCENARIO_END, 8, KTSTR_FRAME_PAYLOAD_MAX },
	{ KTSTR_MSG_EXIT, 4, 4 },
	{ KTSTR_MSG_SCHED_EXIT, 4, KTSTR_FRAME_PAYLOAD_MAX },
	{ KTSTR_MSG_SCHED_LOG, 0, 65536 },
	{ KTSTR_MSG_LIFECYCLE, 1, KTSTR_FRAME_PAYLOAD_MAX },
	{ KTSTR_MSG_END, 24, 24 },
	{ KTSTR_MSG_KERN_ADDRS, 24, 24 },
	{ KTSTR_MSG_SNAPSHOT_REQUEST, 72, 72 },
	{ KTSTR_MSG_SNAPSHOT_RANGES, 24, 1032 },
	{ KTSTR_MSG_SNAPSHOT_REPLY, 520, 520 },
	{ KTSTR_MSG_KERNEL_OP_REQUEST, 48, 128 * 1024 },
	{ KTSTR_MSG_KERNEL_OP_REPLY, 24, 1024 * 1024 },
	{ KTSTR_MSG_SYS_RDY, 0, 0 },
};

Test(types, bounds_are_those_of_the_protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		const struct wire_type *type = wire_type_find(bounds[i].msg_type);

		cr_expect_eq(type->min_length, bounds[i].min, "%s", type->name);
		cr_expect_eq(type->max_length, bounds[i].max, "%s", type->name);
	}
}

Test(types, unprintable_tags_become_question_marks)
{
	char text[5];

	wire_tag_text(0x41001b7f, text);
	cr_expect_str_eq(text, "A???");
	wire_tag_text(0xffffffff, text);
	cr_expect_str_eq(text, "????");
}

/* Decoders. */
