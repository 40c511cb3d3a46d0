#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Schedulers that carry BPF, in a real kernel: they come up, they break in each way that there is a scenario for, and
# nothing of them stays.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

needs_bpf

# fault NAME REGEX...: the shipped scenario of that fault ends as it says itself, for the reason that matches.
fault() {
	local regex
	ktstr run "$KTSTR_SOURCE/scenarios/faults/$1.yaml" --run-dir "$work/run"
	expect_status 0
	for regex in "${@:2}"; do
		expect_says "$regex"
	done
	expect_nothing_left
}

case_stall() { fault stall 'failed as expected: .*runnable task stall \(1026\): .*failed to'; }
case_stall_later() { fault stall_later 'failed as expected: .*was ejected [2-9]\.[0-9]+ s into step 1.*failed to'; }
case_starve() { fault starve 'failed as expected: .*runnable task stall \(1026\): .*failed to'; }
case_error() { fault error "failed as expected: .*scx_bpf_error \(1025\): 'scx_ktstr: told to fail at '"; }
case_crash() { fault crash "failed as expected: .*scx_bpf_error \(1025\): 'scx_ktstr: told to crash'"; }
case_bad_dsq() { fault bad_dsq "failed as expected: .*runtime error \(1024\): 'non-existent DSQ 0x3039'"; }
case_init() { fault init 'failed as expected: .*did not start: .*ops.init\(\) failed \(-12\)'; }
case_one_cpu() { fault one_cpu "failed as expected: checker 'fairness'"; }
case_slow() { fault slow "failed as expected: checker 'gap'"; }
case_scatter() { fault scatter 'isolation +PASS'; }

case_verifier() {
	fault verifier "failed as expected: .*refused BPF program 'ktstr_dispatch': R[0-9] invalid mem access"
	grep -q 'BEGIN PROG LOAD LOG' "$work/run/scheduler.log" || fail "the verifier's log was not kept"
}

case_verifier_long() {
	fault verifier_long "failed as expected: .*invalid mem access 'map_value_or_null'"
	(($(wc -l <"$work/run/scheduler.log") > 100)) || fail "the verifier's log is short"
}

# An expected failure that fails for another reason is a failure.
case_fails_otherwise() {
	sed 's/fault: error/fault: bad_dsq/' "$KTSTR_SOURCE/scenarios/faults/error.yaml" >"$work/otherwise.yaml"
	ktstr run "$work/otherwise.yaml" --run-dir "$work/run"
	expect_status 1
	expect_says "non-existent DSQ"
}

case_fault_on_command() {
	scenario command <<-END
		scheduler: {plugin: scx_ktstr, timeout: 20s}
		scenario: {plugin: order_fault, fault: crash}
		checkers: [starvation]
	END
	run
	expect_status 1
	expect_says "scx_bpf_error \(1025\): 'scx_ktstr: told to crash'"
	expect_nothing_left
}

# sample HOW CHECKERS: the scheduler that uses all of scx.bpf.h, and its user half.
sample() {
	scenario sample <<-END
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scheduler: {plugin: scx_sample, how: $1}
		scenario: {plugin: cpu_hog, cgroups: 2, workers: 2, duration: 1500ms}
		checkers: [$2]
	END
	run --output json
}

case_kernel_agrees_with_all_declarations() {
	sample well 'starvation, scx_alive'
	expect_status 0
	expect_json '.verdict.outcome == "PASS"'
	expect_json '[.. | .verified_insns? // empty] | length > 0'
}

case_variable_that_there_is_not() {
	sample unknown starvation
	expect_status 3
	expect_json '.verdict.reason | test("the BPF object has no variable .no_such_variable.")'
}

case_value_that_does_not_fit() {
	sample too_large starvation
	expect_status 3
	expect_json '.verdict.reason | test(".tiny. of the BPF object cannot hold 1000")'
}

# A user half that is killed takes the scheduler with it: the kernel's own class schedules at the end.
case_killed_user_half_leaves_no_scheduler() {
	sample killed starvation
	expect_status 3
	expect_json '.verdict.reason | test("SIGKILL|signal 9|killed")'
	expect_json '.sched_ext.state == "disabled" and .sched_ext.enable_seq == 1'
	expect_nothing_left
}

case_parameters_are_checked_on_the_host() {
	local bad
	for bad in 'timeout: 31s' 'slice: 1us' 'fault: fire' 'victim: a_name_that_is_too_long'; do
		scenario bad <<-END
			scheduler: {plugin: scx_ktstr, $bad}
			scenario: {plugin: cpu_hog}
			checkers: [starvation]
		END
		run
		expect_status 2
		expect_says "bad.yaml:1:[0-9]+: .*${bad%%:*}"
	done
}

case_times_of_a_start_are_told() {
	scenario times <<-END
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scheduler: {plugin: scx_vtime, slice: 5ms, timeout: 20s}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 4, duration: 1s}
		checkers: [starvation, scx_alive, scx_exit]
	END
	run --output json
	expect_status 0
	expect_json '.timings | .scheduler_open_s > 0 and .scheduler_load_s > 0 and .scheduler_attach_s > 0 and
		.scheduler_detach_s > 0'
	# What the agent adds to libbpf's own time.
	expect_json '.timings | .scheduler_start_s - .scheduler_open_s - .scheduler_load_s - .scheduler_attach_s < 0.1'
	expect_nothing_left
}

main "$@"
