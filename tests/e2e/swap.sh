#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Schedulers change while the scenario runs.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# shipped NAME: the path of a scenario that comes with ktstr.
shipped() {
	file=$(dirname "$program")/../share/ktstr/scenarios/$1.yaml
	[[ -e $file ]] || skip "'$1' is not shipped: this build has no BPF schedulers"
}

# The changes that the verdict in the run's folder tells of, a line each.
changes() {
	jq -r '.. | .swaps? // empty | .[] | "\(.kind) \(.name) \(.plugin) \(.code)"' "$work/run/verdict.json"
}

case_shipped() {
	shipped swap
	run
	expect_status 0
	expect_says '^  scx_alive +PASS '
	[[ $(changes) == "$(printf '%s\n' 'replace fifo scx_fifo 0' 'replace vtime scx_vtime 0' 'detach   0' \
		'attach fifo scx_fifo 0' 'restart  eevdf 0')" ]] || fail "it changed otherwise: $(changes)"
	ktstr check "$work/run"
	expect_status 0
	expect_nothing_left
}

# failing REST: a scenario whose second step brings up /bin/false or the like.
failing() {
	scenario failing <<-END
		scheduler_timeout: 3s
		schedulers:
		  other: {plugin: exec, $1}
		scenario:
		  plugin: steps
		  steps:
		    - ops:
		        - spawn: {workers: 1}
		      hold: 100ms
		    - name: change
		      ops:
		        - replace_scheduler: {name: other}
		      hold: 100ms
		checkers: [starvation]
		${2:-}
	END
}

case_one_that_does_not_start_fails_the_run() {
	failing 'path: /bin/false'
	run
	expect_status 1
	expect_says "^FAIL: the scheduler died: the scheduler 'false' exited with code 1 "
	[[ $(changes) == 'replace other  -'* ]] || fail "it changed otherwise: $(changes)"
	ktstr check "$work/run"
	expect_status 1
	expect_nothing_left
}

case_one_that_hangs_in_its_start_is_ended() {
	local begin
	failing 'path: /bin/sleep, args: ["1000"], attach_timeout: 1h'
	begin=$(now_ms)
	run
	expect_status 3
	expect_says "^ERROR: .*scheduler 'exec' did not start within 3 s"
	[[ $(($(now_ms) - begin)) -lt 60000 ]] || fail "it took $(($(now_ms) - begin)) ms"
	expect_nothing_left
}

main "$@"
