/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of sched_ext, from texts as it writes them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "guest/bpf_programs.h"
#include "guest/btf_name.h"
#include "guest/scx_dump.h"
#include "guest/scx_log.h"
#include "guest/scx_state.h"

/* Counters. */

Test(scx_events, are_names_and_values)
{
	struct ktstr_scx_event events[8];
	uint32_t count = scx_events_parse("SCX_EV_SELECT_CPU_FALLBACK 0\n"
					  "SCX_EV_DISPATCH_KEEP_LAST 134\n"
					  "SCX_EV_BYPASS_DURATION 23344525\n"
					  "SCX_EV_ODD -5",
					  events, ARRAY_SIZE(events));

	cr_assert_eq(count, 4);
	cr_expect_str_eq(events[0].name, "SCX_EV_SELECT_CPU_FALLBACK");
	cr_expect_eq(events[0].value, 0);
	cr_expect_str_eq(events[1].name, "SCX_EV_DISPATCH_KEEP_LAST");
	cr_expect_eq(events[1].value, 134);
	cr_expect_eq(events[2].value, 23344525);
	cr_expect_eq(events[3].value, -5);
}

static const char *const no_events[] = {
	"",
	"\n\n",
	"SCX_EV_X",
	"SCX_EV_X ",
	" 5",
	"SCX_EV_X five",
	"SCX_EV_X 5 6",
	"SCX_EV_WITH_A_NAME_THAT_IS_LONGER_THAN_ANY_OF_THE_KERNEL 5",
	"SCX_EV_X 1234567890123456789012345678901234567890",
};

Test(scx_events, that_are_none_are_passed_over)
{
	struct ktstr_scx_event event;

	for (size_t i = 0; i < ARRAY_SIZE(no_events); i++)
		cr_expect_eq(scx_events_parse(no_events[i], &event, 1), 0, "'%s'", no_events[i]);
}

Test(scx_events, are_no_more_than_there_is_room_for)
{
	struct ktstr_scx_event events[2] = { 0 };

	cr_expect_eq(scx_events_parse("A 1\nB 2\nC 3\n", events, 1), 1);
	cr_expect_eq(events[1].name[0], '\0');
}

/* sysfs. */

static char folder[40];

static void write_file(const char *name, const char *text)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(io_write_all(fd, text, strlen(text)), 0);
}

static void make_folder(const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);

	cr_assert_eq(mkdir(path, 0700), 0, "%s", path);
}

static void setup(void)
{
	(void)str_copy(folder, sizeof(folder), "/tmp/ktstr-scx-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
	(void)info;
	(void)flag;
	(void)walk;
	return remove(path);
}

static void teardown(void)
{
	(void)nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(scx_state, .init = setup, .fini = teardown);
TestSuite(scx_log, .init = setup, .fini = teardown);
TestSuite(scx_dump, .init = setup, .fini = teardown);

Test(scx_state, is_read_from_sysfs)
{
	struct scx_sysfs sysfs;
	struct scx_reading reading;
	struct scx_glance glance;

	write_file("state", "enabled\n");
	write_file("enable_seq", "3\n");
	write_file("nr_rejected", "2\n");
	write_file("hotplug_seq", "5\n");
	write_file("switch_all", "1\n");
	make_folder("root");
	write_file("root/ops", "fifo\n");
	write_file("root/events", "SCX_EV_A 7\nSCX_EV_B 8\n");
	scx_sysfs_open(&sysfs, folder);
	scx_sysfs_glance(&sysfs, &glance);
	cr_expect_str_eq(glance.state, "enabled");
	cr_expect_eq(glance.enable_seq, 3);
	cr_expect(scx_is_enabled(&glance));
	cr_expect(scx_is_busy(&glance));
	scx_sysfs_read(&sysfs, KTSTR_SCX_RUNNING, &reading);
	cr_expect_eq(reading.state.size, sizeof(reading.state));
	cr_expect_eq(reading.state.when, KTSTR_SCX_RUNNING);
	cr_expect_gt(reading.state.guest_ns, 0);
	cr_expect_eq(reading.state.enable_seq, 3);
	cr_expect_eq(reading.state.nr_rejected, 2);
	cr_expect_eq(reading.state.hotplug_seq, 5);
	cr_expect_eq(reading.state.switch_all, 1);
	cr_expect_str_eq(reading.state.state, "enabled");
	cr_expect_str_eq(reading.state.ops, "fifo");
	cr_assert_eq(reading.state.event_count, 2);
	cr_expect_str_eq(reading.events[1].name, "SCX_EV_B");
	cr_expect_eq(scx_reading_size(&reading), 192 + 2 * 48);
	write_file("state", "disabling\n");
	scx_sysfs_glance(&sysfs, &glance);
	cr_expect_not(scx_is_enabled(&glance));
	cr_expect(scx_is_busy(&glance));
	cr_expect_not(scx_wait_idle(&sysfs, 1));
	write_file("state", "disabled\n");
	scx_sysfs_glance(&sysfs, &glance);
	cr_expect_not(scx_is_busy(&glance));
	cr_expect(scx_wait_idle(&sysfs, 0));
	scx_sysfs_done(&sysfs);
}

Test(scx_state, of_a_kernel_without_sched_ext_is_empty)
{
	struct scx_sysfs sysfs;
	struct scx_reading reading;
	struct scx_glance glance;

	scx_sysfs_open(&sysfs, "/nowhere/at/all");
	scx_sysfs_glance(&sysfs, &glance);
	cr_expect_str_empty(glance.state);
	cr_expect_not(scx_is_enabled(&glance));
	cr_expect_not(scx_is_busy(&glance));
	cr_expect(scx_wait_idle(&sysfs, 0));
	scx_sysfs_read(&sysfs, KTSTR_SCX_ATTACHED, &reading);
	cr_expect_str_empty(reading.state.state);
	cr_expect_str_empty(reading.state.ops);
	cr_expect_eq(reading.state.event_count, 0);
	scx_sysfs_done(&sysfs);
}

Test(scx_state, a_throw_out_is_a_letter)
{
	_cleanup_free_ char *path = str_format("%s/sysrq", folder);
	_cleanup_free_ char *text = NULL;
	struct ktstr_error err;

	write_file("sysrq", "");
	scx_throw_out(path);
	cr_assert_eq(io_read_file(path, 16, &text, NULL, &err), 0);
	cr_expect_str_eq(text, "S");
	scx_throw_out("/nowhere/at/all");
}

/* The kernel's log. */

static const struct {
	const char *reason;
	uint32_t kind;
} kinds[] = {
	{ "unregistered from user space", 64 },
	{ "unregistered from BPF", 65 },
	{ "unregistered from the main kernel", 66 },
	{ "disabled by sysrq-S", 67 },
	{ "parent exiting", 68 },
	{ "runtime error", 1024 },
	{ "scx_bpf_error", 1025 },
	{ "runnable task stall", 1026 },
	{ "bored", 0 },
	{ "", 0 },
};

Test(scx_log, words_are_kinds)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		cr_expect_eq(scx_exit_kind(kinds[i].reason), kinds[i].kind, "'%s'",
			     kinds[i].reason);
}

static struct scx_log log_of(const char *const *records)
{
	struct scx_log log = { .fd = -1 };

	for (; *records; records++)
		scx_log_record(&log, *records);
	return log;
}

Test(scx_log, a_stall_has_a_message_and_a_backtrace)
{
	static const char *const records[] = {
		"6,400,4000000,-;sched_ext: BPF scheduler \"ktstr\" enabled\n",
		"3,412,5140900,-;sched_ext: BPF scheduler \"ktstr\" disabled (runnable task "
		"stall)\n",
		"3,413,5140901,-;sched_ext: ktstr: worker[151] failed to run for 2.976s\n",
		"3,414,5140902,-;   check_rq_for_timeouts+0xdf/0x120\n",
		"6,415,5140902,-;usb 1-1: a new device\n SUBSYSTEM=usb\n DEVICE=c189:0\n",
		"3,416,5140903,-;   scx_watchdog_workfn+0x64/0x90\n",
		"6,417,5200000,-;sched_ext: BPF scheduler \"other\" enabled\n",
		"6,418,5200000,-;   not of it any more\n",
		NULL,
	};
	struct scx_log log = log_of(records);

	cr_assert(log.has_record);
	cr_expect_eq(log.record.kind, KTSTR_SCX_EXIT_ERROR_STALL);
	cr_expect_str_eq(log.record.name, "ktstr");
	cr_expect_str_eq(log.record.reason, "runnable task stall");
	cr_expect_str_eq(log.record.message, "worker[151] failed to run for 2.976s");
	cr_expect_str_eq(log.record.backtrace, "check_rq_for_timeouts+0xdf/0x120\n"
					       "scx_watchdog_workfn+0x64/0x90\n");
}

Test(scx_log, a_plain_end_is_its_reason)
{
	static const char *const records[] = {
		"6,1,1,-;sched_ext: BPF scheduler \"simple\" disabled (unregistered from user "
		"space)\n",
		NULL,
	};
	struct scx_log log = log_of(records);

	cr_assert(log.has_record);
	cr_expect_eq(log.record.kind, KTSTR_SCX_EXIT_UNREG);
	cr_expect_str_empty(log.record.message);
	cr_expect_str_empty(log.record.backtrace);
}

Test(scx_log, the_first_end_counts_until_it_is_forgotten)
{
	static const char *const records[] = {
		"3,1,1,-;sched_ext: BPF scheduler \"a\" disabled (runtime error)\n",
		"3,2,1,-;sched_ext: a: non-existent DSQ 0x3039\n",
		"3,3,1,-;sched_ext: BPF scheduler \"b\" disabled (disabled by sysrq-S)\n",
		NULL,
	};
	struct scx_log log = log_of(records);

	cr_expect_str_eq(log.record.name, "a");
	cr_expect_str_eq(log.record.message, "non-existent DSQ 0x3039");
	scx_log_forget(&log);
	cr_expect_not(log.has_record);
	scx_log_record(&log, records[2]);
	cr_expect_str_eq(log.record.name, "b");
	cr_expect_eq(log.record.kind, KTSTR_SCX_EXIT_SYSRQ);
	cr_expect_str_empty(log.record.message);
}

Test(scx_log, new_words_at_the_level_of_errors_are_an_error)
{
	static const char *const error[] = {
		"3,1,1,-;sched_ext: BPF scheduler \"a\" disabled (cosmic rays)\n", NULL
	};
	static const char *const note[] = {
		"6,1,1,-;sched_ext: BPF scheduler \"a\" disabled (cosmic rays)\n", NULL
	};

	cr_expect_eq(log_of(error).record.kind, KTSTR_SCX_EXIT_ERROR);
	cr_expect_eq(log_of(note).record.kind, KTSTR_SCX_EXIT_NONE);
}

Test(scx_log, what_is_not_printable_is_read_back)
{
	static const char *const records[] = {
		"3,1,1,-;sched_ext: BPF scheduler \"a\" disabled (scx_bpf_error)\n",
		"3,2,1,-;sched_ext: a: one\\x0atwo \\x5c \\x00 \\xZ1\n",
		NULL,
	};

	cr_expect_str_eq(log_of(records).record.message, "one\ntwo \\ \\x00 \\xZ1");
}

static const char *const no_ends[] = {
	"",
	";",
	"3,1,1,-",
	"3,1,1,-;sched_ext: BPF scheduler \"a\" enabled\n",
	"3,1,1,-;sched_ext: BPF scheduler \"a disabled (x)\n",
	"3,1,1,-;sched_ext: BPF scheduler \"a\" disabled (x\n",
	"3,1,1,-;user said sched_ext: BPF scheduler \"a\" disabled (x)\n",
};

Test(scx_log, other_lines_are_no_end)
{
	for (size_t i = 0; i < ARRAY_SIZE(no_ends); i++) {
		struct scx_log log = { .fd = -1 };

		scx_log_record(&log, no_ends[i]);
		cr_expect_not(log.has_record, "'%s'", no_ends[i]);
	}
}

Test(scx_log, no_length_is_too_long)
{
	static char record[20000];
	struct scx_log log = { .fd = -1 };
	int head = snprintf(record, sizeof(record),
			    "3,1,1,-;sched_ext: BPF scheduler \"a\" disabled (runtime error)\n");

	scx_log_record(&log, record);
	head = snprintf(record, sizeof(record), "3,2,1,-;sched_ext: a: ");
	memset(record + head, 'x', sizeof(record) - 1 - (size_t)head);
	scx_log_record(&log, record);
	cr_expect_eq(strlen(log.record.message), sizeof(log.record.message) - 1);
	(void)memcpy(record, "3,3,1,-;    ", 12);
	for (int i = 0; i < 3; i++)
		scx_log_record(&log, record);
	cr_expect_str_empty(log.record.backtrace, "no frame is so long");
}

Test(scx_log, is_read_from_now_on)
{
	_cleanup_free_ char *path = str_format("%s/kmsg", folder);
	struct scx_log log;

	write_file("kmsg", "3,1,1,-;sched_ext: BPF scheduler \"old\" disabled (x)\n");
	scx_log_open(&log, path);
	scx_log_drain(&log);
	cr_expect_not(log.has_record);
	scx_log_done(&log);
	scx_log_open(&log, "/nowhere/at/all");
	scx_log_drain(&log);
	cr_expect_not(log.has_record);
	scx_log_done(&log);
}

/* The dump. */

Test(scx_dump, lines_lose_what_the_trace_puts_before_them)
{
	cr_expect_str_eq(
		scx_dump_line("   kworker/u8:1-45      [001] d..1.    12.345678: sched_ext_dump: "
			      "CPU 0   : nr_run=3"),
		"CPU 0   : nr_run=3");
	cr_expect_str_eq(scx_dump_line("  <idle>-0 [000] d.h2. 1.0: sched_ext_dump: "), "");
	cr_expect_str_eq(scx_dump_line("CPU:1 [LOST 12 EVENTS]"), "CPU:1 [LOST 12 EVENTS]");
}

Test(scx_dump, all_buffers_together_are_bounded)
{
	cr_expect_eq(scx_dump_buffer_kib(0), 1024);
	cr_expect_eq(scx_dump_buffer_kib(1), 1024);
	cr_expect_eq(scx_dump_buffer_kib(16), 1024);
	cr_expect_eq(scx_dump_buffer_kib(32), 512);
	cr_expect_eq(scx_dump_buffer_kib(1024), 64);
}

Test(scx_dump, a_kernel_without_the_tracepoint_has_none)
{
	struct scx_dump dump;

	scx_dump_open(&dump, folder, 2);
	cr_expect_eq(dump.fd, -1);
	scx_dump_drain(&dump, NULL);
	scx_dump_done(&dump);
}

/* As tracefs has it, with a fifo for the pipe. */
static int open_tracing(struct scx_dump *dump)
{
	static const char *const folders[] = {
		"events",
		"events/sched_ext",
		"events/sched_ext/sched_ext_dump",
		"instances",
		"instances/ktstr",
		"instances/ktstr/events",
		"instances/ktstr/events/sched_ext",
		"instances/ktstr/events/sched_ext/sched_ext_dump",
	};
	_cleanup_free_ char *path = str_format("%s/instances/ktstr/trace_pipe", folder);

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		make_folder(folders[i]);
	write_file("instances/ktstr/buffer_size_kb", "");
	write_file("instances/ktstr/events/sched_ext/sched_ext_dump/enable", "0");
	cr_assert_eq(mkfifo(path, 0600), 0);
	scx_dump_open(dump, folder, 2);
	cr_assert_geq(dump->fd, 0);
	return open(path, O_WRONLY | O_CLOEXEC);
}

static struct channel channel;
static struct channel_sender sender;

static void expect_text(const char *name, const char *expected)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);
	_cleanup_free_ char *text = NULL;
	struct ktstr_error err;

	cr_assert_eq(io_read_file(path, 64, &text, NULL, &err), 0);
	cr_expect_str_eq(text, expected, "%s", name);
}

Test(scx_dump, is_sent_in_whole_lines)
{
	static const char text[] = " a-1 [0] 1.0: sched_ext_dump: first\n"
				   " a-1 [0] 1.0: sched_ext_dump: \n"
				   " a-1 [0] 1.0: sched_ext_dump:   third\n";
	const uint8_t *frame;
	struct ktstr_frame_header header;
	struct scx_dump dump;
	int fd = open_tracing(&dump);

	expect_text("instances/ktstr/buffer_size_kb", "1024");
	expect_text("instances/ktstr/events/sched_ext/sched_ext_dump/enable", "1");
	cr_assert_eq(channel_init(&channel), 0);
	channel_sender_init(&sender, &channel);
	scx_dump_drain(&dump, &sender);
	cr_expect_eq(sender.published.end, 0, "there is none yet");
	cr_assert_eq(io_write_all(fd, text, sizeof(text) - 1), 0);
	scx_dump_drain(&dump, &sender);
	frame = channel.area->frames;
	wire_header_decode(frame, &header);
	cr_expect_eq(header.msg_type, KTSTR_MSG_SCX_DUMP);
	cr_expect_eq(sender.published.end, WIRE_HEADER_SIZE + header.length);
	cr_assert_eq(header.length, 15);
	cr_expect_eq(memcmp(frame + WIRE_HEADER_SIZE, "first\n\n  third\n", 15), 0);
	scx_dump_done(&dump);
	channel_done(&channel);
	(void)close(fd);
}

Test(scx_dump, is_cut_with_a_note)
{
	struct ktstr_frame_header header;
	struct scx_dump dump;
	int fd = open_tracing(&dump);
	uint32_t at = 0, total = 0;
	char line[1001];

	memset(line, 'y', sizeof(line));
	line[1000] = '\n';
	cr_assert_eq(channel_init(&channel), 0);
	channel_sender_init(&sender, &channel);
	for (int i = 0; i < 1100; i++) {
		cr_assert_eq(io_write_all(fd, line, sizeof(line)), 0);
		if (i % 50 == 49)
			scx_dump_drain(&dump, &sender);
	}
	for (; at < sender.published.end; at += WIRE_HEADER_SIZE + header.length) {
		wire_header_decode(channel.area->frames + at, &header);
		cr_assert_leq(header.length, SCX_DUMP_CHUNK_MAX);
		total += header.length;
		cr_expect_eq(channel.area->frames[at + WIRE_HEADER_SIZE + header.length - 1], '\n');
	}
	cr_expect_leq(total, SCX_DUMP_MAX + 100);
	cr_expect_gt(total, SCX_DUMP_MAX - 1100);
	cr_expect_not_null(
		memmem(channel.area->frames, at, "(ktstr: dumps of more than 1 MiB", 32));
	scx_dump_done(&dump);
	channel_done(&channel);
	(void)close(fd);
}

/* BTF: a pointer (1), an int with its tail (2), a struct of two members (3), a function (4). */
static const struct raw_btf {
	struct btf_header header;
	struct btf_type pointer;
	struct btf_type number;
	uint32_t number_tail;
	struct btf_type structure;
	struct btf_member members[2];
	struct btf_type function;
	char strings[32];
} raw_btf = {
	.header = { .magic = BTF_MAGIC,
		    .version = 1,
		    .hdr_len = sizeof(struct btf_header),
		    .type_len = offsetof(struct raw_btf, strings) - sizeof(struct btf_header),
		    .str_off = offsetof(struct raw_btf, strings) - sizeof(struct btf_header),
		    .str_len = 32 },
	.pointer = { .info = BTF_KIND_PTR << 24 },
	.number = { .name_off = 1, .info = BTF_KIND_INT << 24 },
	.structure = { .name_off = 5, .info = BTF_KIND_STRUCT << 24 | 2 },
	.function = { .name_off = 9, .info = BTF_KIND_FUNC << 24 },
	.strings = "\0int\0abc\0ktstr_select_cpu",
};

Test(btf, names_are_found_by_id)
{
	cr_expect_null(btf_name(&raw_btf, sizeof(raw_btf), 0));
	cr_expect_null(btf_name(&raw_btf, sizeof(raw_btf), 1), "a pointer has none");
	cr_expect_str_eq(btf_name(&raw_btf, sizeof(raw_btf), 2), "int");
	cr_expect_str_eq(btf_name(&raw_btf, sizeof(raw_btf), 3), "abc");
	cr_expect_str_eq(btf_name(&raw_btf, sizeof(raw_btf), 4), "ktstr_select_cpu");
	cr_expect_null(btf_name(&raw_btf, sizeof(raw_btf), 5));
	cr_expect_null(btf_name(&raw_btf, sizeof(raw_btf), UINT32_MAX));
}

Test(btf, that_is_cut_off_has_no_names)
{
	for (size_t length = 0; length < sizeof(raw_btf); length++)
		cr_expect_null(btf_name(&raw_btf, length, 4), "%zu", length);
}

static const struct {
	size_t at; /* in the bytes */
	uint32_t value;
} bad_btf[] = {
	{ offsetof(struct raw_btf, header), 0 },
	{ offsetof(struct raw_btf, header.hdr_len), 4 },
	{ offsetof(struct raw_btf, header.hdr_len), UINT32_MAX },
	{ offsetof(struct raw_btf, header.type_off), UINT32_MAX },
	{ offsetof(struct raw_btf, header.type_len), UINT32_MAX },
	{ offsetof(struct raw_btf, header.type_len), 8 },
	{ offsetof(struct raw_btf, header.str_off), UINT32_MAX },
	{ offsetof(struct raw_btf, header.str_len), UINT32_MAX },
	{ offsetof(struct raw_btf, header.str_len), 20 },
	{ offsetof(struct raw_btf, structure.info), BTF_KIND_STRUCT << 24 | 0xffff },
	{ offsetof(struct raw_btf, structure.info), 31u << 24 },
	{ offsetof(struct raw_btf, function.name_off), UINT32_MAX },
};

Test(btf, that_is_wrong_has_no_names)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_btf); i++) {
		struct raw_btf bytes = raw_btf;

		memcpy((char *)&bytes + bad_btf[i].at, &bad_btf[i].value, sizeof(uint32_t));
		cr_expect_null(btf_name(&bytes, sizeof(bytes), 4), "%zu", i);
	}
}

Test(bpf_programs, are_no_more_than_there_is_room_for)
{
	struct ktstr_sched_prog program;

	cr_expect_leq(bpf_programs_read(0, &program, 1), 1);
	cr_expect_eq(bpf_programs_read(0, &program, 0), 0);
	cr_expect_eq(bpf_programs_read(UINT32_MAX, &program, 1), 0);
}
