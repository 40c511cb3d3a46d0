/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole frames in their order, whose payloads lie. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ktstr/outcome.h"
#include "ktstr/plugin.h"
#include "villain/villain.h"

/* What a terminal would obey: colours, the title, C1, a bell, a line taken back, bidi; and a line
 * that looks like ours. */
#define ESCAPES                                                                                    \
	"\033[31m\033]0;owned\a\x9b"                                                               \
	"2J\r\b\xc2\x9b\xe2\x80\xae\xff\nPASS in 0.1 s\n"

static void send_made(struct villain *v, uint32_t msg_type, const void *head, size_t head_length,
		      const char *text)
{
	struct frame frame;

	frame_make(&frame, msg_type, head, head_length, text, strlen(text));
	villain_send(v, &frame);
}

/* The honest frame with @length bytes at @offset replaced. */
static void send_changed(struct villain *v, const struct frame *frame, size_t offset,
			 const void *bytes, size_t length)
{
	struct frame changed = *frame;

	memcpy(changed.payload + offset, bytes, length);
	villain_send(v, &changed);
}

static void send_changed_u32(struct villain *v, const struct frame *frame, size_t offset,
			     uint32_t value)
{
	send_changed(v, frame, offset, &value, sizeof(value));
}

#define PLUGIN_AT(field) (sizeof(struct ktstr_hello) + offsetof(struct ktstr_hello_plugin, field))

static void other_name(struct villain *v, const struct frame *frame)
{
	send_changed(v, frame, PLUGIN_AT(name), "innocent", 9);
}

static void other_crc(struct villain *v, const struct frame *frame)
{
	send_changed_u32(v, frame, PLUGIN_AT(crc32), 0x12345678);
}

static void other_seed(struct villain *v, const struct frame *frame)
{
	send_changed_u32(v, frame, offsetof(struct ktstr_hello, seed), 4711);
}

static void many_plugins(struct villain *v, const struct frame *frame)
{
	send_changed_u32(v, frame, offsetof(struct ktstr_hello, plugin_count), 0xffffffffu);
}

static void no_plugins(struct villain *v, const struct frame *frame)
{
	send_changed_u32(v, frame, offsetof(struct ktstr_hello, plugin_count), 0);
}

static void many_samples(struct villain *v, const struct frame *frame)
{
	send_changed_u32(v, frame, offsetof(struct ktstr_worker_report, wake_sample_count),
			 1000000000u);
}

/* Every figure as large as can be; as a floating point number each would be NaN. */
static void absurd_figures(struct villain *v, const struct frame *frame)
{
	const size_t first = offsetof(struct ktstr_worker_report, work_units),
		     last = offsetof(struct ktstr_worker_report, wake_sample_count);
	struct frame changed = *frame;

	memset(changed.payload + first, 0xff, last - first);
	villain_send(v, &changed);
}

static void unknown_cgroup(struct villain *v, const struct frame *frame)
{
	send_changed_u32(v, frame, offsetof(struct ktstr_worker_report, cgroup_id), 0xfffffffeu);
}

static void long_name(struct villain *v, const struct frame *frame)
{
	/* In both structs, the length of the name is at this place. */
	const size_t offset = frame->msg_type == KTSTR_MSG_CGROUP
				      ? offsetof(struct ktstr_cgroup_info, name_length)
				      : offsetof(struct ktstr_step_info, name_length);

	send_changed_u32(v, frame, offset, 0x7fffffff);
}

static void unknown_outcome(struct villain *v, const struct frame *frame)
{
	send_changed_u32(v, frame, offsetof(struct ktstr_test_result, outcome), 77);
}

/* Another cgroup under the id and the name of the first, which lets its workers run everywhere. */
static void second_cgroup(struct villain *v, const struct frame *frame)
{
	const struct ktstr_cpuset cpus = { .bits = { UINT64_MAX } };

	send_changed_u32(v, frame, offsetof(struct ktstr_cgroup_info, id), 0);
	send_changed(v, frame, offsetof(struct ktstr_cgroup_info, cpus), &cpus, sizeof(cpus));
}

static void short_payload(struct villain *v, const struct frame *frame)
{
	struct frame cut = *frame;

	cut.length = 3;
	villain_send(v, &cut);
}

static void with_payload(struct villain *v, const struct frame *frame)
{
	send_made(v, frame->msg_type, NULL, 0, "surprise");
}

static void kern_addrs_garbage(struct villain *v, const struct frame *frame)
{
	const struct ktstr_kern_addrs addrs = { .phys_base_plus_1 = UINT64_MAX,
						.page_offset_base = 1,
						.kernel_text_plus_1 = 0x1000 };

	send_changed(v, frame, 0, &addrs, sizeof(addrs));
}

static void kern_addrs_again(struct villain *v, const struct frame *frame)
{
	struct ktstr_kern_addrs addrs;

	memcpy(&addrs, frame->payload, sizeof(addrs));
	addrs.phys_base_plus_1 += 0x200000;
	addrs.kernel_text_plus_1 += 0x200000;
	send_changed(v, frame, 0, &addrs, sizeof(addrs));
}

static void unknown_type(struct villain *v, const struct frame *frame)
{
	(void)frame;
	send_made(v, KTSTR_TAG('N', 'O', 'P', 'E'), NULL, 0, "what is this");
}

static void snapshot_reply(struct villain *v, const struct frame *frame)
{
	(void)frame;
	send_made(v, KTSTR_MSG_SNAPSHOT_REPLY, NULL, 0, "I am the host now");
}

static void sched_exit(struct villain *v, const struct frame *frame)
{
	const int32_t code = 1;

	(void)frame;
	send_made(v, KTSTR_MSG_SCHED_EXIT, &code, sizeof(code), "forged" ESCAPES);
}

static void console_line(const char *line)
{
	int fd = open("/dev/ttyS0", O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		villain_die("cannot write to the console");
	(void)close(fd);
}

/* Escape sequences in every text that a frame, or the console, can carry. */
static void escapes(struct villain *v, const struct frame *frame)
{
	const struct ktstr_cgroup_info cgroup = { .size = sizeof(cgroup),
						  .id = 2,
						  .name_length = strlen(ESCAPES) };
	const struct ktstr_step_info step = { .size = sizeof(step),
					      .index = 2,
					      .name_length = strlen(ESCAPES) };
	const struct ktstr_error_info error = { .size = sizeof(error),
						.stage = KTSTR_STAGE_SCENARIO,
						.code = -5,
						.text_length = strlen(ESCAPES) };
	const struct ktstr_test_result result = { .size = sizeof(result),
						  .outcome = KTSTR_OUTCOME_ERROR,
						  .text_length = strlen(ESCAPES) };
	static const uint32_t texts[] = { KTSTR_MSG_STDOUT, KTSTR_MSG_STDERR, KTSTR_MSG_SCHED_LOG,
					  KTSTR_MSG_DMESG, KTSTR_MSG_PROBE_OUTPUT };
	struct ktstr_worker_report report = { .size = sizeof(report), .tid = 7, .cgroup_id = 2 };
	const uint8_t phase = KTSTR_PHASE_SCHEDULER_NOT_ATTACHED;

	(void)frame;
	send_made(v, KTSTR_MSG_LIFECYCLE, &phase, sizeof(phase), ESCAPES);
	send_made(v, KTSTR_MSG_CGROUP, &cgroup, sizeof(cgroup), ESCAPES);
	send_made(v, KTSTR_MSG_STEP, &step, sizeof(step), ESCAPES);
	memcpy(report.workload, ESCAPES, sizeof(report.workload));
	send_made(v, KTSTR_MSG_WORKER, &report, sizeof(report), "");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		send_made(v, texts[i], NULL, 0, ESCAPES "\n");
	send_made(v, KTSTR_TAG('\033', '[', '7', 'm'), NULL, 0, ESCAPES);
	console_line("BUG: " ESCAPES "\n");
	send_made(v, KTSTR_MSG_ERROR, &error, sizeof(error), ESCAPES);
	send_made(v, KTSTR_MSG_TEST_RESULT, &result, sizeof(result), ESCAPES);
}

const struct trick tricks_of_content[] = {
	{ "hello_other_name", BEAT_HELLO, INSTEAD, other_name },
	{ "hello_other_crc", BEAT_HELLO, INSTEAD, other_crc },
	{ "hello_other_seed", BEAT_HELLO, INSTEAD, other_seed },
	{ "hello_many_plugins", BEAT_HELLO, INSTEAD, many_plugins },
	{ "hello_no_plugins", BEAT_HELLO, INSTEAD, no_plugins },
	{ "worker_many_samples", BEAT_WORKER, INSTEAD, many_samples },
	{ "worker_absurd_figures", BEAT_WORKER, INSTEAD, absurd_figures },
	{ "worker_unknown_cgroup", BEAT_WORKER, INSTEAD, unknown_cgroup },
	{ "cgroup_long_name", BEAT_CGROUP, INSTEAD, long_name },
	{ "cgroup_of_the_agent", BEAT_CGROUP, AFTER, second_cgroup },
	{ "step_long_name", BEAT_STEP, INSTEAD, long_name },
	{ "result_unknown_outcome", BEAT_RESULT, INSTEAD, unknown_outcome },
	{ "stimulus_short", BEAT_STIMULUS, INSTEAD, short_payload },
	{ "sys_rdy_with_payload", BEAT_SYS_RDY, INSTEAD, with_payload },
	{ "start_with_payload", BEAT_START, INSTEAD, with_payload },
	{ "kern_addrs_garbage", BEAT_KERN_ADDRS, INSTEAD, kern_addrs_garbage },
	{ "kern_addrs_divergent", BEAT_KERN_ADDRS, AFTER, kern_addrs_again },
	{ "unknown_type", BEAT_OUTPUT, AFTER, unknown_type },
	{ "snapshot_reply", BEAT_OUTPUT, AFTER, snapshot_reply },
	{ "sched_exit", BEAT_OUTPUT, AFTER, sched_exit },
	{ "escapes", BEAT_RESULT, INSTEAD, escapes },
	{ 0 },
};
