#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# docs/write-a-scheduler-plugin.md, done from its top to its end in real VMs, with ktstr installed to a folder of its own.
#   tutorial.sh BUILD_DIR PAGE
# shellcheck source=tests/docs/page.sh
source "$(dirname "$0")/page.sh"

# What the reader has and a test has not: a scheduler that is a program. Another one takes its place.
prepare() {
	case $1 in
	*exec.yaml*)
		cp "$build/tests/scx_program" scx_simple
		sed -i 's/, args: \[-f\]//' exec.yaml
		;;
	esac
}

follow 7 40
