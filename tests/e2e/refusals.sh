#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Bad input is refused before a VM starts: exit 2, one sentence, file:line:col where there is a file.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# refused LINE:COLUMN TEXT: the scenario on stdin.
refused() {
	scenario bad
	ktstr check-scenario "$file" --plugin-dir "$KTSTR_TEST_PLUGINS"
	expect_status 2
	expect_says "bad\.yaml:$1: .*$2"
	run
	expect_status 2
	expect_says "bad\.yaml:$1: .*$2"
	[[ ! -e $work/run ]] || fail "a run folder was made"
	expect_nothing_left
}

case_unknown_key() {
	refused 1:1 "unknown key 'scenarios', did you mean 'scenario'" <<-END
		scenarios: cpu_hog
	END
}

case_unknown_parameter() {
	refused 1:30 "unknown key 'wrokers', did you mean 'workers'" <<-END
		scenario: {plugin: cpu_hog,  wrokers: 3}
		checkers: [gap]
	END
}

case_wrong_type() {
	refused 1:38 "'many'" <<-END
		scenario: {plugin: cpu_hog, workers: many}
		checkers: [gap]
	END
}

case_out_of_range() {
	refused 1:33 '300' <<-END
		vm: {topology: {cores: 2, llcs: 300}}
		scenario: cpu_hog
		checkers: [gap]
	END
}

case_duplicate_key() {
	refused 2:1 "'scenario'" <<-END
		scenario: cpu_hog
		scenario: steps
		checkers: [gap]
	END
}

case_tab() {
	printf 'vm:\n\taccel: tcg\nscenario: cpu_hog\n' >"$work/in"
	refused 2:1 'tab' <"$work/in"
}

case_alias_bomb() {
	refused '[0-9]+:[0-9]+' 'anchor|alias' <<-END
		a: &a [x, x, x, x, x, x, x, x, x]
		b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
		c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
		scenario: cpu_hog
	END
}

case_unknown_plugin() {
	refused 1:11 "'cpu_hgo'.*did you mean 'cpu_hog'" <<-END
		scenario: cpu_hgo
		checkers: [gap]
	END
}

case_unknown_scheduler_of_schedulers() {
	refused 2:19 "no scheduler 'evdf'.*did you mean 'eevdf'" <<-END
		scenario: cpu_hog
		schedulers: {two: evdf}
		checkers: [gap]
	END
}

case_bad_name_of_schedulers() {
	refused 2:14 "'Two' is no name for a scheduler" <<-END
		scenario: cpu_hog
		schedulers: {Two: eevdf}
		checkers: [gap]
	END
}

case_change_to_a_scheduler_that_is_not_there() {
	refused 6:37 "replace_scheduler: 'schedulers' has no scheduler 'tow', did you mean 'two'" <<-END
		scenario:
		  plugin: steps
		  steps:
		    - ops:
		        - spawn: {workers: 1}
		        - replace_scheduler: {name: tow}
		schedulers: {two: eevdf}
		checkers: [gap]
	END
}

case_change_that_cannot_be() {
	refused 5:13 "attach_scheduler: a scheduler is up at this point; detach it before" <<-END
		scenario:
		  plugin: steps
		  steps:
		    - ops:
		          - attach_scheduler: {name: two}
		schedulers: {two: eevdf}
		checkers: [gap]
	END
}

case_expect_without_a_reason() {
	refused 2:19 "a FAIL for any reason proves nothing: say which one" <<-END
		scenario: cpu_hog
		expect: {outcome: fail}
		checkers: [gap]
	END
}

case_expect_of_an_unknown_kind() {
	refused 2:42 "'kind' must be one of .*stall, not 'stal'" <<-END
		scenario: cpu_hog
		expect: {outcome: fail, scx_exit: {kind: stal}}
		checkers: [gap]
	END
}

case_expect_of_a_checker_that_does_not_judge() {
	refused 2:36 "checker 'fairness' is expected to FAIL, but does not judge this run" <<-END
		scenario: cpu_hog
		expect: {outcome: fail, checkers: [fairness]}
		checkers: [gap]
	END
}

case_expect_with_a_pass() {
	refused 2:19 "that come true is no PASS" <<-END
		scenario: cpu_hog
		expect: {outcome: pass, start: x}
		checkers: [gap]
	END
}

case_scheduler_timeout_out_of_range() {
	refused 2:20 "'scheduler_timeout' must be at most 10m, not '1h'" <<-END
		scenario: cpu_hog
		scheduler_timeout: 1h
		checkers: [gap]
	END
}

case_workers_that_fill_no_group() {
	refused 1:40 "works in groups of 2; 3 workers do not fill them" <<-END
		scenario: {plugin: cpu_hog,  workload: futex_pingpong, workers: 3}
		checkers: [gap]
	END
}

case_workload_by_path() {
	refused 1:40 "is a path" <<-END
		scenario: {plugin: cpu_hog,  workload: "$KTSTR_TEST_PLUGINS/workloads/bad_worker.so"}
		checkers: [gap]
	END
}

case_step_names_a_cgroup_that_is_not_there() {
	refused 4:50 "'b'" <<-END
		scenario:
		  plugin: steps
		  steps:
		    - {name: one, ops: [{add_cgroup: {name: a}}, {spawn: {cgroup: b, workers: 1}}], hold: 1s}
		checkers: [gap]
	END
}

case_large_file() {
	head -c 10000000 /dev/zero | tr '\0' '#' >"$work/large.yaml"
	ktstr check-scenario "$work/large.yaml"
	expect_status 2
	expect_says 'larger than'
}

case_missing_file() {
	ktstr run "$work/none.yaml"
	expect_status 2
	expect_says 'none\.yaml.*No such file'
}

case_quotes_the_line() {
	scenario caret <<-END
		scenario: {plugin: cpu_hog, workers: many}
		checkers: [gap]
	END
	ktstr check-scenario "$file"
	expect_status 2
	expect_says '^ *\^'
}

case_kernel_that_is_not_there() {
	scenario hog <<-END
		scenario: cpu_hog
		checkers: [gap]
	END
	run --kernel "$work/nothing"
	expect_status 2
	expect_says "$work/nothing"
	KTSTR_KERNEL=$work/none run
	expect_status 2
	expect_says "KTSTR_KERNEL: .*$work/none"
	[[ ! -e $work/run ]] || fail "a run folder was left"
}

case_run_dir_that_cannot_be_made() {
	scenario hog <<-END
		scenario: cpu_hog
		checkers: [gap]
	END
	ktstr run "$file" --run-dir "$file/a/b"
	expect_status 2
	expect_says '--run-dir: cannot create folder'
	ktstr run "$file" --run-dir "$work/a/b/c" --kernel "$work/nothing"
	expect_status 2
	[[ ! -e $work/a ]] || fail "folders above the run folder are left"
}

case_only_without_a_checker() {
	ktstr check "$work" --only
	expect_status 2
	expect_says '--only needs --checker'
}

case_json_is_told_of_any_error() {
	ktstr run --bogus --output json
	expect_status 2
	expect_json '.kind == "error" and .exit_code == 2'
}

case_scenario_file_that_is_too_large() {
	scenario bad < <(head -c 10M /dev/zero | tr '\0' '#')
	ktstr check-scenario "$file"
	expect_status 2
	expect_says 'bad\.yaml:1:1: larger than 1048576 bytes'
}

case_unknown_option() {
	ktstr run --scenaro x.yaml
	expect_status 2
	expect_says 'scenario'
}

case_bad_plugin_file() {
	printf 'not an object' >"$work/broken.so"
	scenario plugin <<-END
		scenario: cpu_hog
		checkers: ["$work/broken.so"]
	END
	ktstr run "$file" --run-dir "$work/run"
	expect_status 2
	expect_says 'broken\.so.*ELF'
}

case_truncated_plugin_file() {
	head -c 3000 "$KTSTR_TEST_PLUGINS/checkers/misjudge.so" >"$work/cut.so"
	scenario plugin <<-END
		scenario: cpu_hog
		checkers: [gap]
	END
	ktstr run "$file" --run-dir "$work/run" --checker "$work/cut.so"
	expect_status 2
	expect_says 'cut\.so.*(truncated|cut off|damaged)'
}

case_plugin_of_another_kind() {
	scenario plugin <<-END
		scenario: cpu_hog
		checkers: ["$KTSTR_TEST_PLUGINS/scenarios/misbehave.so"]
	END
	ktstr run "$file" --run-dir "$work/run"
	expect_status 2
	expect_says 'scenario.*checker'
}

main "$@"
