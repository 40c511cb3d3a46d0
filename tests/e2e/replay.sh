#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The same run again: repeated, and from its run file. In virtual time it is the same, to the bit; in the host's
# time that is not asked for.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

hog() {
	scenario hog <<-END
		vm: {topology: {cores: 2}}
		scenario: {plugin: cpu_hog, workers: 3, duration: 300ms}
		checkers: [starvation]
	END
}

digest() {
	jq -r .stream.digest "$1/verdict.json"
}

# A run in $work/run, restored where that is possible.
record() {
	hog
	run --quiet "$@"
	expect_status 0
	expect_says '^stream +[0-9a-f]{16} \([0-9]+ frames\)$'
	rm "$file" # nothing of it is needed any more
}

# Run $1 again, into $1-again.
replay() {
	local what=$1
	shift
	rm -rf "$work/again"
	ktstr replay "$what" --quiet --run-dir "$work/again" "$@"
}

expect_identical() {
	expect_status 0
	expect_says "^identical: stream $(digest "$work/run" | head -c 16) \([0-9]+ frames\)$"
	[[ $(digest "$work/run") == "$(digest "$work/again")" ]] || fail "the digests of both runs are not the same"
}

case_a_repeated_run_is_identical() {
	hog
	ktstr run "$file" --quiet --repeat 3 --expect-identical --run-dir "$work/run"
	expect_status 0
	[[ $(grep -cE '^run  [123]  PASS +stream [0-9a-f]{16} \([0-9]+ frames\) ' "$work/out") == 3 ]] ||
		fail "not one line for each run"
	local seed
	jq -e '.kind == "repeat" and .exit_code == 0 and .difference == null and (.streams | length) == 1 and .is_identical and
		.reason == null and .streams[0].runs == [1, 2, 3] and (.runs | map(.outcome)) == ["PASS", "PASS", "PASS"]' \
		"$work/run/repeat.json" >/dev/null || fail "the document was not kept"
	# One seed for all, which the command of each names.
	seed=$(jq .seed "$work/run/repeat.json")
	expect_says "^3 runs with seed $seed: 3 PASS; one stream, the same in all$"
	[[ $(jq -r .command "$work"/run/[123]/verdict.json | grep -oE -- '--seed [0-9]+' | sort -u) == "--seed $seed" ]] ||
		fail "not all runs have seed $seed"
	if jq -r .command "$work/run/2/verdict.json" | grep -E -- '--repeat|--expect'; then
		fail "the command of one run runs several"
	fi
	expect_nothing_left
}

# The second VM does not start, so there is nothing that the first one could be the same as.
case_one_run_alone_is_identical_to_none() {
	hog
	cat >"$work/qemu" <<-END
		#!/bin/sh
		[ ! -e "$work/second" ] || exit 1
		: >"$work/\$([ -e "$work/first" ] && echo second || echo first)"
		[ ! -e "$work/second" ] || exit 1
		exec qemu-system-x86_64 "\$@"
	END
	chmod +x "$work/qemu"
	KTSTR_QEMU=$work/qemu ktstr run "$file" --quiet --cold --repeat 2 --expect-identical --run-dir "$work/run"
	expect_status 3
	expect_says '^2 runs with seed [0-9]+: 1 PASS, 1 ERROR; nothing to compare$'
	expect_says_not 'the same in all'
	jq -e '.is_identical == false and .exit_code == 3' "$work/run/repeat.json" >/dev/null || fail "the document is not right"
	expect_nothing_left
}

case_another_seed_is_another_run() {
	local first
	record --seed 1
	first=$(digest "$work/run")
	hog
	ktstr run "$file" --quiet --seed 2 --run-dir "$work/other"
	expect_status 0
	[[ $first != "$(digest "$work/other")" ]] || fail "two seeds gave the same run"
}

case_repeated_runs_that_differ_are_told_apart() {
	hog
	ktstr run "$file" --quiet --clock host --repeat 2 --run-dir "$work/run"
	expect_status 0
	expect_says '^2 runs with seed [0-9]+: 2 PASS; 2 different streams$'
	ktstr run "$file" --quiet --clock host --repeat 2 --expect-identical --run-dir "$work/other"
	expect_status 2
	expect_says "in the host's time no two runs are the same"
	[[ ! -e $work/other ]] || fail "it left a folder"
	ktstr run "$file" --expect-identical
	expect_status 2
	expect_says '--expect-identical needs --repeat'
	ktstr run "$file" --repeat 2 --verify-restore
	expect_status 2
	expect_says '--repeat goes with no --verify-restore'
	ktstr run "$file" --repeat 1
	expect_status 2
	expect_says "--repeat: '1' is no number from 2 to 1000"
}

case_a_replay_is_identical() {
	record
	cd / # nothing depends on where it is started
	replay "$work/run"
	expect_identical
	# And the replay of that one, as a document.
	rm -rf "$work/third"
	ktstr replay "$work/again/run.ktr" --quiet --output json --run-dir "$work/third"
	expect_status 0
	expect_json '.kind == "replay" and .exit_code == 0 and .is_identical == true and .difference == null and
		.verdict.verdict.outcome == "PASS" and .recorded.digest == .again.digest'
	expect_nothing_left
}

case_a_replay_of_a_run_that_booted_is_identical() {
	record --cold --verbose
	replay "$work/run"
	expect_identical
}

case_a_replay_has_what_the_command_line_said() {
	local plugin
	mkdir "$work/plugins"
	plugin=$(find "$KTSTR_BUILD" -path '*/schedulers/eevdf.so' | head -n 1)
	cp "$plugin" "$work/plugins/"
	cd "$work"
	hog
	ktstr run hog.yaml --quiet --seed 77 --scheduler ./plugins/eevdf.so --checker gap,max_gap=1us --only \
		--run-dir run
	expect_status 1
	rm "$file"
	cd /
	replay "$work/run"
	expect_identical # also in that it fails
	expect_says '^FAIL hog under eevdf'
	jq -e '.scenario.seed == 77 and (.checkers | map(.name)) == ["gap"]' "$work/again/verdict.json" >/dev/null ||
		fail "it is not what the command line said"
}

case_a_changed_plugin_is_refused() {
	local plugin
	mkdir "$work/plugins"
	plugin=$(find "$KTSTR_BUILD" -path '*/scenarios/cpu_hog.so' | head -n 1)
	cp "$plugin" "$work/plugins/"
	hog
	ktstr run "$file" --quiet --plugin-dir "$work/plugins" --run-dir "$work/run"
	expect_status 0
	printf 'more' >>"$work/plugins/cpu_hog.so"
	replay "$work/run"
	expect_status 2
	expect_says "scenario 'cpu_hog' \('$work/plugins/cpu_hog.so'\) is not the file that the run was made with"
	expect_says 'checksum [0-9a-f]{8}, then [0-9a-f]{8}; --force'
	[[ ! -e $work/again ]] || fail "it left a folder"
	# It is run, and the guest tells which plugin it had.
	replay "$work/run" --force
	expect_status 1
	expect_says "warning: this is not what the run was made with: scenario 'cpu_hog'"
	expect_says '^different: stream [0-9a-f]{16}'
	expect_says '^the streams differ from frame [0-9]+ on'
	expect_says '^  \*  plugin\[[0-9]\].crc32 +0x'
	# Where it was is none any more, but the same one is in the search path.
	rm "$work/plugins/cpu_hog.so"
	replay "$work/run"
	expect_identical
	chmod 0777 "$work/plugins"
	cp "$plugin" "$work/plugins/"
	chmod 0666 "$work/plugins/cpu_hog.so"
	replay "$work/run"
	expect_status 2
	expect_says 'where others can put one in its place'
}

case_another_qemu_is_refused() {
	record
	# shellcheck disable=SC2016 # for the script
	printf '#!/bin/sh\nexec qemu-system-x86_64 "$@"\n' >"$work/qemu"
	chmod +x "$work/qemu"
	KTSTR_QEMU=$work/qemu replay "$work/run"
	expect_status 2
	expect_says "QEMU '$work/qemu' has checksum [0-9a-f]{8}, then [0-9a-f]{8}; --force"
}

case_a_saved_vm_that_is_gone_is_told_of() {
	export XDG_CACHE_HOME=$work/cache
	mkdir -p "$work/cache/ktstr"
	ln -s "${HOME}/.cache/ktstr/kernels" "$work/cache/ktstr/kernels"
	record
	[[ -n $(ls "$work/cache/ktstr/bases" 2>/dev/null) ]] || skip "nothing is saved here"
	# The one of its kind is another one now.
	python3 - "$work/run/run.ktr" <<-'END' || skip "python3 is not there"
		import sys, re, zlib, struct
		path = sys.argv[1]
		data = bytearray(open(path, "rb").read())
		length = struct.unpack_from("<I", data, 64 + 8)[0]
		start = 64 + 40
		meta = data[start:start + length]
		at = re.search(rb'"base": ?"[^"]*-([0-9a-f]{8})"', meta).start(1)
		meta[at:at + 8] = b"00000000" if meta[at:at + 8] != b"00000000" else b"11111111"
		data[start:start + length] = meta
		struct.pack_into("<I", data, 64 + 32, zlib.crc32(bytes(meta)))
		struct.pack_into("<I", data, 64 + 36, zlib.crc32(bytes(data[64:64 + 36])))
		open(path, "wb").write(data)
	END
	replay "$work/run"
	expect_status 2
	expect_says 'the one that the run started from, .* is gone'
	replay "$work/run" --force
	expect_says 'warning: the saved VM that the run started from, .* is gone'
	expect_status 0
}

case_a_run_of_the_hosts_time_is_not_compared() {
	hog
	run --quiet --clock host
	expect_status 0
	replay "$work/run"
	expect_status 2
	expect_says "'$work/run/run.ktr' was recorded in the host's time, in which no two runs are the same; --force"
	replay "$work/run" --force
	expect_status 0
	expect_says "^not compared: in the host's time no two runs are the same$"
	ktstr replay "$work/nothing"
	expect_status 2
	expect_says "cannot open run '$work/nothing'"
	ktstr replay "$file"
	expect_status 2
	expect_says "is no run file|not a run file"
}

# Stop where $1 says, with the options that follow.
stop_at() {
	local where=$1
	shift
	replay "$work/run" --until "$where" "$@"
}

case_a_replay_stops_where_it_is_told_to() {
	record
	stop_at frame:9
	expect_status 0
	expect_says '^stopped after frame 9$'
	expect_says '^CPU 0: [a-z0-9_.]+'
	expect_says '^CPU 1: [a-z0-9_.]+'
	expect_says '^    rax   [0-9a-f]{16}'
	expect_says '^identical up to there: 10 of [0-9]+ frames$'
	stop_at step:1
	expect_status 0
	expect_says '^identical up to there: '
	stop_at frame:100000
	expect_status 2
	expect_says "has frames 0 to [0-9]+, and none with number 100000"
	stop_at step:7
	expect_status 2
	expect_says "has no step 7"
	stop_at soon
	expect_status 2
	expect_says "--until: 'soon' is no time"
	ktstr replay "$work/run" --gdb
	expect_status 2
	expect_says '--gdb needs --until'
	expect_nothing_left
}

case_a_replay_stops_at_a_time() {
	# Long enough that somebody looks at it in time, whatever else the machine does.
	scenario hog <<-END
		vm: {topology: {cores: 2}}
		scenario: {plugin: cpu_hog, workers: 3, duration: 6s}
		checkers: [starvation]
	END
	run --quiet
	expect_status 0
	stop_at 100ms
	expect_status 0
	expect_says "^stopped [0-5]\.[0-9]{3} s after the scenario's start, to 0\.[0-9]+ s; 0\.100 s were asked for$"
	expect_says '^identical up to there: [0-9]+ of [0-9]+ frames$'
	stop_at 1s --output json
	expect_status 0
	expect_json '.kind == "replay_stop" and .exit_code == 0 and .is_identical and .asked == {"kind": "time", "time_s": 1}
		and .stopped.time_s >= 1 and .stopped.time_s < 6 and .stopped.precision_s > 0 and .difference == null and
		(.cpus | map(.cpu)) == [0, 1] and (.cpus[0].registers | .rip | startswith("0x")) and .recorded.frames > .again.frames'
	expect_nothing_left
}

# It lives through 100 s in about a second of the host's, from timer to timer. How much later than it was asked for
# depends on how busy the host is.
case_a_guest_that_waits_is_stopped_in_time() {
	scenario idle <<-END
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scenario:
		  plugin: steps
		  steps:
		    - {ops: [{add_cgroup: {name: a}}, {spawn: {cgroup: a, workers: 1}}], hold: 100ms}
		    - {ops: [{remove_cgroup: {name: a}}], hold: 100s}
		checkers: [starvation]
	END
	run --quiet
	expect_status 0
	local time
	for time in 3 10; do
		stop_at "${time}s" --output json
		expect_status 0
		expect_json ".is_identical and .stopped.time_s >= $time and .stopped.time_s < $time + 60"
	done
	stop_at frame:9 --output json
	expect_status 0
	expect_json '.asked == {"kind": "frame", "number": 9} and .stopped.frame == 9 and .stopped.time_s == null and .is_identical'
	# Progress is shown of a stop that was asked for as of any other good end.
	rm -rf "$work/again"
	ktstr replay "$work/run" --until 2s --run-dir "$work/again"
	expect_status 0
	expect_says_not 'failed'
	stop_at 200s
	expect_status 3
	expect_says 'error: --until: the run came to its end before it could be stopped; it is kept in'
	stop_at 1s --gdb --output json
	expect_status 2
	expect_says '--gdb has the terminal, and goes with no --output json'
	expect_nothing_left
}

case_gdb_opens_there() {
	command -v gdb >/dev/null || skip "gdb is not installed"
	mkdir "$work/bin"
	# shellcheck disable=SC2016 # for the script
	printf '#!/bin/sh\nexec %s -batch "$@" -ex "info threads" -ex "info symbol schedule"\n' \
		"$(command -v gdb)" >"$work/bin/gdb"
	chmod +x "$work/bin/gdb"
	record
	PATH=$work/bin:$PATH stop_at step:1 --gdb
	expect_status 0
	expect_says 'Thread 1\.2 .CPU#1'
	expect_says '^schedule in section \.text'
	expect_says '^identical up to there: '
	expect_nothing_left
}

main "$@"
