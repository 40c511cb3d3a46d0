#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Shipped scenarios in virtual time: one seed, three runs, one stream.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# thrice NAME [OPTION...]
thrice() {
	ktstr run "$KTSTR_SOURCE/scenarios/$1.yaml" --accel tcg --clock virtual --quiet --repeat 3 --expect-identical \
		--run-dir "$work/run" "${@:2}"
	expect_status 0
	expect_says '^3 runs with seed [0-9]+: 3 PASS; one stream, the same in all$'
	expect_nothing_left
}

case_cpu_hog() {
	thrice cpu_hog
}

case_cpu_hog_that_boots() {
	thrice cpu_hog --cold
}

case_pingpong() {
	thrice pingpong
}

case_nice_under_scx_vtime() {
	needs_bpf
	thrice nice --scheduler scx_vtime
}

# Each sleep of a worker is one where QEMU's main thread could look a moment too early.
case_short_sleeps() {
	scenario sleeps <<-END
		vm: {topology: {cores: 2}}
		scenario:
		  plugin: steps
		  steps:
		    - ops:
		        - spawn: {workload: {plugin: bursty, burst: 10us, sleep: 100us}, workers: 2}
		      hold: 1s
		checkers: [starvation]
	END
	ktstr run "$file" --accel tcg --clock virtual --quiet --repeat 5 --expect-identical --run-dir "$work/run"
	expect_status 0
	expect_says '^5 runs with seed [0-9]+: 5 PASS; one stream, the same in all$'
	expect_nothing_left
}

case_qemu_is_gated_in_virtual_time_only() {
	local clock
	scenario short <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 1, duration: 8s}
		checkers: [starvation]
	END
	for clock in virtual host; do
		start run "$file" --accel tcg --clock "$clock" --run-dir "$work/run-$clock"
		wait_for 'step 1/1'
		cp "/proc/$(qemu_pid)/maps" "$work/maps-$clock" || fail "QEMU was gone too soon"
		grep -q 'libc\.so' "$work/maps-$clock" || fail "QEMU was gone too soon"
		finish
		expect_status 0
	done
	grep -q 'ktstr-qemu-gate.so$' "$work/maps-virtual" || fail "QEMU did without its gate"
	! grep -q 'ktstr-qemu-gate.so$' "$work/maps-host" || fail "QEMU has a gate that only virtual time needs"
	expect_nothing_left
}

# ld.so says nothing where it leaves out a library.
case_who_loses_the_gate_says_so() {
	scenario short <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 1, duration: 1s}
		checkers: [starvation]
	END
	cat >"$work/qemu" <<-END
		#!/bin/sh
		unset LD_PRELOAD
		exec ${KTSTR_QEMU:-qemu-system-x86_64} "\$@"
	END
	chmod +x "$work/qemu"
	run --accel tcg --clock virtual
	expect_status 0
	expect_says_not 'has not loaded'
	rm -r "$work/run"
	KTSTR_QEMU=$work/qemu run --accel tcg --clock virtual
	expect_status 0
	expect_says "warning: QEMU has not loaded '.*/ktstr-qemu-gate.so'"
	expect_nothing_left
}

# A question for statistics would come from the host's time into the guest's.
case_nobody_can_ask() {
	scenario quiet <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 1, duration: 1s}
		checkers: [starvation]
	END
	start run "$file" --accel tcg --clock virtual --run-dir "$work/run"
	wait_for 'step 1/1'
	[[ -e $work/run/console.log ]] || fail "the run is not there yet"
	[[ ! -e $work/run/stats.sock ]] || fail "there is a stats.sock"
	finish
	expect_status 0
	expect_nothing_left
}

main "$@"
