/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "guest/crash.h"
#include "wire/types.h"

/* Tasks and open files that there must be room for: as many workers as can be, with what the kernel
 * and the plugins have. */
#define TASKS_LEAST 16384u

static const struct {
	const char *type;
	const char *target;
	const char *options;
	bool is_required;
} mounts[] = {
	{ "proc", "/proc", NULL, true },
	{ "sysfs", "/sys", NULL, true },
	{ "devtmpfs", "/dev", NULL, true },
	{ "tmpfs", "/tmp", "mode=1777", true },
	/* A worker that is put into its cgroup does not wait for an RCU grace period; kernels
	 * before Linux 6.0 do not know the word. */
	{ "cgroup2", "/sys/fs/cgroup", "favordynmods", false },
	{ "cgroup2", "/sys/fs/cgroup", NULL, true },
	{ "bpf", "/sys/fs/bpf", NULL, false },
	{ "debugfs", "/sys/kernel/debug", NULL, false },
	{ "tracefs", "/sys/kernel/tracing", NULL, false },
	{ "tmpfs", "/dev/shm", "mode=1777", false },
	{ "tmpfs", "/run", "mode=755", false },
};

static const struct {
	const char *target;
	const char *path;
} links[] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
};

int boot_mount(struct ktstr_error *err)
{
	const char *mounted = "";

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		/* A second way to mount what is mounted would change it. */
		if (strcmp(mounts[i].target, mounted) == 0)
			continue;
		(void)mkdir(mounts[i].target, 0755); /* mount() tells when it is not there */
		if (mount(mounts[i].type, mounts[i].target, mounts[i].type, 0, mounts[i].options) ==
			    0 ||
		    errno == EBUSY) {
			mounted = mounts[i].target;
			continue;
		}
		if (!mounts[i].is_required)
			continue;
		return ktstr_fail(err, -errno, "cannot mount '%s' on '%s': %s", mounts[i].type,
				  mounts[i].target, strerror(errno));
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		(void)symlink(links[i].target, links[i].path); /* a comfort for plugins */
	return 0;
}

/* A kernel of little memory allows few tasks. Never lower what it has. */
static void raise_setting(const char *path, unsigned long least)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	char text[32] = "";
	int length;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || strtoul(text, NULL, 10) >= least)
		return;
	length = snprintf(text, sizeof(text), "%lu", least);
	(void)!pwrite(fd, text, (size_t)length, 0); /* then a large spawn fails, and says so */
}

void boot_raise_limits(void)
{
	/* The session holds an fd of each worker. */
	const struct rlimit fds = { .rlim_cur = TASKS_LEAST, .rlim_max = TASKS_LEAST };
	struct rlimit before;

	if (getrlimit(RLIMIT_NOFILE, &before) == 0 && before.rlim_cur < TASKS_LEAST)
		(void)setrlimit(RLIMIT_NOFILE, &fds); /* as above */
	raise_setting("/proc/sys/kernel/threads-max", TASKS_LEAST);
	raise_setting("/proc/sys/kernel/pid_max", TASKS_LEAST);
	raise_setting("/proc/sys/kernel/bpf_stats_enabled", 1);
}

int boot_check_sentinel(const char *path, struct ktstr_error *err)
{
	if (access(path, F_OK) == 0)
		return 0;
	return ktstr_fail(err, -ENODATA,
			  "initramfs is truncated: '%s' is missing; give the VM more memory", path);
}

uint64_t boot_port_budget_ns(uint32_t cpus)
{
	uint64_t budget_ns = 10 * NS_PER_S + cpus * 150 * NS_PER_MS;

	return budget_ns < 90 * NS_PER_S ? budget_ns : 90 * NS_PER_S;
}

void boot_fatal(const char *text)
{
	char line[KTSTR_ERROR_TEXT_MAX + 64];

	(void)snprintf(line, sizeof(line), WIRE_CRASH_PREFIX " %s\n", text);
	(void)!write(STDERR_FILENO, line, strlen(line)); /* the console, that is COM1 */
	crash_write(line);
	(void)reboot(RB_AUTOBOOT);
	_exit(1);
}

void boot_power_off(void)
{
	(void)reboot(RB_POWER_OFF);
	_exit(0);
}
