/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/scx_kernel.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

static char folder[40];
static int log_fd = -1;

char *kernel_path(const char *name)
{
	char *path = str_format("%s/%s", folder, name);

	cr_assert_not_null(path);
	return path;
}

void kernel_make(void)
{
	static const char *const folders[] = { "scx", "scx/root", "cgroup" };
	_cleanup_free_ char *log = NULL;

	(void)str_copy(folder, sizeof(folder), "/tmp/ktstr-kernel-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *path = kernel_path(folders[i]);

		cr_assert_eq(mkdir(path, 0700), 0);
	}
	log = kernel_path("kmsg");
	/* Like the real log, a fifo says nothing twice. */
	cr_assert_eq(mkfifo(log, 0600), 0);
	kernel_writes("scx/enable_seq", "0\n");
	kernel_disables();
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
	(void)info;
	(void)flag;
	(void)walk;
	return remove(path);
}

void kernel_remove(void)
{
	if (log_fd >= 0)
		(void)close(log_fd);
	log_fd = -1;
	(void)nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void kernel_writes(const char *name, const char *text)
{
	_cleanup_free_ char *path = kernel_path(name);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(io_write_all(fd, text, strlen(text)), 0);
}

void kernel_open_log(void)
{
	_cleanup_free_ char *path = kernel_path("kmsg");

	log_fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert_geq(log_fd, 0);
	/* Like of the real one, a read gives one record. */
	cr_assert_eq(fcntl(log_fd, F_SETFL, O_DIRECT), 0);
}

void kernel_says(const char *record)
{
	cr_assert_eq(io_write_all(log_fd, record, strlen(record)), 0);
}

static void remove_file(const char *name)
{
	_cleanup_free_ char *path = kernel_path(name);

	(void)unlink(path); /* it may not be there */
}

void kernel_enables(const char *ops, const char *seq)
{
	kernel_writes("scx/state", "enabled\n");
	kernel_writes("scx/enable_seq", seq);
	kernel_writes("scx/root/ops", ops);
	kernel_writes("scx/root/events", "SCX_EV_A 5\n");
}

void kernel_disables(void)
{
	kernel_writes("scx/state", "disabled\n");
	remove_file("scx/root/ops");
	remove_file("scx/root/events");
}

void kernel_ejects(void)
{
	kernel_disables();
	kernel_says("3,1,1,-;sched_ext: BPF scheduler \"a\" disabled (runnable task stall)\n");
	kernel_says("3,2,1,-;sched_ext: a: worker[151] failed to run for 2.976s\n");
}
