/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/recorded.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "runfile/writer.h"
#include "support/scratch.h"

#define AGAIN                                                                                      \
	"\"again\": {\"folder\": \"/\", \"scheduler\": null, \"checkers\": [], \"only\": false, "  \
	"\"verbose\": false, \"stats_interval_ns\": 0, \"kernel_crc32\": 1, \"agent_crc32\": 2, "  \
	"\"job_crc32\": 3, \"machine_crc32\": 4, \"qemu_crc32\": 5, \"qemu_path\": \"/q\", "       \
	"\"files\": []}"

static struct scratch scratch;
static const char *path;
static struct ktstr_error err;

static void setup(void)
{
	scratch_init(&scratch);
	path = scratch_path(&scratch, "run.ktr");
}

static void teardown(void)
{
	scratch_done(&scratch);
}

TestSuite(recorded, .init = setup, .fini = teardown);

static void record(const char *meta, const char *source)
{
	struct runfile_writer *writer = NULL;

	cr_assert_eq(runfile_create(path, 1, 2, &writer, &err), 0, "%s", err.text);
	if (meta)
		cr_assert_eq(runfile_append(writer, RUNFILE_META, 0, 0, 0, meta,
					    (uint32_t)strlen(meta), &err),
			     0);
	if (source)
		cr_assert_eq(runfile_append(writer, RUNFILE_SOURCE, 0, 0, 0, source,
					    (uint32_t)strlen(source), &err),
			     0);
	cr_assert_eq(runfile_close(writer, &err), 0);
}

static void expect_refused(const char *text)
{
	struct recorded recorded;

	cr_assert_lt(recorded_open(path, &recorded, &err), 0);
	cr_expect_not_null(strstr(err.text, text), "%s", err.text);
}

Test(recorded, is_found_by_its_folder_and_by_itself)
{
	const char *names[] = { scratch.folder, path };
	struct recorded recorded;

	record("{\"schema_version\": 1, " AGAIN "}", "name: x\n");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cr_assert_eq(recorded_open(names[i], &recorded, &err), 0, "%s", err.text);
		cr_expect_str_eq(recorded.source, "name: x\n");
		cr_expect_eq(recorded.source_length, 8);
		cr_expect_eq(recorded.facts->meta->again.job_crc32, 3);
		recorded_done(&recorded);
	}
}

Test(recorded, says_what_it_lacks)
{
	record("{\"schema_version\": 1}", "name: x\n");
	expect_refused("it does not say with what it was made");
	cr_assert_eq(unlink(path), 0);
	record(NULL, "name: x\n");
	expect_refused("it does not say with what it was made");
	cr_assert_eq(unlink(path), 0);
	record("{\"schema_version\": 1, " AGAIN "}", NULL);
	expect_refused("it does not have its scenario");
	cr_assert_eq(unlink(path), 0);
	expect_refused("run.ktr");
}

Test(recorded, trusts_a_plugins_file_only_as_it_was_and_as_its_users_own)
{
	const char *file = scratch_path(&scratch, "x.so");
	struct meta_plugin then = { .kind = (char *)"scheduler",
				    .name = (char *)"x",
				    .path = (char *)file };

	cr_assert_eq(io_replace_file(file, "plugin", 6, &err), 0);
	cr_assert_eq(plugin_file_crc32(file, &then.crc32, &err), 0, "%s", err.text);
	cr_expect(recorded_is_file_of_then(&then));
	then.crc32++;
	cr_expect(!recorded_is_file_of_then(&then));
	then.crc32--;
	cr_assert_eq(chmod(file, 0646), 0);
	cr_expect(!recorded_is_file_of_then(&then));
	then.path = (char *)"x.so";
	cr_expect(!recorded_is_file_of_then(&then));
}

/* A run file with one plugin, loaded from it. */
static int load(const char *kind, const char *name, const char *file, bool is_forced)
{
	static const char *const folders[] = { "/nowhere", NULL };
	_cleanup_free_ char *meta =
		str_format("{\"schema_version\": 1, " AGAIN ", \"plugins\": [{\"kind\": \"%s\", "
			   "\"name\": \"%s\", \"path\": \"%s\", \"crc32\": 5}]}",
			   kind, name, file);
	struct registry *registry = NULL;
	struct recorded recorded;
	int rc;

	record(meta, "name: x\n");
	cr_assert_eq(recorded_open(path, &recorded, &err), 0, "%s", err.text);
	cr_assert_eq(registry_new(folders, &registry, &err), 0);
	rc = recorded_load_plugins(&recorded, is_forced, registry, &err);
	registry_free(registry);
	recorded_done(&recorded);
	cr_assert_eq(unlink(path), 0);
	return rc;
}

Test(recorded, loads_no_other_plugin_than_that_of_then)
{
	const char *file = scratch_path(&scratch, "x.so");

	cr_assert_eq(io_replace_file(file, "plugin", 6, &err), 0);
	cr_expect_eq(load("scheduler", "x", file, false), -ESTALE);
	cr_expect_not_null(strstr(err.text, "is not the file that the run was made with"), "%s",
			   err.text);
	cr_expect_not_null(strstr(err.text, "then 00000005; --force"), "%s", err.text);
	/* It is looked at then, and is none. */
	cr_expect_lt(load("scheduler", "x", file, true), 0);
	cr_expect_not_null(strstr(err.text, "ELF"), "%s", err.text);
	cr_assert_eq(chmod(file, 0666), 0);
	cr_expect_eq(load("scheduler", "x", file, true), -ESTALE);
	cr_expect_not_null(strstr(err.text, "where others can put one in its place"), "%s",
			   err.text);
	cr_expect_eq(load("scheduler", "x", "/nowhere/x.so", false), -ENOENT);
	cr_expect_eq(load("scheduler", "../x", file, false), -EBADMSG);
	cr_expect_eq(load("thing", "x", file, false), -EBADMSG);
	cr_expect_not_null(strstr(err.text, "is no plugin"), "%s", err.text);
}
