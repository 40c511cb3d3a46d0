#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# docs/write-a-scheduler-plugin.md, done from its top to its end in an empty folder: the files are written, the
# patches applied, and the commands run as they stand there, in real VMs, with ktstr installed to a folder of its own.
# Each line of output that the page shows must be one of the real output. Numbers may differ, '...' stands for anything,
# and so do the words of the kernel and of clang, which are other ones in other versions.
#   tutorial.sh BUILD_DIR PAGE
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

# What the verdict that the page shows makes of the exit status.
status_of() {
	case $1 in
	FAIL*) printf '1\n' ;;
	ERROR*) printf '3\n' ;;
	*) printf '0\n' ;;
	esac
}

# What the reader has and a test has not: a scheduler that is a program. Another one takes its place.
stand_in() {
	case $1 in
	*exec.yaml*)
		cp "$build/tests/scx_program" scx_simple
		sed -i 's/, args: \[-f\]//' exec.yaml
		;;
	esac
}

lines=0
runs=0

# check COMMAND SHOWN_LINE...: run it as the reader does.
check() {
	local command=$1 status=0 line
	shift
	[[ $command != tools/dev* ]] || return 0
	stand_in "$command"
	printf '$ %s\n' "$command"
	eval "$command" >"$work/out" 2>"$work/err" || status=$?
	cat "$work/out"
	[[ $status == "$(status_of "${1:-}")" ]] || fail "exit status $status, $(cat "$work/err")"
	for line in "$@"; do
		[[ $line != *([ ])... ]] || continue
		# What is quoted of the kernel, but for what it says of the page's own source and tasks.
		[[ $line != '  | '* || $line == '  | ; '* || $line == *worker* ]] || continue
		grep -qE -- "$(regex "$line")" "$work/out" || fail "the page shows what it does not say: $line"
		lines=$((lines + 1))
	done
	[[ $command != 'ktstr run'* ]] || runs=$((runs + 1))
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
((runs >= 7 && lines >= 40)) || fail "only $runs runs and $lines lines were compared"
printf '%d runs, %d lines compared\n' "$runs" "$lines"
