/* SPDX-License-Identifier: GPL-2.0-only */
#include "schedulers/exec_command.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktstr/scheduler.h"
#include "schedulers/child.h"
#include "schedulers/sched_ext_watch.h"
#include "unit/shipped.h"
#include "unit/shipped_bind.h"

/* What needs() asked for, one thing a line. */
static char asked[2048];

static int note_config(struct ktstr_needs *needs, const char *option, struct ktstr_error *err)
{
	size_t at = strlen(asked);

	(void)needs;
	(void)err;
	(void)snprintf(asked + at, sizeof(asked) - at, "%s\n", option);
	return 0;
}

static int note_file(struct ktstr_needs *needs, const char *host_path, const char *guest_path,
		     struct ktstr_error *err)
{
	size_t at = strlen(asked);

	(void)needs;
	if (strstr(host_path, "nowhere"))
		return ktstr_fail(err, -ENOENT, "cannot ship '%s'", host_path);
	(void)snprintf(asked + at, sizeof(asked) - at, "%s as %s\n", host_path, guest_path);
	return 0;
}

static int ask(const char *yaml, struct ktstr_error *err)
{
	struct ktstr_needs needs = { .size = sizeof(needs),
				     .kernel_config = note_config,
				     .file = note_file };
	const struct ktstr_plugin *plugin = shipped_load("schedulers", "exec");
	struct bound *bound = shipped_bind(plugin, yaml, err);
	int code;

	if (!bound)
		return -EINVAL;
	code = plugin->scheduler->needs(bound_values(bound), &needs, err);
	bound_free(bound);
	return code;
}

Test(exec, ships_the_program_and_its_files)
{
	struct ktstr_error err = { 0 };

	cr_assert_eq(ask("{path: /x/scx_a, config: layers.json, files: [{host: /y/data, guest: "
			 "/payload/data}]}",
			 &err),
		     0, "%s", err.text);
	cr_expect_str_eq(asked, "CONFIG_SCHED_CLASS_EXT\n"
				"/x/scx_a as /payload/exec/51bb2083/scx_a\n"
				"layers.json as /payload/exec/48cc2111/layers.json\n"
				"/y/data as /payload/data\n");
}

Test(exec, refuses_with_a_sentence_and_a_place)
{
	static const struct {
		const char *yaml, *text;
		uint32_t column;
	} rows[] = {
		{ "{path: /x/}", "'/x/' is a folder, not a file", 8 },
		{ "{path: /nowhere/x}", "cannot ship '/nowhere/x'", 8 },
		{ "{path: /x, config: nowhere}", "cannot ship 'nowhere'", 20 },
		{ "{path: /x, files: [{host: nowhere, guest: /payload/a}]}",
		  "cannot ship 'nowhere'", 27 },
		{ "{path: /x, env: [A=1, B]}", "env: 'B' is not NAME=VALUE", 23 },
		{ "{path: /x, env: [\"=1\"]}", "env: '=1' is not NAME=VALUE", 18 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		cr_expect_lt(ask(rows[i].yaml, &err), 0, "%s", rows[i].yaml);
		cr_expect_str_eq(err.text, rows[i].text);
		cr_expect_eq(err.column, rows[i].column, "%s: column %u", rows[i].yaml, err.column);
	}
}

Test(exec, refuses_values_out_of_range)
{
	static const char *const rows[] = {
		"{}",
		"{path: ''}",
		"{path: /x, args: 1}",
		"{path: /x, stop_signal: kill}",
		"{path: /x, attach_timeout: 0s}",
		"{path: /x, stop_timeout: 2h}",
		"{path: /x, files: [{host: a}]}",
		"{path: /x, arguments: []}",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		cr_expect_null(shipped_bind(shipped_load("schedulers", "exec"), rows[i], &err),
			       "%s", rows[i]);
		cr_expect_neq(err.text[0], '\0', "%s", rows[i]);
	}
}

static void make(const char *yaml, struct bound **ret_bound, struct exec_command *ret)
{
	struct ktstr_error err = { 0 };

	*ret_bound = shipped_bind(shipped_load("schedulers", "exec"), yaml, &err);
	cr_assert_not_null(*ret_bound, "%s", err.text);
	cr_assert_eq(exec_command_make(bound_values(*ret_bound), ret, &err), 0);
}

Test(exec, puts_the_config_before_the_arguments)
{
	static const char *const words[] = { "/payload/exec/51bb2083/scx_a", "--config",
					     "/payload/exec/48cc2111/layers.json", "-f", "x y" };
	struct exec_command command;
	struct bound *bound;

	make("{path: /x/scx_a, config: layers.json, args: [-f, x y]}", &bound, &command);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect_str_eq(command.argv[i], words[i]);
	cr_expect_null(command.argv[5]);
	exec_command_done(&command);
	bound_free(bound);
}

Test(exec, adds_to_the_environment)
{
	static const struct {
		const char *yaml;
		const char *words[2];
	} rows[] = {
		{ "{path: /x}", { "RUST_LOG=info" } },
		{ "{path: /x, env: [A=1]}", { "A=1", "RUST_LOG=info" } },
		{ "{path: /x, env: [RUST_LOG=debug]}", { "RUST_LOG=debug" } },
	};
	size_t ours = 0;

	while (environ[ours])
		ours++;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exec_command command;
		struct bound *bound;
		size_t count = 0, more = rows[i].words[1] ? 2 : 1;

		make(rows[i].yaml, &bound, &command);
		while (command.envp[count])
			count++;
		cr_expect_eq(count, ours + more);
		for (size_t j = 0; j < more; j++)
			cr_expect_str_eq(command.envp[j], rows[i].words[j]);
		exec_command_done(&command);
		bound_free(bound);
	}
}

Test(exec, knows_its_signals)
{
	static const struct {
		const char *yaml;
		int number;
	} rows[] = {
		{ "{path: /x}", SIGINT },
		{ "{path: /x, stop_signal: int}", SIGINT },
		{ "{path: /x, stop_signal: term}", SIGTERM },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };
		struct bound *bound =
			shipped_bind(shipped_load("schedulers", "exec"), rows[i].yaml, &err);

		cr_assert_not_null(bound);
		cr_expect_eq(exec_command_signal(bound_values(bound)), rows[i].number);
		cr_expect_str_eq(exec_command_name(bound_values(bound)), "x");
		bound_free(bound);
	}
}

static struct child run_shell(const char *script, int output_fd)
{
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)script, NULL };
	struct ktstr_error err = { 0 };
	struct child child;

	cr_assert_eq(child_start(&child, argv, environ, output_fd, &err), 0, "%s", err.text);
	return child;
}

Test(child, tells_how_it_ended)
{
	static const struct {
		const char *script, *text;
	} rows[] = {
		{ "exit 0", "exited with code 0" },
		{ "exit 7", "exited with code 7" },
		{ "kill -SEGV $$", "was killed by SIGSEGV" },
		{ "kill -40 $$", "was killed by signal 40" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct child child = run_shell(rows[i].script, -1);
		char text[64];

		cr_assert(child_wait(&child, -1, -1));
		cr_expect_str_eq(child_end_text(&child, text, sizeof(text)), rows[i].text);
		child_done(&child);
		cr_expect_eq(child.pidfd, -1);
	}
}

Test(child, writes_where_it_is_told_and_reads_nothing)
{
	struct child child;
	char text[64] = "";
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	child = run_shell("cat; echo one; echo two >&2", ends[1]);
	cr_assert(child_wait(&child, -1, -1));
	cr_expect_eq(read(ends[0], text, sizeof(text) - 1), 8);
	cr_expect_str_eq(text, "one\ntwo\n");
	child_done(&child);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

Test(child, is_waited_for_beside_something_else)
{
	struct child child = run_shell("read x < /dev/zero", -1);
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect_not(child_wait(&child, ends[0], -1));
	cr_expect_not(child_wait(&child, -1, 0));
	child_signal(&child, SIGKILL);
	cr_expect(child_wait(&child, -1, -1));
	child_done(&child);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

Test(child, takes_its_own_children_along)
{
	struct child child;
	char byte;
	int ends[2];

	/* The pipe's end comes when nobody has it any more. */
	cr_assert_eq(pipe(ends), 0);
	child = run_shell("(exec cat /dev/zero >/dev/null) & exit 0", ends[1]);
	(void)close(ends[1]);
	cr_assert(child_wait(&child, -1, -1));
	child_done(&child);
	cr_expect_eq(read(ends[0], &byte, 1), 0);
	(void)close(ends[0]);
}

Test(child, says_why_it_cannot_be_run)
{
	static const struct {
		const char *path, *text;
		int code;
	} rows[] = {
		{ "/nowhere/x",
		  "cannot run '/nowhere/x': No such file or directory; a script needs its "
		  "interpreter shipped too",
		  -ENOENT },
		{ "/etc", "cannot run '/etc': Permission denied", -EACCES },
		{ "/proc/version", "cannot run '/proc/version': Permission denied", -EACCES },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[] = { (char *)rows[i].path, NULL };
		struct ktstr_error err = { 0 };
		struct child child = { .pidfd = -1 };

		cr_expect_eq(child_start(&child, argv, environ, -1, &err), rows[i].code);
		cr_expect_str_eq(err.text, rows[i].text);
		child_done(&child);
	}
}

static char folder[64];

static void folder_make(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/ktstr-exec-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

static void file_write(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

static void folder_remove(void)
{
	static const char *const names[] = { "state", "enable_seq", "root/ops", "root", "" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)remove(path);
	}
}

TestSuite(sched_ext_watch, .init = folder_make, .fini = folder_remove);

Test(sched_ext_watch, sees_who_is_in_charge)
{
	struct sched_ext_view view;
	struct ktstr_error err = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/root", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	file_write("state", "enabled\n");
	file_write("enable_seq", "3\n");
	file_write("root/ops", "simple\n");
	cr_assert_eq(sched_ext_view_read(folder, &view, &err), 0, "%s", err.text);
	cr_expect_str_eq(view.state, "enabled");
	cr_expect_str_eq(view.ops, "simple");
	cr_expect(view.has_enable_seq);
	cr_expect_eq(view.enable_seq, 3);
	cr_expect(sched_ext_view_is_enabled(&view));
}

Test(sched_ext_watch, sees_that_nobody_is)
{
	static const struct {
		const char *state;
		bool is_enabled;
	} rows[] = { { "disabled\n", false }, { "enabling\n", false }, { "enabled\n", false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sched_ext_view view;
		struct ktstr_error err = { 0 };

		file_write("state", rows[i].state);
		cr_assert_eq(sched_ext_view_read(folder, &view, &err), 0, "%s", err.text);
		cr_expect_str_eq(view.ops, "");
		cr_expect_not(view.has_enable_seq);
		cr_expect_eq(view.enable_seq, 0);
		cr_expect_eq(sched_ext_view_is_enabled(&view), rows[i].is_enabled);
	}
}

Test(sched_ext_watch, an_unreadable_state_is_an_error)
{
	struct sched_ext_view view = { .enable_seq = 9 };
	struct ktstr_error err = { 0 };

	file_write("state", "");
	cr_expect_eq(sched_ext_view_read(folder, &view, &err), -EBADMSG);
	cr_expect_eq(view.enable_seq, 9);
}

Test(sched_ext_watch, can_do_without_news)
{
	int fd = sched_ext_news_open();

	sched_ext_news_drain(fd);
	sched_ext_news_drain(-1);
	if (fd >= 0)
		(void)close(fd);
}
