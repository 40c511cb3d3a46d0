#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Every example of a whole scenario file in the documentation is one that ktstr takes: blocks of YAML in Markdown,
# and literal displays in man pages, that begin with a line "name:".
#   examples.sh KTSTR FILE...
set -euo pipefail

program=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KTSTR_PLUGIN_PATH

# extract FILE: one file $work/NAME-LINE.yaml for each example, LINE being where it stands.
extract() {
	awk -v prefix="$work/$(basename "$1")-" '
		/^[ \t]*```yaml$/ || /^\.Bd -literal/ { inside = 1; target = ""; next }
		/^[ \t]*```$/ || /^\.Ed$/ { inside = 0; next }
		!inside { next }
		inside == 1 { target = /^name:/ ? prefix FNR ".yaml" : ""; inside = 2 }
		target != "" { gsub(/\\e/, "\\"); print >target }
	' "$1"
}

bad=0
for page in "$@"; do
	extract "$page"
	found=("$work/$(basename "$page")"-*.yaml)
	if [[ ! -e ${found[0]} ]]; then
		printf '%s: has no example\n' "$page"
		bad=1
		continue
	fi
	printf '%s: %d examples\n' "$page" "${#found[@]}"
	"$program" check-scenario "${found[@]}" || bad=1
done
exit "$bad"
