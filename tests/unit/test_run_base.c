/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "support/folder.h"

static char *folders[] = { (char *)SHIPPED_PLUGIN_DIR, NULL };
static const struct run_paths paths = { .guest_program = (char *)"/bin/true",
					.plugin_folders = folders };
static struct ktstr_error err;
static char *folder;

static void setup(void)
{
	folder = folder_new();
	cr_assert_eq(setenv("KTSTR_QEMU", "/bin/true", 1), 0);
}

static void teardown(void)
{
	folder_remove(folder);
	folder = NULL;
}

TestSuite(run_base, .init = setup, .fini = teardown);

struct keys {
	char *booted;
	char *attached;
};

/* The keys of a run of this scenario file. */
static struct keys keys_of(const char *yaml)
{
	_cleanup_free_ char *path = str_format("%s/file.yaml", folder);
	const struct run_options options = { 0 };
	struct kernel kernel = { .boot = (char *)"/bin/true", .init_size = 40 << 20 };
	struct prepared *prepared = NULL;
	struct image image = IMAGE_NONE;
	struct run_base_spec spec = { .image = &image };
	struct keys keys = { 0 };

	cr_assert_eq(io_replace_file(path, yaml, strlen(yaml), &err), 0, "%s", err.text);
	cr_assert_eq(prepare_scenario(path, &options, &paths, &prepared, &err), 0, "%s", err.text);
	prepared->kernel = &kernel;
	spec.prepared = prepared;
	cr_assert_eq(image_build(prepared, &paths, &image, &err), 0, "%s", err.text);
	cr_assert_eq(run_base_keys(&spec, &keys.booted, &keys.attached, &err), 0, "%s", err.text);
	image_done(&image);
	prepared->kernel = NULL;
	prepared_free(prepared);
	return keys;
}

static void keys_done(struct keys *keys)
{
	free(keys->booted);
	free(keys->attached);
}

#define SCENARIO "scenario: {plugin: cpu_hog, workers: 1, duration: 1s}\ncheckers: [gap]\n"

static const char one[] = "vm: {memory: 512M}\nscheduler: eevdf\n" SCENARIO;

/* What differs from @one, and which keys are others then. */
static const struct key_case {
	const char *yaml;
	bool has_other_booted;
	bool has_other_attached;
} key_cases[] = {
	{ "vm: {memory: 512M}\nname: x\nseed: 8\nscheduler: {plugin: eevdf}\n" SCENARIO, false,
	  false },
	{ "vm: {memory: 512M}\nscheduler: eevdf\ncheckers: [starvation]\n"
	  "scenario: {plugin: cpu_hog, workers: 7, duration: 5s}\n",
	  false, false },
	{ "vm: {memory: 512M}\nschedulers: {two: eevdf}\n" SCENARIO, false, false },
	{ "vm: {memory: 512M}\nscheduler_timeout: 9s\n" SCENARIO, false, true },
	{ "vm: {memory: 512M}\nscheduler: {plugin: exec, path: /bin/true}\n" SCENARIO, false,
	  true },
	{ "vm: {memory: 600M}\n" SCENARIO, true, true },
	{ "vm: {memory: 512M, topology: {cores: 3}}\n" SCENARIO, true, true },
};

Test(run_base, keys_say_what_a_saved_vm_depends_on)
{
	struct keys first = keys_of(one);

	for (size_t i = 0; i < sizeof(key_cases) / sizeof(key_cases[0]); i++) {
		struct keys other = keys_of(key_cases[i].yaml);

		cr_expect_eq(strcmp(first.booted, other.booted) != 0, key_cases[i].has_other_booted,
			     "booted, case %zu", i);
		cr_expect_eq(strcmp(first.attached, other.attached) != 0,
			     key_cases[i].has_other_attached, "attached, case %zu", i);
		keys_done(&other);
	}
	keys_done(&first);
}

Test(run_base, parameters_of_the_scheduler_are_in_the_key)
{
#define EXEC(args)                                                                                 \
	"vm: {memory: 512M}\nscheduler: {plugin: exec, path: /bin/true" args "}\n" SCENARIO
	struct keys first = keys_of(EXEC("")), other = keys_of(EXEC(", args: [x]"));

	cr_expect_str_eq(first.booted, other.booted);
	cr_expect_str_neq(first.attached, other.attached);
	cr_expect(strstr(first.attached, "\n" RUN_BASE_SCHEDULER "exec\n"), "%s", first.attached);
	cr_expect_null(strstr(first.booted, RUN_BASE_SCHEDULER), "%s", first.booted);
	keys_done(&first);
	keys_done(&other);
}

/* The programs that the scheduler ships are part of it. */
Test(run_base, files_of_the_scheduler_are_in_the_key)
{
	_cleanup_free_ char *path = str_format("%s/program", folder);
	_cleanup_free_ char *yaml = str_format(
		"vm: {memory: 512M}\nscheduler: {plugin: exec, path: %s}\n" SCENARIO, path);
	struct keys first, other;

	cr_assert_eq(io_replace_file(path, "#!/bin/sh", 9, &err), 0);
	cr_assert_eq(chmod(path, 0755), 0);
	first = keys_of(yaml);
	cr_assert_eq(io_replace_file(path, "#!/bin/no", 9, &err), 0);
	cr_assert_eq(chmod(path, 0755), 0);
	other = keys_of(yaml);
	cr_expect_str_eq(first.booted, other.booted);
	cr_expect_str_neq(first.attached, other.attached);
	keys_done(&first);
	keys_done(&other);
}

Test(run_base, notes_that_a_scheduler_took_long_once)
{
	_cleanup_free_ char *note = str_format("%s/note", folder);
	struct stat status;
	int fd;

	run_base_note(NULL, UINT64_MAX);
	run_base_note(note, RUN_BASE_ATTACH_NS - 1);
	cr_expect_lt(access(note, F_OK), 0);
	run_base_note(note, RUN_BASE_ATTACH_NS);
	cr_assert_eq(stat(note, &status), 0);
	cr_expect_eq(status.st_size, 0);
	/* One that says that it failed stays. */
	fd = open(note, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(write(fd, "no", 2), 2);
	(void)close(fd);
	run_base_note(note, RUN_BASE_ATTACH_NS);
	cr_assert_eq(stat(note, &status), 0);
	cr_expect_eq(status.st_size, 2);
}

Test(run_base, gives_back_what_the_vm_had_sent)
{
	_cleanup_free_ char *path = str_format("%s/stream", folder);
	struct base base;
	char *bytes = NULL;
	size_t length = 0;

	base_init(&base);
	cr_assert_eq(io_replace_file(path, "ab\0cd", 5, &err), 0);
	base.stream_fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_eq(run_base_stream(&base, &bytes, &length, &err), 0, "%s", err.text);
	cr_expect_eq(length, 5);
	cr_expect_eq(memcmp(bytes, "ab\0cd", 5), 0);
	free(bytes);
	cr_assert_eq(ftruncate(base.stream_fd, (off_t)RUN_BASE_STREAM_MAX + 1), 0);
	cr_expect_eq(run_base_stream(&base, &bytes, &length, &err), -EFBIG);
	cr_expect_str_eq(err.text, "the stream of the saved VM is too long");
	base_done(&base);
}
