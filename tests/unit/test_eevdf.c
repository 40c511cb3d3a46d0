/* SPDX-License-Identifier: GPL-2.0-only */
#include "schedulers/sched_ext_state.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ktstr/scheduler.h"
#include "unit/shipped.h"

static char path[] = "/tmp/ktstr-sched-ext-XXXXXX";

static void file_make(void)
{
	int fd = mkstemp(path);

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

TestSuite(sched_ext_state, .init = file_make, .fini = file_remove);

Test(sched_ext_state, gives_the_word)
{
	static const struct {
		const char *text;
		const char *state;
	} rows[] = {
		{ "enabled\n", "enabled" },
		{ "disabled\n", "disabled" },
		{ "disabled", "disabled" },
		{ "disabling\n", "disabling" },
		{ "a word that is much longer than any that the kernel has\n",
		  "a word that is much longer than" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char state[SCHED_EXT_STATE_MAX];
		struct ktstr_error err = { 0 };

		file_write(rows[i].text);
		cr_assert_eq(sched_ext_state_read(path, state, &err), 0, "%s", err.text);
		cr_expect_str_eq(state, rows[i].state);
	}
}

Test(sched_ext_state, a_kernel_without_it_is_disabled)
{
	char state[SCHED_EXT_STATE_MAX];
	struct ktstr_error err = { 0 };

	file_remove();
	cr_assert_eq(sched_ext_state_read(path, state, &err), 0);
	cr_expect_str_eq(state, "disabled");
}

Test(sched_ext_state, an_empty_file_is_an_error)
{
	char state[SCHED_EXT_STATE_MAX];
	struct ktstr_error err = { 0 };
	char message[128];

	(void)snprintf(message, sizeof(message), "'%s' is empty", path);
	cr_assert_eq(sched_ext_state_read(path, state, &err), -EBADMSG);
	cr_expect_str_eq(err.text, message);
}

Test(sched_ext_state, a_folder_cannot_be_read)
{
	char state[SCHED_EXT_STATE_MAX];
	struct ktstr_error err = { 0 };

	cr_assert_eq(sched_ext_state_read("/proc", state, &err), -EISDIR);
	cr_expect_str_eq(err.text, "cannot read '/proc': Is a directory");
}

Test(sched_ext_state, a_path_through_a_file_cannot_be_opened)
{
	char state[SCHED_EXT_STATE_MAX];
	struct ktstr_error err = { 0 };

	cr_assert_eq(sched_ext_state_read("/dev/null/state", state, &err), -ENOTDIR);
	cr_expect_str_eq(err.text, "cannot open '/dev/null/state': Not a directory");
}

static char logged[256];

static void log_text(struct ktstr_guest *g, uint32_t level, const char *text)
{
	(void)g;
	(void)level;
	(void)snprintf(logged, sizeof(logged), "%s", text);
}

/* On a machine without a sched_ext scheduler, as every one that runs this test. */
Test(eevdf, starts_lives_and_stops)
{
	static const struct ktstr_guest_ops guest_ops = { .size = sizeof(guest_ops),
							  .log = log_text };
	struct ktstr_guest guest = { .ops = &guest_ops };
	const struct ktstr_plugin *plugin = shipped_load("schedulers", "eevdf");
	const struct ktstr_scheduler_ops *ops = plugin->scheduler;
	struct ktstr_error err = { 0 };
	char state_text[SCHED_EXT_STATE_MAX];
	void *state = NULL;

	cr_assert_eq(sched_ext_state_read(SCHED_EXT_STATE_PATH, state_text, &err), 0);
	if (strcmp(state_text, "disabled") != 0)
		cr_skip_test("a sched_ext scheduler runs here");
	cr_assert_eq(plugin->kind, KTSTR_KIND_SCHEDULER);
	cr_assert_eq(ops->start(&guest, NULL, &state, &err), 0, "%s", err.text);
	cr_expect_eq(strncmp(logged, "the fair class of Linux ", 24), 0, "%s", logged);
	cr_expect_eq(ops->alive(&guest, state, &err), 0);
	cr_expect_eq(ops->stop(&guest, state, &err), 0);
}
