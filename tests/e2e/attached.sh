#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# VMs that are saved with their scheduler up: which runs start from them, and that this makes no difference.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

needs_bpf

# A cache of this test's own, with the kernels of the real one.
own_cache() {
	local kernels=${XDG_CACHE_HOME:-$HOME/.cache}/ktstr/kernels
	mkdir -p "$work/cache/ktstr"
	[[ ! -d $kernels ]] || ln -s "$(readlink -f "$kernels")" "$work/cache/ktstr/kernels"
	store=$work/cache/ktstr/bases
	export XDG_CACHE_HOME=$work/cache
}

# fifo [PARAMETERS [DURATION]]
fifo() {
	scenario fifo <<-END
		name: fifo
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scheduler: {plugin: scx_fifo${1:+, $1}}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: ${2:-200ms}}
		checkers: [starvation, scx_alive]
	END
}

# A run in a folder of its own that ends like that.
ends() {
	rm -rf "$work/run"
	run "${@:2}"
	expect_status "$1"
}

first="first boot with '[a-z_]+' attached"
booted='first boot of this kind of VM'
damaged='is damaged, and is made anew'
without='the scheduler of this run is not up in a saved VM'

says_how() {
	expect_says "$1"
	for other in "$first" "$booted" "$damaged" "$without"; do
		[[ $other == "$1" ]] || expect_says_not "$other"
	done
}

makes_nothing() {
	expect_says_not "$first|$booted|$damaged|$without"
}

# "SCHEDULER", or "-", of each saved VM, in one line.
expect_saved() {
	local saved
	ktstr bases list --output json
	expect_status 0
	expect_json 'all(.bases[]; .is_whole)'
	saved=$(jq -r '[.bases[] | .scheduler // "-"] | sort | join(" ")' "$work/out")
	[[ $saved == "$1" ]] || fail "saved are '$saved', not '$1'"
}

# started KIND: what the run's own record says of the VM that it started from.
started() {
	local base
	ktstr check "$work/run" --output json
	base=$(jq -r '.environment.vm.base' "$work/out")
	case $1 in
	attached) [[ $base == *-*+* ]] ;;
	booted) [[ $base == *-* && $base != *+* ]] ;;
	esac || fail "it started from '$base', which is not $1"
}

digest() {
	ktstr check "$work/run" --output json
	jq -r '.stream.digest' "$work/out"
}

case_the_second_run_has_it_attached() {
	own_cache
	fifo
	ends 0
	says_how "$booted"
	started booted
	expect_saved '-'
	ends 0
	says_how "$first"
	started attached
	expect_saved '- scx_fifo'
	ends 0
	makes_nothing
	started attached
	ktstr bases list
	expect_says 'attached$'
	expect_says ' scx_fifo$'
	expect_nothing_left
}

# The kernel's own comes up at once: there is nothing to gain.
case_the_kernels_own_scheduler_is_not_worth_it() {
	own_cache
	scenario own <<-END
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scenario: {plugin: cpu_hog, duration: 100ms}
		checkers: [starvation]
	END
	ends 0
	says_how "$booted"
	ends 0
	makes_nothing
	expect_saved '-'
}

case_what_was_said_before_is_in_every_run() {
	local figures one two
	own_cache
	fifo
	figures='[.timings.scheduler_load_s > 0, (.. | .verified_insns? // empty), (.. | .enabled? // empty)] | tojson'
	ends 0 --cold --output json
	one=$(jq -r "$figures" "$work/out")
	ends 0 --base attached --output json
	ends 0 --base attached --output json
	two=$(jq -r "$figures" "$work/out")
	[[ $one == "$two" && $one == '[true,'?* ]] || fail "the figures are '$one' and '$two'"
	# END accounts for all of it, and the frames from before come first.
	expect_json '.verdict.outcome == "PASS"'
	ktstr check "$work/run"
	expect_status 0
	expect_nothing_left
}

case_it_is_as_good_as_a_booted_one() {
	own_cache
	fifo '' 500ms
	run --base attached --verify-restore
	expect_status 0
	expect_says 'PASS: 2 of 2 runs passed'
	expect_says "$first"
	expect_says 'verified instructions +([0-9]+) +\1 +='
	ktstr check "$work/run/2-restored" --verbose
	expect_says '^QEMU .* -incoming '
	expect_nothing_left
}

case_what_it_depends_on_is_what_was_loaded_before() {
	own_cache
	fifo
	ends 0 --base attached
	says_how "$first"
	# The scenario is none of it.
	fifo '' 300ms
	ends 0 --base attached --checker gap --seed 77
	makes_nothing
	# A parameter is.
	fifo 'slice: 3ms'
	ends 0 --base attached
	says_how "$first"
	# So is the plugin.
	cp "$(find "$KTSTR_BUILD/lib" -name scx_fifo.so)" "$work/tmp.so"
	mkdir "$work/plugins"
	printf 'more' | cat "$work/tmp.so" - >"$work/plugins/scx_fifo.so"
	fifo
	ends 0 --base attached --plugin-dir "$work/plugins"
	says_how "$first"
	ends 0 --base attached
	makes_nothing
	expect_saved 'scx_fifo scx_fifo scx_fifo'
	expect_nothing_left
}

case_a_damaged_one_is_made_anew() {
	local base name
	own_cache
	fifo
	ends 0 --base attached
	for name in stream state ram0; do
		base=$(find "$store" -mindepth 1 -maxdepth 1 -type d -not -name '.*')
		printf 'X' | dd of="$base/$name" bs=1 seek=100 conv=notrunc status=none
		ends 0 --base attached
		says_how "$damaged"
		expect_saved 'scx_fifo'
	done
	ends 0 --base attached
	makes_nothing
	expect_nothing_left
}

# It dies after its run began, or as soon as it can: it is a FAIL each time.
case_one_that_dies_fails_each_run() {
	own_cache
	scenario dies <<-END
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scheduler: {plugin: scx_ktstr, fault: error, after: 500ms}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 3s}
		checkers: [starvation]
	END
	for _ in 1 2 3; do
		ends 1 --base attached
		expect_says "^FAIL: .*scx_bpf_error \(1025\): 'scx_ktstr: told to fail at '"
		expect_nothing_left
	done
}

case_one_that_does_not_start_says_why_itself() {
	own_cache
	scenario init <<-END
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scheduler: {plugin: scx_ktstr, fault: init}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 1s}
		checkers: [starvation]
	END
	for _ in 1 2 3; do
		ends 1
		expect_says '^FAIL: .*ops.init\(\) failed \(-12\)'
		expect_says_not "$first|$without"
	done
	ends 1 --base attached
	expect_says "$without: the VM that was to be saved did not have its scheduler attached"
	expect_says '^FAIL: .*ops.init\(\) failed \(-12\)'
	expect_saved '-'
	# Where that is what is expected nobody tries.
	printf 'expect: {outcome: fail, start: "failed (-12)"}\n' >>"$file"
	ends 0 --base attached
	makes_nothing
	expect_nothing_left
}

case_schedulers_can_change() {
	own_cache
	file=$(dirname "$program")/../share/ktstr/scenarios/swap.yaml
	[[ -e $file ]] || skip "the scenario 'swap' is not shipped"
	ends 0 --base attached
	expect_says "$first"
	ends 0 --base attached
	makes_nothing
	started attached
	[[ $(jq -r '[.. | .swaps? // empty | .[] | .code] | unique | tojson' "$work/run/verdict.json") == '[0]' ]] ||
		fail "a change did not work"
	expect_nothing_left
}

case_a_program_can_be_up() {
	local scx_program=$KTSTR_BUILD/tests/scx_program
	[[ -x $scx_program ]] || skip "there is no BPF scheduler: clang or libbpf was missing"
	[[ $KTSTR_SANITIZE != 1 ]] || skip "the program's sanitizer finds no room in a small VM"
	own_cache
	scenario program <<-END
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scheduler: {plugin: exec, path: $scx_program, attach_timeout: 30s}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 500ms}
		checkers: [starvation]
	END
	ends 0 --base attached
	says_how "$first"
	ends 0 --base attached
	makes_nothing
	started attached
	grep -q 'scx_program: started' "$work/run/scheduler.log" || fail "what it said before is not in the run"
	grep -q 'scx_program: asked to end' "$work/run/scheduler.log" || fail "it was not stopped"
	expect_nothing_left
}

# In virtual time what was run before must not change what a seed means.
case_a_seed_is_the_same_run_whatever_was_saved() {
	local one two command
	own_cache
	fifo
	ends 0 --seed 7
	one=$(digest)
	ends 0
	ends 0
	says_how "$first"
	started attached
	two=$(digest)
	command=$(jq -r '.command' "$work/run/verdict.json")
	[[ $command == *--seed*--base\ attached* ]] || fail "the command is '$command'"
	ends 0 --seed 7
	started booted
	[[ $(digest) == "$one" ]] || fail "the run with seed 7 is another one"
	ends 0 --seed "$(jq -r '.scenario.seed // .seed' "$work/run/verdict.json")"
	# As the command of the run with the scheduler attached says.
	rm -rf "$work/run"
	KTSTR_E2E_MARK=$work TMPDIR=$work/tmp bash -c "$command --run-dir '$work/run'" >"$work/out" 2>"$work/err" ||
		fail "the command of the run failed"
	started attached
	[[ $(digest) == "$two" ]] || fail "the command of the run makes another one"
	expect_nothing_left
}

case_it_can_be_run_again() {
	own_cache
	fifo
	ends 0 --base attached
	ktstr replay "$work/run" --run-dir "$work/again"
	expect_status 0
	expect_says '^identical: stream '
	makes_nothing
	# Of a run that began in a VM without it, too, whatever there is by now.
	ends 0 --base booted
	ktstr replay "$work/run" --run-dir "$work/other"
	expect_status 0
	expect_says '^identical: stream '
	# Another one is not the one of then.
	ktstr bases prune --all
	rm -rf "$work/again"
	ends 0 --base attached
	rm -rf "$store"
	ktstr replay "$work/run" --run-dir "$work/again"
	expect_status 2
	expect_says "is gone, and the one of its kind is '[0-9a-f-]*\+scx_fifo'"
	expect_nothing_left
}

case_repeated_runs_are_the_same() {
	own_cache
	fifo
	run --repeat 3 --expect-identical
	expect_status 0
	rm -rf "$work/run"
	run --repeat 3 --expect-identical --base attached
	expect_status 0
	expect_nothing_left
}

case_killing_it_while_it_makes_one_leaves_a_usable_cache() {
	local before took
	own_cache
	fifo
	before=$(now_ms)
	ends 0 --base attached
	took=$(($(now_ms) - before))
	for i in $(seq 6); do
		rm -rf "$store"
		rm -rf "$work/killed"
		start run "$file" --base attached --run-dir "$work/killed"
		sleep "$(printf '%d.%03d' $((took * i / 6 / 1000)) $((took * i / 6 % 1000)))"
		kill -KILL "$pid" 2>/dev/null || :
		finish
		rm -rf "$work"/tmp/*
		expect_nothing_left
	done
	ends 0 --base attached
	expect_saved 'scx_fifo'
}

case_options_are_checked() {
	fifo
	run --base saved
	expect_status 2
	expect_says "--base: 'saved' is none of: auto, booted, attached"
	own_cache
	KTSTR_BASES_MAX=0 run --base attached --verify-restore
	expect_status 3
	expect_says 'this run cannot start from a saved VM'
}

main "$@"
