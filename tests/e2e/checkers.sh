#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What the checkers over shares and schedulers say of real runs. A run costs seconds, so each is judged in many ways.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# nice_under SCHEDULER [OPTION...]: run the shipped scenario of nice values under it.
nice_under() {
	sed "s/^scheduler: .*/scheduler: $1/" "$KTSTR_SOURCE/scenarios/nice.yaml" >"$work/nice.yaml"
	ktstr run "$work/nice.yaml" --run-dir "$work/run" "${@:2}"
}

# says STATUS REGEX CHECKER...: judge the run once more, by these checkers alone.
says() {
	local status_wanted=$1 regex=$2 checker
	local options=()
	for checker in "${@:3}"; do
		options+=(--checker "$checker")
	done
	ktstr check "$work/run" --only "${options[@]}"
	expect_status "$status_wanted"
	expect_says "$regex"
}

case_eevdf() {
	nice_under eevdf
	expect_status 0
	expect_says '^  shares +PASS +share error'
	says 1 'no sched_ext scheduler was in charge' scx_alive
	says 77 'scx_exit +SKIP +no sched_ext scheduler was in charge' scx_exit scx_events verifier
	says 1 "no scheduler left by 'stall'" scx_exit,kind=stall
}

case_scx_fifo() {
	needs_bpf
	nice_under scx_fifo
	expect_status 1
	expect_says '^  shares +FAIL +share error'
	expect_says '2 workers of cgroup (first|second) got .* instead of .*nice 10'
	says 0 "8 workers under sched_ext" scx_alive,ops=fifo
	says 1 "'fifo' was in charge instead of 'vtime'" scx_alive,ops=vtime
}

case_scx_vtime() {
	needs_bpf
	nice_under scx_vtime
	expect_status 0
	expect_says '^  shares +PASS +share error'
	says 0 'scx_exit +PASS' scx_alive scx_exit scx_events verifier
	says 1 'the verifier went through [0-9]+ instructions' verifier,max_insns=10
	says 1 "no scheduler left by 'stall', but in order" scx_exit,kind=stall
	expect_nothing_left
}

# A scenario that crashes takes its scheduler with it, which is not the scheduler's fault.
case_a_crash_of_the_scenario_is_not_the_schedulers() {
	needs_bpf
	scenario crash <<-END
		scheduler: scx_fifo
		scenario: {plugin: misbehave, how: crash}
		checkers: [scx_alive, scx_exit]
	END
	run
	expect_status 3
	expect_says "scenario 'misbehave' was killed by SIGSEGV"
	expect_says "the run ended before 'fifo' was stopped"
	expect_nothing_left
}

main "$@"
