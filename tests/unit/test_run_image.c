/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "plugin/job.h"

#define MIB (UINT64_C(1) << 20)

static char *folders[] = { (char *)SHIPPED_PLUGIN_DIR, NULL };
static const struct run_paths paths = { .guest_program = (char *)GUEST_PROGRAM,
					.plugin_folders = folders };
#define FILE_PATTERN "/tmp/ktstr-image-XXXXXX"
static char file[] = FILE_PATTERN;
static struct prepared *prepared;
static struct kernel kernel;
static struct image image;
static struct ktstr_error err;

static void forget(void)
{
	image_done(&image);
	if (prepared)
		prepared->kernel = NULL; /* that of the test */
	prepared_free(prepared);
	prepared = NULL;
	(void)unlink(file);
	memcpy(file, FILE_PATTERN, sizeof(file));
}

static void teardown(void)
{
	forget();
}

TestSuite(run_image, .fini = teardown);

static bool is_virtual;

static int build(const char *yaml)
{
	const struct run_options options = { 0 };
	int fd = mkstemp(file);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
	(void)close(fd);
	cr_assert_eq(prepare_scenario(file, &options, &paths, &prepared, &err), 0, "%s", err.text);
	kernel = (struct kernel){ .boot = (char *)"/nowhere", .init_size = 40 * MIB };
	prepared->kernel = &kernel;
	prepared->is_virtual = is_virtual;
	return image_build(prepared, &paths, &image, &err);
}

/* The paths of an archive, a line each; *ret_job: the bytes of the job in it. */
static char *listing(int fd, struct str *ret_job)
{
	off_t length = lseek(fd, 0, SEEK_END);
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	struct str text = { 0 };
	void *bytes = mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, fd, 0);

	cr_assert_neq(bytes, MAP_FAILED);
	cr_assert_eq(archive_read_support_format_cpio(archive), ARCHIVE_OK);
	cr_assert_eq(archive_read_open_memory(archive, bytes, (size_t)length), ARCHIVE_OK);
	while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		char block[4096];
		la_ssize_t n;

		cr_assert_eq(str_addf(&text, "/%s\n", name), 0);
		if (!ret_job || (strcmp(name, &INITRAMFS_JOB[1]) != 0 &&
				 strcmp(name, &INITRAMFS_SCHEDULER_JOB[1]) != 0))
			continue;
		while ((n = archive_read_data(archive, block, sizeof(block))) > 0)
			cr_assert_eq(str_add_bytes(ret_job, block, (size_t)n), 0);
	}
	(void)archive_read_free(archive);
	(void)munmap(bytes, (size_t)length);
	return text.data;
}

static const char hog[] = "seed: 9\n"
			  "scheduler: eevdf\n"
			  "scenario: {plugin: cpu_hog, workers: 3}\n"
			  "checkers: [gap]\n";

Test(run_image, base_has_the_agent_and_what_it_needs)
{
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(build(hog), 0, "%s", err.text);
	text = listing(image.base_fd, NULL);
	cr_expect(strstr(text, "/init\n"), "%s", text);
	cr_expect(strstr(text, "/proc\n"), "%s", text);
	cr_expect(strstr(text, "/libc.so.6\n"), "%s", text);
	cr_expect_null(strstr(text, INITRAMFS_SENTINEL));
	cr_expect_null(strstr(text, INITRAMFS_PLUGIN_DIR));
}

Test(run_image, the_schedulers_part_has_it_alone_and_the_sentinel_last)
{
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(build(hog), 0, "%s", err.text);
	text = listing(image.scheduler_archive.fd, NULL);
	cr_expect(strstr(text, &INITRAMFS_SCHEDULER_JOB[1]), "%s", text);
	cr_expect(strstr(text, INITRAMFS_PLUGIN_DIR "/schedulers/eevdf.so\n"), "%s", text);
	cr_expect_null(strstr(text, "cpu_hog"), "%s", text);
	cr_expect_null(strstr(text, "cpu_spin"), "%s", text);
	/* What the base has is not there twice. */
	cr_expect_null(strstr(text, "/libc.so.6\n"), "%s", text);
	cr_expect(str_ends(text, INITRAMFS_SENTINEL "\n"), "%s", text);
}

Test(run_image, job_has_the_other_plugins_but_no_checker)
{
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(build(hog), 0, "%s", err.text);
	text = listing(image.job_fd, NULL);
	cr_expect_null(strstr(text, "eevdf"), "%s", text);
	cr_expect(strstr(text, INITRAMFS_PLUGIN_DIR "/scenarios/cpu_hog.so\n"), "%s", text);
	cr_expect(strstr(text, INITRAMFS_PLUGIN_DIR "/workloads/cpu_spin.so\n"), "%s", text);
	cr_expect_null(strstr(text, "gap"), "%s", text);
	cr_expect_null(strstr(text, "/libc.so.6\n"), "%s", text);
}

/* Of another run: the CRC of the scheduler's part. */
static uint32_t scheduler_crc(const char *yaml)
{
	uint32_t crc;

	cr_assert_eq(build(yaml), 0, "%s", err.text);
	crc = image.scheduler_archive.crc32;
	teardown();
	image = IMAGE_NONE;
	prepared = NULL;
	(void)str_copy(file, sizeof(file), "/tmp/ktstr-image-XXXXXX");
	return crc;
}

#define ONE "checkers: [gap]\nscenario: cpu_hog\n"

/* Of two runs the same exactly where their schedulers come up in the same way. */
Test(run_image, the_schedulers_part_depends_on_nothing_else)
{
	uint32_t one = scheduler_crc(ONE "scheduler: eevdf\n");

	cr_expect_eq(scheduler_crc("name: other\nseed: 77\nscheduler:\n  plugin: eevdf\n"
				   "scenario: {plugin: cpu_hog, workers: 3, duration: 3s}\n"
				   "checkers: [starvation]\n"),
		     one);
	cr_expect_eq(scheduler_crc(ONE "schedulers: {second: eevdf}\n"), one);
	cr_expect_neq(scheduler_crc(ONE "scheduler_timeout: 7s\n"), one);
	cr_expect_neq(scheduler_crc(ONE "vm: {topology: {cores: 3}}\n"), one);
}

Test(run_image, the_schedulers_part_says_how_it_comes_up)
{
	_cleanup_free_ char *text = NULL;
	struct str bytes = { 0 };
	struct job *job = NULL;

	cr_assert_eq(build(ONE "scheduler_timeout: 7s\n"), 0, "%s", err.text);
	text = listing(image.scheduler_archive.fd, &bytes);
	cr_assert_eq(job_decode(bytes.data, bytes.length, &job, &err), 0, "%s", err.text);
	cr_expect_str_eq(job->scheduler, "eevdf");
	cr_expect_null(job->scenario);
	cr_expect_eq(job->seed, 0);
	cr_expect_eq(job->scheduler_timeout_ns, UINT64_C(7000000000));
	cr_assert_eq(job->plugin_count, 1);
	cr_expect_str_eq(job->plugins[0].name, "eevdf");
	job_free(job);
	str_done(&bytes);
}

Test(run_image, job_says_what_the_run_is)
{
	_cleanup_free_ char *text = NULL;
	struct str bytes = { 0 };
	struct job *job = NULL;

	cr_assert_eq(build(hog), 0, "%s", err.text);
	text = listing(image.job_fd, &bytes);
	cr_assert_eq(job_decode(bytes.data, bytes.length, &job, &err), 0, "%s", err.text);
	cr_expect_eq(job->seed, 9);
	cr_expect_str_eq(job->scheduler, "eevdf");
	cr_expect_str_eq(job->scenario, "cpu_hog");
	/* Without its folder: the same run is the same bytes wherever its files lie. */
	cr_expect_str_eq(job->source_name, "scenario");
	cr_expect_str_eq(node_get_text(job->scenario_params, "workers"), "3");
	cr_expect_eq(job->plugin_count, 3);
	job_free(job);
	str_done(&bytes);
}

/* Only a guest that has its own time can hold limits by itself. */
Test(run_image, job_has_the_limits_of_a_guest_in_virtual_time)
{
	static const char yaml[] = "scenario: {plugin: cpu_hog, duration: 3s}\n"
				   "scheduler_timeout: 7s\nwatchdog: 2s\ncheckers: [gap]\n";
	const struct job_limits none = { 0 };

	for (int i = 0; i < 2; i++) {
		struct str bytes = { 0 };
		_cleanup_free_ char *text = NULL;
		struct job *job = NULL;

		is_virtual = i > 0;
		cr_assert_eq(build(yaml), 0, "%s", err.text);
		text = listing(image.job_fd, &bytes);
		cr_assert_eq(job_decode(bytes.data, bytes.length, &job, &err), 0, "%s", err.text);
		if (is_virtual) {
			cr_expect_eq(job->limits.start_ns, UINT64_C(17000000000));
			cr_expect_eq(job->limits.scenario_ns, UINT64_C(5000000000));
			cr_expect_eq(job->limits.pause_ns, UINT64_C(30000000000));
			cr_expect_eq(job->limits.teardown_ns, UINT64_C(30000000000));
		} else {
			cr_expect_eq(memcmp(&job->limits, &none, sizeof(none)), 0);
		}
		job_free(job);
		str_done(&bytes);
		forget();
	}
}

Test(run_image, job_says_which_schedulers_are_staged)
{
	_cleanup_free_ char *text = NULL;
	struct str bytes = { 0 };
	struct job *job = NULL;

	cr_assert_eq(build("scenario: cpu_hog\n"
			   "scheduler_timeout: 7s\n"
			   "schedulers: {second: eevdf, first: {plugin: eevdf}}\n"
			   "checkers: [gap]\n"),
		     0, "%s", err.text);
	text = listing(image.job_fd, &bytes);
	cr_assert_eq(job_decode(bytes.data, bytes.length, &job, &err), 0, "%s", err.text);
	cr_expect_eq(job->scheduler_timeout_ns, UINT64_C(7000000000));
	cr_assert_eq(job->staged_count, 2);
	cr_expect_str_eq(job->staged[0].name, "second");
	cr_expect_str_eq(job->staged[1].name, "first");
	cr_expect_str_eq(job->staged[1].plugin, "eevdf");
	job_free(job);
	str_done(&bytes);
}

Test(run_image, memory_is_what_the_run_needs)
{
	uint64_t enough;

	cr_assert_eq(build(hog), 0, "%s", err.text);
	enough = image.memory_bytes;
	cr_expect_gt(enough, kernel.init_size + image.loaded_bytes);
	/* A kernel that takes more makes more of it. */
	image_done(&image);
	kernel.init_size = 2048 * MIB;
	cr_assert_eq(image_build(prepared, &paths, &image, &err), 0, "%s", err.text);
	cr_expect_gt(image.memory_bytes, kernel.init_size);
	cr_expect_gt(image.memory_bytes, enough);
}

Test(run_image, memory_that_is_asked_for_is_rounded_up)
{
	cr_assert_eq(build("vm: {memory: 1025M}\n"
			   "scenario: cpu_hog\n"
			   "checkers: [gap]\n"),
		     0, "%s", err.text);
	cr_expect_eq(image.memory_bytes, 1026 * MIB);
}

Test(run_image, too_little_memory_is_refused_with_what_is_needed)
{
	cr_assert_eq(build("vm: {memory: 32M}\n"
			   "scenario: cpu_hog\n"
			   "checkers: [gap]\n"),
		     -ENOMEM);
	cr_expect(str_starts(err.text, "vm.memory is 32 MiB, but this run needs at least "), "%s",
		  err.text);
	cr_expect(strstr(err.text, "(kernel 40, initramfs "), "%s", err.text);
	cr_expect(str_ends(err.text, "; raise it or leave it out"), "%s", err.text);
}

Test(run_image, a_missing_agent_is_named)
{
	const struct run_paths nowhere = { .guest_program = (char *)"/nowhere/ktstr-guest",
					   .plugin_folders = folders };

	cr_assert_eq(build(hog), 0, "%s", err.text);
	image_done(&image);
	cr_assert_lt(image_build(prepared, &nowhere, &image, &err), 0);
	cr_expect(strstr(err.text, "'/nowhere/ktstr-guest'"), "%s", err.text);
}
