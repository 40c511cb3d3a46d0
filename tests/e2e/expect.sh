#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What a scenario file expects to fail must fail, in that way and alone; a recorded run is judged by it again.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# no_start TEXT: a scheduler that does not start, as expected with TEXT. It takes no checker to judge that.
no_start() {
	scenario no_start <<-END
		scheduler: {plugin: exec, path: /bin/false}
		scenario: {plugin: cpu_hog, duration: 100ms}
		expect: {outcome: fail, start: "$1"}
	END
	run
}

case_a_scheduler_that_does_not_start() {
	no_start 'exited with code 1'
	expect_status 0
	ktstr check "$work/run"
	expect_status 0
	ktstr check "$work/run" --output json
	expect_json '.exit_code == 0'
	expect_nothing_left
}

case_one_that_does_not_start_for_another_reason() {
	no_start 'exited with code 2'
	expect_status 1
	expect_says 'exited with code 2'
	ktstr check "$work/run"
	expect_status 1
	expect_nothing_left
}

# hog MAX_GAP: the checker gap is to fail.
hog() {
	scenario hog <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 3, duration: 1s, cpuset: split}
		checkers: [isolation, {plugin: gap, max_gap: $1}]
		expect: {outcome: fail, checkers: [gap]}
	END
	run
}

case_a_checker_that_fails() {
	hog 1us
	expect_status 0
	ktstr check "$work/run"
	expect_status 0
	ktstr check "$work/run" --checker gap,max_gap=2us
	expect_status 0
	ktstr check "$work/run" --only --checker isolation
	expect_status 2
	expect_says "was recorded with 'expect', which wants checker 'gap' to FAIL; add --checker gap"
	expect_nothing_left
}

case_a_checker_that_passes() {
	hog 50s
	expect_status 1
	ktstr check "$work/run"
	expect_status 1
	expect_nothing_left
}

main "$@"
