/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/frame_layout.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "ktstr/frame.h"
#include "ktstr/sched_ext.h"

#define MEMBER(type, member, kind)                                                                 \
	{                                                                                          \
#member, offsetof(struct type, member), sizeof(((struct type *)0)->member), kind   \
	}
#define NUMBER(type, member) MEMBER(type, member, FRAME_NUMBER)
#define SIGNED(type, member) MEMBER(type, member, FRAME_SIGNED)
#define HEX(type, member) MEMBER(type, member, FRAME_HEX)
#define TEXT(type, member) MEMBER(type, member, FRAME_TEXT)
#define CPUS(type, member) MEMBER(type, member, FRAME_CPUS)

static const struct frame_member stimulus[] = {
	NUMBER(ktstr_stimulus, elapsed_ms),	  NUMBER(ktstr_stimulus, step_index),
	NUMBER(ktstr_stimulus, op_count),	  HEX(ktstr_stimulus, op_kinds),
	NUMBER(ktstr_stimulus, cgroup_count),	  NUMBER(ktstr_stimulus, worker_count),
	NUMBER(ktstr_stimulus, total_iterations),
};

static const struct frame_member scenario_end[] = {
	NUMBER(ktstr_scenario_end, elapsed_ms),
	NUMBER(ktstr_scenario_end, total_iterations),
};

static const struct frame_member exit_code[] = { { "code", 0, 4, FRAME_SIGNED } };
static const struct frame_member lifecycle[] = { { "phase", 0, 1, FRAME_NUMBER } };

static const struct frame_member test_result[] = {
	NUMBER(ktstr_test_result, outcome),
	SIGNED(ktstr_test_result, code),
	NUMBER(ktstr_test_result, text_length),
};

static const struct frame_member error_info[] = {
	NUMBER(ktstr_error_info, stage),
	SIGNED(ktstr_error_info, code),
	NUMBER(ktstr_error_info, text_length),
};

static const struct frame_member hello[] = {
	NUMBER(ktstr_hello, abi_major), NUMBER(ktstr_hello, abi_minor),
	NUMBER(ktstr_hello, cpus),	NUMBER(ktstr_hello, plugin_count),
	NUMBER(ktstr_hello, seed),	TEXT(ktstr_hello, kernel),
};

static const struct frame_member hello_plugin[] = {
	NUMBER(ktstr_hello_plugin, kind),
	HEX(ktstr_hello_plugin, crc32),
	TEXT(ktstr_hello_plugin, name),
};

static const struct frame_member cgroup_info[] = {
	NUMBER(ktstr_cgroup_info, id),		HEX(ktstr_cgroup_info, flags),
	CPUS(ktstr_cgroup_info, cpus),		NUMBER(ktstr_cgroup_info, cpu_weight),
	NUMBER(ktstr_cgroup_info, name_length),
};

static const struct frame_member worker_report[] = {
	NUMBER(ktstr_worker_report, tid),
	NUMBER(ktstr_worker_report, cgroup_id),
	NUMBER(ktstr_worker_report, group),
	NUMBER(ktstr_worker_report, index),
	HEX(ktstr_worker_report, flags),
	NUMBER(ktstr_worker_report, exit_kind),
	SIGNED(ktstr_worker_report, exit_value),
	NUMBER(ktstr_worker_report, work_units),
	NUMBER(ktstr_worker_report, iterations),
	NUMBER(ktstr_worker_report, wall_time_ns),
	NUMBER(ktstr_worker_report, cpu_time_ns),
	NUMBER(ktstr_worker_report, run_delay_ns),
	NUMBER(ktstr_worker_report, run_count),
	NUMBER(ktstr_worker_report, migrations),
	NUMBER(ktstr_worker_report, max_gap_ns),
	NUMBER(ktstr_worker_report, max_gap_at_ns),
	NUMBER(ktstr_worker_report, max_gap_cpu),
	NUMBER(ktstr_worker_report, wake_sample_count),
	NUMBER(ktstr_worker_report, wake_sample_total),
	CPUS(ktstr_worker_report, cpus_used),
	TEXT(ktstr_worker_report, workload),
	SIGNED(ktstr_worker_report, nice),
	NUMBER(ktstr_worker_report, ext_first),
	NUMBER(ktstr_worker_report, ext_last),
};

static const struct frame_member wake_sample[] = { { "ns", 0, 4, FRAME_NUMBER } };

static const struct frame_member guest_time[] = {
	NUMBER(ktstr_guest_time, guest_ns),
};

static const struct frame_member step_info[] = {
	NUMBER(ktstr_step_info, index),
	NUMBER(ktstr_step_info, count),
	NUMBER(ktstr_step_info, hold_ns),
	NUMBER(ktstr_step_info, name_length),
};

static const struct frame_member stream_end[] = {
	NUMBER(ktstr_stream_end, frame_count),
	NUMBER(ktstr_stream_end, byte_count),
	HEX(ktstr_stream_end, headers_crc32),
};

static const struct frame_member sched_swap[] = {
	NUMBER(ktstr_sched_swap, kind), SIGNED(ktstr_sched_swap, code),
	HEX(ktstr_sched_swap, flags),	TEXT(ktstr_sched_swap, name),
	TEXT(ktstr_sched_swap, plugin),
};

static const struct frame_member sched_time[] = {
	NUMBER(ktstr_sched_time, phase),
	NUMBER(ktstr_sched_time, duration_ns),
};

static const struct frame_member sched_progs[] = {
	NUMBER(ktstr_sched_progs, when),
	NUMBER(ktstr_sched_progs, program_count),
};

static const struct frame_member sched_prog[] = {
	TEXT(ktstr_sched_prog, name),
	NUMBER(ktstr_sched_prog, id),
	NUMBER(ktstr_sched_prog, verified_insns),
	NUMBER(ktstr_sched_prog, insns),
	NUMBER(ktstr_sched_prog, jited_bytes),
	NUMBER(ktstr_sched_prog, run_time_ns),
	NUMBER(ktstr_sched_prog, run_count),
};

static const struct frame_member scx_state[] = {
	NUMBER(ktstr_scx_state, when),	      NUMBER(ktstr_scx_state, guest_ns),
	NUMBER(ktstr_scx_state, enable_seq),  NUMBER(ktstr_scx_state, nr_rejected),
	NUMBER(ktstr_scx_state, hotplug_seq), NUMBER(ktstr_scx_state, switch_all),
	NUMBER(ktstr_scx_state, event_count), TEXT(ktstr_scx_state, state),
	TEXT(ktstr_scx_state, ops),
};

static const struct frame_member scx_event[] = {
	TEXT(ktstr_scx_event, name),
	SIGNED(ktstr_scx_event, value),
};

static const struct frame_member scx_exit[] = {
	NUMBER(ktstr_scx_exit, kind),		NUMBER(ktstr_scx_exit, exit_code),
	NUMBER(ktstr_scx_exit, source),		NUMBER(ktstr_scx_exit, reason_length),
	NUMBER(ktstr_scx_exit, message_length), NUMBER(ktstr_scx_exit, backtrace_length),
	NUMBER(ktstr_scx_exit, dump_length),
};

#define MEMBERS(table) .members = (table), .member_count = ARRAY_SIZE(table)
#define FIXED(NAME, size, table) .msg_type = KTSTR_MSG_##NAME, .struct_size = (size), MEMBERS(table)
#define SIZED(NAME, type, table) FIXED(NAME, sizeof(struct type), table), .has_size = true
#define WITH_TEXT(name) .tail = FRAME_TAIL_TEXT, .tail_name = (name)
#define WITH_ENTRIES(name, size, table)                                                            \
	.tail = FRAME_TAIL_ENTRIES, .tail_name = (name), .entry_size = (size),                     \
	.entry_members = (table), .entry_member_count = ARRAY_SIZE(table)
#define WITH_CLOCK(type, member, unit, since)                                                      \
	.clock = (since), .clock_at = offsetof(struct type, member),                               \
	.clock_length = sizeof(((struct type *)0)->member), .clock_unit_ns = (unit)
#define OF_SCENARIO "since the scenario's start"
#define OF_GUEST "since the guest's boot"
#define OUTPUT(NAME)                                                                               \
	{                                                                                          \
		.msg_type = KTSTR_MSG_##NAME, WITH_TEXT("text")                                    \
	}

static const struct frame_layout layouts[] = {
	{ FIXED(STIMULUS, sizeof(struct ktstr_stimulus), stimulus),
	  WITH_CLOCK(ktstr_stimulus, elapsed_ms, NS_PER_MS, OF_SCENARIO) },
	{ FIXED(STEP_END, sizeof(struct ktstr_stimulus), stimulus),
	  WITH_CLOCK(ktstr_stimulus, elapsed_ms, NS_PER_MS, OF_SCENARIO) },
	{ FIXED(SCENARIO_START, sizeof(struct ktstr_guest_time), guest_time),
	  WITH_CLOCK(ktstr_guest_time, guest_ns, 1, OF_GUEST) },
	{ FIXED(SCENARIO_PAUSE, sizeof(struct ktstr_guest_time), guest_time),
	  WITH_CLOCK(ktstr_guest_time, guest_ns, 1, OF_GUEST) },
	{ FIXED(SCENARIO_RESUME, sizeof(struct ktstr_guest_time), guest_time),
	  WITH_CLOCK(ktstr_guest_time, guest_ns, 1, OF_GUEST) },
	{ FIXED(SCENARIO_END, sizeof(struct ktstr_scenario_end), scenario_end),
	  WITH_CLOCK(ktstr_scenario_end, elapsed_ms, NS_PER_MS, OF_SCENARIO) },
	{ FIXED(EXIT, 4, exit_code) },
	{ FIXED(EXEC_EXIT, 4, exit_code) },
	{ FIXED(SCHED_EXIT, 4, exit_code), WITH_TEXT("text") },
	{ FIXED(LIFECYCLE, 1, lifecycle), WITH_TEXT("text") },
	{ SIZED(TEST_RESULT, ktstr_test_result, test_result), WITH_TEXT("text") },
	{ SIZED(ERROR, ktstr_error_info, error_info), WITH_TEXT("text") },
	{ SIZED(HELLO, ktstr_hello, hello),
	  WITH_ENTRIES("plugin", sizeof(struct ktstr_hello_plugin), hello_plugin) },
	{ SIZED(CGROUP, ktstr_cgroup_info, cgroup_info), WITH_TEXT("name") },
	{ SIZED(WORKER, ktstr_worker_report, worker_report),
	  WITH_ENTRIES("wake_sample", sizeof(uint32_t), wake_sample) },
	{ SIZED(STEP, ktstr_step_info, step_info), WITH_TEXT("name") },
	{ FIXED(END, sizeof(struct ktstr_stream_end), stream_end) },
	{ SIZED(SCHED_SWAP, ktstr_sched_swap, sched_swap) },
	{ SIZED(SCHED_TIME, ktstr_sched_time, sched_time) },
	{ SIZED(SCHED_PROGS, ktstr_sched_progs, sched_progs),
	  WITH_ENTRIES("program", sizeof(struct ktstr_sched_prog), sched_prog) },
	{ SIZED(SCX_STATE, ktstr_scx_state, scx_state),
	  WITH_ENTRIES("event", sizeof(struct ktstr_scx_event), scx_event),
	  WITH_CLOCK(ktstr_scx_state, guest_ns, 1, OF_GUEST) },
	{ SIZED(SCX_EXIT, ktstr_scx_exit, scx_exit), .tail = FRAME_TAIL_TEXTS,
	  .texts = { { "reason", offsetof(struct ktstr_scx_exit, reason_length) },
		     { "message", offsetof(struct ktstr_scx_exit, message_length) },
		     { "backtrace", offsetof(struct ktstr_scx_exit, backtrace_length) },
		     { "dump", offsetof(struct ktstr_scx_exit, dump_length) } } },
	OUTPUT(STDOUT),
	OUTPUT(STDERR),
	OUTPUT(SCHED_LOG),
	OUTPUT(SCX_DUMP),
	OUTPUT(DMESG),
	OUTPUT(PROBE_OUTPUT),
};

const struct frame_layout *frame_layout_find(uint32_t msg_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].msg_type == msg_type)
			return &layouts[i];
	return NULL;
}
