# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# For tests of a page that a reader follows from its top to its end: its files are written, its patches applied, and its
# commands run as they stand there, in an empty folder. Each line of output that the page shows must be one of the real
# output. Numbers may differ, '...' stands for anything, and so do the words of the kernel and of clang, which are other
# ones in other versions.
#
# A script sources this file with its arguments BUILD_DIR PAGE, may define
#   prepare COMMAND	what is done before a command
#   adapt COMMAND	prints what is run instead of it
# and ends with `follow RUNS LINES`: as many runs and lines of output must have been compared at least.
set -euo pipefail

build=$1
page=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache} HOME=$work/home NO_COLOR=1 GIT_CEILING_DIRECTORIES=$work
unset KTSTR_PLUGIN_PATH XDG_STATE_HOME
mkdir -p "$work/blocks" "$work/home" "$work/folder" "$work/clone/build"
ln -s "$build" "$work/clone/build/default"

fail() {
	printf 'FAILED: %s\n' "$*"
	exit 1
}

# Blocks of the page, in their order: $work/blocks/NUMBER.LANGUAGE.
split() {
	awk -v prefix="$work/blocks/" '
		/^```[a-z]+$/ { target = sprintf("%s%03d.%s", prefix, ++count, substr($0, 4)); next }
		/^```$/ { close(target); target = ""; next }
		target != "" { print >target }
	' "$page"
}

# From a line of shown output to a regular expression.
regex() {
	sed -E \
		-e "s/(refused BPF program '[a-z_]+': ).*/\\1.../" \
		-e 's/\(simple\)/.../' \
		-e 's/ ([-+][0-9][0-9.]*(%|pp)|x[0-9][0-9.e+]*|=)$/ \x01/' \
		-e 's/[0-9]([0-9.]*[0-9])?[kM]?/\x02/g' \
		-e 's/[][\\.*^$+?(){}|]/\\&/g' \
		-e 's/ +/ +/g' \
		-e 's/( \+)?\x01/( +([-+][0-9.]+(%|pp)|x[0-9.e+]+|=))?/' \
		-e 's/\x02/[0-9][0-9.]*[kM]?/g' \
		-e 's/\\\.\\\.\\\./.*/g' \
		-e 's/.*/^&$/' <<<"$1"
}

# What the page shows of a command makes of its exit status.
status_of() {
	local line status=0
	for line in "$@"; do
		case $line in
		identical*) status=0 ;;
		FAIL*) status=1 ;;
		ERROR*) status=3 ;;
		esac
	done
	printf '%s\n' "$status"
}

prepare() { :; }

adapt() { printf '%s\n' "$1"; }

lines=0
runs=0

# check COMMAND SHOWN_LINE...: run it as the reader does.
check() {
	local command=$1 status=0 line
	shift
	[[ $command != tools/dev* ]] || return 0
	prepare "$command"
	command=$(adapt "$command")
	printf '$ %s\n' "$command"
	eval "$command" >"$work/out" 2>"$work/err" || status=$?
	cat "$work/out"
	[[ $status == "$(status_of "$@")" ]] || fail "exit status $status, $(cat "$work/err")"
	for line in "$@"; do
		[[ $line != *([ ])... ]] || continue
		# What is quoted of the kernel, but for what it says of the page's own source and tasks.
		[[ $line != '  | '* || $line == '  | ; '* || $line == *worker* ]] || continue
		grep -qE -- "$(regex "$line")" "$work/out" || fail "the page shows what it does not say: $line"
		lines=$((lines + 1))
	done
	[[ $command != *'ktstr run '* && $command != *'ktstr replay '* && $command != *'ktstr explore '* ]] || runs=$((runs + 1))
}

console() {
	local line command='' shown=()
	while IFS= read -r line; do
		if [[ $line == '$ '* ]]; then
			[[ -z $command ]] || check "$command" "${shown[@]}"
			command=${line#??}
			shown=()
		elif [[ -n $line ]]; then
			shown+=("$line")
		fi
	done <"$1"
	check "$command" "${shown[@]}"
}

follow() {
	local block name
	shopt -s extglob
	split
	cd "$work/clone"
	for block in "$work"/blocks/*; do
		case $block in
		*.console) console "$block" ;;
		*.diff) git apply "$block" || fail "$block does not apply" ;;
		*)
			cd "$work/folder"
			name=$(sed -nE '1s/^(\/\*|#) ([a-zA-Z_.]+[a-zA-Z]).*/\2/p' "$block")
			[[ -n $name ]] || fail "$block does not say in its first line what file it is"
			cp "$block" "$name"
			;;
		esac
	done
	((runs >= $1 && lines >= $2)) || fail "only $runs runs and $lines lines were compared"
	printf '%d runs, %d lines compared\n' "$runs" "$lines"
}
