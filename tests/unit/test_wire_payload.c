/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/payload.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

Test(payload, stimulus_wants_24_bytes_or_more)
{
	static const uint8_t bytes[32] = {
		1,  2,	3,  4,	5,  6,	7,  8,	9,  10, 11, 12,
		13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
	};
	struct ktstr_stimulus stimulus = { .elapsed_ms = 99 };

	cr_expect_eq(wire_decode_stimulus(bytes, 23, &stimulus), -EBADMSG);
	cr_expect_eq(stimulus.elapsed_ms, 99);
	cr_expect_eq(wire_decode_stimulus(bytes, 24, &stimulus), 0);
	cr_expect_eq(stimulus.elapsed_ms, 0x04030201);
	cr_expect_eq(stimulus.step_index, 0x0605);
	cr_expect_eq(stimulus.worker_count, 0x100f);
	cr_expect_eq(stimulus.total_iterations, 0x1817161514131211);
	cr_expect_eq(wire_decode_stimulus(bytes, 32, &stimulus), 0);
}

Test(payload, kern_addrs_wants_24_bytes)
{
	static const uint8_t bytes[25] = { [0] = 1, [8] = 2, [16] = 3 };
	struct ktstr_kern_addrs addrs = { .phys_base_plus_1 = 99 };

	cr_expect_eq(wire_decode_kern_addrs(bytes, 23, &addrs), -EBADMSG);
	cr_expect_eq(wire_decode_kern_addrs(bytes, 25, &addrs), -EBADMSG);
	cr_expect_eq(addrs.phys_base_plus_1, 99);
	cr_expect_eq(wire_decode_kern_addrs(bytes, 24, &addrs), 0);
	cr_expect_eq(addrs.phys_base_plus_1, 1);
	cr_expect_eq(addrs.page_offset_base, 2);
	cr_expect_eq(addrs.kernel_text_plus_1, 3);
}

static const struct {
	uint32_t request_id;
	uint32_t kind;
	size_t length;
	int rc;
} requests[] = {
	{ 1, KTSTR_SNAPSHOT_CAPTURE, 72, 0 },
	{ UINT32_MAX, KTSTR_SNAPSHOT_WATCH, 72, 0 },
	{ 1, 77, 72, 0 },
	{ 0, KTSTR_SNAPSHOT_CAPTURE, 72, -EBADMSG },
	{ 1, KTSTR_SNAPSHOT_NONE, 72, -EBADMSG },
	{ 1, KTSTR_SNAPSHOT_CAPTURE, 71, -EBADMSG },
	{ 1, KTSTR_SNAPSHOT_CAPTURE, 73, -EBADMSG },
	{ 1, KTSTR_SNAPSHOT_CAPTURE, 0, -EBADMSG },
};

Test(payload, snapshot_request_is_gated)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct ktstr_snapshot_request sent = { .request_id = requests[i].request_id,
						       .kind = requests[i].kind,
						       .tag = "before" };
		struct ktstr_snapshot_request got = { .tag = "untouched" };
		uint8_t bytes[80] = { 0 };

		memcpy(bytes, &sent, sizeof(sent));
		cr_expect_eq(wire_decode_snapshot_request(bytes, requests[i].length, &got),
			     requests[i].rc, "row %zu", i);
		cr_expect_str_eq(got.tag, requests[i].rc ? "untouched" : "before");
	}
}

Test(payload, i32_wants_4_bytes_or_more)
{
	static const uint8_t bytes[12] = { 0xfe, 0xff, 0xff, 0xff, 'x' };
	int32_t code = 99;

	cr_expect_eq(wire_decode_i32(bytes, 3, &code), -EBADMSG);
	cr_expect_eq(code, 99);
	cr_expect_eq(wire_decode_i32(bytes, 12, &code), 0);
	cr_expect_eq(code, -2);
}

Test(payload, stream_end_wants_24_bytes)
{
	static const struct ktstr_stream_end sent = { 3, 77, 0xcafe, 0 };
	struct ktstr_stream_end end = { .frame_count = 99 };

	cr_expect_eq(wire_decode_stream_end(&sent, 23, &end), -EBADMSG);
	cr_expect_eq(end.frame_count, 99);
	cr_expect_eq(wire_decode_stream_end(&sent, 24, &end), 0);
	cr_expect_eq(end.frame_count, 3);
	cr_expect_eq(end.byte_count, 77);
	cr_expect_eq(end.headers_crc32, 0xcafe);
	cr_expect_eq(wire_decode_stream_end(&sent, 25, &end), -EBADMSG);
}

static const struct {
	size_t length;
	int rc;
	uint64_t iterations;
} ends[] = {
	{ 0, -EBADMSG, 99 },  { 7, -EBADMSG, 99 }, { 8, 0, 0 },	 { 9, -EBADMSG, 99 },
	{ 15, -EBADMSG, 99 }, { 16, 0, 7 },	   { 24, 0, 7 },
};

Test(payload, scenario_start_is_at_least_8_bytes)
{
	const struct ktstr_guest_time sent[2] = { { UINT64_C(0x123456789a) } };
	struct ktstr_guest_time start = { 99 };

	cr_expect_eq(wire_decode_guest_time(sent, 0, &start), -EBADMSG);
	cr_expect_eq(wire_decode_guest_time(sent, 7, &start), -EBADMSG);
	cr_expect_eq(start.guest_ns, 99);
	cr_expect_eq(wire_decode_guest_time(sent, 16, &start), 0);
	cr_expect_eq(start.guest_ns, UINT64_C(0x123456789a));
}

Test(payload, scenario_end_is_8_or_at_least_16_bytes)
{
	static const uint64_t sent[3] = { 5, 7, 9 };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct ktstr_scenario_end end = { 99, 99 };

		cr_expect_eq(wire_decode_scenario_end(sent, ends[i].length, &end), ends[i].rc);
		cr_expect_eq(end.elapsed_ms, ends[i].rc ? 99u : 5u);
		cr_expect_eq(end.total_iterations, ends[i].iterations);
	}
}

/* Payloads with a text: all four share their rules, so one stands for the table. */
struct with_text {
	struct ktstr_error_info info;
	char text[16];
};

static struct with_text error_sample(void)
{
	struct with_text sent = { .info = { .size = sizeof(struct ktstr_error_info),
					    .stage = KTSTR_STAGE_SCENARIO,
					    .code = -5,
					    .text_length = 6 },
				  .text = "broken" };

	return sent;
}

Test(payload, error_brings_its_text)
{
	struct with_text sent = error_sample();
	struct ktstr_error_info info;
	char text[32];

	cr_expect_eq(wire_decode_error(&sent, 22, &info, text, sizeof(text)), 0);
	cr_expect_eq(info.stage, KTSTR_STAGE_SCENARIO);
	cr_expect_eq(info.code, -5);
	cr_expect_str_eq(text, "broken");
}

Test(payload, text_is_cut_to_what_the_caller_has)
{
	struct with_text sent = error_sample();
	struct ktstr_error_info info;
	char text[4];

	cr_expect_eq(wire_decode_error(&sent, 22, &info, text, sizeof(text)), 0);
	cr_expect_str_eq(text, "bro");
}

Test(payload, text_cannot_drive_a_terminal)
{
	struct with_text sent = error_sample();
	struct ktstr_error_info info;
	char text[32];

	memcpy(sent.text, "a\033[2Jb", 6);
	cr_expect_eq(wire_decode_error(&sent, 22, &info, text, sizeof(text)), 0);
	cr_expect_str_eq(text, "a?[2Jb");
}

Test(payload, a_newer_struct_is_read_by_its_size)
{
	struct {
		struct ktstr_error_info info;
		uint64_t newer;
		char text[8];
	} sent = { .info = { .size = 24, .stage = 1, .text_length = 3 }, .text = "abc" };
	struct ktstr_error_info info;
	char text[32];

	cr_expect_eq(wire_decode_error(&sent, 27, &info, text, sizeof(text)), 0);
	cr_expect_str_eq(text, "abc");
}

static const struct {
	const char *why;
	uint32_t size;
	uint32_t text_length;
	size_t length;
} malformed[] = {
	{ "nothing at all", 16, 6, 0 },
	{ "no whole size", 16, 6, 3 },
	{ "struct cut off", 16, 6, 15 },
	{ "text cut off", 16, 6, 21 },
	{ "size too small", 12, 6, 22 },
	{ "size beyond the payload", 23, 0, 22 },
	{ "size wraps", UINT32_MAX, 6, 22 },
	{ "text length wraps", 16, UINT32_MAX, 22 },
	{ "larger than any frame", 16, 6, (size_t)KTSTR_FRAME_PAYLOAD_MAX + 1 },
};

Test(payload, lengths_are_not_believed)
{
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		struct with_text sent = error_sample();
		struct ktstr_error_info info = { .code = 99 };
		char text[32] = "untouched";

		sent.info.size = malformed[i].size;
		sent.info.text_length = malformed[i].text_length;
		cr_expect_eq(
			wire_decode_error(&sent, malformed[i].length, &info, text, sizeof(text)),
			-EBADMSG, "%s", malformed[i].why);
		cr_expect_eq(info.code, 99);
		cr_expect_str_eq(text, "untouched");
	}
}

Test(payload, test_result_brings_its_text)
{
	struct {
		struct ktstr_test_result info;
		char text[8];
	} sent = { { 16, 4, -1, 4 }, "late" };
	struct ktstr_test_result result;
	char text[8];

	cr_expect_eq(wire_decode_test_result(&sent, 20, &result, text, sizeof(text)), 0);
	cr_expect_eq(result.outcome, 4);
	cr_expect_str_eq(text, "late");
	cr_expect_eq(wire_decode_test_result(&sent, 19, &result, text, sizeof(text)), -EBADMSG);
}

Test(payload, step_brings_its_name)
{
	struct {
		struct ktstr_step_info info;
		char name[8];
	} sent = { { .size = 24, .index = 2, .count = 3, .hold_ns = 5, .name_length = 4 }, "grow" };
	struct ktstr_step_info step;
	char name[8];

	cr_expect_eq(wire_decode_step(&sent, 28, &step, name, sizeof(name)), 0);
	cr_expect_eq(step.index, 2);
	cr_expect_eq(step.hold_ns, 5);
	cr_expect_str_eq(name, "grow");
	cr_expect_eq(wire_decode_step(&sent, 27, &step, name, sizeof(name)), -EBADMSG);
}

Test(payload, cgroup_brings_its_name)
{
	struct {
		struct ktstr_cgroup_info info;
		char name[8];
	} sent = { { .size = 152, .id = 1, .name_length = 4 }, "hog0" };
	struct ktstr_cgroup_info cgroup;
	char name[8];

	ktstr_cpuset_add(&sent.info.cpus, 1023);
	cr_expect_eq(wire_decode_cgroup(&sent, 156, &cgroup, name, sizeof(name)), 0);
	cr_expect_eq(cgroup.id, 1);
	cr_expect(ktstr_cpuset_has(&cgroup.cpus, 1023));
	cr_expect_str_eq(name, "hog0");
	cr_expect_eq(wire_decode_cgroup(&sent, 147, &cgroup, name, sizeof(name)), -EBADMSG);
}

Test(payload, phases_have_names)
{
	cr_expect_str_eq(wire_phase_name(KTSTR_PHASE_INIT_STARTED), "InitStarted");
	cr_expect_str_eq(wire_phase_name(KTSTR_PHASE_PAYLOAD_STARTING), "PayloadStarting");
	cr_expect_str_eq(wire_phase_name(KTSTR_PHASE_SCHEDULER_DIED), "SchedulerDied");
	cr_expect_str_eq(wire_phase_name(KTSTR_PHASE_SCHEDULER_NOT_ATTACHED),
			 "SchedulerNotAttached");
	cr_expect_str_eq(wire_phase_name(KTSTR_PHASE_WORKLOAD_DISPATCHED), "WorkloadDispatched");
	cr_expect_str_eq(wire_phase_name(KTSTR_PHASE_SCHEDULER_ATTACHED), "SchedulerAttached");
	cr_expect_str_eq(wire_phase_name(0), "unknown");
	cr_expect_str_eq(wire_phase_name(KTSTR_PHASE_OVERDUE), "Overdue");
	cr_expect_str_eq(wire_phase_name(8), "unknown");
	cr_expect_str_eq(wire_phase_name(255), "unknown");
}
