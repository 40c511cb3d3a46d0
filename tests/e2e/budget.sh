#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Several runs at once share the machine: who runs, who waits for what, and what a killed one leaves.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# A scenario of so long.
hog() {
	scenario "hog$1" <<-END
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 1, duration: $1}
		vm: {topology: {numa: 1, llcs: 1, cores: 1, threads: 1}}
		checkers: [{plugin: gap, max_gap: 200s}]
	END
}

# Start run $1 in the background; more words are its options. Its pid is in ${pids[$1]}.
declare -A pids
begin() {
	local name=$1
	shift
	KTSTR_E2E_MARK=$work TMPDIR=$work/tmp "$program" run "$file" --run-dir "$work/run.$name" "$@" \
		>"$work/$name.out" 2>"$work/$name.err" </dev/null &
	pids[$name]=$!
}

# Run $1 ends with status $2.
expect_end() {
	local status=0
	wait "${pids[$1]}" || status=$?
	[[ $status == "$2" ]] || fail "run $1: exit status $status, want $2: $(cat "$work/$1.out" "$work/$1.err")"
}

says() {
	grep -qE -- "$2" "$work/$1.out" "$work/$1.err"
}

# At most 100 s.
wait_until_says() {
	local _
	for _ in $(seq 1000); do
		says "$1" "$2" && return
		kill -0 "${pids[$1]}" 2>/dev/null || fail "run $1 ended before it said '$2': $(cat "$work/$1.err")"
		sleep 0.1
	done
	fail "run $1 never said '$2': $(cat "$work/$1.err")"
}

count_vms() {
	local candidate count=0
	for candidate in $(marked); do
		if [[ $(readlink "/proc/$candidate/exe" 2>/dev/null) == *qemu-system* ]]; then
			count=$((count + 1))
		fi
	done
	printf '%s\n' "$count"
}

case_runs_wait_for_each_other_in_order() {
	export KTSTR_JOBS=1
	hog 100s
	begin a
	wait_until_says a 'ktstr: scenario'
	hog 1s
	begin b --timings
	wait_until_says b "^ktstr: waiting: for 1 of 1 VM to end \(pid ${pids[a]}, since [0-9]+ s\)$"
	begin c --output json
	wait_until_says c "^ktstr: waiting: for 1 run before it and for 1 of 1 VM to end \(pid ${pids[a]}, since"
	[[ $(count_vms) == 1 ]] || fail "one may run, but $(count_vms) do"
	kill -TERM "${pids[a]}"
	expect_end a 3
	expect_end b 0
	says b '^  waiting +[0-9.]+ s$' || fail "the wait is no part of the timings: $(cat "$work/b.out")"
	expect_end c 0
	jq -e '.timings | .waiting_s > 0 and .overhead_s < .total_s - .waiting_s' "$work/c.out" >/dev/null ||
		fail "the wait is no part of the document: $(cat "$work/c.out")"
	says a 'waiting' && fail "the first one waited"
	expect_nothing_left
}

# A job of cron's has no XDG_RUNTIME_DIR. In a /run of this test's own.
case_a_run_without_the_variable_is_in_the_same_queue() {
	((EUID == 0)) || skip "a /run of one's own needs root"
	export KTSTR_JOBS=1
	cat >"$work/both" <<-'END'
		#!/bin/bash
		mount -t tmpfs tmpfs /run && mkdir -p -m 700 "/run/user/$EUID" || exit 77
		echo private
		XDG_RUNTIME_DIR=/run/user/$EUID "$1" run "$2" --run-dir "$3.with" &
		with=$!
		until [[ -s /run/user/$EUID/ktstr/vms-1 ]]; do kill -0 $with || exit 1; sleep 0.05; done
		unset XDG_RUNTIME_DIR
		"$1" run "$2" --run-dir "$3.without" &
		wait $with && wait $!
	END
	hog 8s
	status=0
	KTSTR_E2E_MARK=$work TMPDIR=$work/tmp unshare -m --propagation private \
		bash "$work/both" "$program" "$file" "$work/run" >"$work/out" 2>"$work/err" </dev/null || status=$?
	grep -q private "$work/out" || skip "cannot mount a file system here"
	expect_status 0
	expect_says 'waiting: for 1 of 1 VM to end'
	expect_nothing_left
}

case_no_more_vms_than_jobs() {
	local name most=0 now
	export KTSTR_JOBS=2
	hog 500ms
	for name in a b c d e; do
		begin "$name"
	done
	while kill -0 "${pids[@]}" 2>/dev/null; do
		now=$(count_vms)
		most=$((now > most ? now : most))
		sleep 0.05
	done
	for name in a b c d e; do
		expect_end "$name" 0
	done
	[[ $most -ge 1 && $most -le 2 ]] || fail "two may run, but $most did"
	expect_nothing_left
}

case_a_killed_run_leaves_its_place() {
	export KTSTR_JOBS=1
	hog 100s
	begin a
	wait_until_says a 'ktstr: scenario'
	hog 1s
	begin b
	wait_until_says b 'waiting'
	begin c
	wait_until_says c 'waiting'
	kill -9 "${pids[b]}"
	kill -9 "${pids[a]}"
	expect_end c 0
	expect_end a 137
	expect_end b 137
	expect_nothing_left
}

case_a_run_that_waits_can_be_interrupted() {
	local start
	export KTSTR_JOBS=1
	hog 100s
	begin a
	wait_until_says a 'ktstr: scenario'
	begin b
	wait_until_says b 'waiting'
	start=$(now_ms)
	kill -TERM "${pids[b]}"
	expect_end b 3
	(($(now_ms) - start < 5000)) || fail "it took its time to end"
	says b 'error: interrupted before its VM could start' || fail "it does not say why: $(cat "$work/b.err")"
	[[ ! -e $work/run.b ]] || fail "a run that did not begin left a folder"
	kill -TERM "${pids[a]}"
	expect_end a 3
	expect_nothing_left
}

case_no_limit_means_no_wait() {
	export KTSTR_JOBS=1
	hog 100s
	begin a
	wait_until_says a 'ktstr: scenario'
	hog 1s
	KTSTR_JOBS=unlimited begin b
	expect_end b 0
	says b 'waiting' && fail "it waited"
	kill -TERM "${pids[a]}"
	expect_end a 3
}

# While somebody else has the only place.
case_refusals_do_not_wait() {
	export KTSTR_JOBS=1
	hog 100s
	begin a
	wait_until_says a 'ktstr: scenario'
	scenario huge <<-END
		vm: {memory: 512G}
		scenario: {plugin: cpu_hog, duration: 1s}
		checkers: [gap]
	END
	run --cold
	expect_status 3
	expect_says 'the VM may use 512\.1 GiB of memory, but this machine has only [0-9.]+ GiB: lower vm\.memory'
	expect_says_not 'waiting'
	hog 1s
	KTSTR_JOBS=many run
	expect_status 2
	expect_says "KTSTR_JOBS is 'many': give it the number of VMs"
	scenario bad <<<"scenario: {plugin: cpu_hog, cgroups: many}"
	run
	expect_status 2
	kill -TERM "${pids[a]}"
	expect_end a 3
}

# What the VM of the only run may use, in MiB: the fourth number of the first place in the list.
room() {
	printf '%s\n' $(($(od -An -tu8 -j 24 -N 8 "$XDG_RUNTIME_DIR/ktstr/vms-1") >> 20))
}

# A VM that boots counts with all of its memory, whyever it boots, and one that is restored with a quarter.
case_what_boots_may_use_all_of_its_memory() {
	local kernels=${XDG_CACHE_HOME:-$HOME/.cache}/ktstr/kernels name how options
	mkdir -p "$work/cache/ktstr"
	[[ ! -d $kernels ]] || ln -s "$(readlink -f "$kernels")" "$work/cache/ktstr/kernels"
	export XDG_CACHE_HOME=$work/cache
	cat >"$work/qemu" <<-'END'
		#!/bin/bash
		[[ ! -e $KTSTR_E2E_MARK/broken || ! "$*" =~ -incoming ]] || kill -KILL $$
		exec qemu-system-x86_64 "$@"
	END
	chmod +x "$work/qemu"
	export KTSTR_QEMU=$work/qemu
	hog 3s
	sed -i 's/^vm: {/&memory: 512M, /' "$file"
	begin first
	wait_until_says first 'first boot of this kind'
	[[ $(room) == 576 ]] || fail "a VM that is booted to be saved counts with $(room) MiB"
	wait_until_says first 'ktstr: scenario'
	[[ $(room) == 192 ]] || fail "a VM that was restored after that counts with $(room) MiB"
	expect_end first 0
	for how in 'restored 192' 'cold 576 --cold' 'never 576 KTSTR_BASES_MAX=0' 'broken 576'; do
		read -r name how options <<<"$how"
		[[ $name != broken ]] || touch "$work/broken"
		if [[ $options == KTSTR* ]]; then
			KTSTR_BASES_MAX=0 begin "$name"
		else
			# shellcheck disable=SC2086 # one word or none
			begin "$name" $options
		fi
		wait_until_says "$name" 'ktstr: scenario'
		[[ $(room) == "$how" ]] || fail "run '$name' counts with $(room) MiB, want $how"
		expect_end "$name" 0
	done
	says broken 'this run boots' || fail "it did not boot"
	expect_nothing_left
}

# A quarter of it would fit.
case_more_memory_than_there_is_is_refused_with_the_first_boot() {
	local total how
	total=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo)
	scenario huge <<-END
		vm: {memory: $((total * 2))M}
		scenario: {plugin: cpu_hog, duration: 1s}
		checkers: [gap]
	END
	for how in 4G 0; do
		KTSTR_BASES_MAX=$how run
		expect_status 3
		expect_says 'error: the VM may use [0-9.]+ GiB of memory, but this machine has only [0-9.]+ GiB'
		expect_says_not 'warning|waiting'
	done
	expect_nothing_left
}

case_a_folder_of_others_is_not_used() {
	hog 1s
	mkdir -m 0777 "$XDG_RUNTIME_DIR/ktstr"
	chmod 0777 "$XDG_RUNTIME_DIR/ktstr"
	run
	expect_status 0
	[[ -z $(ls "$XDG_RUNTIME_DIR/ktstr") ]] || fail "it used a folder that anybody may write to"
}

# Time in which QEMU stands in line for a CPU is not the boot's. The boot gets twice what it takes alone, and must
# share its CPU with somebody who gets more than two thirds of it.
case_a_busy_host_is_no_slow_boot() {
	local boot_ms cpu spinner
	[[ -r /proc/self/schedstat ]] || skip "this kernel does not count waiting for a CPU"
	hog 500ms
	run --cold --output json
	expect_status 0
	boot_ms=$(jq '(.timings.kernel_to_init_s + .timings.qemu_start_s) * 2000 | floor' "$work/out")
	rm -rf "$work/run"
	((boot_ms > 1000)) || boot_ms=1000
	sed -i "s/^vm: {/vm: {boot_timeout: ${boot_ms}ms, /" "$file"
	cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
	taskset -c "$cpu" bash -c 'while :; do :; done' &
	spinner=$!
	KTSTR_E2E_MARK=$work TMPDIR=$work/tmp nice -n 4 taskset -c "$cpu" "$program" run "$file" --cold --output json \
		--run-dir "$work/run" >"$work/out" 2>"$work/err" </dev/null || status=$?
	kill "$spinner"
	wait "$spinner" 2>/dev/null || :
	expect_says_not 'the guest did not boot'
	jq -e ".timings.kernel_to_init_s * 1000 > $boot_ms" "$work/out" >/dev/null || skip "the boot was not slow enough"
}

main "$@"
