#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Scheduler plugins that are no scheduler themselves: exec, which runs a program, and kernel, which writes files.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

scx_program=$KTSTR_BUILD/tests/scx_program

need_program() {
	[[ -x $scx_program ]] || skip "there is no BPF scheduler: clang or libbpf was missing"
	[[ $KTSTR_SANITIZE != 1 ]] || skip "the program's sanitizer finds no room in a small VM"
}

# A scenario whose scheduler is the program with these parameters; more lines of it come from stdin.
program() {
	need_program
	scenario "$1" <<-END
		scheduler: {plugin: exec, path: $scx_program, ${2:+$2, }attach_timeout: 30s}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: ${3:-1s}}
		checkers: [starvation]
	END
}

case_a_program_schedules_and_tells_its_statistics() {
	need_program
	printf 'layers of %s\n' "$scx_program" >"$work/layers"
	printf 'data\n' >"$work/data"
	ln -s "$scx_program" "$work/scx_linked"
	scenario good <<-END
		scheduler:
		  plugin: exec
		  path: scx_linked
		  args: [stats]
		  env: ["KTSTR_TEST=it is"]
		  config: ./layers
		  files: [{host: data, guest: /payload/more/data}]
		  attach_timeout: 30s
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 3s}
		checkers: [starvation]
	END
	cd / # paths are seen from the scenario's folder
	start run "$file" --run-dir "$work/run" --stats 200ms --verbose
	wait_for 'step 1/1'
	[[ -S $work/run/stats.sock ]] || fail "there is no stats.sock"
	# A program may be in charge before it serves.
	for ((i = 0; i < 100; i++)); do
		grep -q '"name":"ktstr"' "$work/run/stats.jsonl" && break
		sleep 0.05
	done
	"$KTSTR_BUILD/tests/ask" "$work/run" '{"req":"mine"}' >"$work/reply"
	finish
	expect_status 0
	expect_says "'ktstr' of 'scx_linked' schedules"
	expect_says 'scheduler: scx_program: started'
	expect_says "scheduler: shown: layers of $scx_program"
	expect_says 'scheduler: KTSTR_TEST: it is'
	expect_says 'scheduler: request: {"req":"mine"}'
	expect_says 'scheduler: scx_program: asked to end'
	jq -e '.args.resp.name == "ktstr"' "$work/reply" >/dev/null || fail "no reply: $(cat "$work/reply")"
	jq -es '(map(select(.reply.args.resp.name == "ktstr")) | length >= 2) and all(.at_ns > 0)' \
		"$work/run/stats.jsonl" >/dev/null || fail "no statistics: $(cat "$work/run/stats.jsonl")"
	[[ ! -e $work/run/stats.sock ]] || fail "stats.sock is left"
	expect_nothing_left
}

case_without_a_server_the_relay_replies() {
	scenario plain <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 1, duration: 500ms}
		checkers: [starvation]
	END
	ktstr run "$file" --run-dir "$work/run" --stats 100ms
	expect_status 0
	jq -es 'any(.reply.ktstr_relay_error == "no scheduler available")' "$work/run/stats.jsonl" >/dev/null ||
		fail "no reply of the relay: $(cat "$work/run/stats.jsonl")"
}

# fails NAME PARAMETERS STATUS REGEX [DURATION]: the program does something, and the run ends so, with that sentence.
fails() {
	program "$1" "$2" "${5:-1s}"
	run
	expect_status "$3"
	expect_says "$4"
	expect_nothing_left
}

case_a_program_that_ends_at_once_fails() {
	fails exit 'args: [exit=3]' 1 "'scx_program' exited with code 3 [0-9.]+ s after its start, before it was in charge"
}
case_a_program_that_never_schedules_is_an_error() {
	need_program
	scenario hang <<-END
		scheduler: {plugin: exec, path: $scx_program, args: [hang], attach_timeout: 1s}
		scenario: {plugin: cpu_hog, duration: 1s}
		checkers: [starvation]
	END
	run --output json
	expect_status 3
	expect_says "'scx_program' runs but is not in charge [0-9]+ ms after its start; see its output, or raise 'attach_timeout'"
	expect_nothing_left
}
case_a_program_that_crashes_fails() {
	fails crash 'args: [crash]' 1 "'scx_program' was killed by SIGSEGV [0-9.]+ s after its start, during the run|is no longer in charge"
}
case_a_program_that_leaves_fails() {
	fails quit 'args: [quit=0]' 1 "'scx_program' exited with code 0|'scx_program' is no longer in charge|let go"
}
case_a_program_whose_scheduler_is_thrown_out_fails() {
	fails error 'args: [fault=3, after=500, stay]' 1 'told to fail'
}
case_a_program_whose_init_fails_fails() { fails init 'args: [fault=5]' 1 'ops.init\(\) failed \(-12\)|exited with code 1'; }
case_a_program_that_stalls_fails() {
	fails stall 'args: [fault=1, after=500, timeout=3000]' 1 'ejected .* runnable task stall' 8s
}
case_a_program_that_does_not_end_is_killed() {
	fails deaf 'args: [deaf], stop_timeout: 500ms' 3 "'scx_program' ignored SIGINT for 500 ms and was killed"
}

case_a_flood_of_output_stops_nobody() {
	program flood 'args: [flood=1024]' 2s
	run --output json
	expect_status 0
	# Neither the scenario nor its end waits for what is not written yet.
	expect_json '.timings | .scenario_s + .teardown_s < 20'
	(($(du -sk "$work/run" | cut -f1) < 64 * 1024)) || fail "the run takes $(du -sk "$work/run")"
	expect_nothing_left
}

case_a_program_that_cannot_run_is_an_error() {
	printf '#!/nowhere/shell\n' >"$work/script"
	chmod +x "$work/script"
	scenario script <<-END
		scheduler: {plugin: exec, path: script}
		scenario: {plugin: cpu_hog, duration: 1s}
		checkers: [starvation]
	END
	run
	expect_status 3
	expect_says "cannot run '/payload/exec/[0-9a-f]{8}/script': No such file or directory; a script needs its interpreter"
}

case_what_cannot_be_shipped_is_refused() {
	scenario missing <<-END
		scheduler: {plugin: exec, path: nowhere}
		scenario: {plugin: cpu_hog}
		checkers: [starvation]
	END
	run
	expect_status 2
	expect_says "missing.yaml:1:33: scheduler 'exec': cannot ship '$work/nowhere': No such file or directory"
	scenario outside <<-END
		scheduler:
		  plugin: kernel
		  enable: [{path: /etc/passwd, value: "1"}]
		scenario: {plugin: cpu_hog}
		checkers: [starvation]
	END
	run
	expect_status 2
	expect_says "outside.yaml:3:19: scheduler 'kernel': '/etc/passwd' is no file below /sys or /proc/sys"
}

# The second holds only when the first has put its value back.
case_kernel_files_are_written_and_restored() {
	scenario kernel <<-END
		scheduler:
		  plugin: kernel
		  enable: [{path: /proc/sys/kernel/sched_rt_period_us, value: "2000000"}]
		  check: {path: /proc/sys/kernel/sched_rt_period_us, value: "2000000"}
		schedulers:
		  other:
		    plugin: kernel
		    enable: [{path: /sys/kernel/mm/transparent_hugepage/enabled, value: never}]
		    disable: [{path: /sys/kernel/mm/transparent_hugepage/enabled, value: always}]
		    check: {path: /proc/sys/kernel/sched_rt_period_us, value: "1000000"}
		scenario:
		  plugin: steps
		  steps:
		    - {name: first, ops: [{spawn: {workers: 1}}], hold: 200ms}
		    - {name: second, ops: [{replace_scheduler: {name: other}}], hold: 200ms}
		checkers: [starvation]
	END
	run
	expect_status 0
}

case_programs_follow_one_another() {
	need_program
	scenario swap <<-END
		scheduler: {plugin: exec, path: $scx_program, attach_timeout: 30s}
		schedulers:
		  term: {plugin: exec, path: $scx_program, stop_signal: term, attach_timeout: 30s}
		scenario:
		  plugin: steps
		  steps:
		    - {name: first, ops: [{spawn: {workers: 2}}], hold: 300ms}
		    - {name: second, ops: [{replace_scheduler: {name: term}}], hold: 300ms}
		    - {name: none, ops: [{detach_scheduler: true}], hold: 300ms}
		    - {name: third, ops: [{attach_scheduler: {}}], hold: 300ms}
		checkers: [starvation]
	END
	run --verbose
	expect_status 0
	(($(grep -c 'scheduler: scx_program: attached' "$work/err") == 3)) || fail "not three schedulers came"
	(($(grep -c 'scheduler: scx_program: asked to end' "$work/err") == 3)) || fail "not three schedulers left"
	expect_nothing_left
}

case_a_kernel_that_refuses_a_value_is_an_error() {
	scenario kernel <<-END
		scheduler:
		  plugin: kernel
		  enable: [{path: /proc/sys/kernel/sched_rt_period_us, value: many}]
		scenario: {plugin: cpu_hog, duration: 1s}
		checkers: [starvation]
	END
	run
	expect_status 3
	expect_says "cannot write 'many' to '/proc/sys/kernel/sched_rt_period_us': Invalid argument"
}

main "$@"
