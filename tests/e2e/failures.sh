#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs that go wrong: ended soon after the cause, with the right sentence, exit 3, and nothing left running.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

misbehaving() {
	scenario misbehave <<-END
		vm: {boot_timeout: 60s}
		scenario: {plugin: misbehave, how: $1, duration: ${2:-200ms}}
		checkers: [misjudge]
		watchdog: 2s
	END
}

# A scenario that has the CPU for minutes, in whatever time the guest lives. What comes after that goes into `vm:`.
busy() {
	scenario busy <<-END
		vm: {boot_timeout: 60s, ${1:-}}
		scenario: {plugin: misbehave, how: spin}
		checkers: [misjudge]
		watchdog: 300s
	END
}

goes_wrong() {
	misbehaving "$1"
	run
	expect_status 3
	expect_says 'ERROR'
	expect_says "$2"
	expect_nothing_left
}

case_scenario_crashes() { goes_wrong crash "'misbehave' was killed by SIG(SEGV|ABRT)|'misbehave' .*exit"; }
case_scenario_hangs() {
	scenario misbehave <<-END
		scenario: {plugin: misbehave, how: hang}
		checkers: [misjudge]
	END
	run --output json
	expect_status 3
	expect_json '.verdict.reason | test("the scenario did not end in its time .*did not stop when")'
	# It ends soon after its 200 ms and the watchdog's 3 s; a busy machine may take longer.
	expect_json '.timings | .total_s - .qemu_start_s - .kernel_to_init_s - .agent_to_scenario_s < 8'
	expect_nothing_left
}
case_scenario_hangs_in_host_time() {
	scenario misbehave <<-END
		vm: {clock: host}
		scenario: {plugin: misbehave, how: hang}
		checkers: [misjudge]
	END
	run --output json
	expect_status 3
	expect_json '.verdict.reason | test("did not stop when the host asked|did not end in its time")'
	expect_json '.timings | .total_s - .qemu_start_s - .kernel_to_init_s - .agent_to_scenario_s < 8'
	expect_nothing_left
}
case_scenario_returns_an_error() { goes_wrong error 'the scenario was told to fail'; }
case_scenario_returns_a_positive_value() { goes_wrong positive 'run\(\) returned 7, which is neither 0 nor a negative errno'; }
case_scenario_ignores_a_dead_worker() { goes_wrong ignore_death 'worker 0 \(bad_worker\) was killed by SIGSEGV'; }
case_kernel_panics() { goes_wrong panic 'kernel panic'; }
case_agent_crashes() {
	goes_wrong kill_agent 'ERROR: the agent in the guest crashed'
	expect_says_not "the guest's kernel panicked"
}
case_guest_powers_off_without_an_end() { goes_wrong power_off 'end of (the )?stream|powered off'; }

case_worker_crashes() {
	scenario worker <<-END
		scenario: {plugin: cpu_hog, workers: 2, cgroups: 1, duration: 500ms, workload: {plugin: bad_worker, how: crash}}
		checkers: [starvation]
	END
	run
	expect_status 3
	expect_says 'killed by SIG(SEGV|ABRT)|exited'
}

case_a_worker_cannot_get_at_the_agent() {
	scenario worker <<-END
		scenario: {plugin: cpu_hog, workers: 2, cgroups: 1, duration: 500ms, workload: {plugin: bad_worker, how: pry}}
		checkers: [starvation]
	END
	run
	expect_status 0
}

case_idle_workers_are_starved() {
	scenario worker <<-END
		scenario: {plugin: cpu_hog, workers: 2, cgroups: 1, duration: 500ms, workload: {plugin: bad_worker, how: idle}}
		checkers: [starvation]
	END
	run
	expect_status 1
	expect_says 'made no progress'
}

case_a_late_wake_up_is_a_gap() {
	scenario worker <<-END
		scenario: {plugin: cpu_hog, workers: 1, cgroups: 1, duration: 3s, workload: {plugin: bad_worker, how: late}}
		checkers: [{plugin: gap, max_gap: 1100ms}]
	END
	run
	expect_status 1
	expect_says 'stuck 1[1-9][0-9][0-9]ms'
}

case_qemu_is_missing() {
	misbehaving not
	KTSTR_QEMU=/nonexistent/qemu run
	expect_status 3
	expect_says 'qemu'
	expect_says 'install'
	expect_nothing_left
}

case_qemu_is_killed() {
	busy
	start run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/run"
	wait_for 'misbehave.*step|step.*misbehave|scenario'
	kill -9 "$(qemu_pid)"
	local since
	since=$(now_ms)
	finish
	(($(now_ms) - since < 5000)) || fail "it took $(($(now_ms) - since)) ms to end"
	expect_status 3
	expect_says 'QEMU .*(was killed|SIGKILL|ended)'
	expect_nothing_left
}

case_ktstr_is_killed() {
	busy
	start run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/run"
	qemu_pid >/dev/null
	kill -9 "$pid"
	finish
	expect_nothing_left
}

is_interrupted_once() {
	start run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/run"
	wait_for 'scenario'
	sleep 1
	local since
	since=$(now_ms)
	kill -INT "$pid"
	finish
	(($(now_ms) - since < 5000)) || fail "it took $(($(now_ms) - since)) ms to end"
	expect_status 3
	expect_says 'interrupted'
	expect_nothing_left
}
case_interrupted_once() {
	busy
	is_interrupted_once
}
case_interrupted_once_in_host_time() {
	busy 'clock: host'
	is_interrupted_once
}
# One that sleeps all the time hears the host as well.
case_interrupted_while_all_sleep() {
	misbehaving not 1000h
	is_interrupted_once
}

case_interrupted_twice() {
	busy
	start run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/run"
	qemu_pid >/dev/null
	kill -INT "$pid"
	sleep 0.2
	kill -INT "$pid"
	local since
	since=$(now_ms)
	finish
	(($(now_ms) - since < 2000)) || fail "it took $(($(now_ms) - since)) ms to end"
	expect_status 3
	expect_says 'interrupted'
	expect_nothing_left
}

case_memory_is_too_small() {
	scenario small <<-END
		vm: {memory: 32M}
		scenario: {plugin: misbehave, how: not}
		checkers: [misjudge]
	END
	run
	expect_status 3
	expect_says 'vm\.memory'
	expect_says 'at least [0-9]+ MiB'
	expect_nothing_left
}

case_disk_is_full() {
	((EUID == 0)) || skip "mounting a small file system needs root"
	mkdir "$work/small"
	mount -t tmpfs -o size=64k tmpfs "$work/small" 2>/dev/null || skip "cannot mount a small file system here"
	misbehaving noise
	ktstr run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/small/run"
	expect_status 3
	expect_says 'No space left'
	expect_nothing_left
}

never_reaches_init() {
	command -v cc >/dev/null || skip "needs a C compiler to make a kernel that does nothing"
	# An ELF file that QEMU boots by its PVH note, and that only halts.
	cat >"$work/halt.s" <<-END
		.code32
		.section .note.pvh, "a", @note
		.long 4, 4, 18
		.asciz "Xen"
		.long start
		.text
		.globl start
		start: cli
		1: hlt
		jmp 1b
	END
	cc -nostdlib -static -Wl,-Ttext=0x100000 -Wl,--build-id=none -o "$work/halt" "$work/halt.s" -Wl,-e,start 2>"$work/err" ||
		skip "this compiler makes no such file: $(tail -n 1 "$work/err")"
	scenario stuck <<-END
		vm: {kernel: "$work/halt", boot_timeout: 2s}
		scenario: {plugin: misbehave, how: not}
		checkers: [misjudge]
	END
	run "$@"
	expect_status 3
	expect_nothing_left
}
# It is not late while others have the CPU.
case_kernel_never_reaches_init() {
	never_reaches_init
	expect_says 'the guest did not boot \(2\.[0-9] s of CPU time\)'
}
case_kernel_never_reaches_init_in_host_time() {
	never_reaches_init --clock host
	expect_says 'the guest did not boot \(([2-9]|1[0-9])\.[0-9] s after the start'
}

main "$@"
