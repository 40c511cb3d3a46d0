#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Schedulers whose user half hangs, crashes or never ends to write: the run ends soon, for the right reason, and the
# kernel's own class schedules then.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

[[ -n $(find "$KTSTR_BUILD" -name bad_scheduler.so -print -quit) ]] || skip "this build has no BPF schedulers"

# bad HOW [TIMEOUT]: the scheduler that does that, under a scenario of 1 s.
bad() {
	scenario bad <<-END
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scheduler_timeout: ${2:-3s}
		scheduler: {plugin: bad_scheduler, how: $1}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 1s}
		checkers: [starvation]
	END
	run --output json
}

# ends_by_limit REGEX SECONDS: as an error, and so long after the agent was ready at most. The kernel is free.
ends_by_limit() {
	expect_status 3
	expect_json ".verdict.reason | test(\"$1\")"
	expect_json ".timings | .total_s - .kernel_to_init_s < $2"
	# Where the scheduler never came up there is nothing to tell of it.
	expect_json '(.sched_ext.state // "disabled") == "disabled"'
	expect_nothing_left
}

# The kernel was told to throw the scheduler out.
expect_thrown_out() {
	grep -q 'sysrq: Disable sched_ext' "$work/run/console.log" || fail "the kernel was not told to throw it out"
}

case_hang_in_start() {
	bad hang_start
	ends_by_limit "scheduler 'bad_scheduler' did not start within 3 s" 8
}

case_hang_in_alive() {
	bad hang_alive
	# The scenario's own time may be over first.
	ends_by_limit "scheduler 'bad_scheduler' did not (say whether it is alive within 5 s|stop when)" 16
}

case_crash_in_alive() {
	bad crash_alive
	ends_by_limit "scheduler 'bad_scheduler' was killed by SIGABRT" 8
}

case_hang_in_stop() {
	bad hang_stop
	ends_by_limit "scheduler 'bad_scheduler' did not stop within 3 s" 16
	expect_thrown_out
}

# A log that never ends, then a stop that takes so long that the kernel is told to throw the scheduler out: neither is
# worth more than a word.
case_flood_and_slow_stop() {
	bad flood 10s
	expect_status 0
	expect_json '.sched_ext.state == "disabled"'
	expect_thrown_out
	grep -aq '^ktstr: more than 16 MiB of log; the rest is dropped$' "$work/run/scheduler.log" ||
		fail "it does not say that the log was cut"
	grep -aqE '^ktstr: [0-9]+ bytes of log were dropped$' "$work/run/scheduler.log" ||
		fail "it does not say how much was dropped"
	(($(stat -c %s "$work/run/scheduler.log") < 17 << 20)) || fail "the log is too long"
	expect_nothing_left
}

main "$@"
