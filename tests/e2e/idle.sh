#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# In virtual time waiting costs nothing, and nothing waits for ever: limits count what the guest lives through and what
# QEMU takes of the CPU, never how long that takes here.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# misbehaving HOW [KEYS OF VM]: a scenario of 200 ms and a watchdog of 2 s, by the guest's clock.
misbehaving() {
	scenario misbehave <<-END
		vm: {clock: virtual, ${2:-}}
		scheduler_timeout: 3s
		scenario: {plugin: misbehave, how: $1}
		checkers: [misjudge]
		watchdog: 2s
	END
}

# ends_overdue HOW REGEX: PID 1 ends the run, in order, and the same way each time.
ends_overdue() {
	misbehaving "$1"
	run --output json --repeat 2 --expect-identical
	expect_status 3
	expect_json '.difference == null and (.streams | length) == 1'
	expect_says "\"reason\": \"$2; "
	expect_says "in the guest: scenario 'misbehave' did not stop when its time was over|held it up\""
	expect_nothing_left
}

case_sleep_is_free() {
	scenario sleep <<-END
		vm: {clock: virtual}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 60s, workload: {plugin: bad_worker, how: late}}
		checkers: [starvation]
	END
	run --output json
	expect_status 0
	expect_json '.timings | .scenario_s < 30'
	expect_json '.scenario.duration_s >= 60'
	expect_nothing_left
}

case_hang_in_setup() { ends_overdue hang_setup 'the guest booted, but started no scenario \(13\.0 s\)'; }
case_hang_in_run() { ends_overdue hang 'the scenario did not end in its time \(2\.2 s\)'; }
case_spin_in_run() { ends_overdue spin 'the scenario did not end in its time \(2\.2 s\)'; }
case_overrun() { ends_overdue overrun 'the scenario did not end in its time \(2\.2 s\)'; }
case_hang_in_teardown() { ends_overdue hang_teardown 'the guest did not end its stream after the scenario \(30\.0 s\)'; }

# Then QEMU's CPU time has to do: 2.2 s of the guest, at 32 of the 50 ns that an instruction may cost here.
case_pid_1_never_runs() {
	misbehaving starve_init 'instruction_ns: 32'
	run
	expect_status 3
	expect_says 'the scenario did not end in its time \([3-9]\.[0-9] s of CPU time\)'
	expect_nothing_left
}

# stops_of PROCESS: a run that is stopped for longer than all its limits is the same run.
stops_of() {
	local stream qemu
	scenario stopped <<-END
		vm: {clock: virtual, boot_timeout: 6s}
		scheduler_timeout: 1s
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 3s}
		checkers: [starvation]
		watchdog: 1s
		seed: 5
	END
	run --output json
	expect_status 0
	stream=$(jq -er '.stream.digest' "$work/out")
	rm -r "$work/run"
	start run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/run" --output json
	qemu=$(qemu_pid)
	if [[ $1 == ktstr ]]; then
		kill -STOP "$pid"
		sleep 16
		kill -CONT "$pid"
	else
		wait_for 'scenario'
		kill -STOP "$qemu" && sleep 16
		kill -CONT "$qemu" || fail "it was over before it could be stopped"
	fi
	finish
	expect_status 0
	[[ $(jq -er '.stream.digest' "$work/out") == "$stream" ]] || fail "it is another run: $(jq -r .stream.digest "$work/out"), not $stream"
	expect_nothing_left
}
case_ktstr_is_stopped() { stops_of ktstr; }
case_qemu_is_stopped() { stops_of qemu; }

main "$@"
