#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The topology that was asked for is the one in the guest's sysfs.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

probe() {
	scenario "topology" <<-END
		vm: {topology: {numa: $1, llcs: $2, cores: $3, threads: $4}}
		scenario: topology_probe
		checkers: [misjudge]
	END
	run
	expect_status 0
}

case_one_cpu() { probe 1 1 1 1; }
case_two_llcs() { probe 1 2 2 1; }
case_threads() { probe 1 2 2 2; }
case_three_llcs() { probe 1 3 1 1; }
case_two_nodes() { probe 2 2 2 1; }
case_two_nodes_of_two_llcs_with_threads() { probe 2 4 1 2; }

main "$@"
