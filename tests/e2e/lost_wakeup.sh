#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A fault that is there under some seeds only: an exploration finds it, a replay has it again, and the cure cures it.
# Which seeds fail is a matter of the kernel, the compiler and the agent.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

needs_bpf

case_it_is_found_and_had_again_and_cured() {
	local found file=$KTSTR_SOURCE/scenarios/lost_wakeup.yaml
	ktstr explore "$file" --clock virtual --accel tcg --seeds 1..200 --until-fail --run-dir "$work/x" -q
	expect_status 1
	expect_says "sched_ext exit 'stall': worker\[N\] failed to run for N s"
	expect_says '^FAIL: '
	found=$(find "$work/x" -mindepth 1 -maxdepth 1 -name 'seed-*')
	[[ $(wc -l <<<"$found") == 1 ]] || fail "there is not one kind of failure: $found"
	# It waits in the queue of a CPU that is quiet.
	grep -qE 'quiet=[0-9]{2,} waiting=[1-9]' "$found/sched_ext_dump.txt" || fail "it is another fault"
	for _ in 1 2 3; do
		ktstr replay "$found" -q
		expect_status 0
		expect_says '^identical: '
		expect_says 'failed to run for'
	done
	ktstr run "$file" --clock virtual --accel tcg --seed "${found##*-}" -q --scheduler scx_lostwake,fixed=true,timeout=400ms
	expect_status 0
	expect_nothing_left
}

main "$@"
