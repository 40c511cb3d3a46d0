/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/cpu_wait.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

/* "RUN WAITED SLICES", in ns. */
static uint64_t thread_wait_ns(int tasks_fd, const char *tid)
{
	_cleanup_close_ int fd = -1;
	char path[sizeof(((struct dirent *)NULL)->d_name) + 16], text[128];
	uint64_t waited_ns;
	ssize_t length;

	(void)snprintf(path, sizeof(path), "%s/schedstat", tid);
	fd = openat(tasks_fd, path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length <= 0)
		return 0; /* it ended just now, or the kernel does not count */
	text[length] = '\0';
	return sscanf(text, "%*u %" SCNu64, &waited_ns) == 1 ? waited_ns : 0;
}

uint32_t cpu_wait_threads(pid_t pid, struct coord_thread *ret, uint32_t max)
{
	const struct dirent *entry;
	uint32_t count = 0;
	char path[64];
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return 0;
	while (count < max && (entry = readdir(tasks)))
		if (isdigit((unsigned char)entry->d_name[0]))
			ret[count++] = (struct coord_thread){
				.id = (int32_t)strtol(entry->d_name, NULL, 10),
				.cpu_wait_ns = thread_wait_ns(dirfd(tasks), entry->d_name)
			};
	(void)closedir(tasks);
	return count;
}

uint64_t cpu_wait_ns(pid_t pid)
{
	struct coord_thread threads[COORD_THREADS_MAX];
	uint32_t count = cpu_wait_threads(pid, threads, COORD_THREADS_MAX);
	uint64_t total_ns = 0;

	for (uint32_t i = 0; i < count; i++)
		total_ns += threads[i].cpu_wait_ns;
	return total_ns;
}

uint64_t cpu_wait_max_ns(uint64_t timeout_ns)
{
	uint64_t max_ns;

	return __builtin_mul_overflow(timeout_ns, (uint64_t)CPU_WAIT_TIMES, &max_ns) ? UINT64_MAX
										     : max_ns;
}

uint64_t cpu_wait_allowance_ns(uint64_t waited_ns, uint64_t elapsed_ns, uint64_t timeout_ns)
{
	uint64_t max_ns = cpu_wait_max_ns(timeout_ns);

	waited_ns = waited_ns < elapsed_ns ? waited_ns : elapsed_ns;
	return waited_ns < max_ns ? waited_ns : max_ns;
}
