/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct ktstr_error err;

Test(run_paths, are_found_from_the_program)
{
	struct run_paths paths;

	cr_assert_eq(run_paths_find("/opt/k/" KTSTR_BINDIR "/ktstr", NULL, 0, NULL, &paths, &err),
		     0, "%s", err.text);
	cr_assert_str_eq(paths.guest_program, "/opt/k/" KTSTR_LIBEXECDIR "/ktstr-guest");
	cr_assert_str_eq(paths.judge_program, "/opt/k/" KTSTR_LIBEXECDIR "/ktstr-judge");
	cr_assert_str_eq(paths.plugin_folders[0], "/opt/k/" KTSTR_PLUGINDIR);
	cr_assert_null(paths.plugin_folders[1]);
	run_paths_done(&paths);
}

Test(run_paths, search_given_folders_first_and_our_own_last)
{
	static const char *const folders[] = { "/", "/tmp" };
	struct run_paths paths;

	cr_assert_eq(
		run_paths_find("/" KTSTR_BINDIR "/ktstr", folders, 2, ":/a::/b:", &paths, &err), 0,
		"%s", err.text);
	cr_assert_str_eq(paths.plugin_folders[0], "/");
	cr_assert_str_eq(paths.plugin_folders[1], "/tmp");
	cr_assert_str_eq(paths.plugin_folders[2], "/a");
	cr_assert_str_eq(paths.plugin_folders[3], "/b");
	cr_assert_str_eq(paths.plugin_folders[4], "/" KTSTR_PLUGINDIR);
	cr_assert_null(paths.plugin_folders[5]);
	run_paths_done(&paths);
}

Test(run_paths, refuse_a_program_that_is_not_in_its_place)
{
	struct run_paths paths;

	cr_assert_eq(run_paths_find("/opt/ktstr", NULL, 0, NULL, &paths, &err), -ENOENT);
	cr_assert_str_eq(err.text, "cannot find the parts of ktstr: '/opt/ktstr' does not lie in a "
				   "folder '" KTSTR_BINDIR "'; install ktstr as a whole");
}

Test(run_paths, refuse_a_given_folder_that_is_none)
{
	static const char *const folders[] = { "/dev/null" };
	struct run_paths paths;

	cr_assert_eq(run_paths_find("/" KTSTR_BINDIR "/ktstr", folders, 1, NULL, &paths, &err),
		     -ENOTDIR);
	cr_assert_str_eq(err.text, "--plugin-dir '/dev/null' is no folder");
}

Test(run_paths, know_this_program)
{
	struct run_paths paths;

	/* This test does not lie where programs do, and the message says where it lies. */
	cr_assert_eq(run_paths_find(NULL, NULL, 0, NULL, &paths, &err), -ENOENT);
	cr_assert(strstr(err.text, "test_run_paths' does not lie in a folder"), "%s", err.text);
}
