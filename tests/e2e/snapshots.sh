#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What a scenario may ask of the host about its kernel: captures, reads and writes of memory, watches.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# probe WHAT [OPTION...]: the probing scenario, which compares the answers with what the kernel says itself.
probe() {
	scenario "$1" <<-END
		vm: {topology: {llcs: ${llcs:-1}, cores: 2, threads: 1, numa: ${numa:-1}}, memory: ${memory:-512M}}
		scenario: {plugin: kernel_probe, what: $1}
		checkers: [misjudge]
	END
	run "${@:2}"
	expect_status 0
	"$KTSTR_BUILD/tests/captures" "$work/run/run.ktr" >"$work/captures" || fail "the captures cannot be read"
}

# A jq condition on the array of captures.
expect_captures() {
	jq -e "$1" "$work/captures" >/dev/null || fail "the captures do not satisfy '$1': $(head -c 3000 "$work/captures")"
}

case_capture_while_hogs_run() {
	probe capture
	expect_captures 'length == 2 and all(.tag == "hogs" and .cause == "request")'
	expect_captures 'all(.cpus | length == 2)'
	expect_captures '[.[].cpus[]] | all(.rip != "0x0" and .rsp != "0x0" and .cr3 != "0x0" and .rflags != "0x0")'
	expect_captures '.[0].ranges[0].text | startswith("Linux version ")'
	expect_captures '.[0].ranges[1].text == "version"'
	expect_captures 'all(.frozen_ns > 0) and .[0].host_ns < .[1].host_ns'
	expect_says "there is a capture with the tag 'hogs' already; both are kept"
}

case_read_memory() { probe read; }

case_read_memory_of_two_nodes() {
	llcs=2 numa=2 memory=1G
	probe read
}

case_read_memory_above_4_gib() {
	(($(awk '/MemAvailable/ {print $2}' /proc/meminfo) > 6 * 1024 * 1024)) || skip "less than 6 GiB are free"
	memory=5G
	probe read --verbose
	expect_says 'reads high memory'
}

case_write_memory() {
	probe write
	expect_captures 'length == 0'
}

case_watch_what_is_seldom_written() {
	probe watch
	expect_captures 'length == 3 and all(.tag == "sysctl_overcommit_ratio" and .cause == "watch")'
	expect_captures '[.[].hit] == [1, 2, 3] and all(.hit_cpu < 2)'
	expect_says 'a watch the guest is stopped from outside, so this run may not be the same again'
	expect_captures '[.[].ranges[0].number] == [61, 62, 63]'
}

case_watch_what_is_written_all_the_time() {
	probe watch_much
	expect_captures 'length == 16 and all(.tag == "jiffies_64")'
	expect_says "symbol 'jiffies_64' is not watched any longer: it was captured often enough"
}

case_yaml_may_ask_too() {
	scenario told <<-END
		vm: {topology: {cores: 2}}
		scenario:
		  plugin: steps
		  steps:
		    - ops:
		        - watch: {symbol: jiffies}
		        - spawn: {workers: 2}
		      hold: 300ms
		    - ops:
		        - snapshot: {name: busy}
		      hold: 100ms
		checkers: [misjudge]
	END
	run
	expect_status 0
	"$KTSTR_BUILD/tests/captures" "$work/run/run.ktr" >"$work/captures" || fail "the captures cannot be read"
	expect_captures '[.[] | select(.cause == "request")] | length == 1 and .[0].tag == "busy"'
	expect_captures '[.[] | select(.tag == "jiffies")] | length >= 2'
}

case_what_the_host_refuses_is_said() {
	scenario refused <<-END
		scenario:
		  plugin: steps
		  steps:
		    - name: look
		      ops:
		        - spawn: {workers: 1}
		        - watch: {symbol: no_such_variable}
		checkers: [misjudge]
	END
	run
	expect_status 3
	expect_says "step 'look': watch: symbol 'no_such_variable' not found"
}

case_refusals() {
	probe refusals
	expect_captures 'length == 0'
}

case_a_run_keeps_64_captures() {
	probe many
	expect_captures 'length == 64 and .[63].tag == "number 63"'
}

# The run again, the same to the byte, with whatever "$@" does to the program meanwhile.
again() {
	rm -rf "$work/again"
	start replay "$work/run" --quiet --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/again"
	"$@"
	finish
	expect_status 0
}

# Stop the program now and then, for as long as it runs.
trip() {
	while kill -STOP "$pid" 2>/dev/null; do
		sleep "0.0$((RANDOM % 10))"
		kill -CONT "$pid" 2>/dev/null || :
		sleep "0.0$((RANDOM % 4))"
		[[ $(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null || echo Z) != Z ]] || break
	done
}

# Wait until the run file in $1 has a few captures of many.
until_captures() {
	local _
	for _ in $(seq 3000); do
		(($(stat -c %s "$1/run.ktr" 2>/dev/null || echo 0) < 20000)) || return 0
		kill -0 "$pid" 2>/dev/null || fail "it ended before its captures were seen"
		sleep 0.01
	done
	fail "there were no captures"
}

# Stop it for long, in the middle of its captures.
stall() {
	until_captures "$work/again"
	kill -STOP "$pid"
	sleep 2
	kill -CONT "$pid"
}

case_what_is_asked_for_is_the_same_again() {
	probe read
	again :
	rm -rf "$work/run"
	probe write
	again :
}

case_captures_are_the_same_again() {
	llcs=2
	probe many
	again :
	again trip
}

case_a_host_that_stops_is_not_seen() {
	llcs=2
	probe many
	again stall
}

case_a_kill_leaves_nothing() {
	scenario many <<-END
		vm: {topology: {llcs: 2, cores: 2}}
		scenario: {plugin: kernel_probe, what: many}
		checkers: [misjudge]
	END
	start run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/run"
	until_captures "$work/run"
	kill -9 "$pid"
	finish
	expect_status 137
	expect_nothing_left
}

# In host time the guest waits for its answers, which come by the port.
case_capture_in_host_time() {
	probe capture --clock host
	expect_captures 'length == 2 and all(.tag == "hogs" and .cause == "request")'
}

case_read_memory_in_host_time() { probe read --clock host; }

case_write_memory_in_host_time() { probe write --clock host; }

case_watch_in_host_time() {
	probe watch --clock host
	expect_says_not 'may not be the same again'
	expect_captures '[.[].ranges[0].number] == [61, 62, 63]'
}

case_refusals_in_host_time() { probe refusals --clock host; }

main "$@"
