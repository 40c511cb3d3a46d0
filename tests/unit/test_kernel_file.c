/* SPDX-License-Identifier: GPL-2.0-only */
#include "schedulers/kernel_file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ktstr/scheduler.h"
#include "unit/shipped.h"
#include "unit/shipped_bind.h"

static char path[64];

static void file_make(void)
{
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/ktstr-kernel-file-XXXXXX");
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	(void)close(fd);
}

static void file_write(const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

static void file_remove(void)
{
	(void)unlink(path);
}

TestSuite(kernel_file, .init = file_make, .fini = file_remove);

Test(kernel_file, only_those_of_the_kernel_are_allowed)
{
	static const struct {
		const char *path;
		bool is_allowed;
	} rows[] = {
		{ "/sys/kernel/x", true },
		{ "/proc/sys/kernel/x", true },
		{ "/sys/kernel/..x", true },
		{ "/sys", false },
		{ "/sys/", false },
		{ "/sys/kernel/", false },
		{ "/proc/sysrq-trigger", false },
		{ "/proc/1/comm", false },
		{ "/etc/passwd", false },
		{ "sys/x", false },
		{ "/sys/../etc/passwd", false },
		{ "/sys/x/..", false },
		{ "/proc/sys/../1/comm", false },
		{ "/system/x", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(kernel_file_is_allowed(rows[i].path), rows[i].is_allowed, "%s",
			     rows[i].path);
}

Test(kernel_file, says_what_is_selected)
{
	static const struct {
		const char *text, *selected;
	} rows[] = {
		{ "5\n", "5" },
		{ " a \t b\n", "a b" },
		{ "one [two] three\n", "two" },
		{ "", "" },
		{ "open [bracket", "open [bracket" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64];

		file_write(rows[i].text);
		kernel_file_selected(path, text, sizeof(text));
		cr_expect_str_eq(text, rows[i].selected);
	}
}

Test(kernel_file, one_that_is_not_there_says_nothing)
{
	char text[64] = "before";

	kernel_file_selected("/nowhere/x", text, sizeof(text));
	cr_expect_str_eq(text, "");
}

Test(kernel_file, is_checked)
{
	static const struct {
		const char *text, *value;
		int code;
	} rows[] = {
		{ "5\n", "5", 0 },
		{ "5\n", "0x5", 0 },
		{ "5\n", "6", -ESRCH },
		{ "5\n", "", -ESRCH },
		{ "\n", "0", -ESRCH },
		{ "a [b] c\n", "b", 0 },
		{ "a [b] c\n", "a", -ESRCH },
		{ "4096\t87380\n", "4096 87380", 0 },
		{ "5 6\n", "5", -ESRCH },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		file_write(rows[i].text);
		cr_expect_eq(kernel_file_check(path, rows[i].value, &err), rows[i].code,
			     "'%s' '%s'", rows[i].text, rows[i].value);
	}
}

Test(kernel_file, failures_are_told)
{
	struct ktstr_error err = { 0 };
	char text[200];

	cr_expect_eq(kernel_file_check("/nowhere/x", "1", &err), -ENOENT);
	cr_expect_str_eq(err.text, "cannot read '/nowhere/x': No such file or directory");
	cr_expect_eq(kernel_file_write("/nowhere/x", "1", true, &err), -ENOENT);
	cr_expect_str_eq(err.text, "cannot open '/nowhere/x': No such file or directory");
	cr_expect_eq(kernel_file_write("/dev/full", "1", true, &err), -ENOSPC);
	cr_expect_str_eq(err.text, "cannot write '1' to '/dev/full': No space left on device");
	file_write("7");
	cr_expect_eq(kernel_file_check(path, "6", &err), -ESRCH);
	(void)snprintf(text, sizeof(text), "'%s' says '7', not '6'", path);
	cr_expect_str_eq(err.text, text);
}

Test(kernel_file, a_value_that_is_not_taken_is_told)
{
	struct ktstr_error err = { 0 };

	/* It takes everything, and always says nothing. */
	cr_expect_eq(kernel_file_write("/dev/null", "1", true, &err), -EIO);
	cr_expect_str_eq(err.text, "'/dev/null' says '' after '1' was written; with 'verify: "
				   "false' it is not asked");
	cr_expect_eq(kernel_file_write("/dev/null", "1", false, &err), 0);
	cr_expect_eq(kernel_file_write(path, "42", true, &err), 0);
	cr_expect_eq(kernel_file_check(path, "42", &err), 0);
}

static char asked[256];

static int note_config(struct ktstr_needs *needs, const char *option, struct ktstr_error *err)
{
	(void)needs;
	(void)err;
	(void)snprintf(asked, sizeof(asked), "%s", option);
	return 0;
}

static int ask(const char *yaml, struct ktstr_error *err)
{
	struct ktstr_needs needs = { .size = sizeof(needs), .kernel_config = note_config };
	const struct ktstr_plugin *plugin = shipped_load("schedulers", "kernel");
	struct bound *bound = shipped_bind(plugin, yaml, err);
	int code;

	if (!bound)
		return -EINVAL;
	code = plugin->scheduler->needs(bound_values(bound), &needs, err);
	bound_free(bound);
	return code;
}

Test(kernel, needs_what_it_is_told)
{
	struct ktstr_error err = { 0 };

	cr_expect_eq(ask("{enable: [{path: /sys/x, value: 1}], check: {path: /sys/x, value: 1}, "
			 "kernel_config: [CONFIG_X]}",
			 &err),
		     0, "%s", err.text);
	cr_expect_str_eq(asked, "CONFIG_X");
}

Test(kernel, refuses_with_a_sentence)
{
	static const struct {
		const char *yaml, *text;
	} rows[] = {
		{ "{enable: [{path: /etc/x, value: 1}]}",
		  "'/etc/x' is no file below /sys or /proc/sys" },
		{ "{enable: [{path: /sys/x, value: 1}], disable: [{path: /tmp/x, value: 1}]}",
		  "'/tmp/x' is no file below /sys or /proc/sys" },
		{ "{enable: [{path: /sys/x, value: 1}], check: {path: /proc/1/comm, value: 1}}",
		  "'/proc/1/comm' is no file below /sys or /proc/sys" },
		{ "{enable: [{path: /sys/x, value: 1}], check: {path: /sys/x}}",
		  "check: 'path' and 'value' go together" },
		{ "{enable: [{path: /sys/x, value: 1}], check: {value: 1}}",
		  "check: 'path' and 'value' go together" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		cr_expect_eq(ask(rows[i].yaml, &err), -EINVAL, "%s", rows[i].yaml);
		cr_expect_str_eq(err.text, rows[i].text);
		cr_expect_neq(err.column, 0, "%s", rows[i].yaml);
	}
}

Test(kernel, refuses_what_is_no_list_of_writes)
{
	static const char *const rows[] = { "{}", "{enable: []}", "{enable: [{path: /sys/x}]}" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		cr_expect_null(shipped_bind(shipped_load("schedulers", "kernel"), rows[i], &err),
			       "%s", rows[i]);
	}
}
