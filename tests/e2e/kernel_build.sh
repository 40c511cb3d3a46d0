#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `ktstr kernel build`, with a tree whose Makefile does as a kernel's does, in no time.
# shellcheck source=tests/e2e/lib.sh
. "${KTSTR_SOURCE:?}/tests/e2e/lib.sh"

# A tree, and a machine that has all that a kernel is built with. What bzImage does is in $work/tree/body.
set_up() {
	local tool
	mkdir -p "$work/bin" "$work/tree/scripts/kconfig"
	for tool in gcc ld flex bison bc perl gzip pahole; do
		printf '#!/bin/sh\nexit 0\n' >"$work/bin/$tool"
	done
	chmod +x "$work/bin/"*
	export PATH=$work/bin:$PATH XDG_CACHE_HOME=$work/cache
	cat >"$work/tree/Makefile" <<-END
		.RECIPEPREFIX = >
		tinyconfig:
		>@echo CONFIG_TINY=y >\$(O)/.config
		olddefconfig:
		>@grep -v -f dropped \$(O)/.config >\$(O)/new; mv \$(O)/new \$(O)/.config
		bzImage:
		>@echo '  CC      kernel/fork.o'
		>@echo built >>.builds
		>@sh ./body
		>@mkdir -p \$(O)/arch/x86/boot
		>@$KTSTR_BUILD/tests/fake_bzimage 7.2.0\$(LOCALVERSION) \$(O)/arch/x86/boot/bzImage
	END
	printf 'config TINY\n\tbool "Tiny"\n' >"$work/tree/Kconfig"
	# shellcheck disable=SC2016 # for the script that it becomes
	printf 'config=$4\nshift 4\ncat "$@" >>"$config"\n' >"$work/tree/scripts/kconfig/merge_config.sh"
	echo CONFIG_NONE= >"$work/tree/dropped"
	echo 'exit 0' >"$work/tree/body"
}

# A build that waits inside make, in the background.
start_waiting() {
	mkfifo "$work/waiting"
	echo "exec cat '$work/waiting'" >"$work/tree/body"
	start kernel build "$work/tree"
	wait_for '^ktstr: build: bzImage'
}

expect_no_kernel() {
	[[ -z $(ls -A "$work/cache/ktstr/kernels" 2>/dev/null) ]] || fail "something is in the cache of kernels"
}

case_makes_a_kernel_that_is_found() {
	set_up
	ktstr kernel build "$work/tree" --name mine
	expect_status 0
	expect_says '/cache/ktstr/kernels/7\.2\.0-mine/vmlinuz$'
	expect_says 'note: a run that asks for no kernel takes this one from now on'
	ktstr kernel list
	expect_says '^\* *7\.2\.0-mine +yes +yes +cache'
	KTSTR_KERNEL=mine ktstr kernel list --output json
	expect_json '.kernels[0] | .origin == "KTSTR_KERNEL" and .release == "7.2.0-mine" and .is_taken'
}

case_builds_the_same_once() {
	set_up
	ktstr kernel build "$work/tree"
	expect_status 0
	ktstr kernel build "$work/tree" --output json
	expect_status 0
	expect_says 'note: kernel 7\.2\.0-ktstr-[0-9a-f]{8} is there already'
	expect_json '.kernels | length == 1'
	echo 'int changed;' >"$work/tree/changed.c"
	ktstr kernel build "$work/tree"
	expect_status 0
	[[ $(wc -l <"$work/tree/.builds") == 2 ]] || fail "it was built $(wc -l <"$work/tree/.builds") times, want 2"
	[[ $(find "$work/cache/ktstr/kernels" -mindepth 1 -maxdepth 1 | wc -l) == 1 ]] || fail "there is not one kernel"
}

case_says_what_does_not_come_out() {
	set_up
	echo CONFIG_SCHED_CLASS_EXT= >"$work/tree/dropped"
	ktstr kernel build "$work/tree"
	expect_status 2
	expect_says 'error: ktstr\.config:[0-9]+: CONFIG_SCHED_CLASS_EXT is to be y, is not set: this kernel has no such option'
	expect_says 'error: the config does not come out as the fragments say; .*: CONFIG_SCHED_CLASS_EXT$'
	[[ ! -e $work/tree/.builds ]] || fail "it was compiled all the same"
	expect_no_kernel
}

case_ends_in_order_when_interrupted() {
	set_up
	start_waiting
	kill -INT "$pid"
	finish
	expect_status 3
	expect_says 'error: interrupted; what was compiled stays for the next build of it'
	expect_nothing_left
	expect_no_kernel
}

case_leaves_nothing_when_killed() {
	set_up
	start_waiting
	kill -KILL "$pid"
	finish
	expect_nothing_left
	expect_no_kernel
	echo 'exit 0' >"$work/tree/body"
	ktstr kernel build "$work/tree"
	expect_status 0
}

case_refuses_a_tree_that_was_built_in() {
	set_up
	touch "$work/tree/.config"
	ktstr kernel build "$work/tree"
	expect_status 2
	expect_says "run 'make mrproper' there"
}

main "$@"
