#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Several schedulers on one scenario: one table, one exit status, nothing started that cannot be finished.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

hog() {
	scenario hog <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 1s}
		checkers: [starvation, {plugin: gap, max_gap: 30s}]
	END
}

case_two_that_pass() {
	local folder
	hog
	ktstr run "$file" --scheduler eevdf --scheduler=eevdf
	expect_status 0
	expect_says 'note: run 1 of 2: scheduler .eevdf.'
	expect_says 'note: run 2 of 2: scheduler .eevdf.'
	expect_says '^comparison of hog, differences to eevdf #1$'
	expect_says '^  verdict +PASS +PASS$'
	expect_says '^  gap +PASS +PASS$'
	expect_says '^    iterations +[0-9.kM]+ +[0-9.kM]+ +([-+][0-9.]+%|=|x[0-9.e+]+)$'
	expect_says '^PASS: 2 of 2 runs passed$'
	[[ $(grep -c '^PASS hog under eevdf, scenario 1' "$work/out") == 2 ]] || fail "not one line for each run"
	folder=$(readlink -f "$work/state/ktstr/runs/latest")
	[[ -s $folder/1-eevdf/run.ktr && -s $folder/2-eevdf/verdict.json ]] || fail "the runs were not kept"
	jq -e '.kind == "comparison" and .exit_code == 0 and .scenario == "hog"' "$folder/comparison.json" >/dev/null ||
		fail "the comparison was not kept"
	jq -e '.command | test("--scheduler=eevdf .*--seed") and (test("--scheduler eevdf") | not)' \
		"$folder/2-eevdf/verdict.json" >/dev/null || fail "the second command runs more than the second run"
	check_again "$folder"
	expect_nothing_left
}

# The recorded runs of $1, compared again.
check_again() {
	ktstr check "$1" --output json
	expect_status 0
	expect_json '.kind == "comparison" and .outcome == "PASS" and (.runs | map(.kind)) == ["verdict", "verdict"]'
	expect_json '.table.columns | map(.label) == ["eevdf #1", "eevdf #2"]'
	expect_json '[.table.rows[] | select(.part == "cgroup" and .name == "CPU") | .cells | length] == [2]'
	expect_json '.table.rows[] | select(.part == "run" and .name == "iterations") | .cells |
		.[1].difference == .[1].value - .[0].value'
	ktstr check "$1/2-eevdf" "$1/1-eevdf/run.ktr" --only --checker gap,max_gap=1us
	expect_status 1
	expect_says '^  gap +FAIL +FAIL$'
	expect_says '^FAIL: 0 of 2 runs passed$'
	ktstr check "$1/1-eevdf" "$work/nothing"
	expect_status 2
	expect_says "cannot open run '$work/nothing'"
}

case_one_that_fails() {
	hog
	ktstr --scenario "$file" --run-dir "$work/run" --scheduler eevdf --scheduler exec,path=/bin/false
	expect_status 1
	expect_says '^PASS hog under eevdf'
	expect_says '^FAIL hog under exec'
	expect_says "^run file +$work/run/2-exec/run.ktr"
	expect_says '^run it again: .*--scheduler exec,path=/bin/false'
	expect_says '^  verdict +PASS +FAIL$'
	expect_says '^  exec: FAIL: '
	expect_says '^FAIL: 1 of 2 runs passed$'
	expect_nothing_left
}

case_wrong_second_scheduler_starts_nothing() {
	hog
	ktstr run "$file" --run-dir "$work/run" --scheduler eevdf --scheduler eedvf --output json
	expect_status 2
	expect_says "no scheduler 'eedvf' .*did you mean 'eevdf'"
	expect_json '.kind == "error" and .exit_code == 2'
	expect_says_not 'run 1 of 2'
	ktstr run "$file" --run-dir "$work/run" --scheduler eevdf --scheduler eevdf,slice=3
	expect_status 2
	expect_says "'slice'"
	ktstr run "$file" --scheduler eevdf --scheduler eevdf --kernel "$work/none"
	expect_status 2
	expect_says_not 'run 1 of 2'
	[[ ! -e $work/run && -z $(find "$work/state" -type f 2>/dev/null) ]] || fail "something was left"
	mkdir "$work/full"
	touch "$work/full/x"
	ktstr run "$file" --run-dir "$work/full" --scheduler eevdf --scheduler eevdf
	expect_status 2
	expect_says "'$work/full' is not empty"
	expect_nothing_left
}

case_interrupt_leaves_the_rest_out() {
	scenario hog <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 60s}
		checkers: [starvation]
	END
	start run "$file" --run-dir "$work/run" --scheduler eevdf --scheduler eevdf
	wait_for 'scenario: cpu_hog'
	kill -INT "$pid"
	finish
	expect_status 3
	expect_says 'interrupted: 1 of 2 runs are left out'
	expect_says '^ERROR hog under eevdf'
	expect_says '^  verdict +ERROR +not run$'
	expect_says '^ERROR: 0 of 2 runs passed$'
	jq -e '.exit_code == 3' "$work/run/1-eevdf/verdict.json" >/dev/null || fail "the verdict was not kept"
	jq -e '(.runs | map(.kind)) == ["verdict", "error"] and .table.columns[1].is_left_out' \
		"$work/run/comparison.json" >/dev/null || fail "the comparison was not kept"
	[[ ! -e $work/run/2-eevdf ]] || fail "the second run was begun"
	expect_nothing_left
}

# The first QEMU does not even start; that says nothing of the second scheduler.
case_run_without_a_verdict() {
	local qemu=$work/qemu
	cat >"$qemu" <<-END
		#!/bin/sh
		if mkdir "$work/once" 2>/dev/null; then
			echo "no memory today" >&2
			exit 1
		fi
		exec ${KTSTR_QEMU:-qemu-system-x86_64} "\$@"
	END
	chmod +x "$qemu"
	hog
	KTSTR_QEMU=$qemu ktstr run "$file" --run-dir "$work/run" --scheduler eevdf --scheduler eevdf --cold --output json
	expect_status 3
	expect_says 'no memory today'
	expect_json '.outcome == "ERROR" and (.table.columns | map(.outcome)) == ["ERROR", "PASS"]'
	expect_json '.runs[1].exit_code == 0'
	expect_nothing_left
}

main "$@"
