#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs that end well, and what is kept of them.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

short_hog() {
	scenario hog <<-END
		name: hog
		vm: {topology: {numa: 1, llcs: 2, cores: 2, threads: 1}}
		scenario: {plugin: cpu_hog, cpuset: llc, duration: 1s}
		checkers: [starvation, gap, isolation, {plugin: fairness, max_spread: 60%}]
	END
}

case_cpu_hog_passes() {
	ktstr --scenario "$KTSTR_SOURCE/scenarios/cpu_hog.yaml" --run-dir "$work/run"
	expect_status 0
	expect_says 'PASS'
	expect_says 'run\.ktr'
	expect_nothing_left
	[[ -s $work/run/run.ktr && -e $work/run/console.log ]] || fail "the run folder is incomplete"
}

case_json_is_one_document() {
	short_hog
	run --output json
	expect_status 0
	expect_json '.schema_version == 1 and .verdict.outcome == "PASS" and .exit_code == 0'
	expect_json '(.checkers | length) == 4 and all(.checkers[]; .outcome == "PASS" and (.findings | length) > 0)'
	expect_json '(.workers | length) > 0 and all(.workers[]; .work_units > 0)'
	expect_json '.timings | length > 4'
}

case_a_recorded_run_is_judged_the_same() {
	short_hog
	run --output json
	expect_status 0
	jq -S '{verdict, checkers: [.checkers[] | {name, outcome, findings}]}' "$work/out" >"$work/first"
	ktstr check "$work/run" --output json
	expect_status 0
	jq -S '{verdict, checkers: [.checkers[] | {name, outcome, findings}]}' "$work/out" >"$work/second"
	diff "$work/first" "$work/second" >&2 || fail "the second judgement differs"
	ktstr check "$work/run/run.ktr" --plugin-dir "$KTSTR_TEST_PLUGINS" --checker misjudge,how=fail
	expect_status 1
	expect_says 'told to fail'
}

case_a_checker_given_by_path_judges_again() {
	local plugin=$work/misjudge.so
	cp "$(find "$KTSTR_TEST_PLUGINS" -name misjudge.so)" "$plugin"
	short_hog
	ktstr run "$file" --run-dir "$work/run" --only --checker "$plugin,how=fail"
	expect_status 1
	ktstr check "$work/run"
	expect_status 1
	expect_says 'told to fail'
	chmod o+w "$plugin"
	ktstr check "$work/run"
	expect_status 2
	expect_says "was judged by '$plugin'; give it with --checker PATH"
	chmod o-w "$plugin"
	printf x >>"$plugin"
	ktstr check "$work/run"
	expect_status 2
	expect_says "give it with --checker PATH"
	ktstr check "$work/run" --checker "$plugin" --output json
	expect_status 1
	expect_json '(.checkers | length) == 1 and .checkers[0].outcome == "FAIL"'
	expect_says 'not the same file as when the run was recorded'
	ktstr check "$work/run" --checker "$plugin,how=pass"
	expect_status 0
}

case_timings_are_shown_and_kept() {
	short_hog
	run --timings
	expect_status 0
	expect_says 'kernel to init'
	ktstr check "$work/run" --timings
	expect_status 0
	expect_says 'kernel to init'
}

case_a_run_from_the_installation_works_anywhere() {
	cmake --install "$KTSTR_BUILD" --prefix "$work/prefix" >/dev/null
	program=$work/prefix/bin/ktstr
	cd "$work/tmp"
	ktstr --scenario "$work/prefix/share/ktstr/scenarios/cpu_hog.yaml" --run-dir "$work/run"
	expect_status 0
	expect_says 'PASS'
	ktstr plugins
	expect_status 0
	expect_says "$work/prefix/.*/cpu_hog\.so"
}

case_every_shipped_scenario_is_valid() {
	ktstr check-scenario "$(dirname "$program")"/../share/ktstr/scenarios/*.yaml
	expect_status 0
	expect_nothing_left
}

case_steps_runs() {
	ktstr run "$KTSTR_SOURCE/scenarios/steps.yaml" --run-dir "$work/run"
	expect_status 0
}

case_plain_output_has_no_escapes() {
	scenario noise <<-END
		scenario: {plugin: misbehave, how: noise}
		checkers: [misjudge]
	END
	run --verbose
	expect_status 0
	if grep -q $'\033' "$work/out" "$work/err"; then
		fail "an escape of the guest reached the terminal"
	fi
}

case_more_workers_than_open_files() {
	[[ ${KTSTR_SANITIZE:-0} == 0 ]] || skip "so many workers with sanitizers in them need more memory than a run asks for"
	scenario crowd <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 1024, duration: 1s, workload: {plugin: bursty, burst: 1us, sleep: 2s}}
		checkers: [{plugin: gap, max_gap: 200s}]
	END
	run
	expect_status 0
	expect_says 'hog0 +1024 '
}

main "$@"
