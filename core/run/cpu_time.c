/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/cpu_time.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

uint64_t cpu_time_ns(pid_t pid)
{
	struct timespec spent;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &spent) < 0)
		return 0;
	return (uint64_t)spent.tv_sec * NS_PER_S + (uint64_t)spent.tv_nsec;
}

/* "TID (NAME) STATE ...": the name may hold anything. */
static char thread_state(int tasks_fd, const char *tid)
{
	_cleanup_close_ int fd = -1;
	char path[sizeof(((struct dirent *)NULL)->d_name) + 16], text[256];
	const char *end;
	ssize_t length;

	(void)snprintf(path, sizeof(path), "%s/stat", tid);
	fd = openat(tasks_fd, path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = '\0';
	end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : '\0';
}

bool cpu_time_is_withheld(pid_t pid)
{
	const struct dirent *entry;
	bool is_withheld = false;
	char path[64], state;
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return false;
	while (!is_withheld && (entry = readdir(tasks))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		state = thread_state(dirfd(tasks), entry->d_name);
		is_withheld = state && strchr("RDTt", state);
	}
	(void)closedir(tasks);
	return is_withheld;
}
