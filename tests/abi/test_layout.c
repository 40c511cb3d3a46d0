/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layout of every public struct, pinned. A plugin is built once and loaded by many versions: a
 * line may be added here when a field is (with the next ABI minor), but none may change while the
 * ABI major stays.
 */
#include <criterion/criterion.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"
#include "ktstr/frame.h"
#include "ktstr/guest.h"
#include "ktstr/needs.h"
#include "ktstr/plugin.h"
#include "ktstr/scenario.h"
#include "ktstr/sched_ext.h"
#include "ktstr/scheduler.h"
#include "ktstr/topology.h"
#include "ktstr/workload.h"

struct pin {
	const char *what;
	size_t is;
	size_t was;
};

#define SIZE(STRUCT, VALUE)                                                                        \
	{                                                                                          \
		"sizeof(struct " #STRUCT ")", sizeof(struct STRUCT), VALUE                         \
	}
#define FIELD(STRUCT, MEMBER, VALUE)                                                               \
	{                                                                                          \
#STRUCT "." #MEMBER, offsetof(struct STRUCT, MEMBER), VALUE                        \
	}
#define CONSTANT(NAME, VALUE)                                                                      \
	{                                                                                          \
#NAME, NAME, VALUE                                                                 \
	}

/* clang-format off */
static const struct pin layout[] = {
	SIZE(ktstr_finding, 64),
	FIELD(ktstr_finding, size, 0),
	FIELD(ktstr_finding, outcome, 4),
	FIELD(ktstr_finding, subject, 8),
	FIELD(ktstr_finding, metric, 16),
	FIELD(ktstr_finding, unit, 24),
	FIELD(ktstr_finding, measured, 32),
	FIELD(ktstr_finding, limit, 40),
	FIELD(ktstr_finding, limit_kind, 48),
	FIELD(ktstr_finding, reserved, 52),
	FIELD(ktstr_finding, text, 56),

	SIZE(ktstr_judge, 80),
	FIELD(ktstr_judge, size, 0),
	FIELD(ktstr_judge, reserved, 4),
	FIELD(ktstr_judge, topology, 8),
	FIELD(ktstr_judge, scenario, 16),
	FIELD(ktstr_judge, scheduler, 24),
	FIELD(ktstr_judge, kernel, 32),
	FIELD(ktstr_judge, accel, 40),
	FIELD(ktstr_judge, host, 48),
	FIELD(ktstr_judge, finding, 56),
	FIELD(ktstr_judge, clock, 64),
	FIELD(ktstr_judge, host_wait_ns, 72),

	SIZE(ktstr_checker_ops, 48),
	FIELD(ktstr_checker_ops, size, 0),
	FIELD(ktstr_checker_ops, wants_count, 4),
	FIELD(ktstr_checker_ops, wants, 8),
	FIELD(ktstr_checker_ops, open, 16),
	FIELD(ktstr_checker_ops, observe, 24),
	FIELD(ktstr_checker_ops, finish, 32),
	FIELD(ktstr_checker_ops, close, 40),

	SIZE(ktstr_error, 1024),
	FIELD(ktstr_error, code, 0),
	FIELD(ktstr_error, line, 4),
	FIELD(ktstr_error, column, 8),
	FIELD(ktstr_error, reserved, 12),
	FIELD(ktstr_error, text, 16),

	SIZE(ktstr_frame_header, 16),
	FIELD(ktstr_frame_header, msg_type, 0),
	FIELD(ktstr_frame_header, length, 4),
	FIELD(ktstr_frame_header, crc32, 8),
	FIELD(ktstr_frame_header, pad, 12),

	SIZE(ktstr_stimulus, 24),
	FIELD(ktstr_stimulus, elapsed_ms, 0),
	FIELD(ktstr_stimulus, step_index, 4),
	FIELD(ktstr_stimulus, op_count, 6),
	FIELD(ktstr_stimulus, op_kinds, 8),
	FIELD(ktstr_stimulus, cgroup_count, 12),
	FIELD(ktstr_stimulus, worker_count, 14),
	FIELD(ktstr_stimulus, total_iterations, 16),

	SIZE(ktstr_guest_time, 8),
	FIELD(ktstr_guest_time, guest_ns, 0),
	SIZE(ktstr_scenario_end, 16),
	FIELD(ktstr_scenario_end, elapsed_ms, 0),
	FIELD(ktstr_scenario_end, total_iterations, 8),

	SIZE(ktstr_kern_addrs, 24),
	FIELD(ktstr_kern_addrs, phys_base_plus_1, 0),
	FIELD(ktstr_kern_addrs, page_offset_base, 8),
	FIELD(ktstr_kern_addrs, kernel_text_plus_1, 16),

	SIZE(ktstr_snapshot_request, 72),
	FIELD(ktstr_snapshot_request, request_id, 0),
	FIELD(ktstr_snapshot_request, kind, 4),
	FIELD(ktstr_snapshot_request, tag, 8),

	SIZE(ktstr_hello, 88),
	FIELD(ktstr_hello, size, 0),
	FIELD(ktstr_hello, abi_major, 4),
	FIELD(ktstr_hello, abi_minor, 6),
	FIELD(ktstr_hello, cpus, 8),
	FIELD(ktstr_hello, plugin_count, 12),
	FIELD(ktstr_hello, seed, 16),
	FIELD(ktstr_hello, kernel, 24),

	SIZE(ktstr_hello_plugin, 40),
	FIELD(ktstr_hello_plugin, kind, 0),
	FIELD(ktstr_hello_plugin, crc32, 4),
	FIELD(ktstr_hello_plugin, name, 8),

	SIZE(ktstr_cpuset, 128),
	FIELD(ktstr_cpuset, bits, 0),

	SIZE(ktstr_cgroup_info, 152),
	FIELD(ktstr_cgroup_info, size, 0),
	FIELD(ktstr_cgroup_info, id, 4),
	FIELD(ktstr_cgroup_info, flags, 8),
	FIELD(ktstr_cgroup_info, name_length, 12),
	FIELD(ktstr_cgroup_info, cpus, 16),
	FIELD(ktstr_cgroup_info, cpu_weight, 144),
	FIELD(ktstr_cgroup_info, reserved, 148),

	SIZE(ktstr_worker_report, 296),
	FIELD(ktstr_worker_report, size, 0),
	FIELD(ktstr_worker_report, tid, 4),
	FIELD(ktstr_worker_report, cgroup_id, 8),
	FIELD(ktstr_worker_report, group, 12),
	FIELD(ktstr_worker_report, index, 16),
	FIELD(ktstr_worker_report, flags, 20),
	FIELD(ktstr_worker_report, exit_kind, 24),
	FIELD(ktstr_worker_report, exit_value, 28),
	FIELD(ktstr_worker_report, work_units, 32),
	FIELD(ktstr_worker_report, iterations, 40),
	FIELD(ktstr_worker_report, wall_time_ns, 48),
	FIELD(ktstr_worker_report, cpu_time_ns, 56),
	FIELD(ktstr_worker_report, run_delay_ns, 64),
	FIELD(ktstr_worker_report, run_count, 72),
	FIELD(ktstr_worker_report, migrations, 80),
	FIELD(ktstr_worker_report, max_gap_ns, 88),
	FIELD(ktstr_worker_report, max_gap_at_ns, 96),
	FIELD(ktstr_worker_report, max_gap_cpu, 104),
	FIELD(ktstr_worker_report, wake_sample_count, 108),
	FIELD(ktstr_worker_report, wake_sample_total, 112),
	FIELD(ktstr_worker_report, cpus_used, 120),
	FIELD(ktstr_worker_report, workload, 248),
	FIELD(ktstr_worker_report, nice, 280),
	FIELD(ktstr_worker_report, ext_first, 284),
	FIELD(ktstr_worker_report, ext_last, 288),
	FIELD(ktstr_worker_report, reserved, 292),

	SIZE(ktstr_scx_state, 192),
	FIELD(ktstr_scx_state, size, 0),
	FIELD(ktstr_scx_state, when, 4),
	FIELD(ktstr_scx_state, guest_ns, 8),
	FIELD(ktstr_scx_state, enable_seq, 16),
	FIELD(ktstr_scx_state, nr_rejected, 24),
	FIELD(ktstr_scx_state, hotplug_seq, 32),
	FIELD(ktstr_scx_state, switch_all, 40),
	FIELD(ktstr_scx_state, event_count, 44),
	FIELD(ktstr_scx_state, state, 48),
	FIELD(ktstr_scx_state, ops, 64),

	SIZE(ktstr_scx_event, 48),
	FIELD(ktstr_scx_event, name, 0),
	FIELD(ktstr_scx_event, value, 40),

	SIZE(ktstr_scx_exit, 40),
	FIELD(ktstr_scx_exit, size, 0),
	FIELD(ktstr_scx_exit, kind, 4),
	FIELD(ktstr_scx_exit, exit_code, 8),
	FIELD(ktstr_scx_exit, source, 16),
	FIELD(ktstr_scx_exit, reason_length, 20),
	FIELD(ktstr_scx_exit, message_length, 24),
	FIELD(ktstr_scx_exit, backtrace_length, 28),
	FIELD(ktstr_scx_exit, dump_length, 32),
	FIELD(ktstr_scx_exit, reserved, 36),

	SIZE(ktstr_sched_progs, 16),
	FIELD(ktstr_sched_progs, size, 0),
	FIELD(ktstr_sched_progs, when, 4),
	FIELD(ktstr_sched_progs, program_count, 8),
	FIELD(ktstr_sched_progs, reserved, 12),

	SIZE(ktstr_sched_prog, 96),
	FIELD(ktstr_sched_prog, name, 0),
	FIELD(ktstr_sched_prog, id, 64),
	FIELD(ktstr_sched_prog, verified_insns, 68),
	FIELD(ktstr_sched_prog, insns, 72),
	FIELD(ktstr_sched_prog, jited_bytes, 76),
	FIELD(ktstr_sched_prog, run_time_ns, 80),
	FIELD(ktstr_sched_prog, run_count, 88),

	SIZE(ktstr_sched_time, 16),
	FIELD(ktstr_sched_time, size, 0),
	FIELD(ktstr_sched_time, phase, 4),
	FIELD(ktstr_sched_time, duration_ns, 8),

	SIZE(ktstr_sched_swap, 80),
	FIELD(ktstr_sched_swap, size, 0),
	FIELD(ktstr_sched_swap, kind, 4),
	FIELD(ktstr_sched_swap, code, 8),
	FIELD(ktstr_sched_swap, flags, 12),
	FIELD(ktstr_sched_swap, name, 16),
	FIELD(ktstr_sched_swap, plugin, 48),

	SIZE(ktstr_step_info, 24),
	FIELD(ktstr_step_info, size, 0),
	FIELD(ktstr_step_info, index, 4),
	FIELD(ktstr_step_info, count, 6),
	FIELD(ktstr_step_info, hold_ns, 8),
	FIELD(ktstr_step_info, name_length, 16),
	FIELD(ktstr_step_info, reserved, 20),

	SIZE(ktstr_test_result, 16),
	FIELD(ktstr_test_result, size, 0),
	FIELD(ktstr_test_result, outcome, 4),
	FIELD(ktstr_test_result, code, 8),
	FIELD(ktstr_test_result, text_length, 12),

	SIZE(ktstr_error_info, 16),
	FIELD(ktstr_error_info, size, 0),
	FIELD(ktstr_error_info, stage, 4),
	FIELD(ktstr_error_info, code, 8),
	FIELD(ktstr_error_info, text_length, 12),

	SIZE(ktstr_stream_end, 24),
	FIELD(ktstr_stream_end, frame_count, 0),
	FIELD(ktstr_stream_end, byte_count, 8),
	FIELD(ktstr_stream_end, headers_crc32, 16),
	FIELD(ktstr_stream_end, reserved, 20),

	SIZE(ktstr_frame, 40),
	FIELD(ktstr_frame, msg_type, 0),
	FIELD(ktstr_frame, length, 4),
	FIELD(ktstr_frame, flags, 8),
	FIELD(ktstr_frame, reserved, 12),
	FIELD(ktstr_frame, index, 16),
	FIELD(ktstr_frame, host_ns, 24),
	FIELD(ktstr_frame, payload, 32),

	SIZE(ktstr_cgroup_spec, 160),
	FIELD(ktstr_cgroup_spec, size, 0),
	FIELD(ktstr_cgroup_spec, cpu_weight, 4),
	FIELD(ktstr_cgroup_spec, name, 8),
	FIELD(ktstr_cgroup_spec, cpus, 16),
	FIELD(ktstr_cgroup_spec, cpu_max_quota_us, 144),
	FIELD(ktstr_cgroup_spec, cpu_max_period_us, 152),

	SIZE(ktstr_spawn_spec, 152),
	FIELD(ktstr_spawn_spec, size, 0),
	FIELD(ktstr_spawn_spec, cgroup_id, 4),
	FIELD(ktstr_spawn_spec, workload, 8),
	FIELD(ktstr_spawn_spec, workers, 16),
	FIELD(ktstr_spawn_spec, nice, 20),
	FIELD(ktstr_spawn_spec, affinity, 24),

	SIZE(ktstr_guest_ops, 200),
	FIELD(ktstr_guest_ops, size, 0),
	FIELD(ktstr_guest_ops, reserved, 4),
	FIELD(ktstr_guest_ops, now_ns, 8),
	FIELD(ktstr_guest_ops, random, 16),
	FIELD(ktstr_guest_ops, log, 24),
	FIELD(ktstr_guest_ops, emit, 32),
	FIELD(ktstr_guest_ops, stopping, 40),
	FIELD(ktstr_guest_ops, step, 48),
	FIELD(ktstr_guest_ops, step_end, 56),
	FIELD(ktstr_guest_ops, hold, 64),
	FIELD(ktstr_guest_ops, cgroup_create, 72),
	FIELD(ktstr_guest_ops, cgroup_find, 80),
	FIELD(ktstr_guest_ops, cgroup_set_cpus, 88),
	FIELD(ktstr_guest_ops, cgroup_remove, 96),
	FIELD(ktstr_guest_ops, spawn, 104),
	FIELD(ktstr_guest_ops, stop, 112),
	FIELD(ktstr_guest_ops, stop_cgroup, 120),
	FIELD(ktstr_guest_ops, snapshot, 128),
	FIELD(ktstr_guest_ops, watch, 136),
	FIELD(ktstr_guest_ops, kernel_read, 144),
	FIELD(ktstr_guest_ops, kernel_write, 152),
	FIELD(ktstr_guest_ops, scheduler_log, 160),
	FIELD(ktstr_guest_ops, scheduler_attach, 168),
	FIELD(ktstr_guest_ops, scheduler_detach, 176),
	FIELD(ktstr_guest_ops, scheduler_restart, 184),
	FIELD(ktstr_guest_ops, scheduler_replace, 192),

	SIZE(ktstr_kernel_range, 40),
	FIELD(ktstr_kernel_range, symbol, 0),
	FIELD(ktstr_kernel_range, address, 8),
	FIELD(ktstr_kernel_range, data, 16),
	FIELD(ktstr_kernel_range, length, 24),
	FIELD(ktstr_kernel_range, flags, 28),
	FIELD(ktstr_kernel_range, reserved, 32),

	SIZE(ktstr_guest, 16),
	FIELD(ktstr_guest, ops, 0),
	FIELD(ktstr_guest, topology, 8),

	SIZE(ktstr_needs, 72),
	FIELD(ktstr_needs, size, 0),
	FIELD(ktstr_needs, reserved, 4),
	FIELD(ktstr_needs, topology, 8),
	FIELD(ktstr_needs, duration_ns, 16),
	FIELD(ktstr_needs, memory_bytes, 24),
	FIELD(ktstr_needs, host, 32),
	FIELD(ktstr_needs, kernel_config, 40),
	FIELD(ktstr_needs, file, 48),
	FIELD(ktstr_needs, workers, 56),
	FIELD(ktstr_needs, scheduler, 64),

	SIZE(ktstr_param, 80),
	FIELD(ktstr_param, key, 0),
	FIELD(ktstr_param, help, 8),
	FIELD(ktstr_param, type, 16),
	FIELD(ktstr_param, flags, 20),
	FIELD(ktstr_param, fallback, 24),
	FIELD(ktstr_param, min, 32),
	FIELD(ktstr_param, max, 40),
	FIELD(ktstr_param, choices, 48),
	FIELD(ktstr_param, fields, 56),
	FIELD(ktstr_param, reserved, 64),

	SIZE(ktstr_value, 56),
	FIELD(ktstr_value, type, 0),
	FIELD(ktstr_value, is_set, 4),
	FIELD(ktstr_value, i, 8),
	FIELD(ktstr_value, f, 16),
	FIELD(ktstr_value, s, 24),
	FIELD(ktstr_value, items, 32),
	FIELD(ktstr_value, count, 40),
	FIELD(ktstr_value, line, 44),
	FIELD(ktstr_value, column, 48),
	FIELD(ktstr_value, reserved, 52),

	SIZE(ktstr_plugin, 72),
	FIELD(ktstr_plugin, magic, 0),
	FIELD(ktstr_plugin, abi_major, 4),
	FIELD(ktstr_plugin, abi_minor, 6),
	FIELD(ktstr_plugin, size, 8),
	FIELD(ktstr_plugin, kind, 12),
	FIELD(ktstr_plugin, name, 16),
	FIELD(ktstr_plugin, version, 24),
	FIELD(ktstr_plugin, summary, 32),
	FIELD(ktstr_plugin, params, 40),
	FIELD(ktstr_plugin, param_size, 48),
	FIELD(ktstr_plugin, reserved, 52),
	FIELD(ktstr_plugin, scheduler, 56),
	FIELD(ktstr_plugin, scenario, 56),
	FIELD(ktstr_plugin, workload, 56),
	FIELD(ktstr_plugin, checker, 56),
	FIELD(ktstr_plugin, ops, 56),
	FIELD(ktstr_plugin, license, 64),

	SIZE(ktstr_scenario_ops, 48),
	FIELD(ktstr_scenario_ops, size, 0),
	FIELD(ktstr_scenario_ops, reserved, 4),
	FIELD(ktstr_scenario_ops, needs, 8),
	FIELD(ktstr_scenario_ops, setup, 16),
	FIELD(ktstr_scenario_ops, run, 24),
	FIELD(ktstr_scenario_ops, teardown, 32),
	FIELD(ktstr_scenario_ops, judgement, 40),

	SIZE(ktstr_scheduler_ops, 40),
	FIELD(ktstr_scheduler_ops, size, 0),
	FIELD(ktstr_scheduler_ops, reserved, 4),
	FIELD(ktstr_scheduler_ops, needs, 8),
	FIELD(ktstr_scheduler_ops, start, 16),
	FIELD(ktstr_scheduler_ops, alive, 24),
	FIELD(ktstr_scheduler_ops, stop, 32),

	SIZE(ktstr_topology, 24),
	FIELD(ktstr_topology, size, 0),
	FIELD(ktstr_topology, numa_nodes, 4),
	FIELD(ktstr_topology, llcs, 8),
	FIELD(ktstr_topology, cores, 12),
	FIELD(ktstr_topology, threads, 16),
	FIELD(ktstr_topology, reserved, 20),

	SIZE(ktstr_worker_ops, 48),
	FIELD(ktstr_worker_ops, size, 0),
	FIELD(ktstr_worker_ops, reserved, 4),
	FIELD(ktstr_worker_ops, look, 8),
	FIELD(ktstr_worker_ops, now_ns, 16),
	FIELD(ktstr_worker_ops, random, 24),
	FIELD(ktstr_worker_ops, sleep_ns, 32),
	FIELD(ktstr_worker_ops, wake_sample, 40),

	SIZE(ktstr_worker, 64),
	FIELD(ktstr_worker, ops, 0),
	FIELD(ktstr_worker, values, 8),
	FIELD(ktstr_worker, index, 16),
	FIELD(ktstr_worker, workers, 20),
	FIELD(ktstr_worker, group_size, 24),
	FIELD(ktstr_worker, reserved, 28),
	FIELD(ktstr_worker, shared, 32),
	FIELD(ktstr_worker, stop, 40),
	FIELD(ktstr_worker, reserved2, 44),
	FIELD(ktstr_worker, work_units, 48),
	FIELD(ktstr_worker, iterations, 56),

	SIZE(ktstr_workload_ops, 40),
	FIELD(ktstr_workload_ops, size, 0),
	FIELD(ktstr_workload_ops, group_size, 4),
	FIELD(ktstr_workload_ops, shared_bytes, 8),
	FIELD(ktstr_workload_ops, needs, 16),
	FIELD(ktstr_workload_ops, group, 24),
	FIELD(ktstr_workload_ops, run, 32),
};

static const struct pin constants[] = {
	CONSTANT(KTSTR_PLUGIN_MAGIC, 0x5453544b),
	CONSTANT(KTSTR_ABI_MAJOR, 1),
	CONSTANT(KTSTR_PLUGIN_SIZE_1_0, 72),
	CONSTANT(KTSTR_KIND_SCHEDULER, 1),
	CONSTANT(KTSTR_KIND_SCENARIO, 2),
	CONSTANT(KTSTR_KIND_WORKLOAD, 3),
	CONSTANT(KTSTR_KIND_CHECKER, 4),
	CONSTANT(KTSTR_NAME_MAX, 31),
	CONSTANT(KTSTR_PARAM_BOOL, 1),
	CONSTANT(KTSTR_PARAM_INT, 2),
	CONSTANT(KTSTR_PARAM_FLOAT, 3),
	CONSTANT(KTSTR_PARAM_DURATION, 4),
	CONSTANT(KTSTR_PARAM_SIZE, 5),
	CONSTANT(KTSTR_PARAM_STRING, 6),
	CONSTANT(KTSTR_PARAM_ENUM, 7),
	CONSTANT(KTSTR_PARAM_PERCENT, 8),
	CONSTANT(KTSTR_PARAM_LIST, 9),
	CONSTANT(KTSTR_PARAM_MAP, 10),
	CONSTANT(KTSTR_PARAM_ONEOF, 11),
	CONSTANT(KTSTR_PARAM_PLUGIN, 12),
	CONSTANT(KTSTR_PARAM_REQUIRED, 1),
	CONSTANT(KTSTR_OUTCOME_NONE, 0),
	CONSTANT(KTSTR_OUTCOME_PASS, 1),
	CONSTANT(KTSTR_OUTCOME_SKIP, 2),
	CONSTANT(KTSTR_OUTCOME_UNDECIDED, 3),
	CONSTANT(KTSTR_OUTCOME_FAIL, 4),
	CONSTANT(KTSTR_OUTCOME_ERROR, 5),
	CONSTANT(KTSTR_ERROR_TEXT_MAX, 1008),
	CONSTANT(KTSTR_FRAME_PAYLOAD_MAX, 16777216),
	CONSTANT(KTSTR_MSG_STIMULUS, 0x5354494d),
	CONSTANT(KTSTR_MSG_STEP_END, 0x5354454e),
	CONSTANT(KTSTR_MSG_SCENARIO_START, 0x53435354),
	CONSTANT(KTSTR_MSG_SCENARIO_PAUSE, 0x53435050),
	CONSTANT(KTSTR_MSG_SCENARIO_RESUME, 0x53435252),
	CONSTANT(KTSTR_MSG_SCENARIO_END, 0x5343454e),
	CONSTANT(KTSTR_MSG_EXIT, 0x45584954),
	CONSTANT(KTSTR_MSG_TEST_RESULT, 0x54455354),
	CONSTANT(KTSTR_MSG_SCHED_EXIT, 0x53434458),
	CONSTANT(KTSTR_MSG_CRASH, 0x43525348),
	CONSTANT(KTSTR_MSG_PAYLOAD_METRICS, 0x504d4554),
	CONSTANT(KTSTR_MSG_RAW_PAYLOAD_OUTPUT, 0x5241574f),
	CONSTANT(KTSTR_MSG_PROFRAW, 0x50524157),
	CONSTANT(KTSTR_MSG_WPROF_TRACE, 0x57505246),
	CONSTANT(KTSTR_MSG_STDOUT, 0x534f5554),
	CONSTANT(KTSTR_MSG_STDERR, 0x53455252),
	CONSTANT(KTSTR_MSG_SCHED_LOG, 0x53434c47),
	CONSTANT(KTSTR_MSG_SCHED_SWAP, 0x53435357),
	CONSTANT(KTSTR_MSG_SCHED_TIME, 0x5343544d),
	CONSTANT(KTSTR_MSG_SCHED_PROGS, 0x53435047),
	CONSTANT(KTSTR_MSG_SCX_STATE, 0x53435853),
	CONSTANT(KTSTR_MSG_SCX_EXIT, 0x53435845),
	CONSTANT(KTSTR_MSG_SCX_DUMP, 0x53435844),
	CONSTANT(KTSTR_MSG_LIFECYCLE, 0x4c494645),
	CONSTANT(KTSTR_MSG_EXEC_EXIT, 0x45584358),
	CONSTANT(KTSTR_MSG_DMESG, 0x444d5347),
	CONSTANT(KTSTR_MSG_PROBE_OUTPUT, 0x50524f42),
	CONSTANT(KTSTR_MSG_HELLO, 0x48454c4f),
	CONSTANT(KTSTR_MSG_CGROUP, 0x43475250),
	CONSTANT(KTSTR_MSG_WORKER, 0x57524b52),
	CONSTANT(KTSTR_MSG_STEP, 0x53544550),
	CONSTANT(KTSTR_MSG_ERROR, 0x45524f52),
	CONSTANT(KTSTR_MSG_END, 0x454e4453),
	CONSTANT(KTSTR_MSG_KERN_ADDRS, 0x4b414452),
	CONSTANT(KTSTR_MSG_SNAPSHOT_REQUEST, 0x534e5251),
	CONSTANT(KTSTR_MSG_SNAPSHOT_RANGES, 0x534e5241),
	CONSTANT(KTSTR_MSG_SNAPSHOT_REPLY, 0x534e5250),
	CONSTANT(KTSTR_MSG_KERNEL_OP_REQUEST, 0x4b4f5251),
	CONSTANT(KTSTR_MSG_KERNEL_OP_REPLY, 0x4b4f5250),
	CONSTANT(KTSTR_MSG_SYS_RDY, 0x53524459),
	CONSTANT(KTSTR_PHASE_INIT_STARTED, 1),
	CONSTANT(KTSTR_PHASE_PAYLOAD_STARTING, 2),
	CONSTANT(KTSTR_PHASE_SCHEDULER_DIED, 3),
	CONSTANT(KTSTR_PHASE_SCHEDULER_NOT_ATTACHED, 4),
	CONSTANT(KTSTR_PHASE_WORKLOAD_DISPATCHED, 5),
	CONSTANT(KTSTR_PHASE_SCHEDULER_ATTACHED, 6),
	CONSTANT(KTSTR_PHASE_OVERDUE, 7),
	CONSTANT(KTSTR_SNAPSHOT_TAG_MAX, 64),
	CONSTANT(KTSTR_SNAPSHOT_NONE, 0),
	CONSTANT(KTSTR_SNAPSHOT_CAPTURE, 1),
	CONSTANT(KTSTR_SNAPSHOT_WATCH, 2),
	CONSTANT(KTSTR_CPUS_MAX, 1024),
	CONSTANT(KTSTR_CGROUP_HAS_MAX, 1),
	CONSTANT(KTSTR_WORKER_COMPLETED, 1),
	CONSTANT(KTSTR_WORKER_EXIT_NONE, 0),
	CONSTANT(KTSTR_WORKER_EXIT_CODE, 1),
	CONSTANT(KTSTR_WORKER_EXIT_SIGNAL, 2),
	CONSTANT(KTSTR_WORKER_EXIT_TIMEOUT, 3),
	CONSTANT(KTSTR_STAGE_BOOT, 1),
	CONSTANT(KTSTR_STAGE_JOB, 2),
	CONSTANT(KTSTR_STAGE_PLUGIN, 3),
	CONSTANT(KTSTR_STAGE_SCHEDULER, 4),
	CONSTANT(KTSTR_STAGE_SCENARIO, 5),
	CONSTANT(KTSTR_STAGE_WORKLOAD, 6),
	CONSTANT(KTSTR_FRAME_CRC_OK, 1),
	CONSTANT(KTSTR_LOG_ERR, 0),
	CONSTANT(KTSTR_LOG_WARN, 1),
	CONSTANT(KTSTR_LOG_INFO, 2),
	CONSTANT(KTSTR_LOG_DEBUG, 3),
	CONSTANT(KTSTR_KERNEL_RANGES_MAX, 64),
	CONSTANT(KTSTR_KERNEL_WRITE_MAX, 65536),
	CONSTANT(KTSTR_KERNEL_READ_MAX, 1024000),
	CONSTANT(KTSTR_KERNEL_HOT, 0),
	CONSTANT(KTSTR_KERNEL_COLD, 1),
	CONSTANT(KTSTR_KERNEL_OR, 1),
	CONSTANT(KTSTR_KERNEL_DIRECT, 2),
	CONSTANT(KTSTR_KERNEL_WALK, 4),
};
/* clang-format on */

static void check(const struct pin *pins, size_t count)
{
	size_t changed = 0;

	for (size_t i = 0; i < count; i++) {
		if (pins[i].is == pins[i].was)
			continue;
		changed++;
		cr_log_error("%s is %zu, was %zu", pins[i].what, pins[i].is, pins[i].was);
	}
	cr_assert_eq(changed, 0, "%zu of %zu changed: that is another ABI major", changed, count);
}

Test(layout, structs_keep_sizes_and_offsets)
{
	check(layout, ARRAY_SIZE(layout));
}

Test(layout, constants_keep_their_values)
{
	check(constants, ARRAY_SIZE(constants));
}

Test(layout, frozen_part_is_16_bytes)
{
	cr_assert_eq(offsetof(struct ktstr_plugin, name), 16);
	cr_assert_eq(KTSTR_PLUGIN_SIZE_1_0, 72);
}

/* Every ops table and every struct that may grow starts with its size: KTSTR_HAS() needs it. */
Test(layout, tables_start_with_their_size)
{
	static const size_t offsets[] = {
		offsetof(struct ktstr_scheduler_ops, size),
		offsetof(struct ktstr_scenario_ops, size),
		offsetof(struct ktstr_workload_ops, size),
		offsetof(struct ktstr_checker_ops, size),
		offsetof(struct ktstr_guest_ops, size),
		offsetof(struct ktstr_worker_ops, size),
		offsetof(struct ktstr_needs, size),
		offsetof(struct ktstr_judge, size),
		offsetof(struct ktstr_finding, size),
		offsetof(struct ktstr_cgroup_spec, size),
		offsetof(struct ktstr_spawn_spec, size),
		offsetof(struct ktstr_hello, size),
		offsetof(struct ktstr_worker_report, size),
	};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		cr_assert_eq(offsets[i], 0);
}
