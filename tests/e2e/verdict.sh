#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Verdicts and exit codes: each the documented one, for the documented reason.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# judged HOW STATUS TEXT: a good run under a checker that does HOW.
judged() {
	scenario judged <<-END
		scenario: {plugin: misbehave, how: not}
		checkers: [{plugin: misjudge, how: $1}]
	END
	run
	expect_status "$2"
	expect_says "$3"
	expect_nothing_left
}

case_pass_is_0() { judged pass 0 'PASS'; }
case_fail_is_1() { judged fail 1 'told to fail'; }
case_undecided_is_4() { judged undecided 4 'told to be undecided'; }
case_skip_is_77() { judged skip 77 'told to skip'; }
case_checker_that_never_decides() { judged never 3 "'misjudge' .*(never decided|did not decide)"; }
case_checker_that_crashes() { judged crash 3 "'misjudge' was killed by SIG(SEGV|ABRT)|'misjudge' (exited|ended)"; }
case_checker_that_writes_garbage() { judged garbage 3 "'misjudge' wrote"; }
case_checker_that_exits() { judged exit 3 "'misjudge' .*(never decided|did not decide|without a decision)"; }

case_checker_that_eats_memory() {
	[[ ${KTSTR_SANITIZE:-0} == 0 ]] || skip "a build with sanitizers sets no limit on memory"
	judged eat 3 "'misjudge' (was killed|exited|ended)"
}

case_checker_that_hangs() {
	scenario judged <<-END
		scenario: {plugin: misbehave, how: not}
		checkers: [{plugin: misjudge, how: hang}]
	END
	run --output json
	expect_status 3
	expect_json '.verdict.reason | test("checker .misjudge. was stuck for 4 s")'
	expect_json '.timings.judging_s < 6'
	expect_nothing_left
}

case_checker_that_takes_its_time() {
	scenario judged <<-END
		scenario: {plugin: misbehave, how: not}
		checkers: [{plugin: misjudge, how: hang}]
	END
	run --checker-timeout 1s
	expect_status 3
	expect_says "'misjudge' did not finish within 1 ?s"
	expect_nothing_left
}

case_interrupted_while_judging() {
	scenario judged <<-END
		scenario: {plugin: misbehave, how: not}
		checkers: [{plugin: misjudge, how: hang}]
	END
	start run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/run"
	wait_for 'judging'
	sleep 1
	kill -INT "$pid"
	finish
	expect_status 3
	expect_says 'interrupted by SIGINT while judging'
	jq -e '.verdict.outcome == "ERROR" and .exit_code == 3' "$work/run/verdict.json" >/dev/null ||
		fail "the verdict was not kept"
	expect_nothing_left
}

case_check_that_is_interrupted() {
	local _
	scenario judged <<-END
		scenario: {plugin: misbehave, how: not}
		checkers: [misjudge]
	END
	run
	expect_status 0
	start check "$work/run" --plugin-dir "$KTSTR_TEST_PLUGINS" --checker misjudge,how=hang --output json
	for _ in $(seq 200); do
		[[ $(marked | xargs -r ps -o comm= -p) == *ktstr-judge* ]] && break
		sleep 0.02
	done
	kill -INT "$pid"
	finish
	expect_status 3
	expect_json '.kind == "verdict" and .verdict.outcome == "ERROR"'
	expect_json '.verdict.reason | test("interrupted by SIGINT while judging")'
	expect_nothing_left
}

case_scenario_that_does_not_apply_is_a_skip() {
	scenario skip <<-END
		scenario: {plugin: misbehave, how: skip}
		checkers: [misjudge]
	END
	run
	expect_status 77
	expect_says 'told that it does not apply'
}

case_a_failing_checker_is_not_hidden_by_a_broken_one() {
	scenario both <<-END
		scenario: {plugin: misbehave, how: not}
		checkers: [{plugin: misjudge, how: fail}]
	END
	run --checker misjudge,how=crash
	expect_status 1
	expect_says 'told to fail'
}

case_no_checker_is_refused() {
	scenario none <<-END
		scenario: {plugin: misbehave, how: not}
	END
	run
	expect_status 2
	expect_says 'checker'
	[[ ! -e $work/run/run.ktr ]] || fail "a VM was started"
}

main "$@"
