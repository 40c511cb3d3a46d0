# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# For the scripts of this folder: run the program, look at what it said, leave nothing behind.
#
# A script sources this file, defines functions case_NAME, and ends with `main "$@"`, which runs the one it was
# asked for. Inside a case: write a scenario, run ktstr, expect things.
set -euo pipefail

: "${KTSTR_BUILD:?}" "${KTSTR_SOURCE:?}" "${KTSTR_TEST_PLUGINS:?}"
program=$KTSTR_BUILD/${KTSTR_BINDIR:-bin}/ktstr

# A script that never comes to its main() has tested nothing. main() replaces this trap.
trap '(($? != 0)) || { printf "FAILED: %s does not end with main \"\$@\"\n" "$0" >&2; exit 1; }' EXIT

fail() {
	printf 'FAILED: %s\n' "$*" >&2
	if [[ -e $work/out ]]; then
		printf -- '--- stdout\n' >&2
		head -c 6000 "$work/out" >&2
		printf -- '--- stderr\n' >&2
		head -c 6000 "$work/err" >&2
	fi
	exit 1
}

skip() {
	printf 'SKIP: %s\n' "$*"
	exit 77
}

needs_bpf() {
	[[ -n $(find "$KTSTR_BUILD" -name scx_fifo.so -print -quit) ]] || skip "this build has no BPF schedulers"
}

# Processes that carry this test's mark, one pid a line: ktstr, QEMU and judges, but not this script.
marked() {
	local environ pid
	for environ in /proc/[0-9]*/environ; do
		pid=${environ#/proc/}
		pid=${pid%/environ}
		if grep -qzFx "KTSTR_E2E_MARK=$work" "$environ" 2>/dev/null; then
			[[ $(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null || echo Z) == Z ]] || printf '%s\n' "$pid"
		fi
	done
}

# Start in the background with the mark; the pid is in $pid. Output goes to $work/out and $work/err.
start() {
	KTSTR_E2E_MARK=$work TMPDIR=$work/tmp "$program" "$@" >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
}

# Wait for what start() started; its exit status is in $status.
finish() {
	status=0
	wait "$pid" || status=$?
}

ktstr() {
	start "$@"
	finish
}

# A scenario file from stdin; its path is in $file.
scenario() {
	file=$work/$1.yaml
	cat >"$file"
}

run() {
	ktstr run "$file" --plugin-dir "$KTSTR_TEST_PLUGINS" --run-dir "$work/run" "$@"
}

expect_status() {
	[[ $status == "$1" ]] || fail "exit status is $status, want $1"
}

# Something of the output (both streams) matches an extended regular expression.
expect_says() {
	grep -qE -- "$1" "$work/out" "$work/err" || fail "nothing it says matches '$1'"
}

expect_says_not() {
	if grep -E -- "$1" "$work/out" "$work/err" >&2; then
		fail "it says what it must not: '$1'"
	fi
}

# A jq condition on the JSON document in stdout.
expect_json() {
	jq -e "$1" "$work/out" >/dev/null || fail "the JSON document does not satisfy '$1'"
}

# What in /dev/shm could be ours or QEMU's; other programs of the machine use it too.
shared_files() {
	find /dev/shm -mindepth 1 -maxdepth 1 \( -name '*ktstr*' -o -name '*qemu*' \) | sort
}

# Everything with the mark is gone within a second, and no temporary file stays.
expect_nothing_left() {
	local _
	for _ in $(seq 50); do
		[[ -z $(marked) ]] && break
		sleep 0.02
	done
	[[ -z $(marked) ]] || fail "processes are left: $(marked | xargs ps -o pid,args -p)"
	[[ -z $(ls -A "$work/tmp") ]] || fail "temporary files are left: $(ls -A "$work/tmp")"
	[[ $(shared_files) == "$shm_before" ]] || fail "files are left in /dev/shm: $(shared_files)"
}

# The pid of the QEMU of this test, once there is one.
qemu_pid() {
	local candidate _
	for _ in $(seq 200); do
		for candidate in $(marked); do
			if [[ $(readlink "/proc/$candidate/exe" 2>/dev/null) == *qemu-system* ]]; then
				printf '%s\n' "$candidate"
				return
			fi
		done
		sleep 0.05
	done
	fail "no QEMU was started"
}

# Wait until the output matches, at most 60 s.
wait_for() {
	local _
	for _ in $(seq 600); do
		grep -qE -- "$1" "$work/out" "$work/err" 2>/dev/null && return
		kill -0 "$pid" 2>/dev/null || fail "it ended before it said '$1'"
		sleep 0.1
	done
	fail "it never said '$1'"
}

# Milliseconds since boot.
now_ms() {
	local up
	read -r up _ </proc/uptime
	printf '%s\n' "${up/./}0"
}

clean_up() {
	local left
	left=$(marked)
	# shellcheck disable=SC2086 # one word a pid
	[[ -z $left ]] || kill -9 $left 2>/dev/null || :
	if mountpoint -q "$work/small" 2>/dev/null; then
		umount "$work/small"
	fi
	rm -rf "$work"
}

main() {
	work=$(mktemp -d)
	mkdir "$work/tmp" "$work/runtime"
	shm_before=$(shared_files)
	trap clean_up EXIT
	# Each test has a queue of VMs of its own: how many tests run at once is up to ctest.
	export XDG_STATE_HOME=$work/state XDG_RUNTIME_DIR=$work/runtime NO_COLOR=1
	unset KTSTR_JOBS
	[[ $(type -t "case_$1") == function ]] || fail "there is no case '$1'"
	"case_$1"
}
