#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# One scenario under many seeds: what fails is sorted and kept, an interrupted search goes on, a scenario gets smaller.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# A short run; its checker fails certain seeds as $1 says.
ruled() {
	scenario small <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 50ms}
		vm: {topology: {numa: 1, llcs: 1, cores: 1, threads: 1}}
		checkers: [{plugin: seed_rule$1}]
	END
}

# Explore, in the folder $work/x unless said otherwise.
explore() {
	ktstr explore "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/x" "$@"
}

start_explore() {
	start explore "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/x" "$@"
}

# The seeds that the journal tells of, ascending, in one line.
journal_seeds() {
	tail -n +2 "$work/x/journal.jsonl" | jq -r .seed | sort -n | xargs
}

# Wait until the journal tells of $1 runs, at most 100 s.
wait_for_runs() {
	local _
	for _ in $(seq 1000); do
		[[ ! -e $work/x/journal.jsonl ]] || (($(wc -l <"$work/x/journal.jsonl") <= $1)) || return 0
		kill -0 "$pid" 2>/dev/null || fail "it ended before $1 runs did"
		sleep 0.1
	done
	fail "there were never $1 runs"
}

case_failures_are_sorted_and_kept() {
	ruled ', every: 3, other: 4'
	ktstr explore "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --seeds 1..9 -j 2
	expect_status 1
	expect_says '^exploration of small, seeds 1\.\.9$'
	expect_says '^  4 passed, '
	expect_says "^  1  FAIL +3 +33\.3  3, 6, 9 +checker 'seed_rule': N workers of cgroup N lost N s$"
	expect_says "^  2  FAIL +2 +22\.2  4, 8 +checker 'seed_rule': the run went wrong in another way$"
	expect_says '^1\. seeds 3, 6, 9$'
	expect_says '^   run file .*/seed-3/run\.ktr$'
	expect_says "note: seed [369]: FAIL: checker 'seed_rule': N workers"
	expect_says '^FAIL: 5 of 9 seeds failed; '
	local folder
	folder=$(readlink -f "$work/state/ktstr/runs/latest")
	[[ $folder == */small-explore-* ]] || fail "the folder is '$folder'"
	[[ $(cd "$folder" && echo *) == 'exploration.json journal.jsonl seed-3 seed-4' ]] ||
		fail "what is left is: $(ls "$folder")"
	jq -e '.kind == "exploration" and .exit_code == 1 and .end == "all" and .outcomes.PASS == 4 and
		(.signatures | map(.seeds)) == [[3, 6, 9], [4, 8]] and .shrunk == null' "$folder/exploration.json" >/dev/null ||
		fail "the document is not right"
	again "$(jq -r '.signatures[1].command' "$folder/exploration.json")"
	expect_nothing_left
}

# The command $1 that was handed out has the same run again.
again() {
	local words
	[[ $1 == "ktstr replay $(readlink -f "$work/state/ktstr/runs/latest")/seed-4/run.ktr" ]] || fail "the command is '$1'"
	read -r -a words <<<"${1#ktstr }"
	ktstr "${words[@]}" --plugin-dir "$KTSTR_TEST_PLUGINS"
	expect_status 0
	expect_says '^identical'
	expect_says 'the run went wrong in another way'
}

case_without_a_failure() {
	ruled ', every: 0'
	explore --seeds 5..6 --output json --quiet
	expect_status 0
	expect_json '.kind == "exploration" and .outcome == "PASS" and .done == 2 and .signatures == [] and
		.seeds == {"first": 5, "last": 6} and .error == null'
	[[ ! -s $work/err ]] || fail "it is not quiet"
	[[ $(ls "$work/x") == $'exploration.json\njournal.jsonl' ]] || fail "what is left is: $(ls "$work/x")"
	expect_nothing_left
}

case_until_the_first_failure() {
	ruled ', every: 3'
	explore --seeds 1..1000 -j 2 --until-fail
	expect_status 1
	expect_says "^  1  FAIL +1 +[0-9.]+  3 "
	expect_says '^FAIL: 1 of [2-6] seeds failed, 99[4-8] of 1000 were not run; '
	expect_nothing_left
}

case_interrupted_goes_on() {
	ruled ', every: 4'
	start_explore --seeds 1..12 -j 2
	wait_for_runs 3
	kill -INT "$pid"
	finish
	[[ $status == 1 || $status == 3 ]] || fail "the exit status is $status"
	expect_says 'warning: interrupted after [0-9]+ of 12 seeds'
	expect_says "note: it goes on by: ktstr explore $file --plugin-dir $KTSTR_TEST_PLUGINS --seeds 1\.\.12 --run-dir $work/x$"
	expect_says '^(FAIL|ERROR): [01] of [0-9]+ seeds failed, [0-9]+ of 12 were not run'
	jq -e '.end == "interrupted"' "$work/x/exploration.json" >/dev/null || fail "the document does not say so"
	expect_nothing_left
	# As if it had been killed in the middle of a line.
	printf '{"seed":12,"outc' >>"$work/x/journal.jsonl"
	mkdir "$work/x/seed-11"
	touch "$work/x/seed-11/run.ktr"
	explore --seeds 1..12 -j 1
	expect_status 1
	expect_says 'note: [0-9]+ of 12 seeds were run before'
	expect_says "^  1  FAIL +3 +25\.0  4, 8, 12 "
	[[ $(journal_seeds) == '1 2 3 4 5 6 7 8 9 10 11 12' ]] || fail "the journal has: $(journal_seeds)"
	[[ ! -e $work/x/seed-11 ]] || fail "what an interrupted run left is there still"
	expect_nothing_left
}

# The pid of a process that does a run of its own for $pid and is another one than $1; its QEMU runs.
run_pid() {
	local candidate qemu _
	for _ in $(seq 600); do
		candidate=$(pgrep -P "$pid" | head -1) || :
		qemu=$([[ -z $candidate ]] || pgrep -P "$candidate" qemu) || :
		if [[ -n $qemu && $candidate != "$1" ]]; then
			printf '%s\n' "$candidate"
			return
		fi
		sleep 0.05
	done
	fail "there is no run"
}

# One that takes a while: in the host's time it sleeps, so nothing outruns the script.
lasting() {
	scenario small <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 1, duration: 3s}
		vm: {clock: host, topology: {numa: 1, llcs: 1, cores: 1, threads: 1}}
		checkers: [seed_rule]
	END
}

case_the_hosts_time_is_refused_unless_it_is_named() {
	lasting
	explore --seeds 1..2
	expect_status 2
	expect_says "in the host's time a seed is no schedule, so the same seed may pass and fail; take --accel tcg"
	[[ ! -e $work/x ]] || fail "a folder was made"
	scenario small <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 50ms}
		checkers: [{plugin: seed_rule, every: 1}]
	END
	explore --seeds 1 --clock host
	expect_status 1
	expect_says "warning: in the host's time a seed is no schedule"
	expect_says '^   run file '
	expect_says_not 'run it again'
	ktstr replay "$work/x/seed-1" --stats 100ms
	expect_status 2
	expect_says -- '--stats'
	expect_nothing_left
}

case_a_run_that_was_killed_is_run_again() {
	local first
	lasting
	start_explore --clock host --seeds 1..2 -j 1
	first=$(run_pid 0)
	kill -TERM "$first"
	finish
	expect_status 0
	expect_says 'warning: seed 1: its run was ended by a signal; it is run once more'
	expect_says '^PASS: 0 of 2 seeds failed; '
	[[ $(journal_seeds) == '1 2' ]] || fail "the journal has: $(journal_seeds)"
	expect_nothing_left
}

case_a_seed_that_was_left_out_is_no_pass() {
	local first second
	lasting
	start_explore --clock host --seeds 1..2 -j 1
	first=$(run_pid 0)
	kill -TERM "$first"
	second=$(run_pid "$first")
	kill -TERM "$second"
	finish
	expect_status 3
	expect_says 'error: seed 1: its run was ended by a signal twice; it is left out'
	expect_says 'error: 1 of 2 seeds were not run, because a signal ended their runs twice'
	expect_says "note: it goes on by: ktstr explore $file .*--seeds 1\.\.2 --run-dir $work/x$"
	expect_says '^ERROR: 0 of 1 seeds failed, 1 of 2 were not run; '
	jq -e '.end == "lost" and .outcome == "ERROR" and .done == 1' "$work/x/exploration.json" >/dev/null ||
		fail "the document is not right"
	expect_nothing_left
	explore --clock host --seeds 1..2
	expect_status 0
	[[ $(journal_seeds) == '1 2' ]] || fail "the journal has: $(journal_seeds)"
}

case_killed_leaves_no_process() {
	ruled ''
	start_explore --seeds 1..50 -j 2
	wait_for_runs 1
	qemu_pid >/dev/null
	kill -KILL "$pid"
	finish
	[[ $status == 137 ]] || fail "the exit status is $status"
	expect_nothing_left
	explore --seeds 1..50 --until-fail -j 2
	expect_status 1
	expect_says "^  1  FAIL +1 +[0-9.]+  5 "
}

case_errors_end_it() {
	ruled ', every: 2, error_from: 3'
	explore --seeds 1..100 -j 1
	expect_status 1
	expect_says 'error: the last 5 runs ended in ERROR, so something is wrong that no seed mends: '
	expect_says "^  1  FAIL +1 +14\.3  2 "
	expect_says "^  2  ERROR +5 +71\.4  3, 4, 5, \.\. +checker 'seed_rule' could not judge the run: told to break at seed N$"
	expect_says '^FAIL: 1 of 7 seeds failed, 5 did not pass either, 93 of 100 were not run; '
	ruled ', error_from: 1'
	rm -r "$work/x"
	explore --seeds 1..100 -j 1 --output json
	expect_status 3
	expect_json '.outcome == "ERROR" and .end == "errors" and (.error | test("told to break at seed 5")) and .outcomes.PASS == 0'
	expect_nothing_left
}

# Those that ended in ERROR are run again.
case_errors_are_run_again() {
	ruled ''
	cp "$KTSTR_TEST_PLUGINS/checkers/seed_rule.so" "$work"
	explore --seeds 1..2
	expect_status 0
	sed -i 's/"outcome":"PASS"/"outcome":"ERROR"/; s/"signature":""/"signature":"disk full"/' "$work/x/journal.jsonl"
	explore --seeds 1..2
	expect_status 0
	expect_says 'note: 0 of 2 seeds were run before'
	[[ $(journal_seeds) == '1 1 2 2' ]] || fail "the journal has: $(journal_seeds)"
}

case_something_else_is_refused() {
	local plugins=$work/plugins
	mkdir -p "$plugins/checkers"
	cp "$KTSTR_TEST_PLUGINS/checkers/seed_rule.so" "$plugins/checkers"
	ruled ', every: 0'
	ktstr explore "$file" --plugin-dir "$plugins" --run-dir "$work/x" --seeds 1..1
	expect_status 0
	ktstr explore "$file" --plugin-dir "$plugins" --run-dir "$work/x" --seeds 1..2
	expect_status 2
	expect_says "the exploration in '$work/x' cannot be continued, .*: the seeds were 1\.\.1 and are 1\.\.2"
	ktstr explore "$file" --plugin-dir "$plugins" --run-dir "$work/x" --seeds 1 --cold --output json
	expect_status 2
	expect_json '.kind == "error" and .exit_code == 2 and (.error | test("is .--plugin-dir .*plugins --cold"))'
	ruled ', every: 7'
	ktstr explore "$file" --plugin-dir "$plugins" --run-dir "$work/x" --seeds 1
	expect_status 2
	expect_says "the scenario's text differs from line 3 on"
	ruled ', every: 0'
	printf x >>"$plugins/checkers/seed_rule.so"
	ktstr explore "$file" --plugin-dir "$plugins" --run-dir "$work/x" --seeds 1
	expect_status 2
	expect_says "the checker 'seed_rule' is not the same file as then"
	cp "$KTSTR_TEST_PLUGINS/checkers/seed_rule.so" "$plugins/checkers"
	# shellcheck disable=SC2016 # for the script
	printf '#!/bin/sh\nexec qemu-system-x86_64 "$@"\n' >"$work/qemu"
	chmod +x "$work/qemu"
	KTSTR_QEMU=$work/qemu ktstr explore "$file" --plugin-dir "$plugins" --run-dir "$work/x" --seeds 1..1
	expect_status 2
	expect_says "the program QEMU is not the same file as then \('$work/qemu'\)"
	# All is what it was, also where more is shown of it.
	ktstr explore "$file" --plugin-dir "$plugins" --run-dir "$work/x" --seeds 1..1 --verbose
	expect_status 0
	expect_says 'note: 1 of 1 seeds were run before'
	jq -e '.inputs | has("booted_base")' <<<"$(head -1 "$work/x/journal.jsonl")" >/dev/null || fail "it does not name the saved VM"
	mkdir "$work/full"
	touch "$work/full/mine"
	ktstr explore "$file" --plugin-dir "$plugins" --run-dir "$work/full" --seeds 1
	expect_status 2
	expect_says "'$work/full' is not empty, and no exploration is in it"
	[[ $(ls "$work/full") == mine ]] || fail "something was left there"
	expect_nothing_left
}

case_bad_command_starts_nothing() {
	ruled ''
	explore
	expect_status 2
	expect_says 'explore: it needs --seeds A\.\.B'
	explore --seeds 1..3 --scheduler eevdf --scheduler eevdf
	expect_status 2
	expect_says 'one exploration has one --scheduler, not 2'
	explore --seeds 1..3 --shrink-time 3s
	expect_status 2
	expect_says -- '--shrink-time needs --shrink'
	explore --seeds 1..3 --scheduler eedvf
	expect_status 2
	expect_says "no scheduler 'eedvf' .*did you mean 'eevdf'"
	explore --seeds 1..3 --kernel "$work/none"
	expect_status 2
	ruled ', evry: 3'
	explore --seeds 1..3
	expect_status 2
	expect_says "small.yaml:3:.*unknown key 'evry', did you mean 'every'"
	[[ ! -e $work/x ]] || fail "a folder was made"
	expect_nothing_left
}

case_two_cannot_share_a_folder() {
	local first
	ruled ''
	start_explore --seeds 1..4
	first=$pid
	wait_for_runs 1
	KTSTR_E2E_MARK=$work "$program" explore "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/x" --seeds 1..4 \
		>"$work/second" 2>&1 && fail "the second one was let in"
	grep -q "another ktstr explores in '$work/x'" "$work/second" || fail "it says: $(cat "$work/second")"
	pid=$first
	finish
	expect_status 0
	expect_nothing_left
}

case_what_changes_meanwhile_ends_it() {
	local plugins=$work/plugins
	mkdir -p "$plugins/checkers"
	cp "$KTSTR_TEST_PLUGINS/checkers/seed_rule.so" "$plugins/checkers"
	ruled ', every: 0'
	start explore "$file" --plugin-dir "$plugins" --run-dir "$work/x" --seeds 1..200 -j 1
	wait_for_runs 1
	# The file is read once.
	echo 'scenario: nonsense' >"$file"
	wait_for_runs 3
	cp "$KTSTR_TEST_PLUGINS/checkers/seed_rule.so" "$plugins/new"
	mv "$plugins/new" "$plugins/checkers/seed_rule.so"
	finish
	expect_status 3
	expect_says "error: the checker 'seed_rule' was changed meanwhile \('$plugins/checkers/seed_rule.so'\)"
	expect_says_not 'it goes on by'
	jq -e '.end == "broken" and .outcomes.ERROR == 0 and .outcomes.PASS >= 3' "$work/x/exploration.json" >/dev/null ||
		fail "the document is not right"
	expect_nothing_left
}

# What fails as long as there are two workers in a cgroup.
large() {
	scenario large <<-END
		name: large
		scenario:
		  plugin: steps
		  steps:
		    - name: first
		      ops:
		        - add_cgroup: {name: a, cpuset: "0-1"}
		        - add_cgroup: {name: b}
		        - spawn: {cgroup: a, workers: 3}
		        - spawn: {cgroup: b, workers: 1, nice: 3}
		      hold: 200ms
		    - ops:
		        - remove_cgroup: {name: b}
		      hold: 100ms
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		checkers: [starvation, {plugin: seed_rule, every: 2, workers: 2}]
	END
}

case_what_fails_gets_smaller() {
	large
	ktstr explore "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --seeds 1..2 --shrink
	expect_status 1
	expect_says '^shrunk: checker .seed_rule.: N workers of cgroup N lost N s$'
	expect_says '^   steps +2 -> 1$'
	expect_says '^   workers +4 -> 2$'
	expect_says '^   CPUs +2 -> 1$'
	expect_says "^   file +$work/large.shrunk.yaml$"
	expect_says 'note: shrunk: scenario\.steps'
	local folder
	folder=$(readlink -f "$work/state/ktstr/runs/latest")
	jq -e '.shrunk | .before.workers == 4 and .after.workers == 2 and .after.size * 2 <= .before.size and .seed == 2 and
		.problem == null' "$folder/exploration.json" >/dev/null || fail "the document is not right"
	head -1 "$work/large.shrunk.yaml" | grep -qF '# Made smaller by `ktstr explore --shrink` from large.yaml' ||
		fail "it does not say where it comes from"
	grep -q '^seed: 2$' "$work/large.shrunk.yaml" || fail "it has no seed"
	[[ -s $folder/shrunk/run.ktr ]] || fail "the run was not kept"
	[[ $(find "$folder" -name 'try-*') == '' ]] || fail "tries are left"
	# What was written is what was run.
	ktstr run "$work/large.shrunk.yaml" --plugin-dir "$KTSTR_TEST_PLUGINS" --output json
	expect_status 1
	expect_json '.stream.digest | length > 8'
	[[ $(jq -r .stream "$work/out") == "$(jq -r .stream "$folder/shrunk/verdict.json")" ]] || fail "it is another run"
	expect_nothing_left
}

case_shrinking_replaces_no_file_of_others() {
	large
	echo 'mine' >"$work/large.shrunk.yaml"
	explore --seeds 2 --shrink --shrink-time 20s
	expect_status 1
	[[ $(cat "$work/large.shrunk.yaml") == mine ]] || fail "the file was replaced"
	expect_says "^   file +$work/x/large.shrunk.yaml$"
	# Once more, now from what is known, over its own file; the time is over at once.
	explore --seeds 2 --shrink --shrink-time 1ms
	expect_status 1
	expect_says 'note: 1 of 1 seeds were run before'
	expect_says "^not shrunk: checker 'seed_rule': "
	expect_says '^   note +the time for it was over$'
	[[ -s $work/x/large.shrunk.yaml ]] || fail "the file of before is gone"
	echo 'mine' >"$work/x/large.shrunk.yaml"
	explore --seeds 2 --shrink --output json
	expect_status 1
	expect_json '.shrunk.file == null and (.shrunk.problem | test("is there already, and ktstr did not write it"))'
	[[ $(cat "$work/x/large.shrunk.yaml") == mine ]] || fail "the file was replaced"
	expect_nothing_left
}

# As small as it can be already.
case_nothing_smaller_is_written() {
	scenario tiny <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 1, duration: 10ms}
		vm: {topology: {cores: 1}}
		checkers: [{plugin: seed_rule, every: 1, workers: 1}]
	END
	explore --seeds 1 --shrink
	expect_status 1
	expect_says '^not shrunk: '
	expect_says '^   note +nothing smaller failed so$'
	jq -e '.shrunk | .file == null and .command == null and .after == null and .taken == 0' \
		"$work/x/exploration.json" >/dev/null || fail "the document is not right"
	[[ ! -e $work/x/tiny.shrunk.yaml ]] || fail "a file was written"
	expect_nothing_left
}

case_interrupted_shrinking_keeps_the_best() {
	large
	start_explore --seeds 2 --shrink
	wait_for 'note: shrunk: '
	kill -INT "$pid"
	finish
	expect_status 1
	expect_says '^   note +interrupted$'
	expect_says "^   file +$work/x/large.shrunk.yaml$"
	ktstr run "$work/x/large.shrunk.yaml" --plugin-dir "$KTSTR_TEST_PLUGINS"
	expect_status 1
	expect_nothing_left
}

main "$@"
