/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/kill.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"

void kill_others(uint64_t timeout_ns)
{
	uint64_t end_ns = clock_monotonic_ns() + timeout_ns;
	struct timespec step = { .tv_nsec = 100 * (long)NS_PER_MS };
	sigset_t child;

	(void)kill(-1, SIGKILL);
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	while (clock_monotonic_ns() < end_ns) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			return; /* no child is left */
		if (pid == 0)
			(void)sigtimedwait(&child, NULL, &step);
	}
}
