#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Guests that misbehave (tests/villain): each trick gets the verdict that its scenario file expects, and costs the
# host no more than documented. The first lines of each file of tests/villain/tricks say
#
#	# expect: OUTCOME [REGEX]		the verdict, and what the last line of the report matches
#	# within: RUN MiB[, MEMORY MiB]	other limits than 1 MiB in the run's folder and 16 MiB of memory
#	# options: OPTION...			for ktstr
#
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# A few seconds on a quiet machine; one that takes longer than this hangs.
seconds_max=120
# Lines on stderr, and bytes of both outputs.
lines_max=1300
output_max=$((256 * 1024))

# The word behind "# KEY:" in the scenario file.
header() {
	sed -n "s/^# $1: //p" "$file"
}

# Watch the program until it ends; the most memory that it had is in $peak (KiB). One that takes too long is killed.
watch() {
	local key value rest state since
	peak=0
	since=$(now_ms)
	while read -r _ _ state _ 2>/dev/null <"/proc/$pid/stat" && [[ $state != Z ]]; do
		while read -r key value rest; do
			[[ $key != VmHWM: ]] || peak=$value
		done 2>/dev/null <"/proc/$pid/status" || :
		if (($(now_ms) - since > seconds_max * 1000)); then
			kill -9 "$pid"
			finish
			fail "it did not end within $seconds_max s"
		fi
		sleep 0.05
	done
	finish
}

exit_code_of() {
	case $1 in
	PASS) printf '0\n' ;;
	FAIL) printf '1\n' ;;
	ERROR) printf '3\n' ;;
	UNDECIDED) printf '4\n' ;;
	*) fail "no outcome: '$1'" ;;
	esac
}

expect_verdict() {
	expect_status "$(exit_code_of "$outcome")"
	tail -n 1 "$work/out" | grep -qE -- "^$outcome${regex:+: .*($regex)}" ||
		fail "the last line is no $outcome that matches '$regex'"
	[[ $outcome == PASS ]] || ! grep -E '^PASS' "$work/out" "$work/err" >&2 || fail "a line looks like a PASS"
}

# No control byte but newline and tab, no byte that begins a C1 control, no mark that turns the direction of reading.
expect_harmless_text() {
	if LC_ALL=C grep -nP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]' "$work/out" \
		"$work/err" >&2; then
		fail "what the guest wrote could drive a terminal"
	fi
}

# The recorded run is judged in the same way, and its JSON document is one.
expect_same_judgement() {
	local said
	said=$(tail -n 1 "$work/out")
	ktstr check "$work/run" --plugin-dir "$KTSTR_TEST_PLUGINS" --plugin-dir "$KTSTR_VILLAIN" --output json
	expect_status "$(exit_code_of "$outcome")"
	expect_json ".verdict.outcome == \"$outcome\""
	[[ $outcome == PASS || $said == "$outcome: $(jq -r '.verdict.reason | gsub("[\n\t]"; " ")' "$work/out")" ]] ||
		fail "it was '$said' before"
}

play() {
	file=$KTSTR_SOURCE/tests/villain/tricks/$1.yaml
	local run_mib memory_mib outcome regex options bytes
	read -r outcome regex < <(header expect)
	IFS=', ' read -r run_mib _ memory_mib _ < <(header within; printf '\n') || :
	read -ra options < <(header options; printf '\n')
	: "${run_mib:=1}" "${memory_mib:=16}"
	# The villain is the agent of an installation of its own.
	! grep -q 'plugin: villain' "$file" || program=$KTSTR_VILLAIN/prefix/${KTSTR_BINDIR:-bin}/ktstr
	start run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --plugin-dir "$KTSTR_VILLAIN" --run-dir "$work/run" \
		"${options[@]}"
	watch
	expect_nothing_left
	expect_verdict
	expect_harmless_text
	bytes=$(du -sb --apparent-size "$work/run" | cut -f1)
	((bytes <= run_mib * 1024 * 1024 + 65536)) || fail "the run takes $bytes bytes, $run_mib MiB are allowed"
	# The instruments of a sanitizer take memory of their own.
	((KTSTR_SANITIZE || peak <= memory_mib * 1024)) || fail "ktstr took $peak KiB, $memory_mib MiB are allowed"
	if ((${#options[@]} == 0)); then
		(($(wc -l <"$work/err") <= lines_max)) || fail "it wrote $(wc -l <"$work/err") lines"
		(($(cat "$work/out" "$work/err" | wc -c) <= output_max)) || fail "it wrote too much"
	fi
	expect_same_judgement
}

# A trick without a test, or a test without a trick, is a slip of the keys.
case_every_trick_has_a_test() {
	diff <(find "$KTSTR_SOURCE/tests/villain/tricks" -name '*.yaml' -printf '%f\n' | sed 's/\.yaml$//' | sort) \
		<(sed -n 's/^case_\([a-z0-9_]*\)() { play .*/\1/p' "$0" | sort) >&2 || fail "the lists differ"
}

case_none() { play none; }
case_torn_kern_addrs() { play torn_kern_addrs; }
case_torn_stimulus() { play torn_stimulus; }
case_torn_output() { play torn_output; }
case_torn_worker() { play torn_worker; }
case_torn_result() { play torn_result; }
case_torn_end() { play torn_end; }
case_torn_sched_exit() { play torn_sched_exit; }
case_torn_snapshot() { play torn_snapshot; }
case_padded() { play padded; }
case_largest() { play largest; }
case_oversize() { play oversize; }
case_announced_then_silence() { play announced_then_silence; }
case_announced_then_frames() { play announced_then_frames; }
case_announced_then_flood() { play announced_then_flood; }
case_frames_inside() { play frames_inside; }
case_interleaved() { play interleaved; }
case_reopened() { play reopened; }
case_half_a_frame_then_off() { play half_a_frame_then_off; }
case_half_a_header_then_off() { play half_a_header_then_off; }
case_zeros_between() { play zeros_between; }
case_noise_between() { play noise_between; }
case_sys_rdy_twice() { play sys_rdy_twice; }
case_sys_rdy_missing() { play sys_rdy_missing; }
case_hello_missing() { play hello_missing; }
case_start_twice() { play start_twice; }
case_exit_1_then_0() { play exit_1_then_0; }
case_exit_missing() { play exit_missing; }
case_fail_then_pass() { play fail_then_pass; }
case_result_then_scenario() { play result_then_scenario; }
case_result_without_scenario() { play result_without_scenario; }
case_worker_missing() { play worker_missing; }
case_replayed() { play replayed; }
case_end_missing() { play end_missing; }
case_end_twice() { play end_twice; }
case_end_early() { play end_early; }
case_end_then_frames() { play end_then_frames; }
case_end_wrong_count() { play end_wrong_count; }
case_end_wrong_crc() { play end_wrong_crc; }
case_scheduler_died_first() { play scheduler_died_first; }
case_unknown_phase() { play unknown_phase; }
case_pause_then_end() { play pause_then_end; }
case_pause_then_silence() { play pause_then_silence; }
case_start_for_ever() { play start_for_ever; }
case_hello_other_name() { play hello_other_name; }
case_hello_other_crc() { play hello_other_crc; }
case_hello_other_seed() { play hello_other_seed; }
case_hello_many_plugins() { play hello_many_plugins; }
case_hello_no_plugins() { play hello_no_plugins; }
case_worker_many_samples() { play worker_many_samples; }
case_worker_absurd_figures() { play worker_absurd_figures; }
case_worker_unknown_cgroup() { play worker_unknown_cgroup; }
case_cgroup_long_name() { play cgroup_long_name; }
case_cgroup_of_the_agent() { play cgroup_of_the_agent; }
case_step_long_name() { play step_long_name; }
case_result_unknown_outcome() { play result_unknown_outcome; }
case_stimulus_short() { play stimulus_short; }
case_start_with_payload() { play start_with_payload; }
case_sys_rdy_with_payload() { play sys_rdy_with_payload; }
case_kern_addrs_garbage() { play kern_addrs_garbage; }
case_kern_addrs_divergent() { play kern_addrs_divergent; }
case_unknown_type() { play unknown_type; }
case_snapshot_reply() { play snapshot_reply; }
case_sched_exit() { play sched_exit; }
case_escapes() { play escapes; }
case_flood_tiny_frames() { play flood_tiny_frames; }
case_flood_addresses() { play flood_addresses; }
case_flood_output() { play flood_output; }
case_flood_empty_lines() { play flood_empty_lines; }
case_flood_steps() { play flood_steps; }
case_flood_workers() { play flood_workers; }
case_flood_cgroups() { play flood_cgroups; }
case_flood_deaths() { play flood_deaths; }
case_flood_unknown_types() { play flood_unknown_types; }
case_flood_torn_frames() { play flood_torn_frames; }
case_flood_snapshots() { play flood_snapshots; }
case_flood_kernel_ops() { play flood_kernel_ops; }
case_flood_com1() { play flood_com1; }
case_flood_com1_alarms() { play flood_com1_alarms; }
case_flood_com2() { play flood_com2; }
case_flood_console() { play flood_console; }
case_flood_stats_port() { play flood_stats_port; }
case_freeze_flood() { play freeze_flood; }
case_freeze_no_commit() { play freeze_no_commit; }
case_freeze_only_starts() { play freeze_only_starts; }
case_freeze_no_standstill() { play freeze_no_standstill; }
case_silence_before_ready() { play silence_before_ready; }
case_silence_after_ready() { play silence_after_ready; }
case_silence_in_the_scenario() { play silence_in_the_scenario; }
case_power_off() { play power_off; }
case_reset() { play reset; }
case_end_then_reset() { play end_then_reset; }
case_pass_then_panic() { play pass_then_panic; }
case_end_then_panic() { play end_then_panic; }
case_pass_then_crash() { play pass_then_crash; }
case_panic_text() { play panic_text; }
case_crash_text() { play crash_text; }
case_plugin_open_port() { play plugin_open_port; }
case_plugin_steal_port() { play plugin_steal_port; }
case_plugin_channel_garbage() { play plugin_channel_garbage; }
case_plugin_channel_beyond() { play plugin_channel_beyond; }
case_plugin_channel_result() { play plugin_channel_result; }
case_plugin_channel_end() { play plugin_channel_end; }
case_plugin_channel_sys_rdy() { play plugin_channel_sys_rdy; }
case_plugin_channel_sched_exit() { play plugin_channel_sched_exit; }
case_plugin_close_all() { play plugin_close_all; }
case_plugin_kill_init() { play plugin_kill_init; }
case_plugin_ptrace_init() { play plugin_ptrace_init; }
case_plugin_smash_init() { play plugin_smash_init; }
case_plugin_unbind_port() { play plugin_unbind_port; }
case_plugin_eat_memory() { play plugin_eat_memory; }
case_plugin_rt_hog() { play plugin_rt_hog; }
case_plugin_orphans() { play plugin_orphans; }
case_plugin_exit_0() { play plugin_exit_0; }
case_plugin_status_page() { play plugin_status_page; }
case_plugin_flood_output() { play plugin_flood_output; }
case_workload_sched_exit() { play workload_sched_exit; }
case_workload_steal_fd() { play workload_steal_fd; }
case_workload_kill_session() { play workload_kill_session; }
case_workload_stop_session() { play workload_stop_session; }
case_workload_kill_all() { play workload_kill_all; }
case_workload_forge_report() { play workload_forge_report; }
case_workload_panic_text() { play workload_panic_text; }
case_workload_flood_output() { play workload_flood_output; }

main "$@"
