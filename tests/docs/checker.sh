#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The checker that docs/plugin-abi.md shows compiles without a warning, and ktstr takes it.
#   checker.sh KTSTR COMPILER SOURCE_DIR
set -euo pipefail

program=$1
compiler=$2
source=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KTSTR_PLUGIN_PATH

sed -n '/^```c$/,/^```$/{/^```/!p}' "$source/docs/plugin-abi.md" >"$work/my_checker.c"
"$compiler" -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -I"$source/include" \
	-o "$work/my_checker.so" "$work/my_checker.c"
printf '%s\n' 'scenario: cpu_hog' "checkers: [{plugin: $work/my_checker.so, limit: 5}]" >"$work/it.yaml"
"$program" check-scenario "$work/it.yaml"
