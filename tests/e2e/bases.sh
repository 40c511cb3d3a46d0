#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Saved VMs: made once, trusted only while they are what they were, and no way for a run to fail.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# A cache of this test's own, with the kernels of the real one.
own_cache() {
	local kernels=${XDG_CACHE_HOME:-$HOME/.cache}/ktstr/kernels
	cache=${1:-$work/cache}
	mkdir -p "$cache/ktstr"
	[[ ! -d $kernels ]] || ln -s "$(readlink -f "$kernels")" "$cache/ktstr/kernels"
	store=$cache/ktstr/bases
	export XDG_CACHE_HOME=$cache
	scenario hog <<-END
		name: hog
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 100ms}
		checkers: [starvation]
	END
}

# A run that passes, in a folder of its own.
passes() {
	rm -rf "$work/run"
	run "$@"
	expect_status 0
}

first='first boot of this kind of VM'
damaged='is damaged, and is made anew'
boots='this run boots, because no saved VM can be had'

says_how() {
	expect_says "$1"
	for other in "$first" "$damaged" "$boots"; do
		[[ $other == "$1" ]] || expect_says_not "$other"
	done
}

is_restored() {
	expect_says_not "$first|$damaged|$boots"
}

# The folder of the only saved VM.
the_base() {
	find "$store" -mindepth 1 -maxdepth 1 -type d -not -name '.*'
}

# So many saved VMs, all whole, and nothing half made.
expect_bases() {
	ktstr bases list --output json
	expect_status 0
	expect_json ".kind == \"bases\" and (.bases | length) == $1 and all(.bases[]; .is_whole)"
	[[ -z $(find "$store" -name '.new-*' 2>/dev/null) ]] || fail "a half made one is left"
}

# The same, whatever a killed one left half made.
expect_bases_made() {
	ktstr bases list --output json
	expect_status 0
	expect_json "(.bases | length) == $1 and all(.bases[]; .is_whole)"
}

# One byte in the middle is another one.
flip() {
	local at
	at=$(($(stat -c %s "$1") / 2))
	[[ $(od -An -j $at -N 1 -tu1 "$1") == *255 ]] && printf '\0' || printf '\377'
} >"$work/byte"

damage() {
	local size
	size=$(stat -c %s "$2")
	case $1 in
	flip)
		flip "$2"
		dd if="$work/byte" of="$2" bs=1 seek=$((size / 2)) conv=notrunc status=none
		;;
	cut) truncate -s $((size / 2)) "$2" ;;
	remove) rm "$2" ;;
	esac
}

case_the_first_run_boots_and_later_ones_do_not() {
	own_cache
	passes
	says_how "$first"
	passes --seed 5
	is_restored
	expect_bases 1
	expect_json '.bases[0] | .memory_bytes > 0 and .kernel != "" and .topology.cores == 2 and .age_s < 200'
	ktstr bases list
	expect_says '1 saved VM, [0-9]+ of at most 4096 MiB'
	passes --cold
	is_restored
	expect_bases 1
	ktstr bases prune --all
	expect_says 'removed 1 saved VM, [0-9]+ MiB'
	expect_bases 0
	passes --cold
	expect_bases 0
	KTSTR_BASES_MAX=0 passes
	is_restored
	expect_bases 0
	expect_nothing_left
}

case_options_of_bases_are_checked() {
	own_cache
	ktstr bases
	expect_status 2
	ktstr bases remove
	expect_status 2
	expect_says "'remove' is none of: list, prune"
	ktstr bases list --all
	expect_status 2
	expect_says 'are for prune'
	ktstr bases prune --size much
	expect_status 2
	expect_says "'much' is no size"
	KTSTR_BASES_MAX=much ktstr bases prune --output json
	expect_status 0
	expect_says "KTSTR_BASES_MAX is 'much'"
	expect_json '.kind == "pruned" and .pruned.count == 0'
}

case_a_damaged_one_is_made_anew() {
	own_cache
	passes
	for how in 'flip ram0' 'cut ram0' 'flip state' 'remove seal' 'flip key'; do
		read -r how name <<<"$how"
		damage "$how" "$(the_base)/$name"
		ktstr bases list
		expect_says '! damaged'
		passes
		says_how "$damaged"
		expect_bases 1
	done
	expect_nothing_left
}

# Whoever seals a state that is none can be found out by QEMU alone.
case_one_that_qemu_refuses_is_not_tried_twice() {
	local base crc
	own_cache
	passes
	base=$(the_base)
	damage flip "$base/state"
	head -c 4096 /dev/urandom | dd of="$base/state" bs=4096 conv=notrunc status=none
	crc=$(gzip -c "$base/state" | tail -c 8 | od -An -tx4 -N 4 | tr -d ' ')
	sed -i -E "s/^(state [0-9]+ [0-9]+) .*/\1 $crc/" "$base/seal"
	passes
	says_how "$boots"
	expect_bases 0
	passes
	says_how "$first"
	expect_nothing_left
}

# What the host lacks for a moment is no fault of the saved VM's, which replays have no other than.
case_a_passing_failure_costs_no_saved_vm() {
	local id how
	cat >"$work/qemu" <<-'END'
		#!/bin/bash
		if [[ "$*" =~ -incoming ]]; then
			[[ ! -e $KTSTR_E2E_MARK/poor ]] || ulimit -v 900000
			[[ ! -e $KTSTR_E2E_MARK/killed ]] || kill -KILL $$
		fi
		exec qemu-system-x86_64 "$@"
	END
	chmod +x "$work/qemu"
	export KTSTR_QEMU=$work/qemu
	own_cache
	passes --seed 1 --run-dir "$work/recorded"
	says_how "$first"
	ktstr bases list --output json
	id=$(jq -r '.bases[0].name' "$work/out")
	for how in poor killed; do
		touch "$work/$how"
		ktstr replay "$work/recorded" --run-dir "$work/again"
		expect_status 3
		expect_says 'this run cannot start from a saved VM: QEMU ended with'
		expect_bases 1
		passes
		says_how "$boots"
		expect_bases 1
		expect_json ".bases[0].name == \"$id\""
		rm "$work/$how"
	done
	ktstr replay "$work/recorded" --run-dir "$work/again"
	expect_status 0
	expect_says '^identical: '
	expect_nothing_left
}

# As one whose clocks are wrong may be: it goes on, and its guest never says a word.
case_one_whose_guest_stays_silent_is_not_tried_twice() {
	cat >"$work/qemu" <<-'END'
		#!/bin/bash
		[[ ! "$*" =~ -incoming || ! -e $KTSTR_E2E_MARK/mute ]] || set -- "${@/#socket,id=bulk,*/null,id=bulk}"
		exec qemu-system-x86_64 "$@"
	END
	chmod +x "$work/qemu"
	export KTSTR_QEMU=$work/qemu
	own_cache
	sed -i 's/^vm: {/&clock: host, /' "$file"
	passes
	touch "$work/mute"
	passes
	says_how "$boots"
	expect_says "$boots: the restored guest did not say anything for 5.0 s"
	expect_bases 0
	rm "$work/mute"
	passes
	says_how "$first"
	expect_nothing_left
}

case_another_qemu_has_its_own() {
	own_cache
	passes
	printf '#!/bin/sh\nexec qemu-system-x86_64 "$@"\n' >"$work/qemu"
	chmod +x "$work/qemu"
	export KTSTR_QEMU=$work/qemu
	passes
	says_how "$first"
	expect_bases 2
	passes
	is_restored
}

case_two_at_once_make_one() {
	local pids=() pid
	own_cache
	for i in 1 2 3; do
		KTSTR_E2E_MARK=$work TMPDIR=$work/tmp "$program" run "$file" --run-dir "$work/run$i" \
			>"$work/out$i" 2>&1 </dev/null &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "one of them failed: $(cat "$work"/out?)"
	done
	[[ $(grep -l "$first" "$work"/out? | wc -l) == 1 ]] || fail "not one of them made it"
	! grep "$boots" "$work"/out? || fail "one of them did without"
	expect_bases 1
	expect_nothing_left
}

case_a_wait_for_another_one_can_be_interrupted() {
	own_cache
	start run "$file" --run-dir "$work/first"
	local maker=$pid
	wait_for "$first"
	kill -STOP "$maker"
	start run "$file" --run-dir "$work/second"
	wait_for 'another ktstr boots a VM of this kind'
	kill -INT "$pid"
	finish
	expect_status 3
	kill -KILL "$maker"
	wait "$maker" || :
	expect_nothing_left
}

# Kill it so many seconds after its start; nothing of it may be left.
killed_after() {
	rm -rf "$work/killed"
	start run "$file" --run-dir "$work/killed"
	sleep "$1"
	kill -KILL "$pid" 2>/dev/null || :
	finish
	rm -rf "$work"/tmp/*
	expect_nothing_left
}

# Kill it as soon as a command succeeds; nothing of it but what it made of a saved VM may be left.
killed_when() {
	rm -rf "$work/killed"
	start run "$file" --run-dir "$work/killed"
	until "$@"; do
		kill -0 "$pid" 2>/dev/null || fail "it ended before '$*'"
		sleep 0.01
	done
	kill -KILL "$pid" 2>/dev/null || :
	finish
	rm -rf "$work"/tmp/*
	expect_nothing_left
}

has_begun() {
	compgen -G "$store/.new-*/ram0" >/dev/null
}

is_being_saved() {
	local states=("$store"/.new-*/state)
	[[ -s ${states[0]} ]]
}

is_sealed() {
	compgen -G "$store/.new-*/seal" >/dev/null || compgen -G "$store/[!.]*/seal" >/dev/null
}

# At some moments of the boot, which takes long and changes nothing, and at each step of what follows.
case_killing_it_while_it_makes_one_leaves_a_usable_cache() {
	own_cache
	for moment in 0.002 0.015 0.05 0.2; do
		killed_after $moment
	done
	killed_when has_begun
	expect_bases_made 0
	killed_when is_being_saved
	expect_bases_made 0
	killed_when is_sealed # it may have its name by now
	passes
	expect_bases 1
	passes
	is_restored
}

case_killing_it_while_it_restores_leaves_a_usable_cache() {
	own_cache
	passes
	for i in $(seq 0 11); do
		killed_after "0.$(printf %03d $((i * 35)))"
	done
	passes
	is_restored
	expect_bases 1
}

case_many_restores_leave_nothing_behind() {
	local before
	own_cache
	passes
	before=$(du -s --apparent-size "$store")
	for _ in $(seq 15); do
		passes
		is_restored
	done
	[[ $(du -s --apparent-size "$store") == "$before" ]] || fail "the cache has grown: $(du -s --apparent-size "$store"), it was $before"
	expect_bases 1
	expect_nothing_left
}

# What a kernel or a sanitized agent prints while it boots is no warning of ours.
expect_one_warning() {
	[[ $(grep 'warning: ' "$work/err" | grep -vc 'warning: console: ') == 1 ]] ||
		fail "there is not one warning"
}

case_a_full_disk_is_a_reason_to_boot() {
	((EUID == 0)) || skip "mounting a small file system needs root"
	mkdir "$work/small"
	mount -t tmpfs -o size=24M tmpfs "$work/small" 2>/dev/null || skip "cannot mount a small file system here"
	own_cache "$work/small"
	passes
	expect_says "$boots: there is no room for the VM's memory on the disk"
	expect_one_warning
	expect_bases 0
	expect_nothing_left
}

case_a_cache_that_cannot_be_written_is_a_reason_to_boot() {
	own_cache
	touch "$store"
	passes
	expect_says "$boots: cannot open '.*bases/"
	expect_one_warning
	expect_nothing_left
}

# The first eight bytes that a program of the guest reads, in a run with this seed, in time of this kind.
random_of() {
	rm -rf "$work/run"
	scenario random <<-END
		seed: $1
		vm: {clock: $2}
		scheduler: {plugin: exec, path: $(command -v od), args: ["-An", "-N8", "-tx8", "/dev/urandom"], attach_timeout: 20s}
		scenario: {plugin: cpu_hog, duration: 100ms}
		checkers: [starvation]
	END
	run --verbose
	expect_status 1
	expect_says '^QEMU .* -incoming'
	grep -ohE 'scheduler: +[0-9a-f]{16}$' "$work/out" "$work/err" | head -n 1
}

case_random_numbers_are_those_of_the_seed() {
	local one two again host
	one=$(random_of 1 virtual)
	two=$(random_of 2 virtual)
	again=$(random_of 1 virtual)
	[[ $one == *[0-9a-f]* && $two == *[0-9a-f]* ]] || fail "the guest told no random numbers"
	[[ $one != "$two" ]] || fail "runs with two seeds have the same random numbers, $one"
	[[ $one == "$again" ]] || fail "runs with one seed have other random numbers: $one, then $again"
	# The moments of interrupts, which the kernel mixes in, are the host's.
	host=$(random_of 1 host)
	[[ $host == *[0-9a-f]* && $host != "$(random_of 2 host)" ]] ||
		fail "runs with two seeds have the same random numbers in the host's time, $host"
}

case_a_restored_run_is_as_good_as_a_booted_one() {
	scenario hog <<-END
		name: hog
		vm: {topology: {numa: 2, llcs: 2, cores: 1, threads: 1}}
		scenario: {plugin: cpu_hog, cpuset: llc, workers: 2, duration: 500ms}
		checkers: [starvation, gap, isolation]
	END
	run --verify-restore
	expect_status 0
	expect_says '^ +cold +restored'
	expect_says 'longest gap ms'
	expect_says 'PASS: 2 of 2 runs passed'
	[[ -e $work/run/1-cold/run.ktr && -e $work/run/2-restored/run.ktr ]] || fail "a run is missing"
	ktstr check "$work/run/1-cold" --verbose
	expect_says '^QEMU .* -kernel '
	ktstr check "$work/run/2-restored" --verbose
	expect_says '^QEMU .* -incoming '
	expect_nothing_left
}

case_restored_wake_ups_are_as_good() {
	scenario pairs <<-END
		name: pairs
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scenario:
		  plugin: steps
		  steps:
		    - ops:
		        - add_cgroup: {name: pairs}
		        - spawn: {cgroup: pairs, workload: futex_pingpong, workers: 4}
		      hold: 500ms
		checkers: [starvation]
	END
	run --verify-restore
	expect_status 0
	expect_says 'PASS: 2 of 2 runs passed'
	expect_nothing_left
}

case_a_restored_scheduler_of_bpf_is_as_good() {
	needs_bpf
	scenario fifo <<-END
		name: fifo
		vm: {topology: {numa: 1, llcs: 1, cores: 2, threads: 1}}
		scheduler: {plugin: scx_fifo}
		scenario: {plugin: cpu_hog, cgroups: 1, workers: 2, duration: 500ms}
		checkers: [starvation]
	END
	run --verify-restore
	expect_status 0
	expect_says 'PASS: 2 of 2 runs passed'
	expect_nothing_left
}

case_a_verdict_that_differs_fails() {
	cat >"$work/qemu" <<-'END'
		#!/bin/sh
		case "$*" in
		*-incoming*) exec timeout -s KILL 4 qemu-system-x86_64 "$@" ;; # in the middle of the scenario
		esac
		exec qemu-system-x86_64 "$@"
	END
	chmod +x "$work/qemu"
	own_cache
	sed -i -e 's/100ms/6s/' -e 's/^vm: {/&clock: host, /' "$file"
	KTSTR_QEMU=$work/qemu run --verify-restore
	expect_status 1
	expect_says 'the verdict is PASS after a boot and ERROR after a restore'
	expect_says '^FAIL'
	expect_nothing_left
}

case_a_restore_that_must_be_has_its_own_errors() {
	own_cache
	KTSTR_BASES_MAX=0 run --verify-restore
	expect_status 3
	expect_says 'this run cannot start from a saved VM: this VM is booted for each run'
	run --verify-restore --cold
	expect_status 2
	expect_says 'goes with no --cold'
	run --verify-restore --scheduler eevdf --scheduler eevdf
	expect_status 2
	expect_says 'goes with no second --scheduler'
}

# QEMU gets some 5 % of one CPU, so a worker that may run stands still for 50 ms and more, again and again.
case_a_busy_host_is_not_the_schedulers_fault() {
	local hogs=() cpu
	own_cache
	sed -i -e 's/^vm: {/&clock: host, /' -e 's/100ms/1s/' -e 's/starvation/&, {plugin: gap, max_gap: 20ms}/' "$file"
	cpu=$(taskset -pc $$ | sed 's/.*[ ,-]//')
	cat >"$work/qemu" <<-END
		#!/bin/sh
		[ ! -e $work/busy ] || exec nice -n 10 taskset -c $cpu qemu-system-x86_64 "\$@"
		exec qemu-system-x86_64 "\$@"
	END
	chmod +x "$work/qemu"
	export KTSTR_QEMU=$work/qemu
	run --run-dir "$work/first" # boots
	touch "$work/busy"
	for _ in 1 2; do
		KTSTR_E2E_MARK=$work taskset -c "$cpu" yes >/dev/null &
		hogs+=($!)
	done
	run --output json
	kill "${hogs[@]}"
	wait "${hogs[@]}" || :
	expect_status 4
	expect_json '.evidence.host_wait_s > 0.3 and .verdict.outcome == "UNDECIDED"'
	expect_says 'stuck [0-9.]+ms .* but the host had no CPU for the VM for [0-9.]+ s of the scenario'
	expect_nothing_left
}

# A run whose scheduler is a program that tells the size of its payload, and ends.
payload() {
	truncate -s "$1" "$work/payload"
	scenario payload <<-END
		vm: {memory: 1G}
		scheduler: {plugin: exec, path: $(command -v stat), args: ["-c", "%s bytes", /payload/it], files: [{host: payload, guest: /payload/it}], attach_timeout: 60s}
		scenario: {plugin: cpu_hog, duration: 100ms}
		checkers: [starvation]
	END
	rm -rf "$work/run"
	run --verbose
}

case_a_large_payload_arrives() {
	payload 50M
	expect_status 1
	expect_says 'scheduler: 52428800 bytes'
	expect_nothing_left
}

case_a_payload_can_be_too_large() {
	payload 256M
	expect_status 3
	expect_says 'the plugins and files of this run have [0-9]+ MiB, at most 25[0-9] MiB can be sent to the VM'
	expect_nothing_left
}

main "$@"
